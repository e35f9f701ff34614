from functools import lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path

from accounts.access import SIGNED_IN, Access
from billing_portal import access, urls

_PAGE = (
    '{% extends "base.html" %}{% block title %}Hello{% endblock %}'
    "{% block content %}<h1>Hello</h1>{% endblock %}"
)


@lru_cache(maxsize=1)
def _template() -> Any:
    return engines["django"].from_string(_PAGE)


def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_template().render({}, request))


urlpatterns = [path("hello/", hello, name="hello"), *urls.urlpatterns]
ACCESS: dict[str, Access] = access.ACCESS | {"hello": SIGNED_IN}

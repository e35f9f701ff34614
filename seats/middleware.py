"""A request after the end of a contract finds it carried out, though the due work is late."""

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse

from accounts.models import User
from core import clock
from seats.services import guard


class EndsMiddleware:
    """Carry out the ends that have come before a request is let in anywhere. Rule: S2-20, F53.

    It stands before the middleware that decides by membership. Who has no account left is signed out.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and isinstance(request.user, User):
            self._check(request, request.user)
        return self.get_response(request)

    def _check(self, request: HttpRequest, user: User) -> None:
        if not guard.settle_for(user, clock.now()):
            logout(request)

"""The filter of a list that shows what waits for a person; the overview links to it."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from core import clock
from payments.admin.written import Label
from payments.gateways import registry
from payments.queries.office import When


def waits(kinds: Mapping[str, When], words: Mapping[str, Label]) -> type[admin.SimpleListFilter]:
    """Return a filter by what waits for a person, in the words given."""

    class Waits(admin.SimpleListFilter):
        title = _("what waits")
        parameter_name = "waits"

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
            return [(name, words[name]) for name in kinds]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            wanted = kinds.get(self.value() or "")
            return queryset.filter(wanted(clock.now())) if wanted else queryset

    return Waits


class ByGateway(admin.SimpleListFilter):
    """By provider, without asking a long table which ones there are."""

    title = _("provider")
    parameter_name = "gateway"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(slug, gateway.name) for slug, gateway in registry.gateways().items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(gateway=self.value()) if self.value() else queryset


class ByOpen(admin.SimpleListFilter):
    """By whether something is still open."""

    title = _("state")
    parameter_name = "open"
    column = "resolved_at"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("still open")), ("no", _("settled"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() in {"yes", "no"}:
            return queryset.filter(**{f"{self.column}__isnull": self.value() == "yes"})
        return queryset

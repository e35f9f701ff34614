"""How the back office writes amounts, instants, names and links, in lists and on pages."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.contrib.admin.templatetags.admin_urls import admin_urlname
from django.db.models import Model
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy, ngettext

from core import money
from payments.enums import NoticeState
from plans import queries as plans
from plans.queries import NoVendor

Label = str | Promise
NOTHING = "–"
_KEPT = 4


Column = Callable[[Any], str]


def column(label: Label, write: Callable[[Any], object], *, ordering: Any = None) -> Column:
    """Return a column of a list: what `write` makes of a row, sorted by the field `ordering`."""

    @admin.display(description=label, ordering=ordering)  # type: ignore[arg-type]  # any lazy words
    def shown(row: Any) -> str:
        value = write(row)
        return value if isinstance(value, str) else str(value)

    return shown


def plain(name: str, label: Label) -> Column:
    """Return a column that shows a field as it is; a choice by its words."""
    choice = f"get_{name}_display"

    def write(row: Any) -> object:
        value = getattr(row, choice)() if hasattr(row, choice) else getattr(row, name)
        return NOTHING if value is None or value == "" else value

    return column(label, write, ordering=name)


def amount(name: str, label: Label) -> Column:
    """Return a column that shows an amount in minor units with its currency."""
    return column(label, lambda row: money.written(getattr(row, name), row.currency), ordering=name)


def instant(name: str, label: Label) -> Column:
    """Return a column that shows an instant in the vendor's zone."""
    return column(label, lambda row: at(getattr(row, name)), ordering=name)


def at(value: datetime | None) -> str:
    """Return an instant in the vendor's zone, which is named: 2026-11-22 14:05 JST, on one line."""
    if value is None:
        return NOTHING
    local = value.astimezone(_zone())
    return format_html('<span class="nowrap">{}</span>', local.strftime("%Y-%m-%d %H:%M %Z"))


def each_at(values: Iterable[datetime]) -> str:
    """Return instants one after the other."""
    return format_html_join(", ", "{}", ((at(value),) for value in values)) or NOTHING


def _zone() -> ZoneInfo:
    try:
        return plans.zone_for_pages()
    except NoVendor:
        return ZoneInfo("UTC")


def age(since: datetime | None, now: datetime) -> str:
    """Return how long something waits: in minutes, hours or days, whichever says it best."""
    if since is None:
        return NOTHING
    waited = max(now - since, timedelta())
    minutes, hours = waited // timedelta(minutes=1), waited // timedelta(hours=1)
    if hours < 1:
        return ngettext("%(count)s minute", "%(count)s minutes", minutes) % {"count": minutes}
    if waited.days < 2:
        return ngettext("%(count)s hour", "%(count)s hours", hours) % {"count": hours}
    return ngettext("%(count)s day", "%(count)s days", waited.days) % {"count": waited.days}


def ending(reference: str) -> str:
    """Return what may be shown of a provider's name for a payer: its last characters."""
    return f"…{reference[-_KEPT:]}" if len(reference) > _KEPT else (reference and "…")


def link(row: Model | None, words: str = "") -> SafeString | str:
    """Return a link to a row's page in the back office."""
    if row is None:
        return NOTHING
    url = reverse(admin_urlname(row._meta, SafeString("change")), args=[row.pk])  # noqa: SLF001
    return format_html('<a href="{}">{}</a>', url, words or str(row))


def list_link(model: type[Model], query: str, words: str) -> SafeString:
    """Return a link to a list, filtered."""
    url = reverse(admin_urlname(model._meta, SafeString("changelist")))  # noqa: SLF001
    return format_html('<a href="{}?{}">{}</a>', url, query, words)


def person(actor: str, people: Mapping[str, str]) -> str:
    """Return who did something: a person's address, or the name of what acts by itself."""
    return people.get(actor, actor) or NOTHING


def yes_or_no(value: object) -> str:
    return gettext("yes") if value else gettext("no")


_NOTICES = {
    NoticeState.RECEIVED: gettext_lazy("received"),
    NoticeState.PROCESSED: gettext_lazy("processed"),
    NoticeState.IGNORED: gettext_lazy("passed over"),
    NoticeState.FORGED: gettext_lazy("forged"),
}


def notice_state(state: str) -> str:
    """Return what became of a notice, in words."""
    return str(_NOTICES[NoticeState(state)])

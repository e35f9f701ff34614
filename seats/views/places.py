"""How many accounts there may be, how many are in use, and when that changes: words, then a bar."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import Organisation
from accounts.queries import accounts_in_use
from core.templatetags.writing import day
from seats.queries import capacity
from seats.views import words
from seats.views.words import Way

# The bar's own measure: its drawing is as wide as a hundred.
_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Fact:
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Places:
    """The opening of the page. `left` None: there is no limit; `bar` is drawn where there is one.

    `fall` says what changes next; `warning` who would have to leave then.
    """

    sentence: str
    facts: tuple[Fact, ...]
    left: int | None
    fall: str = ""
    warning: str = ""
    ways: tuple[Way, ...] = ()
    bar: int | None = None
    mark: int | None = None
    is_full: bool = False


def of(organisation: Organisation, now: datetime, zone: ZoneInfo) -> Places:
    """Return how an organisation's places stand now. Rule: domain.md 3.5."""
    known = capacity.capacity(organisation)
    used = accounts_in_use(organisation.pk)
    allowed = known.at(now)
    fall = known.next_fall(now)
    facts = [Fact(_("In use"), str(used))]
    if allowed is None:
        sentence = ngettext(
            "%(used)s account is in use; your plan has no limit.",
            "%(used)s accounts are in use; your plan has no limit.",
            used,
        ) % {"used": used}
        facts.append(Fact(_("Capacity now"), _("no limit")))
    else:
        sentence = _sentence(used, allowed)
        facts += [
            Fact(_("Capacity now"), str(allowed)),
            Fact(_("Places free"), str(max(0, allowed - used))),
        ]
    told, warning = "", ""
    if fall is not None:
        on, then = day(fall[0].astimezone(zone).date()), fall[1]
        told = ngettext(
            "From %(day)s you may have %(then)s account.",
            "From %(day)s you may have %(then)s accounts.",
            then,
        ) % {"day": on, "then": then}
        facts.append(Fact(_("Capacity from %(day)s") % {"day": on}, str(then)))
        if used > then:
            warning = _warning(used - then)
    at_most = max(used, allowed or 0, 1)
    return Places(
        sentence=sentence,
        facts=tuple(facts),
        left=None if allowed is None else max(0, allowed - used),
        fall=told,
        warning=warning,
        ways=_ways(organisation, is_warned=bool(warning), is_full=used >= (allowed or used + 1)),
        bar=None if allowed is None else round(used * _WIDTH / at_most),
        mark=round(fall[1] * _WIDTH / at_most) if allowed and fall and fall[1] < at_most else None,
        is_full=allowed is not None and used >= allowed,
    )


def _sentence(used: int, allowed: int) -> str:
    numbers = {"used": used, "allowed": allowed, "free": allowed - used}
    if used >= allowed:
        return (
            ngettext(
                "%(used)s of %(allowed)s account is in use; no place is free.",
                "%(used)s of %(allowed)s accounts are in use; no place is free.",
                allowed,
            )
            % numbers
        )
    if allowed - used == 1:
        return _("%(used)s of %(allowed)s accounts are in use; one is free.") % numbers
    return (
        ngettext(
            "%(used)s of %(allowed)s accounts is in use; %(free)s is free.",
            "%(used)s of %(allowed)s accounts are in use; %(free)s are free.",
            used,
        )
        % numbers
    )


def _warning(excess: int) -> str:
    return ngettext(
        "%(number)s account will then be deactivated.",
        "%(number)s accounts will then be deactivated.",
        excess,
    ) % {"number": excess}


def _ways(organisation: Organisation, *, is_warned: bool, is_full: bool) -> tuple[Way, ...]:
    leaving = words.ways(organisation, ("accounts_leaving", _("Who leaves, and who stays")))
    more = words.more_places(organisation) if is_full or is_warned else ()
    return (leaving if is_warned else ()) + more

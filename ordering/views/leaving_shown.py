"""Who leaves on which day, in words. Rule: design.md 6.5, look.md 1."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.enums import Role
from accounts.models import Membership
from core.months import last_day
from core.templatetags.writing import day, money_in_text
from ordering.forms.leaving import Leaving
from ordering.queries import leaving as prices
from ordering.queries.positions import Position
from ordering.views import consequences, refusals
from ordering.views.refusals import Told
from seats.queries import leaving
from seats.queries.leaving import Outlook, Placed
from seats.rules.departures import Departure, Why, leaves_at, reasons


@dataclass(frozen=True, slots=True)
class Way:
    """What keeps a border's accounts, with its price, and where it is ordered."""

    label: str
    price: str
    url: str


@dataclass(frozen=True, slots=True)
class DepartureShown:
    """A day on which accounts leave: how many, because of what, and what helps."""

    day: str
    count: str
    why: str
    averted: str
    ways: Sequence[Way]
    refused: Told | None


@dataclass(frozen=True, slots=True)
class RowShown:
    """An account of the list. `leaves`: the day; empty for who stays. `choices`: (act, label)."""

    account: Membership
    name: str
    registered: datetime
    leaves: str
    chosen: str
    choices: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Page:
    """What a page is made of, read once."""

    form: Leaving
    position: Position
    outlook: Outlook
    is_preview: bool

    @property
    def zone(self) -> ZoneInfo:
        return self.position.zone


def opening(found: Page) -> str:
    """Return the answer in a sentence."""
    leaving_at = found.outlook.found
    if is_unlimited(found):
        return _("Your plan does not limit the number of accounts: nobody has to leave.")
    if not leaving_at:
        return _("As things stand, nobody has to leave.")
    first = leaving_at[0]
    return ngettext(
        "On %(day)s, %(count)s account leaves; %(stay)s stay.",
        "On %(day)s, %(count)s accounts leave; %(stay)s stay.",
        first.count,
    ) % {
        "day": _day(first, found.zone),
        "count": f"{first.count:,}",
        "stay": f"{first.allowed:,}",
    }


def lines(found: Page) -> list[str]:
    now = found.position.market.now
    allowed, in_use = found.outlook.capacity.at(now), found.outlook.in_use
    if allowed is None:
        return []
    return [
        ngettext(
            "Now %(in_use)s account is in use, %(allowed)s are allowed.",
            "Now %(in_use)s accounts are in use, %(allowed)s are allowed.",
            in_use,
        )
        % {"in_use": f"{in_use:,}", "allowed": f"{allowed:,}"}
    ]


def preview(found: Page) -> str:
    """Say of what the list is a preview; or that what was asked for is none."""
    form = found.form
    if not found.is_preview:
        if form.asks_for_preview:
            return _(
                "What this list was to be a preview of is over or not complete: it shows what is so now."
            )
        return ""
    if form.wish is not None:
        values = {
            "count": f"{form.wish.accounts:,}",
            "period": consequences.period(form.wish.first_on, form.wish.end_on),
        }
        return (
            _("Preview: with a spot contract of %(count)s accounts, %(period)s, not ordered yet.")
            % values
        )
    if form.limit is None:
        return ""
    allowed, from_on = form.limit
    return _(
        "Preview: if your plan allows %(count)s accounts from %(day)s on, which is not saved yet."
    ) % {
        "count": f"{allowed:,}",
        "day": day(from_on),
    }


def departure(departure: Departure, found: Page) -> DepartureShown:
    count = ngettext(
        "%(count)s account leaves: %(in_use)s would be in use, %(allowed)s are allowed.",
        "%(count)s accounts leave: %(in_use)s would be in use, %(allowed)s are allowed.",
        departure.count,
    ) % {
        "count": f"{departure.count:,}",
        "in_use": f"{departure.in_use:,}",
        "allowed": f"{departure.allowed:,}",
    }
    ways, refused = ([], None) if found.is_preview else _ways(departure, found)
    return DepartureShown(
        day=_day(departure, found.zone),
        count=count,
        why=_why(departure, found),
        averted=_averted(departure, found),
        ways=ways,
        refused=refused,
    )


def _why(departure: Departure, found: Page) -> str:
    border_on = departure.at.astimezone(found.zone).date()
    last = day(last_day(border_on))
    why = reasons(found.outlook.capacity, departure.at)
    if Why.CLOSED in why:
        return _("Your contract with us ends on %(day)s; the root account stays.") % {"day": last}
    if why == {Why.SPOT, Why.CONTRACT}:
        return _("A spot contract and the term of your plan end on %(day)s.") % {"day": last}
    if Why.SPOT in why:
        return _("A spot contract ends on %(day)s.") % {"day": last}
    if any(term.end_on == border_on for term in found.position.contracted.terms):
        return _("The term of your plan ends on %(day)s.") % {"day": last}
    return _("What your plan allows changes after %(day)s.") % {"day": last}


def _averted(departure: Departure, found: Page) -> str:
    """Say that a renewal still to be ordered would keep them."""
    outlook = found.outlook
    if outlook.renews_on is None or any(each.at == departure.at for each in outlook.expected):
        return ""
    return _(
        "Your contract renews automatically: the next term is ordered on %(day)s, and then nobody leaves."
    ) % {"day": day(outlook.renews_on)}


def _ways(departure: Departure, found: Page) -> tuple[list[Way], Told | None]:
    """Return what may be ordered so that nobody leaves, and why a spot contract may not."""
    position = found.position
    possible = prices.ways(position, found.outlook.capacity, departure)
    organisation = {"organisation": position.organisation.public_id}
    currency = position.party.currency
    ways = []
    if possible.extension is not None:
        wish = possible.extension.wish
        query = urlencode(
            {
                "accounts": wish.accounts,
                "first_on": wish.first_on.isoformat(),
                "months": wish.months,
            }
        )
        ways.append(
            Way(
                _("Extend: %(count)s accounts by spot, %(period)s")
                % {
                    "count": f"{wish.accounts:,}",
                    "period": consequences.period(wish.first_on, wish.end_on),
                },
                _("%(gross)s, tax included")
                % {"gross": money_in_text(possible.extension.gross, currency)},
                f"{reverse('order_spot', kwargs=organisation)}?{query}",
            )
        )
    if possible.licences is not None:
        steps = possible.licences.steps
        ways.append(
            Way(
                ngettext(
                    "Add licences instead: %(steps)s step more",
                    "Add licences instead: %(steps)s steps more",
                    steps,
                )
                % {"steps": steps},
                _("%(gross)s more a month, tax included, until your contract ends")
                % {"gross": money_in_text(possible.licences.gross, currency)},
                f"{reverse('order_licences', kwargs=organisation)}?{urlencode({'steps': steps})}",
            )
        )
    if possible.is_end:
        url = reverse("order_renew", kwargs=organisation)
        ways.append(Way(_("Renew your contract"), "", url))
    refused = None
    if possible.refusal is not None and not ways:
        refused = refusals.told(possible.refusal, position.organisation, position.zone)
    return ways, refused


def protected(found: Page) -> str:
    """Say which protected accounts leave nevertheless."""
    nevertheless = leaving.protected_who_leave(found.position.organisation, found.outlook.found)
    if not nevertheless.count:
        return ""
    names = [
        _("%(name)s (%(day)s)") % {"name": each.called, "day": _leaves(each, found)}
        for each in nevertheless.rows
    ]
    said = _(", ").join(names)
    more = nevertheless.count - len(names)
    if more:
        said = _("%(names)s and %(count)s more") % {"names": said, "count": f"{more:,}"}
    return ngettext(
        "You protect more accounts than there will be places: %(names)s leaves nevertheless.",
        "You protect more accounts than there will be places: %(names)s leave nevertheless.",
        nevertheless.count,
    ) % {"names": said}


def row(placed: Placed, found: Page) -> RowShown:
    account = placed.account
    return RowShown(
        account=account,
        name=placed.name,
        registered=account.registered_at,
        leaves=_leaves(placed, found),
        chosen=_chosen(account),
        choices=_choices(account),
    )


def _chosen(account: Membership) -> str:
    if account.role == Role.ROOT:
        return _("root account, always stays")
    if account.is_protected:
        return _("protected")
    if account.leave_order is not None:
        return _("leaves first (%(place)s)") % {"place": account.leave_order}
    return ""


def _choices(account: Membership) -> list[tuple[str, str]]:
    if account.role == Role.ROOT:
        return []
    if account.is_protected:
        return [("rule", _("Do not protect"))]
    if account.leave_order is not None:
        return [
            ("up", _("Earlier")),
            ("down", _("Later")),
            ("rule", _("By the rule")),
        ]
    return [("protect", _("Protect")), ("first", _("Let go first"))]


def _leaves(placed: Placed, found: Page) -> str:
    at = leaves_at(found.outlook.found, placed.place)
    return "" if at is None else day(at.astimezone(found.zone).date())


def _day(departure: Departure, zone: ZoneInfo) -> str:
    return day(departure.at.astimezone(zone).date())


def is_unlimited(found: Page) -> bool:
    now = found.position.market.now
    capacity = found.outlook.capacity
    borders = [now, *(each for each in capacity.borders() if each > now)]
    return all(capacity.at(each) is None for each in borders)

"""The tab Contract details: the contract as one page, and how it ends. Rule: S1-27, S2-03, design.md 7."""

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from accounts.access import PortalRequest
from accounts.models import Organisation
from billing.enums import TaxCode
from billing.rules.tax import tax_code, tax_on
from cancellation.models import Cancellation
from cancellation.queries import standing
from cancellation.rules.binding import BoundSpot
from cancellation.rules.coming import Coming, Item, Kind, coming, held_after
from cancellation.views import told
from core.money import written
from core.months import BillingMonth, last_day
from core.templatetags.writing import day, moment
from ordering.queries import spots as spot_queries
from ordering.queries.positions import Position
from ordering.views import contract as ordering
from ordering.views import shown
from plans.enums import Category
from plans.queries import price_changes
from plans.rules import price_changes as prices
from plans.rules.timeline import Timeline
from seats.queries import capacity as capacities
from seats.rules.capacity import Capacity
from spot_orders import queries as spot_orders
from spot_orders.models import SpotOrder


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that is to come, and how it is taken back; without `url`, it is not."""

    text: str
    url: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Day:
    """A day on which something changes, and what holds from then on."""

    on: date
    entries: tuple[Entry, ...]
    plan: str
    fee: str
    accounts: str


@dataclass(frozen=True, slots=True)
class Ending:
    """How the cancellation stands: what may be done, or that nothing is cancelled."""

    cancellation: Cancellation | None
    last_on: date | None
    data_until: date | None
    can_be_withdrawn: bool
    is_over: bool
    who: str


@require_safe
def contract(request: PortalRequest) -> HttpResponse:
    """Show what is contracted, what is to come, and how it ends."""
    found = ordering.shown_of(request)
    position = found.position
    cancellation = standing.of(request.organisation)
    context = found.context | {
        "days": _days(request.organisation, position),
        "unpaid": _unpaid(request.organisation, position.zone),
        "ending": _ending(cancellation, position),
    }
    return render(request, "cancellation/contract.html", context)


def _days(organisation: Organisation, position: Position) -> list[Day]:
    now, zone = position.market.now, position.zone
    announced = price_changes.coming(organisation.currency, position.today)
    timeline = prices.foreseen(position.contracted, announced, zone)
    spots = [
        BoundSpot(each.number, each.accounts, each.first_on, each.until_on, is_paid=True)
        for each in spot_orders.contracts_of([organisation.pk])
    ]
    found = coming(timeline, spots, closed_on=organisation.closed_on, now=now, zone=zone)
    if not found:
        return []
    ids = {each.number: each.public_id for each in spot_queries.contracts_of(organisation)}
    capacity = capacities.capacity(organisation)
    pages = _Pages(
        organisation,
        {number: str(found_id) for number, found_id in ids.items()},
        tuple(spot_orders.depending_on(organisation, position.today)),
    )
    return [_day(each, timeline, capacity, pages, position) for each in found]


@dataclass(frozen=True, slots=True)
class _Pages:
    """Where what is to come is taken back, or looked at. `depending`: what might need a renewal."""

    organisation: Organisation
    spots: dict[str, str]
    depending: tuple[SpotOrder, ...]

    @property
    def is_cancelled(self) -> bool:
        return self.organisation.closed_on is not None

    def of(self, name: str, **kwargs: object) -> str:
        return reverse(name, kwargs={"organisation": self.organisation.public_id, **kwargs})


def _day(
    found: Coming, timeline: Timeline, capacity: Capacity, pages: _Pages, position: Position
) -> Day:
    entries = tuple(_entry(item, found.on, pages) for item in found.items)
    if any(item.kind is Kind.CLOSES for item in found.items):
        return Day(found.on, entries, "–", "–", "1")
    held = held_after(timeline, found.on, position.zone)
    names = [
        shown.name(span.terms, span.steps if category is Category.LICENCE else 1)
        for category, span in held.items()
        if span is not None
    ]
    allowed = capacity.at(_instant(found.on, position.zone))
    return Day(
        found.on,
        entries,
        " · ".join(names) or "–",
        _fee(found.on, timeline, position),
        _("no limit") if allowed is None else str(allowed),
    )


def _instant(on: date, zone: ZoneInfo) -> datetime:
    return datetime(on.year, on.month, on.day, tzinfo=zone)


def _fee(on: date, timeline: Timeline, position: Position) -> str:
    """Return the month's fees, tax included: tax once a rate, on the sum of its fees. Rule: B-06."""
    party, month = position.party, BillingMonth.of_day(on)
    sums: dict[TaxCode, int] = {}
    net = 0
    for span in held_after(timeline, on, position.zone).values():
        if span is None:
            continue
        code = tax_code(party.vendor_country, party.country, span.terms.tax_category, month)
        fee = span.terms.net * span.steps
        sums[code] = sums.get(code, 0) + fee
        net += fee
    tax = sum(tax_on(each, code, party.tax_rounding) for code, each in sums.items())
    return written(net + tax, position.organisation.currency)


def _entry(item: Item, on: date, pages: _Pages) -> Entry:
    match item.kind:
        case Kind.BEGINS:
            return Entry(
                _("Your main contract begins"),
                pages.of("order_withdraw"),
                _("Withdraw the ordered contract"),
            )
        case Kind.RENEWED:
            return _renewed(on, pages)
        case Kind.RENEWS:
            return Entry(
                _("The next term is ordered by itself, at the price on sale that day"),
                pages.of("order_renewal"),
                _("Switch automatic renewal off"),
            )
        case Kind.FREE:
            text = _("Your main contract is over; the free plan follows")
            if pages.is_cancelled:
                return Entry(text)
            return Entry(text, pages.of("order_renew"), _("Renew now"))
        case Kind.REPRICED:
            return Entry(_("A new version of your plan, as announced"))
        case Kind.SPOT_BEGINS | Kind.SPOT_ENDS:
            return _spot(item, pages)
        case Kind.CLOSES:
            return Entry(
                _("Your contract has ended; all accounts but yours are deactivated"),
                pages.of("cancellation_withdraw"),
                _("Withdraw the cancellation"),
            )


def _renewed(on: date, pages: _Pages) -> Entry:
    """Return the renewal, to be withdrawn unless a spot order needs it. Rule: S2-13."""
    needed_by = next((each for each in pages.depending if each.until_on > on), None)
    if needed_by is None:
        return Entry(
            _("The ordered renewal begins"), pages.of("order_withdraw"), _("Withdraw the renewal")
        )
    return Entry(
        _(
            "The ordered renewal begins. It cannot be withdrawn, because spot order %(number)s needs it"
            " until %(day)s."
        )
        % {"number": needed_by.number, "day": day(last_day(needed_by.until_on))},
        pages.of("order_spot_order", order=needed_by.public_id),
        _("See the order"),
    )


def _spot(item: Item, pages: _Pages) -> Entry:
    spot = item.spot
    if spot is None:
        raise AssertionError("a spot contract's day without it")
    number = {"number": spot.number, "accounts": spot.accounts}
    if item.kind is Kind.SPOT_BEGINS:
        text = ngettext(
            "Spot contract %(number)s begins: %(accounts)s account more",
            "Spot contract %(number)s begins: %(accounts)s accounts more",
            spot.accounts,
        )
        return Entry(
            text % number,
            pages.of("order_spot_order", order=pages.spots[spot.number]),
            _("See the order"),
        )
    text = ngettext(
        "Spot contract %(number)s has ended: %(accounts)s account fewer",
        "Spot contract %(number)s has ended: %(accounts)s accounts fewer",
        spot.accounts,
    )
    return Entry(text % number, pages.of("accounts_leaving"), _("Who leaves, and how to extend it"))


def _unpaid(organisation: Organisation, zone: ZoneInfo) -> Entry | None:
    """Return the spot order that waits for its payment: nothing of it holds before that."""
    order = spot_orders.unpaid_of(organisation)
    if order is None:
        return None
    return Entry(
        _("The spot order %(number)s is not paid. It lapses on %(when)s.")
        % {"number": order.number, "when": moment(order.lapses_at, zone.key)},
        reverse(
            "order_spot_order",
            kwargs={"organisation": organisation.public_id, "order": order.public_id},
        ),
        _("Pay it or give it up"),
    )


def _ending(cancellation: Cancellation | None, position: Position) -> Ending:
    if cancellation is None:
        return Ending(None, None, None, can_be_withdrawn=False, is_over=False, who="")
    return Ending(
        cancellation,
        last_day(cancellation.end_on),
        last_day(cancellation.data_until_on),
        can_be_withdrawn=standing.can_be_withdrawn(cancellation, position.market.now),
        is_over=cancellation.end_on <= position.today,
        who=_("on %(day)s by %(name)s")
        % {"day": told.on(cancellation, position.zone), "name": told.by(cancellation)},
    )

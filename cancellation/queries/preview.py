"""What the end of a contract comes to, before it is confirmed. Rule: S1-29, design.md 6.6."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q

from accounts import queries as accounts
from accounts.models import Organisation
from billing.queries import forecast
from billing.rules.forecast import MonthForecast
from cancellation.models import Cancellation
from cancellation.rules import binding, ending
from cancellation.rules.binding import BoundSpot
from cancellation.rules.ending import Standing
from core.canonical import Json
from core.months import BillingMonth, last_day, months_between, start_of_day
from payments.enums import LIVE, REFUND_LIVE, PayableState
from payments.models import Charge, Payable, PaymentMethod, Refund
from payments.queries import methods
from plans import queries as plans
from plans.enums import CancellationEnds, Category
from plans.models import CancellationTerms, VendorVersion
from plans.rules.timeline import Span, Term, Timeline
from spot_orders import queries as spot_orders
from spot_orders.models import SpotOrder

# A contract of a year, with the month that it begins in.
MOST_BILLS = 13


class NoTerms(LookupError):
    """The catalogue has no cancellation terms: nothing can be agreed to."""

    def __init__(self) -> None:
        super().__init__("No cancellation terms. Add [[cancellation_terms]] to the catalogue.")


@dataclass(frozen=True, slots=True)
class Bound:
    """What binds of a cancellation, with what it was made of. `end_on`, `data_until_on`: half open."""

    organisation: Organisation
    terms: CancellationTerms
    timeline: Timeline
    spots: tuple[SpotOrder, ...]
    unpaid: SpotOrder | None
    end_on: date
    data_until_on: date
    zone: ZoneInfo
    shown: dict[str, Json]


@dataclass(frozen=True, slots=True)
class EndingSpot:
    """A spot contract that the cancellation ends early, or not.

    `last_on`: its last day then. `lost_days`: that are paid for and not served; `lost_months` and
    `lost_net`: of them, whole months that never begin, and their price (minor units, tax excluded).
    """

    order: SpotOrder
    last_on: date
    lost_days: int
    lost_months: int
    lost_net: int


@dataclass(frozen=True, slots=True)
class Owed:
    """What is open. `balance`: minor units. `is_undecided`: a payment for it is under way."""

    payable: Payable
    balance: int
    is_undecided: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """All that follows from a cancellation, for its review page. Days in the billing time zone.

    `last_on`: the last day, inclusive; `ends_at`: its end, until which it may be withdrawn.
    `last_bills`: of this month and each one until the last day, and no month after them.
    `last_bill_on`: the day after which the last bill is made. `data_until`: the last day, inclusive,
    on which data may be taken along. `accounts_leaving`: all but the root's.
    """

    organisation: Organisation
    terms: CancellationTerms
    last_on: date
    ends_at: datetime
    licence: Span | None
    support: Span | None
    term: Term | None
    contract_last_on: date | None
    given_up: tuple[Term, ...]
    spots: tuple[EndingSpot, ...]
    unpaid_order: SpotOrder | None
    last_bills: tuple[MonthForecast, ...]
    last_bill_on: date
    owed: tuple[Owed, ...]
    refunds_under_way: int
    method: PaymentMethod | None
    accounts_in_use: int
    accounts_leaving: int
    data_until: date

    @property
    def has_undecided(self) -> bool:
        return self.refunds_under_way > 0 or any(each.is_undecided for each in self.owed)


def standing(organisation: Organisation) -> Standing:
    """Return how an organisation stands, as the rules ask."""
    return Standing(
        customer_since=organisation.customer_since,
        closed_on=organisation.closed_on,
        is_cancelled=Cancellation.objects.filter(
            organisation=organisation, withdrawn_at=None, reopened_at=None
        ).exists(),
    )


def bound(organisation: Organisation, *, now: datetime) -> Bound:
    """Return what a cancellation would bind to.

    Raises NoTerms, CancelledBefore, NotACustomer, NoVendor. Rule: S1-28, S1-29.
    """
    vendor: VendorVersion = plans.vendor()
    zone = ZoneInfo(vendor.time_zone)
    today = now.astimezone(zone).date()
    ending.check_may_cancel(standing(organisation), today)
    terms = plans.cancellation_terms()
    if terms is None:
        raise NoTerms
    timeline = plans.timeline(organisation, now=now)
    end_on = ending.end_on(timeline, CancellationEnds(vendor.cancellation_ends), now=now, zone=zone)
    contracts = [
        each for each in spot_orders.contracts_of([organisation.pk]) if each.until_on > today
    ]
    unpaid = spot_orders.unpaid_of(organisation)
    data_until_on = end_on + timedelta(days=vendor.data_kept_days)
    return Bound(
        organisation=organisation,
        terms=terms,
        timeline=timeline,
        spots=tuple(contracts),
        unpaid=unpaid,
        end_on=end_on,
        data_until_on=data_until_on,
        zone=zone,
        shown=binding.binding(
            timeline,
            [_bound_spot(each, is_paid=True) for each in contracts]
            + ([_bound_spot(unpaid, is_paid=False)] if unpaid else []),
            end_on=end_on,
            data_until_on=data_until_on,
            terms_number=terms.number,
            now=now,
            zone=zone,
        ),
    )


def preview(organisation: Organisation, *, now: datetime) -> Preview:
    """Return all that follows from a cancellation now, as of one instant; nothing is written.

    Raises NoTerms, CancelledBefore, NotACustomer, NoVendor. Rule: S1-29, design.md 6.6.
    """
    with forecast.snapshot():
        found = bound(organisation, now=now)
        known = forecast.known(organisation, now=now, months=_months(found, now))
        return _preview(
            found,
            forecast.ahead(
                replace(known, past=replace(known.past, closed_on=found.end_on)),
                found.timeline,
                months=_months(found, now),
            ),
            now,
        )


def owed(organisation: Organisation) -> list[Owed]:
    """Return what is open, the oldest due first, and whether a payment for it is undecided."""
    live = Charge.objects.filter(payable=OuterRef("pk"), state__in=sorted(LIVE))
    rows = (
        Payable.objects.filter(organisation=organisation)
        .annotate(is_live=Exists(live))
        .filter(Q(state=PayableState.OPEN) | Q(is_live=True))
        .order_by("due_on", "pk")
    )
    return [Owed(row, row.balance, row.is_live) for row in rows]


def _preview(found: Bound, bills: tuple[MonthForecast, ...], now: datetime) -> Preview:
    organisation, zone = found.organisation, found.zone
    today = now.astimezone(zone).date()
    in_use = accounts.accounts_in_use(organisation.pk)
    chain = found.timeline.last_term
    return Preview(
        organisation=organisation,
        terms=found.terms,
        last_on=last_day(found.end_on),
        ends_at=start_of_day(found.end_on, zone),
        licence=found.timeline.at(Category.LICENCE, now),
        support=found.timeline.at(Category.SUPPORT, now),
        term=found.timeline.term_on(today),
        contract_last_on=last_day(chain.end_on) if chain and chain.end_on > today else None,
        given_up=tuple(each for each in found.timeline.terms if each.first_on >= found.end_on),
        spots=tuple(_ending(each, found.end_on) for each in found.spots),
        unpaid_order=found.unpaid,
        last_bills=bills,
        last_bill_on=BillingMonth.of_day(last_day(found.end_on)).next.first_day,
        owed=tuple(owed(organisation)),
        refunds_under_way=Refund.objects.filter(
            organisation=organisation, state__in=sorted(REFUND_LIVE)
        ).count(),
        method=methods.of(organisation, now).current,
        accounts_in_use=in_use,
        accounts_leaving=max(0, in_use - 1),
        data_until=last_day(found.data_until_on),
    )


def _months(found: Bound, now: datetime) -> int:
    last = BillingMonth.of_day(last_day(found.end_on))
    return min(MOST_BILLS, len(months_between(BillingMonth.containing(now, found.zone), last)))


def _bound_spot(order: SpotOrder, *, is_paid: bool) -> BoundSpot:
    return BoundSpot(order.number, order.accounts, order.first_on, order.until_on, is_paid)


def _ending(order: SpotOrder, end_on: date) -> EndingSpot:
    until_on = order.until_on
    lost_from = max(end_on, order.first_on)
    never_begun = [
        steps * unit_net
        for first_on, _, steps, unit_net in _priced(order.priced)
        if lost_from <= first_on < until_on
    ]
    return EndingSpot(
        order=order,
        last_on=last_day(min(until_on, end_on)),
        lost_days=max(0, (until_on - lost_from).days),
        lost_months=len(never_begun),
        lost_net=sum(never_begun),
    )


def _priced(priced: Sequence[Sequence[object]]) -> list[tuple[date, int, int, int]]:
    return [
        (date.fromisoformat(str(first_on)), int(str(version)), int(str(steps)), int(str(net)))
        for first_on, version, steps, net in priced
    ]

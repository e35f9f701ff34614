"""What a spot order's payment is, how it stands, and whether it may be paid or served. Rule: R10, S2-28."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db.models import F

from accounts.models import Organisation
from billing.enums import TaxCode
from billing.rules import spot as invoices
from billing.rules.tax import tax_on
from core.money import Rounding
from core.months import start_of_day
from payments.enums import LIVE, ChargeState, PayableKind, Unserved
from payments.models import Charge, ChargingStop, Payable
from payments.queries import payables
from payments.queries.payables import Listed, Outlook
from plans import queries as plans
from plans.enums import Category
from plans.rules.timeline import Refusal, Timeline
from spot_orders import queries as spot_orders
from spot_orders.enums import SpotState
from spot_orders.models import SpotOrder
from spot_orders.rules import spot as rules

_AT_ONCE = 500


def payable_of(order: SpotOrder) -> Payable:
    """Return what is owed for a spot order. Raises Payable.DoesNotExist: it was placed without one."""
    return Payable.objects.select_related("invoice", "spot_order").get(spot_order=order)


def outlook_of_order(order: SpotOrder) -> Outlook:
    """Return how a spot order's payment stands, in four statements."""
    return payables.outlook_of(payable_of(order))


def payables_of_orders(
    organisation: Organisation, order_ids: Sequence[int]
) -> Mapping[int, Listed]:
    """Return the payables of these spot orders, by order, in one statement."""
    rows = payables.listed(organisation).filter(spot_order_id__in=order_ids)
    return {row.spot_order_id: Listed(row, row.taken_by or "") for row in rows if row.spot_order_id}


def why_not_payable(order: SpotOrder, now: datetime) -> Unserved | None:
    """Return why no payment of an order may begin, if so; the organisation comes with it. Rule: F56.

    Nothing is charged that could not be served, nor while something else is overdue (B-14).
    """
    why = why_not_served(order, now)
    if why is None and order.lapses_at <= now:
        why = Unserved.LAPSED
    if why is None and payables.is_overdue(order.organisation_id):
        why = Unserved.OVERDUE
    return why


def why_not_served(order: SpotOrder, now: datetime) -> Unserved | None:
    """Return why an order that is paid cannot become a spot contract, if so. Rule: R10, F56.

    That its first day is over, or that it should have lapsed while its payment was under way, is no
    reason: a start that passes meanwhile is not moved (S2-28).
    """
    if order.state != SpotState.PLACED:
        return Unserved.ENDED
    closed_on = order.organisation.closed_on
    if closed_on is not None and closed_on < order.end_on:
        return Unserved.CLOSED
    zone = plans.vendor_zone()
    if order.end_on <= _day(now, zone):
        return Unserved.OVER
    timeline = plans.timeline(order.organisation, now=now)
    if not _is_covered(timeline, order):
        return Unserved.NOT_COVERED
    if _adds_nothing(timeline, order, now, zone):
        return Unserved.UNLIMITED
    return None


def _is_covered(timeline: Timeline, order: SpotOrder) -> bool:
    """Return whether main contracts hold without a break from its first day to its end. Rule: S2-13."""
    try:
        chain = rules.coverage(timeline, order.first_on, order.first_on)
    except Refusal:
        return False
    return chain[-1].end_on >= order.end_on


def _adds_nothing(timeline: Timeline, order: SpotOrder, now: datetime, zone: ZoneInfo) -> bool:
    """Return whether no licence limits accounts in what is left of its period: it would be of no use."""
    begins, ends = max(now, start_of_day(order.first_on, zone)), start_of_day(order.end_on, zone)
    return all(
        span.terms.accounts_per_step is None
        for span in timeline.of(Category.LICENCE)
        if span.from_at < ends and (span.until_at is None or span.until_at > begins)
    )


@dataclass(frozen=True, slots=True)
class Cut:
    """A spot contract that holds only until `on` when its cover ends, and what is credited of it.

    `gross`: its whole months from that day on, tax included, less what was credited before.
    """

    order: SpotOrder
    payable: Payable
    on: date
    gross: int


def cut_at(organisation: Organisation, ends_on: date) -> list[Cut]:
    """Return what becomes of the spot contracts that reach beyond a day (half open). Rule: S2-13."""
    found = spot_orders.depending_on(organisation, ends_on).filter(state=SpotState.PAID)
    return [
        Cut(order, order.payable, max(order.first_on, ends_on), _unused(order, ends_on))
        for order in found.select_related("payable")
    ]


def _unused(order: SpotOrder, ends_on: date) -> int:
    used = sum(month.net for month in invoices.months_of(order.priced) if month.first_on < ends_on)
    kept = used + tax_on(used, TaxCode(order.tax_code), Rounding(order.tax_rounding))
    return max(0, order.payable.gross - order.payable.credited - kept)


def to_serve() -> list[tuple[int, int]]:
    """Return (payable, organisation) of spot orders that are paid, and neither served nor given back."""
    return list(
        Payable.objects.filter(kind=PayableKind.SPOT_ORDER, invoice=None, captured__gt=0)
        .filter(captured__gte=F("gross") + F("refunded"))
        .exclude(spot_order__state__in=[SpotState.PAID, SpotState.REFUNDED])
        .order_by("id")
        .values_list("pk", "organisation_id")[:_AT_ONCE]
    )


def to_lapse(now: datetime) -> list[tuple[int, int]]:
    """Return (order, organisation) of orders whose time is over, and whose money is not under way.

    Where charging is stopped nothing lapses: after a restore, money may be in that we do not know of.
    """
    stopped = set(ChargingStop.objects.values_list("scope", flat=True))
    if "all" in stopped:
        return []
    organisations = [
        int(scope.partition(":")[2]) for scope in stopped if scope.startswith("organisation:")
    ]
    in_hand = Charge.objects.filter(state__in=sorted(LIVE - LEAVABLE)).values("payable_id")
    return list(
        SpotOrder.objects.filter(state=SpotState.PLACED, lapses_at__lte=now)
        .exclude(organisation_id__in=organisations)
        .exclude(payable__in=in_hand)
        .exclude(payable__captured__gt=F("payable__refunded"))
        .order_by("lapses_at", "id")
        .values_list("pk", "organisation_id")[:_AT_ONCE]
    )


# Attempts of which no money is under way: they may be given up.
LEAVABLE = frozenset({ChargeState.PREPARED, ChargeState.STARTED})


def _day(now: datetime, zone: ZoneInfo) -> date:
    return now.astimezone(zone).date()

"""What the pages ask of several rooms at once."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import CharField, Exists, F, OuterRef, Q, QuerySet, Value
from django.utils.translation import gettext_lazy as _

from accounts.models import Organisation
from billing.enums import InvoiceKind
from billing.models import Invoice
from core.months import start_of_day
from ordering.models import Review
from ordering.queries import reviews
from payments.enums import PayableState
from payments.models import Payable
from spot_orders import queries as spot_orders
from spot_orders.enums import SpotState
from spot_orders.models import SpotOrder


class Standing(enum.StrEnum):
    """How an invoice is paid, as the list is asked for it. CLOSED: nothing is owed any more."""

    OPEN = "open"
    OVERDUE = "overdue"
    CLOSED = "paid"


_MEANT = {
    Standing.OPEN: Q(state=PayableState.OPEN),
    Standing.OVERDUE: Q(state=PayableState.OPEN, overdue_at__isnull=False),
    Standing.CLOSED: ~Q(state=PayableState.OPEN),
}


def standing_so(found: QuerySet[Invoice], standing: Standing | None) -> QuerySet[Invoice]:
    """Return those documents that are paid so; credit notes are not paid at all."""
    if standing is None:
        return found
    return found.filter(Exists(Payable.objects.filter(_MEANT[standing], invoice=OuterRef("pk"))))


class OrderStanding(models.TextChoices):
    """How an order stands, as the list is asked for it. DONE: in force, or carried out; ENDED: it is none."""

    WAITING = "waiting", _("awaiting payment")
    DONE = "done", _("ordered or paid")
    ENDED = "ended", _("lapsed, cancelled or refunded")


_STATES = {
    OrderStanding.WAITING: [SpotState.PLACED],
    OrderStanding.DONE: [SpotState.PAID],
    OrderStanding.ENDED: [SpotState.LAPSED, SpotState.CANCELLED, SpotState.REFUNDED],
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What orders may be looked up by, alone or together, bounds included; gross in minor units.

    Days in the billing time zone. `number`: any part of it.
    """

    ordered_from: date | None = None
    ordered_to: date | None = None
    gross_from: int | None = None
    gross_to: int | None = None
    number: str = ""
    standing: OrderStanding | None = None

    @property
    def asks_for_amount(self) -> bool:
        return self.gross_from is not None or self.gross_to is not None


_SPOT, _PLAN = "spot", "plan"


def orders(organisation: Organisation, wanted: Wanted, zone: ZoneInfo) -> "QuerySet[Any, Row]":
    """Return what an organisation has ordered, the newest first: kind and id of each row.

    Orders of a plan are billed by the month: they have no amount of their own to be found by.
    """
    spots = spot_orders.orders_of(organisation).order_by()
    plans = reviews.saved(organisation).order_by()
    if wanted.ordered_from:
        since = start_of_day(wanted.ordered_from, zone)
        spots, plans = spots.filter(placed_at__gte=since), plans.filter(saved_at__gte=since)
    if wanted.ordered_to:
        until = start_of_day(wanted.ordered_to + timedelta(days=1), zone)
        spots, plans = spots.filter(placed_at__lt=until), plans.filter(saved_at__lt=until)
    if wanted.gross_from is not None:
        spots = spots.filter(gross__gte=wanted.gross_from)
    if wanted.gross_to is not None:
        spots = spots.filter(gross__lte=wanted.gross_to)
    if wanted.standing:
        spots = spots.filter(state__in=_STATES[wanted.standing])
    if wanted.number:
        spots = spots.filter(number__icontains=wanted.number.strip())
        plans = reviews.numbered(plans, wanted.number)
    if wanted.asks_for_amount or wanted.standing not in {None, OrderStanding.DONE}:
        plans = plans.none()
    found = _rows(spots, "placed_at", _SPOT).union(_rows(plans, "saved_at", _PLAN), all=True)
    return found.order_by("-at", "-row")


Row = tuple[object, str, int]


def _rows(found: "QuerySet[Any]", at: str, kind: str) -> "QuerySet[Any, Row]":
    rows: QuerySet[Any, Row] = found.annotate(
        at=F(at), kind=Value(kind, output_field=CharField()), row=F("pk")
    ).values_list("at", "kind", "row")
    return rows


@dataclass(frozen=True, slots=True)
class Order:
    """One order of the list: a spot order, or a saved change of plan or contract."""

    spot: SpotOrder | None = None
    plan: Review | None = None


def loaded(rows: Sequence[Row]) -> list[Order]:
    """Return the orders of a page of `orders`, in its order, in two statements."""
    spots = SpotOrder.objects.in_bulk([pk for _at, kind, pk in rows if kind == _SPOT])
    plans = Review.objects.in_bulk([pk for _at, kind, pk in rows if kind == _PLAN])
    return [
        Order(spot=spots[pk]) if kind == _SPOT else Order(plan=plans[pk]) for _at, kind, pk in rows
    ]


def documents_of(spots: Sequence[SpotOrder]) -> dict[object, list[Invoice]]:
    """Return the invoice of each spot order and what gives it back, by the order's public id."""
    ids = [each.public_id for each in spots]
    found = (
        Invoice.objects.filter(
            Q(kind=InvoiceKind.SPOT, operation__in=ids)
            | Q(corrects__kind=InvoiceKind.SPOT, corrects__operation__in=ids)
        )
        .select_related("vendor", "corrects")
        .order_by("pk")
    )
    by_order: dict[object, list[Invoice]] = {}
    for each in found:
        by_order.setdefault((each.corrects or each).operation, []).append(each)
    return by_order


def orders_billed_by(documents: Sequence[Invoice]) -> dict[int, SpotOrder]:
    """Return the spot orders that these documents bill or give back, by document."""
    named = {
        each.pk: (each.corrects or each).operation
        for each in documents
        if (each.corrects or each).kind == InvoiceKind.SPOT
    }
    if not named:
        return {}
    found = SpotOrder.objects.in_bulk(set(named.values()), field_name="public_id")
    return {pk: found[public_id] for pk, public_id in named.items() if public_id in found}

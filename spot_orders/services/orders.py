"""The moves of a spot order, one service each. The caller knows of money; this room knows the order."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import transaction

from accounts import services as accounts
from accounts.enums import Changed
from accounts.models import Organisation
from core import audit
from core.canonical import Json
from core.ids import new_key
from plans import queries as plans
from spot_orders import queries
from spot_orders.enums import SPOT_MOVES, SpotState
from spot_orders.models import SpotOrder
from spot_orders.rules.spot import Offer

# An order that is not paid by then is none any more. Rule: S2-28.
LAPSES_AFTER = timedelta(hours=24)


class OperationTaken(Exception):
    """The form was sent before with other values; `order` is what it placed then. Rule: R3."""

    def __init__(self, order: SpotOrder) -> None:
        super().__init__(order.number)
        self.order = order


class UnpaidOrder(Exception):
    """Another order of the organisation waits for its payment: `order`. Rule: R3."""

    def __init__(self, order: SpotOrder) -> None:
        super().__init__(order.number)
        self.order = order


class MovedBefore(Exception):
    """The order's state no longer allows it."""


@dataclass(frozen=True, slots=True)
class NewOrder:
    """All that is frozen when an order is placed: amounts in minor units of the offer's currency.

    `operation`, `digest`: of the form that asks for it (R3).
    """

    offer: Offer
    tax: int
    tax_code: str
    tax_rounding: str
    terms_id: int | None
    operation: UUID
    digest: bytes


@transaction.atomic
def place(*, organisation_id: int, user_id: int, new: NewOrder, now: datetime) -> SpotOrder:
    """Place an order that waits for its payment; the same form sent again returns the same order.

    The caller has given up an earlier order that waits, and checked everything else that may be
    refused. Raises OperationTaken, UnpaidOrder, and has then placed nothing. Rule: S2-22…S2-24, R3.
    """
    organisation = accounts.lock(organisation_id)
    made = SpotOrder.objects.filter(organisation=organisation, operation=new.operation).first()
    if made is not None:
        if bytes(made.digest) != new.digest or made.placed_by_id != user_id:
            raise OperationTaken(made)
        return made
    # Whoever places at the same time waits for the lock, and then finds this; the unique index
    # on what waits for its payment is the second net.
    waits = queries.unpaid_of(organisation)
    if waits is not None:
        raise UnpaidOrder(waits)
    wish = new.offer.wish
    order = SpotOrder.objects.create(
        organisation=organisation,
        number=_number(now),
        accounts=wish.accounts,
        first_on=wish.first_on,
        months=wish.months,
        end_on=wish.end_on,
        currency=new.offer.currency,
        priced=[
            [month.first_on.isoformat(), month.version_id, month.steps, month.unit_net]
            for month in new.offer.months
        ],
        net=new.offer.net,
        tax=new.tax,
        gross=new.offer.net + new.tax,
        tax_code=new.tax_code,
        tax_rounding=new.tax_rounding,
        terms_id=new.terms_id,
        operation=new.operation,
        digest=new.digest,
        placed_at=now,
        placed_by_id=user_id,
        lapses_at=now + LAPSES_AFTER,
    )
    _record(order, "spot_order.placed", f"user:{user_id}", now, _told(order))
    return order


@transaction.atomic
def mark_paid(*, order_id: int, actor: str, now: datetime) -> SpotOrder:
    """Make a placed order the spot contract that it paid for: its accounts hold from its first day on.

    Raises MovedBefore. Rule: S2-28, I13.
    """
    order = _moved(order_id, SpotState.PAID, now, paid_at=now)
    _record(order, "spot_order.paid", actor, now, _told(order))
    _tell(order.organisation, now)
    return order


@transaction.atomic
def lapse(*, order_id: int, actor: str, now: datetime) -> SpotOrder:
    """End an order that was not paid in time. The caller knows that no payment is under way.

    Raises MovedBefore. Rule: S2-28.
    """
    order = _moved(order_id, SpotState.LAPSED, now, closed_at=now)
    _record(order, "spot_order.lapsed", actor, now)
    return order


@transaction.atomic
def cancel(
    *, order_id: int, why: str, actor: str, now: datetime, replaced_by_id: int | None = None
) -> SpotOrder:
    """Give up an order that is not paid. Raises MovedBefore."""
    order = _moved(
        order_id,
        SpotState.CANCELLED,
        now,
        closed_at=now,
        closed_why=why,
        replaced_by_id=replaced_by_id,
    )
    _record(order, "spot_order.cancelled", actor, now, {"why": why})
    return order


@transaction.atomic
def name_successor(*, order_id: int, by_id: int) -> None:
    """Note which order took the place of one that was given up for it."""
    SpotOrder.objects.filter(
        pk=order_id, state=SpotState.CANCELLED, replaced_by=None, closed_why="replaced"
    ).update(replaced_by_id=by_id)


@transaction.atomic
def mark_refunded(*, order_id: int, why: str, actor: str, now: datetime) -> SpotOrder:
    """Note that an order was paid when it could be served no more; its money is given back.

    Raises MovedBefore. Rule: R10.
    """
    order = _moved(order_id, SpotState.REFUNDED, now, closed_at=now, closed_why=why)
    _record(order, "spot_order.refunded", actor, now, {"why": why})
    return order


@transaction.atomic
def cut(*, order_id: int, on: date, reason: str, actor: str, now: datetime) -> SpotOrder:
    """End a spot contract before its end, from a day on that lies within it or before its first.

    Raises MovedBefore, also where it ends by then anyway. What of it was not used is credited by the
    caller; its accounts are seats' to reckon. Rule: S2-13.
    """
    order = _locked(order_id)
    if order.state != SpotState.PAID or order.ended_at is not None or on >= order.until_on:
        raise MovedBefore(order.number)
    order.cut_on = max(on, order.first_on)
    order.save(update_fields=["cut_on"])
    _record(order, "spot_order.cut", actor, now, {"on": order.cut_on.isoformat(), "reason": reason})
    _tell(order.organisation, now)
    return order


def _locked(order_id: int) -> SpotOrder:
    """Return an order, locked, its organisation before it. Rule: R5."""
    organisation_id = SpotOrder.objects.values_list("organisation_id", flat=True).get(pk=order_id)
    organisation = accounts.lock(organisation_id)
    order = SpotOrder.objects.select_for_update(no_key=True).get(pk=order_id)
    order.organisation = organisation
    return order


def _moved(order_id: int, state: SpotState, now: datetime, **values: object) -> SpotOrder:
    order = _locked(order_id)
    if state not in SPOT_MOVES[SpotState(order.state)]:
        raise MovedBefore(f"{order.number}: {order.state} to {state}")
    for name, value in values.items():
        setattr(order, name, value)
    order.state = state
    order.save(update_fields=["state", *values])
    return order


def _number(now: datetime) -> str:
    """Return a number that can be read out: the day in the billing time zone, and 30 bits of chance.

    A thousand orders a day meet once in years. The unique column then refuses the second, nothing
    is stored of it, and its form, sent again, draws another number.
    """
    return f"SP-{now.astimezone(plans.vendor_zone()):%y%m%d}-{new_key()[:6].upper()}"


def _tell(organisation: Organisation, now: datetime) -> None:
    accounts.tell_entitlements_changed([organisation], reason=Changed.ACCOUNTS, now=now)


def _record(
    order: SpotOrder,
    action: str,
    actor: str,
    now: datetime,
    details: dict[str, Json] | None = None,
) -> None:
    audit.record(
        actor=actor,
        action=action,
        subject=f"spot_order:{order.pk}",
        organisation_id=order.organisation_id,
        at=now,
        details={"number": order.number, **(details or {})},
    )


def _told(order: SpotOrder) -> dict[str, Json]:
    return {
        "accounts": order.accounts,
        "first_on": order.first_on.isoformat(),
        "months": order.months,
        "end_on": order.end_on.isoformat(),
        "currency": order.currency,
        "gross": order.gross,
    }

"""The payment of a spot order: made by its customer at once, never by the schedule. Rule: S2-25, R10."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID, uuid5

from django.db import transaction

from accounts import services as accounts
from core.work import Job, Piece
from payments import jobs
from payments.enums import LIVE, Hold, PayableKind, PayableState
from payments.models import Charge, Payable
from payments.queries import spots as queries
from payments.queries.spots import Cut
from payments.rules import dunning
from payments.services import charges, corrections, letters, paying, serving
from payments.services.charges import AttemptUnderWay, Shown
from payments.services.journeys import Traveller
from payments.services.moves import SCHEDULE
from payments.services.paying import WayBack
from payments.services.serving import serve
from plans import queries as plans
from spot_orders import services as spot_orders
from spot_orders.enums import SpotState
from spot_orders.models import SpotOrder

__all__ = [
    "cut_uncovered",
    "give_up",
    "lapse",
    "open_payable",
    "pay_with_method",
    "plan",
    "serve",
    "set_out",
]


@transaction.atomic
def open_payable(*, order: SpotOrder, now: datetime) -> Payable:
    """Make what is owed for a spot order, in the transaction that places it; once for each order.

    Where that is nothing, the plan's price being none, nobody has to pay: it is served at once. Rule: B-13.
    """
    is_owed = order.gross > 0
    payable, is_new = Payable.objects.get_or_create(
        spot_order=order,
        defaults={
            "organisation_id": order.organisation_id,
            "kind": PayableKind.SPOT_ORDER,
            "number": order.number,
            "currency": order.currency,
            "gross": order.gross,
            "due_on": now.astimezone(plans.vendor_zone()).date(),
            "state": PayableState.OPEN if is_owed else PayableState.PAID,
            "hold": Hold.NOTHING,
            # The wizard shows it; the letter of an order is its confirmation.
            "announced_at": now,
            "created_at": now,
            "closed_at": None if is_owed else now,
        },
    )
    if is_new and not is_owed:
        serve(payable_id=payable.pk, now=now)
        payable.refresh_from_db()
    return payable


def pay_with_method(*, order_id: int, shown: Shown, actor: str, now: datetime) -> Charge:
    """Charge the registered method for an order now, whatever company it is of; serve what is taken.

    Paid takes the order over to bill it, which is as good as money (B-13). Raises charges.NotServable,
    NotOwed, HeldByStaff, NotAsShown, AttemptUnderWay, NoMethod, AccountDiffers; NotNow or Stopped where
    the provider was not reached. Nothing is charged then, and the order stays. Rule: S2-25, R3, F04.
    """
    charge = paying.charge_now(payable_id=_payable_id(order_id), shown=shown, actor=actor, now=now)
    serving.serve_if_taken(charge, now)
    return charge


def set_out(
    *,
    order_id: int,
    gateway: str,
    shown: Shown,
    traveller: Traveller,
    way_back: WayBack,
    now: datetime,
) -> str:
    """Send a payer to a provider's pages to pay this one order there; return their address.

    Raises charges.NotServable, and what `paying.set_out` does; nothing is under way then.
    """
    return paying.set_out(
        payable_id=_payable_id(order_id),
        gateway=gateway,
        shown=shown,
        traveller=traveller,
        way_back=way_back,
        now=now,
    )


def give_up(
    *, order_id: int, why: str, actor: str, now: datetime, replaced_by_id: int | None = None
) -> SpotOrder:
    """Give up an order that is not paid; a visit to a provider's pages is broken off first.

    Raises AttemptUnderWay where money may be under way, spot_orders.MovedBefore where the order is
    paid or closed; charges.NotNow, Stopped or AccountDiffers where a visit cannot be broken off now.
    """
    payable_id = _payable_id(order_id)
    _leave(payable_id, actor, now)
    with transaction.atomic():
        payable = _closable(payable_id)
        order = spot_orders.cancel(
            order_id=order_id, why=why, actor=actor, now=now, replaced_by_id=replaced_by_id
        )
        serving.void(payable, now)
    return order


def lapse(*, order_id: int, now: datetime) -> SpotOrder:
    """End an order that was not paid within its 24 hours, and tell the root; safe to run again.

    One whose payment is under way waits for its outcome. Raises AttemptUnderWay, charges.NotNow,
    Stopped, AccountDiffers. Rule: S2-28.
    """
    order = SpotOrder.objects.get(pk=order_id)
    if order.state != SpotState.PLACED or order.lapses_at > now:
        return order
    payable_id = _payable_id(order_id)
    _leave(payable_id, SCHEDULE, now)
    with transaction.atomic():
        payable = _closable(payable_id)
        order.refresh_from_db()
        if order.state != SpotState.PLACED:
            return order
        order = spot_orders.lapse(order_id=order_id, actor=SCHEDULE, now=now)
        serving.void(payable, now)
        letters.spots.lapsed(payable, order, now)
    return order


@transaction.atomic
def cut_uncovered(
    *, organisation_id: int, ends_on: date, operation: UUID, reason: str, actor: str, now: datetime
) -> list[Cut]:
    """Cut the spot contracts that reach beyond the paid coverage, whose new end is `ends_on` (half open).

    Staff have withdrawn the renewal that carried them. Whole months that are not used are credited, and
    what was paid for them is given back; above one person's limit that waits for a second. An order that
    is not paid stays: it cannot be paid any more. The same operation again adds nothing. Raises what
    `corrections.credit_and_refund` does. Rule: S2-13, B-11.
    """
    organisation = accounts.lock(organisation_id)
    found = queries.cut_at(organisation, ends_on)
    for each in found:
        order = spot_orders.cut(
            order_id=each.order.pk, on=each.on, reason=reason, actor=actor, now=now
        )
        if each.gross and each.payable.invoice_id:
            corrections.credit_and_refund(
                invoice_id=each.payable.invoice_id,
                gross=each.gross,
                reason=reason,
                operation=uuid5(operation, order.number),
                actor=actor,
                now=now,
            )
        letters.spots.cut(each.payable, order, each.gross, now)
    return found


def plan(now: datetime) -> None:
    """Ask for what spot orders need by `now`, found from state alone. Rule: R1, R10."""
    _ask(jobs.SERVE_SPOT, "payable_id", queries.to_serve(), now)
    _ask(jobs.LAPSE_SPOT, "order_id", queries.to_lapse(now), now)


def _ask(job: Job, name: str, found: Sequence[tuple[int, int]], now: datetime) -> None:
    if found:
        with transaction.atomic():
            job.enqueue_all(
                [
                    Piece(str(each), {name: each}, organisation_id)
                    for each, organisation_id in found
                ],
                due_at=now,
            )


def _payable_id(order_id: int) -> int:
    return Payable.objects.values_list("pk", flat=True).get(spot_order_id=order_id)


def _leave(payable_id: int, actor: str, now: datetime) -> None:
    """Break off what was begun and took nothing: a visit, or an attempt whose process died.

    What its payer had approved, being back, is taken instead, and served.
    """
    paying.leave_unfinished(payable_id=payable_id, actor=actor, now=now)
    charge = Charge.objects.filter(payable_id=payable_id, state__in=sorted(LIVE)).first()
    is_left = (
        charge is not None
        and charge.method_id is not None
        and charge.state in queries.LEAVABLE
        and (charge.called_at or charge.created_at) <= now - dunning.CALL_LOST_AFTER
    )
    if charge is not None and is_left:
        charges.cancel(charge_id=charge.pk, code="left_unfinished", actor=actor, now=now)
    serve(payable_id=payable_id, now=now)


def _closable(payable_id: int) -> Payable:
    """Return the payable of an order, locked, for which no money is or may be under way.

    That the money of one that is decided already goes back is no reason to wait: its state says it.
    """
    order, payable = serving.locked_with_order(payable_id)
    is_live = payable.charges.filter(state__in=sorted(LIVE)).exists()
    is_in = payable.captured > payable.refunded and payable.invoice_id is None
    if is_live or (is_in and order.state == SpotState.PLACED):
        raise AttemptUnderWay
    return payable

"""Money that the provider took back by itself: a chargeback, or a refund made at its pages. Rule: F19."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts import services as accounts
from core import money
from payments.enums import ChargeState, DifferenceKind, Hold, PayableState, RefundKind, RefundState
from payments.models import Charge, Refund
from payments.queries import refunds as queries
from payments.services import differences, letters
from payments.services.moves import SCHEDULE, move_refund
from payments.services.refunds import rows


class NotCaptured(Exception):
    """The charge took no money, as far as we know."""


@transaction.atomic
def record_reversal(
    *, charge_id: int, reference: str, amount: int, code: str, now: datetime, actor: str = SCHEDULE
) -> Refund | None:
    """Book what the provider took back of a charge; the same reference again is the same record.

    What is owed again is not charged by itself: staff are told, and decide. No invoice changes
    (R7). Refunds that were prepared and not sent are dropped. More than the charge has left, a
    refund being under way, is not booked: None, a difference is noted, and it may be told again.
    Raises NotCaptured. Rule: F19, I09.
    """
    found = Charge.objects.values_list("organisation_id", "payable_id").get(pk=charge_id)
    accounts.lock(found[0])
    charge = rows.locked_charge(charge_id, found[1])
    if charge.state != ChargeState.SUCCEEDED:
        raise NotCaptured
    known = charge.refunds.filter(reference=reference).first()
    if known is not None:
        return known
    _drop_prepared(charge, amount, actor, now)
    if amount > queries.left_on(charge):
        _note(charge, None, DifferenceKind.AMOUNT, reference, amount, code, now)
        return None
    refund = rows.store(
        charge,
        amount,
        reason=f"{code or 'reversed'} ({charge.gateway})",
        actor=actor,
        now=now,
        kind=RefundKind.REVERSAL,
    )
    payable = charge.payable
    payable.hold, payable.next_charge_at = Hold.REVERSED, None
    rows.book(refund, reference, actor=actor, now=now, code=code)
    if payable.state == PayableState.OPEN:
        _note(charge, refund, DifferenceKind.STATE, reference, amount, code, now)
    return refund


def _drop_prepared(charge: Charge, amount: int, actor: str, now: datetime) -> None:
    """Drop refunds that nothing was sent of, where the provider has taken what they would give."""
    for refund in charge.refunds.filter(state=RefundState.PREPARED).order_by("-id"):
        if amount <= queries.left_on(charge):
            return
        refund.charge = charge
        move_refund(refund, RefundState.REJECTED, actor=actor, now=now, code="reversed")
        rows.record(refund, "rejected", actor=actor, now=now, reason="reversed")


def _note(
    charge: Charge,
    refund: Refund | None,
    kind: DifferenceKind,
    reference: str,
    amount: int,
    code: str,
    now: datetime,
) -> None:
    is_new = differences.note(
        kind,
        reference,
        charge=charge,
        refund=refund,
        detail={"amount": amount, "currency": charge.currency, "code": code},
        now=now,
    )
    if is_new:
        letters.staff_alert(
            _("A provider took back money that was paid"),
            [
                f"{charge.number}: {money.written(amount, charge.currency)}",
                f"{charge.gateway} {reference} · {code}",
            ],
            organisation_id=charge.organisation_id,
            now=now,
        )

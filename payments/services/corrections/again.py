"""What was given up, or held for staff, is collected again."""

from datetime import datetime

from django.db import transaction

from core import audit
from payments.enums import STAFF_HOLDS, Hold, MethodState, PayableKind, PayableState
from payments.models import Payable, PaymentMethod
from payments.services import collecting, differences
from payments.services.corrections import rows
from payments.services.corrections.facts import NotHeld, NotWrittenOff


@transaction.atomic
def reopen(*, payable_id: int, reason: str, actor: str, now: datetime) -> Payable:
    """Collect again what was written off. Raises ReasonMissing, NotWrittenOff."""
    reason = rows.said(reason)
    payable = rows.locked_payable(payable_id)
    if payable.state != PayableState.WRITTEN_OFF:
        raise NotWrittenOff
    # Its sums say how it stands from here on.
    payable.state = PayableState.OPEN
    _collect_again(payable, "payable.reopened", reason, actor, now)
    return payable


@transaction.atomic
def release_hold(*, payable_id: int, reason: str, actor: str, now: datetime) -> Payable:
    """Collect again what staff had to look into: a reversal, or an answer that differed.

    Raises ReasonMissing, NotHeld, ChargeUnderWay.
    """
    reason = rows.said(reason)
    payable = rows.locked_payable(payable_id)
    if payable.state != PayableState.OPEN or payable.hold not in STAFF_HOLDS:
        raise NotHeld
    rows.check_nothing_live(payable)
    differences.resolve_held(payable, actor=actor, resolution=reason, now=now)
    _collect_again(payable, "payable.released", reason, actor, now)
    return payable


def _collect_again(payable: Payable, action: str, reason: str, actor: str, now: datetime) -> None:
    """Have an open payable charged by itself again, where there is a method for it.

    A spot order is its customer's to pay: unpaid it lapses; one that was served, and whose money was
    taken back, is overdue from the day after it was due.
    """
    has_method = PaymentMethod.objects.filter(
        organisation_id=payable.organisation_id, state=MethodState.ACTIVE
    ).exists()
    if payable.kind == PayableKind.SPOT_ORDER:
        payable.hold = Hold.NOTHING if payable.invoice_id is None else Hold.DECLINED
    else:
        payable.hold = Hold.NOTHING if has_method else Hold.NO_METHOD
        payable.next_charge_at = now if has_method else None
    payable.declines, payable.first_failed_at = 0, None
    payable.closed_at = None
    collecting.apply_sums(payable, now)
    payable.save(update_fields=["declines", "first_failed_at"])
    audit.record(
        actor=actor,
        action=action,
        subject=f"payable:{payable.pk}",
        organisation_id=payable.organisation_id,
        at=now,
        details={"number": payable.number, "balance": payable.balance, "reason": reason},
    )

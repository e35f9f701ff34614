"""Refunds as rows: locked in their order, stored, and booked on what was owed. Rule: R5, I07."""

import uuid
from datetime import datetime

from django.utils.functional import Promise

from accounts import services as accounts
from core import audit, money
from core.ids import new_key
from payments import jobs
from payments.enums import RefundKind, RefundState
from payments.models import Charge, Payable, Refund
from payments.services import collecting, letters
from payments.services.moves import move_refund, note_new


def locked(refund_id: int) -> Refund:
    """Return a refund with its charge and payable, all locked, the organisation first. Rule: R5."""
    found = Refund.objects.values_list("organisation_id", "charge_id", "charge__payable_id").get(
        pk=refund_id
    )
    accounts.lock(found[0])
    charge = locked_charge(found[1], found[2])
    refund = Refund.objects.select_for_update(no_key=True).get(pk=refund_id)
    refund.charge = charge
    return refund


def locked_charge(charge_id: int, payable_id: int) -> Charge:
    """Return a charge with its payable, both locked; the caller holds the organisation's lock."""
    payable = locked_payable(payable_id)
    charge = Charge.objects.select_for_update(no_key=True).get(pk=charge_id)
    charge.payable = payable
    return charge


def locked_payable(payable_id: int) -> Payable:
    """Return a payable, locked; the caller holds the organisation's lock."""
    return Payable.objects.select_for_update(no_key=True).get(pk=payable_id)


def store(
    charge: Charge, amount: int, *, reason: str, actor: str, now: datetime, **values: object
) -> Refund:
    """Store the intent to give a part of a charge back, noted and audited; nothing is sent yet."""
    refund = Refund.objects.create(
        **{
            "organisation_id": charge.organisation_id,
            "charge": charge,
            "operation": uuid.uuid4(),
            "key": new_key(),
            "amount": amount,
            "currency": charge.currency,
            "reason": reason[:255],
            "requested_by": actor,
            "created_at": now,
            **values,
        }
    )
    note_new(refund, actor=actor, now=now)
    record(refund, "prepared", actor=actor, now=now)
    return refund


def ask(refund: Refund, now: datetime) -> None:
    """Ask for a refund to be gone on with, after the commit."""
    jobs.REFUND.enqueue(
        key=str(refund.pk),
        due_at=now,
        payload={"refund_id": refund.pk},
        organisation_id=refund.organisation_id,
    )


def book(refund: Refund, reference: str, *, actor: str, now: datetime, code: str = "") -> None:
    """Book money that was given back, and tell of it. The caller holds the locks of `locked`."""
    move_refund(refund, RefundState.SUCCEEDED, actor=actor, now=now, code=code, reference=reference)
    payable = refund.charge.payable
    payable.refunded += refund.amount
    collecting.apply_sums(payable, now)
    record(refund, "succeeded", actor=actor, now=now)
    if refund.kind == RefundKind.REFUND:
        letters.refund_made(refund, now)


def record(refund: Refund, what: str, *, actor: str, now: datetime, reason: str = "") -> None:
    """Write into the audit trail what became of a refund or reversal. Rule: R15."""
    audit.record(
        actor=actor,
        action=f"{refund.kind}.{what}",
        subject=f"refund:{refund.pk}",
        organisation_id=refund.organisation_id,
        at=now,
        details={
            "number": refund.charge.number,
            "amount": refund.amount,
            "currency": refund.currency,
            "reason": reason or refund.reason,
            "reference": refund.reference,
            "by_hand": refund.is_by_hand,
        },
    )


def alert(refund: Refund, subject: str | Promise, code: str, now: datetime) -> None:
    """Tell staff that a refund waits for them."""
    letters.staff_alert(
        subject,
        [
            f"{refund.charge.number}: {money.written(refund.amount, refund.currency)}",
            f"{refund.key} · {refund.charge.gateway} · {refund.charge.capture} · {code}",
        ],
        organisation_id=refund.organisation_id,
        now=now,
    )

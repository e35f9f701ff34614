"""What staff have done at once that the portal would do by itself later. Rule: R12, R15."""

from datetime import datetime

from django.db import transaction

from accounts import services as accounts
from core import audit, work
from core.enums import WorkState
from core.models import Work
from core.work import Job, ReasonMissing
from payments import jobs
from payments.enums import (
    LIVE,
    REFUND_LIVE,
    STAFF_HOLDS,
    ChargeState,
    Initiator,
    MethodState,
    RefundState,
)
from payments.models import Charge, Payable, PaymentMethod, Refund
from payments.rules import dunning
from payments.services import charges, stops


class NothingToAsk(Exception):
    """It is known how it stands, or nothing was sent yet."""


class StillAsked(Exception):
    """The portal is still finding out by itself what became of an attempt. Rule: R6."""


class Held(Exception):
    """Staff have to say first what of an answer that differed, or of money that was taken back."""


@transaction.atomic
def about_charge(*, charge_id: int, reason: str, actor: str, now: datetime) -> None:
    """Have the provider asked at once how an attempt stands. Raises ReasonMissing, NothingToAsk.

    Work about it that was parked goes on. Rule: R6.
    """
    charge = Charge.objects.get(pk=charge_id)
    accounts.lock(charge.organisation_id)
    charge.refresh_from_db(fields=["state"])
    if charge.state not in LIVE - {ChargeState.PREPARED}:
        raise NothingToAsk
    _record("charge.asked_about", "charge", charge, reason, actor, now)
    _have_done(jobs.LOOK, "charge_id", charge, reason, actor, now)


def close_not_taken(*, charge_id: int, reason: str, actor: str, now: datetime) -> bool:
    """Have staff say that an undecided attempt took nothing, once the portal finds out no more itself.

    While its key lives the portal may learn the answer by asking again, and nobody has to guess.
    Return False where the provider knows of it. Raises StillAsked, and what
    `charges.decide_not_taken` does.
    """
    charge = Charge.objects.get(pk=charge_id)
    if charge.next_look_at is not None and not dunning.is_for_a_person(charge.created_at, now):
        raise StillAsked
    return charges.decide_not_taken(charge_id=charge_id, reason=reason, actor=actor, now=now)


@transaction.atomic
def about_refund(*, refund_id: int, reason: str, actor: str, now: datetime) -> None:
    """Have a refund gone on with at once: sent, or asked about. Raises ReasonMissing, NothingToAsk."""
    refund = Refund.objects.get(pk=refund_id)
    accounts.lock(refund.organisation_id)
    refund.refresh_from_db(fields=["state"])
    if refund.state not in REFUND_LIVE - {RefundState.PREPARED}:
        raise NothingToAsk
    _record("refund.asked_about", "refund", refund, reason, actor, now)
    _have_done(jobs.REFUND, "refund_id", refund, reason, actor, now)


@transaction.atomic
def about_method(*, method_id: int, reason: str, actor: str, now: datetime) -> None:
    """Have the provider asked at once how a payer stands. Raises ReasonMissing, NothingToAsk."""
    method = PaymentMethod.objects.get(pk=method_id)
    accounts.lock(method.organisation_id)
    method.refresh_from_db(fields=["state"])
    if method.state in {MethodState.DETACHED, MethodState.REJECTED}:
        raise NothingToAsk
    _record("payment_method.asked_about", "method", method, reason, actor, now)
    _have_done(jobs.LOOK_AT_METHOD, "method_id", method, reason, actor, now)


@transaction.atomic
def charge_now(*, payable_id: int, reason: str, actor: str, now: datetime) -> Charge:
    """Have the registered method charged for a payable at once; return the attempt, prepared.

    One more try, which uses up none of those that the portal makes by itself. An order that is not
    paid is its customer's to pay. Raises ReasonMissing, Held, charges.Stopped, NotOwed,
    AttemptUnderWay, NoMethod, AccountDiffers; nothing is stored then.
    """
    found = Payable.objects.get(pk=payable_id)
    accounts.lock(found.organisation_id)
    payable = Payable.objects.get(pk=payable_id)
    if payable.is_unserved_order:
        raise charges.NotOwed
    if payable.hold in STAFF_HOLDS:
        raise Held
    charge = charges.prepare(payable_id=payable_id, initiator=Initiator.STAFF, actor=actor, now=now)
    why = stops.is_stopped(organisation_id=charge.organisation_id, gateway=charge.gateway)
    if why:
        raise charges.Stopped(why)
    _record("payable.charged_now", "payable", payable, reason, actor, now)
    _have_done(jobs.COLLECT, "payable_id", payable, reason, actor, now)
    return charge


def _record(
    action: str,
    subject: str,
    row: Charge | Refund | PaymentMethod | Payable,
    reason: str,
    actor: str,
    now: datetime,
) -> None:
    if not reason.strip():
        raise ReasonMissing
    audit.record(
        actor=actor,
        action=action,
        subject=f"{subject}:{row.pk}",
        organisation_id=row.organisation_id,
        at=now,
        details={"reason": reason.strip()[:400]},
    )


def _have_done(
    job: Job,
    name: str,
    row: Charge | Refund | PaymentMethod | Payable,
    reason: str,
    actor: str,
    now: datetime,
) -> None:
    """Ask for a piece of work; where it is parked it is released, for the same reason."""
    key = str(row.pk)
    parked = Work.objects.filter(kind=job.kind, key=key, state=WorkState.PARKED).first()
    if parked is not None and work.release(parked.pk, actor=actor, reason=reason, now=now):
        return
    job.enqueue(key=key, due_at=now, payload={name: row.pk}, organisation_id=row.organisation_id)

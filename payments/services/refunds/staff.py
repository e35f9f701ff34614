"""What staff do about refunds that the provider did not make, or of which nobody knows. Rule: R12."""

from datetime import datetime

from django.db import transaction

from accounts import services as accounts
from payments.enums import RefundState
from payments.gateways.base import Absent, Pending, Refunded, RefundFailed, Undecided
from payments.models import Charge, Refund
from payments.queries import refunds as queries
from payments.rules import dunning
from payments.services import differences
from payments.services.moves import move_refund
from payments.services.refunds import calls, rows


class ReasonMissing(ValueError):
    """What staff do about money needs a reason that can be read later."""


class ReferenceMissing(ValueError):
    """Money that was given back by hand is known by a name: of the transfer, say."""


class ReferenceTaken(ValueError):
    """Another refund of the same charge is recorded with this reference."""


class NotFailed(Exception):
    """The refund has not failed, or all of it was made good before."""


class NotUndecided(Exception):
    """It is known what became of the refund."""


class NotKnownThere(Exception):
    """The provider has no refund of this name, or cannot be asked."""


class NotAnswered(Exception):
    """The provider cannot be asked now, so that nobody can say."""


class StillAsked(Exception):
    """The portal is still finding out what became of the refund."""


class MoreThanFailed(ValueError):
    """More is to be recorded than waits for staff. Argument: how much does."""


class AmountDiffers(ValueError):
    """The provider has a refund of this name, of another amount or currency."""


@transaction.atomic
def record_by_hand(
    *,
    refund_id: int | None = None,
    charge_id: int | None = None,
    amount: int,
    reference: str,
    reason: str,
    actor: str,
    now: datetime,
) -> Refund:
    """Record that staff gave money back outside the portal: for a failed refund, whole or in part.

    With `charge_id` for those of the charge, the oldest first, which has to cover the amount. The
    same reference with the same amount again is the same record. Raises ReasonMissing,
    ReferenceMissing, ReferenceTaken, NotFailed, MoreThanFailed; nothing is recorded then.
    Rule: I09, R15.
    """
    reason, reference = _said(reason), " ".join(reference.split())[:120]
    if not reference:
        raise ReferenceMissing
    charge = _charge_of(refund_id, charge_id)
    made = Refund.objects.filter(charge=charge, reference=reference).first()
    if made is not None:
        if not made.is_by_hand or made.amount != amount:
            raise ReferenceTaken
        return made
    failed = _to_make_good(charge, refund_id, amount)
    refund = rows.store(
        charge,
        amount,
        reason=reason,
        actor=actor,
        now=now,
        is_by_hand=True,
        instead_of=failed,
        credit_note_id=failed.credit_note_id,
    )
    rows.book(refund, reference, actor=actor, now=now, code="by_hand")
    differences.resolve_of(failed, actor=actor, resolution=f"by hand: {reference}", now=now)
    return refund


@transaction.atomic
def try_again(*, refund_id: int, reason: str, actor: str, now: datetime) -> Refund:
    """Have the provider asked anew, with a new key, for what failed. Raises ReasonMissing, NotFailed."""
    reason = _said(reason)
    charge = _charge_of(refund_id, None)
    waiting = next(iter(queries.unanswered(pk=refund_id)), None)
    if waiting is None or queries.left_on(charge) < waiting.open_amount:
        raise NotFailed
    failed = waiting.refund
    refund = rows.store(
        charge,
        waiting.open_amount,
        reason=failed.reason,
        actor=actor,
        now=now,
        instead_of=failed,
        credit_note_id=failed.credit_note_id,
    )
    rows.record(refund, "tried_again", actor=actor, now=now, reason=reason)
    rows.ask(refund, now)
    return refund


def decide_made(
    *, refund_id: int, reference: str, reason: str, actor: str, now: datetime
) -> Refund:
    """Have staff say by which name of the provider's an undecided refund is known there.

    The provider is asked for it, and what it says is stored. Raises ReasonMissing, ReferenceMissing,
    ReferenceTaken, NotUndecided, NotKnownThere, AmountDiffers; nothing has changed then.
    """
    reason, reference = _said(reason), reference.strip()[:120]
    if not reference:
        raise ReferenceMissing
    refund = _undecided(refund_id)
    if calls.is_taken(refund, reference):
        raise ReferenceTaken
    outcome = calls.asked(refund, reference)
    if isinstance(outcome, Absent | Undecided):
        raise NotKnownThere(reference)
    if isinstance(outcome, Refunded) and (
        (outcome.amount, outcome.currency) != (refund.amount, refund.currency)
    ):
        raise AmountDiffers(outcome.amount)
    with transaction.atomic():
        refund = rows.locked(refund_id)
        rows.record(refund, "named", actor=actor, now=now, reason=f"{reference}: {reason}")
        return calls.settle(refund_id=refund_id, outcome=outcome, now=now, actor=actor)


def decide_not_made(*, refund_id: int, reason: str, actor: str, now: datetime) -> Refund:
    """Have staff say that an undecided refund gave nothing back, after the provider was asked once more.

    It has failed then, and is made by hand or tried again. Raises ReasonMissing, NotUndecided,
    StillAsked while the portal finds out by itself, and NotAnswered.
    """
    reason = _said(reason)
    refund = _undecided(refund_id)
    if refund.next_look_at is not None and not dunning.is_for_a_person(
        refund.sent_at or refund.created_at, now
    ):
        raise StillAsked
    outcome = calls.asked(refund)
    is_told = isinstance(outcome, Refunded) and (outcome.amount, outcome.currency) == (
        refund.amount,
        refund.currency,
    )
    if is_told or isinstance(outcome, RefundFailed | Pending):
        return calls.settle(refund_id=refund_id, outcome=outcome, now=now, actor=actor)
    if isinstance(outcome, Undecided) and not outcome.was_told:
        raise NotAnswered
    return _give_up(refund_id, reason, actor, now)


def _undecided(refund_id: int) -> Refund:
    refund = Refund.objects.select_related("charge").get(pk=refund_id)
    if refund.state != RefundState.UNDECIDED:
        raise NotUndecided
    return refund


@transaction.atomic
def _give_up(refund_id: int, reason: str, actor: str, now: datetime) -> Refund:
    refund = rows.locked(refund_id)
    if refund.state != RefundState.UNDECIDED:
        raise NotUndecided
    move_refund(refund, RefundState.FAILED, actor=actor, now=now, code="not_made")
    rows.record(refund, "failed", actor=actor, now=now, reason=reason)
    differences.resolve_of(refund, actor=actor, resolution=reason, now=now)
    return refund


def _said(reason: str) -> str:
    said = " ".join(reason.split())[:255]
    if not said:
        raise ReasonMissing
    return said


def _charge_of(refund_id: int | None, charge_id: int | None) -> Charge:
    """Return the charge, locked, that a refund or itself names."""
    if charge_id is None:
        charge_id = Refund.objects.get(pk=refund_id or 0).charge_id
    found = Charge.objects.values_list("organisation_id", "payable_id").get(pk=charge_id)
    accounts.lock(found[0])
    return rows.locked_charge(charge_id, found[1])


def _to_make_good(charge: Charge, refund_id: int | None, amount: int) -> Refund:
    """Return the failed refund that an amount given back by hand is for."""
    waiting = queries.unanswered(charge_id=charge.pk)
    if refund_id is not None:
        waiting = [each for each in waiting if each.refund.pk == refund_id]
    # What the provider took back by itself meanwhile leaves less to make good.
    left = queries.left_on(charge)
    if not waiting or left <= 0:
        raise NotFailed
    for each in waiting:
        if 0 < amount <= min(each.open_amount, left):
            return each.refund
    raise MoreThanFailed(min(left, max(each.open_amount for each in waiting)))

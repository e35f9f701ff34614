"""A credit or a write-off: asked for, approved by a second person where it must be, done at once."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing.services import correct
from billing.services.correct import MoreThanLeft, NotAnAmount, NotCreditable, NothingLeft
from core import audit, money
from payments.enums import (
    ChargeState,
    CorrectionKind,
    CorrectionState,
    Hold,
    PayableState,
)
from payments.models import Correction, Payable
from payments.queries import refunds as queries
from payments.rules import refunds as rules
from payments.services import charges, collecting, differences, letters, refunds
from payments.services.corrections import rows
from payments.services.corrections.facts import (
    AlreadyDecided,
    ChargeUnderWay,
    NotOpen,
    OperationTaken,
    OtherWaits,
    Outcome,
    SamePerson,
)
from plans import queries as plans
from spot_orders import services as spot_orders
from spot_orders.enums import SpotState

_UNSENT = {ChargeState.PREPARED, ChargeState.STARTED}


def credit_and_refund(
    *,
    invoice_id: int,
    gross: int | None,
    reason: str,
    operation: UUID,
    actor: str,
    now: datetime,
) -> Outcome:
    """Credit an invoice, all that is left of it or a part, and give back what is paid beyond the rest.

    Credit note, sums and prepared refunds are stored at once; the money follows by itself. A charge
    of which nothing was sent is cancelled. The same operation again returns the same outcome. What
    is above one person's limit waits for another (`approve`).
    Raises Invoice.DoesNotExist, NotCreditable, ReasonMissing, NotAnAmount, NothingLeft, MoreThanLeft,
    ChargeUnderWay, OtherWaits, OperationTaken; charges.NotNow where a charge cannot be cancelled now.
    Nothing is credited then. Rule: B-11, R3, R6, F18.
    """
    reason = rows.said(reason)
    payable_id = rows.payable_of(invoice_id, now)
    return _past_unsent_charges(
        lambda: _ask(
            CorrectionKind.CREDIT, payable_id, gross, reason, operation, actor=actor, now=now
        ),
        actor,
        now,
    )


def write_off(
    *, payable_id: int, reason: str, operation: UUID, actor: str, now: datetime
) -> Outcome:
    """Give up what is open of a payable: it is not charged any more. Second person as for a credit.

    Raises ReasonMissing, NotOpen, ChargeUnderWay, OtherWaits, OperationTaken, charges.NotNow.
    """
    reason = rows.said(reason)
    return _past_unsent_charges(
        lambda: _ask(
            CorrectionKind.WRITE_OFF, payable_id, None, reason, operation, actor=actor, now=now
        ),
        actor,
        now,
    )


def approve(*, correction_id: int, actor: str, now: datetime, reason: str = "") -> Outcome:
    """Carry out what another person asked for, exactly as it was asked. A second time changes nothing.

    Raises SamePerson, AlreadyDecided (rejected), and what `credit_and_refund` or `write_off` does:
    what was asked may not be possible any more. Rule: ASVS 2.3.5.
    """
    return _past_unsent_charges(lambda: _approve(correction_id, actor, reason, now), actor, now)


@transaction.atomic
def reject(*, correction_id: int, reason: str, actor: str, now: datetime) -> Correction:
    """Have what waits not be done; who asked for it may withdraw it so.

    Raises ReasonMissing, AlreadyDecided.
    """
    reason = rows.said(reason)
    correction, _payable = rows.locked(correction_id)
    if correction.state != CorrectionState.WAITING:
        raise AlreadyDecided
    correction.state = CorrectionState.REJECTED
    _decide(correction, actor, reason, now)
    return correction


def _past_unsent_charges(decide: Callable[[], Outcome], actor: str, now: datetime) -> Outcome:
    """Decide; a charge in the way of which nothing was sent is cancelled first, outside transactions."""
    try:
        return decide()
    except ChargeUnderWay as hindrance:
        if hindrance.charge.state not in _UNSENT or not charges.cancel(
            charge_id=hindrance.charge.pk, code="corrected", actor=actor, now=now
        ):
            raise
    return decide()


@transaction.atomic
def _ask(
    kind: CorrectionKind,
    payable_id: int,
    gross: int | None,
    reason: str,
    operation: UUID,
    *,
    actor: str,
    now: datetime,
) -> Outcome:
    payable = rows.locked_payable(payable_id)
    made = Correction.objects.filter(operation=operation).first()
    if made is not None:
        return _same(made, kind, payable, gross, reason)
    amount = _amount(kind, payable, gross)
    is_alone = rules.may_decide_alone(
        amount, queries.decided_alone(payable.pk), settings.REFUND_ALONE_UP_TO
    )
    if not is_alone and queries.waiting_corrections().filter(payable=payable).exists():
        raise OtherWaits
    correction = Correction(
        organisation_id=payable.organisation_id,
        payable=payable,
        kind=kind,
        state=CorrectionState.WAITING,
        operation=operation,
        gross=amount,
        currency=payable.currency,
        reason=reason,
        is_alone=is_alone,
        requested_by=actor,
        requested_at=now,
    )
    if is_alone:
        return _carry_out(correction, payable, actor, "", now)
    correction.save()
    _record(correction, "requested", actor, reason, now)
    letters.staff_alert(
        _("A correction waits for a second person"),
        [
            f"{payable.number}: {correction.get_kind_display()} {money.written(amount, payable.currency)}",
            reason,
        ],
        organisation_id=payable.organisation_id,
        now=now,
    )
    return Outcome(correction)


def _same(
    made: Correction, kind: CorrectionKind, payable: Payable, gross: int | None, reason: str
) -> Outcome:
    is_same = (made.kind, made.payable_id, made.reason) == (kind, payable.pk, reason)
    if not is_same or gross not in {None, made.gross}:
        raise OperationTaken
    return _outcome(made)


def _outcome(correction: Correction) -> Outcome:
    note = correction.credit_note
    return Outcome(correction, tuple(note.refunds.order_by("id")) if note else ())


@transaction.atomic
def _approve(correction_id: int, actor: str, reason: str, now: datetime) -> Outcome:
    correction, payable = rows.locked(correction_id)
    if correction.state == CorrectionState.DONE:
        return _outcome(correction)
    if correction.state == CorrectionState.REJECTED:
        raise AlreadyDecided
    if actor == correction.requested_by:
        raise SamePerson
    if _amount(CorrectionKind(correction.kind), payable, correction.gross) != correction.gross:
        raise NotOpen
    return _carry_out(correction, payable, actor, reason, now)


def _amount(kind: CorrectionKind, payable: Payable, gross: int | None) -> int:
    """Return how much is credited or written off. Raises what keeps it from being so."""
    if kind is CorrectionKind.WRITE_OFF:
        # An order that is not paid is no debt: it lapses.
        if payable.state != PayableState.OPEN or payable.is_unserved_order:
            raise NotOpen
        return payable.balance
    if payable.gross == 0:
        raise NotCreditable
    left = payable.gross - payable.credited
    if left == 0:
        raise NothingLeft
    if gross is None:
        return left
    if gross <= 0:
        raise NotAnAmount
    if gross > left:
        raise MoreThanLeft(gross, left)
    return gross


def _carry_out(
    correction: Correction, payable: Payable, actor: str, reason: str, now: datetime
) -> Outcome:
    """Do what was decided, at once; the caller holds the locks of organisation and payable."""
    rows.check_nothing_live(payable)
    correction.state = CorrectionState.DONE
    if correction.kind == CorrectionKind.WRITE_OFF:
        payable.state, payable.closed_at = PayableState.WRITTEN_OFF, now
        payable.next_charge_at = payable.overdue_at = None
        payable.hold = Hold.NOTHING
        collecting.apply_sums(payable, now)
        _decide(correction, actor, reason, now)
        return Outcome(correction)
    # What was too much before has nothing to do with the note, and is not given back in its name.
    refunds.give_surplus_back(payable, now)
    note = correct.credit(
        organisation_id=payable.organisation_id,
        invoice_id=payable.invoice_id or 0,
        gross=correction.gross,
        reason=correction.reason,
        actor=actor,
        operation=correction.operation,
        now=now,
    )
    correction.credit_note = note
    payable.credited += note.gross
    collecting.apply_sums(payable, now)
    _end_what_is_given_back(payable, correction, actor, now)
    _decide(correction, actor, reason, now)
    made = refunds.give_back(
        payable,
        reason=correction.reason,
        actor=correction.requested_by,
        now=now,
        credit_note=note,
        approved_by="" if correction.is_alone else actor,
    )
    return Outcome(correction, made)


def _end_what_is_given_back(
    payable: Payable, correction: Correction, actor: str, now: datetime
) -> None:
    """End a spot contract of which nothing is paid any more: from tomorrow on, or before it begins. I13."""
    order = payable.spot_order
    if order is None or payable.credited < payable.gross:
        return
    today = now.astimezone(plans.vendor_zone()).date()
    tomorrow = max(order.first_on, today + timedelta(days=1))
    if order.state == SpotState.PAID and order.ended_at is None and tomorrow < order.until_on:
        spot_orders.cut(
            order_id=order.pk, on=tomorrow, reason=correction.reason, actor=actor, now=now
        )


def _decide(correction: Correction, actor: str, reason: str, now: datetime) -> None:
    correction.decided_by, correction.decided_at = actor, now
    correction.decision = " ".join(reason.split())[:255]
    correction.save()
    said = correction.decision or correction.reason
    if correction.payable.state != PayableState.OPEN:
        differences.resolve_held(correction.payable, actor=actor, resolution=said, now=now)
    _record(correction, correction.state, actor, said, now)


def _record(correction: Correction, what: str, actor: str, reason: str, now: datetime) -> None:
    audit.record(
        actor=actor,
        action=f"correction.{what}",
        subject=f"correction:{correction.pk}",
        organisation_id=correction.organisation_id,
        at=now,
        details={
            "kind": correction.kind,
            "number": correction.payable.number,
            "gross": correction.gross,
            "currency": correction.currency,
            "requested_by": correction.requested_by,
            "credit_note": correction.credit_note_id,
            "reason": reason,
        },
    )

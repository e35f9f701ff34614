"""What a provider told of an attempt, stored with all that follows from it. Rule: R6, R10, F09."""

from datetime import datetime

from django.db import transaction
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts import services as accounts
from core import audit, money
from payments import jobs
from payments.enums import (
    LIVE,
    ChargeState,
    DifferenceKind,
    Hold,
    Initiator,
    JourneyState,
    PayableKind,
    PayableState,
)
from payments.gateways.base import (
    Absent,
    Account,
    Declined,
    Outcome,
    Pending,
    Settled,
    Undecided,
    Waiting,
)
from payments.models import Charge, Difference, Journey, Payable, PaymentMethod
from payments.rules import dunning
from payments.services import collecting, letters, methods
from payments.services.moves import SCHEDULE, move_charge
from plans import queries as plans

# The code of an attempt whose answer is another than was asked for.
DIFFERS = "differs"


class BookedBefore(Exception):
    """The attempt is decided, or another one has the same money."""


@transaction.atomic
def settle(*, charge_id: int, outcome: Outcome, now: datetime, actor: str = SCHEDULE) -> Charge:
    """Store what the provider told of an attempt, and what follows from it. Safe to run again.

    Money that is in is booked first and whatever happens later cannot undo it (R10). An answer
    whose amount, currency, names or account differ from the intent books nothing: staff look (F09).
    """
    charge = _locked(charge_id)
    if charge.state not in LIVE:
        _compare_late(charge, outcome, now)
        return charge
    match outcome:
        case Settled():
            _succeed(charge, outcome, actor, now)
        case Declined():
            _decline(charge, outcome, actor, now)
        case Pending() | Undecided() | Absent():
            _wait(charge, outcome, actor, now)
        case Waiting():
            if charge.state != ChargeState.STARTED:
                move_charge(
                    charge,
                    ChargeState.STARTED,
                    actor=actor,
                    now=now,
                    reference=outcome.reference or charge.reference,
                    looks=0,
                    next_look_at=None,
                )
    return charge


def _locked(charge_id: int) -> Charge:
    """Return a charge with its payable, both locked, the organisation before them. Rule: R5."""
    found = Charge.objects.values_list("organisation_id", "payable_id").get(pk=charge_id)
    accounts.lock(found[0])
    payable = Payable.objects.select_for_update(no_key=True).get(pk=found[1])
    charge = (
        Charge.objects.select_for_update(no_key=True, of=("self",))
        .select_related("method")
        .get(pk=charge_id)
    )
    charge.payable = payable
    return charge


@transaction.atomic
def book_as_told(
    *, charge_id: int, outcome: Settled, reason: str, actor: str, now: datetime
) -> Charge:
    """Book money whose names differ, staff having said that it is this payment. Raises BookedBefore."""
    charge = _locked(charge_id)
    if charge.state != ChargeState.UNDECIDED:
        raise BookedBefore
    same = Charge.objects.filter(gateway=charge.gateway, environment=charge.environment)
    if same.filter(capture=outcome.capture).exists():
        raise BookedBefore
    _book(charge, outcome, actor, now, reason)
    return charge


def is_meant(charge: Charge, outcome: Settled) -> bool:
    """Return whether a provider tells of just what was asked for. Rule: F09."""
    told = (outcome.amount, outcome.currency, outcome.key, outcome.number, outcome.account)
    return told == (
        *(charge.amount, charge.currency, charge.key, charge.number_there),
        Account(charge.environment, charge.merchant),
    )


def _succeed(charge: Charge, outcome: Settled, actor: str, now: datetime) -> None:
    if is_meant(charge, outcome):
        _book(charge, outcome, actor, now, "the provider tells what was asked for")
    else:
        _differ(charge, outcome, actor, now)


def _book(charge: Charge, outcome: Settled, actor: str, now: datetime, reason: str) -> None:
    if charge.state == ChargeState.STARTED:
        _leave_started(charge, actor, now)
    move_charge(
        charge,
        ChargeState.SUCCEEDED,
        actor=actor,
        now=now,
        reference=outcome.reference,
        capture=outcome.capture,
    )
    payable = charge.payable
    payable.captured += charge.amount
    collecting.apply_sums(payable, now)
    audit.record(
        actor=actor,
        action="charge.succeeded",
        subject=f"charge:{charge.pk}",
        organisation_id=charge.organisation_id,
        at=now,
        details={
            "number": charge.number,
            "amount": charge.amount,
            "capture": charge.capture,
            "reason": reason,
        },
    )
    Difference.objects.filter(charge=charge, refund=None, resolved_at=None).update(
        resolved_at=now, resolved_by=actor, resolution=reason[:400]
    )
    letters.payment_received(charge, now)
    _end_journey(charge, JourneyState.COMPLETED, now)
    _ask_to_serve(payable, now)


def _ask_to_serve(payable: Payable, now: datetime) -> None:
    """Ask for a spot order to be served once this, the money, is committed alone. Rule: R10."""
    if payable.is_unserved_order:
        jobs.SERVE_SPOT.enqueue(
            key=str(payable.pk),
            due_at=now,
            payload={"payable_id": payable.pk},
            organisation_id=payable.organisation_id,
        )


def _end_journey(charge: Charge, state: JourneyState, now: datetime) -> None:
    """End the visit to the provider's pages that a payment was about, whoever brought it to its end."""
    if charge.method_id is None:
        Journey.objects.filter(
            charge=charge, state__in=[JourneyState.OPEN, JourneyState.RETURNED]
        ).update(state=state, ended_at=now)


def _decline(charge: Charge, outcome: Declined, actor: str, now: datetime) -> None:
    if outcome.is_cancelled:
        _cancel(charge, outcome.code, actor, now)
        return
    if charge.state == ChargeState.STARTED:
        _leave_started(charge, actor, now)
    # Whoever made the call reads the answer on the page; of one that came later there is a mail.
    is_late_answer = charge.state in {ChargeState.PENDING, ChargeState.UNDECIDED}
    move_charge(
        charge,
        ChargeState.DECLINED,
        actor=actor,
        now=now,
        code=outcome.code,
        reference=outcome.reference or charge.reference,
    )
    audit.record(
        actor=actor,
        action="charge.declined",
        subject=f"charge:{charge.pk}",
        organisation_id=charge.organisation_id,
        at=now,
        details={"number": charge.number, "amount": charge.amount, "code": outcome.code},
    )
    _end_journey(charge, JourneyState.REFUSED, now)
    payable, method = charge.payable, charge.method
    if is_late_answer and payable.kind == PayableKind.SPOT_ORDER:
        letters.spots.not_taken(payable, charge, now)
    # What is held already, its method having been found broken meanwhile, is tried no further.
    if (
        payable.state != PayableState.OPEN
        or payable.hold != Hold.NOTHING
        or charge.initiator != Initiator.SCHEDULE
    ):
        if method is not None and outcome.is_method_broken:
            _break(method, outcome, actor, now)
        return
    payable.first_failed_at = payable.first_failed_at or now
    payable.declines += 1
    payable.next_charge_at = dunning.next_try(payable.declines, payable.first_failed_at)
    if payable.next_charge_at is None:
        payable.hold = Hold.DECLINED
    payable.save(update_fields=["first_failed_at", "declines", "next_charge_at", "hold"])
    if method is not None and outcome.is_method_broken:
        _break(method, outcome, actor, now)
    elif payable.next_charge_at is None and _is_late(payable, now):
        collecting.mark_overdue(payable_id=payable.pk, now=now)
    else:
        letters.charge_failed(payable, charge, payable.next_charge_at, now)


def _is_late(payable: Payable, now: datetime) -> bool:
    return dunning.overdue_from(payable.due_on, payable.first_failed_at, plans.vendor_zone()) <= now


def _break(method: PaymentMethod, outcome: Declined, actor: str, now: datetime) -> None:
    methods.break_method(method_id=method.pk, code=outcome.code, now=now, actor=actor)


def _wait(charge: Charge, outcome: Pending | Undecided | Absent, actor: str, now: datetime) -> None:
    """Store that nobody knows yet, and when the provider is asked again."""
    is_pending = isinstance(outcome, Pending)
    state = ChargeState.PENDING if is_pending else ChargeState.UNDECIDED
    code = "unknown_there" if isinstance(outcome, Absent) else outcome.code
    reference = "" if isinstance(outcome, Absent) else outcome.reference
    retry_after = outcome.retry_after if isinstance(outcome, Undecided) else None
    values = {
        "reference": reference or charge.reference,
        "looks": charge.looks + 1,
        "next_look_at": dunning.next_look(charge.looks, now, retry_after),
    }
    if charge.state == ChargeState.STARTED:
        return
    # A provider that cannot be asked does not make a pending payment less known.
    if charge.state == state or (charge.state == ChargeState.PENDING and not is_pending):
        Charge.objects.filter(pk=charge.pk).update(**values, code=code[:120])
        charge.refresh_from_db()
        return
    move_charge(charge, state, actor=actor, now=now, code=code, **values)


def _leave_started(charge: Charge, actor: str, now: datetime) -> None:
    """A look-up tells of a call that somebody else made: it was sent, as far as we know."""
    move_charge(charge, ChargeState.SENT, actor=actor, now=now, called_at=now)


@transaction.atomic
def give_up(
    charge_id: int,
    states: set[ChargeState],
    code: str,
    actor: str,
    now: datetime,
    reason: str = "",
) -> bool:
    charge = _locked(charge_id)
    if charge.state not in states:
        return False
    _cancel(charge, code, actor, now, reason)
    return True


def _cancel(charge: Charge, code: str, actor: str, now: datetime, reason: str = "") -> None:
    move_charge(charge, ChargeState.CANCELLED, actor=actor, now=now, code=code)
    audit.record(
        actor=actor,
        action="charge.cancelled",
        subject=f"charge:{charge.pk}",
        organisation_id=charge.organisation_id,
        at=now,
        details={"number": charge.number, "amount": charge.amount, "reason": reason or code},
    )
    _end_journey(charge, JourneyState.CANCELLED, now)


def _differ(charge: Charge, outcome: Settled, actor: str, now: datetime) -> None:
    """Book nothing: what the provider tells is not what was asked for. Rule: F09."""
    is_foreign = outcome.account != Account(charge.environment, charge.merchant) or (
        outcome.key != charge.key
    )
    kind = DifferenceKind.FOREIGN if is_foreign else DifferenceKind.AMOUNT
    is_new = _note_difference(charge, kind, outcome, now)
    if charge.state not in {ChargeState.UNDECIDED, ChargeState.PENDING}:
        if charge.state == ChargeState.STARTED:
            _leave_started(charge, actor, now)
        move_charge(
            charge,
            ChargeState.UNDECIDED,
            actor=actor,
            now=now,
            code=DIFFERS,
            reference=outcome.reference,
        )
    Charge.objects.filter(pk=charge.pk).update(code=DIFFERS, next_look_at=None)
    charge.code, charge.next_look_at = DIFFERS, None
    payable = charge.payable
    payable.hold, payable.next_charge_at = Hold.DIFFERS, None
    payable.save(update_fields=["hold", "next_charge_at"])
    if not is_new:
        return
    letters.staff_alert(
        format_lazy(_("{number}: the provider's answer differs"), number=charge.number),
        [
            f"charge {charge.key}",
            f"asked {money.written(charge.amount, charge.currency)}",
            f"told {money.written(outcome.amount, outcome.currency)}, capture {outcome.capture}",
        ],
        organisation_id=charge.organisation_id,
        now=now,
    )


def _compare_late(charge: Charge, outcome: Outcome, now: datetime) -> None:
    """Hold an answer that came after the attempt was decided against what is stored."""
    is_same = charge.state == ChargeState.SUCCEEDED and (
        not isinstance(outcome, Settled) or outcome.capture == charge.capture
    )
    if is_same or not isinstance(outcome, Settled):
        return
    # Money that came in for an attempt that was given up: it is somebody's, and a person looks.
    if _note_difference(charge, DifferenceKind.STATE, outcome, now):
        letters.staff_alert(
            format_lazy(
                _("{number}: money came in for an attempt that had ended"), number=charge.number
            ),
            [f"charge {charge.key}, capture {outcome.capture}"],
            organisation_id=charge.organisation_id,
            now=now,
        )


def _note_difference(charge: Charge, kind: DifferenceKind, outcome: Settled, now: datetime) -> bool:
    _, is_new = Difference.objects.get_or_create(
        gateway=charge.gateway,
        environment=charge.environment,
        kind=kind,
        reference=outcome.capture,
        resolved_at=None,
        defaults={
            "organisation_id": charge.organisation_id,
            "charge": charge,
            "found_at": now,
            "detail": {
                "amount": outcome.amount,
                "currency": outcome.currency,
                "key": outcome.key,
                "number": outcome.number,
                "environment": outcome.account.environment,
                "merchant": outcome.account.merchant,
            },
        },
    )
    return is_new

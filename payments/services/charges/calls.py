"""Calls about an attempt: made outside every transaction, each between two commits. Rule: R6."""

import contextlib
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from payments.enums import LIVE, ChargeState, Hold, Initiator, MethodState, PayableState, Step
from payments.gateways import registry
from payments.gateways.base import (
    Absent,
    AnswerLost,
    Approval,
    Declined,
    Gateway,
    GatewayMisconfigured,
    GatewayUnreachable,
    Intent,
    Outcome,
    Pending,
    Settled,
    Undecided,
    Waiting,
)
from payments.models import Charge, Payable
from payments.queries import spots
from payments.rules import dunning
from payments.services import letters, stops
from payments.services.charges import intents
from payments.services.charges.facts import (
    NOWHERE,
    AttemptUnderWay,
    ForAPerson,
    NoMethod,
    NotNow,
    NotOwed,
    Places,
    Stopped,
    TooSoon,
    check_account,
)
from payments.services.charges.results import give_up, settle
from payments.services.moves import SCHEDULE, MovedBefore, move_charge

log = logging.getLogger(__name__)

# The code of an attempt that was given up because its spot order can no longer be served.
NOT_SERVABLE = "not_servable"


def carry_out(*, charge_id: int, now: datetime, places: Places = NOWHERE) -> Approval | None:
    """Go on with an attempt as far as it goes; return where its payer has to go, if anywhere.

    Nothing happens to one that is decided, or in other hands. Raises NotNow, Stopped, AccountDiffers;
    the attempt is then as if it had not been called. Rule: R6, F04.
    """
    charge = Charge.objects.select_related("method").get(pk=charge_id)
    gateway = registry.gateway(charge.gateway)
    check_account(charge, gateway)
    while (step := _next_step(charge, gateway, now)) is not None:
        before = Before.of(charge)
        _check_stops(charge)
        if step is Step.CAPTURE and not _is_servable(charge, now):
            cancel(charge_id=charge.pk, code=NOT_SERVABLE, actor=SCHEDULE, now=now)
            return None
        if not _send(charge, step, now):
            return None
        answer = _call(charge, gateway, before, places, now)
        if isinstance(answer, Approval):
            _await_payer(charge, answer, now)
            return answer
        charge = settle(charge_id=charge.pk, outcome=answer, now=now)
        if not (isinstance(answer, Waiting) and answer.is_approved):
            return None
    return None


def collect(*, payable_id: int, now: datetime) -> None:
    """Charge a payable whose time has come, or go on with the attempt that is under way.

    An attempt by a method that works no more, or is replaced, is given up before money moves.
    Raises NotNow, AccountDiffers. Where charging is stopped, or nothing is due, nothing happens.
    """
    charge = (
        Charge.objects.filter(payable_id=payable_id, state__in=sorted(LIVE))
        .select_related("method")
        .first()
    )
    try:
        if charge is None:
            charge = _due_charge(payable_id, now)
        elif stops.is_stopped(organisation_id=charge.organisation_id, gateway=charge.gateway):
            return
        if (
            charge is None
            or charge.method is None
            or charge.state not in {ChargeState.PREPARED, ChargeState.STARTED}
        ):
            return
        if charge.method.state == MethodState.ACTIVE:
            carry_out(charge_id=charge.pk, now=now)
        elif cancel(charge_id=charge.pk, code="method_gone", actor=SCHEDULE, now=now):
            collect(payable_id=payable_id, now=now)
    except Stopped:
        log.warning("charging is stopped", extra={"payable": payable_id})


def _due_charge(payable_id: int, now: datetime) -> Charge | None:
    payable = Payable.objects.get(pk=payable_id)
    if payable.state != PayableState.OPEN or (
        payable.next_charge_at is None or payable.next_charge_at > now
    ):
        return None
    try:
        return intents.prepare(
            payable_id=payable_id, initiator=Initiator.SCHEDULE, actor=SCHEDULE, now=now
        )
    except NoMethod:
        _put_off(payable_id, hold=Hold.NO_METHOD, next_charge_at=None)
    except TooSoon:
        _put_off(payable_id, next_charge_at=now + dunning.BETWEEN_CHARGES)
    except (NotOwed, AttemptUnderWay, Stopped) as why:
        log.info("not charged: %s", type(why).__name__, extra={"payable": payable_id})
    return None


def _put_off(payable_id: int, **values: object) -> None:
    Payable.objects.filter(
        pk=payable_id, state=PayableState.OPEN, next_charge_at__isnull=False
    ).update(**values)


def look(*, charge_id: int, now: datetime) -> Charge:
    """Ask the provider how an attempt stands, and store it. Rule: R6, R8.

    A call that never came back counts as undecided. Where the provider knows nothing and the key
    still protects, the same call is made again. Raises ForAPerson when it has gone on for too long.
    """
    charge = Charge.objects.select_related("method").get(pk=charge_id)
    if charge.state not in LIVE or charge.state == ChargeState.PREPARED:
        return charge
    gateway = registry.gateway(charge.gateway)
    check_account(charge, gateway)
    is_in_hand = charge.state == ChargeState.SENT and not _is_lost(charge, now)
    outcome = asked(charge, gateway)
    if is_in_hand and not isinstance(outcome, Settled | Declined | Pending):
        return charge
    if charge.state == ChargeState.SENT and not is_in_hand and not _lose(charge, now):
        # Its answer came meanwhile, and was stored.
        return charge
    if isinstance(outcome, Absent) and outcome.may_repeat and charge.state == ChargeState.UNDECIDED:
        return _repeat(charge, gateway, now)
    charge = settle(charge_id=charge.pk, outcome=outcome, now=now)
    if charge.state in LIVE and dunning.is_for_a_person(
        charge.sent_at or charge.created_at, now, is_pending=charge.state == ChargeState.PENDING
    ):
        raise ForAPerson(f"charge {charge.key} ({charge.number}): {charge.code or charge.state}")
    return charge


def cancel(*, charge_id: int, code: str, actor: str, now: datetime, reason: str = "") -> bool:
    """Give up an attempt that has taken nothing; return False where it may have, or is decided.

    What was announced to the provider is taken back there first. `reason`: what staff say of it, kept in
    the trail beside the code. Raises NotNow, Stopped, AccountDiffers.
    """
    charge = Charge.objects.select_related("method").get(pk=charge_id)
    if charge.state == ChargeState.STARTED:
        gateway = registry.gateway(charge.gateway)
        check_account(charge, gateway)
        try:
            gateway.cancel(_intent(charge))
        except (GatewayUnreachable, AnswerLost) as fault:
            raise NotNow(dunning.next_call(1, now)) from fault
        except GatewayMisconfigured as fault:
            stop_gateway(slug=charge.gateway, why=str(fault), now=now)
            raise Stopped(str(fault)) from fault
    states = {ChargeState.PREPARED, ChargeState.STARTED}
    return give_up(charge_id, states, code, actor, now, reason)


def _next_step(charge: Charge, gateway: Gateway, now: datetime) -> Step | None:
    if charge.state == ChargeState.PREPARED:
        return Step.START if charge.method is None or gateway.announces else Step.CAPTURE
    if charge.state == ChargeState.STARTED and (
        charge.method is not None or _is_approved(charge, gateway, now)
    ):
        return Step.CAPTURE
    return None


def _is_approved(charge: Charge, gateway: Gateway, now: datetime) -> bool:
    """Return whether its payer has approved a payment. Raises NotNow where nobody can say."""
    outcome = asked(charge, gateway)
    sent_at = charge.sent_at or charge.created_at
    if isinstance(outcome, Undecided) and now - sent_at < dunning.APPROVAL_LAPSES_AFTER:
        raise NotNow(now + max(dunning.CALL_AGAIN_AFTER[0], outcome.retry_after or timedelta()))
    if isinstance(outcome, Settled | Declined | Pending):
        settle(charge_id=charge.pk, outcome=outcome, now=now)
    return isinstance(outcome, Waiting) and outcome.is_approved


def _is_servable(charge: Charge, now: datetime) -> bool:
    """Return whether what would be paid can still be delivered: a spot order alone may not be. Rule: F56.

    It may change until the money is in; then it is given back (R10).
    """
    payable = Payable.objects.select_related("spot_order__organisation").get(pk=charge.payable_id)
    order = payable.spot_order
    if order is None or payable.invoice_id is not None:
        return True
    return spots.why_not_served(order, now) is None


def _check_stops(charge: Charge) -> None:
    """Raise Stopped where the portal by itself may not charge now. Rule: R11, F37."""
    if charge.initiator != Initiator.SCHEDULE:
        return
    reason = stops.is_stopped(organisation_id=charge.organisation_id, gateway=charge.gateway)
    if reason:
        raise Stopped(reason)


@dataclass(frozen=True, slots=True)
class Before:
    """How an attempt stood before a call, to which it returns if the call is never sent."""

    state: ChargeState
    step: str
    sent_at: datetime | None

    @classmethod
    def of(cls, charge: Charge) -> "Before":
        return cls(ChargeState(charge.state), charge.step, charge.sent_at)


@transaction.atomic
def _send(charge: Charge, step: Step, now: datetime) -> bool:
    """Note that a call begins; return False where somebody else was first."""
    is_new = charge.step != step or charge.sent_at is None
    charge.step = step
    try:
        move_charge(
            charge,
            ChargeState.SENT,
            now=now,
            step=step,
            called_at=now,
            sent_at=now if is_new else charge.sent_at,
            next_look_at=None,
        )
    except MovedBefore:
        return False
    return True


def _call(
    charge: Charge, gateway: Gateway, before: Before, places: Places, now: datetime
) -> Approval | Outcome:
    """Make one call. What surely was not sent leaves the attempt where it was."""
    intent = _intent(charge)
    try:
        if charge.step == Step.START:
            return gateway.start(intent, return_url=places.return_url, cancel_url=places.cancel_url)
        return gateway.capture(intent)
    except GatewayUnreachable as fault:
        again_at = _take_back(charge, before, now, f"unreachable: {fault}")
        raise NotNow(again_at) from fault
    except GatewayMisconfigured as fault:
        _take_back(charge, before, now, f"misconfigured: {fault}")
        stop_gateway(slug=charge.gateway, why=str(fault), now=now)
        raise Stopped(str(fault)) from fault


def stop_gateway(*, slug: str, why: str, now: datetime) -> None:
    """Charge nobody through a provider that refuses us, and tell staff. Rule: gateways.md 4.4."""
    with transaction.atomic():
        is_new = stops.stop(
            scope=stops.of_gateway(slug),
            reason=f"{slug} refuses us: {why}",
            actor=SCHEDULE,
            now=now,
        )
        if is_new:
            letters.staff_alert(
                format_lazy(
                    _("{gateway} refuses us: charging through it is stopped"), gateway=slug
                ),
                [why],
                organisation_id=None,
                now=now,
            )


def ask(charge: Charge, gateway: Gateway) -> Outcome:
    """Return what the provider says of an attempt.

    Raises GatewayUnreachable, AnswerLost, GatewayMisconfigured: it could not be asked.
    """
    return gateway.look_up(_intent(charge))


def asked(charge: Charge, gateway: Gateway) -> Outcome:
    """Return what the provider says of an attempt; that it cannot be asked is undecided too."""
    try:
        return ask(charge, gateway)
    except GatewayUnreachable as fault:
        return Undecided(f"unreachable: {fault}")
    except AnswerLost as fault:
        return Undecided(fault.code, retry_after=fault.retry_after)
    except GatewayMisconfigured as fault:
        return Undecided(f"misconfigured: {fault}")


def _repeat(charge: Charge, gateway: Gateway, now: datetime) -> Charge:
    """Make the call again that the provider knows nothing of, with the key that protects it."""
    step = Step(charge.step)
    try:
        _check_stops(charge)
    except Stopped:
        return settle(charge_id=charge.pk, outcome=Undecided("stopped"), now=now)
    if not _send(charge, step, now):
        return charge
    try:
        answer = _once_more(gateway, charge, step)
    except GatewayUnreachable as fault:
        answer = Undecided(f"unreachable: {fault}")
    except GatewayMisconfigured as fault:
        stop_gateway(slug=charge.gateway, why=str(fault), now=now)
        answer = Undecided(f"misconfigured: {fault}")
    charge = settle(charge_id=charge.pk, outcome=answer, now=now)
    if isinstance(answer, Waiting) and charge.method_id is not None:
        # Where that is not possible now, collecting goes on from here by itself.
        with contextlib.suppress(NotNow, Stopped):
            carry_out(charge_id=charge.pk, now=now)
        charge.refresh_from_db()
    return charge


def _once_more(gateway: Gateway, charge: Charge, step: Step) -> Outcome:
    if step is Step.CAPTURE:
        return gateway.capture(_intent(charge))
    answer = gateway.start(_intent(charge), return_url="", cancel_url="")
    # The way to the payer's pages was lost with the answer: nobody was sent there, and the payer
    # sets out anew.
    return Waiting(answer.reference, is_approved=False) if isinstance(answer, Approval) else answer


def _intent(charge: Charge) -> Intent:
    return Intent(
        key=charge.key,
        number=charge.number_there,
        amount=charge.amount,
        currency=charge.currency,
        description=charge.description,
        on=charge.on,
        payer=charge.method.payer if charge.method else "",
        reference=charge.reference,
        by_customer=charge.initiator == Initiator.CUSTOMER,
        sent_at=charge.sent_at,
    )


def _is_lost(charge: Charge, now: datetime) -> bool:
    return charge.called_at is None or now - charge.called_at >= dunning.CALL_LOST_AFTER


@transaction.atomic
def _take_back(charge: Charge, before: Before, now: datetime, code: str) -> datetime:
    """Note that a call was never sent; return when to make it again."""
    looks = charge.looks + 1
    again_at = dunning.next_call(looks, now)
    try:
        move_charge(
            charge,
            before.state,
            now=now,
            code=code,
            looks=looks,
            next_look_at=again_at,
            step=before.step,
            sent_at=before.sent_at,
        )
    except MovedBefore:
        log.info("an unsent call was settled meanwhile", extra={"charge": charge.pk})
    return again_at


@transaction.atomic
def _await_payer(charge: Charge, approval: Approval, now: datetime) -> None:
    move_charge(charge, ChargeState.STARTED, now=now, reference=approval.reference, looks=0)


@transaction.atomic
def _lose(charge: Charge, now: datetime) -> bool:
    """Note that a call never came back; return False where it did meanwhile."""
    try:
        move_charge(charge, ChargeState.UNDECIDED, now=now, code="no_answer", next_look_at=now)
    except MovedBefore:
        charge.refresh_from_db()
        return False
    return True

"""Calls about a refund: made outside every transaction, each between two commits. Rule: R6."""

import logging
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from core import money
from core.work import Piece
from payments import jobs
from payments.enums import REFUND_LIVE, DifferenceKind, RefundState
from payments.gateways import registry
from payments.gateways.base import (
    Absent,
    Account,
    AnswerLost,
    Gateway,
    GatewayMisconfigured,
    GatewayUnreachable,
    Pending,
    Refunded,
    RefundFailed,
    RefundIntent,
    RefundOutcome,
    Undecided,
)
from payments.models import Refund
from payments.queries import refunds as queries
from payments.rules import dunning
from payments.services import charges, differences, stops
from payments.services.moves import SCHEDULE, MovedBefore, move_refund
from payments.services.refunds import rows

log = logging.getLogger(__name__)

_ASKED = {RefundState.PENDING, RefundState.UNDECIDED}


def plan(now: datetime) -> None:
    """Ask for all that refunds need by `now`, found from state alone. Rule: R1.

    What was captured beyond what is owed, collecting finds (`return_surplus`).
    """
    found = queries.due(now)
    if not found:
        return
    with transaction.atomic():
        jobs.REFUND.enqueue_all(
            [
                Piece(str(refund_id), {"refund_id": refund_id}, organisation_id)
                for refund_id, organisation_id in found
            ],
            due_at=now,
        )


def go_on(*, refund_id: int, now: datetime) -> None:
    """Bring a refund as far as it goes: send it, or ask what became of it."""
    refund = Refund.objects.get(pk=refund_id)
    if refund.state == RefundState.PREPARED:
        carry_out(refund_id=refund_id, now=now)
    elif refund.state in REFUND_LIVE:
        look(refund_id=refund_id, now=now)


def carry_out(*, refund_id: int, now: datetime) -> Refund:
    """Send a prepared refund and store the answer; it may be called again at any time. Rule: F18.

    Where the provider cannot be reached, or charging is stopped, it waits as it was. Rule: F04.
    """
    refund = _found(refund_id)
    if refund.state != RefundState.PREPARED or _is_stopped(refund):
        return refund
    return _call(refund, now)


def look(*, refund_id: int, now: datetime) -> Refund:
    """Ask the provider how a refund stands, and store it. Rule: R6, R8.

    A call that never came back counts as undecided. Where the provider knows nothing and the key
    still protects, the same call is made again.
    """
    refund = _found(refund_id)
    if refund.state not in REFUND_LIVE or refund.state == RefundState.PREPARED:
        return refund
    if refund.state == RefundState.SENT and not _is_lost(refund, now):
        return refund
    if refund.state == RefundState.SENT and not _lose(refund, now):
        return refund
    outcome = asked(refund)
    if isinstance(outcome, Absent) and outcome.may_repeat and refund.state == RefundState.UNDECIDED:
        if not _is_stopped(refund):
            return _call(refund, now)
        outcome = Undecided("stopped")
    return settle(refund_id=refund_id, outcome=outcome, now=now)


@transaction.atomic
def settle(
    *, refund_id: int, outcome: RefundOutcome, now: datetime, actor: str = SCHEDULE
) -> Refund:
    """Store what the provider told of a refund, and what follows from it. Safe to run again.

    An answer of another amount or currency, or that was another refund's, books nothing: staff look.
    """
    refund = rows.locked(refund_id)
    if refund.state not in REFUND_LIVE or refund.state == RefundState.PREPARED:
        return refund
    match outcome:
        case Refunded():
            _succeed(refund, outcome, actor, now)
        case RefundFailed():
            _fail(refund, outcome, actor, now)
        case Pending() | Undecided() | Absent():
            _wait(refund, outcome, actor, now)
    return refund


def _found(refund_id: int) -> Refund:
    return Refund.objects.select_related("charge").get(pk=refund_id)


def _is_stopped(refund: Refund) -> bool:
    return bool(
        stops.is_stopped(organisation_id=refund.organisation_id, gateway=refund.charge.gateway)
    )


def _call(refund: Refund, now: datetime) -> Refund:
    """Make the call between two commits. What surely was not sent leaves the refund as it was."""
    gateway = registry.gateway(refund.charge.gateway)
    before = RefundState(refund.state), refund.sent_at
    if not _send(refund, now):
        return refund
    if not _is_of_account(refund, gateway):
        return settle(refund_id=refund.pk, outcome=RefundFailed("account_differs"), now=now)
    try:
        outcome = gateway.refund(_intent(refund))
    except GatewayUnreachable as fault:
        return _take_back(refund, *before, f"unreachable: {fault}", now)
    except GatewayMisconfigured as fault:
        charges.stop_gateway(slug=refund.charge.gateway, why=str(fault), now=now)
        return _take_back(refund, *before, f"misconfigured: {fault}", now)
    except AnswerLost as fault:
        outcome = Undecided(fault.code, retry_after=fault.retry_after)
    return settle(refund_id=refund.pk, outcome=outcome, now=now)


def _intent(refund: Refund, reference: str = "") -> RefundIntent:
    return RefundIntent(
        key=refund.key,
        capture=refund.charge.capture,
        amount=refund.amount,
        currency=refund.currency,
        note=refund.reason,
        reference=reference or refund.reference,
        sent_at=refund.sent_at,
    )


def _is_of_account(refund: Refund, gateway: Gateway) -> bool:
    """Return whether the charge was made with the account that the settings name. Rule: R17, F40."""
    charge = refund.charge
    return Account(charge.environment, charge.merchant) == gateway.account


def asked(refund: Refund, reference: str = "") -> RefundOutcome:
    """Return what the provider says of a refund; that it cannot be asked is undecided too.

    `reference`: ask for it by this name instead of the one that is stored.
    """
    gateway = registry.gateway(refund.charge.gateway)
    if not _is_of_account(refund, gateway):
        return Undecided("account_differs")
    try:
        return gateway.look_up_refund(_intent(refund, reference))
    except GatewayUnreachable as fault:
        return Undecided(f"unreachable: {fault}", was_told=False)
    except AnswerLost as fault:
        return Undecided(fault.code, retry_after=fault.retry_after, was_told=False)
    except GatewayMisconfigured as fault:
        return Undecided(f"misconfigured: {fault}", was_told=False)


def _is_lost(refund: Refund, now: datetime) -> bool:
    return refund.called_at is None or now - refund.called_at >= dunning.CALL_LOST_AFTER


@transaction.atomic
def _send(refund: Refund, now: datetime) -> bool:
    """Note that a call begins; return False where somebody else was first."""
    try:
        move_refund(
            refund,
            RefundState.SENT,
            now=now,
            called_at=now,
            sent_at=refund.sent_at or now,
            next_look_at=None,
        )
    except MovedBefore:
        return False
    return True


@transaction.atomic
def _lose(refund: Refund, now: datetime) -> bool:
    """Note that a call never came back; return False where it did meanwhile."""
    try:
        move_refund(refund, RefundState.UNDECIDED, now=now, code="call_lost", next_look_at=now)
    except MovedBefore:
        return False
    return True


@transaction.atomic
def _take_back(
    refund: Refund, before: RefundState, sent_at: datetime | None, code: str, now: datetime
) -> Refund:
    """Note that a call was never sent, and when it is made again."""
    failures = refund.looks + 1
    try:
        move_refund(
            refund,
            before,
            now=now,
            code=code,
            looks=failures,
            next_look_at=dunning.next_call(failures, now),
            sent_at=sent_at,
        )
    except MovedBefore:
        log.warning("a call that was not sent is settled", extra={"refund": refund.pk})
        refund.refresh_from_db()
    return refund


def _succeed(refund: Refund, outcome: Refunded, actor: str, now: datetime) -> None:
    is_meant = (outcome.amount, outcome.currency) == (refund.amount, refund.currency)
    if not is_meant or is_taken(refund, outcome.reference):
        _differ(refund, outcome, actor, now)
        return
    rows.book(refund, outcome.reference, actor=actor, now=now)
    differences.resolve_of(refund, actor=actor, resolution="the provider made it", now=now)


def _fail(refund: Refund, outcome: RefundFailed, actor: str, now: datetime) -> None:
    reference = outcome.reference if outcome.reference != refund.charge.capture else ""
    if is_taken(refund, reference):
        reference = ""
    move_refund(
        refund,
        RefundState.FAILED,
        actor=actor,
        now=now,
        code=outcome.code,
        reference=reference or refund.reference,
    )
    rows.record(refund, "failed", actor=actor, now=now, reason=outcome.code)
    differences.resolve_of(refund, actor=actor, resolution="the provider refused it", now=now)
    rows.alert(
        refund,
        _("The provider did not make a refund: give the money back by hand, or try again"),
        outcome.code,
        now,
    )


def _wait(refund: Refund, outcome: Pending | Undecided | Absent, actor: str, now: datetime) -> None:
    """Store that nobody knows yet, and when the provider is asked again. Rule: R6, I06."""
    is_pending = isinstance(outcome, Pending)
    code = "unknown_there" if isinstance(outcome, Absent) else outcome.code
    told = "" if isinstance(outcome, Absent) else outcome.reference
    reference = told if told and not is_taken(refund, told) else refund.reference
    retry_after = outcome.retry_after if isinstance(outcome, Undecided) else None
    values = {
        "reference": reference,
        "looks": refund.looks + 1,
        "next_look_at": dunning.next_look(refund.looks, now, retry_after),
    }
    state = RefundState.PENDING if is_pending else RefundState.UNDECIDED
    # A provider that cannot be asked does not make a pending refund less known.
    if refund.state == state or (refund.state == RefundState.PENDING and not is_pending):
        Refund.objects.filter(pk=refund.pk).update(**values, code=code[:120])
        for name, value in (values | {"code": code[:120]}).items():
            setattr(refund, name, value)
    else:
        move_refund(refund, state, actor=actor, now=now, code=code, **values)
    if dunning.is_for_a_person(refund.sent_at or refund.created_at, now):
        _call_a_person(refund, now)


def _call_a_person(refund: Refund, now: datetime) -> None:
    is_new = differences.note(
        DifferenceKind.STATE,
        refund.key,
        charge=refund.charge,
        refund=refund,
        detail={"amount": refund.amount, "currency": refund.currency, "code": refund.code},
        now=now,
    )
    if is_new:
        rows.alert(
            refund,
            _("Nobody knows what became of a refund: look it up at the provider and decide"),
            refund.code,
            now,
        )


def _differ(refund: Refund, outcome: Refunded, actor: str, now: datetime) -> None:
    """Book nothing: what the provider tells is not what was asked for. Rule: F09."""
    if refund.state not in _ASKED:
        move_refund(refund, RefundState.UNDECIDED, actor=actor, now=now, code="differs")
    Refund.objects.filter(pk=refund.pk).update(code="differs", next_look_at=None)
    refund.code, refund.next_look_at = "differs", None
    is_new = differences.note(
        DifferenceKind.AMOUNT,
        outcome.reference,
        charge=refund.charge,
        refund=refund,
        detail={
            "amount": outcome.amount,
            "currency": outcome.currency,
            "asked": refund.amount,
            "asked_currency": refund.currency,
            "key": refund.key,
        },
        now=now,
    )
    if is_new:
        rows.alert(
            refund,
            _("The provider's answer to a refund differs from what was asked for"),
            f"{outcome.reference}: {money.written(outcome.amount, outcome.currency)}",
            now,
        )


def is_taken(refund: Refund, reference: str) -> bool:
    """Return whether another refund of the charge is known by this name of the provider's."""
    return (
        reference != ""
        and Refund.objects.filter(charge_id=refund.charge_id, reference=reference)
        .exclude(pk=refund.pk)
        .exists()
    )

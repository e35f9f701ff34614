"""How an organisation comes to a payment method, and loses it. Rule: S1-02…S1-06, S1-14…S1-18."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts import services as accounts
from accounts.enums import PaymentTerms
from accounts.models import Organisation
from core import audit
from core.ids import new_key
from core.work import Piece, ReasonMissing
from payments import jobs
from payments.enums import LIVE, Hold, JourneyState, MethodState
from payments.gateways import registry
from payments.gateways.base import (
    AnswerLost,
    Entry,
    GatewayMisconfigured,
    GatewayUnreachable,
    Payer,
    RequestRefused,
    Standing,
)
from payments.models import Charge, Journey, PaymentMethod
from payments.queries import methods as queries
from payments.rules import review
from payments.services import collecting, letters, moves
from payments.services.charges.facts import check_account

logger = logging.getLogger(__name__)

REVIEW = "system:review"
# Why a registration came to nothing, beside the provider's own codes.
NEVER_ARRIVED = "never_arrived"
REPLACED = "replaced"
_BY_STAFF = "by_staff"
_AT_ONCE = 500
_WAITING = (MethodState.REGISTERING, MethodState.UNDER_REVIEW)
_ASK_LOST_AFTER = timedelta(minutes=5)


class AlreadyRegistered(Exception):
    """An active method is there; Support changes it. Rule: S1-06."""


class UnderReview(Exception):
    """A form that was sent in is being looked at; a second one waits for its end."""


class NotOffered(Exception):
    """This provider does not serve the organisation, or there is none of this name. Rule: S1-05."""


class NoSuchMethod(LookupError):
    """There is no such method, or it is detached already."""


class ChargeUnderWay(Exception):
    """A charge by this method is not decided yet. Rule: R6."""


class ReviewTooLong(Exception):
    """A provider has reviewed a payer for so long that a person must ask."""


def check_may_add(organisation: Organisation, gateway: str, now: datetime) -> None:
    """Raise NotOffered, AlreadyRegistered or UnderReview where no method may be added.

    The caller holds the organisation's lock. Under review is not registered: another provider may
    still be chosen, and a broken method may be replaced at once. Who has left and owes nothing needs
    none any more. Rule: S1-06, S1-24, S1-29.
    """
    if queries.is_over(organisation, now):
        raise NotOffered(gateway)
    offered = registry.offered(organisation.country, organisation.currency)
    if gateway not in {each.slug for each in offered}:
        raise NotOffered(gateway)
    states = set(
        PaymentMethod.objects.filter(organisation=organisation).values_list("state", flat=True)
    )
    if MethodState.ACTIVE in states:
        raise AlreadyRegistered
    if not states.isdisjoint(_WAITING) and registry.gateway(gateway).entry is Entry.FORM:
        raise UnderReview


def register(
    *, organisation_id: int, user_id: int, gateway: str, profile: Mapping[str, str], now: datetime
) -> PaymentMethod:
    """Pass a form on to its provider; return the method, under review or still being registered.

    It is DETACHED where another method became active during the call, and took its place.
    Raises NotOffered, AlreadyRegistered, UnderReview; RequestRefused, GatewayUnreachable and
    GatewayMisconfigured: nothing is registered then. Rule: S1-17, R6.
    """
    method = _intend(organisation_id, user_id, gateway, now)
    try:
        payer = registry.gateway(gateway).register(key=method.key, profile=profile)
    except RequestRefused as refused:
        _drop(method, refused.code, now)
        raise
    except (GatewayUnreachable, GatewayMisconfigured) as fault:
        _drop(method, type(fault).__name__, now, alert=str(fault))
        raise
    except AnswerLost as lost:
        wait = max(_ASK_LOST_AFTER, lost.retry_after or timedelta())
        PaymentMethod.objects.filter(pk=method.pk, state=MethodState.REGISTERING).update(
            next_look_at=now + wait
        )
        return method
    try:
        return _under_review(method, payer, f"user:{user_id}", now)
    except moves.MovedBefore:
        method.refresh_from_db()
        return method


@transaction.atomic
def add_approved(*, journey_id: int, payer: Payer, now: datetime) -> PaymentMethod | None:
    """Store the payer that a journey brought, as the active method; what was there before is let go.

    Where another method has become active meanwhile, the payer is forgotten again and None
    returned. Rule: S1-15, S1-06.
    """
    journey = Journey.objects.get(pk=journey_id)
    organisation = accounts.lock(journey.organisation_id)
    claimed = Journey.objects.filter(pk=journey_id, state=JourneyState.RETURNED)
    actor = f"user:{journey.user_id}"
    if not claimed.update(state=JourneyState.COMPLETED, ended_at=now):
        return Journey.objects.select_related("method").get(pk=journey_id).method
    is_registered = PaymentMethod.objects.filter(
        organisation=organisation, state=MethodState.ACTIVE
    ).exists()
    if not is_registered:
        _let_go_of_others(organisation, None, actor, now)
    method = PaymentMethod.objects.create(
        organisation=organisation,
        gateway=journey.gateway,
        environment=journey.environment,
        merchant=journey.merchant,
        key=journey.key,
        payer=payer.reference,
        label=payer.label,
        state=MethodState.DETACHED if is_registered else MethodState.REGISTERING,
        code=REPLACED if is_registered else "",
        registered_by_id=journey.user_id,
        created_at=now,
        state_at=now,
    )
    moves.note_new(method, actor=actor, now=now)
    if is_registered:
        Journey.objects.filter(pk=journey_id).update(state=JourneyState.REFUSED)
        _ask_to_forget(method, now)
        return None
    Journey.objects.filter(pk=journey_id).update(method=method)
    activate(method, actor=actor, now=now)
    return method


@transaction.atomic
def activate(method: PaymentMethod, *, actor: str, now: datetime, **values: str) -> None:
    """Have a method be the one that is charged; what was there before is let go only now.

    Open documents are charged from now on. Its payer is known, by `values` at the latest. Raises
    AlreadyRegistered, MovedBefore. Rule: S1-03, S1-06.
    """
    organisation = accounts.lock(method.organisation_id)
    _let_go_of_others(organisation, method, actor, now)
    moves.move_method(
        method, MethodState.ACTIVE, actor=actor, now=now, active_since=now, looks=0, **values
    )
    _set_terms(method, actor, now)
    _record("payment_method.activated", method, actor, now)
    collecting.resume(organisation_id=organisation.pk, now=now)
    letters.method_added(method, now)


@transaction.atomic
def break_method(*, method_id: int, code: str, now: datetime, actor: str) -> bool:
    """Note that an active method can be charged no more; return whether it was active.

    Nothing is charged by itself until the root has registered again. Rule: B-14, F11.
    """
    found = PaymentMethod.objects.get(pk=method_id)
    accounts.lock(found.organisation_id)
    method = PaymentMethod.objects.get(pk=method_id)
    if method.state != MethodState.ACTIVE:
        return False
    moves.move_method(method, MethodState.BROKEN, actor=actor, now=now, code=code, looks=0)
    if registry.gateway(method.gateway).entry is Entry.FORM:
        # A blocked buyer may be let buy again, and nobody but the provider knows when.
        _look_later(method, review.next_look(now, 1, now), looks=1)
    accounts.set_payment_terms(
        organisation_id=method.organisation_id, terms=PaymentTerms.NONE, actor=actor, now=now
    )
    _record("payment_method.broken", method, actor, now, code=code)
    collecting.hold_all(organisation_id=method.organisation_id, hold=Hold.METHOD_BROKEN, now=now)
    letters.method_broken(method, now)
    return True


@transaction.atomic
def detach(
    *, method_id: int, reason: str, actor: str, now: datetime, code: str = _BY_STAFF
) -> PaymentMethod:
    """Take a method away, as staff; the root may add one again, and the provider is to forget it.

    `code`: who took it away, as the row keeps it; the root is told here of what staff do alone. Raises
    ReasonMissing, NoSuchMethod, ChargeUnderWay. Rule: S1-06, S1-29, R6.
    """
    if not reason.strip():
        raise ReasonMissing
    found = PaymentMethod.objects.filter(pk=method_id).first()
    if found is None:
        raise NoSuchMethod(method_id)
    accounts.lock(found.organisation_id)
    method = PaymentMethod.objects.get(pk=method_id)
    if method.state in {MethodState.DETACHED, MethodState.REJECTED}:
        raise NoSuchMethod(method_id)
    if _has_live_charge(method):
        raise ChargeUnderWay
    was_current = method.state in {MethodState.ACTIVE, MethodState.BROKEN}
    moves.move_method(method, MethodState.DETACHED, actor=actor, now=now, code=code)
    _record("payment_method.detached", method, actor, now, reason=reason.strip()[:400])
    if was_current:
        accounts.set_payment_terms(
            organisation_id=method.organisation_id, terms=PaymentTerms.NONE, actor=actor, now=now
        )
        collecting.hold_all(organisation_id=method.organisation_id, hold=Hold.NO_METHOD, now=now)
    _ask_to_forget(method, now)
    if code == _BY_STAFF:
        letters.method_detached(method, now)
    return method


def look_at(*, method_id: int, now: datetime) -> None:
    """Ask the provider how a payer stands, and store what follows from it.

    Raises AccountDiffers, ReviewTooLong. A provider that does not answer is asked again later.
    """
    method = PaymentMethod.objects.get(pk=method_id)
    if method.state in {MethodState.DETACHED, MethodState.REJECTED}:
        return
    gateway = registry.gateway(method.gateway)
    check_account(method, gateway)
    try:
        # Where the answer to the registration was lost, our own name for the payer is all there is.
        standing = gateway.standing(method.payer or method.key)
    except (AnswerLost, GatewayUnreachable, GatewayMisconfigured) as fault:
        logger.warning("a payer's standing is not known", extra={"method": method.pk})
        goes_on = _ask_again(method, now, getattr(fault, "retry_after", None))
    else:
        goes_on = _follow(method_id, standing, now)
    if not goes_on:
        raise ReviewTooLong(f"method {method_id}")


def forget_payer(*, method_id: int, now: datetime) -> None:
    """Have the provider forget the payer of a method that was detached here.

    Raises ChargeUnderWay: only once its charges are decided. Raises AccountDiffers, and what the
    gateway raises.
    """
    method = PaymentMethod.objects.get(pk=method_id)
    if method.state != MethodState.DETACHED or not method.payer:
        return
    if _has_live_charge(method):
        raise ChargeUnderWay
    gateway = registry.gateway(method.gateway)
    check_account(method, gateway)
    gateway.forget(method.payer)


@transaction.atomic
def plan(now: datetime) -> None:
    """Ask for a look at each method whose time has come."""
    due = PaymentMethod.objects.filter(next_look_at__lte=now).order_by("pk")[:_AT_ONCE]
    pieces = [
        Piece(str(method_id), {"method_id": method_id}, organisation_id)
        for method_id, organisation_id in due.values_list("pk", "organisation_id")
    ]
    if pieces:
        jobs.LOOK_AT_METHOD.enqueue_all(pieces, due_at=now)


@transaction.atomic
def _intend(organisation_id: int, user_id: int, gateway: str, now: datetime) -> PaymentMethod:
    organisation = accounts.lock(organisation_id)
    check_may_add(organisation, gateway, now)
    account = registry.gateway(gateway).account
    method = PaymentMethod.objects.create(
        organisation=organisation,
        gateway=gateway,
        environment=account.environment,
        merchant=account.merchant,
        key=new_key(),
        registered_by_id=user_id,
        created_at=now,
        state_at=now,
        # Should nobody be here any more when the provider answers.
        next_look_at=now + _ASK_LOST_AFTER,
    )
    moves.note_new(method, actor=f"user:{user_id}", now=now)
    _record("payment_method.registering", method, f"user:{user_id}", now)
    return method


@transaction.atomic
def _drop(method: PaymentMethod, code: str, now: datetime, *, alert: str = "") -> None:
    accounts.lock(method.organisation_id)
    actor = f"user:{method.registered_by_id}"
    if PaymentMethod.objects.filter(pk=method.pk, state=MethodState.REGISTERING).exists():
        moves.move_method(method, MethodState.DETACHED, actor=actor, now=now, code=code)
        _record("payment_method.refused", method, actor, now, code=code)
    if alert:
        letters.staff_alert(
            format_lazy(_("{gateway}: a payer could not be registered"), gateway=method.gateway),
            [f"method {method.pk}", f"{code}: {alert}"],
            method.organisation_id,
            now,
        )


@transaction.atomic
def _under_review(method: PaymentMethod, payer: Payer, actor: str, now: datetime) -> PaymentMethod:
    accounts.lock(method.organisation_id)
    moves.move_method(
        method,
        MethodState.UNDER_REVIEW,
        actor=actor,
        now=now,
        payer=payer.reference,
        label=payer.label,
        looks=0,
        next_look_at=review.next_look(now, 0, now),
    )
    _record("payment_method.under_review", method, actor, now)
    letters.method_under_review(method, now)
    return method


@transaction.atomic
def _follow(method_id: int, standing: Standing, now: datetime) -> bool:
    """Store what a payer's standing means for a method; return False for a review that is too long."""
    found = PaymentMethod.objects.get(pk=method_id)
    organisation = accounts.lock(found.organisation_id)
    method = PaymentMethod.objects.get(pk=method_id)
    state = MethodState(method.state)
    if state is MethodState.ACTIVE and standing in {
        Standing.BLOCKED,
        Standing.REJECTED,
        Standing.UNKNOWN,
    }:
        break_method(method_id=method.pk, code=standing.value, now=now, actor=REVIEW)
    elif state is MethodState.BROKEN:
        _mend(method, standing, now)
    elif state in _WAITING:
        return _follow_review(method, organisation, standing, now)
    return True


def _follow_review(
    method: PaymentMethod, organisation: Organisation, standing: Standing, now: datetime
) -> bool:
    known = {
        "payer": method.payer or method.key,
        "label": method.label or organisation.billing_name,
    }
    if standing is Standing.ACTIVE:
        try:
            with transaction.atomic():
                activate(method, actor=REVIEW, now=now, **known)
        except AlreadyRegistered:
            moves.move_method(method, MethodState.DETACHED, actor=REVIEW, now=now, code=REPLACED)
    elif standing in {Standing.REJECTED, Standing.UNKNOWN}:
        code = NEVER_ARRIVED if standing is Standing.UNKNOWN else standing.value
        moves.move_method(method, MethodState.REJECTED, actor=REVIEW, now=now, code=code)
        _record("payment_method.rejected", method, REVIEW, now, code=code)
        letters.method_rejected(method, now)
    elif method.state == MethodState.REGISTERING:
        moves.move_method(
            method,
            MethodState.UNDER_REVIEW,
            actor=REVIEW,
            now=now,
            next_look_at=review.next_look(now, 1, now),
            looks=1,
            **known,
        )
    else:
        return _ask_again(method, now, None)
    return True


def _mend(method: PaymentMethod, standing: Standing, now: datetime) -> None:
    """Take a blocked buyer up again once the provider lets it buy; a wallet its payer renews."""
    if registry.gateway(method.gateway).entry is not Entry.FORM:
        return
    if standing is Standing.ACTIVE:
        activate(method, actor=REVIEW, now=now)
    else:
        _look_later(method, review.next_look(method.state_at, method.looks + 1, now))


def _ask_again(method: PaymentMethod, now: datetime, retry_after: timedelta | None) -> bool:
    """Put the next look off, or end the looks; return False for a review that is too long."""
    if method.state == MethodState.ACTIVE:
        _look_later(method, now + max(timedelta(hours=1), retry_after or timedelta()))
        return True
    at = review.next_look(method.state_at, max(1, method.looks), now)
    if at is not None and retry_after:
        at = max(at, now + retry_after)
    _look_later(method, at)
    return at is not None or method.state not in _WAITING


def _look_later(method: PaymentMethod, at: datetime | None, looks: int | None = None) -> None:
    PaymentMethod.objects.filter(pk=method.pk, state=method.state).update(
        next_look_at=at, looks=method.looks + 1 if looks is None else looks
    )


def _let_go_of_others(
    organisation: Organisation, method: PaymentMethod | None, actor: str, now: datetime
) -> None:
    """Detach what `method` takes the place of; the caller holds the lock. Raises AlreadyRegistered."""
    others = PaymentMethod.objects.filter(
        organisation=organisation,
        state__in=[MethodState.ACTIVE, MethodState.BROKEN, *_WAITING],
    )
    for other in others:
        if method is not None and other.pk == method.pk:
            continue
        if other.state == MethodState.ACTIVE:
            raise AlreadyRegistered
        moves.move_method(other, MethodState.DETACHED, actor=actor, now=now, code=REPLACED)
        _record("payment_method.replaced", other, actor, now)
        _ask_to_forget(other, now)


def _ask_to_forget(method: PaymentMethod, now: datetime) -> None:
    if method.payer:
        jobs.FORGET_PAYER.enqueue(
            key=str(method.pk),
            due_at=now,
            payload={"method_id": method.pk},
            organisation_id=method.organisation_id,
        )


def _has_live_charge(method: PaymentMethod) -> bool:
    return Charge.objects.filter(method=method, state__in=sorted(LIVE)).exists()


def _set_terms(method: PaymentMethod, actor: str, now: datetime) -> None:
    by_invoice = registry.gateway(method.gateway).collects_by_invoice
    accounts.set_payment_terms(
        organisation_id=method.organisation_id,
        terms=PaymentTerms.PAID if by_invoice else PaymentTerms.PAYPAL,
        actor=actor,
        now=now,
    )


def _record(action: str, method: PaymentMethod, actor: str, now: datetime, **details: str) -> None:
    audit.record(
        actor=actor,
        action=action,
        subject=f"method:{method.pk}",
        organisation_id=method.organisation_id,
        at=now,
        details={"gateway": method.gateway, **details},
    )

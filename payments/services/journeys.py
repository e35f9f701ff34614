"""A payer's visit to a provider's own pages: set out, and come back once. Rule: S1-15, F20."""

import hashlib
import logging
import secrets
import urllib.parse
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts import services as accounts
from core.ids import new_key
from payments import jobs
from payments.enums import JourneyPurpose, JourneyState, MethodState
from payments.gateways import registry
from payments.gateways.base import (
    AnswerLost,
    Approval,
    GatewayMisconfigured,
    GatewayUnreachable,
    RequestRefused,
)
from payments.models import Journey, PaymentMethod
from payments.services import letters, methods
from payments.services.charges.facts import check_account

logger = logging.getLogger(__name__)

# How long a payer may stay away.
LIFE = timedelta(hours=2)
# How soon an unfinished return is taken up by the sweeper, and how long it goes on.
SWEEP_AFTER = timedelta(minutes=2)
GIVE_UP_AFTER = timedelta(days=1)
_STATE_BYTES = 32


class NoJourney(LookupError):
    """There is no such journey of this person in this organisation."""


class NoWayBack(Exception):
    """The way back cannot be used; `journey` tells how it went."""

    def __init__(self, journey: Journey) -> None:
        super().__init__(journey.state)
        self.journey = journey


class OtherSession(NoWayBack):
    """Who comes back has signed in anew since setting out."""


class Expired(NoWayBack):
    """The payer came back too late."""


class CameBackBefore(NoWayBack):
    """The way back was used before."""


class ApprovalElsewhere(Exception):
    """A provider's address to approve at is none that the settings name. Rule: ASVS 3.7.2."""


@dataclass(frozen=True, slots=True)
class Traveller:
    """Who sets out, and alone may come back. `session`: the key of the session."""

    organisation_id: int
    user_id: int
    session: str


@transaction.atomic
def set_out(
    *,
    traveller: Traveller,
    purpose: JourneyPurpose,
    gateway: str,
    now: datetime,
    charge_id: int | None = None,
) -> tuple[Journey, str]:
    """Store that somebody sets out; return the journey and the one-time value of its way back.

    The value is not kept. Raises AlreadyRegistered, NotOffered where a method is to be registered.
    """
    organisation = accounts.lock(traveller.organisation_id)
    if purpose is JourneyPurpose.METHOD:
        methods.check_may_add(organisation, gateway, now)
    account = registry.gateway(gateway).account
    state = secrets.token_urlsafe(_STATE_BYTES)
    journey = Journey.objects.create(
        organisation=organisation,
        user_id=traveller.user_id,
        purpose=purpose,
        charge_id=charge_id,
        gateway=gateway,
        environment=account.environment,
        merchant=account.merchant,
        key=new_key(),
        state_digest=_digest(state),
        session_digest=_digest(traveller.session),
        started_at=now,
        expires_at=now + LIFE,
    )
    return journey, state


def open_registration(
    *, journey_id: int, return_url: str, cancel_url: str, language: str, now: datetime
) -> str:
    """Ask the provider for its pages; return the address that the payer is sent to.

    Raises GatewayUnreachable, GatewayMisconfigured, AnswerLost, RequestRefused, ApprovalElsewhere:
    the journey has ended then, and staff know.
    """
    journey = Journey.objects.select_related("organisation").get(pk=journey_id)
    gateway = registry.gateway(journey.gateway)
    try:
        approval = gateway.open_registration(
            key=journey.key,
            customer=str(journey.organisation.public_id),
            language=language,
            return_url=return_url,
            cancel_url=cancel_url,
        )
    except (GatewayUnreachable, GatewayMisconfigured, AnswerLost, RequestRefused) as fault:
        _give_up(journey, f"{type(fault).__name__}: {fault}", now)
        raise
    return lead_to(journey_id=journey_id, approval=approval, now=now)


def lead_to(*, journey_id: int, approval: Approval, now: datetime) -> str:
    """Store the provider's name for a journey; return the address that the payer is sent to.

    Raises ApprovalElsewhere: the journey has ended then, and staff know.
    """
    journey = Journey.objects.get(pk=journey_id)
    parts = urllib.parse.urlsplit(approval.url)
    if f"{parts.scheme}://{parts.netloc}" not in settings.APPROVAL_ORIGINS:
        logger.error("APPROVAL_ELSEWHERE", extra={"journey": journey.pk, "host": parts.hostname})
        _give_up(journey, f"ApprovalElsewhere: {parts.scheme}://{parts.hostname}", now)
        raise ApprovalElsewhere(parts.hostname)
    Journey.objects.filter(pk=journey.pk, state=JourneyState.OPEN).update(
        reference=approval.reference
    )
    return approval.url


@transaction.atomic
def come_back(
    *, traveller: Traveller, state: str, purpose: JourneyPurpose, now: datetime
) -> Journey:
    """Claim the way back, once; who claims it finishes the journey, else the sweeper does.

    Raises NoJourney, OtherSession, Expired, CameBackBefore. Rule: F20.
    """
    claimed = (
        _of(traveller, state, purpose)
        .filter(
            session_digest=_digest(traveller.session),
            state=JourneyState.OPEN,
            expires_at__gt=now,
        )
        .update(state=JourneyState.RETURNED)
    )
    journey = _of(traveller, state, purpose).first()
    if journey is None:
        raise NoJourney
    if bytes(journey.session_digest) != _digest(traveller.session):
        raise OtherSession(journey)
    if not claimed:
        if journey.state in {JourneyState.OPEN, JourneyState.EXPIRED}:
            raise Expired(journey)
        raise CameBackBefore(journey)
    if purpose is JourneyPurpose.METHOD:
        jobs.FINISH_JOURNEY.enqueue(
            key=str(journey.pk),
            due_at=now + SWEEP_AFTER,
            payload={"journey_id": journey.pk},
            organisation_id=journey.organisation_id,
        )
    return journey


@transaction.atomic
def turn_back(
    *, traveller: Traveller, state: str, purpose: JourneyPurpose, now: datetime
) -> Journey:
    """End a journey that the payer broke off; return how it has ended. Raises NoJourney."""
    _of(traveller, state, purpose).filter(
        session_digest=_digest(traveller.session), state=JourneyState.OPEN
    ).update(state=JourneyState.CANCELLED, ended_at=now)
    journey = _of(traveller, state, purpose).first()
    if journey is None:
        raise NoJourney
    return journey


@transaction.atomic
def end(*, journey_id: int, state: JourneyState, now: datetime) -> bool:
    """Note how a journey ended after the payer's return; return whether that is new."""
    return bool(
        Journey.objects.filter(pk=journey_id, state=JourneyState.RETURNED).update(
            state=state, ended_at=now
        )
    )


def finish(*, journey_id: int, now: datetime) -> PaymentMethod | None:
    """Find out what a payer who is back has approved; return the method, None where there is none.

    Called again it gives the same. Raises GatewayUnreachable, GatewayMisconfigured, AnswerLost: the
    journey is open still, and is asked after again.
    """
    journey = Journey.objects.select_related("method").get(pk=journey_id)
    if journey.state != JourneyState.RETURNED:
        return journey.method
    gateway = registry.gateway(journey.gateway)
    check_account(journey, gateway)
    is_registered = PaymentMethod.objects.filter(
        organisation_id=journey.organisation_id, state=MethodState.ACTIVE
    ).exists()
    if is_registered or not journey.reference:
        end(journey_id=journey.pk, state=JourneyState.REFUSED, now=now)
        return None
    try:
        payer = gateway.finish_registration(key=journey.key, reference=journey.reference)
    except RequestRefused:
        payer = None
    if payer is None:
        end(journey_id=journey.pk, state=JourneyState.REFUSED, now=now)
        return None
    return methods.add_approved(journey_id=journey.pk, payer=payer, now=now)


def ask_again_at(
    *, journey_id: int, now: datetime, retry_after: timedelta | None = None
) -> datetime | None:
    """Return when a provider that did not answer is asked again; None once a person must look."""
    started_at = Journey.objects.values_list("started_at", flat=True).get(pk=journey_id)
    age = now - started_at
    if age >= GIVE_UP_AFTER:
        return None
    wait = timedelta(minutes=5) if age < timedelta(hours=1) else timedelta(hours=1)
    return now + max(wait, retry_after or timedelta())


def expire(now: datetime) -> int:
    """End the journeys whose payers did not come back in time; return how many."""
    return Journey.objects.filter(state=JourneyState.OPEN, expires_at__lte=now).update(
        state=JourneyState.EXPIRED, ended_at=now
    )


def _of(traveller: Traveller, state: str, purpose: JourneyPurpose) -> QuerySet[Journey]:
    return Journey.objects.filter(
        state_digest=_digest(state),
        organisation_id=traveller.organisation_id,
        user_id=traveller.user_id,
        purpose=purpose,
    )


@transaction.atomic
def _give_up(journey: Journey, reason: str, now: datetime) -> None:
    Journey.objects.filter(pk=journey.pk, state=JourneyState.OPEN).update(
        state=JourneyState.REFUSED, ended_at=now
    )
    letters.staff_alert(
        format_lazy(_("{gateway}: a payer could not be sent there"), gateway=journey.gateway),
        [f"journey {journey.pk}", reason],
        journey.organisation_id,
        now,
    )


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()

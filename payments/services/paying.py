"""A customer pays something at once: with the registered method, or once at a provider's pages."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from core.work import Piece
from payments import jobs
from payments.enums import (
    LIVE,
    ChargeState,
    Initiator,
    JourneyPurpose,
    JourneyState,
)
from payments.gateways import registry
from payments.gateways.base import Entry
from payments.models import Charge, Journey, Payable
from payments.queries import payables as queries
from payments.rules import dunning
from payments.services import charges, journeys, serving
from payments.services.charges import AttemptUnderWay, Places, Shown
from payments.services.journeys import Traveller

_AT_ONCE = 500


class NotOffered(Exception):
    """This provider takes no single payments from this organisation."""


@dataclass(frozen=True, slots=True)
class WayBack:
    """Where a payer comes back to; `{state}` in both stands for the journey's one-time value."""

    return_url: str
    cancel_url: str

    def places(self, state: str) -> Places:
        return Places(
            self.return_url.replace("{state}", state), self.cancel_url.replace("{state}", state)
        )


def pay_with_method(*, payable_id: int, shown: Shown, actor: str, now: datetime) -> Charge:
    """Charge the registered method now; return the attempt as far as it came.

    A try that the customer asks for uses up none of the automatic ones. Raises charges.NotOwed,
    HeldByStaff, NotAsShown, AttemptUnderWay, NoMethod, AccountDiffers, and NotNow or Stopped where
    the provider was not reached: nothing is under way then. Rule: R3, F04.
    """
    if not queries.has_usable_method(payable_id):
        leave_unfinished(payable_id=payable_id, actor=actor, now=now)
        raise charges.NoMethod
    return charge_now(payable_id=payable_id, shown=shown, actor=actor, now=now)


def charge_now(*, payable_id: int, shown: Shown, actor: str, now: datetime) -> Charge:
    """Charge the registered method, also one whose company bills the payer itself. Raises as above."""
    leave_unfinished(payable_id=payable_id, actor=actor, now=now)
    charge = charges.prepare(
        payable_id=payable_id, initiator=Initiator.CUSTOMER, actor=actor, now=now, shown=shown
    )
    try:
        charges.carry_out(charge_id=charge.pk, now=now)
    except (charges.NotNow, charges.Stopped):
        # The payer is told that nothing was charged, and pays again or in another way.
        charges.cancel(charge_id=charge.pk, code="not_reached", actor=actor, now=now)
        raise
    charge.refresh_from_db()
    return charge


def set_out(
    *,
    payable_id: int,
    gateway: str,
    shown: Shown,
    traveller: Traveller,
    way_back: WayBack,
    now: datetime,
) -> str:
    """Send a payer to a provider's pages to approve this one payment; return their address.

    Raises NotOffered, charges.NotOwed, HeldByStaff, NotAsShown, AttemptUnderWay, NotNow, Stopped,
    journeys.ApprovalElsewhere; nothing is under way then.
    """
    payable = Payable.objects.select_related("organisation").get(pk=payable_id)
    offered = registry.offered(payable.organisation.country, payable.currency)
    if gateway not in [each.slug for each in offered if each.entry is Entry.REDIRECT]:
        raise NotOffered(gateway)
    actor = f"user:{traveller.user_id}"
    leave_unfinished(payable_id=payable_id, actor=actor, now=now)
    with transaction.atomic():
        charge = charges.prepare_once(
            payable_id=payable_id,
            gateway=gateway,
            actor=actor,
            now=now,
            shown=Shown(shown.amount),
        )
        journey, state = journeys.set_out(
            traveller=traveller,
            purpose=JourneyPurpose.PAYMENT,
            gateway=gateway,
            charge_id=charge.pk,
            now=now,
        )
    try:
        approval = charges.carry_out(charge_id=charge.pk, now=now, places=way_back.places(state))
    except (charges.NotNow, charges.Stopped):
        charges.cancel(charge_id=charge.pk, code="not_reached", actor=actor, now=now)
        raise
    if approval is None:
        raise AttemptUnderWay
    return journeys.lead_to(journey_id=journey.pk, approval=approval, now=now)


def come_back(*, journey: Journey, now: datetime) -> Charge:
    """Take the money that a payer, who is back, has approved; return the attempt as it stands.

    Called again it changes nothing. Raises NotNow: it goes on by itself.
    """
    charge_id = _charge_of(journey)
    charges.carry_out(charge_id=charge_id, now=now)
    charge = Charge.objects.select_related("payable").get(pk=charge_id)
    _end(journey, charge, now)
    serving.serve_if_taken(charge, now)
    return charge


def turn_back(*, journey: Journey, actor: str, now: datetime) -> bool:
    """Give up a payment that its payer broke off; return False where money may be under way."""
    return journey.state == JourneyState.CANCELLED and charges.cancel(
        charge_id=_charge_of(journey), code="payer_turned_back", actor=actor, now=now
    )


def leave_unfinished(*, payable_id: int, actor: str, now: datetime) -> None:
    """Give up a visit to a provider's pages that nobody came back from, to make room for another try.

    Of a payer who is back, and whose return broke off here, what was approved is taken instead.
    Nobody else's approval counts: it may be that of another session. Raises NotNow. Rule: F20.
    """
    charge = Charge.objects.filter(
        payable_id=payable_id, method=None, state__in=sorted(LIVE)
    ).first()
    if charge is None or charge.state not in {ChargeState.PREPARED, ChargeState.STARTED}:
        return
    is_back = Journey.objects.filter(charge=charge, state=JourneyState.RETURNED).exists()
    if charge.state == ChargeState.STARTED and is_back:
        charges.carry_out(charge_id=charge.pk, now=now)
    if charges.cancel(charge_id=charge.pk, code="left_unfinished", actor=actor, now=now):
        Journey.objects.filter(
            charge=charge, state__in=[JourneyState.OPEN, JourneyState.RETURNED]
        ).update(state=JourneyState.CANCELLED, ended_at=now)


def plan(now: datetime) -> None:
    """Ask for visits to be closed from which nobody came back in time, or whose return broke off."""
    due = (
        Charge.objects.filter(method=None, state__in=[ChargeState.PREPARED, ChargeState.STARTED])
        .filter(
            Q(journey__expires_at__lte=now)
            | Q(
                journey__state=JourneyState.RETURNED,
                called_at__lte=now - dunning.CALL_LOST_AFTER,
            )
        )
        .order_by("id")
        .values_list("payable_id", "organisation_id")[:_AT_ONCE]
    )
    pieces = [
        Piece(str(payable_id), {"payable_id": payable_id}, organisation_id)
        for payable_id, organisation_id in due
    ]
    if pieces:
        with transaction.atomic():
            jobs.CLOSE_VISIT.enqueue_all(pieces, due_at=now)


def _charge_of(journey: Journey) -> int:
    if journey.charge_id is None:
        raise ValueError(f"{journey} is about no payment")
    return journey.charge_id


def _end(journey: Journey, charge: Charge, now: datetime) -> None:
    if charge.state == ChargeState.STARTED:
        journeys.end(journey_id=journey.pk, state=JourneyState.REFUSED, now=now)
    elif charge.state not in LIVE:
        state = (
            JourneyState.COMPLETED
            if charge.state == ChargeState.SUCCEEDED
            else JourneyState.REFUSED
        )
        journeys.end(journey_id=journey.pk, state=state, now=now)

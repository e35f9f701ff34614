"""How an organisation's payment method stands, as the root sees it. Rule: S1-03."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from accounts.models import Organisation
from payments.enums import JourneyPurpose, JourneyState, MethodState, PayableState
from payments.models import Journey, Payable, PaymentMethod, SupportRequest
from plans import queries as plans

# How long a page tells of what came to nothing, and of what Support has answered.
TELL_FOR = timedelta(days=30)
_WAITING = frozenset({MethodState.REGISTERING, MethodState.UNDER_REVIEW})


@dataclass(frozen=True, slots=True)
class Methods:
    """What there is of an organisation: at most one of each.

    `current` is active or broken; `waiting` is being registered or under review; `rejected` is told
    of while neither is there. `journey`: a payer is back, and the provider has not answered yet.
    """

    current: PaymentMethod | None = None
    waiting: PaymentMethod | None = None
    rejected: PaymentMethod | None = None
    journey: Journey | None = None

    @property
    def active(self) -> PaymentMethod | None:
        return self.current if self.current and self.current.state == MethodState.ACTIVE else None

    @property
    def broken(self) -> PaymentMethod | None:
        return self.current if self.current and self.current.state == MethodState.BROKEN else None


def of(organisation: Organisation, now: datetime) -> Methods:
    """Return how an organisation's methods stand, in two statements."""
    rows = list(
        PaymentMethod.objects.filter(organisation=organisation)
        .exclude(state=MethodState.DETACHED)
        .exclude(state=MethodState.REJECTED, state_at__lt=now - TELL_FOR)
        .order_by("-state_at", "-pk")
    )
    current = next(
        (row for row in rows if row.state in {MethodState.ACTIVE, MethodState.BROKEN}), None
    )
    waiting = next((row for row in rows if row.state in _WAITING), None)
    rejected = next((row for row in rows if row.state == MethodState.REJECTED), None)
    is_active = current is not None and current.state == MethodState.ACTIVE
    if rejected and (waiting or is_active or (current and current.pk > rejected.pk)):
        rejected = None
    return Methods(
        current=current,
        waiting=waiting,
        rejected=rejected,
        journey=None if is_active else _under_way(organisation),
    )


def support_request(organisation: Organisation, now: datetime) -> SupportRequest | None:
    """Return the newest request to Support: an open one, or one that was answered lately."""
    newest = SupportRequest.objects.filter(organisation=organisation).order_by("-pk").first()
    if newest and newest.handled_at and newest.handled_at < now - TELL_FOR:
        return None
    return newest


def _under_way(organisation: Organisation) -> Journey | None:
    return (
        Journey.objects.filter(
            organisation=organisation,
            purpose=JourneyPurpose.METHOD,
            state=JourneyState.RETURNED,
        )
        .order_by("-pk")
        .first()
    )


def is_over(organisation: Organisation, now: datetime) -> bool:
    """Return whether nothing is to be paid any more: it is no customer, and owes nothing. Rule: S1-29."""
    closed_on = organisation.closed_on
    if closed_on is None or closed_on > now.astimezone(plans.vendor_zone()).date():
        return False
    return not Payable.objects.filter(organisation=organisation, state=PayableState.OPEN).exists()

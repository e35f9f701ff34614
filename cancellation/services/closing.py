"""What happens once the last day is over, found from rows alone; late is as good as punctual.

First what was contracted ends, by the date; when the last month is billed and nothing is on its way any
more, the payment methods go. Rule: S1-29, F62, R1.
"""

from contextlib import suppress
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts import services as accounts
from accounts.enums import Changed
from accounts.models import Organisation
from billing.enums import InvoiceKind
from billing.models import BilledMonth, Invoice
from cancellation import jobs
from cancellation.enums import Wait
from cancellation.models import Cancellation
from cancellation.queries import standing
from cancellation.services import letters
from core import audit
from core.canonical import Json
from core.months import BillingMonth, last_day, start_of_day
from core.work import Job, Piece
from payments.enums import (
    LIVE,
    REFUND_LIVE,
    STAFF_HOLDS,
    Hold,
    JourneyState,
    MethodState,
    PayableState,
)
from payments.models import Charge, Journey, Payable, PaymentMethod, Refund
from payments.services import letters as payment_letters
from payments.services import methods, spots
from plans import queries as plans
from plans import services as plan_services
from seats.services import settling
from spot_orders import queries as spot_orders
from spot_orders import services as spot_services
from spot_orders.enums import SpotState
from spot_orders.models import SpotOrder

ACTOR = "system:cancellation"
AT_A_TIME = 500
# For so long a settlement may wait before staff are told.
WAITS_FOR = timedelta(days=45)
LOOKS_AGAIN = timedelta(hours=1)
ENDED = "contract_ended"


def plan(now: datetime) -> None:
    """Ask for what has become due about cancellations, from rows alone. Rule: R1."""
    try:
        today = now.astimezone(plans.vendor_zone()).date()
    except plans.NoVendor:
        return
    _ask(jobs.CLOSE, standing.to_close(today), now)
    due = standing.to_settle().filter(Q(next_look_at=None) | Q(next_look_at__lte=now))
    _ask(jobs.SETTLE, due, now)
    orders = (
        SpotOrder.objects.filter(state=SpotState.PLACED, organisation__closed_on__lt=F("end_on"))
        .order_by("pk")
        .values_list("pk", "organisation_id")[:AT_A_TIME]
    )
    pieces = [Piece(str(pk), {"order_id": pk}, organisation) for pk, organisation in orders]
    if pieces:
        with transaction.atomic():
            jobs.GIVE_UP_ORDER.enqueue_all(pieces, due_at=now)


@transaction.atomic
def close(*, cancellation_id: int, now: datetime) -> bool:
    """End what was contracted with the last day that is over; return whether there was anything to do.

    Accounts but the root's are deactivated, selections and the main contract end, spot contracts are
    cut without a refund. Rule: S1-29.
    """
    found = Cancellation.objects.get(pk=cancellation_id)
    organisation = accounts.lock(found.organisation_id)
    today = now.astimezone(plans.vendor_zone()).date()
    cancellation = standing.to_close(today).filter(pk=cancellation_id).first()
    if cancellation is None:
        return False
    plan_services.close(
        organisation_id=organisation.pk, on=cancellation.end_on, actor=ACTOR, now=now
    )
    for order in spot_orders.contracts_of([organisation.pk]):
        if order.until_on > cancellation.end_on:
            spot_services.cut(
                order_id=order.pk,
                on=cancellation.end_on,
                reason=ENDED,
                actor=ACTOR,
                now=now,
            )
    settling.settle(organisation_id=organisation.pk, now=now)
    cancellation.closed_at = now
    cancellation.save(update_fields=["closed_at"])
    _record(cancellation, "cancellation.closed", now)
    accounts.tell_entitlements_changed([organisation], reason=Changed.CLOSED, now=now)
    letters.closed(cancellation, now)
    return True


def give_up_order(*, order_id: int, now: datetime) -> None:
    """Give up a spot order that is not paid and would run beyond the last day.

    One whose payment is under way waits for its outcome, which is given back. Raises AttemptUnderWay,
    charges.NotNow, Stopped, AccountDiffers.
    """
    order = SpotOrder.objects.select_related("organisation").get(pk=order_id)
    closed_on = order.organisation.closed_on
    if order.state != SpotState.PLACED or closed_on is None or order.until_on <= closed_on:
        return
    with suppress(spot_services.MovedBefore):  # what was taken for it just went back
        spots.give_up(order_id=order_id, why="contract_ends", actor=ACTOR, now=now)


@transaction.atomic
def settle(*, cancellation_id: int, now: datetime) -> Wait | None:
    """Let the payment methods of a closed organisation go; return what that waits for, or nothing.

    Not before the last month is billed, while anything is to be collected by itself, or while a
    payment or refund is undecided. What stays unpaid stays due. Rule: S1-29, F62.
    """
    found = Cancellation.objects.get(pk=cancellation_id)
    organisation = accounts.lock(found.organisation_id)
    cancellation = standing.to_settle().filter(pk=cancellation_id).first()
    if cancellation is None:
        return None
    why = waits_for(cancellation)
    if why:
        _look_later(cancellation, why, now)
        return why
    attached = PaymentMethod.objects.filter(
        organisation=organisation, state__in=standing.ATTACHED
    ).order_by("pk")
    detached = [
        methods.detach(method_id=method.pk, reason=ENDED, actor=ACTOR, now=now, code=ENDED).pk
        for method in attached
    ]
    if cancellation.settled_at is None:
        cancellation.settled_at = now
        cancellation.save(update_fields=["settled_at"])
        _record(cancellation, "cancellation.settled", now, methods=len(detached))
        letters.settled(cancellation, now)
    return None


def waits_for(cancellation: Cancellation) -> Wait | None:
    """Return what a settlement waits for; None where it may be done. Rule: F62."""
    organisation = cancellation.organisation
    last_month = BillingMonth.of_day(last_day(cancellation.end_on))
    is_billed = BilledMonth.objects.filter(
        organisation=organisation, month=last_month.first_day
    ).exists()
    not_taken_up = Invoice.objects.filter(
        organisation=organisation, kind=InvoiceKind.MONTHLY, payable=None
    )
    if not is_billed or not_taken_up.exists():
        return Wait.LAST_BILL
    if _is_undecided(organisation):
        return Wait.UNDECIDED
    payables = Payable.objects.filter(organisation=organisation)
    if payables.filter(captured__gt=F("gross") - F("credited") + F("refunded")).exists():
        return Wait.REFUND
    owed = payables.filter(state=PayableState.OPEN)
    if owed.filter(hold__in=sorted(STAFF_HOLDS)).exists():
        return Wait.STAFF
    is_reviewed = PaymentMethod.objects.filter(
        organisation=organisation, state__in=[MethodState.REGISTERING, MethodState.UNDER_REVIEW]
    ).exists()
    if owed.filter(hold=Hold.NOTHING).exists() or (is_reviewed and owed.exists()):
        return Wait.COLLECTION
    return None


def _is_undecided(organisation: Organisation) -> bool:
    """Return whether money may be under way in either direction, or a payer at a provider's pages."""
    return (
        Charge.objects.filter(organisation=organisation, state__in=sorted(LIVE)).exists()
        or Refund.objects.filter(organisation=organisation, state__in=sorted(REFUND_LIVE)).exists()
        or Journey.objects.filter(
            organisation=organisation, state__in=[JourneyState.OPEN, JourneyState.RETURNED]
        ).exists()
    )


def _look_later(cancellation: Cancellation, why: Wait, now: datetime) -> None:
    """Have it looked at again, and tell staff once where it has waited for long."""
    cancellation.next_look_at = now + LOOKS_AGAIN
    closed_at = start_of_day(cancellation.end_on, plans.vendor_zone())
    if cancellation.settlement_told_at is None and now - closed_at > WAITS_FOR:
        cancellation.settlement_told_at = now
        payment_letters.staff_alert(
            _("The money of a customer who left is not settled"),
            [str(why.label), f"cancellation {cancellation.public_id}"],
            cancellation.organisation_id,
            now,
        )
    cancellation.save(update_fields=["next_look_at", "settlement_told_at"])


def _ask(job: Job, found: QuerySet[Cancellation], now: datetime) -> None:
    pieces = [
        Piece(str(pk), {"cancellation_id": pk}, organisation_id)
        for pk, organisation_id in found.values_list("pk", "organisation_id")[:AT_A_TIME]
    ]
    if pieces:
        with transaction.atomic():
            job.enqueue_all(pieces, due_at=now)


def _record(cancellation: Cancellation, action: str, now: datetime, **details: Json) -> None:
    audit.record(
        actor=ACTOR,
        action=action,
        subject=f"cancellation:{cancellation.pk}",
        organisation_id=cancellation.organisation_id,
        at=now,
        details={"end_on": cancellation.end_on.isoformat(), **details},
    )

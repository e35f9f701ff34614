"""What is owed, and when it is charged: payables from invoices on, until nothing is owed. Rule: B-14."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, Max, OuterRef, Q

from accounts import services as accounts
from accounts.enums import Changed
from billing.enums import InvoiceKind
from billing.models import Invoice
from billing.rules import numbers
from core import audit
from core.work import Job, Piece
from payments import jobs
from payments.enums import (
    LIVE,
    STAFF_HOLDS,
    ChargeState,
    Hold,
    MethodState,
    PayableKind,
    PayableState,
)
from payments.models import Charge, ChargingStop, Payable, PaymentMethod
from payments.queries import payables
from payments.rules import dunning, sums
from payments.rules.sums import Sums
from payments.services import letters, stops
from plans import queries as plans

# The invoices that are collected once they are issued.
SERIES = (InvoiceKind.MONTHLY,)
_AT_ONCE = 2000
_OVERDUE = "payable.overdue"


def take_up(now: datetime) -> int:
    """Make a payable of each invoice that has none; return how many.

    Numbers of a series are given in the order of the transactions' ends (B-09), so that what is
    above the last one taken up is what is new, and nothing can appear below it.
    """
    taken = 0
    for series in SERIES:
        while new := _take_up(series, now):
            taken += new
    return taken


def plan(now: datetime) -> None:
    """Ask for all that collecting has to do by `now`, found from state alone. Rule: R1."""
    _plan_charges(now)
    _plan_looks(now)
    _ask(jobs.MARK_OVERDUE, _become_overdue(now), now)


@transaction.atomic
def resume(*, organisation_id: int, now: datetime) -> int:
    """Charge what is open, a method that works being there (again); return how many payables.

    The caller holds the organisation's lock. What differs stays with staff; a spot order is its
    customer's to pay.
    """
    return (
        Payable.objects.filter(organisation_id=organisation_id, state=PayableState.OPEN)
        .exclude(kind=PayableKind.SPOT_ORDER)
        .exclude(hold__in=sorted(STAFF_HOLDS))
        .update(hold=Hold.NOTHING, next_charge_at=now, declines=0, first_failed_at=None)
    )


@transaction.atomic
def hold_all(*, organisation_id: int, hold: Hold, now: datetime) -> int:
    """Charge nothing of an organisation by itself until `resume`; return how many payables."""
    return (
        Payable.objects.filter(organisation_id=organisation_id, state=PayableState.OPEN)
        .exclude(kind=PayableKind.SPOT_ORDER)
        .exclude(hold__in=sorted(STAFF_HOLDS))
        .update(hold=hold, next_charge_at=None)
    )


def apply_sums(payable: Payable, now: datetime) -> None:
    """Store a payable's sums and the state that follows from them. Rule: I07.

    The caller holds its lock. One that is written off stays so unless money comes in for it.
    """
    state = sums.state(Sums(payable.gross, payable.credited, payable.captured, payable.refunded))
    if payable.state == PayableState.WRITTEN_OFF and state is PayableState.OPEN:
        state = PayableState.WRITTEN_OFF
    was_overdue = state is not PayableState.OPEN and payables.is_overdue(payable.organisation_id)
    if state is PayableState.OPEN:
        payable.closed_at = None
    elif payable.closed_at is None:
        payable.closed_at = now
        payable.next_charge_at = None
        payable.overdue_at = None
        payable.hold = Hold.NOTHING
    payable.state = state
    payable.save(
        update_fields=[
            *("credited", "captured", "refunded", "state", "closed_at"),
            *("next_charge_at", "overdue_at", "hold"),
        ]
    )
    if was_overdue and not payables.is_overdue(payable.organisation_id):
        accounts.tell_entitlements_changed([payable.organisation], reason=Changed.PAID, now=now)


@transaction.atomic
def mark_overdue(*, payable_id: int, now: datetime) -> bool:
    """Mark what can no longer be collected by itself, tell root and staff; return whether it is new.

    Rule: B-14.
    """
    payable = Payable.objects.select_related("organisation").get(pk=payable_id)
    accounts.lock(payable.organisation_id)
    was_overdue = payables.is_overdue(payable.organisation_id)
    changed = (
        Payable.objects.filter(pk=payable_id, state=PayableState.OPEN, overdue_at=None)
        .exclude(hold=Hold.NOTHING)
        .exclude(kind=PayableKind.SPOT_ORDER, invoice=None)
        .update(overdue_at=now)
    )
    if not changed:
        return False
    payable.refresh_from_db()
    audit.record(
        actor="system:collection",
        action=_OVERDUE,
        subject=f"payable:{payable.pk}",
        organisation_id=payable.organisation_id,
        at=now,
        details={"number": payable.number, "balance": payable.balance},
    )
    letters.payable_overdue(payable, now)
    if not was_overdue:
        accounts.tell_entitlements_changed([payable.organisation], reason=Changed.OVERDUE, now=now)
    return True


@transaction.atomic
def _take_up(series: InvoiceKind, now: datetime) -> int:
    last = Payable.objects.filter(series=series).aggregate(last=Max("serial"))["last"] or 0
    new = list(
        Invoice.objects.filter(kind=series, number__gt=last)
        .select_related("vendor")
        .order_by("number")[:_AT_ONCE]
    )
    usable = set(
        PaymentMethod.objects.filter(
            organisation_id__in={invoice.organisation_id for invoice in new},
            state=MethodState.ACTIVE,
        ).values_list("organisation_id", flat=True)
    )
    # A second planner at the same moment gives the same rows, of which one set is stored.
    Payable.objects.bulk_create(
        [_payable(invoice, invoice.organisation_id in usable, now) for invoice in new],
        ignore_conflicts=True,
    )
    return len(new)


def _payable(invoice: Invoice, has_method: bool, now: datetime) -> Payable:
    is_owed = invoice.gross > 0
    return Payable(
        organisation_id=invoice.organisation_id,
        invoice=invoice,
        series=invoice.kind,
        serial=invoice.number,
        number=numbers.written(invoice.vendor.invoice_prefix, invoice.number),
        currency=invoice.currency,
        gross=invoice.gross,
        due_on=invoice.due_on,
        state=PayableState.OPEN if is_owed else PayableState.PAID,
        closed_at=None if is_owed else now,
        hold=Hold.NOTHING if has_method or not is_owed else Hold.NO_METHOD,
        next_charge_at=now if has_method and is_owed else None,
        created_at=now,
    )


def _live() -> Exists:
    return Exists(Charge.objects.filter(payable=OuterRef("pk"), state__in=sorted(LIVE)))


def _plan_charges(now: datetime) -> None:
    stopped = set(ChargingStop.objects.values_list("scope", flat=True))
    if stops.EVERYWHERE in stopped:
        return
    gateways = [
        scope.partition(":")[2] for scope in stopped if scope.startswith(stops.of_gateway(""))
    ]
    organisations = [
        int(scope.partition(":")[2]) for scope in stopped if scope.startswith("organisation:")
    ]
    due = (
        Payable.objects.filter(state=PayableState.OPEN, next_charge_at__lte=now)
        .exclude(organisation_id__in=organisations)
        .exclude(
            Exists(
                PaymentMethod.objects.filter(
                    organisation=OuterRef("organisation"),
                    state=MethodState.ACTIVE,
                    gateway__in=gateways,
                )
            )
        )
        .filter(~_live())
        .order_by("next_charge_at", "id")
        .values_list("pk", "organisation_id")[:_AT_ONCE]
    )
    # Prepared and left: by a crash, or because the provider was stopped meanwhile.
    left = (
        Charge.objects.filter(
            state__in=[ChargeState.PREPARED, ChargeState.STARTED],
            method__isnull=False,
            created_at__lte=now - dunning.CALL_LOST_AFTER,
        )
        .filter(Q(next_look_at=None) | Q(next_look_at__lte=now))
        .exclude(organisation_id__in=organisations)
        .exclude(gateway__in=gateways)
        .order_by("id")
        .values_list("payable_id", "organisation_id")[:_AT_ONCE]
    )
    # Captured more than is owed: it is given back.
    surplus = (
        Payable.objects.filter(captured__gt=F("gross") - F("credited") + F("refunded"))
        .exclude(organisation_id__in=organisations)
        .order_by("id")
        .values_list("pk", "organisation_id")[:_AT_ONCE]
    )
    _ask(jobs.COLLECT, sorted({*due, *left, *surplus}), now)


def _ask(job: Job, payables: Sequence[tuple[int, int]], now: datetime) -> None:
    if not payables:
        return
    with transaction.atomic():
        job.enqueue_all(
            [
                Piece(str(payable_id), {"payable_id": payable_id}, organisation_id)
                for payable_id, organisation_id in payables
            ],
            due_at=now,
        )


def _plan_looks(now: datetime) -> None:
    lost = Q(state=ChargeState.SENT, called_at__lte=now - dunning.CALL_LOST_AFTER)
    undecided = Q(state__in=[ChargeState.UNDECIDED, ChargeState.PENDING], next_look_at__lte=now)
    found = list(
        Charge.objects.filter(lost | undecided)
        .order_by("id")
        .values_list("pk", "organisation_id")[:_AT_ONCE]
    )
    if not found:
        return
    with transaction.atomic():
        jobs.LOOK.enqueue_all(
            [
                Piece(str(charge_id), {"charge_id": charge_id}, organisation_id)
                for charge_id, organisation_id in found
            ],
            due_at=now,
        )


def _become_overdue(now: datetime) -> list[tuple[int, int]]:
    """Return payables, with their organisations, that nothing collects any more and that are late."""
    held = (
        Payable.objects.filter(
            state=PayableState.OPEN,
            overdue_at=None,
            hold__in=[Hold.NO_METHOD, Hold.METHOD_BROKEN, Hold.DECLINED],
            # No zone is a day ahead of UTC: what is due later need not be looked at.
            due_on__lt=(now + timedelta(days=1)).date(),
        )
        .filter(~_live())
        .order_by("id")
        .values_list("pk", "organisation_id", "due_on", "first_failed_at")[:_AT_ONCE]
    )
    rows = list(held)
    if not rows:
        return []
    zone = plans.vendor_zone()
    return [
        (payable_id, organisation_id)
        for payable_id, organisation_id, due_on, first_failed_at in rows
        if dunning.overdue_from(due_on, first_failed_at, zone) <= now
    ]

"""What an organisation owes, and what happens next about it. Rule: B-14, R14."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Min, OuterRef, Q, QuerySet, Subquery, Sum

from accounts.models import Organisation
from payments.enums import (
    LIVE,
    ChargeState,
    Hold,
    JourneyState,
    MethodState,
    PayableKind,
    PayableState,
    RefundKind,
    RefundState,
)
from payments.gateways import registry
from payments.models import Charge, Payable, PaymentMethod, Refund
from payments.rules import dunning

_BALANCE = F("gross") - F("credited") - F("captured") + F("refunded")
# An order that nobody has paid yet is no debt: it lapses.
_IS_DEBT = ~Q(kind=PayableKind.SPOT_ORDER, invoice=None)


@dataclass(frozen=True, slots=True)
class Outlook:
    """How a document stands and what happens about it without anybody's doing.

    `live`: the attempt under way; `last`: the newest one that is decided; `taken`: the newest that
    took the money. `next_charge_at`: when the registered method is charged; `tries` with all further
    dates if each is declined. `given_back`: refunds, newest first. `attempts`: how many there were.
    """

    payable: Payable
    live: Charge | None
    last: Charge | None
    taken: Charge | None
    method: PaymentMethod | None
    next_charge_at: datetime | None
    tries: tuple[datetime, ...]
    given_back: tuple[Refund, ...] = ()
    attempts: int = 0

    @property
    def can_pay_now(self) -> bool:
        return self.payable.state == PayableState.OPEN and (
            self.live is None
            or (self.live.state == ChargeState.STARTED and not self.is_being_confirmed)
        )

    @property
    def is_being_confirmed(self) -> bool:
        """Whether an attempt was sent and its answer is not known: nobody may pay again now.

        So is one whose payer is back, while the provider cannot say what was approved.
        """
        if self.live is None:
            return False
        if self.live.state == ChargeState.STARTED:
            journey = getattr(self.live, "journey", None)
            return journey is not None and journey.state == JourneyState.RETURNED
        return self.live.state in {ChargeState.SENT, ChargeState.UNDECIDED, ChargeState.PENDING}


def is_overdue(organisation_id: int) -> bool:
    """Return whether spot orders and plan upgrades are refused until something is paid. Rule: B-14."""
    return Payable.objects.filter(
        organisation_id=organisation_id, state=PayableState.OPEN, overdue_at__isnull=False
    ).exists()


def open_of(organisation: Organisation) -> QuerySet[Payable]:
    """Return what an organisation owes, the oldest due first."""
    return Payable.objects.filter(
        _IS_DEBT, organisation=organisation, state=PayableState.OPEN
    ).order_by("due_on", "id")


@dataclass(frozen=True, slots=True)
class Listed:
    """A payable as a list tells of it. `taken_by`: the gateway through which the money came last."""

    payable: Payable
    taken_by: str = ""


def of_invoices(organisation: Organisation, invoice_ids: Sequence[int]) -> Mapping[int, Listed]:
    """Return the payables of these invoices, by invoice, in one statement.

    An invoice just issued has none yet.
    """
    rows = listed(organisation).filter(invoice_id__in=invoice_ids)
    return {row.invoice_id: Listed(row, row.taken_by or "") for row in rows if row.invoice_id}


def of_invoice(organisation: Organisation, invoice: UUID) -> Listed | None:
    """Return the payable of the invoice with this public id, in one statement."""
    row = listed(organisation).filter(invoice__public_id=invoice).first()
    return Listed(row, row.taken_by or "") if row else None


def listed(organisation: Organisation) -> QuerySet[Payable, Any]:
    """Return payables with `taken_by`, the gateway through which the money came last."""
    taken_by = (
        Charge.objects.filter(payable=OuterRef("pk"), state=ChargeState.SUCCEEDED)
        .order_by("-id")
        .values("gateway")[:1]
    )
    return Payable.objects.filter(organisation=organisation).annotate(taken_by=Subquery(taken_by))


@dataclass(frozen=True, slots=True)
class Owed:
    """What an organisation owes in one currency: minor units, and of that what is overdue.

    `overdue_since`: the earliest such moment; `overdue_count`: documents.
    """

    currency: str
    total: int
    overdue: int = 0
    overdue_count: int = 0
    overdue_since: datetime | None = None


def owed_by(organisation: Organisation) -> list[Owed]:
    """Return what is open, an entry a currency, in one statement; empty where nothing is owed."""
    is_overdue = Q(overdue_at__isnull=False)
    rows = (
        Payable.objects.filter(_IS_DEBT, organisation=organisation, state=PayableState.OPEN)
        .order_by("currency")
        .values("currency")
        .annotate(
            total=Sum(_BALANCE),
            overdue=Sum(_BALANCE, filter=is_overdue),
            count=Count("pk", filter=is_overdue),
            since=Min("overdue_at"),
        )
    )
    return [
        Owed(
            currency=row["currency"],
            total=int(row["total"]),
            overdue=int(row["overdue"] or 0),
            overdue_count=row["count"],
            overdue_since=row["since"],
        )
        for row in rows
    ]


def overdue_among(organisation_ids: Iterable[int]) -> set[int]:
    """Return which of these organisations have something overdue, in one statement."""
    return set(
        Payable.objects.filter(
            organisation_id__in=organisation_ids,
            state=PayableState.OPEN,
            overdue_at__isnull=False,
        ).values_list("organisation_id", flat=True)
    )


def has_usable_method(payable_id: int) -> bool:
    """Return whether the organisation that owes this has a method that `is_usable`."""
    organisation_id = Payable.objects.values_list("organisation_id", flat=True).get(pk=payable_id)
    method = PaymentMethod.objects.filter(
        organisation_id=organisation_id, state=MethodState.ACTIVE
    ).first()
    return method is not None and is_usable(method)


def outlook_of(payable: Payable) -> Outlook:
    """Return how a payable stands, in three statements."""
    charges = list(payable.charges.select_related("method", "journey").order_by("-id"))
    live = next((each for each in charges if each.state in LIVE), None)
    method = PaymentMethod.objects.filter(
        organisation_id=payable.organisation_id,
        state__in=[MethodState.ACTIVE, MethodState.BROKEN],
    ).first()
    refunds = (
        Refund.objects.filter(charge__payable=payable, kind=RefundKind.REFUND)
        .exclude(state=RefundState.REJECTED)
        .exclude(state=RefundState.FAILED, made_good_by__isnull=False)
        .order_by("-id")
    )
    return Outlook(
        payable=payable,
        live=live,
        last=next((each for each in charges if each.state not in LIVE), None),
        taken=next((each for each in charges if each.state == ChargeState.SUCCEEDED), None),
        method=method,
        next_charge_at=payable.next_charge_at,
        tries=_tries(payable),
        given_back=tuple(refunds),
        attempts=len(charges),
    )


def _tries(payable: Payable) -> tuple[datetime, ...]:
    """Return the dates on which the method is charged if each try is declined. Rule: B-14."""
    if payable.next_charge_at is None or payable.hold != Hold.NOTHING:
        return ()
    first = payable.first_failed_at or payable.next_charge_at
    later = (
        dunning.next_try(declines, first)
        for declines in range(payable.declines + 1, len(dunning.AGAIN_AFTER) + 1)
    )
    return (payable.next_charge_at, *(each for each in later if each is not None))


def of_public_id(organisation: Organisation, invoice: UUID) -> Payable | None:
    """Return what the organisation owes for the invoice with this public id, with the invoice."""
    return (
        Payable.objects.filter(organisation=organisation, invoice__public_id=invoice)
        .select_related("invoice")
        .first()
    )


def is_usable(method: PaymentMethod) -> bool:
    """Return whether a method can be charged at a customer's wish: works, and at once."""
    return (
        method.state == MethodState.ACTIVE
        and not registry.gateway(method.gateway).collects_by_invoice
    )

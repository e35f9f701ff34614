"""What can be given back, what is being given back, and what of it waits for a person."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from billing.enums import InvoiceKind
from billing.models import Invoice
from payments.enums import (
    LIVE,
    REFUND_LIVE,
    ChargeState,
    CorrectionState,
    RefundState,
)
from payments.models import Charge, ChargingStop, Correction, Payable, Refund
from payments.rules import dunning, refunds
from payments.rules.refunds import Captured, Share
from payments.rules.sums import Sums

_NOT_GIVEN = (RefundState.FAILED, RefundState.REJECTED)
_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A failed refund, and what of it nobody has made good yet."""

    refund: Refund
    open_amount: int


@dataclass(frozen=True, slots=True)
class GivenBack:
    """What a payable's charges can still give back, the newest first, and what is on its way.

    `under_way` holds refunds that are being made and failed ones that nobody has made good.
    """

    captured: tuple[Captured, ...]
    under_way: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What a credit would bring about, for the page on which staff confirm it. Gross, minor units.

    `left`: what of the invoice is not credited yet; `gross`: what would be; `refund`: what would be
    given back, as `shares` of the charges. It has to wait while a charge that was sent is not decided.
    """

    payable: Payable | None
    left: int
    gross: int
    refund: int
    shares: tuple[Share, ...]
    still_owed: int
    needs_second: bool
    waiting: Correction | None
    charge_under_way: Charge | None


def sums_of(payable: Payable) -> Sums:
    """Return a payable's sums as the rules take them."""
    return Sums(payable.gross, payable.credited, payable.captured, payable.refunded)


def unanswered(**of: int) -> list[Unanswered]:
    """Return failed refunds that nobody has made good in full, the oldest first.

    `of`: which ones, as a filter's keywords: charge_id, charge__payable_id.
    """
    return [
        Unanswered(refund, refund.open_amount)
        for refund in _unanswered().filter(**of).order_by("created_at", "id")
    ]


def _unanswered() -> QuerySet[Any]:
    """Return failed refunds with `open_amount`, above zero."""
    made_good = (
        Refund.objects.filter(instead_of=OuterRef("pk"))
        .exclude(state=RefundState.REJECTED)
        .order_by()
        .values("instead_of")
        .annotate(total=Sum("amount"))
        .values("total")
    )
    return (
        Refund.objects.filter(state=RefundState.FAILED)
        .annotate(open_amount=F("amount") - Coalesce(Subquery(made_good), 0))
        .filter(open_amount__gt=0)
    )


def given_back(payable_id: int) -> GivenBack:
    """Return how far a payable's captured money is given back. Rule: I09."""
    charges = Charge.objects.filter(payable_id=payable_id, state=ChargeState.SUCCEEDED)
    given: dict[int, int] = {}
    live = 0
    for charge_id, amount, state in (
        Refund.objects.filter(charge__payable_id=payable_id)
        .exclude(state__in=_NOT_GIVEN)
        .values_list("charge_id", "amount", "state")
    ):
        given[charge_id] = given.get(charge_id, 0) + amount
        live += amount if state in REFUND_LIVE else 0
    failed: dict[int, int] = {}
    for each in unanswered(charge__payable_id=payable_id):
        charge_id = each.refund.charge_id
        failed[charge_id] = failed.get(charge_id, 0) + each.open_amount
    captured, waiting = [], 0
    for charge_id, amount in charges.order_by("-decided_at", "-id").values_list("pk", "amount"):
        rest = amount - given.get(charge_id, 0)
        # What the provider took back by itself meanwhile need not be made good any more.
        for_staff = min(rest, failed.get(charge_id, 0))
        waiting += for_staff
        captured.append(Captured(charge_id, rest - for_staff))
    return GivenBack(tuple(captured), live + waiting)


def left_on(charge: Charge) -> int:
    """Return what of a charge is neither given back nor being given back; what failed is in it."""
    given: int | None = charge.refunds.exclude(state__in=_NOT_GIVEN).aggregate(total=Sum("amount"))[
        "total"
    ]
    return charge.amount - (given or 0)


def decided_alone(payable_id: int) -> int:
    """Return what single persons have credited or written off of a payable. Rule: ASVS 2.3.5."""
    total: int | None = Correction.objects.filter(
        payable_id=payable_id, state=CorrectionState.DONE, is_alone=True
    ).aggregate(total=Sum("gross"))["total"]
    return total or 0


def needs_second(payable_id: int, amount: int) -> bool:
    """Return whether crediting or writing off so much of a payable waits for a second person."""
    return not refunds.may_decide_alone(
        amount, decided_alone(payable_id), settings.REFUND_ALONE_UP_TO
    )


def preview(*, invoice_id: int, gross: int | None = None) -> Preview:
    """Return what crediting an invoice, whole or in part, would bring about. Reads, stores nothing.

    Raises Invoice.DoesNotExist, also for a credit note. Rule: B-11.
    """
    invoice = Invoice.objects.exclude(kind=InvoiceKind.CREDIT_NOTE).get(pk=invoice_id)
    payable = Payable.objects.filter(invoice=invoice).first()
    if payable is None:
        left, sums, back, alone = invoice.gross, Sums(invoice.gross), GivenBack((), 0), 0
    else:
        left, sums = payable.gross - payable.credited, sums_of(payable)
        back, alone = given_back(payable.pk), decided_alone(payable.pk)
    amount = left if gross is None else max(0, min(gross, left))
    after = Sums(sums.gross, sums.credited + amount, sums.captured, sums.refunded)
    refund = refunds.surplus(after, back.under_way)
    return Preview(
        payable=payable,
        left=left,
        gross=amount,
        refund=refund,
        shares=refunds.shares(refund, back.captured),
        still_owed=max(0, after.balance),
        needs_second=not refunds.may_decide_alone(amount, alone, settings.REFUND_ALONE_UP_TO),
        waiting=waiting_corrections().filter(payable=payable).first() if payable else None,
        charge_under_way=(
            payable.charges.filter(state__in=sorted(LIVE)).first() if payable else None
        ),
    )


def waiting_corrections() -> QuerySet[Correction]:
    """Return what waits for a second person, the oldest first. Rule: ASVS 2.3.5."""
    return (
        Correction.objects.filter(state=CorrectionState.WAITING)
        .select_related("payable", "organisation")
        .order_by("requested_at", "id")
    )


def for_staff(now: datetime) -> QuerySet[Refund]:
    """Return refunds that wait for a person, the oldest first. Rule: R12, I06.

    Failed and not made good; or undecided, and asked about for too long or not any more.
    """
    failed = _unanswered().values("pk")
    long_ago = now - dunning.PERSON_AFTER
    stuck = Q(state__in=[RefundState.PENDING, RefundState.UNDECIDED]) & (
        Q(sent_at__lte=long_ago) | Q(next_look_at=None)
    )
    return (
        Refund.objects.filter(Q(pk__in=failed) | stuck)
        .select_related("charge__payable", "organisation", "credit_note")
        .order_by("created_at", "id")
    )


def refunds_of(payable_id: int) -> QuerySet[Refund]:
    """Return all refunds and reversals of a payable, the newest first."""
    return (
        Refund.objects.filter(charge__payable_id=payable_id)
        .select_related("charge", "credit_note")
        .order_by("-created_at", "-id")
    )


def due(now: datetime) -> list[tuple[int, int]]:
    """Return (refund, organisation) of refunds with which something is to be done by `now`.

    Nothing is sent where charging is stopped; what was sent is looked up all the same. Rule: R1.
    """
    stopped = set(ChargingStop.objects.values_list("scope", flat=True))
    gateways = [_named(scope) for scope in stopped if scope.startswith("gateway:")]
    organisations = [int(_named(scope)) for scope in stopped if scope.startswith("organisation:")]
    is_time = Q(next_look_at=None) | Q(next_look_at__lte=now)
    prepared = (
        Q(state=RefundState.PREPARED)
        & is_time
        & ~Q(charge__gateway__in=gateways)
        & ~Q(organisation_id__in=organisations)
    )
    lost = Q(state=RefundState.SENT, called_at__lte=now - dunning.CALL_LOST_AFTER)
    to_look_at = Q(state__in=[RefundState.PENDING, RefundState.UNDECIDED], next_look_at__lte=now)
    wanted = lost | to_look_at if "all" in stopped else prepared | lost | to_look_at
    return list(
        Refund.objects.filter(wanted).order_by("id").values_list("pk", "organisation_id")[:_AT_ONCE]
    )


def _named(scope: str) -> str:
    return scope.partition(":")[2]

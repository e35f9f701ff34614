"""What of the money waits for a person, and the history of each row, for the back office. Rule: R12."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Min, Q, QuerySet, Sum

from accounts.models import User
from billing.models import Invoice
from core.enums import WorkState
from core.models import AuditEntry, Work
from payments.enums import (
    LIVE,
    STAFF_HOLDS,
    ChargeState,
    CorrectionState,
    Hold,
    MethodState,
    NoticeState,
    PayableState,
    RefundState,
)
from payments.models import (
    Charge,
    ChargingStop,
    Correction,
    Difference,
    Payable,
    PaymentMethod,
    Refund,
    StoredNotice,
    SupportRequest,
    Transition,
)
from payments.queries import refunds
from payments.queries.reconciling import open_differences
from payments.rules import dunning

# A provider that decides for longer than this about a charge, or a payer, is worth a look.
PENDING_LONG = timedelta(days=1)
REVIEW_LONG = timedelta(days=3)
_HISTORY = 200
_NOTICES = 50

When = Callable[[datetime], Q]

CHARGES: Mapping[str, When] = {
    "undecided": lambda _now: Q(state=ChargeState.UNDECIDED),
    "lost": lambda now: Q(state=ChargeState.SENT, called_at__lte=now - dunning.CALL_LOST_AFTER),
    "pending": lambda now: Q(state=ChargeState.PENDING, created_at__lte=now - PENDING_LONG),
}
PAYABLES: Mapping[str, When] = {
    "overdue": lambda _now: Q(state=PayableState.OPEN, overdue_at__isnull=False),
    "differs": lambda _now: Q(state=PayableState.OPEN, hold=Hold.DIFFERS),
    "reversed": lambda _now: Q(state=PayableState.OPEN, hold=Hold.REVERSED),
}
METHODS: Mapping[str, When] = {
    "review": lambda now: Q(
        state__in=[MethodState.REGISTERING, MethodState.UNDER_REVIEW],
        created_at__lte=now - REVIEW_LONG,
    ),
    "broken": lambda _now: Q(state=MethodState.BROKEN),
}
REFUNDS: Mapping[str, When] = {
    "failed": lambda now: Q(
        pk__in=refunds.for_staff(now).filter(state=RefundState.FAILED).values("pk")
    ),
    "stuck": lambda now: Q(
        pk__in=refunds.for_staff(now).exclude(state=RefundState.FAILED).values("pk")
    ),
}
PARKED = Q(state=WorkState.PARKED, kind__startswith="payments.")


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much of a kind waits for a person, and since when the oldest of it."""

    kind: str
    count: int
    oldest_at: datetime | None


def waiting(now: datetime) -> list[Waiting]:
    """Return what waits for a person, kind by kind, in the order in which it matters; a query each."""
    charges, payables = Charge.objects.all(), Payable.objects.all()
    return [
        *(_kind(f"charges.{name}", charges, CHARGES[name](now), "created_at") for name in CHARGES),
        *(
            _kind(f"payables.{name}", payables, PAYABLES[name](now), "created_at")
            for name in ("differs", "reversed")
        ),
        _kind("differences", open_differences().order_by(), Q(), "found_at"),
        _kind(
            "corrections",
            Correction.objects.all(),
            Q(state=CorrectionState.WAITING),
            "requested_at",
        ),
        *(
            _kind(f"refunds.{name}", Refund.objects.all(), REFUNDS[name](now), "created_at")
            for name in REFUNDS
        ),
        _kind("requests", SupportRequest.objects.all(), Q(handled_at=None), "created_at"),
        _overdue_organisations(payables, now),
        _kind("methods.review", PaymentMethod.objects.all(), METHODS["review"](now), "created_at"),
        _kind("gateways", ChargingStop.objects.all(), Q(scope__startswith="gateway:"), "since"),
        _kind("work", Work.objects.all(), PARKED, "ended_at"),
    ]


def _kind(name: str, rows: QuerySet[Any], wanted: Q, since: str) -> Waiting:
    found = rows.filter(wanted).aggregate(count=Count("pk"), oldest=Min(since))
    return Waiting(name, found["count"], found["oldest"])


def _overdue_organisations(payables: QuerySet[Payable], now: datetime) -> Waiting:
    found = payables.filter(PAYABLES["overdue"](now)).aggregate(
        count=Count("organisation", distinct=True), oldest=Min("overdue_at")
    )
    return Waiting("payables.overdue", found["count"], found["oldest"])


def transitions(subject: str, row_id: int) -> list[Transition]:
    """Return each change of state of a method, charge or refund, the oldest first."""
    return list(
        Transition.objects.filter(subject=subject, subject_id=row_id).order_by("id")[:_HISTORY]
    )


def audited(organisation_id: int, subject: str) -> list[AuditEntry]:
    """Return what the trail of an organisation says about a row (`charge:7`), the oldest first."""
    return list(
        AuditEntry.objects.filter(chain=organisation_id, subject=subject).order_by("seq")[:_HISTORY]
    )


def notices_about(gateway: str, names: Iterable[str], since: datetime) -> list[StoredNotice]:
    """Return the notices of a provider that name one of these since an instant, the newest first.

    What was forged is left out: it is about nothing.
    """
    about = Q(pk__in=[])
    for name in names:
        if name:
            about |= Q(references__contains=[name])
    return list(
        StoredNotice.objects.filter(about, gateway=gateway, received_at__gte=since)
        .exclude(state=NoticeState.FORGED)
        .order_by("-id")[:_NOTICES]
    )


def people(actors: Iterable[str]) -> dict[str, str]:
    """Return the e-mail addresses of the people among actors (`user:7`), by actor."""
    ids = {int(actor[5:]) for actor in actors if actor.startswith("user:") and actor[5:].isdigit()}
    if not ids:
        return {}
    return {
        f"user:{user_id}": email
        for user_id, email in User.objects.filter(pk__in=ids).values_list("pk", "email")
    }


def differences_of(charge: Charge) -> QuerySet[Difference]:
    """Return where a charge or its refunds differ from the provider's books, the newest first."""
    return Difference.objects.filter(Q(charge=charge) | Q(refund__charge=charge)).order_by("-id")


def forged() -> int:
    """Return how many notices with a signature that is not the provider's are kept. Rule: F16."""
    return StoredNotice.objects.filter(state=NoticeState.FORGED).count()


def charges_named_by(notice: StoredNotice) -> QuerySet[Charge]:
    """Return the attempts that a notice names; a forged one is about nothing."""
    names = (
        []
        if notice.state == NoticeState.FORGED
        else [str(each) for each in notice.references if each]
    )
    return Charge.objects.filter(
        Q(key__in=names) | Q(reference__in=names) | Q(capture__in=names), gateway=notice.gateway
    )


@dataclass(frozen=True, slots=True)
class StandingOf:
    """What an organisation owes, in minor units, how many documents are overdue, why it is stopped."""

    owed: int
    overdue: int
    stopped: str


def standing_of(organisation_id: int) -> StandingOf:
    """Return how an organisation stands, in two statements."""
    found = Payable.objects.filter(
        organisation_id=organisation_id, state=PayableState.OPEN
    ).aggregate(
        owed=Sum(F("gross") - F("credited") - F("captured") + F("refunded")),
        overdue=Count("pk", filter=Q(overdue_at__isnull=False)),
    )
    stop = ChargingStop.objects.filter(scope__in=["all", f"organisation:{organisation_id}"]).first()
    return StandingOf(found["owed"] or 0, found["overdue"], stop.reason if stop else "")


def may_be_charged(payable: Payable) -> bool:
    """Return whether a payable can be charged to a registered method now, as far as rows tell."""
    return (
        payable.state == PayableState.OPEN
        and not payable.is_unserved_order
        and payable.hold not in STAFF_HOLDS
        and not payable.charges.filter(state__in=sorted(LIVE)).exists()
        and PaymentMethod.objects.filter(
            organisation_id=payable.organisation_id, state=MethodState.ACTIVE
        ).exists()
    )


def payable_of(invoice: Invoice) -> Payable | None:
    """Return what is collected for an invoice; None for one that is not taken up."""
    return Payable.objects.filter(invoice=invoice).first()


def credit_notes_of(invoice: Invoice) -> QuerySet[Invoice]:
    """Return what was credited of an invoice, the oldest first."""
    return Invoice.objects.filter(corrects=invoice).order_by("pk")

"""What was confirmed by a cancellation, as its receipt says it for good. Rule: S1-28, S1-29."""

from dataclasses import dataclass
from datetime import date, timedelta

from billing.enums import DocumentState
from cancellation import jobs
from cancellation.models import Cancellation, ReceiptDocument
from cancellation.rules.binding import Kind
from core.enums import WorkState
from core.models import Work
from plans import queries as plans
from plans.enums import Category
from plans.models import PlanVersion, VendorVersion


@dataclass(frozen=True, slots=True)
class HeldPlan:
    """A plan that was in force when the cancellation was confirmed."""

    category: Category
    version: PlanVersion
    steps: int


@dataclass(frozen=True, slots=True)
class HeldSpot:
    """A spot contract, or an unpaid order, that was shown. `last_on`: without the cancellation."""

    number: str
    accounts: int
    first_on: date
    last_on: date
    is_paid: bool


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was confirmed, from what was shown: what was changed later is no part of it.

    Days are inclusive. `contract_last_on`: the main contract's own last day, if one was in force or
    ordered.
    """

    cancellation: Cancellation
    vendor: VendorVersion
    number: str
    last_on: date
    data_until: date
    plans: tuple[HeldPlan, ...]
    contract_last_on: date | None
    spots: tuple[HeldSpot, ...]


def number_of(cancellation: Cancellation) -> str:
    """Return the receipt's number: the organisation's reference, and which of its cancellations it is."""
    before = Cancellation.objects.filter(
        organisation=cancellation.organisation_id, pk__lt=cancellation.pk
    ).count()
    return f"{cancellation.organisation.reference}-C{before + 1}"


def of_cancellation(cancellation_id: int) -> Receipt:
    """Return what was confirmed. Raises Cancellation.DoesNotExist, NoVendor."""
    found = Cancellation.objects.select_related(
        "organisation", "review", "terms", "ordered_by"
    ).get(pk=cancellation_id)
    shown = found.review.shown
    ends = [date.fromisoformat(end_on) for _, end_on in shown[Kind.CONTRACT]["terms"]]
    return Receipt(
        cancellation=found,
        vendor=plans.vendor(),
        number=number_of(found),
        last_on=_last(shown[Kind.LAST_DAY]),
        data_until=_last(shown[Kind.DATA]),
        plans=_plans(found),
        contract_last_on=max(ends) - timedelta(days=1) if ends else None,
        spots=tuple(
            HeldSpot(number, accounts, date.fromisoformat(first_on), _last(until_on), is_paid)
            for number, accounts, first_on, until_on, is_paid in shown[Kind.SPOTS]
        ),
    )


def document_of(cancellation: Cancellation) -> ReceiptDocument | None:
    """Return the archived PDF, if it is made."""
    return ReceiptDocument.objects.filter(cancellation=cancellation).first()


def document_state(cancellation: Cancellation) -> DocumentState:
    """Return how far the PDF of a receipt is, in two statements."""
    if ReceiptDocument.objects.filter(cancellation=cancellation).exists():
        return DocumentState.MADE
    asked = Work.objects.filter(kind=jobs.MAKE_RECEIPT.kind, key=str(cancellation.pk)).first()
    if asked is None or asked.state == WorkState.DONE:
        return DocumentState.ABSENT
    return DocumentState.STUCK if asked.state == WorkState.PARKED else DocumentState.WAITING


def _plans(cancellation: Cancellation) -> tuple[HeldPlan, ...]:
    """Return what was in force at the confirmation: the first span of each category that was shown."""
    shown = cancellation.review.shown[Kind.PLAN]
    held = [(category, shown[category.value][0]) for category in Category if shown[category.value]]
    versions = {
        (version.plan.code, version.number): version
        for version in PlanVersion.objects.filter(
            plan__code__in=[span["plan"] for _, span in held]
        ).select_related("plan")
    }
    return tuple(
        HeldPlan(category, versions[span["plan"], span["version"]], span["steps"])
        for category, span in held
    )


def _last(until_on: str) -> date:
    return date.fromisoformat(until_on) - timedelta(days=1)

"""Cancellations as they stand, and what is due about them."""

from datetime import date, datetime
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import TruncMonth

from accounts.models import Organisation
from cancellation.models import Cancellation, Review
from core.months import start_of_day
from payments.enums import MethodState
from payments.models import PaymentMethod
from plans import queries as plans

ATTACHED = (
    MethodState.REGISTERING,
    MethodState.UNDER_REVIEW,
    MethodState.ACTIVE,
    MethodState.BROKEN,
)


def of(organisation: Organisation) -> Cancellation | None:
    """Return the cancellation that stands, before and after its last day; None where there is none."""
    return (
        Cancellation.objects.filter(organisation=organisation, withdrawn_at=None, reopened_at=None)
        .select_related("review", "terms", "ordered_by")
        .first()
    )


def history_of(organisation: Organisation) -> QuerySet[Cancellation]:
    """Return every cancellation of an organisation, the newest first."""
    return (
        Cancellation.objects.filter(organisation=organisation)
        .select_related("review", "terms", "ordered_by")
        .order_by("-ordered_at", "-pk")
    )


def can_be_withdrawn(cancellation: Cancellation, now: datetime) -> bool:
    """Return whether the root may still withdraw it: until the last day is over. Rule: S1-29."""
    return (
        cancellation.withdrawn_at is None
        and cancellation.closed_at is None
        and now < start_of_day(cancellation.end_on, plans.vendor_zone())
    )


def review_of(organisation: Organisation, review: UUID, user_id: int) -> Review | None:
    """Return what this person was shown, with its text; None where it is another's or unknown."""
    return (
        Review.objects.filter(organisation=organisation, public_id=review, user_id=user_id)
        .select_related("terms")
        .first()
    )


def to_close(today: date) -> QuerySet[Cancellation]:
    """Return the cancellations whose last day is over, and whose contract is not ended yet."""
    return Cancellation.objects.filter(
        withdrawn_at=None, closed_at=None, end_on__lte=today
    ).order_by("end_on", "pk")


def to_settle() -> QuerySet[Cancellation]:
    """Return closed ones that are not settled, and settled ones that a payment method came to since."""
    attached = PaymentMethod.objects.filter(
        organisation=OuterRef("organisation"), state__in=ATTACHED
    )
    return Cancellation.objects.filter(
        Q(settled_at=None) | Exists(attached), closed_at__isnull=False, reopened_at=None
    ).order_by("closed_at", "pk")


def reasons(since: datetime, until: datetime) -> list[tuple[date, str, int]]:
    """Return why customers left: month (its first day), reason, and how many, by month.

    Withdrawn ones are not counted; an empty reason: it was not said. Nobody leaves where there is no
    vendor yet.
    """
    try:
        zone = plans.vendor_zone()
    except plans.NoVendor:
        return []
    rows = (
        Cancellation.objects.filter(ordered_at__gte=since, ordered_at__lt=until, withdrawn_at=None)
        .annotate(month=TruncMonth("ordered_at", tzinfo=zone))
        .values_list("month", "reason")
        .annotate(count=Count("pk"))
        .order_by("month", "reason")
    )
    return [(month.date(), reason, count) for month, reason, count in rows]

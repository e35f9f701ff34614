"""The rows behind the archive's files, each bound to the organisation."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from django.db.models import Max, Min, QuerySet

from accounts.models import Membership, Organisation
from billing.models import Invoice
from core.months import BillingMonth, months_between
from ordering.enums import ReviewState
from ordering.models import Review
from payments.models import Charge, Refund
from plans.models import MainContract, Meter, Selection
from seats.models import GroupMember
from seats.queries import accounts as account_queries
from spot_orders.models import SpotOrder
from usage import queries as usage
from usage.models import DailyUsage


@dataclass(frozen=True, slots=True)
class UsedOn:
    """A day's usage of one meter."""

    day: date
    meter: str
    unit: str
    quantity: str
    events: int


def accounts(organisation: Organisation) -> QuerySet[Membership]:
    return account_queries.accounts_of(organisation).order_by("registered_at", "pk")


def name_of(account: Membership) -> str:
    """Return what the organisation calls a person, never what another one does. Rule: F69."""
    return str(vars(account)["shown_name"])


def groups(organisation: Organisation) -> dict[int, list[str]]:
    """Return the names of an account's groups, by account."""
    found: dict[int, list[str]] = {}
    for membership_id, name in (
        GroupMember.objects.filter(group__organisation=organisation)
        .order_by("group__name")
        .values_list("membership_id", "group__name")
    ):
        found.setdefault(membership_id, []).append(name)
    return found


def selections(organisation: Organisation) -> QuerySet[Selection]:
    return (
        Selection.objects.filter(organisation=organisation)
        .select_related("plan_version__plan")
        .order_by("category", "from_at")
    )


def main_contracts(organisation: Organisation) -> QuerySet[MainContract]:
    return MainContract.objects.filter(organisation=organisation).order_by("first_on", "pk")


def spot_orders(organisation: Organisation) -> QuerySet[SpotOrder]:
    return SpotOrder.objects.filter(organisation=organisation).order_by("placed_at", "pk")


def plan_orders(organisation: Organisation) -> QuerySet[Review]:
    """Return what a root has saved, in order."""
    return Review.objects.filter(organisation=organisation, state=ReviewState.SAVED).order_by(
        "saved_at", "pk"
    )


def invoices(organisation: Organisation) -> list[int]:
    """Return the ids of all documents, credit notes too, in the order in which they were issued."""
    return list(
        Invoice.objects.filter(organisation=organisation)
        .order_by("issued_at", "pk")
        .values_list("pk", flat=True)
    )


def charges(organisation: Organisation) -> QuerySet[Charge]:
    return Charge.objects.filter(organisation=organisation).order_by("pk")


def refunds(organisation: Organisation) -> QuerySet[Refund]:
    return Refund.objects.filter(organisation=organisation).select_related("charge").order_by("pk")


def used_months(organisation: Organisation) -> list[BillingMonth]:
    """Return the months from the first to the last with usage."""
    days = DailyUsage.objects.filter(organisation=organisation).aggregate(
        first=Min("day"), last=Max("day")
    )
    if days["first"] is None:
        return []
    return months_between(BillingMonth.of_day(days["first"]), BillingMonth.of_day(days["last"]))


def used_in(organisation: Organisation, month: BillingMonth) -> Iterator[UsedOn]:
    meters = {meter.pk: meter for meter in Meter.objects.all()}
    for row in usage.daily(organisation.pk, month.first_day, month.next.first_day):
        meter = meters[row.meter_id]
        yield UsedOn(
            row.day, meter.code, meter.unit_en, f"{row.quantity.normalize():f}", row.events
        )

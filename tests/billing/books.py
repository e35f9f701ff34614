"""A small vendor with customers, and the books that a month end leaves."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

from django.db import connection

from accounts.models import Organisation
from billing.models import Invoice
from billing.services import issue
from billing.services.issue import Outcome
from core.months import BillingMonth
from plans.models import Meter, PlanVersion
from tests import make
from usage.models import DailyUsage

OCTOBER = BillingMonth(2026, 10)
# 22 November, 14:00 in Tokyo: October is over and out of grace.
NOW = make.NOW
SELECTED_AT = datetime(2019, 12, 31, tzinfo=UTC)


def starter() -> PlanVersion:
    """Sell Starter at 5,000 yen: 100,000 calls included, then 0.01 yen a call."""
    make.vendor()
    version = make.plan_version()
    calls = make.meter()
    make.meter_price(version, calls, included=100_000, tiers=[(None, "0.01")])
    return version


def customer(
    version: PlanVersion | None,
    *,
    since: date = date(2026, 10, 1),
    calls: Decimal | int | None = None,
    country: str = "JP",
) -> Organisation:
    """Return a customer since a day, on a version (or none), with so many calls on 5 October."""
    organisation = make.organisation(customer_since=since, country=country)
    if version is not None:
        make.selection(organisation, version, SELECTED_AT)
    if calls is not None:
        use(organisation, date(2026, 10, 5), calls)
    return organisation


def use(organisation: Organisation, day: date, calls: Decimal | int) -> None:
    DailyUsage.objects.create(
        organisation=organisation, day=day, meter_id=_meter_id(), quantity=calls, events=1
    )


def bill(month: BillingMonth = OCTOBER, *, now: datetime = NOW) -> Outcome:
    """Bill everybody for a month, as one page."""
    return issue.bill_page(first_id=0, last_id=2**20, month=month, now=now)


def quiet(done: int, total: int) -> None:
    """Follow a run's progress without a word."""


def numbers() -> list[int]:
    return list(Invoice.objects.order_by("number").values_list("number", flat=True))


def grosses(organisation: Organisation) -> list[tuple[str, int]]:
    """Return an organisation's invoices: month and gross."""
    rows = Invoice.objects.filter(organisation=organisation).order_by("month")
    return [(f"{row.month:%Y-%m}", row.gross) for row in rows]


def rows_of(tables: Sequence[str]) -> dict[str, int]:
    """Return how many rows each table holds."""
    counts = {}
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT count(*) FROM {table}")
            counts[table] = cursor.fetchone()[0]
    return counts


def _meter_id() -> int:
    return Meter.objects.get(code="api_calls").pk

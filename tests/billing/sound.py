"""Small books, kept by the portal itself, for the tests that judge books or break them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import connection

from accounts.models import Organisation
from billing.services import issue
from core.months import BillingMonth, months_between
from plans import queries as plans
from plans.enums import Aggregation
from plans.models import Meter, PlanVersion
from tests import make
from usage.models import DailyUsage, UsageEvent
from usage.services import partitions

TOKYO = ZoneInfo("Asia/Tokyo")
AUGUST, SEPTEMBER = BillingMonth(2026, 8), BillingMonth(2026, 9)
BILLED_AT = datetime(2026, 10, 1, 3, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Books:
    """Two customers since July 2026, billed until September. `calls`: 100 included, 1 yen each."""

    aoba: Organisation
    hato: Organisation
    starter: PlanVersion
    calls: Meter
    devices: Meter


def books() -> Books:
    plans.forget()
    make.vendor()
    calls = make.meter("calls")
    devices = make.meter("devices", aggregation=Aggregation.MAX, position=2)
    starter = make.plan_version()
    make.meter_price(starter, calls, included=100, tiers=[("50", "1"), (None, "0.5")])
    kept = Books(
        make.organisation(name="Aoba", customer_since=date(2026, 7, 10)),
        make.organisation(name="Hato", customer_since=date(2026, 7, 10)),
        starter,
        calls,
        devices,
    )
    for organisation in (kept.aoba, kept.hato):
        make.selection(organisation, starter, datetime(2026, 7, 10, tzinfo=TOKYO))
        measure(organisation, calls, date(2026, 9, 30), 160)
        measure(organisation, devices, date(2026, 9, 30), 7)
    bill(kept.aoba, kept.hato)
    return kept


def measure(organisation: Organisation, meter: Meter, day: date, quantity: int) -> None:
    """Store one event at noon, and its day."""
    partitions.create([day])
    UsageEvent.objects.create(
        organisation_id=organisation.pk,
        event_id=f"{meter.code}-{day}",
        day=day,
        meter_id=meter.pk,
        occurred_at=datetime(day.year, day.month, day.day, 12, tzinfo=TOKYO),
        quantity=Decimal(quantity),
    )
    DailyUsage.objects.create(
        organisation=organisation, day=day, meter=meter, quantity=Decimal(quantity), events=1
    )


def bill(*organisations: Organisation, until: BillingMonth = SEPTEMBER) -> None:
    """Bill these organisations' months since July, as the month ends would have."""
    first, last = organisations[0], organisations[-1]
    for month in months_between(BillingMonth(2026, 7), until):
        issue.bill_page(first_id=first.pk, last_id=last.pk, month=month, now=BILLED_AT)


def run(statements: Iterable[str]) -> None:
    """Do to the database what it must never have done to it."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for statement in statements:
            cursor.execute(statement)

"""Late usage in any order over many months: in the end each month has cost what it came to. Rule: B-08."""

import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from accounts.models import Organisation
from billing.models import BilledMonth, Invoice, InvoiceLine
from billing.queries import verify
from billing.rules import rating
from billing.services import issue
from core.months import BillingMonth, months_between
from plans import queries as plans
from plans.enums import Aggregation
from plans.models import Meter, PlanVersion
from tests import make
from tests.usage import books
from usage import queries as usage
from usage.services.batches import Row

FIRST, LAST = BillingMonth(2026, 1), BillingMonth(2026, 6)
END = LAST.plus(2)

pytestmark = pytest.mark.django_db


@dataclass(slots=True)
class Sender:
    """Sends events of any past day, negative ones and corrections among them."""

    organisation: Organisation
    zone: ZoneInfo
    dice: random.Random
    sent: dict[tuple[Aggregation, date], list[str]] = field(
        default_factory=lambda: defaultdict(list)
    )
    count: int = 0

    def send(self, until: BillingMonth, now: datetime) -> None:
        month = self.dice.choice(months_between(FIRST, until))
        start, end = month.starts_at(self.zone), month.ends_at(self.zone)
        at = (start + self.dice.random() * (end - start)).replace(microsecond=0)
        how, day = self.dice.choice(list(Aggregation)), at.astimezone(self.zone).date()
        if day < self.organisation.customer_since:
            return
        self.count += 1
        quantity, corrects = Decimal(self.dice.randint(0, 4000)) / 10, None
        known = self.sent[how, day]
        if how is Aggregation.SUM:
            quantity *= self.dice.choice([1, 1, -1])
        elif known and self.dice.random() < 0.7:
            corrects = known.pop()
        known.append(f"e{self.count}")
        report = books.take(
            Row(
                1,
                self.organisation.reference,
                f"e{self.count}",
                f"{how.value}-meter",
                at.astimezone(UTC).isoformat(),
                str(quantity),
                corrects,
            ),
            now=now,
        )
        assert report.accepted == 1


def catalogue(zone: str) -> tuple[PlanVersion, PlanVersion]:
    make.vendor(time_zone=zone)
    small, large = make.plan_version(), make.plan_version("standard", prices={"JPY": 20_000})
    for position, how in enumerate(Aggregation, 1):
        meter = make.meter(f"{how.value}-meter", aggregation=how, position=position)
        make.meter_price(small, meter, included=100, tiers=[("50", "7.5"), (None, "3.3")])
        make.meter_price(large, meter, included=200, tiers=[(None, "2.1")])
    return small, large


def bill(organisation: Organisation, until: BillingMonth, now: datetime) -> None:
    for month in months_between(FIRST, until):
        issue.bill_page(first_id=organisation.pk, last_id=organisation.pk, month=month, now=now)


def billed(meter: Meter, month: BillingMonth) -> int:
    """Return what a month's usage of a meter has cost, on whatever invoices."""
    lines = InvoiceLine.objects.filter(meter=meter, month=month.first_day)
    return sum(lines.values_list("net", flat=True))


def worth(
    organisation: Organisation, meter: Meter, month: BillingMonth, version: PlanVersion | None
) -> int:
    """Return what a month's usage of a meter comes to, as it is known in the end."""
    used = usage.monthly_usage([organisation.pk], month, plans.meters())
    quantity = used.get(organisation.pk, {}).get(meter.code)
    if version is None or quantity is None:
        return 0
    promised = plans.terms([version.pk], "JPY")[version.pk].meters
    (terms,) = (each for each in promised if each.meter.code == meter.code)
    return rating.usage_price(quantity, terms).net


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Europe/Berlin"])
def test_late_usage_in_any_order_is_billed_to_the_yen(zone: str, seed: int) -> None:
    here, dice = ZoneInfo(zone), random.Random(seed)
    small, large = catalogue(zone)
    organisation = make.organisation(customer_since=date(2026, 1, 10))
    change = datetime(2026, 3, 1, tzinfo=here)
    make.selection(organisation, small, datetime(2026, 1, 10, tzinfo=here), change)
    make.selection(organisation, large, change)
    sender = Sender(organisation, here, dice)

    for month in months_between(FIRST, END):
        now = month.ends_at(here) + timedelta(hours=7)
        for _ in range(dice.randint(0, 12) if month <= LAST else 0):
            sender.send(month, now - timedelta(hours=dice.randint(0, 14)))
        if dice.random() < 0.7 or month > LAST:
            bill(organisation, month, now)

    assert BilledMonth.objects.count() == 8
    # January carries no fee; March that of before its first instant (S1-26).
    versions = {1: None, 2: small, 3: small, 4: large, 5: large, 6: large}
    for month in months_between(FIRST, LAST):
        for meter in Meter.objects.all():
            assert billed(meter, month) == worth(organisation, meter, month, versions[month.month])
    left_over = sum(BilledMonth.objects.get(month=END.first_day).credit.values())
    lines = InvoiceLine.objects.exclude(kind__startswith="credit").values_list("net", flat=True)
    assert sum(Invoice.objects.values_list("net", flat=True)) - left_over == sum(lines)
    assert [each for one in verify.verified() for each in one.differences] == []

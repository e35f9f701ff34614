"""A customer with a plan and some usage, as the page tests look at it."""

from datetime import date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

from accounts.models import Organisation
from billing.services import issue
from core.months import BillingMonth, months_between
from plans.enums import Aggregation, Category
from plans.models import Meter
from tests import make
from usage.models import DailyUsage

TOKYO = ZoneInfo("Asia/Tokyo")
OCTOBER, NOVEMBER = BillingMonth(2026, 10), BillingMonth(2026, 11)


def aoba(*, name: str = "青葉デバイス株式会社") -> Organisation:
    """A customer since September 2026: Starter 200 and Silver; 100,000 calls included, 0.01 above.

    October: 50,000 calls. November so far: 60,000 on the 3rd, 60,000.5 on the 4th, and 30 devices.
    """
    make.vendor()
    calls = make.meter("api_calls")
    devices = make.meter("active_devices", aggregation=Aggregation.MAX, position=2)
    organisation = make.organisation(name=name, customer_since=date(2026, 9, 10))
    starter = make.plan_version()
    make.meter_price(starter, calls, included=100_000, tiers=[(None, "0.01")])
    make.meter_price(starter, devices, included=100, tiers=[(None, "20")])
    silver = make.plan_version("silver", category=Category.SUPPORT, prices={"JPY": 3_000})
    since = datetime(2026, 9, 10, tzinfo=TOKYO)
    make.selection(organisation, starter, since, steps=2)
    make.selection(organisation, silver, since)
    use(organisation, calls, date(2026, 10, 5), "50000")
    use(organisation, calls, date(2026, 11, 3), "60000")
    use(organisation, calls, date(2026, 11, 4), "60000.5")
    use(organisation, devices, date(2026, 11, 4), "30")
    return organisation


def use(organisation: Organisation, meter: Meter, day: date, quantity: str) -> None:
    DailyUsage.objects.create(
        organisation=organisation, meter=meter, day=day, quantity=Decimal(quantity), events=1
    )


def close(organisation: Organisation, last: BillingMonth) -> None:
    """Issue the bills up to a month, each on the first of the next month, at noon in Tokyo."""
    for month in months_between(BillingMonth.of_day(organisation.customer_since), last):
        issue.bill_page(
            first_id=organisation.pk,
            last_id=organisation.pk,
            month=month,
            now=datetime.combine(month.next.first_day, time(12), tzinfo=TOKYO),
        )

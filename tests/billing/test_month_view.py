from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts.models import Organisation
from billing.enums import LineKind, MonthState
from billing.models import BilledMonth, Invoice
from billing.queries import month_view
from billing.queries.month_view import MonthView, PreviousMonth
from billing.services import issue
from core.months import BillingMonth, months_between
from plans import queries as plans
from plans.enums import Aggregation, Category
from plans.models import Meter, VendorVersion
from tests import make
from usage.models import DailyUsage, UsageRevision

pytestmark = pytest.mark.django_db

TOKYO = ZoneInfo("Asia/Tokyo")
SEPTEMBER, OCTOBER, NOVEMBER = (BillingMonth(2026, month) for month in (9, 10, 11))
NOW = datetime(2026, 11, 22, 5, 5, tzinfo=UTC)
AFTER_SEPTEMBER = datetime(2026, 10, 1, 3, 0, tzinfo=UTC)


@pytest.fixture
def vendor() -> VendorVersion:
    plans.forget()
    return make.vendor()


@pytest.fixture
def calls(vendor: VendorVersion) -> Meter:
    return make.meter("calls")


@pytest.fixture
def organisation(calls: Meter) -> Organisation:
    """A customer since August 2026: Starter 200, Silver, 100,000 calls included, 0.01 above."""
    organisation = make.organisation(customer_since=date(2026, 8, 20))
    starter = make.plan_version()
    make.meter_price(starter, calls, included=100_000, tiers=[(None, "0.01")])
    silver = make.plan_version("silver", category=Category.SUPPORT, prices={"JPY": 3_000})
    since = datetime(2026, 8, 20, tzinfo=TOKYO)
    make.selection(organisation, starter, since, steps=2)
    make.selection(organisation, silver, since)
    return organisation


def use(organisation: Organisation, meter: Meter, days: Sequence[tuple[date, int]]) -> None:
    for day, quantity in days:
        DailyUsage.objects.update_or_create(
            organisation=organisation,
            day=day,
            meter=meter,
            defaults={"quantity": Decimal(quantity), "events": 1},
        )


def bill(organisation: Organisation, month: BillingMonth, now: datetime) -> None:
    """Bill every month up to `month`, as the month ends before would have."""
    for each in months_between(BillingMonth(2026, 8), month):
        issue.bill_page(first_id=organisation.pk, last_id=organisation.pk, month=each, now=now)


def view(organisation: Organisation, month: BillingMonth, now: datetime = NOW) -> MonthView:
    return month_view.month_view(organisation, month, now=now, vendor=plans.vendor_for_pages())


def test_month_view_rates_an_open_month_as_of_now(organisation: Organisation, calls: Meter) -> None:
    """Rule: S1-10."""
    use(
        organisation,
        calls,
        [(date(2026, 11, 1), 60_000), (date(2026, 11, 19), 40_000), (date(2026, 11, 20), 20_400)],
    )

    shown = view(organisation, NOVEMBER)

    assert (shown.state, shown.as_of, shown.invoice) == (MonthState.PROVISIONAL, NOW, None)
    assert [(line.kind, line.net) for line in shown.lines] == [
        (LineKind.FEE, 10_000),
        (LineKind.FEE, 3_000),
        (LineKind.USAGE, 204),
    ]
    assert (shown.net, shown.tax, shown.gross) == (13_204, 1_320, 14_524)
    (meter,) = shown.meters
    assert (meter.included, meter.over) == (Decimal(100_000), Decimal(20_400))
    assert meter.used == Decimal(120_400)
    assert meter.net == 204
    assert meter.reached_on == date(2026, 11, 19)
    assert meter.daily == {
        date(2026, 11, 1): Decimal(60_000),
        date(2026, 11, 19): Decimal(40_000),
        date(2026, 11, 20): Decimal(20_400),
    }
    assert shown.days == tuple(date(2026, 11, day) for day in range(1, 23))
    assert shown.months == (BillingMonth(2026, 8), SEPTEMBER, OCTOBER, NOVEMBER)


def test_month_view_of_a_closed_month_is_the_invoice_whatever_comes_later(
    organisation: Organisation, calls: Meter
) -> None:
    """Rule: S1-10."""
    use(organisation, calls, [(date(2026, 9, 3), 120_400)])
    bill(organisation, SEPTEMBER, AFTER_SEPTEMBER)
    before = view(organisation, SEPTEMBER)
    use(organisation, calls, [(date(2026, 9, 30), 50_000)])
    UsageRevision.objects.create(organisation=organisation, month=date(2026, 9, 1), revision=1)

    shown = view(organisation, SEPTEMBER)

    invoice = Invoice.objects.get(month=SEPTEMBER.first_day)
    assert shown.state == MonthState.FINAL
    assert shown.invoice is not None
    assert (shown.invoice.public_id, shown.invoice.number) == (invoice.public_id, invoice.number)
    assert shown.lines == before.lines
    assert [(line.name_en, line.net) for line in shown.lines] == [
        (line.name_en, line.net) for line in invoice.lines.order_by("position")
    ]
    assert (shown.net, shown.tax, shown.gross) == (invoice.net, invoice.tax, invoice.gross)
    assert (shown.net, shown.tax, shown.gross) == (13_204, 1_320, 14_524)
    assert (shown.meters[0].used, shown.meters[0].late) == (
        Decimal(120_400),
        Decimal(50_000),
    )


def test_month_view_of_an_open_month_adjusts_what_came_late(
    organisation: Organisation, calls: Meter
) -> None:
    """Rule: B-08."""
    use(organisation, calls, [(date(2026, 9, 3), 120_400)])
    bill(organisation, SEPTEMBER, AFTER_SEPTEMBER)
    use(organisation, calls, [(date(2026, 9, 30), 50_000)])
    UsageRevision.objects.create(organisation=organisation, month=date(2026, 9, 1), revision=1)

    shown = view(organisation, OCTOBER)

    assert [(line.kind, line.month, line.net) for line in shown.lines] == [
        (LineKind.FEE, OCTOBER, 10_000),
        (LineKind.FEE, OCTOBER, 3_000),
        (LineKind.USAGE, OCTOBER, 0),
        (LineKind.ADJUSTMENT, SEPTEMBER, 500),
    ]
    assert shown.previous == PreviousMonth(
        SEPTEMBER, MonthState.FINAL, 14_524, {"calls": Decimal(120_400)}
    )


def test_month_view_gives_what_came_late_to_the_first_open_month(
    organisation: Organisation, calls: Meter
) -> None:
    """October is over and not billed yet: the adjustment of September is October's, not November's."""
    use(organisation, calls, [(date(2026, 9, 3), 120_400), (date(2026, 10, 3), 7)])
    bill(organisation, SEPTEMBER, AFTER_SEPTEMBER)
    use(organisation, calls, [(date(2026, 9, 3), 170_400)])
    UsageRevision.objects.create(organisation=organisation, month=date(2026, 9, 1), revision=1)

    shown = view(organisation, NOVEMBER)

    assert [line.kind for line in shown.lines] == [LineKind.FEE, LineKind.FEE, LineKind.USAGE]
    assert shown.previous == PreviousMonth(
        OCTOBER, MonthState.PROVISIONAL, 14_850, {"calls": Decimal(7)}
    )


def test_month_view_shows_a_month_with_nothing_to_bill(calls: Meter) -> None:
    """Rule: B-01. A month without invoice shows what was rated, and stays as it was."""
    organisation = make.organisation(customer_since=date(2026, 8, 20))
    free = make.plan_version("free", prices={"JPY": 0}, is_free=True)
    make.meter_price(free, calls, included=1_000)
    make.selection(organisation, free, datetime(2026, 8, 20, tzinfo=TOKYO))
    use(organisation, calls, [(date(2026, 9, 3), 12)])
    bill(organisation, SEPTEMBER, AFTER_SEPTEMBER)

    shown = view(organisation, SEPTEMBER)

    assert not Invoice.objects.exists()
    assert (shown.state, shown.invoice, shown.gross) == (MonthState.FINAL, None, 0)
    assert shown.as_of == BilledMonth.objects.get(month=SEPTEMBER.first_day).billed_at
    assert (shown.meters[0].included, shown.meters[0].used) == (Decimal(1_000), Decimal(12))


@pytest.mark.parametrize("count", [1, 3])
def test_month_view_asks_two_statements_and_one_more_for_what_came_late(
    organisation: Organisation,
    calls: Meter,
    count: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    """Warm: the catalogue is remembered. As many with one day, meter and late month as with more."""
    for number in range(count):
        meter = make.meter(f"extra_{number}", aggregation=Aggregation.MAX, position=number + 2)
        use(organisation, meter, [(date(2026, 11, day), day) for day in range(1, count + 1)])
    bill(organisation, SEPTEMBER, AFTER_SEPTEMBER)
    view(organisation, NOVEMBER)
    view(organisation, SEPTEMBER)

    with django_assert_num_queries(1):
        view(organisation, NOVEMBER)
    with django_assert_num_queries(1):
        view(organisation, SEPTEMBER)
    with django_assert_num_queries(1):
        view(organisation, BillingMonth(2026, 8))

    for month in range(9, 9 - min(count, 2), -1):
        first_day = date(2026, month, 1)
        UsageRevision.objects.create(organisation=organisation, month=first_day, revision=1)
    with django_assert_num_queries(2):
        view(organisation, NOVEMBER)


def test_month_view_counts_gauges_as_they_aggregate(
    organisation: Organisation, calls: Meter
) -> None:
    """Rule: B-05. In both months, of which neither is closed."""
    devices = make.meter("devices", aggregation=Aggregation.MAX, position=2)
    stored = make.meter("stored", aggregation=Aggregation.LAST, position=3)
    for meter in (calls, devices, stored):
        use(organisation, meter, [(date(2026, 10, 1), 5), (date(2026, 10, 2), 3)])
        use(organisation, meter, [(date(2026, 11, 1), 50), (date(2026, 11, 2), 30)])

    shown = view(organisation, NOVEMBER)

    assert [meter.used for meter in shown.meters] == [80, 50, 30]
    assert [meter.used_before for meter in shown.meters] == [8, 5, 3]
    assert [meter.included for meter in shown.meters] == [100_000, None, None]


def test_month_view_leaves_out_meters_that_are_neither_priced_nor_used(
    organisation: Organisation, calls: Meter
) -> None:
    make.meter("of-another-product")
    used_before = make.meter("tried-once")
    use(organisation, used_before, [(date(2026, 10, 3), 5)])

    shown = view(organisation, BillingMonth(2026, 11))

    assert [each.meter.code for each in shown.meters] == ["calls", "tried-once"]
    assert shown.meters[0].used == 0


@pytest.mark.parametrize("month", [BillingMonth(2026, 7), BillingMonth(2026, 12)])
def test_month_view_refuses_a_month_before_the_contract_or_to_come(
    organisation: Organisation, month: BillingMonth
) -> None:
    """Rule: S1-08."""
    with pytest.raises(month_view.MonthNotSelectable):
        view(organisation, month)


def test_month_view_ends_with_the_last_month_of_a_closed_organisation(
    organisation: Organisation,
) -> None:
    """Rule: S1-08. Closed from 1 October on: September is the last month to look at."""
    organisation.closed_on = date(2026, 10, 1)
    organisation.save(update_fields=["closed_on"])

    assert view(organisation, SEPTEMBER).months == (BillingMonth(2026, 8), SEPTEMBER)
    with pytest.raises(month_view.MonthNotSelectable):
        view(organisation, OCTOBER)


def test_month_view_has_no_month_before_the_first(organisation: Organisation) -> None:
    shown = view(organisation, BillingMonth(2026, 8))

    assert shown.previous is None
    assert shown.gross == 0

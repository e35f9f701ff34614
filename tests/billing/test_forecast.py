from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import InternalError, connection, transaction
from pytest_django import DjangoAssertNumQueries

from accounts.models import Organisation
from billing.enums import LineKind, Phase
from billing.models import Invoice
from billing.queries import forecast
from billing.rules import forecast as rules
from billing.rules.facts import Bill
from billing.rules.forecast import MonthForecast
from billing.services import issue
from core.months import BillingMonth, months_between
from plans import queries as plans
from plans.enums import Aggregation, Category
from plans.models import Meter, VendorVersion
from plans.rules.timeline import change
from tests import make
from usage.models import DailyUsage, UsageRevision

pytestmark = pytest.mark.django_db

TOKYO = ZoneInfo("Asia/Tokyo")
SEPTEMBER, OCTOBER, NOVEMBER = (BillingMonth(2026, month) for month in (9, 10, 11))
NOW = datetime(2026, 11, 22, 5, 5, tzinfo=UTC)


@pytest.fixture
def vendor() -> VendorVersion:
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


def came_late(organisation: Organisation, month: BillingMonth) -> None:
    UsageRevision.objects.create(organisation=organisation, month=month.first_day, revision=1)


def bill(organisation: Organisation, until: BillingMonth) -> None:
    for month in months_between(BillingMonth(2026, 8), until):
        now = month.ends_at(TOKYO)
        issue.bill_page(first_id=organisation.pk, last_id=organisation.pk, month=month, now=now)


def shown(organisation: Organisation, now: datetime = NOW) -> tuple[MonthForecast, ...]:
    timeline = plans.timeline(organisation, now=now)
    return forecast.forecast(organisation, timeline, now=now)


def kinds(bill: Bill) -> list[tuple[LineKind, int]]:
    return [(line.kind, line.net) for line in bill.lines]


def test_forecast_reads_this_months_usage_and_estimates_the_rest(
    organisation: Organisation, calls: Meter
) -> None:
    """28,000 calls in the last 28 full days are 1,000 a day: 8,000 for the days to come."""
    use(organisation, calls, [(date(2026, 10, 24), 9_999), (date(2026, 10, 25), 8_000)])
    bill(organisation, OCTOBER)
    use(organisation, calls, [(date(2026, 11, 1), 20_000), (date(2026, 11, 22), 80_000)])

    months = shown(organisation)

    assert [each.month for each in months] == [NOVEMBER.plus(number) for number in range(4)]
    november = months[0]
    assert (november.phase, november.is_estimated) == (Phase.RUNNING, True)
    (meter,) = november.meters
    assert (meter.used, meter.rest, meter.days_left) == (Decimal(100_000), Decimal(8_000), 8)
    assert kinds(november.measured) == [
        (LineKind.FEE, 10_000),
        (LineKind.FEE, 3_000),
        (LineKind.USAGE, 0),
    ]
    assert (november.measured.gross, november.expected.net) == (14_300, 13_080)
    assert [each.fixed.gross for each in months] == [14_300] * 4


def test_forecast_bills_the_month_in_grace_first(organisation: Organisation, calls: Meter) -> None:
    """On 1 November October is not billed yet: what came late for September is October's. B-08."""
    use(organisation, calls, [(date(2026, 9, 3), 120_400)])
    bill(organisation, SEPTEMBER)
    use(organisation, calls, [(date(2026, 9, 3), 110_400), (date(2026, 10, 3), 100_500)])
    came_late(organisation, SEPTEMBER)
    now = datetime(2026, 11, 1, 3, 0, tzinfo=TOKYO)

    known = forecast.known(organisation, now=now)
    months = shown(organisation, now)

    assert known.facts.month == OCTOBER
    assert [each.month for each in months] == [NOVEMBER.plus(number) for number in range(4)]
    timeline = plans.timeline(organisation, now=now)
    october = rules.forecast(known, timeline, months=1)[0]
    assert (october.month, october.phase) == (OCTOBER, Phase.OVER)
    assert kinds(october.expected) == [
        (LineKind.FEE, 10_000),
        (LineKind.FEE, 3_000),
        (LineKind.USAGE, 5),
        (LineKind.ADJUSTMENT, -100),
    ]
    assert LineKind.ADJUSTMENT not in [line.kind for line in months[0].expected.lines]


def test_forecast_brings_the_credit_that_is_left(organisation: Organisation, calls: Meter) -> None:
    """September falls by 20,000 yen of calls: October is nothing, 7,000 are left. Rule: B-08."""
    use(organisation, calls, [(date(2026, 9, 3), 2_100_000)])
    bill(organisation, SEPTEMBER)
    use(organisation, calls, [(date(2026, 9, 3), 100_000)])
    came_late(organisation, SEPTEMBER)
    bill(organisation, OCTOBER)

    november, december, *_ = shown(organisation)

    assert kinds(november.expected)[-1] == (LineKind.CREDIT_BROUGHT, -7_000)
    assert (november.expected.net, december.expected.net) == (6_000, 13_000)


def test_forecast_shows_a_month_that_is_billed_as_it_was_billed(
    organisation: Organisation, calls: Meter
) -> None:
    """A clock that went back: November is billed, whatever is contracted or came in since."""
    use(organisation, calls, [(date(2026, 11, 3), 110_000)])
    bill(organisation, NOVEMBER)
    invoice = Invoice.objects.get(month=NOVEMBER.first_day)
    use(organisation, calls, [(date(2026, 11, 3), 120_000)])
    came_late(organisation, NOVEMBER)

    november, december, *_ = shown(organisation)

    assert (november.phase, november.is_final) == (Phase.FINAL, True)
    assert (november.expected.net, november.expected.tax) == (invoice.net, invoice.tax)
    assert november.measured == november.expected == november.fixed
    (meter,) = november.meters
    assert (meter.used, meter.basis) == (Decimal(110_000), None)
    assert kinds(december.measured)[-1] == (LineKind.ADJUSTMENT, 100)


def test_forecast_of_an_act_changes_nothing_that_is_stored(organisation: Organisation) -> None:
    before = plans.timeline(organisation, now=NOW)
    pro = make.plan_version("pro", prices={"JPY": 20_000})
    known = forecast.known(organisation, now=NOW)

    months = forecast.ahead(known, change(before, plans.terms([pro.pk], "JPY")[pro.pk], NOW))

    assert [each.expected.gross for each in months] == [14_300, 47_300, 47_300, 47_300]
    assert plans.timeline(organisation, now=NOW) == before


def test_forecast_renews_at_the_price_on_sale_today(vendor: VendorVersion) -> None:
    """A contract of a month since 10 November that renews by itself; a dearer version is on sale. S2-13."""
    organisation = make.organisation(customer_since=date(2026, 11, 1))
    make.selection(organisation, make.free_plan(), datetime(2026, 11, 1, 9, tzinfo=TOKYO))
    first = make.plan_version()
    make.main_contract(organisation, first, date(2026, 11, 10), months=1, renews=True)
    make.plan_version(number=2, prices={"JPY": 6_000}, on_sale_from=date(2026, 11, 20))

    months = shown(organisation)

    assert [each.expected.gross for each in months] == [0, 5_500, 6_600, 6_600]
    assert [each.supposes_renewal for each in months] == [False, False, True, True]


@pytest.mark.parametrize("count", [1, 3])
def test_known_asks_one_statement_and_one_more_for_what_came_late(
    organisation: Organisation,
    calls: Meter,
    count: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    """Warm: the catalogue is remembered. Each asks two more where a transaction is within another."""
    for number in range(count):
        meter = make.meter(f"extra_{number}", aggregation=Aggregation.MAX, position=number + 2)
        use(organisation, meter, [(date(2026, 11, day), day) for day in range(1, count + 1)])
    bill(organisation, OCTOBER)
    shown(organisation)

    with django_assert_num_queries(1 + 2):
        forecast.known(organisation, now=NOW)

    for month in range(10, 10 - count, -1):
        came_late(organisation, BillingMonth(2026, month))
    forecast.known(organisation, now=NOW)
    with django_assert_num_queries(2 + 2):
        forecast.known(organisation, now=NOW)


@pytest.mark.django_db(transaction=True)
def test_snapshot_is_not_moved_by_a_month_end_that_runs_meanwhile(
    organisation: Organisation, calls: Meter
) -> None:
    """October is billed between two readings: both see it unbilled, and the next one billed."""
    bill(organisation, SEPTEMBER)
    use(organisation, calls, [(date(2026, 10, 3), 120_400)])

    with forecast.snapshot():
        first = forecast.known(organisation, now=NOW)
        with ThreadPoolExecutor(1) as elsewhere:
            elsewhere.submit(_bill_october, organisation).result()
        second = forecast.known(organisation, now=NOW)

    assert Invoice.objects.filter(month=OCTOBER.first_day).exists()
    assert first == second
    assert first.facts.month == OCTOBER
    assert forecast.known(organisation, now=NOW).facts.month == NOVEMBER


def _bill_october(organisation: Organisation) -> None:
    try:
        bill(organisation, OCTOBER)
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_snapshot_sees_one_instant_and_cannot_write(organisation: Organisation) -> None:
    with forecast.snapshot(), connection.cursor() as cursor:
        cursor.execute("SHOW transaction_isolation")
        assert cursor.fetchone() == ("repeatable read",)
        forecast.known(organisation, now=NOW)
        with pytest.raises(InternalError, match="read-only"), transaction.atomic():
            Organisation.objects.update(name="else")

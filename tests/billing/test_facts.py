from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts.models import Organisation
from billing.enums import MonthOutcome, TaxCode
from billing.models import BilledMonth
from billing.queries import facts as queries
from billing.rules.facts import Facts
from core import canonical
from core.canonical import Json
from core.months import BillingMonth
from plans import queries as plans
from plans.enums import Aggregation, Category
from plans.models import Meter
from tests import make
from usage.models import DailyUsage

pytestmark = pytest.mark.django_db

TOKYO = ZoneInfo("Asia/Tokyo")
OCTOBER = BillingMonth(2026, 10)


@pytest.fixture(autouse=True)
def _forget_the_catalogue() -> None:
    plans.forget()


def load(*organisations: Organisation, month: BillingMonth = OCTOBER) -> list[Facts]:
    vendor = plans.vendor()
    ids = [organisation.pk for organisation in organisations]
    return queries.load(ids, month, vendor=vendor, zone=ZoneInfo(vendor.time_zone))


def used(organisation: Organisation, meter: Meter, days: Sequence[tuple[date, str]]) -> None:
    for day, quantity in days:
        DailyUsage.objects.create(
            organisation=organisation, day=day, meter=meter, quantity=Decimal(quantity), events=1
        )


def jst(year: int, month: int, day: int, hour: int = 0) -> datetime:
    return datetime(year, month, day, hour, tzinfo=TOKYO)


def test_load_reads_a_page_in_as_many_statements_whatever_its_size(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    make.vendor()
    meter = make.meter()
    starter = make.plan_version()
    support = make.plan_version("standard-support", category=Category.SUPPORT)
    organisations = [make.organisation() for _ in range(3)]
    for organisation in organisations:
        make.selection(organisation, starter, jst(2026, 1, 10))
        make.selection(organisation, support, jst(2026, 1, 10))
        used(organisation, meter, [(date(2026, 10, 1), "5")])
    vendor = plans.vendor()

    with django_assert_num_queries(6):
        one = queries.load([organisations[0].pk], OCTOBER, vendor=vendor, zone=TOKYO)
    plans.forget()
    with django_assert_num_queries(6):
        three = queries.load(
            [each.pk for each in organisations], OCTOBER, vendor=vendor, zone=TOKYO
        )

    assert len(one) == 1
    assert len(three) == 3
    assert [facts.organisation_id for facts in three] == [each.pk for each in organisations]
    assert all(facts.used == {"api_calls": Decimal(5)} for facts in three)


@pytest.mark.parametrize(
    ("changes", "april", "may"),
    [
        pytest.param([("basic", jst(2026, 4, 10))], None, "basic", id="none to Basic on 10 April"),
        pytest.param(
            [("basic", jst(2026, 3, 1)), ("pro", jst(2026, 4, 10))], "basic", "pro", id="up"
        ),
        pytest.param(
            [("pro", jst(2026, 3, 1)), ("basic", datetime(2026, 4, 30, 23, 59, tzinfo=TOKYO))],
            "pro",
            "basic",
            id="down at 23:59 of the last day",
        ),
        pytest.param(
            [("pro", jst(2026, 3, 1)), ("basic", jst(2026, 5, 1))], "pro", "pro", id="down at 00:00"
        ),
        pytest.param(
            [("basic", jst(2026, 3, 1)), ("pro", jst(2026, 4, 3)), ("basic", jst(2026, 4, 20))],
            "basic",
            "basic",
            id="up and down again",
        ),
    ],
)
def test_load_takes_the_fee_in_force_at_the_first_instant(
    changes: list[tuple[str, datetime]], april: str | None, may: str
) -> None:
    """Rule: S1-26, B-02 (domain.md 3.4)."""
    make.vendor()
    versions = {code: make.plan_version(code) for code in ("basic", "pro")}
    organisation = make.organisation()
    ends = [*(at for _, at in changes[1:]), None]
    for (code, from_at), until_at in zip(changes, ends, strict=True):
        make.selection(organisation, versions[code], from_at, until_at)

    (in_april,) = load(organisation, month=BillingMonth(2026, 4))
    (in_may,) = load(organisation, month=BillingMonth(2026, 5))

    assert (in_april.licence and in_april.licence.terms.plan_code) == april
    assert in_may.licence is not None
    assert in_may.licence.terms.plan_code == may


def test_load_takes_no_fee_after_the_end_of_a_cancelled_contract() -> None:
    make.vendor()
    organisation = make.organisation()
    basic = make.plan_version("basic")
    make.selection(organisation, basic, jst(2026, 3, 1), jst(2026, 5, 1))

    (april,) = load(organisation, month=BillingMonth(2026, 4))
    (may,) = load(organisation, month=BillingMonth(2026, 5))

    assert april.licence is not None
    assert may.licence is None


def test_load_takes_no_fee_of_an_organisation_that_was_closed_before() -> None:
    make.vendor()
    organisation = make.organisation()
    make.selection(organisation, make.plan_version("basic"), jst(2026, 3, 1))
    Organisation.objects.filter(pk=organisation.pk).update(closed_on=date(2026, 5, 1))

    (april,) = load(organisation, month=BillingMonth(2026, 4))
    (may,) = load(organisation, month=BillingMonth(2026, 5))

    assert april.licence is not None
    assert may.licence is None


@pytest.mark.parametrize(
    ("aggregation", "quantity"),
    [
        pytest.param(Aggregation.SUM, "60.5", id="sum"),
        pytest.param(Aggregation.MAX, "50", id="max"),
        pytest.param(Aggregation.LAST, "10.5", id="last"),
    ],
)
def test_load_adds_the_days_of_a_month_up_as_the_meter_aggregates(
    aggregation: Aggregation, quantity: str
) -> None:
    """Rule: B-05. The last day of September and the first of November belong to others."""
    make.vendor()
    meter = make.meter(aggregation=aggregation)
    organisation = make.organisation()
    days = [(date(2026, 9, 30), "1000"), (date(2026, 10, 1), "50"), (date(2026, 10, 31), "10.5")]
    used(organisation, meter, [*days, (date(2026, 11, 1), "2000")])

    (facts,) = load(organisation)

    assert facts.used == {"api_calls": Decimal(quantity)}


@pytest.mark.unsound_books  # credit comes from adjustments, not from nothing
def test_load_brings_the_credit_of_the_month_before() -> None:
    """Rule: B-08."""
    make.vendor()
    organisation = make.organisation(customer_since=date(2026, 8, 1))
    brought: dict[str, Json] = {}
    for month, credit in ((8, {"JP10": 1}), (9, {"JP10": 40, "JP8R": 7})):
        known: dict[str, Json] = {"credit": brought}
        BilledMonth.objects.create(
            organisation=organisation,
            month=date(2026, month, 1),
            outcome=MonthOutcome.NOTHING,
            facts=known,
            facts_digest=canonical.digest(known),
            credit=credit,
            billed_at=datetime(2026, 10, 1, tzinfo=UTC),
        )
        brought = dict(credit)

    (facts,) = load(organisation)

    assert facts.credit == {TaxCode.JP10: 40, TaxCode.JP8R: 7}


def test_load_refuses_a_version_without_a_price_in_the_currency() -> None:
    make.vendor()
    organisation = make.organisation(country="DE", currency="EUR")
    make.selection(organisation, make.plan_version(), jst(2026, 1, 10))

    with pytest.raises(queries.NotPriced):
        load(organisation)

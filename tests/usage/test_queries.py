from datetime import date
from decimal import Decimal

import pytest
from pytest_django import DjangoAssertNumQueries

from core.months import BillingMonth
from plans import queries as plans
from plans.enums import Aggregation
from tests import make
from tests.usage.books import row, take
from usage import queries

pytestmark = pytest.mark.django_db


def test_a_month_is_aggregated_as_each_meter_says(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    make.vendor()
    aoba, hinode = make.organisation(reference="aoba"), make.organisation(reference="hinode")
    make.meter("api_calls")
    make.meter("devices", aggregation=Aggregation.MAX)
    make.meter("storage", aggregation=Aggregation.LAST)
    rows = [
        row(event_id=f"{meter}{number}", meter=meter, occurred_at=at, quantity=quantity)
        for meter in ("api_calls", "devices", "storage")
        for number, (at, quantity) in enumerate(
            [
                ("2026-09-30T15:00:00Z", "5"),
                ("2026-10-31T14:59:59Z", "2.5"),
                ("2026-10-31T15:00:00Z", "9"),
            ]
        )
    ]
    take(*rows, row(organisation="hinode", event_id="h", occurred_at="2026-10-05T00:00:00Z"))

    meters = plans.meters()
    with django_assert_num_queries(1):
        october = queries.monthly_usage([aoba.pk, hinode.pk], BillingMonth(2026, 10), meters)

    assert october == {
        aoba.pk: {
            "api_calls": Decimal("7.5"),
            "devices": Decimal(5),
            "storage": Decimal("2.5"),
        },
        hinode.pk: {"api_calls": Decimal(1)},
    }


def test_days_are_half_open_and_of_one_organisation(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    make.vendor()
    aoba = make.organisation(reference="aoba")
    make.organisation(reference="hinode")
    make.meter("api_calls")
    take(
        *(
            row(event_id=at, organisation=reference, occurred_at=f"2026-10-{at}T00:00:00Z")
            for at in ("01", "02", "03")
            for reference in ("aoba", "hinode")
        )
    )

    with django_assert_num_queries(1):
        days = queries.daily(aoba.pk, date(2026, 10, 1), date(2026, 10, 3))

    assert [(kept.organisation_id, kept.day.day) for kept in days] == [(aoba.pk, 1), (aoba.pk, 2)]


def test_events_of_a_day_come_in_pages_and_say_what_replaced_them() -> None:
    make.vendor()
    aoba = make.organisation(reference="aoba")
    meter = make.meter("devices", aggregation=Aggregation.MAX)
    make.meter("api_calls")
    take(
        row(event_id="b", meter="devices", quantity="3"),
        row(event_id="a", meter="devices", quantity="2"),
        row(event_id="c", meter="devices", quantity="1", corrects="b"),
        row(event_id="x", meter="api_calls"),
    )
    day = date(2026, 11, 20)

    first = queries.events_of(aoba.pk, day, meter.pk, limit=2)
    second = queries.events_of(aoba.pk, day, meter.pk, after=first.last, limit=2)

    assert first.following
    assert [(one.event_id, one.replaced_by) for one in first.events] == [("a", None), ("b", "c")]
    assert not second.following
    assert [(one.event_id, one.corrects) for one in second.events] == [("c", "b")]
    assert queries.events_of(aoba.pk, date(2026, 11, 21), meter.pk).last is None

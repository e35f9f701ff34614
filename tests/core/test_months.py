from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.months import (
    BillingMonth,
    NotAMonth,
    add_months,
    last_day,
    months_between,
    start_of_day,
)

TOKYO = ZoneInfo("Asia/Tokyo")
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("start", "months", "last"),
    [
        # The table of domain.md 3.2 (Civil Code, article 143).
        ("2026-01-31", 1, "2026-02-28"),
        ("2026-01-31", 2, "2026-03-30"),
        ("2028-01-31", 1, "2028-02-29"),
        ("2026-01-30", 1, "2026-02-28"),
        ("2026-01-29", 1, "2026-02-28"),
        ("2026-01-28", 1, "2026-02-27"),
        ("2026-03-31", 1, "2026-04-30"),
        ("2026-02-28", 1, "2026-03-27"),
        ("2026-08-31", 6, "2027-02-28"),
        ("2026-01-01", 1, "2026-01-31"),
        ("2026-12-15", 3, "2027-03-14"),
        ("2028-02-29", 12, "2029-02-28"),
    ],
)
def test_add_months_ends_as_the_civil_code_says(start: str, months: int, last: str) -> None:
    assert last_day(add_months(date.fromisoformat(start), months)) == date.fromisoformat(last)


def test_add_months_from_the_31st_gives_months_that_follow_without_gap() -> None:
    start = date(2026, 1, 31)

    starts = [add_months(start, months) for months in range(1, 7)]

    assert starts == [
        date(2026, 3, 1),
        date(2026, 3, 31),
        date(2026, 5, 1),
        date(2026, 5, 31),
        date(2026, 7, 1),
        date(2026, 7, 31),
    ]


@given(
    start=st.dates(date(2024, 1, 1), date(2032, 12, 31)),
    months=st.integers(min_value=1, max_value=60),
)
def test_add_months_never_loses_a_day_nor_gives_one(start: date, months: int) -> None:
    end = add_months(start, months)
    target = BillingMonth.of_day(start).plus(months)

    assert end == (
        date(target.year, target.month, start.day)
        if start.day <= target.last_day.day
        else target.next.first_day
    )
    assert end > (start if months == 1 else add_months(start, months - 1))


@pytest.mark.parametrize("months", [0, -1])
def test_add_months_refuses_less_than_a_month(months: int) -> None:
    with pytest.raises(ValueError, match="at least one month"):
        add_months(date(2026, 1, 1), months)


@pytest.mark.parametrize(
    "written",
    ["", "2026", "2026-13", "2026-00", "2026-1", "26-01", "2026-01-01", "0000-01", "２０２６-01"],
)
def test_parse_refuses_what_is_no_month(written: str) -> None:
    with pytest.raises(NotAMonth):
        BillingMonth.parse(written)


@given(st.integers(1, 9997), st.integers(1, 12), st.integers(-11, 500))
def test_plus_is_undone_by_minus(year: int, month: int, months: int) -> None:
    start = BillingMonth(year + 1 if year + 1 < 9900 else 9000, month)

    assert start.plus(months).plus(-months) == start
    assert BillingMonth.parse(str(start)) == start


@pytest.mark.parametrize(
    ("instant", "zone", "month"),
    [
        # F41: the last instant of a month and the first of the next, in the billing zone.
        ("2026-10-31T14:59:59.999999+00:00", TOKYO, "2026-10"),
        ("2026-10-31T15:00:00+00:00", TOKYO, "2026-11"),
        ("2026-10-31T23:59:59.999999+09:00", TOKYO, "2026-10"),
        # F43: zones with summer time, and far ones.
        ("2026-10-31T22:59:59+00:00", BERLIN, "2026-10"),
        ("2026-10-31T23:00:00+00:00", BERLIN, "2026-11"),
        ("2026-10-31T10:00:00+00:00", ZoneInfo("Pacific/Kiritimati"), "2026-11"),
        ("2026-11-01T11:59:59+00:00", ZoneInfo("Etc/GMT+12"), "2026-10"),
    ],
)
def test_containing_finds_the_month_in_the_billing_zone(
    instant: str, zone: ZoneInfo, month: str
) -> None:
    assert str(BillingMonth.containing(datetime.fromisoformat(instant), zone)) == month


@given(
    st.integers(2020, 2035),
    st.integers(1, 12),
    st.sampled_from([TOKYO, BERLIN, ZoneInfo("Pacific/Apia"), ZoneInfo("America/Sao_Paulo")]),
)
def test_months_tile_time_in_every_zone(year: int, number: int, zone: ZoneInfo) -> None:
    month = BillingMonth(year, number)

    assert month.ends_at(zone) == month.next.starts_at(zone)
    assert BillingMonth.containing(month.starts_at(zone), zone) == month
    assert BillingMonth.containing(month.ends_at(zone) - timedelta(microseconds=1), zone) == month


def test_a_day_of_summer_time_has_23_and_25_hours() -> None:
    spring = start_of_day(date(2026, 3, 30), BERLIN) - start_of_day(date(2026, 3, 29), BERLIN)
    autumn = start_of_day(date(2026, 10, 26), BERLIN) - start_of_day(date(2026, 10, 25), BERLIN)

    assert (spring, autumn) == (timedelta(hours=23), timedelta(hours=25))


def test_months_between_counts_both_ends() -> None:
    first, last = BillingMonth(2025, 11), BillingMonth(2026, 2)

    assert [str(month) for month in months_between(first, last)] == [
        "2025-11",
        "2025-12",
        "2026-01",
        "2026-02",
    ]
    assert months_between(last, first) == []


def test_starts_at_is_in_utc() -> None:
    assert BillingMonth(2026, 11).starts_at(TOKYO) == datetime(2026, 10, 31, 15, tzinfo=UTC)

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.rules import review

SINCE = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("looks", "after", "expected"),
    [
        pytest.param(0, timedelta(), SINCE + timedelta(minutes=5), id="some are decided at once"),
        pytest.param(1, timedelta(minutes=5), SINCE + timedelta(minutes=65), id="then hourly"),
        pytest.param(
            24,
            timedelta(hours=23, minutes=59),
            SINCE + timedelta(hours=24, minutes=59),
            id="the whole first day",
        ),
        pytest.param(25, timedelta(days=1), SINCE + timedelta(days=2), id="then daily"),
        pytest.param(
            53,
            timedelta(days=29, hours=23),
            SINCE + timedelta(days=30, hours=23),
            id="the last one comes after the thirtieth day",
        ),
        pytest.param(54, timedelta(days=30), None, id="then a person asks"),
    ],
)
def test_next_look_is_hourly_on_the_first_day_then_daily_and_ends(
    looks: int, after: timedelta, expected: datetime | None
) -> None:
    assert review.next_look(SINCE, looks, SINCE + after) == expected


@given(looks=st.integers(0, 100), minutes=st.integers(0, 30 * 24 * 60 - 1))
def test_next_look_lies_ahead_and_within_a_day(looks: int, minutes: int) -> None:
    now = SINCE + timedelta(minutes=minutes)

    at = review.next_look(SINCE, looks, now)

    assert at is not None
    assert timedelta() < at - now <= timedelta(days=1)

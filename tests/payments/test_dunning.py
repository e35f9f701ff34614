from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.enums import PayableState
from payments.rules import dunning, sums
from payments.rules.sums import Sums

TOKYO = ZoneInfo("Asia/Tokyo")
FIRST = datetime(2026, 12, 1, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("declines", "again_at"),
    [
        pytest.param(1, datetime(2026, 12, 2, 0, 30, tzinfo=UTC), id="a day later"),
        pytest.param(2, datetime(2026, 12, 4, 0, 30, tzinfo=UTC), id="three days after the first"),
        pytest.param(3, datetime(2026, 12, 8, 0, 30, tzinfo=UTC), id="seven days after the first"),
        pytest.param(4, None, id="never again"),
    ],
)
def test_next_try_follows_the_first_by_1_3_and_7_days(
    declines: int, again_at: datetime | None
) -> None:
    assert dunning.next_try(declines, FIRST) == again_at


def test_next_try_needs_a_decline() -> None:
    with pytest.raises(ValueError, match="0"):
        dunning.next_try(0, FIRST)


@pytest.mark.parametrize(
    ("due_on", "first_failed_at", "overdue_from"),
    [
        pytest.param(
            date(2026, 12, 15),
            None,
            datetime(2026, 12, 15, 15, 0, tzinfo=UTC),
            id="without a method: when the day it was due is over in Tokyo",
        ),
        pytest.param(
            date(2026, 12, 1),
            FIRST,
            datetime(2026, 12, 8, 0, 30, tzinfo=UTC),
            id="after a decline: when the last try would have been",
        ),
        pytest.param(
            date(2026, 12, 31),
            FIRST,
            datetime(2026, 12, 31, 15, 0, tzinfo=UTC),
            id="never before it is due",
        ),
    ],
)
def test_overdue_from(
    due_on: date, first_failed_at: datetime | None, overdue_from: datetime
) -> None:
    assert dunning.overdue_from(due_on, first_failed_at, TOKYO) == overdue_from


@pytest.mark.parametrize(
    ("looks", "wait"),
    [
        (0, timedelta(minutes=5)),
        (1, timedelta(hours=1)),
        (2, timedelta(hours=6)),
        (3, timedelta(days=1)),
        (40, timedelta(days=1)),
    ],
)
def test_next_look_comes_later_each_time_and_then_daily(looks: int, wait: timedelta) -> None:
    assert dunning.next_look(looks, FIRST) == FIRST + wait


def test_next_look_is_not_before_the_provider_wants() -> None:
    assert dunning.next_look(0, FIRST, timedelta(minutes=30)) == FIRST + timedelta(minutes=30)
    assert dunning.next_look(1, FIRST, timedelta(minutes=30)) == FIRST + timedelta(hours=1)


@pytest.mark.parametrize(
    ("hours", "for_a_person"), [(71, False), (72, True)], ids=["71 hours", "72 hours"]
)
def test_an_attempt_is_for_a_person_after_72_hours(hours: int, for_a_person: bool) -> None:
    assert dunning.is_for_a_person(FIRST, FIRST + timedelta(hours=hours)) is for_a_person


@pytest.mark.parametrize(
    ("owed", "state"),
    [
        pytest.param(Sums(5_500), PayableState.OPEN, id="nothing came in"),
        pytest.param(Sums(5_500, captured=5_500), PayableState.PAID, id="all came in"),
        pytest.param(Sums(0), PayableState.PAID, id="nothing was owed"),
        pytest.param(Sums(5_500, credited=5_500), PayableState.VOID, id="credited whole"),
        pytest.param(Sums(5_500, credited=500), PayableState.OPEN, id="credited in part"),
        pytest.param(
            Sums(5_500, credited=500, captured=5_000), PayableState.PAID, id="the rest came in"
        ),
        pytest.param(
            Sums(5_500, credited=5_500, captured=5_500), PayableState.VOID, id="to be given back"
        ),
        pytest.param(
            Sums(5_500, captured=5_500, refunded=5_500), PayableState.OPEN, id="taken back"
        ),
    ],
)
def test_state_follows_from_the_sums(owed: Sums, state: PayableState) -> None:
    assert sums.state(owed) == state


@given(
    gross=st.integers(0, 10**9),
    credited=st.integers(0, 10**9),
    captured=st.integers(0, 10**9),
    refunded=st.integers(0, 10**9),
)
def test_a_document_is_open_exactly_while_something_is_owed(
    gross: int, credited: int, captured: int, refunded: int
) -> None:
    owed = Sums(gross, min(credited, gross), captured, min(refunded, captured))

    assert (sums.state(owed) is PayableState.OPEN) == (owed.balance > 0)

"""The last day and what binds, decided without a database. Rule: S1-28, S1-29, F71."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancellation.rules import binding, ending
from cancellation.rules.binding import BoundSpot, Kind
from cancellation.rules.ending import BoxesMissing, NotALastDay, SignInAgain
from core.months import start_of_day
from plans.enums import CancellationEnds
from plans.rules.timeline import Term, Timeline
from tests.plans.spans import TOKYO, local, terms
from tests.spot_orders.chains import Part, changed, contracted

MONTH, TERM = CancellationEnds.MONTH, CancellationEnds.TERM
YEAR = contracted("2026-04-01")
MONTHS = contracted("2026-01-31", [Part(1), Part(1)])
NONE = Timeline()


@pytest.mark.parametrize(
    ("timeline", "ends", "now", "expected"),
    [
        pytest.param(YEAR, MONTH, local(4, 10), date(2026, 5, 1), id="3.4: 10 April ends 30 April"),
        pytest.param(YEAR, MONTH, local(4, 1), date(2026, 5, 1), id="the first instant of a month"),
        pytest.param(
            YEAR, MONTH, local(5, 1) - timedelta(microseconds=1), date(2026, 5, 1), id="its last"
        ),
        pytest.param(YEAR, MONTH, local(12, 31), date(2027, 1, 1), id="the last day of a year"),
        pytest.param(YEAR, TERM, local(4, 10), date(2027, 4, 1), id="with the term"),
        pytest.param(
            MONTHS, TERM, local(2, 10), date(2026, 3, 31), id="with the term that follows"
        ),
        pytest.param(
            MONTHS, TERM, local(3, 30, 23), date(2026, 3, 31), id="on the last day of the term"
        ),
        pytest.param(
            MONTHS, TERM, local(3, 31), date(2026, 4, 1), id="after the term, with the month"
        ),
        pytest.param(YEAR, TERM, local(3, 20), date(2027, 4, 1), id="a term that is to begin"),
        pytest.param(NONE, TERM, local(4, 10), date(2026, 5, 1), id="no term, with the month"),
    ],
)
def test_the_last_day_is_that_of_the_month_or_of_the_term(
    timeline: Timeline, ends: CancellationEnds, now: datetime, expected: date
) -> None:
    assert ending.end_on(timeline, ends, now=now, zone=TOKYO) == expected


@given(
    now=st.datetimes(
        datetime(2024, 1, 1),  # noqa: DTZ001 - Hypothesis wants naive limits
        datetime(2032, 1, 1),  # noqa: DTZ001
    ),
    zone=st.sampled_from(
        ["Asia/Tokyo", "Europe/Berlin", "Pacific/Kiritimati", "Pacific/Pago_Pago"]
    ),
)
def test_the_last_day_is_to_come_and_at_most_a_month_away(now: datetime, zone: str) -> None:
    there = ZoneInfo(zone)
    instant = now.replace(tzinfo=ZoneInfo("UTC"))

    end_on = ending.end_on(NONE, MONTH, now=instant, zone=there)

    assert end_on.day == 1
    assert timedelta() < start_of_day(end_on, there) - instant <= timedelta(days=31, hours=1)


@pytest.mark.parametrize(
    ("boxes", "ticked", "missing"),
    [
        (3, [0, 1, 2], None),
        (3, [2, 1, 0, 0, 7], None),
        (3, [0, 1], (2,)),
        (3, [], (0, 1, 2)),
        (2, [1, 2], (0,)),
    ],
)
def test_every_text_is_agreed_to(
    boxes: int, ticked: list[int], missing: tuple[int, ...] | None
) -> None:
    found = None
    try:
        ending.check_ticked(boxes, ticked)
    except BoxesMissing as refused:
        found = refused.missing

    assert found == missing


@pytest.mark.parametrize("minutes", [0, 5])
def test_a_sign_in_holds_for_five_minutes(minutes: int) -> None:
    at = local(4, 10)

    assert ending.check_step_up(at, at + timedelta(minutes=minutes)) == at


@pytest.mark.parametrize(
    "after", [timedelta(minutes=5, microseconds=1), timedelta(seconds=-1), None]
)
def test_without_a_fresh_sign_in_nothing_is_confirmed(after: timedelta | None) -> None:
    now = local(4, 10)

    with pytest.raises(SignInAgain):
        ending.check_step_up(None if after is None else now - after, now)


@pytest.mark.parametrize(
    ("last_on", "is_refused"),
    [
        (date(2026, 4, 9), True),
        (date(2026, 4, 10), False),
        (date(2028, 4, 9), False),
        (date(2028, 4, 10), True),
        (date.max, True),
    ],
    ids=["yesterday", "today", "two years", "more than two years", "the last day of all"],
)
def test_staff_move_a_last_day_within_bounds(last_on: date, is_refused: bool) -> None:
    refused = False
    try:
        ending.check_last_day(last_on, today=date(2026, 4, 10))
    except NotALastDay:
        refused = True

    assert refused is is_refused


NOW = local(4, 10, 12)
SPOT = BoundSpot("SP-1", 100, date(2026, 4, 10), date(2026, 6, 10), is_paid=True)


def bound(
    timeline: Timeline = YEAR,
    spots: tuple[BoundSpot, ...] = (SPOT,),
    end_on: date = date(2026, 5, 1),
    number: int = 1,
    now: datetime = NOW,
) -> dict[str, object]:
    made: dict[str, object] = dict(
        binding.binding(
            timeline,
            spots,
            end_on=end_on,
            data_until_on=end_on + timedelta(days=30),
            terms_number=number,
            now=now,
            zone=TOKYO,
        )
    )
    return made


DEARER = changed(YEAR, terms("pro", 99, 9_000), local(4, 10, 11))
RENEWED = replace(YEAR, terms=(*YEAR.terms, Term(date(2026, 4, 1), 12, 12)))


@pytest.mark.parametrize(
    ("later", "differs"),
    [
        pytest.param(bound(now=NOW + timedelta(minutes=14)), (), id="the same, later"),
        pytest.param(bound(end_on=date(2026, 6, 1)), (Kind.LAST_DAY, Kind.DATA), id="another day"),
        pytest.param(bound(number=2), (Kind.TERMS,), id="another text"),
        pytest.param(bound(DEARER), (Kind.PLAN,), id="another plan"),
        pytest.param(bound(RENEWED), (Kind.CONTRACT,), id="a renewal"),
        pytest.param(bound(replace(YEAR, renews=True)), (Kind.CONTRACT,), id="renewing by itself"),
        pytest.param(bound(spots=()), (Kind.SPOTS,), id="a spot contract less"),
        pytest.param(bound(spots=(replace(SPOT, is_paid=False),)), (Kind.SPOTS,), id="one unpaid"),
    ],
)
def test_what_binds_is_told_apart(later: dict[str, object], differs: tuple[Kind, ...]) -> None:
    assert binding.differences(bound(), later) == differs
    assert (binding.digest(bound()) == binding.digest(later)) is (differs == ())

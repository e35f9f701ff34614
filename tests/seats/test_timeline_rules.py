"""The seat timeline against a count day by day, and when who leaves. Rule: design.md 6.4, 6.5."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.months import start_of_day
from seats.rules import departures, leaving, seat_timeline
from seats.rules.capacity import Capacity, Main, Spot
from seats.rules.departures import Departure, Why
from seats.rules.leaving import Account
from seats.rules.seat_timeline import InUse, Segment
from spot_orders.rules.spot import Wish

TOKYO, BERLIN = ZoneInfo("Asia/Tokyo"), ZoneInfo("Europe/Berlin")
TODAY = date(2026, 11, 22)
DAY = timedelta(days=1)


def at(day: date, zone: ZoneInfo = TOKYO, hours: int = 0) -> datetime:
    return start_of_day(day, zone) + timedelta(hours=hours)


def sketch() -> Capacity:
    """The sketch of look.md: a main contract of 100, two spots that overlap, the free plan after it."""
    return Capacity(
        main=(
            Main(100, at(date(2026, 4, 1)), at(date(2027, 4, 1))),
            Main(10, at(date(2027, 4, 1)), None),
        ),
        spots=(
            Spot(1, 100, at(date(2026, 11, 15)), at(date(2027, 1, 15))),
            Spot(2, 100, at(date(2026, 12, 10)), at(date(2027, 2, 10))),
        ),
    )


def test_segments_of_the_sketch() -> None:
    in_use = InUse(150, {date(2026, 11, 20): 60})

    found = seat_timeline.segments(
        sketch(),
        in_use,
        first_on=date(2026, 11, 1),
        end_on=date(2027, 5, 1),
        today=TODAY,
        zone=TOKYO,
    )

    a, b = (1, 100), (2, 100)
    assert found == (
        Segment(date(2026, 11, 1), date(2026, 11, 15), 100, (), 90, is_planned=False),
        Segment(date(2026, 11, 15), date(2026, 11, 20), 100, (a,), 90, is_planned=False),
        Segment(date(2026, 11, 20), date(2026, 11, 23), 100, (a,), 150, is_planned=False),
        Segment(date(2026, 11, 23), date(2026, 12, 10), 100, (a,), 150, is_planned=True),
        Segment(date(2026, 12, 10), date(2027, 1, 15), 100, (a, b), 150, is_planned=True),
        Segment(date(2027, 1, 15), date(2027, 2, 10), 100, (b,), 150, is_planned=True),
        Segment(date(2027, 2, 10), date(2027, 4, 1), 100, (), 100, is_planned=True),
        Segment(date(2027, 4, 1), date(2027, 5, 1), 10, (), 10, is_planned=True),
    )
    assert [each.allowed for each in found] == [100, 200, 200, 200, 300, 200, 100, 10]


def test_departures_of_the_sketch() -> None:
    found = departures.departures(sketch(), 150, at(TODAY, hours=14))

    assert found == (
        Departure(at(date(2027, 2, 10)), 150, 100),
        Departure(at(date(2027, 4, 1)), 100, 10),
    )
    assert [each.count for each in found] == [50, 90]
    assert [departures.leaves_at(found, place) for place in (10, 11, 100, 101, 150)] == [
        None,
        at(date(2027, 4, 1)),
        at(date(2027, 4, 1)),
        at(date(2027, 2, 10)),
        at(date(2027, 2, 10)),
    ]
    assert departures.reasons(sketch(), found[0].at) == {Why.SPOT}
    assert departures.reasons(sketch(), found[1].at) == {Why.CONTRACT}


def test_who_is_closed_keeps_the_root_alone() -> None:
    closed = replace(sketch(), closed_at=at(date(2026, 12, 1)))

    found = departures.departures(closed, 150, at(TODAY))
    shown = seat_timeline.segments(
        closed,
        InUse(150),
        first_on=TODAY,
        end_on=date(2027, 2, 1),
        today=TODAY,
        zone=TOKYO,
    )

    assert found == (Departure(at(date(2026, 12, 1)), 150, 1),)
    assert departures.reasons(closed, found[0].at) == {Why.CLOSED}
    assert shown[-1] == Segment(date(2026, 12, 1), date(2027, 2, 1), 1, (), 1, is_planned=True)


def test_a_plan_without_limit_lets_nobody_leave() -> None:
    unlimited = Capacity((Main(None, at(date(2026, 1, 1)), None),), sketch().spots)

    shown = seat_timeline.segments(
        unlimited,
        InUse(5_000),
        first_on=TODAY,
        end_on=date(2027, 6, 1),
        today=TODAY,
        zone=TOKYO,
    )

    assert departures.departures(unlimited, 5_000, at(TODAY)) == ()
    assert {(each.allowed, each.in_use, each.spots) for each in shown} == {(None, 5_000, ())}


def test_a_wish_adds_its_accounts_from_its_first_day_to_its_last() -> None:
    wish = Wish(200, date(2027, 1, 31), 1)

    wished = seat_timeline.with_wish(sketch(), wish, TOKYO)

    assert wished.spots[-1] == Spot(0, 200, at(date(2027, 1, 31)), at(date(2027, 3, 1)))
    assert wished.at(at(date(2027, 2, 28), hours=23)) == 300
    assert wished.at(at(date(2027, 3, 1))) == 100


def test_a_limit_holds_in_all_and_spot_contracts_run_out_of_it() -> None:
    limited = seat_timeline.with_limit(sketch(), 150, at(date(2027, 1, 15)))

    assert [
        limited.at(at(day)) for day in (date(2027, 1, 14), date(2027, 1, 15), date(2027, 2, 10))
    ] == [300, 150, 50]


@pytest.mark.parametrize(
    ("today", "told", "stage"),
    [
        pytest.param(date(2026, 12, 1), {}, None, id="31 days before"),
        pytest.param(date(2026, 12, 2), {}, 30, id="30 days before"),
        pytest.param(date(2026, 12, 3), {30}, None, id="told the day before"),
        pytest.param(date(2026, 12, 24), {}, 30, id="the thirtieth day was missed"),
        pytest.param(date(2026, 12, 25), {30}, 7, id="a week before"),
        pytest.param(date(2026, 12, 30), {30}, 7, id="five days late"),
        pytest.param(date(2026, 12, 31), {}, 1, id="all were missed: only the most urgent"),
        pytest.param(date(2026, 12, 31), {1}, None, id="the last one was given"),
        pytest.param(date(2027, 1, 1), {}, None, id="the day itself"),
        pytest.param(date(2027, 1, 2), {30, 7}, None, id="it is over"),
    ],
)
def test_stage_due_is_the_most_urgent_one_that_was_not_given(
    today: date, told: set[int], stage: int | None
) -> None:
    border = date(2027, 1, 1)
    given = {border: min(told)} if told else {}

    assert departures.stage_due(border, today, given) == stage


# Both nights of the change of the clock lie in these days, also today's.
_DAYS = st.integers(-45, 400).map(lambda days: date(2026, 9, 20) + days * DAY)


@st.composite
def _capacity(draw: st.DrawFn, zone: ZoneInfo) -> Capacity:
    def instant() -> datetime:
        return at(draw(_DAYS), zone, draw(st.sampled_from([0, 0, 0, 9, 22])))

    cuts = sorted({instant() for _ in range(draw(st.integers(1, 4)))})
    amounts = st.sampled_from([None, 0, 5, 10, 20])
    main = [
        Main(draw(amounts), begins, ends)
        for begins, ends in zip(cuts, [*cuts[1:], None], strict=True)
    ]
    spots = []
    for order_id in range(1, draw(st.integers(0, 5)) + 1):
        first_on = draw(_DAYS)
        until = first_on + draw(st.integers(1, 90)) * DAY
        spots.append(
            Spot(order_id, draw(st.sampled_from([5, 10])), at(first_on, zone), at(until, zone))
        )
    closed_at = at(draw(_DAYS), zone) if draw(st.integers(0, 4)) == 0 else None
    return Capacity(tuple(main), tuple(spots), closed_at)


@pytest.mark.parametrize("zone", [TOKYO, BERLIN], ids=["Tokyo", "Berlin"])
@given(data=st.data())
def test_segments_say_what_counting_each_day_says(zone: ZoneInfo, data: st.DataObject) -> None:
    capacity = data.draw(_capacity(zone))
    today = data.draw(st.sampled_from([date(2026, 10, 24), date(2026, 10, 25), TODAY]))
    first_on, end_on = today - 40 * DAY, today + 200 * DAY
    # When each account came and went: (registered, deactivated or not).
    hours = st.integers(-60 * 24, 0).map(lambda hours: at(today + DAY, zone, hours - 1))
    lives = data.draw(st.lists(st.tuples(hours, st.none() | hours), max_size=12))
    accounts: list[tuple[datetime, datetime | None]] = [(at(first_on - DAY, zone), None)]
    accounts += [(came, left) for came, left in lives if left is None or left > came]

    def counted(day: date) -> int:
        end = at(day + DAY, zone)
        return sum(came < end and (left is None or left >= end) for came, left in accounts)

    changes = {
        day: counted(day) - counted(day - DAY)
        for day in (today - ago * DAY for ago in range(60))
        if counted(day) != counted(day - DAY)
    }
    found = seat_timeline.segments(
        capacity,
        InUse(counted(today), changes),
        first_on=first_on,
        end_on=end_on,
        today=today,
        zone=zone,
    )

    last = 0
    by_day = {
        each.first_on + n * DAY: each
        for each in found
        for n in range((each.end_on - each.first_on).days)
    }
    for day in (first_on + n * DAY for n in range((end_on - first_on).days)):
        instant = at(day + DAY, zone) - timedelta(microseconds=1)
        allowed = capacity.at(instant)
        held = {spot.order_id for spot in capacity.spots if spot.covers(instant)}
        is_closed = capacity.closed_at is not None and instant >= capacity.closed_at
        last = counted(day) if day <= today else last if allowed is None else min(last, allowed)
        shown = by_day.pop(day)
        assert (shown.allowed, shown.in_use, shown.is_planned) == (allowed, last, day > today)
        expected = set() if allowed is None or is_closed else held
        assert {order_id for order_id, _ in shown.spots} == expected
    assert by_day == {}


@given(data=st.data())
def test_each_leaves_on_the_day_that_its_place_says(data: st.DataObject) -> None:
    """Border by border, those who leave by the rule are those whose place says that day."""
    capacity = data.draw(_capacity(TOKYO))
    now = at(TODAY, hours=12)
    accounts = [
        Account(
            id=number,
            is_root=number == 1,
            registered_at=now - data.draw(st.integers(0, 20)) * DAY,
            is_protected=data.draw(st.booleans()),
            leave_order=data.draw(st.none() | st.integers(1, 5)),
        )
        for number in range(1, data.draw(st.integers(1, 25)) + 1)
    ]
    ordered = leaving.staying_order(accounts)

    found = departures.departures(capacity, len(accounts), now)

    active = list(accounts)
    left: dict[int, datetime] = {}
    for border in (each for each in capacity.borders() if each > now):
        gone = {each.id for each in leaving.leavers(active, capacity.at(border))}
        left |= dict.fromkeys(gone, border)
        active = [each for each in active if each.id not in gone]
    assert {
        account.id: departures.leaves_at(found, place)
        for place, account in enumerate(ordered, start=1)
    } == {account.id: left.get(account.id) for account in accounts}
    assert sum(each.count for each in found) == len(left)

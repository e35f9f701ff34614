"""The cheapest cover, by hand and against every set of orders that there is. Rule: S2-05…S2-13."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.months import BillingMonth, start_of_day
from plans.rules.timeline import Refusal, Timeline
from spot_orders.rules import cover, spot
from spot_orders.rules.cover import Cover, Licences, NotASpan
from spot_orders.rules.spot import (
    BeforePaidPlan,
    BeyondContract,
    NoLimit,
    NoPaidPlan,
    NotInSteps,
    Offer,
    SpotStartsInThePast,
    Wish,
)
from tests.plans.spans import TOKYO, day, free_since, local, terms
from tests.spot_orders.chains import (
    BOUNDLESS,
    FIFTIES,
    NOW,
    STARTER,
    STARTER_DEARER,
    THIRTIES,
    Part,
    changed,
    contracted,
)

YEAR = contracted()


def cheapest(
    timeline: Timeline,
    people: int,
    first_on: str,
    last_on: str,
    *,
    now: datetime = NOW,
    **more: Any,
) -> Cover:
    return cover.cheapest(
        timeline, people, day(first_on), day(last_on), now=now, zone=TOKYO, **more
    )


def licences(
    timeline: Timeline,
    people: int,
    first_on: str,
    last_on: str,
    *,
    now: datetime = NOW,
    **more: Any,
) -> Licences:
    return cover.licences(
        timeline, people, day(first_on), day(last_on), now=now, zone=TOKYO, **more
    )


def said(found: Cover) -> list[tuple[int, str, int]]:
    return [(each.accounts, each.first_on.isoformat(), each.months) for each in found.orders]


def test_forty_more_people_from_april_to_june_are_one_order_of_three_months() -> None:
    found = cheapest(YEAR, 40, "2026-04-10", "2026-06-25")

    assert said(found) == [(100, "2026-04-10", 3)]
    assert (found.net, found.months, found.last_on) == (15_000, 3, day("2026-07-09"))


@pytest.mark.parametrize(
    ("people", "first_on", "last_on", "orders", "net"),
    [
        pytest.param(
            100, "2026-04-10", "2026-05-09", [(100, "2026-04-10", 1)], 5_000, id="to the day"
        ),
        pytest.param(
            100, "2026-04-10", "2026-05-10", [(100, "2026-04-10", 2)], 10_000, id="a day more"
        ),
        pytest.param(
            101, "2026-04-10", "2026-04-10", [(200, "2026-04-10", 1)], 10_000, id="one too many"
        ),
        pytest.param(
            1,
            "2027-01-31",
            "2027-03-31",
            [(100, "2027-01-31", 1), (100, "2027-03-01", 1)],
            10_000,
            id="two orders gain the day that two months lack",
        ),
        pytest.param(
            1,
            "2027-02-10",
            "2027-03-31",
            [(100, "2027-02-01", 2)],
            10_000,
            id="it begins early to end within the contract",
        ),
        pytest.param(
            1, "2026-04-01", "2027-03-31", [(100, "2026-04-01", 12)], 60_000, id="the whole term"
        ),
    ],
)
def test_the_cheapest_cover(
    people: int, first_on: str, last_on: str, orders: list[tuple[int, str, int]], net: int
) -> None:
    found = cheapest(YEAR, people, first_on, last_on)

    assert said(found) == orders
    assert found.net == net


def test_an_early_start_takes_the_price_that_still_holds() -> None:
    dearer_in_may = changed(YEAR, STARTER_DEARER, local(5, 1))

    found = cheapest(dearer_in_may, 1, "2026-05-05", "2026-05-20")

    assert said(found) == [(100, "2026-04-30", 1)]
    assert found.net == 5_000


def test_more_than_a_year_takes_more_than_one_order() -> None:
    long = contracted(parts=(Part(12), Part(12, STARTER_DEARER)))

    found = cheapest(long, 1, "2026-04-01", "2027-05-20")

    # The last order begins on 31 March, so that its first month has the price of the first term.
    assert found.net == 13 * 5_000 + 6_000
    assert len(found.orders) == 2
    assert found.last_on == day("2027-05-30")


def test_where_no_order_may_run_on_into_the_renewal_each_term_has_its_own() -> None:
    renewed = contracted(parts=(Part(1), Part(1)))

    assert said(cheapest(renewed, 1, "2026-04-20", "2026-05-10")) == [(100, "2026-04-20", 1)]
    assert said(cheapest(renewed, 1, "2026-04-20", "2026-05-10", may_span_renewal=False)) == [
        (100, "2026-04-01", 1),
        (100, "2026-05-01", 1),
    ]


def test_plans_of_other_steps_have_orders_of_their_own() -> None:
    renewed = contracted(parts=(Part(1), Part(1, THIRTIES)))

    found = cheapest(renewed, 40, "2026-04-01", "2026-05-31")

    assert said(found) == [(100, "2026-04-01", 1), (60, "2026-05-01", 1)]
    assert found.net == 5_000 + 2 * 2_000


def test_days_without_a_limit_need_no_order() -> None:
    free_in_may = contracted(parts=(Part(1), Part(1, BOUNDLESS), Part(1)))

    found = cheapest(free_in_may, 1, "2026-04-01", "2026-06-30")

    assert said(found) == [(100, "2026-04-01", 1), (100, "2026-06-01", 1)]
    with pytest.raises(NoLimit):
        cheapest(free_in_may, 1, "2026-05-01", "2026-05-31")


@pytest.mark.parametrize(
    ("timeline", "people", "first_on", "last_on", "refusal"),
    [
        (YEAR, 0, "2026-04-10", "2026-04-20", NotInSteps),
        (YEAR, -100, "2026-04-10", "2026-04-20", NotInSteps),
        (YEAR, 1, "2026-04-10", "2026-04-09", NotASpan),
        (YEAR, 10_001, "2026-04-10", "2026-04-20", NotInSteps),
        (YEAR, 10**9, "2026-04-10", "2026-04-20", NotInSteps),
        (YEAR, 1, "2026-03-31", "2026-04-20", SpotStartsInThePast),
        (YEAR, 1, "2027-04-01", "2027-04-20", BeyondContract),
        (YEAR, 1, "2027-03-01", "2027-04-01", BeyondContract),
        (YEAR, 1, "2026-04-01", "9999-12-31", BeyondContract),
        (contracted("2026-05-01"), 1, "2026-04-30", "2026-05-20", BeforePaidPlan),
        (free_since(local(1, 5)), 1, "2026-04-10", "2026-04-20", NoPaidPlan),
        (contracted(parts=(Part(12, BOUNDLESS),)), 1, "2026-04-10", "2026-04-20", NoLimit),
    ],
)
def test_what_cannot_be_covered_is_refused(
    timeline: Timeline, people: int, first_on: str, last_on: str, refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        cheapest(timeline, people, first_on, last_on)


def test_too_little_of_the_contract_is_left_for_a_month() -> None:
    with pytest.raises(BeyondContract):
        cheapest(YEAR, 1, "2027-03-10", "2027-03-31", now=local(3, 5, year=2027))


def test_nothing_is_offered_beyond_the_day_on_which_the_customer_leaves() -> None:
    found = cheapest(YEAR, 1, "2026-04-20", "2026-04-30", closed_on=day("2026-05-01"))
    assert said(found) == [(100, "2026-04-01", 1)]

    with pytest.raises(BeyondContract):
        cheapest(YEAR, 1, "2026-04-20", "2026-05-01", closed_on=day("2026-05-01"))


def test_licences_cost_from_the_month_after_to_the_month_of_the_end() -> None:
    found = licences(YEAR, 40, "2026-04-10", "2026-06-25")

    assert (found.steps, found.accounts) == (1, 100)
    assert (found.from_on, found.last_on) == (day("2026-04-10"), day("2027-03-31"))
    assert [str(month) for month, _ in found.by_month] == [
        *(f"2026-{month:02d}" for month in range(5, 13)),
        *(f"2027-{month:02d}" for month in range(1, 5)),
    ]
    assert found.net == 12 * 5_000


def test_licences_run_on_through_an_ordered_renewal_at_its_price() -> None:
    renewed = contracted("2026-04-15", parts=(Part(1), Part(1, STARTER_DEARER)))

    found = licences(renewed, 101, "2026-04-20", "2026-05-01", now=local(4, 16))

    assert (found.steps, found.last_on) == (2, day("2026-06-14"))
    assert found.by_month == (
        (BillingMonth(2026, 5), 10_000),
        (BillingMonth(2026, 6), 12_000),
    )


def test_licences_are_as_many_as_the_smallest_steps_need() -> None:
    renewed = contracted(parts=(Part(1), Part(1, FIFTIES)))

    assert licences(renewed, 100, "2026-04-10", "2026-04-20").steps == 1
    assert licences(renewed, 100, "2026-04-10", "2026-05-20").steps == 2


def test_licences_are_billed_for_no_month_after_the_customer_has_left() -> None:
    found = licences(YEAR, 1, "2026-04-10", "2026-05-31", closed_on=day("2026-06-01"))

    assert (found.last_on, found.by_month) == (
        day("2026-05-31"),
        ((BillingMonth(2026, 5), 5_000),),
    )


@pytest.mark.parametrize(
    ("timeline", "people", "first_on", "last_on", "refusal"),
    [
        (YEAR, 0, "2026-04-10", "2026-04-20", NotInSteps),
        (YEAR, 1, "2026-04-10", "2026-04-09", NotASpan),
        (YEAR, 1, "2026-04-10", "2027-04-01", BeyondContract),
        (free_since(local(1, 5)), 1, "2026-04-10", "2026-04-20", NoPaidPlan),
        (contracted(parts=(Part(12, BOUNDLESS),)), 1, "2026-04-10", "2026-04-20", NoLimit),
    ],
)
def test_licences_that_do_not_help_are_refused(
    timeline: Timeline, people: int, first_on: str, last_on: str, refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        licences(timeline, people, first_on, last_on)


PLANS = [terms(f"plan-{net}", net, net) for net in (1_000, 4_000, 5_000, 9_000)]
STEPS = [STARTER, FIFTIES, THIRTIES]
BEGINNINGS = st.dates(date(2027, 1, 24), date(2027, 3, 3))


def legal(
    timeline: Timeline, accounts: Sequence[int], now: datetime, *, may_span_renewal: bool
) -> list[Offer]:
    """Return every order that the rule accepts."""
    found: list[Offer] = []
    start = now.astimezone(TOKYO).date()
    while start < timeline.terms[-1].end_on:
        for months in range(1, 4):
            for each in accounts:
                try:
                    found.append(
                        spot.offer(
                            timeline,
                            Wish(each, start, months),
                            now=now,
                            zone=TOKYO,
                            may_span_renewal=may_span_renewal,
                        )
                    )
                except Refusal:
                    continue
        start += timedelta(days=1)
    return found


def cheaper(
    orders: Sequence[Offer], people: int, days: Sequence[date], bound: int, most: int = 3
) -> tuple[Offer, ...] | None:
    """Return a set of at most so many orders that carries the people every day for less than `bound`."""
    by_price = sorted(orders, key=lambda each: each.net)
    return _cheaper(by_price, dict.fromkeys(days, people), bound, most)


def _cheaper(
    orders: Sequence[Offer], lacks: dict[date, int], bound: int, most: int
) -> tuple[Offer, ...] | None:
    first = next((each for each, people in lacks.items() if people > 0), None)
    if first is None:
        return ()
    if most == 0:
        return None
    for order in orders:
        if order.net >= bound:
            return None
        wish = order.wish
        if not wish.first_on <= first < wish.end_on:
            continue
        left = {
            each: people - (wish.accounts if wish.first_on <= each < wish.end_on else 0)
            for each, people in lacks.items()
        }
        rest = _cheaper(orders, left, bound - order.net, most - 1)
        if rest is not None:
            return (order, *rest)
    return None


@st.composite
def cases(draw: st.DrawFn, plans: Sequence[Any]) -> tuple[Timeline, datetime, date, date, bool]:
    parts = draw(
        st.lists(
            st.builds(Part, months=st.just(1), terms=st.sampled_from(plans)), min_size=1, max_size=3
        )
    )
    begins = draw(BEGINNINGS)
    timeline = contracted(begins, parts)
    if draw(st.booleans()):
        at = begins + timedelta(days=draw(st.integers(1, 70)))
        timeline = changed(timeline, draw(st.sampled_from(plans)), start_of_day(at, TOKYO))
    end = timeline.terms[-1].end_on
    length = (end - begins).days
    today = begins + timedelta(days=draw(st.integers(0, length - 1)))
    first = today + timedelta(days=draw(st.integers(0, (end - today).days - 1)))
    last = first + timedelta(days=draw(st.integers(0, (end - first).days - 1)))
    return (
        timeline,
        start_of_day(today, TOKYO) + timedelta(hours=9),
        first,
        last,
        draw(st.booleans()),
    )


def held(orders: Sequence[Offer], each: date) -> int:
    return sum(
        order.wish.accounts for order in orders if order.wish.first_on <= each < order.wish.end_on
    )


@settings(max_examples=150)
@given(case=cases(PLANS), people=st.sampled_from([1, 100, 101, 200]))
def test_no_set_of_orders_is_cheaper(
    case: tuple[Timeline, datetime, date, date, bool], people: int
) -> None:
    timeline, now, first_on, last_on, spans = case
    days = [first_on + timedelta(days=each) for each in range((last_on - first_on).days + 1)]
    orders = legal(timeline, [100, 200], now, may_span_renewal=spans)
    try:
        found = cover.cheapest(
            timeline, people, first_on, last_on, now=now, zone=TOKYO, may_span_renewal=spans
        )
    except BeyondContract:
        assert any(held(orders, each) == 0 for each in days)
        return

    assert all(held(found.offers, each) >= people for each in days)
    assert found.net == sum(offer.net for offer in found.offers)
    assert all(
        offer == spot.offer(timeline, offer.wish, now=now, zone=TOKYO, may_span_renewal=spans)
        for offer in found.offers
    )
    assert cheaper(orders, people, days, found.net) is None


@settings(max_examples=100)
@given(case=cases(STEPS), people=st.sampled_from([1, 30, 100, 110]))
def test_where_steps_differ_no_chain_of_orders_is_cheaper(
    case: tuple[Timeline, datetime, date, date, bool], people: int
) -> None:
    timeline, now, first_on, last_on, spans = case
    days = [first_on + timedelta(days=each) for each in range((last_on - first_on).days + 1)]
    accounts = [30, 60, 90, 120, 50, 100, 150, 200, 300]
    orders = [
        order
        for order in legal(timeline, accounts, now, may_span_renewal=spans)
        if order.wish.accounts >= people
    ]
    try:
        found = cover.cheapest(
            timeline, people, first_on, last_on, now=now, zone=TOKYO, may_span_renewal=spans
        )
    except BeyondContract:
        assert any(held(orders, each) == 0 for each in days)
        return

    assert all(held(found.offers, each) >= people for each in days)
    assert cheaper(orders, people, days, found.net) is None

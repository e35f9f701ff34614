from collections.abc import Callable
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.enums import TaxCode
from billing.rules import tax
from core.money import Rounding
from core.months import add_months, last_day, start_of_day
from plans.rules.timeline import Refusal, Timeline
from spot_orders.rules import spot as rules
from spot_orders.rules.spot import (
    BeforePaidPlan,
    BeyondContract,
    NoLimit,
    NoPaidPlan,
    NotInSteps,
    NotWholeMonths,
    Offer,
    SpotMonth,
    SpotStartsInThePast,
    Window,
    Wish,
)
from tests.plans.spans import FREE, TOKYO, day, free_since, local
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
    followed,
)

YEAR = contracted()
RENEWED = contracted(parts=(Part(1), Part(12, STARTER_DEARER)))


def wish(accounts: int = 100, first_on: str = "2026-04-01", months: int = 1) -> Wish:
    return Wish(accounts, day(first_on), months)


def offered(
    timeline: Timeline,
    wished: Wish,
    *,
    now: datetime = NOW,
    zone: ZoneInfo = TOKYO,
    may_span_renewal: bool = True,
    closed_on: date | None = None,
) -> Offer:
    return rules.offer(
        timeline,
        wished,
        now=now,
        zone=zone,
        may_span_renewal=may_span_renewal,
        closed_on=closed_on,
    )


def refused(timeline: Timeline, wished: Wish, **how: Any) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        offered(timeline, wished, **how)
    return refusal.value


@pytest.mark.parametrize(
    ("first_on", "months", "last_on"),
    [
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
def test_a_wish_ends_as_the_civil_code_counts(first_on: str, months: int, last_on: str) -> None:
    assert last_day(wish(100, first_on, months).end_on) == day(last_on)


def test_months_start_without_gap_or_overlap_from_the_31st() -> None:
    assert rules.month_starts(wish(100, "2026-01-31", 7)) == [
        day(text)
        for text in (
            "2026-01-31",
            "2026-03-01",
            "2026-03-31",
            "2026-05-01",
            "2026-05-31",
            "2026-07-01",
            "2026-07-31",
        )
    ]


@pytest.mark.parametrize(
    ("timeline", "wished", "net", "gross"),
    [
        pytest.param(contracted(parts=(Part(1),)), wish(), 5_000, 5_500, id="monthly, 100"),
        pytest.param(YEAR, wish(), 5_000, 5_500, id="yearly, at the monthly list price"),
        pytest.param(YEAR, wish(200, months=3), 30_000, 33_000, id="200 for three months"),
        pytest.param(
            contracted(parts=(Part(12, steps=2),)), wish(), 5_000, 5_500, id="main 200, spot 100"
        ),
        pytest.param(RENEWED, wish(months=2), 11_000, 12_100, id="dearer from month 2"),
    ],
)
def test_a_spot_costs_what_the_price_table_says(
    timeline: Timeline, wished: Wish, net: int, gross: int
) -> None:
    offer = offered(timeline, wished)

    assert offer.net == net
    assert net + tax.tax_on(net, TaxCode.JP10, Rounding.DOWN) == gross


def test_an_offer_says_each_month_at_the_price_of_its_version() -> None:
    assert offered(RENEWED, wish(200, months=2)).months == (
        SpotMonth(day("2026-04-01"), STARTER.version_id, 2, 5_000),
        SpotMonth(day("2026-05-01"), STARTER_DEARER.version_id, 2, 6_000),
    )


@pytest.mark.parametrize("accounts", [150, 0, -100, 1, 99, 101, 10_100, 10**9])
def test_what_is_no_whole_step_is_refused(accounts: int) -> None:
    refusal = refused(YEAR, wish(accounts))

    assert isinstance(refusal, NotInSteps)
    assert (refusal.per_step, refusal.most) == (100, 10_000)


def test_the_most_steps_are_accepted() -> None:
    assert offered(YEAR, wish(10_000)).net == 500_000


@pytest.mark.parametrize("months", [0, -1, 13, 10**9])
def test_what_is_not_1_to_12_months_is_refused(months: int) -> None:
    refusal = refused(YEAR, wish(months=months))

    assert isinstance(refusal, NotWholeMonths)
    assert refusal.most == 12


def test_a_wish_without_a_month_ends_as_it_begins() -> None:
    assert wish(months=0).end_on == day("2026-04-01")


def test_it_may_end_with_the_main_contract_and_not_a_day_later() -> None:
    assert offered(YEAR, wish(first_on="2027-02-01", months=2)).wish.end_on == day("2027-04-01")

    refusal = refused(YEAR, wish(first_on="2027-02-02", months=2))

    assert isinstance(refusal, BeyondContract)
    assert (refusal.end_on, refusal.months) == (day("2027-04-01"), 1)


def test_a_start_after_all_that_is_paid_for_is_refused() -> None:
    refusal = refused(YEAR, wish(first_on="2027-04-01"))

    assert isinstance(refusal, BeyondContract)
    assert (refusal.end_on, refusal.months) == (day("2027-04-01"), 0)


@pytest.mark.parametrize("first_on", [date(9998, 12, 31), date(9999, 1, 1), date.max])
def test_a_start_at_the_end_of_the_calendar_is_refused(first_on: date) -> None:
    wished = Wish(100, first_on, 12)

    assert isinstance(refused(YEAR, wished), BeyondContract)
    assert wished.end_on == date.max


def test_months_past_the_calendar_do_not_fit() -> None:
    assert rules.months_that_fit(date(9998, 10, 1), date.max) == 2


@pytest.mark.parametrize("first_on", ["0001-01-01", "2026-04-01"])
def test_a_day_that_is_over_is_refused(first_on: str) -> None:
    assert isinstance(refused(YEAR, wish(first_on=first_on), now=local(4, 2)), SpotStartsInThePast)


def test_a_day_is_over_by_the_billing_time_zone() -> None:
    last_instant = local(4, 2) - timedelta(microseconds=1)

    assert offered(YEAR, wish(), now=last_instant).net == 5_000


def test_a_day_before_a_renewal_began_is_in_the_past_not_before_the_plan() -> None:
    later = contracted(parts=(Part(1), Part(1)))

    refusal = refused(later, wish(first_on="2026-04-20"), now=local(5, 3))

    assert isinstance(refusal, SpotStartsInThePast)


@pytest.mark.parametrize(
    "timeline",
    [
        pytest.param(free_since(local(1, 5)), id="never"),
        pytest.param(contracted("2026-01-01", (Part(1),)), id="no more"),
        pytest.param(Timeline(), id="nothing at all"),
    ],
)
def test_on_the_free_plan_it_is_refused(timeline: Timeline) -> None:
    assert isinstance(refused(timeline, wish()), NoPaidPlan)


def test_before_an_ordered_paid_plan_it_is_refused_and_from_its_first_day_accepted() -> None:
    ahead = contracted("2026-04-10")

    refusal = refused(ahead, wish(first_on="2026-04-09"))

    assert isinstance(refusal, BeforePaidPlan)
    assert refusal.first_on == day("2026-04-10")
    assert offered(ahead, wish(first_on="2026-04-10")).net == 5_000


def test_it_starts_today_where_the_main_contract_began_today() -> None:
    just_begun = contracted(begins_at=NOW)

    assert offered(just_begun, wish()).months == (
        SpotMonth(day("2026-04-01"), STARTER.version_id, 1, 5_000),
    )


def test_todays_month_has_the_price_of_now_and_a_later_one_that_of_its_first_instant() -> None:
    timeline = changed(YEAR, STARTER_DEARER, local(4, 1, 9))

    assert offered(timeline, wish(), now=local(4, 1, 8)).net == 5_000
    assert offered(timeline, wish(), now=local(4, 1, 9)).net == 6_000
    assert offered(timeline, wish(), now=local(3, 31) + timedelta(hours=36)).net == 6_000
    at_its_beginning = changed(YEAR, STARTER_DEARER, local(5, 1))
    assert offered(at_its_beginning, wish(first_on="2026-05-01")).net == 6_000
    after_it = changed(YEAR, STARTER_DEARER, local(5, 1, 0, 1))
    assert offered(after_it, wish(first_on="2026-05-01")).net == 5_000


def test_a_renewal_that_is_ordered_is_run_on_into_unless_the_vendor_forbids_it() -> None:
    over_it = wish(first_on="2026-04-15")

    assert offered(RENEWED, over_it).net == 5_000

    refusal = refused(RENEWED, over_it, may_span_renewal=False)
    assert isinstance(refusal, BeyondContract)
    assert (refusal.end_on, refusal.months) == (day("2026-05-01"), 0)


def test_within_one_of_its_terms_it_is_accepted_whatever_the_vendor_says() -> None:
    assert offered(RENEWED, wish(), may_span_renewal=False).net == 5_000
    assert offered(RENEWED, wish(first_on="2026-05-01"), may_span_renewal=False).net == 6_000


def test_a_contract_after_a_gap_is_no_renewal() -> None:
    apart = followed(contracted(parts=(Part(2),)), contracted("2026-08-01"))

    assert offered(apart, wish(months=2)).net == 10_000
    beyond = refused(apart, wish(first_on="2026-05-02"))
    assert isinstance(beyond, BeyondContract)
    assert (beyond.end_on, beyond.months) == (day("2026-06-01"), 0)
    for first_on in ("2026-06-01", "2026-07-31"):
        between = refused(apart, wish(first_on=first_on))
        assert isinstance(between, BeforePaidPlan)
        assert between.first_on == day("2026-08-01")
    assert offered(apart, wish(first_on="2026-08-01", months=12)).net == 60_000


def test_accounts_are_in_steps_of_every_months_plan() -> None:
    timeline = contracted(parts=(Part(1), Part(12, THIRTIES)))

    assert offered(timeline, wish(300, months=2)).months == (
        SpotMonth(day("2026-04-01"), STARTER.version_id, 3, 5_000),
        SpotMonth(day("2026-05-01"), THIRTIES.version_id, 10, 2_000),
    )
    assert offered(timeline, wish(100)).net == 5_000
    for accounts in (100, 30, 3_300):
        refusal = refused(timeline, wish(accounts, months=2))
        assert isinstance(refusal, NotInSteps)
        assert (refusal.per_step, refusal.most) == (300, 3_000)


def test_smaller_steps_after_a_renewal_are_counted_at_their_own_price() -> None:
    timeline = contracted(parts=(Part(1), Part(12, FIFTIES)))

    assert offered(timeline, wish(100, months=2)).net == 5_000 + 2 * 3_000


def test_a_plan_without_limit_has_nothing_to_add() -> None:
    assert isinstance(refused(contracted(parts=(Part(12, BOUNDLESS),)), wish()), NoLimit)


def test_it_ends_before_a_plan_without_limit_begins() -> None:
    timeline = changed(YEAR, BOUNDLESS, local(6, 1))

    assert offered(timeline, wish(months=2)).net == 10_000
    refusal = refused(timeline, wish(months=3))
    assert isinstance(refusal, NoLimit)
    assert refusal.from_on == day("2026-06-01")


def test_nothing_is_sold_beyond_the_day_on_which_the_customer_leaves() -> None:
    assert offered(YEAR, wish(), closed_on=day("2026-05-01")).net == 5_000

    refusal = refused(YEAR, wish(), closed_on=day("2026-04-30"))

    assert isinstance(refusal, BeyondContract)
    assert (refusal.end_on, refusal.months) == (day("2026-04-30"), 0)


@pytest.mark.parametrize(
    ("end_on", "latest_on"),
    [
        ("2027-04-01", "2027-03-01"),
        ("2027-03-31", "2027-02-28"),
        ("2027-03-30", "2027-02-28"),
        ("2027-03-29", "2027-02-28"),
        ("2027-03-28", "2027-02-28"),
        ("2027-03-27", "2027-02-27"),
        ("2027-03-01", "2027-02-01"),
        ("2027-02-28", "2027-01-28"),
        ("2026-12-31", "2026-11-30"),
    ],
)
def test_the_latest_start_leaves_room_for_one_month(end_on: str, latest_on: str) -> None:
    assert rules.latest_start(day(end_on)) == day(latest_on)


def test_the_window_begins_today_or_with_the_paid_plan() -> None:
    assert rules.window(YEAR, now=local(4, 20), zone=TOKYO) == Window(
        day("2026-04-20"), day("2027-03-01"), day("2027-04-01")
    )
    assert rules.window(contracted("2026-05-31"), now=NOW, zone=TOKYO) == Window(
        day("2026-05-31"), day("2027-04-30"), day("2027-05-31")
    )


def test_the_window_ends_in_the_last_term_and_with_the_customer() -> None:
    assert rules.window(RENEWED, now=local(4, 20), zone=TOKYO, may_span_renewal=False) == Window(
        day("2026-04-20"), day("2027-04-01"), day("2027-05-01")
    )
    assert rules.window(
        RENEWED, now=local(4, 20), zone=TOKYO, closed_on=day("2026-06-01")
    ) == Window(day("2026-04-20"), day("2026-05-01"), day("2026-06-01"))


@pytest.mark.parametrize(
    ("now", "may_span_renewal", "closed_on"),
    [
        pytest.param(local(4, 2, year=2027), True, None, id="less than a month is left"),
        pytest.param(local(4, 20), False, "2026-05-30", id="neither term has a month left"),
        pytest.param(local(4, 20), True, "2026-05-19", id="the customer leaves"),
    ],
)
def test_without_a_whole_month_there_is_no_window(
    now: datetime, may_span_renewal: bool, closed_on: str | None
) -> None:
    with pytest.raises(BeyondContract):
        rules.window(
            RENEWED,
            now=now,
            zone=TOKYO,
            may_span_renewal=may_span_renewal,
            closed_on=day(closed_on) if closed_on else None,
        )


def test_there_is_no_window_on_the_free_plan() -> None:
    with pytest.raises(NoPaidPlan):
        rules.window(free_since(local(1, 5)), now=NOW, zone=TOKYO)


@pytest.mark.parametrize(
    "name", ["Asia/Tokyo", "Europe/Berlin", "Pacific/Kiritimati", "Etc/GMT+12"]
)
def test_days_are_those_of_the_zone(name: str) -> None:
    zone = ZoneInfo(name)
    first = start_of_day(day("2026-03-29"), zone)
    timeline = contracted("2026-03-29", begins_at=first)
    before = first - timedelta(microseconds=1)

    assert offered(timeline, wish(first_on="2026-03-29"), now=before, zone=zone).net == 5_000
    assert isinstance(
        refused(timeline, wish(first_on="2026-03-28"), now=before, zone=zone), BeforePaidPlan
    )


PARTS = st.lists(
    st.builds(
        Part,
        months=st.sampled_from([1, 12]),
        terms=st.sampled_from([STARTER, STARTER_DEARER, FIFTIES, THIRTIES, BOUNDLESS]),
        steps=st.integers(1, 3),
    ),
    min_size=1,
    max_size=3,
)
DAYS = st.dates(date(2026, 1, 1), date(2028, 12, 31))
WISHES = st.builds(
    Wish,
    accounts=st.sampled_from([-100, 0, 30, 50, 100, 150, 300, 600, 10_000]),
    first_on=DAYS,
    months=st.integers(-1, 14),
)


def accepted(
    timeline: Timeline, wished: Wish, now: datetime, *, may_span_renewal: bool
) -> Offer | None:
    try:
        return offered(timeline, wished, now=now, may_span_renewal=may_span_renewal)
    except Refusal:
        return None


@given(first_on=DAYS, parts=PARTS, wished=WISHES, today=DAYS, spans=st.booleans())
def test_an_offer_lies_within_what_is_paid_for_and_adds_up(
    first_on: date, parts: list[Part], wished: Wish, today: date, spans: bool
) -> None:
    timeline = contracted(first_on, parts)
    now = start_of_day(today, TOKYO) + timedelta(hours=12)

    offer = accepted(timeline, wished, now, may_span_renewal=spans)

    if offer is None:
        return
    end_on = add_months(wished.first_on, wished.months)
    days = {
        wished.first_on + timedelta(days=each) for each in range((end_on - wished.first_on).days)
    }
    assert wished.first_on >= today
    assert all(timeline.term_on(each) for each in days)
    assert spans or len({timeline.term_on(each) for each in days}) == 1
    starts = [month.first_on for month in offer.months]
    assert starts[0] == wished.first_on
    assert [
        *(after - before for before, after in pairwise(starts)),
        end_on - starts[-1],
    ] == [
        add_months(wished.first_on, each + 1)
        - (add_months(wished.first_on, each) if each else wished.first_on)
        for each in range(wished.months)
    ]
    assert offer.net == sum(
        wished.accounts // (span.terms.accounts_per_step or 1) * span.terms.net
        for span in offer.spans
    )
    for month, span in zip(offer.months, offer.spans, strict=True):
        assert month.steps * (span.terms.accounts_per_step or 0) == wished.accounts
        assert span.covers(max(now, start_of_day(month.first_on, TOKYO)))
        assert not span.terms.is_free


@given(first_on=DAYS, parts=PARTS, wished=WISHES, today=DAYS, spans=st.booleans())
def test_the_window_holds_exactly_the_starts_that_have_a_month(
    first_on: date, parts: list[Part], wished: Wish, today: date, spans: bool
) -> None:
    limited = [part for part in parts if part.terms.accounts_per_step] or [Part()]
    timeline = contracted(first_on, limited)
    now = start_of_day(today, TOKYO)
    one = Wish(300, wished.first_on, 1)
    try:
        window = rules.window(timeline, now=now, zone=TOKYO, may_span_renewal=spans)
    except Refusal:
        assert accepted(timeline, one, now, may_span_renewal=spans) is None
        return

    for edge, is_within in (
        (window.first_on - timedelta(days=1), False),
        (window.latest_on, True),
        (window.latest_on + timedelta(days=1), False),
    ):
        offer = accepted(timeline, Wish(300, edge, 1), now, may_span_renewal=spans)
        assert (offer is not None) is is_within
    if accepted(timeline, one, now, may_span_renewal=spans):
        assert window.first_on <= one.first_on <= window.latest_on


@given(first_on=st.dates(date(2024, 1, 1), date(2032, 12, 31)), days=st.integers(-40, 800))
def test_months_that_fit_are_as_many_as_counting_finds(first_on: date, days: int) -> None:
    end_on = first_on + timedelta(days=days)

    fit = rules.months_that_fit(first_on, end_on)

    assert [each for each in range(1, 13) if add_months(first_on, each) <= end_on] == list(
        range(1, fit + 1)
    )


def test_an_offer_depends_on_nothing_that_was_ordered_before() -> None:
    """The rule takes the contract and the wish alone, so spots overlap freely. Rule: S2-08, S2-09."""
    made: list[Callable[[], Offer]] = [
        lambda: offered(YEAR, wish(months=3)),
        lambda: offered(YEAR, wish(first_on="2026-05-10")),
        lambda: offered(YEAR, wish(200, "2026-04-20", 12 - 1)),
    ]

    assert [make().net for make in made] == [15_000, 5_000, 110_000]
    assert [make().net for make in reversed(made)] == [110_000, 5_000, 15_000]


def test_the_free_plan_is_no_main_contract_even_within_a_term() -> None:
    broken = changed(YEAR, FREE, local(6, 1))

    assert isinstance(refused(broken, wish(first_on="2026-06-01")), NoPaidPlan)
    assert offered(broken, wish(first_on="2026-05-01")).net == 5_000

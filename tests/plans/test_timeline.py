from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.months import BillingMonth, last_day, start_of_day
from plans.enums import Category
from plans.rules import PlanTerms
from plans.rules import timeline as rules
from plans.rules.timeline import Refusal, Span, Term, Timeline
from tests.plans.spans import (
    BASIC,
    FREE,
    HELP,
    NO_HELP,
    PRO,
    PRO_2,
    TOKYO,
    day,
    free_since,
    local,
)

LONG_AGO = local(1, 5, 12)
BEFORE_IT = local(1, 10)
APRIL, MAY = local(4, 1), local(5, 1)
BERLIN = ZoneInfo("Europe/Berlin")


def begun(
    timeline: Timeline,
    terms: PlanTerms = PRO,
    *,
    first_on: str = "2026-01-31",
    months: int = 1,
    steps: int = 1,
    renews: bool = False,
    now: datetime = BEFORE_IT,
    latest_on: date | None = None,
    zone: ZoneInfo = TOKYO,
) -> Timeline:
    return rules.start(
        timeline,
        terms,
        steps=steps,
        first_on=day(first_on),
        months=months,
        renews=renews,
        now=now,
        zone=zone,
        latest_on=latest_on,
    )


def renewed(
    timeline: Timeline,
    terms: PlanTerms = PRO,
    *,
    now: datetime,
    months: int = 1,
    steps: int = 1,
) -> Timeline:
    return rules.renew(timeline, terms, steps=steps, months=months, now=now, zone=TOKYO)


def said(spans: tuple[Span, ...]) -> list[tuple[str, int, int, datetime, datetime | None]]:
    return [
        (span.terms.plan_code, span.terms.version_id, span.steps, span.from_at, span.until_at)
        for span in spans
    ]


def fees(spans: tuple[Span, ...], *months: datetime) -> list[int]:
    found = [rules.fee_at(spans, at) for at in months]
    return [span.terms.net * span.steps if span else 0 for span in found]


PAID_FOR_EVER = Timeline(licence=(Span(BASIC, 1, LONG_AGO),), free=FREE)


@pytest.mark.parametrize(
    ("before", "acts", "april", "may"),
    [
        pytest.param(Timeline(), [(BASIC, local(4, 10))], 0, 1_000, id="none to Basic on 10 April"),
        pytest.param(
            PAID_FOR_EVER, [(PRO, local(4, 10))], 1_000, 5_000, id="Basic to Pro on 10 April"
        ),
        pytest.param(
            Timeline(licence=(Span(PRO, 1, LONG_AGO),)),
            [(BASIC, local(4, 30, 23, 59))],
            5_000,
            1_000,
            id="Pro to Basic on 30 April 23:59",
        ),
        pytest.param(
            Timeline(licence=(Span(PRO, 1, LONG_AGO),)),
            [(BASIC, MAY)],
            5_000,
            5_000,
            id="Pro to Basic on 1 May 00:00",
        ),
        pytest.param(
            PAID_FOR_EVER,
            [(PRO, local(4, 3)), (BASIC, local(4, 20))],
            1_000,
            1_000,
            id="Basic to Pro on 3 April, to Basic on 20 April",
        ),
        pytest.param(
            Timeline(licence=(Span(BASIC, 1, LONG_AGO, MAY),)), [], 1_000, 0, id="cancelled"
        ),
    ],
)
def test_the_table_of_plan_changes(
    before: Timeline, acts: list[tuple[PlanTerms, datetime]], april: int, may: int
) -> None:
    """Rule: S1-26, B-02, domain.md 3.4. Net of 1,100 and 5,500 yen."""
    timeline = before
    for terms, at in acts:
        if timeline.at(Category.LICENCE, at) is None:
            spans = (Span(terms, 1, at),)
            timeline = replace(timeline, licence=spans)
        else:
            timeline = rules.change(timeline, terms, at)

    assert fees(timeline.licence, APRIL, MAY) == [april, may]


@pytest.mark.parametrize(
    ("first_on", "months", "last_on"),
    [
        ("2026-01-31", 1, "2026-02-28"),
        ("2028-01-31", 1, "2028-02-29"),
        ("2026-01-30", 1, "2026-02-28"),
        ("2026-01-29", 1, "2026-02-28"),
        ("2026-01-28", 1, "2026-02-27"),
        ("2026-03-31", 1, "2026-04-30"),
        ("2026-02-28", 1, "2026-03-27"),
        ("2026-01-01", 1, "2026-01-31"),
        ("2028-02-29", 12, "2029-02-28"),
        ("2026-11-22", 12, "2027-11-21"),
    ],
)
def test_a_term_ends_as_the_civil_code_says(first_on: str, months: int, last_on: str) -> None:
    """Rule: domain.md 3.2."""
    early = local(1, 1, year=2025)
    timeline = begun(free_since(early), first_on=first_on, months=months, now=early)

    (term,) = timeline.terms
    assert last_day(term.end_on) == day(last_on)
    assert timeline.licence[-2].until_at == start_of_day(term.end_on, TOKYO)


def test_terms_that_follow_are_counted_from_the_first_day_of_all() -> None:
    """Rule: domain.md 3.2: 03-01, 03-31, 05-01, 05-31, 07-01, 07-31."""
    timeline = begun(free_since(LONG_AGO))
    for _ in range(5):
        last = timeline.terms[-1]
        timeline = renewed(timeline, now=start_of_day(last.first_on, TOKYO))

    assert [str(term.end_on) for term in timeline.terms] == [
        "2026-03-01",
        "2026-03-31",
        "2026-05-01",
        "2026-05-31",
        "2026-07-01",
        "2026-07-31",
    ]


def test_start_has_the_free_plan_before_and_after_the_term() -> None:
    """Rule: S2-12."""
    timeline = begun(free_since(LONG_AGO), steps=2, months=12, renews=True)

    assert said(timeline.licence) == [
        ("free", 1, 1, LONG_AGO, local(1, 31)),
        ("pro", 3, 2, local(1, 31), local(1, 31, year=2027)),
        ("free", 1, 1, local(1, 31, year=2027), None),
    ]
    assert timeline.terms == (Term(date(2026, 1, 31), 0, 12),)
    assert timeline.renews


def test_start_today_holds_at_once_and_carries_its_first_fee_the_month_after() -> None:
    """Rule: S1-25, S1-26."""
    now = local(4, 10, 15)
    timeline = begun(free_since(LONG_AGO), first_on="2026-04-10", now=now)

    assert timeline.at(Category.LICENCE, now) == Span(PRO, 1, now, local(5, 10))
    assert fees(timeline.licence, APRIL, MAY, local(6, 1)) == [0, 5_000, 0]


def test_start_gives_who_has_no_plan_the_free_one_until_the_first_day() -> None:
    now = local(4, 10)
    timeline = begun(Timeline(free=FREE), first_on="2026-04-20", now=now)

    assert said(timeline.licence)[:2] == [
        ("free", 1, 1, now, local(4, 20)),
        ("pro", 3, 1, local(4, 20), local(5, 20)),
    ]


def test_start_puts_a_plan_without_a_term_under_contract() -> None:
    """What was selected before there were contracts is paid for until then, and goes on."""
    timeline = begun(PAID_FOR_EVER, BASIC, first_on="2026-04-10", now=local(4, 10, 9))

    assert said(timeline.licence) == [
        ("basic", 2, 1, LONG_AGO, local(5, 10)),
        ("free", 1, 1, local(5, 10), None),
    ]


def test_start_takes_the_day_in_the_vendors_zone() -> None:
    now = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)

    timeline = begun(free_since(LONG_AGO), first_on="2026-04-01", now=now, zone=BERLIN)

    assert timeline.licence[1].from_at == now
    with pytest.raises(rules.StartsInThePast):
        begun(free_since(LONG_AGO), first_on="2026-03-31", now=now, zone=BERLIN)


def test_change_keeps_the_steps_and_holds_for_the_term_that_is_renewed_too() -> None:
    """Rule: S1-25."""
    now = local(2, 10)
    timeline = begun(free_since(LONG_AGO), steps=3)
    timeline = renewed(timeline, PRO_2, now=local(2, 5), steps=4)

    timeline = rules.change(timeline, BASIC, now)

    assert said(timeline.licence) == [
        ("free", 1, 1, LONG_AGO, local(1, 31)),
        ("pro", 3, 3, local(1, 31), now),
        ("basic", 2, 3, now, local(3, 1)),
        ("basic", 2, 4, local(3, 1), local(3, 31)),
        ("free", 1, 1, local(3, 31), None),
    ]


def test_changing_there_and_back_leaves_what_was_used_in_between() -> None:
    """Rule: F46, examples 3.4."""
    timeline = PAID_FOR_EVER
    for terms, at in [(PRO, local(4, 3)), (BASIC, local(4, 20)), (PRO, local(4, 30, 23, 59))]:
        timeline = rules.change(timeline, terms, at)

    assert [span.terms.plan_code for span in timeline.licence] == ["basic", "pro", "basic", "pro"]
    assert fees(timeline.licence, APRIL, MAY) == [1_000, 5_000]


def test_changing_twice_at_the_same_instant_leaves_the_later() -> None:
    now = local(4, 3)

    timeline = rules.change(rules.change(PAID_FOR_EVER, PRO, now), PRO_2, now)

    assert said(timeline.licence) == [
        ("basic", 2, 1, LONG_AGO, now),
        ("pro", 4, 1, now, None),
    ]


def test_support_begins_changes_and_leaves_the_licence() -> None:
    """Rule: S1-21."""
    timeline = rules.change(PAID_FOR_EVER, HELP, local(4, 3))
    timeline = rules.change(timeline, NO_HELP, local(4, 5))

    assert said(timeline.support) == [
        ("help", 5, 1, local(4, 3), local(4, 5)),
        ("no-help", 6, 1, local(4, 5), None),
    ]
    assert timeline.licence == PAID_FOR_EVER.licence


def test_a_plan_without_a_term_may_return_to_free_at_once() -> None:
    timeline = rules.change(PAID_FOR_EVER, FREE, local(4, 3))

    assert said(timeline.licence) == [
        ("basic", 2, 1, LONG_AGO, local(4, 3)),
        ("free", 1, 1, local(4, 3), None),
    ]


def test_add_licences_holds_at_once_and_to_the_end_of_what_is_contracted() -> None:
    """Rule: S2-16."""
    timeline = renewed(begun(free_since(LONG_AGO)), now=local(2, 5))

    timeline = rules.add_licences(timeline, 2, now=local(2, 10), zone=TOKYO)

    assert said(timeline.licence) == [
        ("free", 1, 1, LONG_AGO, local(1, 31)),
        ("pro", 3, 1, local(1, 31), local(2, 10)),
        ("pro", 3, 3, local(2, 10), local(3, 31)),
        ("free", 1, 1, local(3, 31), None),
    ]
    span = timeline.at(Category.LICENCE, local(2, 10))
    assert span is not None
    assert span.accounts == 300
    assert fees(timeline.licence, local(2, 1), local(3, 1)) == [5_000, 15_000]


def test_renew_is_priced_by_the_version_then_on_sale_and_follows_without_a_gap() -> None:
    """Rule: S2-13, B-02."""
    timeline = begun(free_since(LONG_AGO), renews=True)

    timeline = renewed(timeline, PRO_2, now=local(2, 5), months=12, steps=2)

    assert said(timeline.licence) == [
        ("free", 1, 1, LONG_AGO, local(1, 31)),
        ("pro", 3, 1, local(1, 31), local(3, 1)),
        ("pro", 4, 2, local(3, 1), local(3, 1, year=2027)),
        ("free", 1, 1, local(3, 1, year=2027), None),
    ]
    assert timeline.renews


def test_withdraw_renewal_returns_to_free_and_is_not_undone_by_automatic_renewal() -> None:
    first = begun(free_since(LONG_AGO), renews=True)
    timeline = renewed(first, PRO_2, now=local(2, 25))

    timeline = rules.withdraw_renewal(timeline, now=local(2, 26), zone=TOKYO)

    assert timeline == replace(first, renews=False)


def test_withdraw_renewal_takes_back_a_first_term_that_was_ordered_ahead() -> None:
    free = free_since(LONG_AGO)
    ahead = begun(free, first_on="2026-04-10", renews=True)

    timeline = rules.withdraw_renewal(ahead, now=local(4, 9, 23), zone=TOKYO)

    assert timeline == free


def test_reprice_brings_a_new_version_from_a_day_on_wherever_the_plan_is_had() -> None:
    timeline = begun(free_since(LONG_AGO), months=12)

    timeline = rules.reprice(timeline, PRO_2, local(6, 1))

    assert [(span.terms.version_id, span.from_at) for span in timeline.licence] == [
        (1, LONG_AGO),
        (3, local(1, 31)),
        (4, local(6, 1)),
        (1, local(1, 31, year=2027)),
    ]
    assert fees(timeline.licence, local(6, 1), local(7, 1)) == [5_000, 6_000]


def test_reprice_leaves_other_plans_and_what_says_so_already() -> None:
    timeline = begun(free_since(LONG_AGO), BASIC)

    assert rules.reprice(timeline, PRO_2, local(2, 1)) == timeline


def test_the_past_is_left_as_it_is_also_where_neighbours_say_the_same() -> None:
    spans = (Span(BASIC, 1, LONG_AGO, local(2, 1)), Span(BASIC, 1, local(2, 1)))

    timeline = rules.change(Timeline(licence=spans), PRO, local(4, 3))

    assert timeline.licence[0] == spans[0]
    assert len(timeline.licence) == 3


def test_a_timeline_without_terms_answers_by_its_spans() -> None:
    """What was selected before there were contracts goes on as it was."""
    assert PAID_FOR_EVER.last_term is None
    assert PAID_FOR_EVER.term_on(date(2026, 4, 1)) is None
    assert PAID_FOR_EVER.at(Category.LICENCE, local(1, 5, 11)) is None
    assert PAID_FOR_EVER.at(Category.LICENCE, LONG_AGO) == Span(BASIC, 1, LONG_AGO)
    assert Span(replace(BASIC, accounts_per_step=None), 5, LONG_AGO).accounts is None


NO_LIMIT = replace(PRO, accounts_per_step=None)
RUNS = begun(free_since(LONG_AGO))
IN_IT, AFTER_IT = local(2, 10), local(3, 1)
ORDERED = begun(free_since(LONG_AGO), first_on="2026-04-10")
RENEWED = renewed(RUNS, now=IN_IT)


def _add(timeline: Timeline, steps: int, now: datetime) -> Timeline:
    return rules.add_licences(timeline, steps, now=now, zone=TOKYO)


def _withdraw(timeline: Timeline, now: datetime) -> Timeline:
    return rules.withdraw_renewal(timeline, now=now, zone=TOKYO)


def _set(timeline: Timeline, renews: bool, now: datetime) -> Timeline:
    return rules.set_renewal(timeline, renews, now=now, zone=TOKYO)


@pytest.mark.parametrize(
    ("refusal", "act"),
    [
        pytest.param(
            rules.NothingChanges, lambda: rules.change(RUNS, PRO, IN_IT), id="the same plan"
        ),
        pytest.param(
            rules.NotFromHere, lambda: rules.change(RUNS, FREE, IN_IT), id="to free in a term"
        ),
        pytest.param(
            rules.NotFromHere,
            lambda: rules.change(RUNS, FREE, local(2, 28, 23, 59)),
            id="to free in its last minute",
        ),
        pytest.param(
            rules.NotFromHere,
            lambda: rules.change(ORDERED, replace(FREE, version_id=9), IN_IT),
            id="another free plan with a term ordered",
        ),
        pytest.param(
            rules.NothingChanges, lambda: rules.change(RUNS, FREE, AFTER_IT), id="free after it"
        ),
        pytest.param(
            rules.NotFromHere,
            lambda: rules.change(free_since(LONG_AGO), PRO, IN_IT),
            id="from free without a contract",
        ),
        pytest.param(
            rules.NotFromHere,
            lambda: rules.change(Timeline(), PRO, IN_IT),
            id="from nothing without a contract",
        ),
        pytest.param(
            rules.NotFromHere,
            lambda: rules.change(RUNS, BASIC, AFTER_IT),
            id="from free after a contract",
        ),
        pytest.param(
            rules.ContractUnderWay,
            lambda: begun(RUNS, first_on="2026-02-28", now=local(2, 28, 23)),
            id="start on the last day of another",
        ),
        pytest.param(
            rules.ContractUnderWay,
            lambda: begun(ORDERED, first_on="2026-02-10", now=IN_IT),
            id="start before one that is ordered",
        ),
        pytest.param(
            rules.StartsInThePast,
            lambda: begun(free_since(LONG_AGO), first_on="2026-01-09"),
            id="start yesterday",
        ),
        pytest.param(
            rules.StartsTooLate,
            lambda: begun(free_since(LONG_AGO), latest_on=date(2026, 1, 30)),
            id="start later than may be",
        ),
        pytest.param(
            rules.NotATerm, lambda: begun(free_since(LONG_AGO), months=2), id="two months"
        ),
        pytest.param(rules.NotATerm, lambda: begun(free_since(LONG_AGO), steps=0), id="no steps"),
        pytest.param(
            rules.NotFromHere, lambda: begun(free_since(LONG_AGO), FREE), id="a free contract"
        ),
        pytest.param(
            rules.NotFromHere, lambda: begun(free_since(LONG_AGO), HELP), id="a contract of support"
        ),
        pytest.param(
            rules.ReturnsToFree, lambda: begun(Timeline()), id="start without a free plan"
        ),
        pytest.param(
            rules.NoContract,
            lambda: _add(free_since(LONG_AGO), 1, IN_IT),
            id="licences on the free plan",
        ),
        pytest.param(
            rules.NoContract, lambda: _add(ORDERED, 1, IN_IT), id="licences before it begins"
        ),
        pytest.param(rules.NoContract, lambda: _add(RUNS, 1, AFTER_IT), id="licences after it"),
        pytest.param(rules.NotATerm, lambda: _add(RUNS, 0, IN_IT), id="no licences"),
        pytest.param(
            rules.NothingChanges,
            lambda: _add(begun(free_since(LONG_AGO), NO_LIMIT), 1, IN_IT),
            id="licences of a plan without a limit",
        ),
        pytest.param(rules.NotATerm, lambda: _add(RUNS, -1, IN_IT), id="fewer licences"),
        pytest.param(
            rules.NoContract,
            lambda: renewed(free_since(LONG_AGO), now=IN_IT),
            id="renew without a contract",
        ),
        pytest.param(rules.NoContract, lambda: renewed(RUNS, now=AFTER_IT), id="renew too late"),
        pytest.param(
            rules.RenewedBefore, lambda: renewed(RENEWED, now=IN_IT), id="renew what is renewed"
        ),
        pytest.param(
            rules.NotATerm, lambda: renewed(RUNS, now=IN_IT, months=3), id="renew three months"
        ),
        pytest.param(
            rules.NotATerm, lambda: renewed(RUNS, now=IN_IT, steps=0), id="renew no steps"
        ),
        pytest.param(
            rules.NotFromHere, lambda: renewed(RUNS, FREE, now=IN_IT), id="renew the free plan"
        ),
        pytest.param(
            rules.NotFromHere, lambda: renewed(RUNS, HELP, now=IN_IT), id="renew a support plan"
        ),
        pytest.param(
            rules.ReturnsToFree,
            lambda: renewed(replace(RUNS, free=None), now=IN_IT),
            id="renew without a free plan",
        ),
        pytest.param(
            rules.NothingToWithdraw, lambda: _withdraw(RUNS, IN_IT), id="withdraw without a renewal"
        ),
        pytest.param(
            rules.NothingToWithdraw,
            lambda: _withdraw(RENEWED, AFTER_IT),
            id="withdraw what has begun",
        ),
        pytest.param(
            rules.NothingToWithdraw,
            lambda: _withdraw(free_since(LONG_AGO), IN_IT),
            id="withdraw without a contract",
        ),
        pytest.param(
            rules.ReturnsToFree,
            lambda: _withdraw(replace(RENEWED, free=None), IN_IT),
            id="withdraw without a free plan",
        ),
        pytest.param(
            rules.NothingChanges, lambda: _set(RUNS, False, IN_IT), id="renewal off when off"
        ),
        pytest.param(
            rules.NoContract, lambda: _set(RUNS, True, AFTER_IT), id="renewal of what is over"
        ),
        pytest.param(
            rules.NoContract,
            lambda: _set(free_since(LONG_AGO), True, IN_IT),
            id="renewal of nothing",
        ),
    ],
)
def test_an_act_that_the_contract_does_not_allow_is_refused(
    refusal: type[Refusal], act: Callable[[], Timeline]
) -> None:
    with pytest.raises(refusal):
        act()


def test_set_renewal_switches_on_and_off() -> None:
    on = _set(RUNS, True, IN_IT)

    assert on == replace(RUNS, renews=True)
    assert _set(on, False, IN_IT) == RUNS


PLANS = st.sampled_from([FREE, BASIC, PRO, PRO_2, HELP, NO_HELP])
ZONES = st.sampled_from([TOKYO, BERLIN, ZoneInfo("America/St_Johns")])


@st.composite
def histories(draw: st.DrawFn) -> tuple[ZoneInfo, list[tuple[datetime, Timeline]]]:
    """Draw what an organisation has contracted after each of many acts, allowed or refused."""
    zone = draw(ZONES)
    at = datetime(2027, 12, 1, tzinfo=UTC) + timedelta(minutes=draw(st.integers(0, 150_000)))
    timeline = draw(st.sampled_from([free_since(at), Timeline(free=FREE), _paid(at)]))
    told = [(at, timeline)]
    for _ in range(draw(st.integers(1, 12))):
        at = draw(st.sampled_from([at, _next_day(at, zone), at + timedelta(days=40)])) + timedelta(
            hours=draw(st.integers(0, 500))
        )
        try:
            timeline = _act(draw, timeline, at, zone)
        except Refusal:
            continue
        told.append((at, timeline))
    return zone, told


def _paid(at: datetime) -> Timeline:
    return Timeline(licence=(Span(BASIC, 1, at),), free=FREE)


def _next_day(at: datetime, zone: ZoneInfo) -> datetime:
    return start_of_day(at.astimezone(zone).date() + timedelta(days=1), zone)


def _act(draw: st.DrawFn, timeline: Timeline, at: datetime, zone: ZoneInfo) -> Timeline:
    months, steps = draw(st.sampled_from([1, 12])), draw(st.integers(1, 3))
    match draw(st.integers(0, 6)):
        case 0:
            return rules.change(timeline, draw(PLANS), at)
        case 1:
            first_on = at.astimezone(zone).date() + timedelta(days=draw(st.integers(0, 40)))
            return rules.start(
                timeline,
                draw(PLANS),
                steps=steps,
                first_on=first_on,
                months=months,
                renews=draw(st.booleans()),
                now=at,
                zone=zone,
            )
        case 2:
            return rules.add_licences(timeline, steps, now=at, zone=zone)
        case 3:
            return rules.renew(timeline, draw(PLANS), steps=steps, months=months, now=at, zone=zone)
        case 4:
            return rules.withdraw_renewal(timeline, now=at, zone=zone)
        case 5:
            return rules.set_renewal(timeline, draw(st.booleans()), now=at, zone=zone)
        case _:
            return rules.reprice(timeline, PRO_2, _next_day(at, zone) + timedelta(days=30))


@given(histories())
def test_spans_tile_time_from_the_first_on(
    history: tuple[ZoneInfo, list[tuple[datetime, Timeline]]],
) -> None:
    """Rule: I16."""
    _, told = history
    for _, timeline in told:
        for spans in (timeline.licence, timeline.support):
            assert all(span.until_at is None or span.from_at < span.until_at for span in spans)
            assert all(one.until_at == other.from_at for one, other in pairwise(spans))
            assert not spans or spans[-1].until_at is None


@given(histories())
def test_terms_are_contiguous_paid_throughout_and_free_after(
    history: tuple[ZoneInfo, list[tuple[datetime, Timeline]]],
) -> None:
    """Rule: I16, S2-13."""
    zone, told = history
    for _, timeline in told:
        for one, other in pairwise(timeline.terms):
            assert other.first_on >= one.end_on
            if other.months_before:
                assert other.first_on == one.end_on
        paid = [span for span in timeline.licence if not span.terms.is_free]
        for term in timeline.terms:
            ends_at = start_of_day(term.end_on, zone)
            second_day_at = start_of_day(term.first_on + timedelta(days=1), zone)
            inside = [
                span
                for span in timeline.licence
                if span.from_at < ends_at
                and (span.until_at is None or span.until_at > second_day_at)
            ]
            assert inside
            assert all(span in paid for span in inside)
        if timeline.terms:
            assert timeline.licence[-1].terms.is_free
            assert timeline.licence[-1].from_at == start_of_day(timeline.terms[-1].end_on, zone)


@given(histories())
def test_no_act_touches_the_past(
    history: tuple[ZoneInfo, list[tuple[datetime, Timeline]]],
) -> None:
    zone, told = history
    for (_, before), (at, after) in pairwise(told):
        for category in Category:
            assert _until(before.of(category), at) == _until(after.of(category), at)
        month = BillingMonth.containing(at, zone).starts_at(zone)
        for category in Category:
            assert _fee(before.of(category), month) == _fee(after.of(category), month)
        begun_terms = [t for t in before.terms if t.first_on <= at.astimezone(zone).date()]
        assert list(after.terms[: len(begun_terms)]) == begun_terms


def _fee(spans: tuple[Span, ...], at: datetime) -> tuple[int, int] | None:
    span = rules.fee_at(spans, at)
    return (span.terms.version_id, span.steps) if span else None


def _until(spans: tuple[Span, ...], at: datetime) -> list[Span]:
    return [
        span if span.until_at and span.until_at < at else replace(span, until_at=at)
        for span in spans
        if span.from_at < at
    ]

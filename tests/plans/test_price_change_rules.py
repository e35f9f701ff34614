"""What a price change makes of any contract, and that its withdrawal undoes it. Rule: B-02."""

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from core.months import BillingMonth
from plans.enums import Category
from plans.rules import price_changes as rules
from plans.rules.timeline import Timeline, fee_at, is_older
from tests.plans.spans import terms
from tests.plans.test_timeline import histories

NEW = terms("pro", 9, 7_000, number=3)
LATER = terms("pro", 10, 8_000, number=4)


@given(histories(), st.integers(1, 4))
def test_a_price_change_changes_the_price_of_its_months_alone(
    history: tuple[ZoneInfo, list[tuple[datetime, Timeline]]], ahead: int
) -> None:
    zone, told = history
    at, before = told[-1]
    this = BillingMonth.containing(at, zone)
    month = this.plus(1 + ahead)

    after = rules.repriced(before, NEW, month.first_day, zone)

    for each in (this.plus(number) for number in range(30)):
        begins_at = each.starts_at(zone)
        old, new = fee_at(before.licence, begins_at), fee_at(after.licence, begins_at)
        if old is None or new is None:
            assert old is new
            continue
        assert (old.terms.plan_code, old.steps) == (new.terms.plan_code, new.steps)
        if each.first_day < month.first_day:
            assert old.terms == new.terms
        elif is_older(new, NEW):
            # Who leaves the plan at that instant.
            assert each == month
            assert new.until_at == begins_at
    assert all(one.until_at == other.from_at for one, other in pairwise(after.licence))
    assert rules.repriced(after, NEW, month.first_day, zone) == after
    assert not rules.replaced(after, NEW, month.first_day, zone)


@given(histories(), st.integers(1, 4))
def test_a_withdrawn_price_change_leaves_nothing_behind(
    history: tuple[ZoneInfo, list[tuple[datetime, Timeline]]], ahead: int
) -> None:
    zone, told = history
    at, before = told[-1]
    month = BillingMonth.containing(at, zone).plus(1 + ahead)
    had = rules.replaced(before, NEW, month.first_day, zone)
    after = rules.repriced(before, NEW, month.first_day, zone)

    again = rules.taken_back(after, NEW, had, at)

    instants = {each.from_at for timeline in (before, after) for each in timeline.licence}
    for instant in instants | {each + timedelta(seconds=1) for each in instants}:
        had_then, has_then = (
            before.at(Category.LICENCE, instant),
            again.at(Category.LICENCE, instant),
        )
        assert (had_then is None) == (has_then is None)
        if had_then and has_then:
            assert (had_then.terms, had_then.steps) == (has_then.terms, has_then.steps)
    assert all(one.until_at == other.from_at for one, other in pairwise(again.licence))


@given(histories())
def test_two_price_changes_may_be_stored_in_any_order(
    history: tuple[ZoneInfo, list[tuple[datetime, Timeline]]],
) -> None:
    zone, told = history
    at, before = told[-1]
    month = BillingMonth.containing(at, zone).plus(2)
    first, second = (NEW, month.first_day), (LATER, month.plus(2).first_day)

    assert rules.foreseen(before, [first, second], zone) == rules.foreseen(
        before, [second, first], zone
    )

"""When an order is refused that the contract allows. Rule: S1-24, S1-25, B-14."""

from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from ordering.rules import acts, guards
from ordering.rules.acts import Act, AddLicences, ChangePlan, Market, Renew, SetRenewal, Start
from ordering.rules.guards import (
    Cancelled,
    Circumstances,
    Closed,
    NoMethod,
    Overdue,
    TooManyAccounts,
)
from plans.enums import Category, TaxCategory
from plans.rules import PlanTerms
from plans.rules.timeline import Span, Timeline

TOKYO = ZoneInfo("Asia/Tokyo")
NOW = datetime(2026, 4, 10, 3, 0, tzinfo=UTC)
FINE = Circumstances(
    is_closed=False, has_method=True, reviewing="", is_overdue=False, accounts_in_use=3
)


def terms(code: str, net: int, accounts: int | None, version: int) -> PlanTerms:
    return PlanTerms(
        version_id=version,
        version_number=1,
        category=Category.LICENCE if accounts else Category.SUPPORT,
        plan_code=code,
        name_ja=code,
        name_en=code,
        currency="JPY",
        net=net,
        accounts_per_step=accounts,
        is_free=net == 0,
        tax_category=TaxCategory.STANDARD,
        meters=(),
    )


FREE, BASIC, PRO = (
    terms("free", 0, 10, 1),
    terms("basic", 1_000, 50, 2),
    terms("pro", 5_000, 100, 3),
)
NONE, GOLD = terms("none", 0, None, 4), terms("gold", 9_000, None, 5)
OFFERS = {each.plan_code: each for each in (FREE, BASIC, PRO, NONE, GOLD)}
MARKET = Market(NOW, TOKYO, OFFERS)

ON_FREE = Timeline(licence=(Span(FREE, 1, datetime(2026, 1, 1, tzinfo=UTC)),), free=FREE)
ON_BASIC = acts.carried_out(Start("basic", 2, date(2026, 4, 10), 12, renews=False), ON_FREE, MARKET)
ON_BASIC = replace(ON_BASIC, support=(Span(GOLD, 1, datetime(2026, 1, 1, tzinfo=UTC)),))
LATER = replace(MARKET, now=datetime(2026, 5, 10, 3, 0, tzinfo=UTC))

TO_PRO = ChangePlan(Category.LICENCE, "pro")
TO_BASIC = ChangePlan(Category.LICENCE, "basic")
TO_NONE = ChangePlan(Category.SUPPORT, "none")
TO_GOLD = ChangePlan(Category.SUPPORT, "gold")
START = Start("pro", 1, date(2026, 5, 20), 1, renews=False)


def check(act: Act, before: Timeline, circumstances: Circumstances) -> None:
    after = acts.carried_out(act, before, LATER)
    guards.check(act, before, after, circumstances, now=LATER.now, zone=TOKYO)


@pytest.mark.parametrize(
    ("act", "before"),
    [
        pytest.param(TO_PRO, ON_BASIC, id="a dearer plan"),
        pytest.param(TO_GOLD, ON_FREE, id="paid support"),
        pytest.param(START, ON_FREE, id="a contract from a later day"),
        pytest.param(AddLicences(1), ON_BASIC, id="more licences"),
        pytest.param(Renew("basic", 2, 12), ON_BASIC, id="a renewal"),
        pytest.param(SetRenewal(True), ON_BASIC, id="automatic renewal"),
    ],
)
def test_what_is_for_money_needs_a_method(act: Act, before: Timeline) -> None:
    """Rule: S1-24."""
    check(act, before, FINE)

    with pytest.raises(NoMethod) as refused:
        check(act, before, replace(FINE, has_method=False, reviewing="paid"))
    assert refused.value.reviewing == "paid"


def test_a_cheaper_plan_that_is_not_free_needs_a_method_too() -> None:
    on_pro = acts.carried_out(TO_PRO, ON_BASIC, LATER)

    with pytest.raises(NoMethod):
        check(TO_BASIC, on_pro, replace(FINE, has_method=False))


@pytest.mark.parametrize(
    "act", [pytest.param(TO_NONE, id="free support"), pytest.param(SetRenewal(False), id="to free")]
)
def test_what_is_free_needs_none(act: Act) -> None:
    check(act, replace(ON_BASIC, renews=True), replace(FINE, has_method=False))


@pytest.mark.parametrize(
    "act", [pytest.param(TO_PRO, id="a plan"), pytest.param(AddLicences(1), id="licences")]
)
def test_nothing_that_costs_more_while_overdue(act: Act) -> None:
    """Rule: B-14."""
    with pytest.raises(Overdue):
        check(act, ON_BASIC, replace(FINE, is_overdue=True))


def test_what_costs_less_goes_on_while_overdue() -> None:
    check(TO_NONE, ON_BASIC, replace(FINE, is_overdue=True))
    check(TO_BASIC, acts.carried_out(TO_PRO, ON_BASIC, LATER), replace(FINE, is_overdue=True))


@pytest.mark.parametrize(
    ("in_use", "is_refused"),
    [pytest.param(100, False, id="as many"), pytest.param(101, True, id="one more")],
)
def test_a_licence_below_the_accounts_in_use_is_refused(in_use: int, is_refused: bool) -> None:
    """Rule: S1-25: two steps of Basic allow 100, two of Pro 200."""
    on_pro = acts.carried_out(TO_PRO, ON_BASIC, LATER)
    standing = replace(FINE, accounts_in_use=in_use)

    if not is_refused:
        check(TO_BASIC, on_pro, standing)
        return
    with pytest.raises(TooManyAccounts) as refused:
        check(TO_BASIC, on_pro, standing)
    assert (refused.value.in_use, refused.value.allowed) == (101, 100)


def test_who_has_too_many_already_may_have_more() -> None:
    check(TO_PRO, ON_BASIC, replace(FINE, accounts_in_use=500))
    check(AddLicences(1), ON_BASIC, replace(FINE, accounts_in_use=500))


def test_the_return_to_free_is_confirmed_where_more_accounts_are_in_use() -> None:
    renewing = replace(ON_BASIC, renews=True)
    standing = replace(FINE, accounts_in_use=11)

    with pytest.raises(TooManyAccounts) as refused:
        check(SetRenewal(False), renewing, standing)
    assert refused.value.allowed == 10
    assert refused.value.from_at == datetime(2027, 4, 9, 15, tzinfo=UTC)
    check(SetRenewal(False, is_confirmed=True), renewing, standing)


def test_fewer_steps_at_once_cannot_be_confirmed_away() -> None:
    on_pro = acts.carried_out(TO_PRO, ON_BASIC, LATER)
    after = acts.carried_out(TO_BASIC, on_pro, LATER)
    confirmed = SetRenewal(True, is_confirmed=True)

    with pytest.raises(TooManyAccounts):
        guards.check(
            confirmed,
            on_pro,
            after,
            replace(FINE, accounts_in_use=101),
            now=LATER.now,
            zone=TOKYO,
        )


def test_a_closed_organisation_orders_nothing() -> None:
    with pytest.raises(Closed):
        check(TO_NONE, ON_BASIC, replace(FINE, is_closed=True))


@pytest.mark.parametrize(
    "act",
    [TO_PRO, START, AddLicences(3), Renew("pro", 2, 1, is_confirmed=True), SetRenewal(False)],
    ids=acts.name,
)
def test_an_act_is_read_as_it_was_written(act: Act) -> None:
    assert acts.from_json(acts.to_json(act)) == act


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"act": "steal"}, id="unknown"),
        pytest.param({"act": "change", "category": "spot", "plan": "pro"}, id="category"),
        pytest.param({"act": "change", "category": "licence"}, id="without a plan"),
        pytest.param({"act": "add_licences", "steps": 1, "price": 0}, id="with more"),
    ],
)
def test_what_is_no_act_is_refused(stored: dict[str, object]) -> None:
    with pytest.raises(acts.NotAnAct):
        acts.from_json(stored)


@pytest.mark.parametrize(
    ("act", "before", "ends_on", "is_refused"),
    [
        pytest.param(TO_PRO, ON_BASIC, date(2026, 5, 1), True, id="a change in the last month"),
        pytest.param(TO_PRO, ON_BASIC, date(2026, 5, 2), False, id="a change that is paid in May"),
        pytest.param(AddLicences(1), ON_BASIC, date(2026, 5, 1), True, id="licences, unpaid"),
        pytest.param(AddLicences(1), ON_BASIC, date(2027, 4, 10), False, id="licences, paid"),
        pytest.param(START, ON_FREE, date(2027, 4, 10), True, id="a start"),
        pytest.param(Renew("basic", 2, 12), ON_BASIC, date(2027, 4, 10), True, id="a renewal"),
        pytest.param(SetRenewal(renews=True), ON_BASIC, date(2027, 4, 10), True, id="renewing"),
        pytest.param(
            SetRenewal(renews=False),
            replace(ON_BASIC, renews=True),
            date(2026, 5, 1),
            False,
            id="not renewing",
        ),
    ],
)
def test_an_organisation_that_leaves_orders_only_what_is_paid_until_its_last_day(
    act: Act, before: Timeline, ends_on: date, is_refused: bool
) -> None:
    after = acts.carried_out(act, before, MARKET)
    leaving = replace(FINE, ends_on=ends_on)

    refused = None
    try:
        guards.check(act, before, after, leaving, now=NOW, zone=TOKYO)
    except Cancelled as refusal:
        refused = refusal

    assert (refused is not None) is is_refused
    assert refused is None or refused.last_on == date.fromordinal(ends_on.toordinal() - 1)

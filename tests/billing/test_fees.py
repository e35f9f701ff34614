"""The fee's rule is asked three times, of the database: they say the same. Rule: S1-26, B-02."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Organisation
from billing.enums import LineKind
from billing.queries import facts, month_view
from core.months import BillingMonth
from plans import queries as plans
from plans.models import PlanVersion
from tests import make

TOKYO = ZoneInfo("Asia/Tokyo")
APRIL, MAY = BillingMonth(2026, 4), BillingMonth(2026, 5)
# Both are open.
NOW = datetime(2026, 5, 20, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def at(month: int, day: int, hour: int = 12, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=TOKYO)


BEFORE = datetime(2026, 1, 10, tzinfo=TOKYO)
Change = tuple[datetime, str | None]


def sell() -> dict[str, PlanVersion]:
    make.vendor()
    return {
        "basic": make.plan_version("basic", prices={"JPY": 1_100}),
        "pro": make.plan_version("pro", prices={"JPY": 5_500}),
    }


def customer(changes: Sequence[Change], sold: dict[str, PlanVersion]) -> Organisation:
    """Return a customer that changed so; a change to None ends what ran before."""
    organisation = make.organisation(customer_since=date(2026, 1, 1))
    ends = [instant for instant, _ in changes[1:]]
    for (instant, plan), end in zip(changes, [*ends, None], strict=True):
        if plan is not None:
            make.selection(organisation, sold[plan], instant, end)
    return organisation


def fees(organisation: Organisation, month: BillingMonth) -> set[int | None]:
    """Return the fee of a month, as each of the three says; None where it carries none."""
    vendor = plans.vendor()
    selected = plans.fee_selections([organisation.pk], month.starts_at(TOKYO))
    terms = plans.terms([each.version_id for each in selected], "JPY")
    (known,) = facts.load([organisation.pk], month, vendor=vendor, zone=TOKYO)
    view = month_view.month_view(organisation, month, now=NOW, vendor=vendor)
    shown = [line.net for line in view.lines if line.kind == LineKind.FEE]
    return {
        terms[selected[0].version_id].net if selected else None,
        known.licence.terms.net if known.licence else None,
        shown[0] if shown else None,
    }


@pytest.mark.parametrize(
    ("changes", "april", "may"),
    [
        pytest.param([(at(4, 10), "basic")], None, 1_100, id="none, then Basic"),
        pytest.param([(BEFORE, "basic"), (at(4, 10), "pro")], 1_100, 5_500, id="Basic, then Pro"),
        pytest.param(
            [(BEFORE, "pro"), (at(4, 30, 23, 59), "basic")], 5_500, 1_100, id="a minute before May"
        ),
        pytest.param([(BEFORE, "pro"), (at(5, 1, 0), "basic")], 5_500, 5_500, id="as May begins"),
        pytest.param(
            [(BEFORE, "basic"), (at(4, 3), "pro"), (at(4, 20), "basic")],
            1_100,
            1_100,
            id="there and back",
        ),
        pytest.param([(BEFORE, "basic"), (at(5, 1, 0), None)], 1_100, None, id="cancelled"),
    ],
)
def test_the_fee_of_a_month_is_that_of_its_first_instant(
    changes: Sequence[Change], april: int | None, may: int | None
) -> None:
    """The table of domain.md 3.4."""
    organisation = customer(changes, sell())

    assert (fees(organisation, APRIL), fees(organisation, MAY)) == ({april}, {may})


EDGES = [
    instant + timedelta(microseconds=off)
    for instant in (BEFORE, at(4, 1, 0), at(4, 15), at(5, 1, 0), at(5, 10))
    for off in (-1, 0, 1)
]


@given(
    instants=st.sets(st.sampled_from(EDGES), min_size=1, max_size=6),
    chosen=st.lists(st.sampled_from(["basic", "pro", None]), min_size=6, max_size=6),
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_all_who_ask_for_a_fee_are_told_the_same(
    instants: set[datetime], chosen: list[str | None]
) -> None:
    sold = _sold_once()
    organisation = customer(list(zip(sorted(instants), chosen, strict=False)), sold)

    assert len(fees(organisation, APRIL)) == 1
    assert len(fees(organisation, MAY)) == 1


def _sold_once() -> dict[str, PlanVersion]:
    known = {each.plan.code: each for each in PlanVersion.objects.select_related("plan")}
    return known or sell()

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plans.rules import Tier, TiersOutOfOrder, check_tiers, tiers_from_json, tiers_to_json

AMOUNTS = st.decimals(min_value=0, max_value=10**15 - 1, places=12)


def tiers(*ends: int | None) -> list[Tier]:
    return [Tier(None if end is None else Decimal(end), Decimal(1)) for end in ends]


@pytest.mark.parametrize(
    "ends",
    [
        pytest.param([], id="none: what is over is free"),
        pytest.param([None], id="one for all"),
        pytest.param([1, 2, None], id="rising"),
    ],
)
def test_check_tiers_takes_tiers_that_price_each_unit_once(ends: list[int | None]) -> None:
    check_tiers(tiers(*ends))


@pytest.mark.parametrize(
    "ends",
    [
        pytest.param([1], id="nothing above the last"),
        pytest.param([1, 2], id="nothing above the last of two"),
        pytest.param([None, None], id="two without an end"),
        pytest.param([None, 5, None], id="one after all are priced"),
        pytest.param([2, 2, None], id="a tier of no units"),
        pytest.param([2, 1, None], id="falling"),
        pytest.param([0, None], id="a first tier of no units"),
        pytest.param([-1, None], id="below zero"),
    ],
)
def test_check_tiers_refuses_gaps_and_overlaps(ends: list[int | None]) -> None:
    """Rule: B-04."""
    with pytest.raises(TiersOutOfOrder):
        check_tiers(tiers(*ends))


def test_tiers_are_stored_as_plain_decimals() -> None:
    stored = tiers_to_json([Tier(Decimal("1E+4"), Decimal("0.0100")), Tier(None, Decimal("0E-15"))])

    assert stored == [["10000", "0.01"], [None, "0"]]


@given(st.lists(st.builds(Tier, st.none() | AMOUNTS, AMOUNTS), max_size=4))
def test_stored_tiers_come_back_as_they_were(given_tiers: list[Tier]) -> None:
    assert tiers_from_json(tiers_to_json(given_tiers)) == tuple(given_tiers)

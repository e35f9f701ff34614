"""How much is given back, of which charge, and who may decide it. Rule: I09, F10, ASVS 2.3.5."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.rules import refunds
from payments.rules.refunds import Captured, Share
from payments.rules.sums import Sums


@pytest.mark.parametrize(
    ("sums", "under_way", "surplus"),
    [
        pytest.param(Sums(5_500, 0, 5_500), 0, 0, id="paid"),
        pytest.param(Sums(5_500, 0, 0), 0, 0, id="owed"),
        pytest.param(Sums(5_500, 1_000, 5_500), 0, 1_000, id="credited in part"),
        pytest.param(Sums(5_500, 1_000, 0), 0, 0, id="credited and not paid"),
        pytest.param(Sums(5_500, 1_000, 3_000), 0, 0, id="paid in part, less than is owed"),
        pytest.param(Sums(5_500, 0, 11_000), 0, 5_500, id="captured twice"),
        pytest.param(Sums(5_500, 0, 11_000), 5_500, 0, id="captured twice, on its way back"),
        pytest.param(Sums(5_500, 1_000, 5_500, 1_000), 0, 0, id="given back"),
        pytest.param(Sums(5_500, 0, 5_500, 5_500), 0, 0, id="charged back"),
    ],
)
def test_surplus_is_what_was_captured_beyond_what_is_owed(
    sums: Sums, under_way: int, surplus: int
) -> None:
    assert refunds.surplus(sums, under_way) == surplus


@pytest.mark.parametrize(
    ("amount", "shares"),
    [
        pytest.param(0, (), id="nothing"),
        pytest.param(300, (Share(9, 300),), id="within the newest"),
        pytest.param(500, (Share(9, 500),), id="all of the newest"),
        pytest.param(501, (Share(9, 500), Share(7, 1)), id="one beyond it"),
        pytest.param(1_500, (Share(9, 500), Share(7, 1_000)), id="all there is"),
    ],
)
def test_shares_are_taken_from_the_newest_charge_first(
    amount: int, shares: tuple[Share, ...]
) -> None:
    captured = [Captured(9, 500), Captured(8, 0), Captured(7, 1_000)]

    assert refunds.shares(amount, captured) == shares


def test_shares_never_come_to_more_than_was_captured() -> None:
    with pytest.raises(refunds.MoreThanCaptured):
        refunds.shares(1_501, [Captured(9, 500), Captured(7, 1_000)])


@given(lefts=st.lists(st.integers(0, 10_000), max_size=5), part=st.integers(0, 100))
def test_shares_add_up_and_stay_within_each_charge(lefts: list[int], part: int) -> None:
    amount = sum(lefts) * part // 100

    shares = refunds.shares(amount, [Captured(at, left) for at, left in enumerate(lefts)])

    assert sum(share.amount for share in shares) == amount
    assert all(0 < share.amount <= lefts[share.charge_id] for share in shares)


@pytest.mark.parametrize(
    ("amount", "before", "alone"),
    [
        pytest.param(50_000, 0, True, id="the limit itself"),
        pytest.param(50_001, 0, False, id="one above it"),
        pytest.param(1, 50_000, False, id="a part after the limit"),
        pytest.param(20_000, 30_000, True, id="parts that reach it"),
    ],
)
def test_one_person_decides_up_to_the_limit(amount: int, before: int, alone: bool) -> None:
    assert refunds.may_decide_alone(amount, before, 50_000) is alone

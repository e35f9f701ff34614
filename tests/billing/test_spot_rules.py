"""The lines of a spot order: a run of alike months is a line, and together they are the order. Rule: B-13."""

import itertools
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.enums import TaxCode
from billing.rules import explanations, spot
from billing.rules.explanations import SpotWhy
from billing.rules.spot import MixedTaxCodes, NotFrozenMonths, Ordered
from core.money import Rounding
from core.months import add_months
from plans.enums import TaxCategory
from plans.rules import PlanTerms
from plans.rules.timeline import Span
from spot_orders.rules.spot import Offer, SpotMonth, Wish
from tests.billing import kernel
from tests.billing.spots import NOW

FIRST_ON = date(2026, 1, 31)


def ordered(
    *months: tuple[int, int, int],
    code: TaxCode = TaxCode.JP10,
    rounding: Rounding = Rounding.DOWN,
) -> Ordered:
    """Return an order from 31 January 2026 whose months are (version, steps, net a step)."""
    return Ordered(
        number="SP-260101-ABCDEF",
        accounts=100,
        end_on=add_months(FIRST_ON, len(months)),
        months=tuple(
            SpotMonth(FIRST_ON if each == 0 else add_months(FIRST_ON, each), *month)
            for each, month in enumerate(months)
        ),
        terms={version: terms(version) for version, _, _ in months},
        code=code,
        rounding=rounding,
    )


def terms(version: int, category: TaxCategory = TaxCategory.STANDARD) -> PlanTerms:
    return kernel.terms(5_000, version_id=version, tax_category=category)


def told(order: Ordered) -> list[tuple[int, date, date, int]]:
    """Return each line as months, first day, last day and net."""
    found = []
    for line in spot.lines(order):
        why = explanations.parse(line.explanation)
        assert isinstance(why, SpotWhy)
        found.append((why.months, why.first_on, why.last_on, line.net))
    return found


def test_months_of_one_version_are_one_line() -> None:
    assert told(ordered((1, 2, 5_000), (1, 2, 5_000), (1, 2, 5_000))) == [
        (3, date(2026, 1, 31), date(2026, 4, 30), 30_000)
    ]


def test_another_version_price_or_step_begins_another_line() -> None:
    """Months from 31 January begin on 1 March, 31 March and 1 May (domain.md 3.2)."""
    order = ordered((1, 1, 5_000), (2, 1, 5_000), (2, 1, 6_000), (2, 2, 6_000))

    assert told(order) == [
        (1, date(2026, 1, 31), date(2026, 2, 28), 5_000),
        (1, date(2026, 3, 1), date(2026, 3, 30), 5_000),
        (1, date(2026, 3, 31), date(2026, 4, 30), 6_000),
        (1, date(2026, 5, 1), date(2026, 5, 30), 12_000),
    ]


def test_a_version_that_comes_back_is_a_line_of_its_own() -> None:
    order = ordered((1, 1, 5_000), (2, 1, 6_000), (1, 1, 5_000))

    assert [months for months, *_ in told(order)] == [1, 1, 1]


def test_tax_is_computed_once_on_the_sum() -> None:
    """Three months of 105: 31 yen of tax on 315, not three times 10."""
    (tax,) = spot.taxes(ordered((1, 1, 105), (2, 1, 105), (3, 1, 105)))

    assert (tax.code, tax.rate, tax.net, tax.tax) == (TaxCode.JP10, Decimal("0.1"), 315, 31)


MONTHS = st.lists(
    st.tuples(st.integers(1, 3), st.integers(1, 100), st.integers(0, 200_000)),
    min_size=1,
    max_size=12,
)


@given(months=MONTHS)
def test_lines_are_the_order_to_the_yen_and_its_days_without_a_gap(
    months: list[tuple[int, int, int]],
) -> None:
    order = ordered(*months)

    lines = told(order)

    net = sum(steps * unit for _, steps, unit in months)
    (tax,) = spot.taxes(order)
    assert sum(each[3] for each in lines) == net == tax.net
    assert tax.tax == floor(Fraction(net, 10))
    assert sum(each[0] for each in lines) == len(months)
    assert lines[0][1] == FIRST_ON
    assert lines[-1][2] == order.end_on - timedelta(days=1)
    for before, after in itertools.pairwise(lines):
        assert after[1] == before[2] + timedelta(days=1)


@given(months=MONTHS)
def test_what_an_order_froze_is_read_back_as_it_was(months: list[tuple[int, int, int]]) -> None:
    frozen = ordered(*months).months

    assert (
        spot.months_of(
            [
                [each.first_on.isoformat(), each.version_id, each.steps, each.unit_net]
                for each in frozen
            ]
        )
        == frozen
    )


@pytest.mark.parametrize("priced", [[[1]], [["x", 1, 1, 1]], [["2026-01-31", None, 1, 1]], [3], 7])
def test_what_is_no_months_is_refused(priced: object) -> None:
    with pytest.raises(NotFrozenMonths):
        spot.months_of(priced)  # type: ignore[arg-type]  # what a row may hold


def offer(*categories: TaxCategory) -> Offer:
    spans = tuple(
        Span(terms(each, category), 1, NOW) for each, category in enumerate(categories, 1)
    )
    months = tuple(
        SpotMonth(FIRST_ON, each, 1, 5_000) for each, _ in enumerate(categories, start=1)
    )
    return Offer(Wish(100, FIRST_ON, len(categories)), "JPY", months, spans)


@pytest.mark.parametrize(
    ("country", "rounding", "code", "tax"),
    [
        ("JP", Rounding.DOWN, TaxCode.JP10, 1_000),
        ("DE", Rounding.DOWN, TaxCode.OUT_OF_SCOPE, 0),
    ],
)
def test_totals_follow_the_country(
    country: str, rounding: Rounding, code: TaxCode, tax: int
) -> None:
    found = spot.totals(
        offer(TaxCategory.STANDARD, TaxCategory.STANDARD),
        vendor_country="JP",
        country=country,
        ordered_on=FIRST_ON,
        rounding=rounding,
    )

    assert (found.net, found.tax, found.gross, found.code) == (10_000, tax, 10_000 + tax, code)


def test_totals_round_as_the_vendor_does() -> None:
    odd = offer(TaxCategory.STANDARD)
    odd = replace(odd, months=(replace(odd.months[0], unit_net=105),))

    def tax(rounding: Rounding) -> int:
        return spot.totals(
            odd, vendor_country="JP", country="JP", ordered_on=FIRST_ON, rounding=rounding
        ).tax

    assert (tax(Rounding.DOWN), tax(Rounding.HALF_UP), tax(Rounding.UP)) == (10, 11, 11)


def test_totals_refuse_months_of_different_taxes() -> None:
    with pytest.raises(MixedTaxCodes):
        spot.totals(
            offer(TaxCategory.STANDARD, TaxCategory.REDUCED),
            vendor_country="JP",
            country="JP",
            ordered_on=FIRST_ON,
            rounding=Rounding.DOWN,
        )

"""What a credit note gives back of an invoice, by hand and at random. Rule: B-11."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.enums import LineKind, TaxCode
from billing.rules import credits as rules
from billing.rules import rating
from billing.rules.credits import Original
from billing.rules.facts import TaxLine
from billing.rules.tax import RATES, tax_on, tax_within
from core.money import Rounding
from tests.billing import kernel

NOTHING: Mapping[TaxCode, int] = {}
TEN, EIGHT, ABROAD = TaxCode.JP10, TaxCode.JP8R, TaxCode.OUT_OF_SCOPE


def billed(net: int, code: TaxCode = TEN, rounding: Rounding = Rounding.DOWN) -> TaxLine:
    return TaxLine(code, RATES[code], net, tax_on(net, code, rounding))


def split(
    *taxes: TaxLine,
    gross: int | None,
    before: Mapping[TaxCode, int] = NOTHING,
    rounding: Rounding = Rounding.DOWN,
) -> list[tuple[TaxCode, int, int]]:
    parts = rules.split(taxes, before, gross=gross, rounding=rounding)
    return [(part.code, part.net, part.tax) for part in parts]


@pytest.mark.parametrize(
    ("gross", "before", "net", "tax"),
    [
        pytest.param(None, 0, 5_000, 500, id="all of 5,500"),
        pytest.param(5_500, 0, 5_000, 500, id="all of it, as an amount"),
        pytest.param(1_100, 0, 1_000, 100, id="a fifth"),
        pytest.param(1_000, 0, 910, 90, id="1,000 holds 90.9"),
        pytest.param(1_000, 1_000, 909, 91, id="2,000 holds 181.8: 181 less 90"),
        pytest.param(1, 0, 1, 0, id="one yen holds no tax"),
        pytest.param(1, 10, 0, 1, id="the eleventh yen is tax"),
        pytest.param(None, 1_000, 4_090, 410, id="the rest after 1,000"),
    ],
)
def test_split_takes_the_tax_that_the_sum_so_far_holds(
    gross: int | None, before: int, net: int, tax: int
) -> None:
    assert split(billed(5_000), gross=gross, before={TEN: before}) == [(TEN, net, tax)]


@pytest.mark.parametrize(
    ("rounding", "parts"),
    [
        pytest.param(Rounding.DOWN, [(91, 9), (91, 9), (133, 13)], id="down: 9.09, 18.18, 28.6"),
        pytest.param(Rounding.HALF_UP, [(91, 9), (91, 9), (133, 14)], id="half up"),
        pytest.param(Rounding.UP, [(90, 10), (91, 9), (134, 13)], id="up"),
    ],
)
def test_split_rounds_as_the_invoice_did(rounding: Rounding, parts: list[tuple[int, int]]) -> None:
    """315 net: 31.5 of tax, so 31, 32, 32. 100 and 100 given back, then the rest."""
    invoice = billed(315, rounding=rounding)
    before: Counter[TaxCode] = Counter()
    found = []
    for gross in (100, 100, None):
        ((_, net, tax),) = split(invoice, gross=gross, before=before, rounding=rounding)
        before[TEN] += net + tax
        found.append((net, tax))

    assert found == parts


@pytest.mark.parametrize(
    ("gross", "parts"),
    [
        # 105 at each rate, with 10 and 8 of tax: 115 and 113 of 228.
        pytest.param(228, [(TEN, 105, 10), (EIGHT, 105, 8)], id="all"),
        # 100 × 115 ÷ 228 = 50.44 and 49.56: the odd yen goes to the latter.
        pytest.param(100, [(TEN, 46, 4), (EIGHT, 47, 3)], id="by largest remainder"),
        pytest.param(1, [(TEN, 1, 0)], id="one yen cannot be divided"),
    ],
)
def test_split_divides_by_what_is_left_of_each_rate(
    gross: int, parts: list[tuple[TaxCode, int, int]]
) -> None:
    assert sorted(split(billed(105), billed(105, EIGHT), gross=gross)) == sorted(parts)


def test_split_leaves_a_rate_alone_that_is_given_back() -> None:
    parts = split(billed(105), billed(105, EIGHT), gross=10, before={TEN: 115})

    assert parts == [(EIGHT, 10, 0)]


def test_split_of_an_invoice_outside_the_tax_bears_none() -> None:
    assert split(billed(5_000, ABROAD), gross=1_234) == [(ABROAD, 1_234, 0)]


@pytest.mark.parametrize("gross", [0, -1])
def test_split_refuses_what_is_no_amount(gross: int) -> None:
    with pytest.raises(rules.NotAnAmount):
        split(billed(5_000), gross=gross)


def test_split_refuses_more_than_is_left_and_says_how_much_is() -> None:
    with pytest.raises(rules.MoreThanLeft) as refused:
        split(billed(5_000), gross=4_501, before={TEN: 1_000})

    assert refused.value.args == (4_501, 4_500)


@pytest.mark.parametrize("gross", [None, 1])
def test_split_refuses_an_invoice_that_is_given_back(gross: int | None) -> None:
    with pytest.raises(rules.NothingLeft):
        split(billed(5_000), gross=gross, before={TEN: 5_500})


ROUNDINGS = st.sampled_from(list(Rounding))


@given(net=st.integers(0, 10**15), rounding=ROUNDINGS, code=st.sampled_from(list(TaxCode)))
def test_the_gross_of_an_invoice_holds_its_tax(net: int, rounding: Rounding, code: TaxCode) -> None:
    tax = tax_on(net, code, rounding)

    assert tax_within(net + tax, RATES[code], rounding) == tax


@given(
    nets=st.dictionaries(st.sampled_from(list(TaxCode)), st.integers(0, 100_000), min_size=1),
    rounding=ROUNDINGS,
    wishes=st.lists(st.integers(1, 60_000), max_size=12),
)
def test_any_parts_give_back_the_invoice_and_never_more(
    nets: Mapping[TaxCode, int], rounding: Rounding, wishes: list[int]
) -> None:
    taxes = [billed(net, code, rounding) for code, net in nets.items()]
    left = sum(tax.net + tax.tax for tax in taxes)
    before: Counter[TaxCode] = Counter()
    given_net: Counter[TaxCode] = Counter()
    given_tax: Counter[TaxCode] = Counter()
    for wish in [*wishes, None]:
        if left == 0:
            break
        gross = None if wish is None else min(wish, left)
        parts = rules.split(taxes, before, gross=gross, rounding=rounding)
        assert sum(part.net + part.tax for part in parts) == (left if gross is None else gross)
        for part in parts:
            assert part.net >= 0
            assert part.tax >= 0
            given_net[part.code] += part.net
            given_tax[part.code] += part.tax
            before[part.code] += part.net + part.tax
        left = sum(tax.net + tax.tax for tax in taxes) - before.total()
        for tax in taxes:
            assert given_net[tax.code] <= tax.net
            assert given_tax[tax.code] <= tax.tax

    assert left == 0
    assert [(given_net[tax.code], given_tax[tax.code]) for tax in taxes] == [
        (tax.net, tax.tax) for tax in taxes
    ]


def october(used: str = "120000.5") -> Original:
    """Starter 200 at 10,000, and 140 for calls: 10,140 net, 1,014 tax."""
    bill = rating.rate(
        kernel.facts(
            licence=kernel.terms(5_000, kernel.calls()), steps=2, used={"calls": Decimal(used)}
        )
    )
    return Original(bill.month, Rounding.DOWN, bill.lines, bill.taxes)


def test_credit_of_a_whole_invoice_mirrors_what_cost_something() -> None:
    note = rules.credit(october(), NOTHING, gross=None, reason="Double order")

    assert [(line.kind, line.name_en, line.quantity, line.net) for line in note.lines] == [
        (LineKind.CREDIT, "Starter 200", Decimal(2), 10_000),
        (LineKind.CREDIT, "Calls", Decimal("120000.5"), 140),
    ]
    assert note.lines[1].explanation == {
        "kind": "credit_of_line",
        "position": "2",
        "reason": "Double order",
    }
    assert (note.net, note.tax, note.gross) == (10_140, 1_014, 11_154)


def test_credit_of_a_whole_invoice_leaves_out_what_cost_nothing() -> None:
    note = rules.credit(october(used="1"), NOTHING, gross=11_000, reason="Double order")

    assert [line.name_en for line in note.lines] == ["Starter 200"]


def test_credit_of_a_part_has_a_line_a_rate_with_its_computation() -> None:
    """5,000 before holds 454.54, 8,000 holds 727.27: 727 less 454."""
    note = rules.credit(october(), {TEN: 5_000}, gross=3_000, reason="Outage")

    (line,) = note.lines
    assert (line.kind, line.name_ja, line.name_en) == (
        LineKind.CREDIT,
        "2026年10月分の返還",
        "Credit for October 2026",
    )
    assert (line.quantity, line.net, line.tax_code) == (Decimal(1), 2_727, TEN)
    assert line.explanation == {
        "kind": "credit_of_rate",
        "tax_code": "JP10",
        "rate": "0.1",
        "rounding": "down",
        "billed_gross": "11154",
        "billed_tax": "1014",
        "gross_before": "5000",
        "gross": "3000",
        "tax": "273",
        "reason": "Outage",
    }


def test_credit_of_the_rest_is_not_mirrored() -> None:
    note = rules.credit(october(), {TEN: 5_000}, gross=None, reason="Outage")

    assert [line.name_en for line in note.lines] == ["Credit for October 2026"]
    assert (note.net, note.tax) == (5_594, 560)

"""What holds of every bill, whatever the prices and the usage."""

import random
from collections.abc import Sequence
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.enums import LineKind, TaxCode
from billing.rules import rating
from billing.rules.facts import Bill, Catalogue, Facts, Fee, NotFacts, facts_from_json, facts_json
from billing.rules.rating import EXACT
from billing.rules.tax import RATES, tax_on
from core import canonical
from core.money import Rounding, round_tax
from core.months import BillingMonth
from plans.enums import TaxCategory
from plans.rules import MeterTerms, PlanTerms, Tier
from tests.billing import kernel
from tests.billing.kernel import CALLS, MESSAGES, facts, late, terms

# Up to the 40 digits of the column, with 15 decimals; corrections make them negative.
quantities = st.decimals(
    Decimal(-(10**20)), Decimal(10**20), places=15, allow_nan=False, allow_infinity=False
)
unit_prices = st.decimals(0, 1000, places=12)
amounts = st.integers(0, 10**9)


@st.composite
def tiers(draw: st.DrawFn) -> tuple[Tier, ...]:
    ends = sorted(draw(st.sets(st.integers(1, 10**12), max_size=4)))
    bounded = [Tier(Decimal(end), draw(unit_prices)) for end in ends]
    return (*bounded, Tier(None, draw(unit_prices)))


@st.composite
def meter_terms(draw: st.DrawFn) -> MeterTerms:
    included = draw(st.decimals(0, 10**12, places=15))
    return MeterTerms(CALLS, included, draw(st.one_of(tiers(), st.just(()))))


LICENCES = (
    terms(5_000, kernel.calls(), version_id=1),
    terms(0, kernel.calls(included=10), version_id=3),
    terms(105, version_id=4, tax_category=TaxCategory.REDUCED, name="Reduced"),
)
SUPPORT = kernel.support(105)
CATALOGUE = Catalogue(
    terms=lambda version_id, currency: {
        (each.version_id, each.currency): each for each in (*LICENCES, SUPPORT)
    }[version_id, currency],
    meters={meter.id: meter for meter in (CALLS, MESSAGES)},
)
usages = st.dictionaries(st.sampled_from(["calls", "messages"]), quantities)


@st.composite
def known(draw: st.DrawFn) -> Facts:
    """Return facts of every shape that the catalogue above allows."""
    licence = draw(st.one_of(st.none(), st.sampled_from(LICENCES)))
    months = draw(st.sets(st.integers(1, 9), max_size=3))
    return facts(
        licence=licence,
        steps=draw(st.integers(1, 50)),
        support=draw(st.one_of(st.none(), st.just(SUPPORT))),
        used=draw(usages),
        late=tuple(
            late(
                licence=draw(st.one_of(st.none(), st.sampled_from(LICENCES))),
                used=draw(usages),
                rated=draw(usages),
                billed=draw(st.dictionaries(st.sampled_from(["calls"]), amounts)),
                month=BillingMonth(2026, month),
                revision=draw(st.integers(1, 9)),
            )
            for month in sorted(months)
        ),
        credit=draw(st.dictionaries(st.sampled_from(TaxCode), st.integers(1, 10**6))),
        country=draw(st.sampled_from(["JP", "DE"])),
        tax_rounding=draw(st.sampled_from(Rounding)),
    )


@given(given_facts=known())
def test_a_bill_adds_up_and_is_never_negative(given_facts: Facts) -> None:
    """Rule: B-06, B-08 (I01)."""
    bill = rating.rate(given_facts)

    assert bill.net == sum(line.net for line in bill.lines)
    assert bill.gross == bill.net + bill.tax
    assert (bill.net, bill.tax) == (
        sum(tax.net for tax in bill.taxes),
        sum(tax.tax for tax in bill.taxes),
    )
    assert all(tax.net >= 0 and tax.tax >= 0 for tax in bill.taxes)
    assert all(credit > 0 for credit in bill.credit_carried.values())


@given(given_facts=known())
def test_tax_is_the_sum_of_a_rates_lines_rounded_once(given_facts: Facts) -> None:
    """Rule: B-06."""
    bill = rating.rate(given_facts)

    for tax in bill.taxes:
        net = sum(line.net for line in bill.lines if line.tax_code == tax.code)
        assert tax.net == net
        assert tax.tax == round_tax(net * RATES[tax.code], given_facts.tax_rounding)
    assert {line.tax_code for line in bill.lines} == {tax.code for tax in bill.taxes}


@given(given_facts=known())
def test_the_explanation_adds_up_to_the_amount(given_facts: Facts) -> None:
    """Rule: B-04. Read back from the stored form alone."""
    bill = rating.rate(given_facts)

    for line in bill.lines:
        told = canonical.dumps(dict(line.explanation))
        assert b"." not in told or b'"' in told
        if line.kind == LineKind.FEE:
            steps, unit_net = line.explanation["steps"], line.explanation["unit_net"]
            assert isinstance(steps, str)
            assert isinstance(unit_net, str)
            assert line.net == int(steps) * int(unit_net)
        elif line.kind == LineKind.USAGE:
            assert _told_net(line.explanation) == line.net
        elif line.kind == LineKind.ADJUSTMENT:
            now = line.explanation["now"]
            assert isinstance(now, dict)
            before, after = line.explanation["net_before"], line.explanation["net_now"]
            assert isinstance(before, str)
            assert isinstance(after, str)
            assert _told_net(now) == int(after)
            assert line.net == int(after) - int(before)


def _told_net(told: object) -> int:
    """Return what a reader with a pencil makes of a usage explanation."""
    assert isinstance(told, dict)
    total = units = Decimal(0)
    for tier in told["tiers"]:
        amount = EXACT.multiply(Decimal(tier["units"]), Decimal(tier["unit_price"]))
        assert amount == Decimal(tier["amount"])
        total = EXACT.add(total, amount)
        units = EXACT.add(units, Decimal(tier["units"]))
    assert total == Decimal(told["exact"])
    if told["tiers"]:
        assert units == Decimal(told["over"])
        assert units == EXACT.subtract(Decimal(told["used"]), Decimal(told["included"]))
    return int(total.to_integral_value(rounding=ROUND_DOWN))


@given(used=quantities, more=st.decimals(0, 10**12, places=15), of=meter_terms())
def test_the_price_never_falls_as_units_rise(used: Decimal, more: Decimal, of: MeterTerms) -> None:
    assert rating.usage_price(EXACT.add(used, more), of).net >= rating.usage_price(used, of).net


@given(
    parts=st.lists(quantities, min_size=1, max_size=12), of=meter_terms(), seed=st.integers(0, 99)
)
def test_neither_the_order_nor_the_splitting_of_usage_matters(
    parts: list[Decimal], of: MeterTerms, seed: int
) -> None:
    """Rule: B-04, B-05. A sum of exact decimals has no order, and halves make a whole."""
    halves = [half for part in parts for half in (EXACT.multiply(part, Decimal("0.5")),) * 2]
    random.Random(seed).shuffle(halves)

    assert rating.usage_price(_sum(halves), of) == rating.usage_price(_sum(parts), of)


def _sum(quantities: Sequence[Decimal]) -> Decimal:
    total = Decimal(0)
    for quantity in quantities:
        total = EXACT.add(total, quantity)
    return total


@given(
    steps=st.lists(st.decimals(0, 10**6, places=3), min_size=1, max_size=6),
    fees=st.lists(st.integers(0, 300), min_size=6, max_size=6),
)
def test_one_jump_of_corrections_or_many_bill_the_same_in_the_end(
    steps: list[Decimal], fees: list[int]
) -> None:
    """Rule: B-08. What a month is billed in the end depends on its usage, not on when it was told.

    January's usage is corrected month by month, or all at once in the last; the fees of the
    months between are met by its credit.
    """
    of = terms(0, kernel.calls(included=10_000))
    slow = _billed(of, [Decimal(500_000), *steps], fees)
    at_once = _billed(
        of, [Decimal(500_000), *[Decimal(500_000)] * (len(steps) - 1), steps[-1]], fees
    )

    assert slow == at_once


def _billed(of: PlanTerms, told: Sequence[Decimal], fees: Sequence[int]) -> int:
    """Return the net of all invoices, less the credit that is left over after the last."""
    january = BillingMonth(2026, 1)
    first = rating.rate(facts(licence=of, used={"calls": told[0]}, month=january))
    bills: list[Bill] = [first]
    rated, billed = told[0], first.net
    for number, (now, fee) in enumerate(zip(told[1:], fees, strict=False), 1):
        correction = late(
            licence=of,
            used={"calls": now},
            rated={"calls": rated},
            billed={"calls": billed},
            month=january,
        )
        bill = rating.rate(
            facts(
                licence=terms(fee, version_id=9),
                month=january.plus(number),
                late=(correction,),
                credit=bills[-1].credit_carried,
            )
        )
        billed += sum(line.net for line in bill.lines if line.kind == LineKind.ADJUSTMENT)
        rated = now
        bills.append(bill)
    return sum(bill.net for bill in bills) - sum(bills[-1].credit_carried.values())


@given(given_facts=known())
def test_facts_come_back_from_their_canonical_form(given_facts: Facts) -> None:
    written = canonical.dumps(facts_json(given_facts))

    again = facts_from_json(_parsed(written), CATALOGUE)

    assert again == given_facts
    assert canonical.dumps(facts_json(again)) == written
    assert rating.rate(again) == rating.rate(given_facts)


def _parsed(written: bytes) -> dict[str, object]:
    parsed: dict[str, object] = orjson.loads(written)
    return parsed


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"v": 2}, id="a later form"),
        pytest.param({"licence": [99, 1]}, id="no such version"),
        pytest.param({"meters": [99]}, id="no such meter"),
        pytest.param({"used": {"calls": "many"}}, id="no number"),
        pytest.param({"late": [{}]}, id="half a late month"),
        pytest.param({"credit": None}, id="no credit"),
    ],
)
def test_facts_from_json_refuses_what_it_did_not_write(change: dict[str, object]) -> None:
    stored = facts_json(facts(licence=LICENCES[0]))

    with pytest.raises(NotFacts):
        facts_from_json({**stored, **change}, CATALOGUE)


def test_facts_of_an_ordinary_month_are_small() -> None:
    given_facts = facts(licence=LICENCES[0], support=SUPPORT, used={"calls": Decimal("120000.5")})

    assert len(canonical.dumps(facts_json(given_facts))) < 300


@pytest.mark.parametrize("months", [1, 2, 3, 12])
def test_a_promised_gross_price_is_never_one_yen_off(months: int) -> None:
    """Rule: B-06 (F47). Every gross price up to 220,000 yen that ten percent divide: 5,500 × n."""
    for net in range(10, 200_001, 10):
        promised = net * 11 // 10 * months
        for rounding in Rounding:
            assert net * months + tax_on(net * months, TaxCode.JP10, rounding) == promised


def test_three_months_of_5_500_are_16_500() -> None:
    licence = Fee(terms(5_000), 3)

    assert rating.rate(replace(facts(), licence=licence)).gross == 16_500

from decimal import Decimal
from itertools import permutations

import pytest

from billing.enums import LineKind, TaxCode
from billing.rules import rating
from billing.rules.facts import Facts, TaxLine
from billing.rules.tax import NoTaxRate
from core.money import Rounding
from core.months import BillingMonth
from plans.enums import TaxCategory
from plans.rules import Tier
from tests.billing import kernel
from tests.billing.kernel import FLAT, SEPTEMBER, TIERS, calls, facts, kinds, late, line_of, terms

TEN = Decimal("0.1")
REDUCED = TaxCategory.REDUCED


def used(quantity: str) -> dict[str, Decimal]:
    return {"calls": Decimal(quantity)}


@pytest.mark.parametrize(
    ("given", "net", "tax", "gross"),
    [
        pytest.param(facts(licence=terms(5_000)), 5_000, 500, 5_500, id="Starter 100, no usage"),
        pytest.param(
            facts(
                licence=terms(105, calls(FLAT)), support=kernel.support(105), used=used("110500")
            ),
            315,
            31,
            346,
            id="three lines of 105, one rate",
        ),
        pytest.param(
            facts(licence=terms(105), support=kernel.support(105, REDUCED)),
            210,
            18,
            228,
            id="105 at 10 %, 105 at 8 %",
        ),
        pytest.param(
            facts(licence=terms(0, calls(FLAT)), used=used("120000.5")),
            200,
            20,
            220,
            id="200.005 is 200",
        ),
        pytest.param(
            facts(licence=terms(0, calls(TIERS)), used=used("120000.5")),
            140,
            14,
            154,
            id="tiers: 100 + 40.002 is 140",
        ),
        pytest.param(
            facts(licence=terms(5_000, currency="USD"), currency="USD", country="DE"),
            5_000,
            0,
            5_000,
            id="Germany, 50.00 USD",
        ),
        pytest.param(facts(licence=terms(1_100 * 10 // 11)), 1_000, 100, 1_100, id="Basic 1,100"),
        pytest.param(facts(licence=terms(5_000), steps=2), 10_000, 1_000, 11_000, id="Starter 200"),
        pytest.param(facts(), 0, 0, 0, id="nothing at all"),
    ],
)
def test_rate_comes_to_the_yen_of_the_rule_book(
    given: Facts, net: int, tax: int, gross: int
) -> None:
    """Rule: domain.md 4, examples; B-02, B-04, B-06, B-07, B-12."""
    bill = rating.rate(given)

    assert (bill.net, bill.tax, bill.gross) == (net, tax, gross)


@pytest.mark.parametrize(
    ("now", "net", "tax", "gross", "carried"),
    [
        pytest.param("120003.5", 5_000, 500, 5_500, {}, id="3 late calls: still 140, no line"),
        pytest.param("110000", 4_960, 496, 5_456, {}, id="a correction of -10,000.5: -40"),
        pytest.param("370000.5", 6_000, 600, 6_600, {}, id="250,000 late calls: +1,000"),
    ],
)
def test_rate_adjusts_a_month_that_changed_after_it_was_billed(
    now: str, net: int, tax: int, gross: int, carried: dict[TaxCode, int]
) -> None:
    """Rule: B-08. September was billed 140 for 120,000.5 calls."""
    starter = terms(5_000, calls(TIERS))
    september = late(licence=starter, used=used(now), rated=used("120000.5"), billed={"calls": 140})

    bill = rating.rate(facts(licence=starter, late=(september,)))

    assert (bill.net, bill.tax, bill.gross) == (net, tax, gross)
    assert bill.credit_carried == carried


def test_rate_alone_bills_a_correction_of_minus_forty_as_credit() -> None:
    """Rule: B-08: −40 and −4 of tax, but an invoice is never negative: 40 are carried, net."""
    september = late(
        licence=terms(0, calls(TIERS)),
        used=used("110000"),
        rated=used("120000.5"),
        billed={"calls": 140},
    )

    bill = rating.rate(facts(late=(september,)))

    assert kinds(bill) == [(LineKind.ADJUSTMENT, -40), (LineKind.CREDIT_CARRIED, 40)]
    assert bill.taxes == (TaxLine(TaxCode.JP10, TEN, 0, 0),)
    assert (bill.net, bill.tax, bill.gross) == (0, 0, 0)
    assert bill.credit_carried == {TaxCode.JP10: 40}
    assert not bill.is_nothing


def test_rate_names_the_month_and_explains_an_adjustment() -> None:
    september = late(
        licence=terms(0, calls(TIERS)),
        used=used("110000"),
        rated=used("120000.5"),
        billed={"calls": 140},
    )

    line = line_of(rating.rate(facts(late=(september,))), LineKind.ADJUSTMENT)

    assert line.month == SEPTEMBER
    assert line.name_en == "Calls (adjustment for September 2026)"
    assert line.name_ja == "calls数(2026年9月分の調整)"
    assert line.quantity == Decimal("-10000.5")
    assert line.explanation == {
        "kind": "adjustment",
        "month": "2026-09",
        "used_before": "120000.5",
        "used_now": "110000",
        "net_before": "140",
        "net_now": "100",
        "now": {
            "kind": "usage",
            "plan": "starter",
            "version": 3,
            "aggregation": "sum",
            "used": "110000",
            "included": "100000",
            "over": "10000",
            "tiers": [
                {
                    "above": "0",
                    "to": "10000",
                    "units": "10000",
                    "unit_price": "0.01",
                    "amount": "100",
                }
            ],
            "exact": "100",
            "first_day": "2026-09-01",
            "last_day": "2026-09-30",
            "charged": True,
        },
    }


def test_rate_explains_a_fee_and_a_usage_line() -> None:
    bill = rating.rate(facts(licence=terms(5_000, calls(TIERS)), steps=2, used=used("120000.5")))

    fee, usage = bill.lines
    assert (fee.kind, fee.name_ja, fee.name_en) == (LineKind.FEE, "スターター 200", "Starter 200")
    assert (fee.plan_version_id, fee.quantity, fee.net) == (1, Decimal(2), 10_000)
    assert fee.explanation == {
        "kind": "fee",
        "plan": "starter",
        "version": 3,
        "steps": "2",
        "unit_net": "5000",
        "accounts": "200",
        "in_force_at": "2026-10-01",
    }
    assert (usage.kind, usage.name_ja, usage.quantity) == (
        LineKind.USAGE,
        "calls数",
        Decimal("120000.5"),
    )
    assert usage.explanation == {
        "kind": "usage",
        "plan": "starter",
        "version": 3,
        "aggregation": "sum",
        "used": "120000.5",
        "included": "100000",
        "over": "20000.5",
        "tiers": [
            {"above": "0", "to": "10000", "units": "10000", "unit_price": "0.01", "amount": "100"},
            {
                "above": "10000",
                "to": None,
                "units": "10000.5",
                "unit_price": "0.004",
                "amount": "40.002",
            },
        ],
        "exact": "140.002",
        "first_day": "2026-10-01",
        "last_day": "2026-10-31",
        "charged": True,
    }


@pytest.mark.parametrize(
    ("quantity", "net"),
    [
        pytest.param("100000", 0, id="the last included unit"),
        pytest.param("100000.000000000000001", 0, id="the least over"),
        pytest.param("110000", 100, id="the last unit of the first tier"),
        pytest.param("110250", 101, id="the second tier begins"),
        pytest.param("110249.999999999999999", 100, id="a hair below the next yen"),
        pytest.param("0", 0, id="none"),
        pytest.param("-5", 0, id="below zero by corrections"),
    ],
)
def test_usage_price_charges_each_unit_at_its_own_tier(quantity: str, net: int) -> None:
    """Rule: B-03, B-04."""
    assert rating.usage_price(Decimal(quantity), calls(TIERS)).net == net


def test_usage_price_is_exact_beyond_the_interpreters_28_digits() -> None:
    """Rule: B-04. 9,999,999,999,999,999,999,999,999.999999999999999 at 1.5."""
    quantity = Decimal("9999999999999999999999999.999999999999999")

    priced = rating.usage_price(quantity, calls([Tier(None, Decimal("1.5"))], included=0))

    assert priced.exact == Decimal("14999999999999999999999999.9999999999999985")
    assert priced.net == 14_999_999_999_999_999_999_999_999


def test_usage_price_of_a_meter_without_tiers_is_nothing() -> None:
    priced = rating.usage_price(Decimal(500), calls([], included=100))

    assert (priced.net, priced.over, priced.tiers) == (0, Decimal(400), [])


@pytest.mark.parametrize(
    ("given", "why"),
    [
        pytest.param(facts(licence=terms(0), used=used("5")), "no_price", id="no price"),
        pytest.param(facts(used=used("5")), "no_licence", id="no licence at the first instant"),
    ],
)
def test_rate_shows_and_does_not_charge_usage_without_a_price(given: Facts, why: str) -> None:
    """Rule: B-03."""
    line = line_of(rating.rate(given), LineKind.USAGE)

    assert line.net == 0
    assert line.explanation["charged"] is False
    assert line.explanation["why"] == why
    assert line.explanation["used"] == "5"


def test_rate_puts_lines_in_order_of_kind_meter_and_month() -> None:
    starter = terms(5_000, calls(FLAT, included=0))
    messages = {"messages": Decimal(9), "calls": Decimal(100)}
    given = facts(
        licence=starter,
        support=kernel.support(3_000),
        used=messages,
        late=(
            late(
                licence=starter, used=used("100"), rated={}, billed={}, month=BillingMonth(2026, 8)
            ),
            late(licence=starter, used=used("300"), rated=used("100"), billed={"calls": 1}),
        ),
        credit={TaxCode.JP10: 40},
    )

    bill = rating.rate(given)

    assert [(line.kind, line.name_en, line.net) for line in bill.lines] == [
        (LineKind.FEE, "Starter 100", 5_000),
        (LineKind.FEE, "Silver", 3_000),
        (LineKind.USAGE, "Calls", 1),
        (LineKind.USAGE, "Messages", 0),
        (LineKind.ADJUSTMENT, "Calls (adjustment for August 2026)", 1),
        (LineKind.ADJUSTMENT, "Calls (adjustment for September 2026)", 2),
        (LineKind.CREDIT_BROUGHT, "Credit brought forward", -40),
    ]
    assert (bill.net, bill.tax, bill.gross) == (7_964, 796, 8_760)


def test_rate_carries_what_is_left_of_a_credit_per_tax_code() -> None:
    """Rule: B-08. 6,000 at 10 % meet a fee of 5,000; the 8 % line is billed in full."""
    given = facts(
        licence=terms(5_000),
        support=kernel.support(105, REDUCED),
        credit={TaxCode.JP10: 6_000},
    )

    bill = rating.rate(given)

    assert kinds(bill) == [
        (LineKind.FEE, 5_000),
        (LineKind.FEE, 105),
        (LineKind.CREDIT_BROUGHT, -6_000),
        (LineKind.CREDIT_CARRIED, 1_000),
    ]
    assert bill.taxes == (
        TaxLine(TaxCode.JP10, TEN, 0, 0),
        TaxLine(TaxCode.JP8R, Decimal("0.08"), 105, 8),
    )
    assert bill.gross == 113
    assert bill.credit_carried == {TaxCode.JP10: 1_000}


def test_rate_hands_credit_on_without_an_invoice_when_nothing_else_is_billed() -> None:
    bill = rating.rate(facts(credit={TaxCode.JP10: 40}))

    assert bill.is_nothing
    assert bill.credit_carried == {TaxCode.JP10: 40}


def test_rate_finds_nothing_to_bill_on_a_free_plan() -> None:
    bill = rating.rate(facts(licence=terms(0, calls(TIERS)), used=used("99999")))

    assert bill.is_nothing
    assert [line.net for line in bill.lines] == [0, 0]


@pytest.mark.parametrize(
    ("rounding", "tax"),
    [(Rounding.DOWN, 10), (Rounding.HALF_UP, 11), (Rounding.UP, 11)],
)
def test_rate_rounds_tax_as_the_vendor_says(rounding: Rounding, tax: int) -> None:
    assert rating.rate(facts(licence=terms(105), tax_rounding=rounding)).tax == tax


@pytest.mark.parametrize(("vendor_country", "country"), [("JP", "DE"), ("DE", "JP"), ("DE", "DE")])
def test_rate_leaves_a_sale_across_the_border_outside_the_tax(
    vendor_country: str, country: str
) -> None:
    """Rule: B-07."""
    bill = rating.rate(facts(licence=terms(105), vendor_country=vendor_country, country=country))

    assert bill.taxes == (TaxLine(TaxCode.OUT_OF_SCOPE, Decimal(0), 105, 0),)


def test_rate_refuses_a_month_before_the_tax_table() -> None:
    with pytest.raises(NoTaxRate):
        rating.rate(facts(licence=terms(105), month=BillingMonth(2019, 9)))
    assert rating.rate(facts(licence=terms(105), month=BillingMonth(2019, 10))).tax == 10


def test_rate_refuses_two_currencies() -> None:
    """Rule: B-12."""
    dollars = terms(5_000, currency="USD")
    september = late(licence=dollars, used=used("5"), rated={}, billed={})

    for given in (facts(licence=dollars), facts(licence=terms(1), late=(september,))):
        with pytest.raises(rating.MixedCurrencies):
            rating.rate(given)


def test_rate_remembers_fee_lines_by_the_terms_themselves() -> None:
    """Two versions of the same id, as in two databases, are not mixed up."""
    cheap, dear = terms(100), terms(200)

    for first, second in permutations((cheap, dear)):
        assert rating.rate(facts(licence=first)).net == first.net
        assert rating.rate(facts(licence=second)).net == second.net


def test_rate_of_one_month_says_nothing_of_another() -> None:
    """What is remembered of the terms is of one month at a time."""
    starter = terms(5_000, calls(TIERS))

    for month, first_day in ((kernel.OCTOBER, "2026-10-01"), (SEPTEMBER, "2026-09-01")):
        fee, usage = rating.rate(facts(licence=starter, used=used("5"), month=month)).lines
        assert (fee.month, fee.explanation["in_force_at"]) == (month, first_day)
        assert (usage.month, usage.explanation["first_day"]) == (month, first_day)


def test_rate_shows_a_priced_meter_that_was_not_used() -> None:
    """Rule: B-04, S1-01: one line a meter, also at nothing; the unused one without a price has none."""
    line = line_of(rating.rate(facts(licence=terms(0, calls(TIERS)))), LineKind.USAGE)

    assert (line.name_en, line.quantity, line.net) == ("Calls", Decimal(0), 0)


def test_rate_adjusts_under_the_tax_code_that_the_month_was_billed_under() -> None:
    """Rule: B-07, B-08. The customer has moved to Japan since."""
    september = late(
        licence=terms(0, calls(FLAT, included=0)),
        used=used("300"),
        rated=used("100"),
        billed={"calls": 1},
        tax_code=TaxCode.OUT_OF_SCOPE,
    )

    bill = rating.rate(facts(licence=terms(100), late=(september,)))

    assert bill.taxes == (
        TaxLine(TaxCode.JP10, TEN, 100, 10),
        TaxLine(TaxCode.OUT_OF_SCOPE, Decimal(0), 2, 0),
    )


def test_usage_price_of_exactly_what_is_included_has_no_tier_to_tell() -> None:
    priced = rating.usage_price(Decimal(100_000), calls(TIERS))

    assert (priced.net, priced.over, priced.tiers) == (0, Decimal(0), [])

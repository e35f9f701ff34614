from datetime import date
from decimal import Decimal

import pytest

from core.money import Rounding
from plans.enums import Aggregation, Category, TaxCategory
from plans.rules.catalogue import Catalogue, Meter, Plan, Usage, Vendor, Version
from plans.rules.parsing import Known, parse
from plans.rules.terms import Tier
from tests.plans.catalogues import METER, PLAN, VENDOR, WHOLE, problems

NUMBER_RANGE = "is not a number of at most 15 digits before and 12 after the point, from 0 upwards"


def test_parse_reads_every_value_and_brings_prices_to_minor_units() -> None:
    parsed = parse(WHOLE, Known())

    assert parsed.warnings == ()
    assert parsed.catalogue == Catalogue(
        vendor=Vendor(
            name_ja="しおさい",
            name_en="Shiosai",
            postal_code="231-0099",
            address_ja="横浜市",
            address_en="Yokohama",
            country="JP",
            registration_number="T9999901000123",
            time_zone="Asia/Tokyo",
            tax_rounding=Rounding.DOWN,
            currencies=("JPY", "USD"),
            support_email="support@example.com",
            support_url="",
            plan_page_url="",
            invoice_prefix="",
        ),
        meters=(Meter("api_calls", "API呼び出し", "API calls", "", "", Aggregation.SUM, None),),
        plans=(
            Plan("starter", Category.LICENCE, "スターター", "Starter", False, TaxCategory.STANDARD),
        ),
        versions=(
            Version(
                plan_code="starter",
                number=1,
                on_sale_from=date(2024, 1, 1),
                on_sale_until=None,
                accounts_per_step=100,
                prices={"JPY": 5_000, "USD": 5_000},
                usage={
                    ("api_calls", "JPY"): Usage(
                        Decimal(100_000),
                        (Tier(Decimal(10_000), Decimal("0.01")), Tier(None, Decimal("0.004"))),
                    ),
                    ("api_calls", "USD"): Usage(
                        Decimal(100_000),
                        (Tier(Decimal(10_000), Decimal("0.01")), Tier(None, Decimal("0.004"))),
                    ),
                },
            ),
        ),
    )


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        pytest.param(
            'name = { ja = "しおさい", en = "Shiosai" }',
            'name = { ja = "しおさい" }',
            (2, "vendor.name.en: is missing"),
            id="a translation is missing",
        ),
        pytest.param(
            'ja = "しおさい"',
            'ja = " "',
            (2, "vendor.name.ja: must not be empty"),
            id="a translation is blank",
        ),
        pytest.param(
            'postal_code = "231-0099"',
            "postal_code = 2310099",
            (3, "vendor.postal_code: expected text in quotes, not a whole number"),
            id="a number for a text",
        ),
        pytest.param(
            'postal_code = "231-0099"',
            'postal_code = "231-0099 231-0099 231-0099"',
            (3, "vendor.postal_code: has 26 characters, at most 20 are kept"),
            id="a text too long",
        ),
        pytest.param(
            'ja = "しおさい"',
            'ja = "しお\\u0000さい"',
            (2, "vendor.name.ja: holds a control character"),
            id="a control character",
        ),
        pytest.param(
            'country = "JP"',
            'country = "Japan"',
            (5, "vendor.country: has 5 characters, at most 2 are kept"),
            id="a country in words",
        ),
        pytest.param(
            'country = "JP"',
            'country = "XX"',
            (5, "vendor.country: 'XX' is not a country of ISO 3166 such as JP"),
            id="no country",
        ),
        pytest.param(
            "T9999901000123",
            "T999990100012",
            (6, "vendor.registration_number: 'T999990100012' is not T and thirteen digits"),
            id="a digit too few",
        ),
        pytest.param(
            "T9999901000123",
            "T1999901000123",
            (
                6,
                (
                    "vendor.registration_number: the check digit of T1999901000123 is 1 and would be 9; "
                    "a sole trader, whose number has none, writes sole_trader = true"
                ),
            ),
            id="a wrong check digit",
        ),
        pytest.param(
            "Asia/Tokyo",
            "Asia/Tokio",
            (7, "vendor.time_zone: 'Asia/Tokio' is not a known time zone"),
            id="no time zone",
        ),
        pytest.param(
            '["JPY", "USD"]',
            '["JPY", "USD", "YEN"]',
            (8, "vendor.currencies: 'YEN' is not a currency of ISO 4217 such as JPY"),
            id="no currency",
        ),
        pytest.param(
            '["JPY", "USD"]',
            '["JPY", "USD", "JPY"]',
            (8, "vendor.currencies: names a currency twice"),
            id="a currency twice",
        ),
        pytest.param(
            "support@example.com",
            "support",
            (9, "vendor.support_email: 'support' is not an e-mail address"),
            id="no e-mail address",
        ),
        pytest.param(
            'support_email = "support@example.com"',
            'support_email = "support@example.com"\nplan_page_url = "javascript:alert(1)"',
            (10, "vendor.plan_page_url: 'javascript:alert(1)' is not a web address"),
            id="no web address",
        ),
        pytest.param(
            'code = "api_calls"\nname',
            'code = "API calls"\nname',
            (
                12,
                (
                    "meter[1].code: 'API calls' is not a code: small letters, digits, and single - or _ "
                    "between them"
                ),
            ),
            id="a code with a blank",
        ),
        pytest.param(
            'en = "API calls" }',
            'en = "API calls" }\naggregation = "avg"',
            (14, "meter[1].aggregation: 'avg' is not one of sum, max, last"),
            id="no aggregation",
        ),
        pytest.param(
            'category = "licence"',
            'category = "license"',
            (17, "plan[1].category: 'license' is not one of licence, support"),
            id="no category",
        ),
        pytest.param(
            'category = "licence"',
            'categorie = "licence"',
            (15, "plan[1].category: is missing"),
            id="a key misspelt: missing",
        ),
        pytest.param(
            'category = "licence"',
            'category = "licence"\nfee = 3',
            (
                18,
                "plan[1].fee: unknown key; known here: category, code, free, name, tax, version",
            ),
            id="an unknown key",
        ),
        pytest.param(
            "number = 1",
            "number = 0",
            (21, "plan[1].version[1].number: 0 is not between 1 and 1000000000"),
            id="version zero",
        ),
        pytest.param(
            "number = 1",
            "number = true",
            (21, "plan[1].version[1].number: expected a whole number, not true or false"),
            id="a truth for a number",
        ),
        pytest.param(
            "on_sale_from = 2024-01-01",
            'on_sale_from = "2024-01-01"',
            (
                22,
                (
                    "plan[1].version[1].on_sale_from: expected a date such as 2026-04-01 without quotes, "
                    "not text"
                ),
            ),
            id="a date in quotes",
        ),
        pytest.param(
            "on_sale_from = 2024-01-01",
            "on_sale_from = 2024-01-01 09:00:00",
            (
                22,
                (
                    "plan[1].version[1].on_sale_from: expected a date such as 2026-04-01 without quotes, "
                    "not a time"
                ),
            ),
            id="a time for a date",
        ),
        pytest.param(
            "on_sale_from = 2024-01-01",
            "on_sale_from = 2024-01-01\non_sale_until = 2024-01-01",
            (23, "plan[1].version[1].on_sale_until: is not after on_sale_from, 2024-01-01"),
            id="a sale that ends as it begins",
        ),
        pytest.param(
            "JPY = 5000,",
            "JPY = 5000.0,",
            (
                24,
                (
                    "plan[1].version[1].price.JPY: a float is not exact: put the number in quotes, as in "
                    '"5000.0"'
                ),
            ),
            id="a float",
        ),
        pytest.param(
            "JPY = 5000,",
            'JPY = "5000.5",',
            (24, "plan[1].version[1].price.JPY: 5000.5 has more decimals than JPY has"),
            id="half a yen a month",
        ),
        pytest.param(
            "JPY = 5000,",
            "JPY = -5000,",
            (24, f"plan[1].version[1].price.JPY: '-5000' {NUMBER_RANGE}"),
            id="a negative price",
        ),
        pytest.param(
            "JPY = 5000,",
            'JPY = "NaN",',
            (24, f"plan[1].version[1].price.JPY: 'NaN' {NUMBER_RANGE}"),
            id="not a number",
        ),
        pytest.param(
            "JPY = 5000,",
            "JPY = 5000, EUR = 40,",
            (24, "plan[1].version[1].price.EUR: the vendor has only JPY, USD"),
            id="a currency that the vendor does not have",
        ),
        pytest.param(
            'name = { ja = "スターター", en = "Starter" }',
            'name = { ja = "スターター", en = "Starter" }\nfree = true',
            (25, "plan[1].version[1].price.JPY: 5000, but the plan is free"),
            id="a free plan that costs",
        ),
        pytest.param(
            'code = "api_calls"\nincluded',
            'code = "api_call"\nincluded',
            (27, "plan[1].version[1].meter[1].code: no meter has the code 'api_call'"),
            id="no such meter",
        ),
        pytest.param(
            "included = 100000",
            'included = "1e5"',
            (28, f"plan[1].version[1].meter[1].included: '1e5' {NUMBER_RANGE}"),
            id="an exponent",
        ),
        pytest.param(
            "included = 100000",
            "included = inf",
            (
                28,
                (
                    "plan[1].version[1].meter[1].included: a float is not exact: put the number in quotes, "
                    'as in "inf"'
                ),
            ),
            id="infinity",
        ),
        pytest.param(
            "  { price",
            "  { last_unit = 10000, price",
            (29, "plan[1].version[1].meter[1].tiers: the last tier has no upper end"),
            id="units above the last tier",
        ),
        pytest.param(
            "  { price",
            '  { last_unit = 10000, price = { JPY = "1", USD = "1" } },\n  { price',
            (29, "plan[1].version[1].meter[1].tiers: each tier ends above the one before"),
            id="a tier of no units",
        ),
        pytest.param(
            ', USD = "0.00004"',
            "",
            (31, "plan[1].version[1].meter[1].tiers[2].price.USD: is missing"),
            id="a tier without a price in a currency",
        ),
        pytest.param(
            "JPY = 5000, USD",
            "USD",
            (
                30,
                (
                    "plan[1].version[1].meter[1].tiers[1].price.JPY: the version has no monthly price in "
                    "this currency"
                ),
            ),
            id="usage priced, the month not",
        ),
        pytest.param(
            "accounts_per_step = 100\n",
            "",
            (20, "plan[1].version[1].accounts_per_step: is missing"),
            id="a licence without a step",
        ),
        pytest.param(
            'country = "JP"',
            "country = JP",
            (5, "not TOML: Invalid value"),
            id="not TOML",
        ),
    ],
)
def test_parse_names_line_and_reason(before: str, after: str, problem: tuple[int, str]) -> None:
    assert before in WHOLE

    assert problem in problems(WHOLE.replace(before, after, 1))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a = " + "1" * 5_000, id="a number of 5,000 digits"),
        pytest.param("a = " + "[" * 5_000, id="lists in lists in lists"),
    ],
)
def test_parse_refuses_what_tomllib_chokes_on(text: str) -> None:
    assert [reason.startswith("not TOML: ") for _, reason in problems(text)] == [True]


def test_parse_finds_duplicates() -> None:
    terms = '\n[[terms_of_use]]\nnumber = 1\ntext = { ja = "あ", en = "a" }\n'

    assert problems(WHOLE + METER + PLAN + terms * 2) == [
        (34, "meter: api_calls stands on line 11 already"),
        (38, "plan: starter stands on line 15 already"),
        (43, "version: plan starter version 1 stands on line 20 already"),
        (61, "terms_of_use: 1 stands on line 57 already"),
    ]


def test_parse_finds_what_is_wrong_with_cancellation_terms() -> None:
    empty = '\n[[cancellation_terms]]\nnumber = 1\ntitle = { ja = "あ", en = "a" }\n'
    box = '\n[[cancellation_terms.box]]\nja = "あ"\n'
    vendor = VENDOR.replace(
        "[vendor]", '[vendor]\ncancellation_ends = "year"\ndata_kept_days = 4000'
    )

    assert problems(empty + empty + box)[1:] == [
        (2, "cancellation_terms[1].box: needs at least one text to agree to"),
        (6, "cancellation_terms: 1 stands on line 2 already"),
        (10, "cancellation_terms[2].box[1].en: is missing"),
    ]
    assert problems(vendor) == [
        (2, "vendor.cancellation_ends: 'year' is not one of month, term"),
        (3, "vendor.data_kept_days: 4000 is more than 3653, ten years"),
    ]


def test_parse_finds_a_meter_priced_twice_and_a_unit_taken_twice() -> None:
    unit = 'consumed_unit = "GB"\n'
    other = METER.replace("api_calls", "other") + unit
    again = '[[plan.version.meter]]\ncode = "api_calls"\nincluded = 0\n'

    assert problems(VENDOR + METER + unit + other + PLAN + again) == [
        (16, "consumed_unit: GB stands on line 11 already"),
        (40, "plan[1].version[1].meter[2].code: 'api_calls' stands in this version already"),
    ]


def test_parse_collects_problems_of_every_part_in_order_of_lines() -> None:
    broken = (
        WHOLE.replace('"JP"', '"XX"')
        .replace("Asia/Tokyo", "Mars/Base")
        .replace(', en = "API calls"', "")
        .replace("included = 100000", "included = 0.5")
    )

    assert [line for line, _ in problems(broken)] == [5, 7, 13, 28]


def test_parse_takes_a_file_without_vendor_once_there_is_one() -> None:
    known = Known(currencies=("JPY", "USD"), meters=frozenset({"api_calls"}))

    assert problems(PLAN)[0] == (1, "vendor: is missing, and none was applied before")
    assert problems(PLAN, known) == []


def test_parse_warns_of_a_sole_traders_number_and_takes_it() -> None:
    text = WHOLE.replace('"T9999901000123"', '"T1999901000123"\nsole_trader = true')

    parsed = parse(text, Known())

    assert [(warning.line, warning.reason) for warning in parsed.warnings] == [
        (6, "vendor.registration_number: only its form was checked (sole trader)")
    ]


def test_parse_refuses_steps_and_usage_on_a_support_plan() -> None:
    text = WHOLE.replace('category = "licence"', 'category = "support"')

    known = "known here: applies_to_everyone_from, number, on_sale_from, on_sale_until, price"
    assert problems(text) == [
        (23, f"plan[1].version[1].accounts_per_step: unknown key; {known}"),
        (26, f"plan[1].version[1].meter: unknown key; {known}"),
    ]

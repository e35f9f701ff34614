"""A small catalogue file, to be applied whole or with a part exchanged."""

from plans.rules.catalogue import CatalogueRefused
from plans.rules.parsing import Known, parse

VENDOR = """\
[vendor]
name = { ja = "しおさい", en = "Shiosai" }
postal_code = "231-0099"
address = { ja = "横浜市", en = "Yokohama" }
country = "JP"
registration_number = "T9999901000123"
time_zone = "Asia/Tokyo"
currencies = ["JPY", "USD"]
support_email = "support@example.com"
"""
METER = """
[[meter]]
code = "api_calls"
name = { ja = "API呼び出し", en = "API calls" }
"""
PLAN = """
[[plan]]
code = "starter"
category = "licence"
name = { ja = "スターター", en = "Starter" }

[[plan.version]]
number = 1
on_sale_from = 2024-01-01
accounts_per_step = 100
price = { JPY = 5000, USD = "50.00" }

[[plan.version.meter]]
code = "api_calls"
included = 100000
tiers = [
  { last_unit = 10000, price = { JPY = "0.01", USD = "0.0001" } },
  { price = { JPY = "0.004", USD = "0.00004" } },
]
"""
WHOLE = VENDOR + METER + PLAN


def problems(text: str, known: Known | None = None) -> list[tuple[int, str]]:
    """Return what is wrong with a catalogue: line and reason."""
    try:
        parse(text, known or Known())
    except CatalogueRefused as refused:
        return [(problem.line, problem.reason) for problem in refused.problems]
    return []

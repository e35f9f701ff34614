"""Which tax a line bears, at which rate. Rule: B-06, B-07."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor

from billing.enums import TaxCode
from core.money import Rounding, round_tax
from core.months import BillingMonth
from plans.enums import TaxCategory


class NoTaxRate(LookupError):
    """The tax table knows no rate for the month: it begins later."""


@dataclass(frozen=True, slots=True)
class _Entry:
    since: date
    code: TaxCode


# A change of the law is a new entry, with a code of its own: an old month keeps its rate.
_JAPAN = {
    TaxCategory.STANDARD: (_Entry(date(2019, 10, 1), TaxCode.JP10),),
    TaxCategory.REDUCED: (_Entry(date(2019, 10, 1), TaxCode.JP8R),),
}
RATES = {
    TaxCode.JP10: Decimal("0.1"),
    TaxCode.JP8R: Decimal("0.08"),
    TaxCode.OUT_OF_SCOPE: Decimal(0),
}


@lru_cache(maxsize=1024)
def tax_code(
    vendor_country: str, country: str, category: TaxCategory, month: BillingMonth
) -> TaxCode:
    """Return the tax code of what a vendor sells to a customer in `country` in `month`.

    Raises NoTaxRate for a month before the table begins. Rule: B-07.
    """
    if vendor_country != "JP" or country != "JP":
        return TaxCode.OUT_OF_SCOPE
    first_day = month.first_day
    for entry in reversed(_JAPAN[category]):
        if entry.since <= first_day:
            return entry.code
    raise NoTaxRate(f"{category} {month}")


def tax_on(net: int, code: TaxCode, rounding: Rounding) -> int:
    """Return the tax, in minor units, on the sum of the net lines of one rate. Rule: B-06."""
    return round_tax(net * RATES[code], rounding)


def tax_within(gross: int, rate: Decimal, rounding: Rounding) -> int:
    """Return the tax that a gross amount of one rate holds: gross × rate ÷ (1 + rate), rounded once.

    Of the gross that an invoice says of a rate, this is the tax that it says: going there by net
    or back by gross rounds to the same yen, in every mode. `gross` is not negative. Rule: B-11.
    """
    share = Fraction(rate)
    exact = gross * share / (1 + share)
    match rounding:
        case Rounding.DOWN:
            return floor(exact)
        case Rounding.HALF_UP:
            return floor(exact + Fraction(1, 2))
        case Rounding.UP:
            return ceil(exact)

"""Amounts: whole minor units (yen, cents) of a document's currency."""

import enum
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal
from functools import lru_cache

from babel.numbers import get_currency_precision, list_currencies

_SYMBOLS = {"JPY": "¥", "USD": "$", "EUR": "€", "GBP": "£"}
MINUS = "\u2212"


class Rounding(enum.StrEnum):
    """How tax is brought to the minor unit: the vendor's choice, frozen on each document."""

    DOWN = "down"
    HALF_UP = "half_up"
    UP = "up"


_MODES = {Rounding.DOWN: ROUND_DOWN, Rounding.HALF_UP: ROUND_HALF_UP, Rounding.UP: ROUND_UP}


class NotACurrency(ValueError):
    """The code names no ISO 4217 currency."""


class FractionOfMinorUnit(ValueError):
    """An amount has more decimals than its currency."""


@lru_cache(maxsize=256)
def exponent(currency: str) -> int:
    """Return the number of decimals of an ISO 4217 `currency` (JPY 0, USD 2). Raises NotACurrency."""
    if currency not in list_currencies("en"):
        raise NotACurrency(currency)
    return get_currency_precision(currency)


def to_minor(amount: Decimal, currency: str) -> int:
    """Return `amount`, written in major units (12.50), in minor units (1250).

    Raises FractionOfMinorUnit where something would be lost, NotACurrency.
    """
    minor = amount.scaleb(exponent(currency))
    if minor != minor.to_integral_value():
        raise FractionOfMinorUnit(f"{amount} {currency}")
    return int(minor)


def round_tax(amount: Decimal, rounding: Rounding) -> int:
    """Return a tax amount in whole minor units. Rule: B-06."""
    return int(amount.to_integral_value(rounding=_MODES[rounding]))


def written(amount: int, currency: str) -> str:
    """Return an amount in minor units as a table shows it: ¥18,420, −¥40, $50.00, CHF 12.00."""
    digits = f"{abs(Decimal(amount)).scaleb(-exponent(currency)):,f}"
    symbol = _SYMBOLS.get(currency, f"{currency}\u00a0")
    return f"{MINUS if amount < 0 else ''}{symbol}{digits}"


def unit_price_written(unit_price: Decimal, currency: str) -> str:
    """Return a price per unit, in minor units with fractions, as shown: ¥0.01, $0.0004."""
    major = unit_price.scaleb(-exponent(currency))
    text = f"{abs(major).normalize():,f}"
    symbol = _SYMBOLS.get(currency, f"{currency}\u00a0")
    return f"{MINUS if major < 0 else ''}{symbol}{text}"


def quantity_written(quantity: Decimal) -> str:
    """Return a quantity with thousands separators and no idle zeros: 1,204,331.5."""
    # Neither abs() nor normalize(): both would round a long quantity to the context's 28 digits.
    text = f"{quantity:,f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if text[0] != "-":
        return text
    return f"{MINUS if quantity else ''}{text[1:]}"

from decimal import Decimal

import pytest

from core import money
from core.money import FractionOfMinorUnit, NotACurrency, Rounding


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        (18420, "JPY", "¥18,420"),
        (-40, "JPY", "\u2212¥40"),
        (0, "JPY", "¥0"),
        (5000, "USD", "$50.00"),
        (-5, "USD", "\u2212$0.05"),
        (1250, "CHF", "CHF\u00a012.50"),
        (1234567, "KWD", "KWD\u00a01,234.567"),
    ],
)
def test_written_has_the_decimals_of_the_currency(amount: int, currency: str, written: str) -> None:
    assert money.written(amount, currency) == written


@pytest.mark.parametrize(
    ("unit_price", "currency", "written"),
    [("0.01", "JPY", "¥0.01"), ("0.04", "USD", "$0.0004"), ("5000", "JPY", "¥5,000")],
)
def test_unit_price_written_keeps_fractions_of_the_minor_unit(
    unit_price: str, currency: str, written: str
) -> None:
    assert money.unit_price_written(Decimal(unit_price), currency) == written


def test_quantity_written_drops_idle_zeros_only() -> None:
    assert money.quantity_written(Decimal("1204331.500000000000000")) == "1,204,331.5"
    assert money.quantity_written(Decimal(100)) == "100"
    assert money.quantity_written(Decimal("0.000235520300000")) == "0.0002355203"


@pytest.mark.parametrize(
    ("amount", "rounding", "tax"),
    [
        ("31.5", Rounding.DOWN, 31),
        ("31.5", Rounding.HALF_UP, 32),
        ("31.4", Rounding.HALF_UP, 31),
        ("31.1", Rounding.UP, 32),
        ("31.0", Rounding.UP, 31),
    ],
)
def test_round_tax_follows_the_vendors_choice(amount: str, rounding: Rounding, tax: int) -> None:
    assert money.round_tax(Decimal(amount), rounding) == tax


def test_to_minor_refuses_to_lose_a_fraction() -> None:
    assert money.to_minor(Decimal("50.00"), "USD") == 5000
    assert money.to_minor(Decimal(5000), "JPY") == 5000
    with pytest.raises(FractionOfMinorUnit):
        money.to_minor(Decimal("0.5"), "JPY")


def test_exponent_refuses_what_is_no_currency() -> None:
    with pytest.raises(NotACurrency):
        money.exponent("XYZ")

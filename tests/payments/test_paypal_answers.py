"""PayPal's JSON: amounts both ways, and what may be missing."""

from datetime import UTC, datetime

import pytest

from payments.gateways.paypal.answers import (
    NoSuchAmount,
    Told,
    Unreadable,
    at,
    instant,
    items,
    link,
    masked,
    money_in,
    money_out,
    text,
)


@pytest.mark.parametrize(
    ("amount", "currency", "value"),
    [
        (5_500, "JPY", "5500"),
        (1, "JPY", "1"),
        (100_000_000, "JPY", "100000000"),
        (1_250, "USD", "12.50"),
        (5, "EUR", "0.05"),
        (123_400, "HUF", "1234"),
        (99_900, "TWD", "999"),
    ],
)
def test_an_amount_goes_out_and_comes_back(amount: int, currency: str, value: str) -> None:
    written = {"currency_code": currency, "value": value}

    assert money_out(amount, currency) == written
    assert money_in(written) == Told(amount, currency)


@pytest.mark.parametrize(("amount", "currency"), [(123_450, "HUF"), (1, "TWD")])
def test_an_amount_with_decimals_that_paypal_does_not_take_is_refused(
    amount: int, currency: str
) -> None:
    with pytest.raises(NoSuchAmount):
        money_out(amount, currency)


@pytest.mark.parametrize(
    ("value", "currency", "told"),
    [
        ("-500", "JPY", Told(-500, "JPY")),
        ("5500.00", "JPY", Told(5_500, "JPY")),
        ("12.5", "USD", Told(1_250, "USD")),
        ("12", "USD", Told(1_200, "USD")),
    ],
)
def test_amounts_come_in_as_paypal_writes_them(value: str, currency: str, told: Told) -> None:
    assert money_in({"currency_code": currency, "value": value}) == told


@pytest.mark.parametrize(
    "told",
    [
        None,
        {},
        [],
        "5500",
        {"currency_code": "JPY"},
        {"value": "5500"},
        {"currency_code": "JPY", "value": 5500},
        {"currency_code": "JPY", "value": ""},
        {"currency_code": "JPY", "value": "NaN"},
        {"currency_code": "JPY", "value": "1e3"},
        {"currency_code": "JPY", "value": "５５００"},
        {"currency_code": "JPY", "value": "5,500"},
        {"currency_code": "JPY", "value": "5500.5"},
        {"currency_code": "USD", "value": "12.345"},
        {"currency_code": "XXXX", "value": "1"},
        {"currency_code": "USD", "value": "9" * 100},
    ],
)
def test_what_is_no_amount_is_not_guessed(told: object) -> None:
    with pytest.raises(Unreadable):
        money_in(told)


@pytest.mark.parametrize(
    "written", ["2026-11-22T05:00:00Z", "2026-11-22T05:00:00+0000", "2026-11-22T14:00:00+09:00"]
)
def test_a_moment_is_read(written: str) -> None:
    assert instant({"at": written}, "at") == datetime(2026, 11, 22, 5, 0, tzinfo=UTC)


@pytest.mark.parametrize("written", ["", "2026-11-22", "2026-11-22T05:00:00", "now", None, 5])
def test_what_is_no_moment_is_not_guessed(written: object) -> None:
    with pytest.raises(Unreadable):
        instant({"at": written}, "at")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("taro@example.com", "t•••@example.com"),
        ("t@example.com", "t•••@example.com"),
        ('"a@b"@example.com', '"•••@example.com'),
        ("@example.com", ""),
        ("taro", ""),
        ("", ""),
    ],
)
def test_an_address_is_shown_masked(address: str, shown: str) -> None:
    assert masked(address) == shown


def test_what_is_missing_is_nothing() -> None:
    told = {"a": [{"b": "x"}], "links": [{"rel": "self", "href": "h"}, "y"]}

    assert (text(told, "a", 0, "b"), text(told, "a", 1, "b"), text(told, "a")) == ("x", "", "")
    assert (at(told, "a", "b"), at(told, 0), at(None, "a")) == (None, None, None)
    assert (items(told, "a"), items(told, "c")) == ([{"b": "x"}], [])
    assert (link(told, "up", "self"), link(told, "up"), link(None, "self")) == ("h", "", "")

"""PayPal's JSON as it arrives: nothing in it is taken for granted."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from core import money

Body = Mapping[str, object]

# PayPal writes these without decimals, whatever ISO 4217 says of them. Rule: gateways.md 4.3.
_WHOLE = frozenset({"HUF", "JPY", "TWD"})
_NUMBER = re.compile(r"-?\d{1,20}(\.\d{1,4})?", re.ASCII)


class Unreadable(ValueError):
    """An answer is not what PayPal's documents say; nothing can be concluded from it."""


class NoSuchAmount(ValueError):
    """An amount that PayPal cannot take: it has decimals in a currency that has none there."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A request that PayPal carried out. `status`: 200 where it had been done before, else 201."""

    status: int
    body: Body
    debug_id: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """An amount of money as PayPal tells it, in minor units."""

    amount: int = field(default=0)
    currency: str = ""


def at(value: object, *path: str | int) -> object:
    """Return what stands at a path of names and positions, or None if there is nothing."""
    for step in path:
        if isinstance(step, str) and isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def text(value: object, *path: str | int) -> str:
    """Return the text at a path, or "" if there is none."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def items(value: object, *path: str | int) -> list[object]:
    """Return the list at a path, or an empty one."""
    found = at(value, *path)
    return list(found) if isinstance(found, list) else []


def link(value: object, *relations: str) -> str:
    """Return the address of the first link of one of these relations, or ""."""
    for relation in relations:
        for each in items(value, "links"):
            if text(each, "rel") == relation:
                return text(each, "href")
    return ""


def money_in(value: object) -> Told:
    """Return `{"currency_code", "value"}` in minor units, with its sign. Raises Unreadable."""
    currency, number = text(value, "currency_code"), text(value, "value")
    if not _NUMBER.fullmatch(number):
        raise Unreadable("amount")
    try:
        return Told(money.to_minor(Decimal(number), currency), currency)
    except (money.NotACurrency, money.FractionOfMinorUnit) as fault:
        raise Unreadable("amount") from fault


def money_out(amount: int, currency: str) -> dict[str, str]:
    """Return an amount of minor units as PayPal wants it written: 5500 JPY "5500", 1250 USD "12.50".

    Raises NoSuchAmount. Rule: gateways.md 4.3.
    """
    major = Decimal(amount).scaleb(-money.exponent(currency))
    if currency in _WHOLE:
        if major != major.to_integral_value():
            raise NoSuchAmount(currency)
        major = major.quantize(Decimal(1))
    return {"currency_code": currency, "value": f"{major:f}"}


def instant(value: object, *path: str | int) -> datetime:
    """Return the aware instant at a path. Raises Unreadable."""
    try:
        told = datetime.fromisoformat(text(value, *path))
    except ValueError as fault:
        raise Unreadable("time") from fault
    if told.tzinfo is None:
        raise Unreadable("time")
    return told.astimezone(UTC)


def masked(address: str) -> str:
    """Return an e-mail address as it may be shown: t•••@example.com; "" where there is none."""
    name, sign, domain = address.rpartition("@")
    return f"{name[0]}•••@{domain}" if sign and name else ""

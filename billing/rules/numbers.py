"""How a document's number is written."""

import re
from typing import NamedTuple

from billing.enums import InvoiceKind

DIGITS = 8
# What tells the kind, after the vendor's prefix; invoices of a month have that prefix alone.
_MARKS = {InvoiceKind.MONTHLY: "", InvoiceKind.SPOT: "SP-", InvoiceKind.CREDIT_NOTE: "CN-"}

# SP-261122-ABC234: the number of a spot order, which its documents name.
_OF_ORDER = re.compile(r"[A-Z]{2}-\d{6}-[A-Z0-9]{6}", re.ASCII)


class Typed(NamedTuple):
    """A number as somebody typed it. `kind`: None where it may be any kind's."""

    number: int
    kind: InvoiceKind | None


def written(prefix: str, number: int, kind: str = InvoiceKind.MONTHLY) -> str:
    """Return the number as it is printed and searched for: KC-00000123, KC-CN-00000001. Rule: B-09."""
    return f"{prefix}{_MARKS[InvoiceKind(kind)]}{number:0{DIGITS}d}"


def parse(typed: str, prefix: str) -> Typed | None:
    """Return the number that somebody typed, with or without prefix and zeros; None if it is none.

    With a prefix it is a number of that kind; what tells a credit note or a spot invoice is known
    without the vendor's too. Numbers beyond what a database column holds are none.
    """
    text = typed.strip().upper()
    digits = text.removeprefix(prefix.upper())
    kind = None if digits == text else InvoiceKind.MONTHLY
    for marked, mark in _MARKS.items():
        if mark and digits.startswith(mark):
            digits, kind = digits.removeprefix(mark), marked
            break
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 18:
        return None
    return Typed(int(digits), kind)


def is_of_order(typed: str) -> bool:
    """Return whether somebody typed what looks like an order's number."""
    return _OF_ORDER.fullmatch(typed.strip().upper()) is not None

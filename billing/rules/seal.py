"""The digest that shows an issued invoice to be as it was issued. Rule: R7, I04."""

import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal

from billing.rules.facts import written
from core import canonical
from core.canonical import Composed, Json, Written


def line_content(
    kind: str,
    month: str,
    names: tuple[str, str],
    ids: tuple[int | None, int | None],
    quantity: str,
    net: int,
    tax_code: str,
    explanation: Mapping[str, Json] | Written,
) -> list[Composed]:
    """Return what is sealed of a line. `names`: ja, en; `ids`: plan version, meter; month YYYY-MM-DD.

    The quantity as `facts.written` writes it.
    """
    return [kind, month, *names, *ids, quantity, net, tax_code, explanation]


def tax_content(code: str, rate: Decimal, net: int, tax: int) -> list[Composed]:
    """Return what is sealed of a tax summary."""
    return [code, written(rate), net, tax]


def content_digest(
    header: Mapping[str, Composed],
    lines: Sequence[list[Composed] | Written],
    taxes: Sequence[list[Composed] | Written],
) -> bytes:
    """Return the digest of an invoice's content but for its number.

    `header`: the invoice's columns by name, without id, number, line_count and digest; dates and
    instants in ISO 8601, instants in UTC; corrects_id of a credit note alone, and no operation,
    which is no part of the document. Lines by position, taxes by code.
    """
    body: dict[str, Composed] = {**header, "lines": [*lines], "taxes": [*taxes]}
    return canonical.digest(body)


def sealed(content: bytes, number: int) -> bytes:
    """Return the invoice's digest: content and number.

    The number is given last, under the lock of its series; so it costs that lock one small hash.
    """
    return hashlib.sha256(content + str(number).encode()).digest()

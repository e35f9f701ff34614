"""Issued spot invoices, made once more from what their orders froze. Rule: B-13, design.md 6.3."""

from collections.abc import Iterator
from typing import Any

import orjson
from django.db import connection

from billing.queries import spot as queries
from billing.queries.audit import seals
from billing.queries.stored import Reader, stored_lines, stored_taxes
from billing.queries.verify import Difference, Found, Verified, differ, lines_differ, of, taxes_of
from billing.rules import spot as rules
from core.months import BillingMonth
from spot_orders.models import SpotOrder

_OF = """
    WHERE i.kind = 'spot' AND i.month >= %(since)s
      AND (%(month)s::date IS NULL OR i.month = %(month)s)
"""


def count(*, month: BillingMonth | None = None, since: BillingMonth | None = None) -> int:
    """Return how many spot invoices there are to verify."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM billing_invoice i {_OF}", of(month, since))  # noqa: S608
        (number,) = cursor.fetchone()
        return int(number)


def verified(
    *, month: BillingMonth | None = None, since: BillingMonth | None = None
) -> Iterator[Verified]:
    """Yield every spot invoice, made again: lines, taxes, totals and digest compared."""
    reader = Reader.fresh()
    statement = f"""
        SELECT i.operation, {seals.INVOICE_COLUMNS} FROM billing_invoice i {_OF} ORDER BY i.number
    """  # noqa: S608
    for page in _pages(seals.stream(statement, of(month, since))):
        orders = SpotOrder.objects.in_bulk([row[0] for row in page], field_name="public_id")
        for operation, *row in page:
            yield Verified(
                tuple(
                    Difference(row[4], BillingMonth.of_day(row[6]), row[1], *found, "spot invoice")
                    for found in _differences(tuple(row), orders.get(operation), reader)
                )
            )


_PAGE = 500


def _pages(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    page: list[tuple[Any, ...]] = []
    for row in rows:
        page.append(row)
        if len(page) == _PAGE:
            yield page
            page = []
    if page:
        yield page


def _differences(row: tuple[Any, ...], order: SpotOrder | None, reader: Reader) -> Iterator[Found]:
    if not seals.is_intact(row):
        yield "digest of the spot invoice", "altered", "as issued"
    if order is None or order.organisation_id != row[4]:
        yield "the order", "billed", "there is none"
        return
    try:
        ordered = queries.ordered(order, reader)
    except ValueError as fault:  # its months, a version without a price, an unknown tax or rounding
        yield "the order", "billed once", f"cannot be billed: {fault!r}"
        return
    lines, taxes = rules.lines(ordered), rules.taxes(ordered)
    net, tax = sum(each.net for each in taxes), sum(each.tax for each in taxes)
    computed = (order.currency, net, tax, net + tax)
    for name, issued, rated in zip(
        ("currency", "net", "tax", "gross"), row[11:15], computed, strict=True
    ):
        yield from differ(name, issued, rated)
    yield from differ("gross of the order", row[14], order.gross)
    stored = stored_taxes(orjson.loads(row[seals.INVOICE_TAXES]))
    yield from differ("taxes", taxes_of(stored), taxes_of(taxes))
    yield from lines_differ(stored_lines(orjson.loads(row[seals.INVOICE_LINES]), reader), lines)

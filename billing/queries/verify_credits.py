"""Issued credit notes, decided once more from the invoices that they correct. Rule: design.md 6.3."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from django.db import connection

from billing.enums import TaxCode
from billing.models import Invoice
from billing.queries import credits as queries
from billing.queries.audit import seals
from billing.queries.stored import Reader, stored_lines, stored_taxes
from billing.queries.verify import Difference, Found, Verified, differ, of, taxes_of
from billing.rules import credits as rules
from billing.rules import explanations
from billing.rules.credits import Credit, Original
from billing.rules.explanations import LineBackWhy, NotAnExplanation, RateBackWhy
from billing.rules.facts import Line
from core.months import BillingMonth

_OF = """
    WHERE i.kind = 'credit_note' AND i.month >= %(since)s
      AND (%(month)s::date IS NULL OR i.month = %(month)s)
"""


def count(*, month: BillingMonth | None = None, since: BillingMonth | None = None) -> int:
    """Return how many credit notes there are to verify."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM billing_invoice i {_OF}", of(month, since))  # noqa: S608
        (number,) = cursor.fetchone()
        return int(number)


def verified(
    *, month: BillingMonth | None = None, since: BillingMonth | None = None
) -> Iterator[Verified]:
    """Yield every credit note, decided again: lines, taxes, totals and digest compared.

    The notes of an invoice follow each other; each is decided by what the ones before it say.
    """
    reader = Reader.fresh()
    statement = f"""
        SELECT i.corrects_id, {seals.INVOICE_COLUMNS} FROM billing_invoice i
        {_OF} ORDER BY i.corrects_id, i.number
    """  # noqa: S608
    corrected: Invoice | None = None
    original: Original | None = None
    before: Counter[TaxCode] = Counter()
    for corrects_id, *row in seals.stream(statement, of(month, since)):
        if corrected is None or corrected.pk != corrects_id:
            corrected = Invoice.objects.filter(pk=corrects_id).first()
            original = queries.original(corrected, reader) if corrected else None
            before = Counter()
        yield Verified(
            tuple(
                Difference(row[4], BillingMonth.of_day(row[6]), row[1], *found, "credit note")
                for found in _differences(tuple(row), original, before, reader)
            )
        )
        for tax in stored_taxes(orjson.loads(row[seals.INVOICE_TAXES])):
            before[tax.code] += tax.net + tax.tax


def _differences(
    row: tuple[Any, ...], original: Original | None, before: Mapping[TaxCode, int], reader: Reader
) -> Iterator[Found]:
    if not seals.is_intact(row):
        yield "digest of the credit note", "altered", "as issued"
    lines = stored_lines(orjson.loads(row[seals.INVOICE_LINES]), reader)
    taxes = stored_taxes(orjson.loads(row[seals.INVOICE_TAXES]))
    try:
        note = _decided(original, before, gross=row[14], reason=_reason(lines))
    except (rules.NothingLeft, rules.MoreThanLeft, rules.NotAnAmount, NotAnExplanation) as fault:
        yield "the invoice", "credited", f"cannot be credited so: {fault!r}"
        return
    for name, issued, rated in zip(
        ("net", "tax", "gross"), row[12:15], (note.net, note.tax, note.gross), strict=True
    ):
        yield from differ(name, issued, rated)
    yield from differ("taxes", taxes_of(taxes), taxes_of(note.taxes))
    yield from differ("number of lines", len(lines), len(note.lines))
    for position, (was, is_now) in enumerate(zip(lines, note.lines, strict=False), 1):
        yield from differ(f"line {position}", was, is_now)


def _decided(
    original: Original | None, before: Mapping[TaxCode, int], *, gross: int, reason: str
) -> Credit:
    if original is None:
        raise rules.NothingLeft
    return rules.credit(original, before, gross=gross, reason=reason)


def _reason(lines: tuple[Line, ...]) -> str:
    why = explanations.parse(lines[0].explanation) if lines else None
    if not isinstance(why, LineBackWhy | RateBackWhy):
        raise NotAnExplanation("a line of a credit note does not say why")
    return why.reason

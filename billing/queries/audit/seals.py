"""I04, I19: what was sealed is as it was. Digests are recomputed from the rows."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import orjson
from django.db import connection

from billing.rules import seal
from billing.rules.facts import written
from core import audit, canonical
from core.books import BEGINNING, Check, Scope, by_sql

_CHUNK = 2000


def _broken_invoices(scope: Scope) -> Iterator[Mapping[str, object]]:
    for row in stream(_INVOICES, {"since": scope.first_day}):
        if not is_intact(row):
            yield {"invoice": row[0], "number": row[1]}


def is_intact(row: tuple[Any, ...]) -> bool:
    """Whether an invoice, read as INVOICE_COLUMNS, is what its digest says."""
    return seal.sealed(_content(row), row[1]) == bytes(row[2])


def _content(row: tuple[Any, ...]) -> bytes:
    header = dict(zip(_HEADER, row[3 : 3 + len(_HEADER)], strict=True))
    header["public_id"] = str(header["public_id"])
    header["recipient"] = orjson.loads(header["recipient"])
    if header["corrects_id"] is None:
        del header["corrects_id"]
    for name in ("month", "issued_on", "due_on"):
        header[name] = header[name].isoformat()
    header["issued_at"] = header["issued_at"].astimezone(UTC).isoformat()
    lines = [
        seal.line_content(
            kind,
            month,
            (name_ja, name_en),
            (version_id, meter_id),
            written(Decimal(quantity)),
            net,
            code,
            explanation,
        )
        for (
            kind,
            month,
            name_ja,
            name_en,
            version_id,
            meter_id,
            quantity,
            net,
            code,
            explanation,
        ) in orjson.loads(row[INVOICE_LINES])
    ]
    taxes = [
        seal.tax_content(code, Decimal(rate), net, tax)
        for code, rate, net, tax in orjson.loads(row[INVOICE_TAXES])
    ]
    return seal.content_digest(header, lines, taxes)


_HEADER = (
    "public_id",
    "organisation_id",
    "kind",
    "month",
    "issued_on",
    "issued_at",
    "due_on",
    "language",
    "currency",
    "net",
    "tax",
    "gross",
    "tax_rounding",
    "vendor_id",
    "recipient",
    "corrects_id",
)
INVOICE_LINES = 3 + len(_HEADER)
INVOICE_TAXES = INVOICE_LINES + 1
INVOICE_COLUMNS = """
    i.id, i.number, i.digest, i.public_id, i.organisation_id, i.kind, i.month, i.issued_on,
           i.issued_at, i.due_on, i.language, i.currency, i.net, i.tax, i.gross, i.tax_rounding,
           i.vendor_id, i.recipient::text, i.corrects_id,
           COALESCE((SELECT jsonb_agg(jsonb_build_array(l.kind, l.month, l.name_ja, l.name_en,
                       l.plan_version_id, l.meter_id, l.quantity::text, l.net, l.tax_code,
                       l.explanation) ORDER BY l.position)
                     FROM billing_invoiceline l WHERE l.invoice_id = i.id), '[]')::text,
           COALESCE((SELECT jsonb_agg(jsonb_build_array(t.tax_code, t.rate::text, t.net, t.tax)
                       ORDER BY t.tax_code)
                     FROM billing_taxsummary t WHERE t.invoice_id = i.id), '[]')::text
"""
_INVOICES = f"""
    SELECT {INVOICE_COLUMNS}
    FROM billing_invoice i WHERE i.month >= %(since)s ORDER BY i.id
"""  # noqa: S608


def _broken_facts(scope: Scope) -> Iterator[Mapping[str, object]]:
    statement = """
        SELECT organisation_id, month, facts::text, facts_digest
        FROM billing_billedmonth WHERE month >= %(since)s ORDER BY 1, 2
    """
    for organisation, month, facts, digest in stream(statement, {"since": scope.first_day}):
        if canonical.digest(orjson.loads(facts)) != bytes(digest):
            yield {"organisation": organisation, "month": month}


def _broken_links(scope: Scope) -> Iterator[Mapping[str, object]]:
    """Follow each chain. With a `since`, from the entry before it on, whose digest is then believed."""
    statement = """
        SELECT chain, seq, at, actor, action, subject, details::text, prev, digest
        FROM core_auditentry
        WHERE %(all)s OR chain IN (SELECT chain FROM core_auditentry WHERE at >= %(since)s)
        ORDER BY chain, seq
    """
    chain, last, prev = None, 0, audit.GENESIS
    whole = scope.first_day == BEGINNING
    for row in stream(statement, {"since": scope.first_instant, "all": whole}):
        if row[0] != chain:
            chain, last, prev = row[0], 0, audit.GENESIS
        seq, digest = row[1], bytes(row[8])
        followed = seq == last + 1 and bytes(row[7]) == prev and _linked(row, prev) == digest
        if not followed:
            yield {"chain": chain, "seq": seq}
        last, prev = seq, digest


def _linked(row: tuple[Any, ...], prev: bytes) -> bytes:
    chain, seq, at, actor, action, subject, details, *_ = row
    return audit.link(
        prev,
        chain=chain,
        seq=seq,
        at=at,
        actor=actor,
        action=action,
        subject=subject,
        details=orjson.loads(details),
    )


def stream(
    statement: str, parameters: Mapping[str, date | datetime | bool]
) -> Iterator[tuple[Any, ...]]:
    """Yield a statement's rows without holding them all."""
    connection.ensure_connection()
    with connection.wrap_database_errors, closing(connection.chunked_cursor()) as cursor:
        cursor.execute(statement, parameters)
        while rows := cursor.fetchmany(_CHUNK):
            yield from rows


def _document_hash() -> Check:
    return by_sql(
        "I04",
        "the archived PDF of an invoice is not what its hash says",
        """
        SELECT d.invoice_id AS invoice FROM billing_invoicedocument d
        JOIN billing_invoice i ON i.id = d.invoice_id
        WHERE i.month >= %(since)s AND sha256(d.pdf) <> d.sha256 ORDER BY 1
        """,
    )


SEALS = (
    Check("I04", "an issued invoice is not what its digest says", _broken_invoices),
    Check("I04", "the facts of a billed month are not what their digest says", _broken_facts),
    _document_hash(),
)

TRAIL = (
    Check("I19", "the audit chain is broken at this entry", _broken_links),
    by_sql(
        "I19",
        "the issue of an invoice is not in its organisation's audit trail",
        """
        SELECT i.id AS invoice, i.organisation_id AS organisation FROM billing_invoice i
        WHERE i.month >= %(since)s AND NOT EXISTS (
            SELECT FROM core_auditentry e WHERE e.chain = i.organisation_id
              AND e.action = CASE i.kind WHEN 'credit_note' THEN 'credit_note.issued'
                  WHEN 'spot' THEN 'spot_invoice.issued' ELSE 'invoice.issued' END
              AND e.subject = 'invoice:' || i.id)
        ORDER BY 1
        """,
    ),
)

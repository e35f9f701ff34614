"""A page of bills becomes rows: by COPY, since objects would cost more than the pricing does."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db import connection

from accounts.enums import PaymentTerms
from accounts.models import Organisation
from billing.enums import InvoiceKind, LineKind
from billing.queries.due import Customer
from billing.rules import seal
from billing.rules.due import due_on
from billing.rules.facts import Bill, Facts, Line, facts_json, written
from core import audit, canonical
from core.canonical import Composed, Json, Written
from core.months import BillingMonth
from plans.models import VendorVersion

ACTOR = "system:month-end"

LINES = (
    "billing_invoiceline (invoice_id, position, organisation_id, kind, month, name_ja, name_en,"
    " plan_version_id, meter_id, quantity, net, tax_code, explanation)"
)
TAXES = "billing_taxsummary (invoice_id, tax_code, organisation_id, rate, net, tax)"
MONTHS = (
    "billing_billedmonth (organisation_id, month, outcome, invoice_id, facts, facts_digest,"
    " credit, billed_at)"
)
AUDIT = "core_auditentry (chain, seq, at, actor, action, subject, details, prev, digest)"
INVOICES = (
    "billing_invoice (id, number, public_id, organisation_id, kind, month, issued_on, issued_at,"
    " due_on, language, currency, net, tax, gross, tax_rounding, line_count, vendor_id, recipient,"
    " digest)"
)


class Billed(NamedTuple):
    """A bill and what it was made from."""

    customer: Customer
    facts: Facts
    bill: Bill


class Issue(NamedTuple):
    """What the documents of one page have in common."""

    month: BillingMonth
    vendor: VendorVersion
    zone: ZoneInfo
    now: datetime


class _Sealed(NamedTuple):
    """An invoice that waits for its number: what stands before and after it, and its content."""

    before: str
    after: str
    content: bytes


def store(
    page: Sequence[Billed],
    issue: Issue,
    *,
    before_numbers: Callable[[Sequence[int], datetime], None],
) -> list[int]:
    """Store the bills in the caller's transaction; return the ids of the invoices, in order.

    The numbers are taken last, since their counter stays locked until the commit; what else
    belongs into the transaction is done by `before_numbers`. Rule: B-01, B-09.
    """
    ids = new_ids(sum(not billed.bill.is_nothing for billed in page))
    rows = _Rows(issue)
    unused = iter(ids)
    with _copying(LINES) as lines:
        # The database reads lines while the next ones are made.
        for start in range(0, len(page), _AT_ONCE):
            for billed in page[start : start + _AT_ONCE]:
                rows.add(billed, None if billed.bill.is_nothing else next(unused))
            lines.write("".join(rows.lines))
            rows.lines.clear()
    _copy(TAXES, rows.taxes)
    _copy(MONTHS, rows.months)
    _copy(AUDIT, rows.audit)
    _note_revisions(page)
    if ids:
        before_numbers(ids, issue.now)
        first = take_numbers(InvoiceKind.MONTHLY, len(ids))
        _copy(INVOICES, _numbered(rows.invoices, first))
    return ids


class _Rows:
    """The rows of a page, in COPY's text form."""

    def __init__(self, issue: Issue) -> None:
        self.lines: list[str] = []
        self.taxes: list[str] = []
        self.months: list[str] = []
        self.audit: list[str] = []
        self.invoices: list[_Sealed] = []
        self._issue = issue
        self._issued_on = issue.now.astimezone(issue.zone).date()
        self._written_lines: dict[int, tuple[Line, _WrittenLine]] = {}
        self._due: dict[str, str] = {}
        self._written_month = str(issue.month)
        # What every header of the page says; the rest is added to a copy.
        self._header: dict[str, Composed] = {
            "kind": InvoiceKind.MONTHLY.value,
            "month": issue.month.first_day.isoformat(),
            "issued_on": self._issued_on.isoformat(),
            "issued_at": issue.now.astimezone(UTC).isoformat(),
            "tax_rounding": issue.vendor.tax_rounding,
            "vendor_id": issue.vendor.pk,
        }
        self._month = issue.month.first_day.isoformat()
        self._at = issue.now.astimezone(UTC).isoformat()

    def add(self, billed: Billed, invoice_id: int | None) -> None:
        if invoice_id is not None:
            self._add_invoice(billed, invoice_id)
        self._add_month(billed, invoice_id)
        self._add_audit(billed, invoice_id)

    def _add_invoice(self, billed: Billed, invoice_id: int) -> None:
        customer, _, bill = billed
        contents: list[list[Composed] | Written] = []
        for position, line in enumerate(bill.lines, 1):
            content, row = self._line(line)
            contents.append(content)
            self.lines.append(f"{invoice_id}\t{position}\t{customer.id}\t{row}")
        taxes: list[list[Composed] | Written] = []
        for tax in bill.taxes if len(bill.taxes) == 1 else sorted(bill.taxes, key=_code):
            code = tax.code.value
            taxes.append(seal.tax_content(code, tax.rate, tax.net, tax.tax))
            self.taxes.append(
                f"{invoice_id}\t{code}\t{customer.id}\t{tax.rate}\t{tax.net}\t{tax.tax}\n"
            )
        self._seal(billed, invoice_id, contents, taxes)

    def _line(self, line: Line) -> "_WrittenLine":
        """Return a line as written; the kernel hands out the same line for the same fee."""
        if line.kind is not LineKind.FEE:
            return _write_line(line)
        known = self._written_lines.get(id(line))
        if known is None:
            known = self._written_lines[id(line)] = (line, _write_line(line))
        return known[1]

    def _seal(
        self,
        billed: Billed,
        invoice_id: int,
        lines: list[list[Composed] | Written],
        taxes: list[list[Composed] | Written],
    ) -> None:
        customer, facts, bill = billed
        public_id = _public_id()
        due = self._due_on(customer.payment_terms)
        recipient = canonical.dumps(recipient_of(customer))
        rounding = facts.tax_rounding.value
        header: dict[str, Composed] = {
            **self._header,
            "public_id": public_id,
            "organisation_id": customer.id,
            "due_on": due,
            "language": customer.language,
            "currency": bill.currency,
            "net": bill.net,
            "tax": bill.tax,
            "gross": bill.gross,
            "tax_rounding": rounding,
            "recipient": Written(recipient),
        }
        self.invoices.append(
            _Sealed(
                f"{invoice_id}\t",
                f"\t{public_id}\t{customer.id}\tmonthly\t{self._month}\t{self._issued_on}"
                f"\t{self._at}\t{due}\t{customer.language}\t{bill.currency}\t{bill.net}"
                f"\t{bill.tax}\t{bill.gross}\t{rounding}\t{len(lines)}"
                f"\t{self._issue.vendor.pk}\t{_json(recipient)}\t",
                seal.content_digest(header, lines, taxes),
            )
        )

    def _due_on(self, payment_terms: str) -> str:
        due = self._due.get(payment_terms)
        if due is None:
            due = due_on(PaymentTerms(payment_terms), self._issued_on).isoformat()
            self._due[payment_terms] = due
        return due

    def _add_month(self, billed: Billed, invoice_id: int | None) -> None:
        customer, facts, bill = billed
        body = canonical.dumps(facts_json(facts))
        invoice = _NULL if invoice_id is None else invoice_id
        outcome = "nothing" if invoice_id is None else "invoiced"
        credit = (
            _json(canonical.dumps({code.value: net for code, net in bill.credit_carried.items()}))
            if bill.credit_carried
            else "{}"
        )
        self.months.append(
            f"{customer.id}\t{self._month}\t{outcome}\t{invoice}\t{_json(body)}"
            f"\t\\\\x{hashlib.sha256(body).hexdigest()}\t{credit}\t{self._at}\n"
        )

    def _add_audit(self, billed: Billed, invoice_id: int | None) -> None:
        customer, _, bill = billed
        if invoice_id is None:
            action, subject = "month.nothing_to_bill", f"month:{self._written_month}"
            details = b"{}"
        else:
            action, subject = "invoice.issued", f"invoice:{invoice_id}"
            details = canonical.dumps(
                {
                    "month": self._written_month,
                    "currency": bill.currency,
                    "gross": bill.gross,
                }
            )
        seq = customer.seq + 1
        prev = customer.digest or audit.GENESIS
        digest = audit.link_written(
            prev,
            chain=customer.id,
            seq=seq,
            at=self._at,
            actor=ACTOR,
            action=action,
            subject=subject,
            details=Written(details),
        )
        self.audit.append(
            f"{customer.id}\t{seq}\t{self._at}\t{ACTOR}\t{action}\t{subject}"
            f"\t{_json(details)}"
            f"\t\\\\x{prev.hex()}\t\\\\x{digest.hex()}\n"
        )


def recipient_of(customer: Customer | Organisation) -> dict[str, Json]:
    """Return the customer as a document of today names it."""
    return {
        "reference": customer.reference,
        "billing_name": customer.billing_name,
        "billing_postal_code": customer.billing_postal_code,
        "billing_address": customer.billing_address,
        "country": customer.country,
        "payment_terms": customer.payment_terms,
    }


class _WrittenLine(NamedTuple):
    """What is sealed of a line, and its row from its kind on."""

    content: Written
    row: str


def _write_line(line: Line) -> _WrittenLine:
    month = line.month.first_day.isoformat()
    kind, code = line.kind.value, line.tax_code.value
    meter_id = line.meter.id if line.meter else None
    explanation = canonical.dumps(line.explanation)
    quantity = written(line.quantity)
    content = seal.line_content(
        kind,
        month,
        (line.name_ja, line.name_en),
        (line.plan_version_id, meter_id),
        quantity,
        line.net,
        code,
        Written(explanation),
    )
    version = _NULL if line.plan_version_id is None else line.plan_version_id
    meter = _NULL if meter_id is None else meter_id
    return _WrittenLine(
        Written(canonical.dumps(content)),
        f"{kind}\t{month}\t{_text(line.name_ja)}\t{_text(line.name_en)}\t{version}\t{meter}"
        f"\t{quantity}\t{line.net}\t{code}\t{_json(explanation)}\n",
    )


def _public_id() -> str:
    """Return a random UUID (RFC 9562, version 4), as text; uuid.uuid4 takes three times as long."""
    drawn = os.urandom(16).hex()
    variant = "89ab"[int(drawn[16], 16) & 3]
    return f"{drawn[:8]}-{drawn[8:12]}-4{drawn[13:16]}-{variant}{drawn[17:20]}-{drawn[20:]}"


def new_ids(count: int) -> list[int]:
    """Take the ids of invoices to come: their lines are written before them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval('billing_invoice_id_seq') FROM generate_series(1, %s)", [count]
        )
        return [invoice_id for (invoice_id,) in cursor.fetchall()]


def take_numbers(kind: InvoiceKind, count: int) -> int:
    """Take `count` numbers of a series; return the first. The series is locked until the commit.

    Rule: B-09.
    """
    with connection.cursor() as cursor:
        # To wait for other pages' commits is in order here, unlike for any other lock.
        cursor.execute("SET LOCAL lock_timeout = '60s'")
        cursor.execute(
            """
            INSERT INTO billing_numberseries AS s (kind, next) VALUES (%(kind)s, 1 + %(count)s)
            ON CONFLICT (kind) DO UPDATE SET next = s.next + %(count)s RETURNING next - %(count)s
            """,
            {"kind": kind.value, "count": count},
        )
        row: tuple[int] = cursor.fetchone()
        return row[0]


def _numbered(invoices: Iterable[_Sealed], first: int) -> list[str]:
    return [
        f"{invoice.before}{number}{invoice.after}{_bytes(seal.sealed(invoice.content, number))}\n"
        for number, invoice in enumerate(invoices, first)
    ]


def _note_revisions(page: Sequence[Billed]) -> None:
    """Store up to which revision late usage has now been billed. Rule: B-08."""
    rated = [
        (billed.customer.id, late.month.first_day, late.revision, _plain(late.used))
        for billed in page
        for late in billed.facts.late
    ]
    if not rated:
        return
    organisations, months, revisions, quantities = zip(*rated, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO billing_ratedrevision (organisation_id, month, revision, quantities)
            SELECT * FROM unnest(%s::bigint[], %s::date[], %s::bigint[], %s::jsonb[])
            ON CONFLICT (organisation_id, month) DO UPDATE SET
                revision = EXCLUDED.revision, quantities = EXCLUDED.quantities
            """,
            [list(organisations), list(months), list(revisions), list(quantities)],
        )


def _plain(used: Mapping[str, Decimal]) -> str:
    return canonical.dumps({code: written(quantity) for code, quantity in used.items()}).decode()


@contextmanager
def _copying(target: str) -> Iterator[Any]:
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(f"COPY {target} FROM STDIN") as copy,
    ):
        yield copy


def _copy(target: str, rows: Sequence[str]) -> None:
    if rows:
        with _copying(target) as copy:
            copy.write("".join(rows))


_AT_ONCE = 100
_NULL = "\\N"
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_code = attrgetter("code")


def _text(value: str) -> str:
    return value.translate(_ESCAPES)


def _json(written_json: bytes) -> str:
    # JSON holds no control characters, only the backslashes that stand for them.
    return written_json.replace(b"\\", b"\\\\").decode()


def _bytes(value: bytes) -> str:
    return f"\\\\x{value.hex()}"

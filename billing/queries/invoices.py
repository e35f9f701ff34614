"""Issued invoices, as pages, documents and exports read them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.db.models import BigIntegerField, Case, Count, F, Q, QuerySet, Sum, When

from accounts.enums import PaymentTerms
from accounts.models import Organisation
from billing import jobs
from billing.enums import DocumentState, InvoiceKind, TaxCode
from billing.models import Invoice, InvoiceDocument, InvoiceLine, TaxSummary
from billing.rules import explanations, numbers
from billing.rules.explanations import LineBackWhy, RateBackWhy, SpotWhy, Why
from billing.rules.numbers import Typed
from core.enums import WorkState
from core.models import Work
from core.months import BillingMonth
from spot_orders.models import SpotOrder

PAGE = 50
EXPORTED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Recipient:
    """The customer as it was at issue; the row's `recipient`."""

    reference: str
    name: str
    postal_code: str
    address: str
    country: str
    payment_terms: PaymentTerms


@dataclass(frozen=True, slots=True)
class Line:
    """One line with the explanation that was stored with it."""

    row: InvoiceLine
    why: Why

    @property
    def tax_code(self) -> TaxCode:
        return TaxCode(self.row.tax_code)

    @property
    def gives_back_spot(self) -> bool:
        """Whether it is of a credit note that corrects a spot invoice."""
        corrects = self.row.invoice.corrects
        return corrects is not None and corrects.kind == InvoiceKind.SPOT


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that one issued document says. `invoice` comes with its vendor, and with what it corrects.

    `spot`: what is billed or given back of a spot order, empty for other documents.
    `document_sha256`: of its archived PDF; read for exports alone.
    """

    invoice: Invoice
    number: str
    recipient: Recipient
    lines: tuple[Line, ...]
    taxes: tuple[TaxSummary, ...]
    spot: tuple[SpotWhy, ...] = ()
    document_sha256: bytes | None = None

    @property
    def first_day(self) -> date:
        """The first day of what is billed: of the month, or of the spot contract."""
        return self.spot[0].first_on if self.spot else self.month.first_day

    @property
    def last_day(self) -> date:
        return self.spot[-1].last_on if self.spot else self.month.last_day

    @property
    def order(self) -> str:
        """The number of the spot order that is billed or given back; empty for other documents."""
        return self.spot[0].order if self.spot else ""

    @property
    def month(self) -> BillingMonth:
        return BillingMonth.of_day(self.invoice.month)

    @property
    def reason(self) -> str:
        """Why a credit note gives back what it gives back; empty for an invoice."""
        why = self.lines[0].why if self.lines else None
        return why.reason if isinstance(why, LineBackWhy | RateBackWhy) else ""


@dataclass(frozen=True, slots=True)
class Search:
    """What a document may be looked up by, alone or together, bounds included; gross in minor units.

    An amount is that which the document prints; below zero, that which the list shows. `order`: the
    number of a spot order finds its invoice and what gives it back.
    """

    issued_from: date | None = None
    issued_to: date | None = None
    gross_from: int | None = None
    gross_to: int | None = None
    number: Typed | None = None
    order: str = ""

    @property
    def is_signed(self) -> bool:
        return any(bound is not None and bound < 0 for bound in (self.gross_from, self.gross_to))


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums of what was found, in one currency; minor units."""

    currency: str
    count: int
    net: int
    tax: int
    gross: int


def invoices_of(organisation: Organisation) -> QuerySet[Invoice]:
    """Return an organisation's issued invoices and credit notes, the newest first."""
    return _documents().filter(organisation=organisation).order_by("-issued_on", "-pk")


def _signed(column: str) -> Case:
    """Return an amount as it counts: what a credit note gives back is below zero."""
    return Case(
        When(kind=InvoiceKind.CREDIT_NOTE, then=-F(column)),
        default=F(column),
        output_field=BigIntegerField(),
    )


def found(organisation: Organisation, search: Search) -> QuerySet[Invoice]:
    """Return those of an organisation's documents that meet every condition given. Rule: japan.md."""
    amount = "signed" if search.is_signed else "gross"
    number = search.number
    conditions = Q()
    for lookup, value in (
        ("issued_on__gte", search.issued_from),
        ("issued_on__lte", search.issued_to),
        (f"{amount}__gte", search.gross_from),
        (f"{amount}__lte", search.gross_to),
        ("number", number.number if number else None),
        ("kind", number.kind if number else None),
    ):
        if value is not None:
            conditions &= Q(**{lookup: value})
    if search.order:
        orders = SpotOrder.objects.filter(organisation=organisation, number=search.order)
        bills = orders.values("public_id")
        conditions &= Q(kind=InvoiceKind.SPOT, operation__in=bills) | Q(
            corrects__kind=InvoiceKind.SPOT, corrects__operation__in=bills
        )
    return invoices_of(organisation).alias(signed=_signed("gross")).filter(conditions)


def totals(invoices: QuerySet[Invoice]) -> list[Totals]:
    """Return count and sums of documents, one entry a currency; credit notes are taken off."""
    rows = (
        invoices.order_by("currency")
        .values("currency")
        .annotate(
            count=Count("pk"),
            nets=Sum(_signed("net")),
            taxes=Sum(_signed("tax")),
            grosses=Sum(_signed("gross")),
        )
    )
    return [
        Totals(
            row["currency"], row["count"], int(row["nets"]), int(row["taxes"]), int(row["grosses"])
        )
        for row in rows
    ]


def sheet_of(organisation: Organisation, public_id: UUID) -> Sheet | None:
    """Return the organisation's invoice with this public id, in three statements; None if it has none.

    In one more where it gives a spot invoice back.
    """
    invoice = invoices_of(organisation).filter(public_id=public_id).first()
    return _sheet(invoice) if invoice else None


def sheet(invoice_id: int) -> Sheet:
    """Return an invoice for printing. Raises Invoice.DoesNotExist."""
    return _sheet(_documents().get(pk=invoice_id))


def sheets_of_month(month: BillingMonth) -> Iterator[Sheet]:
    """Yield every invoice of a month by number: those of the month, those of spot orders issued in it,
    then every credit note of such an invoice.

    A few hundred are in memory at a time.
    """
    for kind in InvoiceKind:
        yield from _sheets_of(month, kind)


def _sheets_of(month: BillingMonth, kind: InvoiceKind) -> Iterator[Sheet]:
    last = -1
    while True:
        page = list(
            _documents()
            .filter(month=month.first_day, kind=kind, number__gt=last)
            .order_by("number")[:EXPORTED_AT_ONCE]
        )
        if not page:
            return
        hashes = dict(
            InvoiceDocument.objects.filter(pk__in=[one.pk for one in page]).values_list(
                "pk", "sha256"
            )
        )
        for one in _sheets(page):
            sha256 = hashes.get(one.invoice.pk)
            yield replace(one, document_sha256=bytes(sha256)) if sha256 else one
        last = page[-1].number


def _documents() -> QuerySet[Invoice]:
    return Invoice.objects.select_related("vendor", "corrects__vendor")


def number_of(invoice: Invoice) -> str:
    """Return a document's number as printed; it comes with its vendor."""
    return numbers.written(invoice.vendor.invoice_prefix, invoice.number, invoice.kind)


def with_document(organisation: Organisation, public_id: UUID) -> Invoice | None:
    """Return the organisation's invoice with its archived PDF, in one statement."""
    return invoices_of(organisation).select_related("document").filter(public_id=public_id).first()


def document_of(invoice: Invoice) -> InvoiceDocument | None:
    """Return the PDF that `with_document` read, if it has been made."""
    return getattr(invoice, "document", None)


def document_state(invoice: Invoice) -> DocumentState:
    """Return how far an invoice's PDF is, in two statements."""
    if InvoiceDocument.objects.filter(invoice=invoice).exists():
        return DocumentState.MADE
    asked = Work.objects.filter(
        kind=jobs.MAKE_DOCUMENTS.kind, key=f"{jobs.ALONE}{invoice.pk}"
    ).first()
    if asked is None or asked.state == WorkState.DONE:
        return DocumentState.ABSENT
    return DocumentState.STUCK if asked.state == WorkState.PARKED else DocumentState.WAITING


def line_of(sheet: Sheet, position: int) -> Line | None:
    """Return the line at `position`, if the invoice has one."""
    return next((line for line in sheet.lines if line.row.position == position), None)


def _sheet(invoice: Invoice) -> Sheet:
    return next(iter(_sheets([invoice])))


def _sheets(invoices: Sequence[Invoice]) -> Iterator[Sheet]:
    ids = [invoice.pk for invoice in invoices]
    lines = _by_invoice(
        InvoiceLine.objects.filter(invoice__in=ids)
        .select_related("meter", "plan_version__plan")
        .order_by("invoice_id", "position")
    )
    taxes = _by_invoice(
        TaxSummary.objects.filter(invoice__in=ids).order_by("invoice_id", "-rate", "tax_code")
    )
    given_back = _spots_of(
        [one.corrects for one in invoices if one.corrects and one.corrects.kind == InvoiceKind.SPOT]
    )
    for invoice in invoices:
        of_invoice = [_line(row, invoice) for row in lines.get(invoice.pk, ())]
        billed = tuple(line.why for line in of_invoice if isinstance(line.why, SpotWhy))
        yield Sheet(
            invoice=invoice,
            number=number_of(invoice),
            recipient=_recipient(invoice.recipient),
            lines=tuple(of_invoice),
            taxes=tuple(taxes.get(invoice.pk, ())),
            spot=billed or given_back.get(invoice.corrects_id or 0, ()),
        )


def _line(row: InvoiceLine, invoice: Invoice) -> Line:
    row.invoice = invoice
    return Line(row, explanations.parse(row.explanation))


def _spots_of(invoices: Sequence[Invoice]) -> Mapping[int, tuple[SpotWhy, ...]]:
    """Return what spot invoices bill, by invoice; nothing is asked where there are none."""
    if not invoices:
        return {}
    rows = InvoiceLine.objects.filter(invoice__in=[each.pk for each in invoices]).order_by(
        "invoice_id", "position"
    )
    parsed = {
        invoice_id: [explanations.parse(row.explanation) for row in group]
        for invoice_id, group in _by_invoice(rows).items()
    }
    return {
        invoice_id: tuple(why for why in whys if isinstance(why, SpotWhy))
        for invoice_id, whys in parsed.items()
    }


def _by_invoice(rows: QuerySet[Any]) -> dict[int, list[Any]]:
    return {key: list(group) for key, group in groupby(rows, attrgetter("invoice_id"))}


def _recipient(stored: Mapping[str, Any]) -> Recipient:
    return Recipient(
        reference=stored["reference"],
        name=stored["billing_name"],
        postal_code=stored["billing_postal_code"],
        address=stored["billing_address"],
        country=stored["country"],
        payment_terms=PaymentTerms(stored["payment_terms"]),
    )

"""Issued invoices, as pages, documents and exports read them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet, Sum

from accounts.enums import PaymentTerms
from accounts.models import Organisation
from billing.enums import TaxCode
from billing.models import Invoice, InvoiceDocument, InvoiceLine, TaxSummary
from billing.rules import explanations, numbers
from billing.rules.explanations import Why
from core.months import BillingMonth
from usage.models import DailyUsage

PAGE = 50
_CHUNK = 500


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


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that one issued invoice says. `invoice` comes with its vendor and organisation."""

    invoice: Invoice
    number: str
    recipient: Recipient
    lines: tuple[Line, ...]
    taxes: tuple[TaxSummary, ...]

    @property
    def month(self) -> BillingMonth:
        return BillingMonth.of_day(self.invoice.month)


@dataclass(frozen=True, slots=True)
class Search:
    """What an invoice may be looked up by, alone or together, bounds included; gross in minor units."""

    issued_from: date | None = None
    issued_to: date | None = None
    gross_from: int | None = None
    gross_to: int | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums of what was found, in one currency; minor units."""

    currency: str
    count: int
    net: int
    tax: int
    gross: int


@dataclass(frozen=True, slots=True)
class DayUsage:
    day: date
    quantity: Decimal
    events: int


def invoices_of(organisation: Organisation) -> QuerySet[Invoice]:
    """Return an organisation's issued invoices, the newest first."""
    return (
        Invoice.objects.filter(organisation=organisation)
        .select_related("vendor")
        .order_by("-issued_on", "-number")
    )


def found(organisation: Organisation, search: Search) -> QuerySet[Invoice]:
    """Return those of an organisation's invoices that meet every condition given. Rule: japan.md."""
    conditions = Q()
    for lookup, value in (
        ("issued_on__gte", search.issued_from),
        ("issued_on__lte", search.issued_to),
        ("gross__gte", search.gross_from),
        ("gross__lte", search.gross_to),
        ("number", search.number),
    ):
        if value is not None:
            conditions &= Q(**{lookup: value})
    return invoices_of(organisation).filter(conditions)


def totals(invoices: QuerySet[Invoice]) -> list[Totals]:
    """Return count and sums of invoices, one entry a currency."""
    rows = (
        invoices.order_by("currency")
        .values("currency")
        .annotate(count=Count("pk"), nets=Sum("net"), taxes=Sum("tax"), grosses=Sum("gross"))
    )
    return [
        Totals(
            row["currency"], row["count"], int(row["nets"]), int(row["taxes"]), int(row["grosses"])
        )
        for row in rows
    ]


def sheet_of(organisation: Organisation, public_id: UUID) -> Sheet | None:
    """Return the organisation's invoice with this public id, in three statements; None if it has none."""
    invoice = invoices_of(organisation).filter(public_id=public_id).first()
    return _sheet(invoice) if invoice else None


def sheet(invoice_id: int) -> Sheet:
    """Return an invoice for printing. Raises Invoice.DoesNotExist."""
    return _sheet(Invoice.objects.select_related("vendor").get(pk=invoice_id))


def sheets_of_month(month: BillingMonth) -> Iterator[Sheet]:
    """Yield every invoice of a month by number, a few hundred in memory at a time."""
    last = -1
    while True:
        page = list(
            Invoice.objects.filter(month=month.first_day, number__gt=last)
            .select_related("vendor", "organisation")
            .order_by("number")[:_CHUNK]
        )
        if not page:
            return
        yield from _sheets(page)
        last = page[-1].number


def document_of(invoice: Invoice) -> InvoiceDocument | None:
    """Return the archived PDF of an invoice, if it has been made."""
    return InvoiceDocument.objects.filter(invoice=invoice).first()


def days_of(line: Line) -> list[DayUsage]:
    """Return the days behind a usage or adjustment line, as they are known now."""
    usage = explanations.usage_of(line.why)
    if usage is None or line.row.meter_id is None:
        return []
    rows = DailyUsage.objects.filter(
        organisation_id=line.row.organisation_id,
        meter_id=line.row.meter_id,
        day__gte=usage.first_day,
        day__lte=usage.last_day,
    ).order_by("day")
    return [DayUsage(row.day, row.quantity, row.events) for row in rows]


def _sheet(invoice: Invoice) -> Sheet:
    return next(iter(_sheets([invoice])))


def _sheets(invoices: Sequence[Invoice]) -> Iterator[Sheet]:
    ids = [invoice.pk for invoice in invoices]
    lines = _by_invoice(
        InvoiceLine.objects.filter(invoice__in=ids)
        .select_related("meter")
        .order_by("invoice_id", "position")
    )
    taxes = _by_invoice(
        TaxSummary.objects.filter(invoice__in=ids).order_by("invoice_id", "-rate", "tax_code")
    )
    for invoice in invoices:
        yield Sheet(
            invoice=invoice,
            number=numbers.written(invoice.vendor.invoice_prefix, invoice.number),
            recipient=_recipient(invoice.recipient),
            lines=tuple(
                Line(row, explanations.parse(row.explanation)) for row in lines.get(invoice.pk, ())
            ),
            taxes=tuple(taxes.get(invoice.pk, ())),
        )


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

"""One document, issued now and outside the month end: by objects, since there is only one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID, uuid4

from accounts.enums import PaymentTerms
from accounts.models import Organisation
from billing.enums import InvoiceKind
from billing.models import Invoice, InvoiceLine, TaxSummary
from billing.rules import seal
from billing.rules.facts import Line, TaxLine, written
from billing.services import documents, store
from core import audit, canonical
from core.canonical import Composed, Json
from core.money import Rounding
from core.months import BillingMonth
from plans.models import VendorVersion


@dataclass(frozen=True, slots=True)
class Document:
    """What is to be issued. `lines` and `taxes` add up; `organisation` is locked.

    `operation`: who asks, once; `corrects`: of a credit note, the invoice; `paid_with`: how it was
    paid, where it is not as the organisation's months are.
    """

    kind: InvoiceKind
    organisation: Organisation
    vendor: VendorVersion
    month: BillingMonth
    issued_on: date
    due_on: date
    language: str
    currency: str
    rounding: Rounding
    lines: Sequence[Line]
    taxes: Sequence[TaxLine]
    operation: UUID
    corrects: Invoice | None = None
    paid_with: PaymentTerms | None = None


def issue(
    document: Document, *, action: str, actor: str, details: dict[str, Json], now: datetime
) -> Invoice:
    """Store, number and seal a document in the caller's transaction, and ask for its PDF.

    The caller holds the organisation's lock. `action`, `details`: of the audit entry. Raises
    IntegrityError where the database finds that it does not add up. Rule: B-09, B-11.
    """
    invoice = _unsealed(document, now)
    lines = [_line(line, invoice, position) for position, line in enumerate(document.lines, 1)]
    taxes = [_tax(tax, invoice) for tax in sorted(document.taxes, key=lambda tax: tax.code)]
    # The invoice seals what was written before it, and its number is taken last.
    InvoiceLine.objects.bulk_create(lines)
    TaxSummary.objects.bulk_create(taxes)
    audit.record(
        actor=actor,
        action=action,
        subject=f"invoice:{invoice.pk}",
        organisation_id=invoice.organisation_id,
        at=now,
        details={"currency": invoice.currency, "gross": invoice.gross, **details},
    )
    documents.ask_alone(invoice_id=invoice.pk, due_at=now)
    invoice.number = store.take_numbers(document.kind, 1)
    invoice.digest = seal.sealed(_content(invoice, document), invoice.number)
    invoice.save(force_insert=True)
    return invoice


def _unsealed(document: Document, now: datetime) -> Invoice:
    (invoice_id,) = store.new_ids(1)
    net, tax = sum(each.net for each in document.taxes), sum(each.tax for each in document.taxes)
    return Invoice(
        pk=invoice_id,
        public_id=uuid4(),
        organisation=document.organisation,
        kind=document.kind,
        month=document.month.first_day,
        issued_on=document.issued_on,
        issued_at=now,
        due_on=document.due_on,
        language=document.language,
        currency=document.currency,
        net=net,
        tax=tax,
        gross=net + tax,
        tax_rounding=document.rounding,
        line_count=len(document.lines),
        vendor=document.vendor,
        recipient=_recipient(document),
        corrects=document.corrects,
        operation=document.operation,
    )


def _recipient(document: Document) -> dict[str, Json]:
    recipient = store.recipient_of(document.organisation)
    if document.paid_with is not None:
        recipient["payment_terms"] = document.paid_with.value
    return recipient


def _line(line: Line, invoice: Invoice, position: int) -> InvoiceLine:
    return InvoiceLine(
        invoice_id=invoice.pk,
        position=position,
        organisation_id=invoice.organisation_id,
        kind=line.kind,
        month=line.month.first_day,
        name_ja=line.name_ja,
        name_en=line.name_en,
        plan_version_id=line.plan_version_id,
        meter_id=line.meter.id if line.meter else None,
        quantity=line.quantity,
        net=line.net,
        tax_code=line.tax_code,
        explanation=dict(line.explanation),
    )


def _tax(tax: TaxLine, invoice: Invoice) -> TaxSummary:
    return TaxSummary(
        invoice_id=invoice.pk,
        tax_code=tax.code,
        organisation_id=invoice.organisation_id,
        rate=tax.rate,
        net=tax.net,
        tax=tax.tax,
    )


def _content(invoice: Invoice, document: Document) -> bytes:
    header: dict[str, Composed] = {
        "public_id": str(invoice.public_id),
        "organisation_id": invoice.organisation_id,
        "kind": document.kind.value,
        "month": invoice.month.isoformat(),
        "issued_on": invoice.issued_on.isoformat(),
        "issued_at": invoice.issued_at.astimezone(UTC).isoformat(),
        "due_on": invoice.due_on.isoformat(),
        "language": invoice.language,
        "currency": invoice.currency,
        "net": invoice.net,
        "tax": invoice.tax,
        "gross": invoice.gross,
        "tax_rounding": document.rounding.value,
        "vendor_id": document.vendor.pk,
        "recipient": canonical.Written(canonical.dumps(invoice.recipient)),
    }
    if document.corrects is not None:
        header["corrects_id"] = document.corrects.pk
    lines: list[list[Composed] | canonical.Written] = [
        seal.line_content(
            line.kind.value,
            line.month.first_day.isoformat(),
            (line.name_ja, line.name_en),
            (line.plan_version_id, line.meter.id if line.meter else None),
            written(line.quantity),
            line.net,
            line.tax_code.value,
            line.explanation,
        )
        for line in document.lines
    ]
    taxes: list[list[Composed] | canonical.Written] = [
        seal.tax_content(tax.code.value, tax.rate, tax.net, tax.tax)
        for tax in sorted(document.taxes, key=lambda tax: tax.code)
    ]
    return seal.content_digest(header, lines, taxes)

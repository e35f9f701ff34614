"""Issued invoices for the tests of documents, pages and exports: a bill, stored as issuing stores it."""

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Max
from pypdf import PdfReader

from accounts.enums import PaymentTerms
from accounts.models import Organisation
from billing.enums import InvoiceKind, TaxCode
from billing.models import Invoice, InvoiceLine, TaxSummary
from billing.rules import rating
from billing.rules.due import due_on
from billing.rules.facts import Bill, Line
from billing.services import store
from core.money import Rounding
from plans.enums import Category, TaxCategory
from plans.models import Meter, VendorVersion
from tests import make
from tests.billing import kernel

ISSUED_ON = date(2026, 11, 1)
ISSUED_AT = datetime(2026, 10, 31, 21, 5, tzinfo=UTC)


def bill(
    *,
    country: str = "JP",
    currency: str = "JPY",
    reduced_support: bool = False,
    used: str = "120000.5",
) -> Bill:
    """Starter at 5,000 twice, support at 105, calls at two tiers: 10,000 + 105 + 140."""
    category = TaxCategory.REDUCED if reduced_support else TaxCategory.STANDARD
    support = kernel.terms(
        105,
        version_id=2,
        category=Category.SUPPORT,
        currency=currency,
        tax_category=category,
        name="Silver",
    )
    return rating.rate(
        kernel.facts(
            licence=kernel.terms(5_000, kernel.calls(), currency=currency),
            steps=2,
            support=support,
            used={"calls": Decimal(used)},
            currency=currency,
            country=country,
        )
    )


@transaction.atomic
def invoice(
    organisation: Organisation,
    of: Bill | None = None,
    *,
    vendor: VendorVersion | None = None,
    issued_on: date = ISSUED_ON,
    issued_at: datetime = ISSUED_AT,
    with_versions: bool = False,
) -> Invoice:
    """Store a bill as the organisation's invoice; its lines first, since the invoice seals them.

    `with_versions`: the bill's plan versions are rows.
    """
    priced = of or bill(country=organisation.country, currency=organisation.currency)
    monthly = Invoice.objects.filter(kind=InvoiceKind.MONTHLY)
    number = (monthly.aggregate(last=Max("number"))["last"] or 0) + 1
    (invoice_id,) = store.new_ids(1)
    InvoiceLine.objects.bulk_create(
        _line(line, organisation, invoice_id, position, with_versions)
        for position, line in enumerate(priced.lines, start=1)
    )
    TaxSummary.objects.bulk_create(
        TaxSummary(
            invoice_id=invoice_id,
            organisation_id=organisation.pk,
            tax_code=tax.code,
            rate=tax.rate,
            net=tax.net,
            tax=tax.tax,
        )
        for tax in priced.taxes
    )
    return Invoice.objects.create(
        pk=invoice_id,
        organisation=organisation,
        number=number,
        month=priced.month.first_day,
        issued_on=issued_on,
        issued_at=issued_at,
        due_on=due_on(PaymentTerms(organisation.payment_terms), issued_on),
        language=organisation.language,
        currency=priced.currency,
        net=priced.net,
        tax=priced.tax,
        gross=priced.gross,
        tax_rounding=Rounding.DOWN,
        line_count=len(priced.lines),
        vendor=vendor or VendorVersion.objects.first() or make.vendor(),
        recipient={
            "reference": organisation.reference,
            "name": organisation.name,
            "billing_name": organisation.billing_name,
            "billing_postal_code": organisation.billing_postal_code,
            "billing_address": organisation.billing_address,
            "country": organisation.country,
            "payment_terms": organisation.payment_terms,
        },
        digest=bytes(range(32)),
    )


def text_of(pdf: bytes) -> str:
    """Return what a reader can select and copy, without the blanks that layout brings in."""
    return "".join("".join(page.extract_text().split()) for page in _pages(pdf))


def text_by_page(pdf: bytes) -> list[str]:
    return ["".join(page.extract_text().split()) for page in _pages(pdf)]


def fonts_of(pdf: bytes) -> dict[str, bool]:
    """Return each font of a PDF and whether its program is embedded."""
    fonts: dict[str, bool] = {}
    for page in _pages(pdf):
        for reference in page["/Resources"]["/Font"].values():
            font = reference.get_object()
            inner = font["/DescendantFonts"][0].get_object() if "/DescendantFonts" in font else font
            descriptor = inner["/FontDescriptor"].get_object()
            name = str(font["/BaseFont"]).partition("+")[2]
            fonts[name] = bool({"/FontFile", "/FontFile2", "/FontFile3"} & set(descriptor))
    return fonts


def reader(pdf: bytes) -> PdfReader:
    return PdfReader(io.BytesIO(pdf))


def _pages(pdf: bytes) -> list[Any]:
    return list(reader(pdf).pages)


def _line(
    line: Line, organisation: Organisation, invoice_id: int, position: int, with_versions: bool
) -> InvoiceLine:
    if line.meter:
        Meter.objects.get_or_create(
            pk=line.meter.id,
            defaults={
                "code": line.meter.code,
                "name_ja": line.meter.name_ja,
                "name_en": line.meter.name_en,
                "unit_ja": line.meter.unit_ja,
                "unit_en": line.meter.unit_en,
                "aggregation": line.meter.aggregation,
                "position": line.meter.id,
            },
        )
    return InvoiceLine(
        invoice_id=invoice_id,
        organisation_id=organisation.pk,
        position=position,
        kind=line.kind,
        month=line.month.first_day,
        name_ja=line.name_ja,
        name_en=line.name_en,
        plan_version_id=line.plan_version_id if with_versions else None,
        meter_id=line.meter.id if line.meter else None,
        quantity=line.quantity,
        net=line.net,
        tax_code=TaxCode(line.tax_code),
        explanation=dict(line.explanation),
    )

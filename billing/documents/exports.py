"""A month's invoices for other programs: CSV, JSON, FOCUS. Read a few hundred at a time."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date
from decimal import Decimal
from types import MappingProxyType
from zoneinfo import ZoneInfo

import orjson

from accounts.enums import Language
from billing.documents.content import title_of, unit_of
from billing.enums import LineKind
from billing.models import TaxSummary
from billing.queries.invoices import Line, Sheet, number_of
from billing.rules.explanations import FeeWhy, SpotWhy, UsageWhy
from core import money
from core.canonical import Json
from core.months import BillingMonth, start_of_day
from core.tables import Cell, csv_lines

CSV_COLUMNS = (
    "invoice_number",
    "issued_on",
    "month",
    "due_on",
    "organisation",
    "recipient",
    "currency",
    "line",
    "kind",
    "line_month",
    "item",
    "quantity",
    "unit",
    "net",
    "tax_code",
    "tax_rate",
    "invoice_net",
    "invoice_tax",
    "invoice_gross",
    "document",
    "corrects",
    "order",
)
# The columns of FOCUS 1.0, in the order in which FinOps tools show them.
FOCUS_COLUMNS = (
    "AvailabilityZone",
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "CommitmentDiscountCategory",
    "CommitmentDiscountId",
    "CommitmentDiscountName",
    "CommitmentDiscountStatus",
    "CommitmentDiscountType",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "RegionId",
    "RegionName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "SkuId",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "Tags",
)
NULL = "NULL"
_CHARGES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        LineKind.FEE: ("Purchase", "Recurring"),
        LineKind.SPOT: ("Purchase", "One-Time"),
        LineKind.USAGE: ("Usage", "Usage-Based"),
        LineKind.ADJUSTMENT: ("Adjustment", "One-Time"),
        LineKind.CREDIT_BROUGHT: ("Credit", "One-Time"),
        LineKind.CREDIT_CARRIED: ("Credit", "One-Time"),
        LineKind.CREDIT: ("Credit", "One-Time"),
    }
)


_CORRECTIONS = (LineKind.ADJUSTMENT, LineKind.CREDIT)


def as_csv(sheets: Iterable[Sheet], *, bom: bool = False) -> Iterator[str]:
    """Yield documents as CSV, a row a line; amounts in major units. The `net` add up to `invoice_net`.

    What a credit note gives back is below zero, so that columns add up to what is owed.
    """
    return csv_lines(CSV_COLUMNS, _csv_rows(sheets), bom=bom)


def as_json(sheets: Iterable[Sheet]) -> Iterator[str]:
    """Yield documents as a JSON array, an object each; amounts in minor units, quantities as text.

    It says what the document says: a credit note's amounts are positive, and its kind tells.
    """
    before = "[\n"
    for sheet in sheets:
        yield f"{before}{orjson.dumps(_object(sheet)).decode()}"
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def as_focus(sheets: Iterable[Sheet], *, bom: bool = False) -> Iterator[str]:
    """Yield invoices as FOCUS 1.0, a row a line and a row a tax; `BilledCost` adds up to the gross.

    A line priced by several tiers has no single unit price: its price columns are NULL. What a
    credit note gives back is a credit below zero.
    """
    return csv_lines(FOCUS_COLUMNS, _focus_rows(sheets), bom=bom)


def _csv_rows(sheets: Iterable[Sheet]) -> Iterator[Sequence[Cell]]:
    for sheet in sheets:
        invoice, currency, sign = sheet.invoice, sheet.invoice.currency, _sign(sheet)
        corrects = number_of(invoice.corrects) if invoice.corrects else None
        language = Language(invoice.language)
        rates = {tax.tax_code: tax.rate for tax in sheet.taxes}
        for line in sheet.lines:
            yield (
                sheet.number,
                invoice.issued_on,
                str(sheet.month),
                invoice.due_on,
                sheet.recipient.reference,
                sheet.recipient.name,
                currency,
                line.row.position,
                line.row.kind,
                str(BillingMonth.of_day(line.row.month)),
                title_of(line, language),
                line.row.quantity,
                unit_of(line, language),
                _major(sign * line.row.net, currency),
                line.row.tax_code,
                rates[line.row.tax_code],
                _major(sign * invoice.net, currency),
                _major(sign * invoice.tax, currency),
                _major(sign * invoice.gross, currency),
                invoice.kind,
                corrects,
                sheet.order or None,
            )


def _sign(sheet: Sheet) -> int:
    return -1 if sheet.invoice.is_credit_note else 1


def _object(sheet: Sheet) -> dict[str, Json]:
    invoice, vendor = sheet.invoice, sheet.invoice.vendor
    return {
        "number": sheet.number,
        "id": str(invoice.public_id),
        "kind": invoice.kind,
        "corrects": number_of(invoice.corrects) if invoice.corrects else None,
        "order": sheet.order or None,
        "month": str(sheet.month),
        "issued_on": invoice.issued_on.isoformat(),
        "issued_at": invoice.issued_at.astimezone(UTC).isoformat(),
        "due_on": invoice.due_on.isoformat(),
        "language": invoice.language,
        "currency": invoice.currency,
        "currency_decimals": money.exponent(invoice.currency),
        "issuer": {
            "name_ja": vendor.name_ja,
            "name_en": vendor.name_en,
            "registration_number": vendor.registration_number,
            "postal_code": vendor.postal_code,
            "address_ja": vendor.address_ja,
            "address_en": vendor.address_en,
            "country": vendor.country,
        },
        "recipient": invoice.recipient,
        "lines": [_line_object(line) for line in sheet.lines],
        "taxes": [_tax_object(tax) for tax in sheet.taxes],
        "tax_rounding": invoice.tax_rounding,
        "net": invoice.net,
        "tax": invoice.tax,
        "gross": invoice.gross,
        "digest": bytes(invoice.digest).hex(),
        "document_sha256": sheet.document_sha256.hex() if sheet.document_sha256 else None,
    }


def _line_object(line: Line) -> dict[str, Json]:
    row = line.row
    return {
        "position": row.position,
        "kind": row.kind,
        "month": str(BillingMonth.of_day(row.month)),
        "name_ja": row.name_ja,
        "name_en": row.name_en,
        "meter": row.meter.code if row.meter else None,
        "quantity": f"{row.quantity:f}",
        "net": row.net,
        "tax_code": row.tax_code,
        "explanation": row.explanation,
    }


def _tax_object(tax: TaxSummary) -> dict[str, Json]:
    return {"tax_code": tax.tax_code, "rate": f"{tax.rate:f}", "net": tax.net, "tax": tax.tax}


def _focus_rows(sheets: Iterable[Sheet]) -> Iterator[Sequence[Cell]]:
    for sheet in sheets:
        shared = _focus_shared(sheet)
        for line in sheet.lines:
            yield _focus_row(shared | _focus_line(line, sheet))
        for tax in sheet.taxes:
            if tax.tax:
                yield _focus_row(shared | _focus_tax(tax, sheet))


def _focus_row(values: Mapping[str, Cell]) -> Sequence[Cell]:
    return [NULL if (cell := values.get(column)) is None else cell for column in FOCUS_COLUMNS]


def _focus_shared(sheet: Sheet) -> dict[str, Cell]:
    start, end = _instants(sheet.month, sheet)
    vendor, recipient = sheet.invoice.vendor, sheet.recipient
    return {
        "BillingAccountId": recipient.reference,
        "BillingAccountName": recipient.name,
        "BillingCurrency": sheet.invoice.currency,
        "BillingPeriodStart": start,
        "BillingPeriodEnd": end,
        "ChargePeriodStart": start,
        "ChargePeriodEnd": end,
        "InvoiceIssuerName": vendor.name_en,
        "ProviderName": vendor.name_en,
        "PublisherName": vendor.name_en,
        "ServiceCategory": "Other",
        "SubAccountId": recipient.reference,
        "SubAccountName": recipient.name,
        "Tags": orjson.dumps({"invoice_number": sheet.number}).decode(),
    }


def _focus_line(line: Line, sheet: Sheet) -> dict[str, Cell]:
    row, currency = line.row, sheet.invoice.currency
    category, frequency = _CHARGES[row.kind]
    start, end = _charged(line, sheet)
    priced = category in {"Usage", "Purchase"}
    unit_price = _unit_price(line)
    price = unit_price.scaleb(-money.exponent(currency)) if unit_price is not None else None
    unit = unit_of(line, Language.EN) or "Units"
    return {
        **_costs(_sign(sheet) * row.net, currency),
        "ChargeCategory": category,
        "ChargeClass": "Correction" if row.kind in _CORRECTIONS else None,
        "ChargeDescription": row.name_en,
        "ChargeFrequency": frequency,
        "ChargePeriodStart": start,
        "ChargePeriodEnd": end,
        "ConsumedQuantity": row.quantity if category == "Usage" else None,
        "ConsumedUnit": unit if category == "Usage" else None,
        "ContractedUnitPrice": price,
        "ListUnitPrice": price,
        "PricingCategory": "Standard" if priced else None,
        "PricingQuantity": row.quantity if priced else None,
        "PricingUnit": unit if priced else None,
        "ServiceName": row.name_en,
        "SkuId": row.meter.code if row.meter else _plan(line),
        "SkuPriceId": _sku_price(line),
    }


def _focus_tax(tax: TaxSummary, sheet: Sheet) -> dict[str, Cell]:
    return {
        **_costs(_sign(sheet) * tax.tax, sheet.invoice.currency),
        "ChargeCategory": "Tax",
        "ChargeClass": "Correction" if sheet.invoice.is_credit_note else None,
        "ChargeDescription": f"{tax.tax_code} on {money.written(tax.net, sheet.invoice.currency)}",
        "ChargeFrequency": "One-Time",
        "ServiceName": "Tax",
    }


def _costs(amount: int, currency: str) -> dict[str, Cell]:
    cost = _major(amount, currency)
    return {"BilledCost": cost, "ContractedCost": cost, "EffectiveCost": cost, "ListCost": cost}


def _unit_price(line: Line) -> Decimal | None:
    """Return the one price of a line's units, in minor units; None where there is not just one."""
    if isinstance(line.why, FeeWhy):
        return Decimal(line.why.unit_net)
    if isinstance(line.why, SpotWhy):
        return Decimal(line.why.month_net)
    if isinstance(line.why, UsageWhy) and line.why.included == 0 and len(line.why.tiers) == 1:
        return line.why.tiers[0].unit_price
    return None


def _plan(line: Line) -> str | None:
    return line.why.plan if isinstance(line.why, FeeWhy | SpotWhy | UsageWhy) else None


def _sku_price(line: Line) -> str | None:
    why = line.why
    if not isinstance(why, FeeWhy | SpotWhy | UsageWhy) or why.plan is None:
        return None
    return f"{why.plan}.v{why.version}"


def _charged(line: Line, sheet: Sheet) -> tuple[str, str]:
    """Return from when to when (half open) a line charges: its month, or its months of a spot contract."""
    if isinstance(line.why, SpotWhy):
        return _between(line.why.first_on, line.why.end_on, sheet)
    return _instants(BillingMonth.of_day(line.row.month), sheet)


def _instants(month: BillingMonth, sheet: Sheet) -> tuple[str, str]:
    return _between(month.first_day, month.next.first_day, sheet)


def _between(first_on: date, end_on: date, sheet: Sheet) -> tuple[str, str]:
    zone = ZoneInfo(sheet.invoice.vendor.time_zone)
    start, end = start_of_day(first_on, zone), start_of_day(end_on, zone)
    return f"{start:%Y-%m-%dT%H:%M:%SZ}", f"{end:%Y-%m-%dT%H:%M:%SZ}"


def _major(amount: int, currency: str) -> Decimal:
    return Decimal(amount).scaleb(-money.exponent(currency))

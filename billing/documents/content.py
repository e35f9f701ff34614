"""What an invoice or a credit note prints, as ready strings in its language."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from babel.dates import format_date

from accounts.enums import Language
from billing.documents.words import WORDS, Words
from billing.enums import LineKind, TaxCode
from billing.models import Invoice
from billing.queries.invoices import Line, Sheet, number_of
from billing.rules.explanations import (
    AdjustmentWhy,
    CreditWhy,
    FeeWhy,
    LineBackWhy,
    RateBackWhy,
    UsageWhy,
    usage_of,
)
from core.money import Rounding, quantity_written, unit_price_written, written
from plans.models import VendorVersion

NBSP = "\u00a0"
_MINOR = {"JPY": ("円", "yen")}
_TIERS_PRINTED = 4


@dataclass(frozen=True, slots=True)
class Row:
    """One printed line. `mark`: ※ where the reduced rate applies."""

    position: int
    mark: str
    title: str
    detail: str
    quantity: str
    unit: str
    net: str


@dataclass(frozen=True, slots=True)
class TaxRow:
    name: str
    net: str
    tax: str


@dataclass(frozen=True, slots=True)
class Party:
    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Original:
    """The invoice that a credit note corrects."""

    number: str
    issued_on: str


@dataclass(frozen=True, slots=True)
class Content:
    """One document, ready to be laid out. Rule: japan.md (the items of a qualified invoice).

    `original`, `reason`: of a credit note.
    """

    language: str
    title: str
    number: str
    created: str
    issued_on: str
    period: str
    due_on: str
    pay: str
    issuer: Party
    registration_number: str
    support_email: str
    recipient: Party
    honorific: str
    rows: tuple[Row, ...]
    taxes: tuple[TaxRow, ...]
    net: str
    tax: str
    gross: str
    notes: tuple[str, ...]
    original: Original | None
    reason: str

    @property
    def counts(self) -> bool:
        """Whether any line counts something; those of a part given back are amounts alone."""
        return any(row.quantity for row in self.rows)


def content_of(sheet: Sheet, language: Language | None = None) -> Content:
    """Return what `sheet` prints, in the language that it was issued in or, for a page, in another."""
    invoice = sheet.invoice
    language = language or Language(invoice.language)
    words = WORDS[language]
    return Content(
        language=language,
        title=words.titles[invoice.kind],
        number=sheet.number,
        created=invoice.issued_at.isoformat(),
        issued_on=_day(invoice.issued_on, language, words),
        period=_period(sheet, language, words),
        due_on=_day(invoice.due_on, language, words),
        pay=words.pay[sheet.recipient.payment_terms],
        issuer=issuer_of(invoice.vendor, language),
        registration_number=invoice.vendor.registration_number,
        support_email=invoice.vendor.support_email,
        recipient=Party(
            sheet.recipient.name,
            _address(sheet.recipient.postal_code, sheet.recipient.address, language),
        ),
        honorific=words.honorific,
        rows=tuple(_row(line, sheet, language, words) for line in sheet.lines if _says(line)),
        taxes=tuple(
            TaxRow(
                words.tax_names[TaxCode(tax.tax_code)],
                written(tax.net, invoice.currency),
                written(tax.tax, invoice.currency),
            )
            for tax in sheet.taxes
        ),
        net=written(invoice.net, invoice.currency),
        tax=written(invoice.tax, invoice.currency),
        gross=written(invoice.gross, invoice.currency),
        notes=tuple(_notes(sheet, language, words)),
        original=_original(invoice.corrects, language, words) if invoice.corrects else None,
        reason=sheet.reason,
    )


def _original(corrects: Invoice, language: Language, words: Words) -> Original:
    return Original(number_of(corrects), _day(corrects.issued_on, language, words))


def _says(line: Line) -> bool:
    """Say whether a line is worth paper: a meter that was not used is on the usage page alone."""
    return not isinstance(line.why, UsageWhy) or bool(line.why.used or line.row.net)


def detail_of(line: Line, currency: str, words: Words) -> str:
    """Return in one sentence how a line's amount came about."""
    match line.why:
        case FeeWhy() as fee if fee.steps > 1:
            return words.fee_detail.format(unit=written(fee.unit_net, currency), steps=fee.steps)
        case FeeWhy():
            return words.month_fee_detail
        case UsageWhy() as usage:
            return _usage_detail(usage, currency, words)
        case AdjustmentWhy() as change:
            return words.adjustment_detail.format(
                before=quantity_written(change.used_before),
                now=quantity_written(change.used_now),
                net_before=written(change.net_before, currency),
                net_now=written(change.net_now, currency),
            )
        case RateBackWhy() as back:
            return words.rate_back_detail.format(
                rate=words.tax_names[TaxCode(back.tax_code)].rstrip(" ※"),
                billed=written(back.billed_gross, currency),
                gross=written(back.gross, currency),
            )
        case _:
            return ""


def _usage_detail(usage: UsageWhy, currency: str, words: Words) -> str:
    if not usage.charged or usage.included is None:
        return words.usage_uncharged
    included = quantity_written(usage.included)
    if not usage.tiers:
        return words.usage_free.format(included=included)
    parts = [
        f"{quantity_written(tier.units)}{NBSP}×{NBSP}{unit_price_written(tier.unit_price, currency)}"
        for tier in usage.tiers[:_TIERS_PRINTED]
    ]
    if len(usage.tiers) > _TIERS_PRINTED:
        parts.append("…")
    over = quantity_written(usage.over or Decimal(0))
    return words.usage_over.format(included=included, over=over, tiers=words.separator.join(parts))


def _row(line: Line, sheet: Sheet, language: Language, words: Words) -> Row:
    row, currency = line.row, sheet.invoice.currency
    return Row(
        position=row.position,
        mark="※" if line.tax_code is TaxCode.JP8R else "",
        title=title_of(line, language),
        detail=detail_of(line, currency, words),
        quantity="" if _is_an_amount(line) else quantity_written(row.quantity),
        unit=unit_of(line, language),
        net=written(row.net, currency),
    )


def _is_an_amount(line: Line) -> bool:
    """Say whether a line is an amount alone, and counts nothing."""
    if isinstance(line.why, LineBackWhy):
        return line.row.meter is None and line.row.plan_version is None
    return isinstance(line.why, CreditWhy | RateBackWhy)


def title_of(line: Line, language: Language) -> str:
    """Return what a line bills."""
    return line.row.name_ja if language is Language.JA else line.row.name_en


def unit_of(line: Line, language: Language) -> str:
    """Return what a line's quantity counts; empty where that needs no word."""
    meter = line.row.meter
    is_back = isinstance(line.why, LineBackWhy)
    if isinstance(line.why, FeeWhy) or (is_back and line.row.plan_version and not meter):
        return WORDS[language].fee_unit
    if meter is None or not (usage_of(line.why) or is_back):
        return ""
    return meter.unit_ja if language is Language.JA else meter.unit_en


def issuer_of(vendor: VendorVersion, language: Language) -> Party:
    """Return the vendor as a document names it."""
    if language is Language.JA:
        return Party(vendor.name_ja, _address(vendor.postal_code, vendor.address_ja, language))
    return Party(vendor.name_en, _address(vendor.postal_code, vendor.address_en, language))


def _address(postal_code: str, address: str, language: Language) -> tuple[str, ...]:
    """Japanese post writes the code first, the rest of the world last."""
    if language is Language.JA:
        code = f"〒{postal_code}" if postal_code else ""
        return tuple(part for part in (code, address) if part)
    return tuple(part for part in (address, postal_code) if part)


def _period(sheet: Sheet, language: Language, words: Words) -> str:
    dash = "〜" if language is Language.JA else " – "
    first, last = sheet.month.first_day, sheet.month.last_day
    return f"{_day(first, language, words)}{dash}{_day(last, language, words)}"


def _day(value: date, language: Language, words: Words) -> str:
    return format_date(value, words.day, locale=language)


def _notes(sheet: Sheet, language: Language, words: Words) -> Iterator[str]:
    invoice = sheet.invoice
    codes = {TaxCode(tax.tax_code) for tax in sheet.taxes}
    if TaxCode.JP8R in codes:
        yield words.reduced_note
    if TaxCode.OUT_OF_SCOPE in codes:
        yield words.out_of_scope_note
    if codes - {TaxCode.OUT_OF_SCOPE}:
        local, foreign = _MINOR.get(invoice.currency, ("通貨単位", "smallest unit"))
        minor = local if language is Language.JA else foreign
        if invoice.is_credit_note:
            yield words.follows_note
        else:
            yield words.rounding[Rounding(invoice.tax_rounding)].format(minor=minor)
    if invoice.vendor.country == "JP" and not invoice.vendor.registration_number:
        yield words.not_qualified_notes[invoice.kind]
    carried = sum(line.row.net for line in sheet.lines if line.row.kind == LineKind.CREDIT_CARRIED)
    if carried:
        yield words.carried_note.format(amount=written(carried, invoice.currency))

"""What an invoice, a credit note or a quotation prints, as ready strings in its language."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from babel.dates import format_date

from accounts.enums import Language
from billing.documents.words import WORDS, Columns, Labels, Words
from billing.enums import InvoiceKind, LineKind, TaxCode
from billing.models import Invoice
from billing.queries.invoices import Line, Sheet, number_of
from billing.rules.explanations import (
    AdjustmentWhy,
    CreditWhy,
    FeeWhy,
    LineBackWhy,
    RateBackWhy,
    SpotWhy,
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
    """One printed line. `mark`: ※ where the reduced rate applies; `tail`: the end of the title that paper
    keeps together.
    """

    position: int
    mark: str
    title: str
    detail: str
    quantity: str
    unit: str
    net: str
    tail: str = ""

    @property
    def head(self) -> str:
        return self.title.removesuffix(self.tail)


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
class Fact:
    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Sums:
    """What the lines of a document add up to."""

    taxes: tuple[TaxRow, ...]
    net: str
    tax: str
    gross: str


@dataclass(frozen=True, slots=True)
class Content:
    """One document, ready to be laid out. Rule: japan.md (the items of a qualified invoice).

    `head` stands beside the title, `terms` beside the amount. `period`: of what is billed, both days
    with it. `order`: of a spot invoice; `original`, `reason`: of a credit note.
    """

    language: str
    labels: Labels
    columns: Columns
    number: str
    created: str
    head: tuple[Fact, ...]
    terms: tuple[Fact, ...]
    issuer: Party
    registration_number: str
    support_email: str
    recipient: Party
    honorific: str
    rows: tuple[Row, ...]
    sums: Sums
    notes: tuple[str, ...]
    period: str
    order: str = ""
    original: Original | None = None
    reason: str = ""

    @property
    def title(self) -> str:
        return self.labels.title

    @property
    def counts(self) -> bool:
        """Whether any line counts something; those of a part given back are amounts alone."""
        return any(row.quantity for row in self.rows)


def content_of(sheet: Sheet, language: Language | None = None) -> Content:
    """Return what `sheet` prints, in the language that it was issued in or, for a page, in another."""
    invoice = sheet.invoice
    language = language or Language(invoice.language)
    words = WORDS[language]
    labels = words.labels[invoice.kind]
    issued_on = day_written(invoice.issued_on, language)
    return Content(
        language=language,
        labels=labels,
        columns=words.columns,
        number=sheet.number,
        created=invoice.issued_at.isoformat(),
        head=(Fact(labels.number, sheet.number), Fact(labels.issued_on, issued_on)),
        terms=tuple(_terms(sheet, language, words)),
        issuer=issuer_of(invoice.vendor, language),
        registration_number=invoice.vendor.registration_number,
        support_email=invoice.vendor.support_email,
        recipient=Party(
            sheet.recipient.name,
            address_of(sheet.recipient.postal_code, sheet.recipient.address, language),
        ),
        honorific=words.honorific,
        rows=tuple(row_of(line, invoice.currency, language) for line in sheet.lines if _says(line)),
        sums=Sums(
            taxes=tuple(
                tax_row(TaxCode(tax.tax_code), tax.net, tax.tax, invoice.currency, words)
                for tax in sheet.taxes
            ),
            net=written(invoice.net, invoice.currency),
            tax=written(invoice.tax, invoice.currency),
            gross=written(invoice.gross, invoice.currency),
        ),
        notes=tuple(_notes(sheet, language, words)),
        period=span_written(sheet.first_day, sheet.last_day, language),
        order=sheet.order,
        original=_original(invoice.corrects, language) if invoice.corrects else None,
        reason=sheet.reason,
    )


def _terms(sheet: Sheet, language: Language, words: Words) -> Iterator[Fact]:
    """Yield what is printed beside the amount, as far as the kind of document has it."""
    invoice = sheet.invoice
    labels = words.labels[invoice.kind]
    if labels.due_on:
        yield Fact(labels.due_on, day_written(invoice.due_on, language))
    if labels.original and invoice.corrects:
        original = _original(invoice.corrects, language)
        told = words.original.format(number=original.number, issued_on=original.issued_on)
        yield Fact(labels.original, told)
    if labels.order:
        yield Fact(labels.order, sheet.order)
    if labels.pay:
        # What is issued once it is paid says so; the rest says how it is to be paid.
        ways = words.paid if invoice.kind == InvoiceKind.SPOT else words.pay
        yield Fact(labels.pay, ways[sheet.recipient.payment_terms])
    yield Fact(labels.period, span_written(sheet.first_day, sheet.last_day, language))
    if labels.reason:
        yield Fact(labels.reason, sheet.reason)


def _original(corrects: Invoice, language: Language) -> Original:
    return Original(number_of(corrects), day_written(corrects.issued_on, language))


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
        case SpotWhy() as spot:
            return spot_detail(spot, currency, words)
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


def spot_detail(spot: SpotWhy, currency: str, words: Words) -> str:
    """Return in one sentence what months of a spot contract cost."""
    told = words.spot_steps_detail if spot.steps > 1 else words.spot_detail
    return told.format(unit=written(spot.unit_net, currency), steps=spot.steps, months=spot.months)


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


def row_of(line: Line, currency: str, language: Language) -> Row:
    """Return a line as it is printed."""
    row = line.row
    return Row(
        position=row.position,
        mark="※" if line.tax_code is TaxCode.JP8R else "",
        title=title_of(line, language),
        detail=detail_of(line, currency, WORDS[language]),
        quantity="" if _is_an_amount(line) else quantity_written(row.quantity),
        unit=unit_of(line, language),
        net=written(row.net, currency),
        tail=tail_of(line.why, language) if isinstance(line.why, SpotWhy) else "",
    )


def tail_of(spot: SpotWhy, language: Language) -> str:
    """Return the period at the end of the title of months of a spot contract."""
    return span_written(spot.first_on, spot.last_on, language)


def tax_row(code: TaxCode, net: int, tax: int, currency: str, words: Words) -> TaxRow:
    """Return a rate with the sum of its lines and its tax, as printed."""
    return TaxRow(words.tax_names[code], written(net, currency), written(tax, currency))


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
    if isinstance(line.why, SpotWhy) or (is_back and line.gives_back_spot):
        one, several = WORDS[language].spot_unit
        return one if line.row.quantity == 1 else several
    if isinstance(line.why, FeeWhy) or (is_back and line.row.plan_version and not meter):
        return WORDS[language].fee_unit
    if meter is None or not (usage_of(line.why) or is_back):
        return ""
    return meter.unit_ja if language is Language.JA else meter.unit_en


def issuer_of(vendor: VendorVersion, language: Language) -> Party:
    """Return the vendor as a document names it."""
    if language is Language.JA:
        return Party(vendor.name_ja, address_of(vendor.postal_code, vendor.address_ja, language))
    return Party(vendor.name_en, address_of(vendor.postal_code, vendor.address_en, language))


def address_of(postal_code: str, address: str, language: Language) -> tuple[str, ...]:
    """Return an address in lines: Japanese post writes the code first, the rest of the world last."""
    if language is Language.JA:
        code = f"〒{postal_code}" if postal_code else ""
        return tuple(part for part in (code, address) if part)
    return tuple(part for part in (address, postal_code) if part)


def span_written(first: date, last: date, language: Language) -> str:
    """Return a period by its first and its last day."""
    return WORDS[language].span.format(
        first=day_written(first, language), last=day_written(last, language)
    )


def day_written(value: date, language: Language) -> str:
    return format_date(value, WORDS[language].day, locale=language)


def _notes(sheet: Sheet, language: Language, words: Words) -> Iterator[str]:
    invoice = sheet.invoice
    codes = {TaxCode(tax.tax_code) for tax in sheet.taxes}
    yield from rate_notes(codes, words)
    if codes - {TaxCode.OUT_OF_SCOPE}:
        if invoice.is_credit_note:
            yield words.follows_note
        else:
            yield rounding_note(Rounding(invoice.tax_rounding), invoice.currency, language)
    if invoice.vendor.country == "JP" and not invoice.vendor.registration_number:
        yield words.not_qualified_notes[invoice.kind]
    carried = sum(line.row.net for line in sheet.lines if line.row.kind == LineKind.CREDIT_CARRIED)
    if carried:
        yield words.carried_note.format(amount=written(carried, invoice.currency))


def rate_notes(codes: Collection[TaxCode], words: Words) -> Iterator[str]:
    """Yield what has to be said of rates that are not the standard one. Rule: B-07."""
    if TaxCode.JP8R in codes:
        yield words.reduced_note
    if TaxCode.OUT_OF_SCOPE in codes:
        yield words.out_of_scope_note


def rounding_note(rounding: Rounding, currency: str, language: Language) -> str:
    """Return how the tax was rounded. Rule: B-06."""
    local, foreign = _MINOR.get(currency, ("通貨単位", "smallest unit"))
    minor = local if language is Language.JA else foreign
    return WORDS[language].rounding[rounding].format(minor=minor)

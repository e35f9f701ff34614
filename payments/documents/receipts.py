"""What a receipt says, as ready strings in its language. Rule: japan.md (qualified invoice)."""

from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from babel.dates import format_date

from accounts.enums import Language
from billing.documents import content as invoices
from billing.documents.content import Party, TaxRow
from billing.documents.words import WORDS as OF_INVOICES
from billing.enums import InvoiceKind, TaxCode
from billing.rules import numbers
from core.money import written
from core.months import BillingMonth
from payments.documents.words import WORDS
from payments.queries import receipts as queries
from payments.queries.receipts import Receipt


@dataclass(frozen=True, slots=True)
class Content:
    """One receipt, ready to be laid out. `paid_with` is masked."""

    language: str
    title: str
    number: str
    created: str
    received_on: str
    received: str
    purpose: str
    paid_with: str
    issuer: Party
    registration_number: str
    support_email: str
    recipient: str
    honorific: str
    taxes: tuple[TaxRow, ...]
    amount: str
    notes: tuple[str, ...]


def content_of(receipt: Receipt, language: Language | None = None) -> Content:
    """Return what `receipt` says, in the language of its invoice or, for a page, in another."""
    charge, invoice = receipt.charge, receipt.invoice
    language = language or Language(invoice.language)
    words, shared = WORDS[language], OF_INVOICES[language]
    local = receipt.decided_at.astimezone(ZoneInfo(invoice.vendor.time_zone))
    return Content(
        language=language,
        title=words.title,
        number=receipt.number,
        created=receipt.decided_at.isoformat(),
        received_on=format_date(local.date(), shared.day, locale=language),
        received=words.received,
        purpose=_purpose(receipt, language),
        paid_with=paid_with(receipt),
        issuer=invoices.issuer_of(invoice.vendor, language),
        registration_number=invoice.vendor.registration_number,
        support_email=invoice.vendor.support_email,
        recipient=invoice.recipient["billing_name"],
        honorific=shared.honorific,
        taxes=tuple(
            TaxRow(
                shared.tax_names[each.code],
                written(each.net, charge.currency),
                written(each.tax, charge.currency),
            )
            for each in receipt.taxes
        ),
        amount=written(charge.amount, charge.currency),
        notes=tuple(_notes(receipt, language)),
    )


def paid_with(receipt: Receipt) -> str:
    """Return how it was paid, masked: PayPal (t•••@example.com)."""
    charge, company = receipt.charge, queries.company_of(receipt.charge)
    label = charge.method.label if charge.method else ""
    return f"{company} ({label})" if label else company


def _purpose(receipt: Receipt, language: Language) -> str:
    charge, invoice, words = receipt.charge, receipt.invoice, WORDS[language]
    number = numbers.written(invoice.vendor.invoice_prefix, invoice.number, invoice.kind)
    if invoice.kind == InvoiceKind.SPOT:
        return words.of_order.format(order=charge.number, number=number)
    month = BillingMonth.of_day(invoice.month).first_day
    return words.purpose.format(
        month=format_date(month, _MONTHS[language], locale=language), number=number
    )


_MONTHS = {Language.JA: "y年M月", Language.EN: "MMMM y"}


def _notes(receipt: Receipt, language: Language) -> Iterator[str]:
    words, shared, vendor = WORDS[language], OF_INVOICES[language], receipt.invoice.vendor
    codes = {each.code for each in receipt.taxes}
    if not codes:
        yield words.taxes_follow.format(
            number=numbers.written(
                vendor.invoice_prefix, receipt.invoice.number, receipt.invoice.kind
            )
        )
    if TaxCode.JP8R in codes:
        yield shared.reduced_note
    if TaxCode.OUT_OF_SCOPE in codes:
        yield shared.out_of_scope_note
    if vendor.country == "JP":
        if not vendor.registration_number:
            yield words.not_qualified
        yield words.no_stamp

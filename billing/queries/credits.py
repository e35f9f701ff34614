"""What has been given back of an invoice. Rule: B-11."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import F, QuerySet, Sum

from billing.enums import TaxCode
from billing.models import Invoice, InvoiceLine, TaxSummary
from billing.queries.stored import Reader, stored_lines, stored_taxes
from billing.rules.credits import Original
from billing.rules.explanations import order_of
from core.money import Rounding
from core.months import BillingMonth


def credit_notes_of(invoice: Invoice) -> QuerySet[Invoice]:
    """Return the credit notes that correct an invoice, in the order in which they were issued."""
    return Invoice.objects.filter(corrects=invoice).select_related("vendor").order_by("number")


def credited(invoice: Invoice) -> int:
    """Return how much of an invoice credit notes have given back so far: gross, minor units."""
    total: int | None = Invoice.objects.filter(corrects=invoice).aggregate(gross=Sum("gross"))[
        "gross"
    ]
    return int(total or 0)


def credited_by_rate(invoice: Invoice, *, before: Invoice | None = None) -> Mapping[TaxCode, int]:
    """Return the same for each tax code; with `before`, only by the notes before that one."""
    rows = TaxSummary.objects.filter(invoice__corrects=invoice)
    if before is not None:
        rows = rows.filter(invoice__number__lt=before.number)
    found = rows.values_list("tax_code").annotate(gross=Sum(F("net") + F("tax")))
    return Counter({TaxCode(code): int(gross) for code, gross in found})


@dataclass(frozen=True, slots=True)
class Left:
    """What credit notes have given back of an invoice, and what is left of it; gross."""

    notes: tuple[Invoice, ...]
    credited: int
    left: int


def left_of(invoice: Invoice) -> Left:
    """Return what is left of an invoice, in one statement."""
    notes = tuple(credit_notes_of(invoice))
    given = sum(note.gross for note in notes)
    return Left(notes, given, invoice.gross - given)


def original(invoice: Invoice, reader: Reader) -> Original:
    """Return an issued invoice as its credit notes see it."""
    lines = list(InvoiceLine.objects.filter(invoice=invoice).order_by("position"))
    taxes = TaxSummary.objects.filter(invoice=invoice).order_by("tax_code")
    return Original(
        month=BillingMonth.of_day(invoice.month),
        rounding=Rounding(invoice.tax_rounding),
        lines=stored_lines(
            (
                (
                    line.kind,
                    line.month.isoformat(),
                    line.name_ja,
                    line.name_en,
                    line.plan_version_id,
                    line.meter_id,
                    line.quantity,
                    line.net,
                    line.tax_code,
                    line.explanation,
                )
                for line in lines
            ),
            reader,
        ),
        taxes=stored_taxes((tax.tax_code, tax.rate, tax.net, tax.tax) for tax in taxes),
        order=next((order_of(line.explanation) for line in lines), ""),
    )

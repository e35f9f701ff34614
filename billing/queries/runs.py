"""How a month end stands. Rule: R12."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Q

from accounts.models import Organisation
from billing.enums import InvoiceKind, MonthOutcome
from billing.models import BilledMonth, Invoice, InvoiceDocument, MonthRun, ParkedOrganisation
from billing.queries import invoices
from billing.queries.invoices import Totals
from core.months import BillingMonth


@dataclass(frozen=True, slots=True)
class Status:
    """A month's run, if it has begun, and what it has done so far.

    `switched_off`: references of those whose automatic invoicing is off, billed for no month (R11).
    """

    month: BillingMonth
    run: MonthRun | None
    invoiced: int
    nothing: int
    totals: Sequence[Totals]
    parked: Sequence[ParkedOrganisation]
    switched_off: Sequence[str]
    documents: int


def status(month: BillingMonth) -> Status:
    """Return how the month end of `month` stands. Parked: what still waits for a person."""
    first_day = month.first_day
    counts = BilledMonth.objects.filter(month=first_day).aggregate(
        invoiced=Count("month", filter=Q(outcome=MonthOutcome.INVOICED)),
        nothing=Count("month", filter=Q(outcome=MonthOutcome.NOTHING)),
    )
    issued = Invoice.objects.filter(month=first_day, kind=InvoiceKind.MONTHLY)
    return Status(
        month=month,
        run=MonthRun.objects.filter(month=first_day).first(),
        invoiced=counts["invoiced"],
        nothing=counts["nothing"],
        totals=invoices.totals(issued),
        parked=list(
            ParkedOrganisation.objects.filter(month=first_day, released_at=None)
            .select_related("organisation")
            .order_by("organisation_id")
        ),
        switched_off=list(
            Organisation.objects.filter(auto_invoicing_off=True)
            .order_by("reference")
            .values_list("reference", flat=True)
        ),
        documents=InvoiceDocument.objects.filter(
            invoice__month=first_day, invoice__kind=InvoiceKind.MONTHLY
        ).count(),
    )

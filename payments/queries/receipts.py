"""What was received by one charge, as its receipt says it. Rule: japan.md (qualified invoice)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from operator import attrgetter

from django.db.models import QuerySet, Sum

from billing.enums import DocumentState, TaxCode
from billing.models import Invoice, TaxSummary
from core.enums import WorkState
from core.models import Work
from payments import jobs
from payments.enums import ChargeState, RefundState
from payments.gateways import registry
from payments.models import Charge, Payable, ReceiptDocument


@dataclass(frozen=True, slots=True)
class Tax:
    """What of a payment is of one rate; minor units."""

    code: TaxCode
    rate: Decimal
    net: int
    tax: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """A charge that took money, and for what. `invoice` comes with its vendor.

    `taxes` add up to the charge's amount; empty where a payment is of a part that no rate can be
    told of.
    """

    charge: Charge
    invoice: Invoice
    number: str
    decided_at: datetime
    taxes: tuple[Tax, ...]


def newest(payable: Payable) -> Receipt | None:
    """Return what was received last for a payable; None where nothing was, or Paid gives receipts."""
    charge = _taken().filter(payable=payable).order_by("-id").first()
    return _receipt(charge) if charge else None


def of_charge(charge_id: int) -> Receipt | None:
    """Return what a charge received, for printing."""
    charge = _taken().filter(pk=charge_id).first()
    return _receipt(charge) if charge else None


def given_back(charge: Charge) -> int:
    """Return how much of a charge was given back by now, in minor units."""
    succeeded = charge.refunds.filter(state=RefundState.SUCCEEDED)
    return int(succeeded.aggregate(total=Sum("amount"))["total"] or 0)


def document_of(charge: Charge) -> ReceiptDocument | None:
    """Return the archived PDF of a charge's receipt, if it has been made."""
    return ReceiptDocument.objects.filter(charge=charge).first()


def document_state(charge: Charge) -> DocumentState:
    """Return how far the PDF of a charge's receipt is, in two statements."""
    if ReceiptDocument.objects.filter(charge=charge).exists():
        return DocumentState.MADE
    asked = Work.objects.filter(kind=jobs.MAKE_RECEIPT.kind, key=str(charge.pk)).first()
    if asked is None or asked.state == WorkState.DONE:
        return DocumentState.ABSENT
    return DocumentState.STUCK if asked.state == WorkState.PARKED else DocumentState.WAITING


def _taken() -> QuerySet[Charge]:
    return Charge.objects.filter(state=ChargeState.SUCCEEDED).select_related(
        "method", "payable__invoice__vendor"
    )


def _receipt(charge: Charge) -> Receipt | None:
    invoice = charge.payable.invoice
    if invoice is None or charge.decided_at is None or _bills_itself(charge.gateway):
        return None
    before = Charge.objects.filter(
        payable=charge.payable, state=ChargeState.SUCCEEDED, pk__lt=charge.pk
    ).count()
    return Receipt(
        charge=charge,
        invoice=invoice,
        number=f"{charge.number}-R{before + 1}",
        decided_at=charge.decided_at,
        taxes=_taxes(charge, invoice),
    )


def _taxes(charge: Charge, invoice: Invoice) -> tuple[Tax, ...]:
    """Return the invoice's taxes less those of the credit notes that the charge already knew of.

    Those are the first ones up to where what is left is what was charged.
    """
    left = {
        each.tax_code: Tax(TaxCode(each.tax_code), each.rate, each.net, each.tax)
        for each in TaxSummary.objects.filter(invoice=invoice).order_by("-rate", "tax_code")
    }
    notes = TaxSummary.objects.filter(invoice__corrects=invoice).order_by("invoice__number")
    by_note = [list(rows) for _, rows in groupby(notes, key=attrgetter("invoice_id"))]
    while _sum(left.values()) != charge.amount:
        if not by_note:
            return ()
        for each in by_note.pop(0):
            of = left[each.tax_code]
            left[each.tax_code] = replace(of, net=of.net - each.net, tax=of.tax - each.tax)
    return tuple(each for each in left.values() if each.net or each.tax)


def _sum(taxes: Iterable[Tax]) -> int:
    return sum(each.net + each.tax for each in taxes)


def _bills_itself(gateway: str) -> bool:
    try:
        return registry.gateway(gateway).collects_by_invoice
    except registry.NoSuchGateway:
        return False


def company_of(charge: Charge) -> str:
    """Return a charge's payment company; of one that the settings do not name any more, its slug."""
    try:
        return registry.gateway(charge.gateway).name
    except registry.NoSuchGateway:
        return charge.gateway

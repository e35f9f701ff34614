"""What corrections are about, locked in its order; and what keeps them from being made. Rule: R5, R6."""

from datetime import datetime

from accounts import services as accounts
from billing.enums import InvoiceKind
from billing.models import Invoice
from billing.services.correct import NotCreditable
from payments.enums import LIVE
from payments.models import Correction, Payable
from payments.services import collecting
from payments.services.corrections.facts import ChargeUnderWay, NotTakenUp, ReasonMissing
from payments.services.refunds import rows as refund_rows


def check_nothing_live(payable: Payable) -> None:
    """Raise ChargeUnderWay where a charge of it is not decided. Rule: R6."""
    live = payable.charges.filter(state__in=sorted(LIVE)).first()
    if live is not None:
        raise ChargeUnderWay(live)


def said(reason: str) -> str:
    """Return a reason as it is kept, on one line. Raises ReasonMissing."""
    kept = " ".join(reason.split())[:255]
    if not kept:
        raise ReasonMissing
    return kept


def payable_of(invoice_id: int, now: datetime) -> int:
    """Return the payable of an invoice; one just issued is taken up first. Raises Invoice.DoesNotExist."""
    invoice = Invoice.objects.get(pk=invoice_id)
    if invoice.kind == InvoiceKind.CREDIT_NOTE:
        raise NotCreditable(invoice_id)
    found = Payable.objects.filter(invoice=invoice).values_list("pk", flat=True)
    while (payable_id := found.first()) is None:
        if invoice.kind not in collecting.SERIES:
            # That of a spot order is there with its invoice.
            raise NotTakenUp(invoice_id)
        if not collecting.take_up(now):
            raise NotTakenUp(invoice_id)
    return payable_id


def locked_payable(payable_id: int) -> Payable:
    """Return a payable, locked, its organisation before it."""
    organisation_id = Payable.objects.values_list("organisation_id", flat=True).get(pk=payable_id)
    accounts.lock(organisation_id)
    return refund_rows.locked_payable(payable_id)


def locked(correction_id: int) -> tuple[Correction, Payable]:
    """Return a correction and its payable, both locked, the organisation before them."""
    payable_id = Correction.objects.values_list("payable_id", flat=True).get(pk=correction_id)
    payable = locked_payable(payable_id)
    correction = Correction.objects.select_for_update(no_key=True, of=("self",)).get(
        pk=correction_id
    )
    correction.payable = payable
    return correction, payable

"""Credit notes: what an issued invoice billed, given back on a document of its own. Rule: B-11."""

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from accounts import services as accounts
from billing.enums import InvoiceKind
from billing.models import Invoice
from billing.queries import credits as queries
from billing.queries.stored import Reader
from billing.rules import credits as rules
from billing.rules.credits import MoreThanLeft, NotAnAmount, NothingLeft
from billing.services import single
from billing.services.single import Document
from core.money import Rounding
from core.months import BillingMonth
from plans import queries as plans

__all__ = [
    "ISSUED",
    "MoreThanLeft",
    "NotAnAmount",
    "NotCreditable",
    "NothingLeft",
    "OperationTaken",
    "ReasonMissing",
    "credit",
]

ISSUED = "credit_note.issued"


class NotCreditable(ValueError):
    """The document is itself a credit note, or an invoice of nothing."""


class ReasonMissing(ValueError):
    """A credit note says why."""


class OperationTaken(ValueError):
    """The operation has made a document already, and another one than is asked for now."""


@transaction.atomic
def credit(
    *,
    organisation_id: int,
    invoice_id: int,
    gross: int | None,
    reason: str,
    actor: str,
    operation: UUID,
    now: datetime,
) -> Invoice:
    """Issue a credit note of `gross` of an invoice, or of all that is left of it; its PDF follows.

    The note is dated today, names vendor and customer as they are now, and keeps the invoice's
    language, currency, month and rounding. The same operation again returns the same note.
    Raises Invoice.DoesNotExist, NotCreditable, ReasonMissing, NothingLeft, MoreThanLeft,
    NotAnAmount, OperationTaken, and has then changed nothing. Rule: B-11, japan.md (credit note).
    """
    reason = " ".join(reason.split())
    if not reason:
        raise ReasonMissing
    organisation = accounts.lock(organisation_id)
    corrected = Invoice.objects.select_related("vendor").get(
        pk=invoice_id, organisation=organisation
    )
    made = Invoice.objects.filter(operation=operation).first()
    if made is not None:
        return _same(made, corrected, gross, reason)
    if corrected.kind == InvoiceKind.CREDIT_NOTE or corrected.gross == 0:
        raise NotCreditable(corrected.pk)
    given_back = rules.credit(
        queries.original(corrected, Reader.fresh()),
        queries.credited_by_rate(corrected),
        gross=gross,
        reason=reason,
    )
    vendor = plans.vendor()
    today = now.astimezone(ZoneInfo(vendor.time_zone)).date()
    document = Document(
        kind=InvoiceKind.CREDIT_NOTE,
        organisation=organisation,
        vendor=vendor,
        month=BillingMonth.of_day(corrected.month),
        issued_on=today,
        due_on=today,
        language=corrected.language,
        currency=corrected.currency,
        rounding=Rounding(corrected.tax_rounding),
        lines=given_back.lines,
        taxes=given_back.taxes,
        operation=operation,
        corrects=corrected,
    )
    return single.issue(
        document,
        action=ISSUED,
        actor=actor,
        details={"corrects": corrected.pk, "reason": reason},
        now=now,
    )


def _same(made: Invoice, corrected: Invoice, gross: int | None, reason: str) -> Invoice:
    """Return the note that the operation made, if it is what is asked for now."""
    if made.corrects_id != corrected.pk:
        raise OperationTaken(made.pk)
    until_then = queries.credited_by_rate(corrected, before=made)
    wanted = corrected.gross - sum(until_then.values()) if gross is None else gross
    said = {line.explanation["reason"] for line in made.lines.all()}
    if wanted != made.gross or said != {reason}:
        raise OperationTaken(made.pk)
    return made

"""The PDF of an issued invoice: made once, off the issuing path, archived with its hash."""

import hashlib
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import Error, transaction
from django.db.models import Min

from billing import jobs
from billing.models import Invoice, InvoiceDocument
from billing.queries import invoices
from core.enums import WorkState
from core.models import Work

log = logging.getLogger(__name__)

BATCH = 20
_PLANNED_AT_ONCE = 1000
# The month end asks for its own documents; the planner looks for what was lost.
_LOST_AFTER = timedelta(minutes=5)


def make_document(*, invoice_id: int, now: datetime) -> InvoiceDocument:
    """Make an invoice's PDF and archive it with its SHA-256, or return the one made before.

    Rendering holds no transaction. Of two makers at once, one stores and both return the same.
    Raises Invoice.DoesNotExist, ForbiddenUrl, GlyphsMissing. Rule: B-11.
    """
    made = InvoiceDocument.objects.filter(pk=invoice_id).first()
    if made:
        return made
    # WeasyPrint costs a second and many megabytes: only what renders loads it, never a web process.
    from billing.documents import render

    pdf = render.pdf(invoices.sheet(invoice_id))
    with transaction.atomic(durable=True):
        document, _ = InvoiceDocument.objects.get_or_create(
            invoice_id=invoice_id,
            defaults={"pdf": pdf, "sha256": hashlib.sha256(pdf).digest(), "made_at": now},
        )
    return document


def make_documents(*, invoice_ids: Sequence[int], now: datetime) -> None:
    """Make the PDFs of these invoices; one that fails is asked for alone, and the others go on.

    Alone, its failure is raised, so that the work is parked with its reason. Rule: R12.
    """
    if len(invoice_ids) == 1:
        make_document(invoice_id=invoice_ids[0], now=now)
        return
    for invoice_id in invoice_ids:
        try:
            make_document(invoice_id=invoice_id, now=now)
        except Error:
            raise
        except Exception:
            log.exception("document not made", extra={"invoice": invoice_id})
            with transaction.atomic():
                ask_alone(invoice_id=invoice_id, due_at=now)


@transaction.atomic
def ask_first(*, invoice_id: int, now: datetime) -> None:
    """Ask for an invoice's PDF ahead of all that waits: somebody wants to see it."""
    oldest = Work.objects.filter(
        kind=jobs.MAKE_DOCUMENTS.kind, state=WorkState.DUE, due_at__lt=now
    ).aggregate(at=Min("due_at"))["at"]
    ask_alone(invoice_id=invoice_id, due_at=(oldest or now) - timedelta(seconds=1))


@transaction.atomic
def ask_for_missing(*, now: datetime) -> int:
    """Ask for the documents that nobody has made or asked for; return for how many. Rule: R1.

    While documents are being worked through, what waits is theirs and nothing is asked for.
    """
    if Work.objects.filter(kind=jobs.MAKE_DOCUMENTS.kind, state=WorkState.DUE).exists():
        return 0
    parked = {
        int(key.removeprefix(jobs.ALONE))
        for key in Work.objects.filter(
            kind=jobs.MAKE_DOCUMENTS.kind, state=WorkState.PARKED, key__startswith=jobs.ALONE
        ).values_list("key", flat=True)
    }
    ids = list(
        Invoice.objects.filter(document=None, issued_at__lt=now - _LOST_AFTER)
        .exclude(pk__in=parked)
        .order_by("pk")
        .values_list("pk", flat=True)[:_PLANNED_AT_ONCE]
    )
    for first in range(0, len(ids), BATCH):
        batch = ids[first : first + BATCH]
        jobs.MAKE_DOCUMENTS.enqueue(
            key=f"missing:{batch[0]}", due_at=now, payload={"invoice_ids": [*batch]}
        )
    return len(ids)


def ask_alone(*, invoice_id: int, due_at: datetime) -> None:
    """Ask for one invoice's PDF, in the caller's transaction."""
    jobs.MAKE_DOCUMENTS.enqueue(
        key=f"{jobs.ALONE}{invoice_id}", due_at=due_at, payload={"invoice_ids": [invoice_id]}
    )

"""The PDF of a cancellation's receipt: made once, archived with its hash, never remade. Rule: S1-29."""

import hashlib
from datetime import datetime, timedelta

from django.db import transaction

from cancellation import jobs
from cancellation.models import Cancellation, ReceiptDocument
from cancellation.queries import receipts as queries
from core import work


def make_document(*, cancellation_id: int, now: datetime) -> ReceiptDocument:
    """Make the PDF of a receipt and archive it, or return the one made before.

    Rendering holds no transaction. Of two makers at once, one stores and both return the same.
    Raises ForbiddenUrl, GlyphsMissing.
    """
    made = ReceiptDocument.objects.filter(pk=cancellation_id).first()
    if made:
        return made
    receipt = queries.of_cancellation(cancellation_id)
    # Only what renders loads WeasyPrint, never a web process.
    from cancellation.documents import render

    pdf = render.pdf(receipt)
    with transaction.atomic(durable=True):
        document, _ = ReceiptDocument.objects.get_or_create(
            cancellation_id=cancellation_id,
            defaults={
                "number": receipt.number,
                "pdf": pdf,
                "sha256": hashlib.sha256(pdf).digest(),
                "made_at": now,
            },
        )
    return document


@transaction.atomic
def ask(cancellation: Cancellation, now: datetime) -> None:
    """Ask for the PDF ahead of all that waits: somebody wants to see it."""
    oldest = work.oldest_due_at(work.PDF_QUEUE, now) or now
    jobs.MAKE_RECEIPT.enqueue(
        key=str(cancellation.pk),
        due_at=oldest - timedelta(seconds=1),
        payload={"cancellation_id": cancellation.pk},
        organisation_id=cancellation.organisation_id,
    )

"""The PDF of a receipt: made once somebody asks for it, archived with its hash, never remade."""

import hashlib
from datetime import datetime, timedelta

from django.db import transaction

from core import work
from payments import jobs
from payments.models import ReceiptDocument
from payments.queries import receipts as queries


class NoReceipt(LookupError):
    """No receipt is given for this charge: it took nothing, or the provider gives its own."""


def make_document(*, charge_id: int, now: datetime) -> ReceiptDocument:
    """Make the PDF of a charge's receipt and archive it, or return the one made before.

    Rendering holds no transaction. Of two makers at once, one stores and both return the same.
    Raises NoReceipt, ForbiddenUrl, GlyphsMissing.
    """
    made = ReceiptDocument.objects.filter(pk=charge_id).first()
    if made:
        return made
    receipt = queries.of_charge(charge_id)
    if receipt is None:
        raise NoReceipt(charge_id)
    # Only what renders loads WeasyPrint, never a web process.
    from payments.documents import render

    pdf = render.pdf(receipt)
    with transaction.atomic(durable=True):
        document, _ = ReceiptDocument.objects.get_or_create(
            charge_id=charge_id,
            defaults={
                "number": receipt.number,
                "pdf": pdf,
                "sha256": hashlib.sha256(pdf).digest(),
                "made_at": now,
            },
        )
    return document


@transaction.atomic
def ask(*, charge_id: int, organisation_id: int, now: datetime) -> None:
    """Ask for the PDF of a charge's receipt ahead of all that waits: somebody wants to see it."""
    oldest = work.oldest_due_at(work.PDF_QUEUE, now) or now
    jobs.MAKE_RECEIPT.enqueue(
        key=str(charge_id),
        due_at=oldest - timedelta(seconds=1),
        payload={"charge_id": charge_id},
        organisation_id=organisation_id,
    )

"""Lays a receipt out and writes it as PDF/A-3, as invoices are."""

from django.template.loader import render_to_string

from billing.documents import render
from payments.documents.receipts import content_of
from payments.queries.receipts import Receipt


def html(receipt: Receipt) -> str:
    """Return the document as HTML, one template a language."""
    return render_to_string(
        f"documents/receipt.{receipt.invoice.language}.html", {"document": content_of(receipt)}
    )


def pdf(receipt: Receipt) -> bytes:
    """Return a receipt as PDF; the same bytes whenever it is made by the same release.

    Raises ForbiddenUrl, GlyphsMissing.
    """
    return render.pdf_of(html(receipt), identifier=receipt.charge.public_id.bytes)

"""Lays a receipt of a cancellation out and writes it as PDF/A-3, as invoices are."""

from django.template.loader import render_to_string

from billing.documents import render
from cancellation.documents.receipts import content_of
from cancellation.queries.receipts import Receipt


def html(receipt: Receipt) -> str:
    """Return the document as HTML, one template a language."""
    content = content_of(receipt)
    return render_to_string(
        f"documents/cancellation.{content.language}.html", {"document": content}
    )


def pdf(receipt: Receipt) -> bytes:
    """Return a receipt as PDF; the same bytes whenever it is made by the same release.

    Raises ForbiddenUrl, GlyphsMissing.
    """
    return render.pdf_of(html(receipt), identifier=receipt.cancellation.public_id.bytes)

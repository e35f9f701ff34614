"""Lays an invoice out and writes it as PDF/A-3. Fetches nothing, and says the same thing twice alike."""

from typing import Any

from django.template.loader import render_to_string
from weasyprint import HTML
from weasyprint.urls import FatalURLFetchingError, URLFetcher

from billing.documents.content import Content, content_of
from billing.queries.invoices import Sheet

FONTS = frozenset({"BIZ UDPGothic", "VL PGothic", "Hiragino Sans", "Noto Sans CJK JP"})


class ForbiddenUrl(FatalURLFetchingError):  # type: ignore[misc]  # WeasyPrint ships no types
    """The document named something to load. Invoices hold text alone."""


class GlyphsMissing(RuntimeError):
    """No installed font can write the document; printed, it would show boxes for letters."""


class _NoFetcher(URLFetcher):  # type: ignore[misc]  # WeasyPrint ships no types
    def fetch(self, url: str, headers: Any = None) -> Any:
        raise ForbiddenUrl(url)


def html(sheet: Sheet) -> str:
    """Return the document as HTML."""
    return html_of(content_of(sheet))


def html_of(content: Content) -> str:
    """Return a document with lines as HTML: an invoice, a credit note or a quotation."""
    return render_to_string("documents/lines.html", {"document": content})


def pdf(sheet: Sheet) -> bytes:
    """Return an invoice as PDF; the same bytes whenever it is made by the same release.

    Raises ForbiddenUrl, GlyphsMissing. Rule: japan.md (qualified invoice), F74.
    """
    return pdf_of(html(sheet), identifier=sheet.invoice.public_id.bytes)


def pdf_of(source: str, *, identifier: bytes) -> bytes:
    """Return HTML as PDF/A-3b with its fonts embedded. Raises ForbiddenUrl, GlyphsMissing."""
    document = HTML(string=source, url_fetcher=_NoFetcher())
    written: bytes = document.write_pdf(
        finisher=_check_fonts, pdf_variant="pdf/a-3b", pdf_identifier=identifier
    )
    return written


def _check_fonts(document: Any, _: Any) -> None:
    for font in document.fonts.values():
        if font.missing:
            letters = " ".join(f"U+{codepoint:04X}" for codepoint in sorted(font.missing))
            raise GlyphsMissing(f"no font writes {letters}; install fonts (docs/operations.md)")

"""The receipt of a payment, as a page to print and as a PDF. Paid issues none, nor do we for it."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import PortalRequest
from accounts.enums import Language
from billing.enums import DocumentState
from core import clock, words
from payments.documents import receipts as content
from payments.documents.words import WORDS
from payments.queries import payables
from payments.queries import receipts as queries
from payments.queries.receipts import Receipt
from payments.services import receipts

# A PDF is data that somebody else may have put words into: it runs nothing, wherever it is opened.
_SANDBOX = "default-src 'none'; sandbox"


@require_http_methods(["GET", "HEAD", "POST"])
def receipt(request: PortalRequest, invoice: UUID) -> HttpResponse:
    """Show the receipt of an invoice's payment, to be printed; by POST, ask for it as a PDF."""
    found = _found(request, invoice)
    state = queries.document_state(found.charge)
    if request.method == "POST":
        if state in {DocumentState.ABSENT, DocumentState.WAITING}:
            receipts.ask(
                charge_id=found.charge.pk,
                organisation_id=request.organisation.pk,
                now=clock.now(),
            )
        return redirect("receipt", request.organisation.public_id, invoice)
    language = Language.JA if words.current().is_japanese else Language.EN
    context = {
        "organisation": request.organisation,
        "invoice": found.invoice,
        "charge": found.charge,
        "document": content.content_of(found, language),
        "given_back": queries.given_back(found.charge),
        "state": state,
    }
    is_part = request.headers.get("HX-Request")
    template = "payments/_receipt_document.html" if is_part else "payments/receipt.html"
    response = render(request, template, context)
    response["Vary"] = "HX-Request"
    return response


@require_safe
def receipt_pdf(request: PortalRequest, invoice: UUID) -> HttpResponse:
    """Hand out the archived PDF; where it is not made yet, lead to the page that says so."""
    found = _found(request, invoice)
    document = queries.document_of(found.charge)
    if document is None:
        return redirect("receipt", request.organisation.public_id, invoice)
    name = f"{WORDS[Language(found.invoice.language)].title}_{document.number}.pdf"
    response = HttpResponse(bytes(document.pdf), content_type="application/pdf")
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response["Content-Security-Policy"] = _SANDBOX
    return response


def _found(request: PortalRequest, invoice: UUID) -> Receipt:
    payable = payables.of_public_id(request.organisation, invoice)
    found = queries.newest(payable) if payable else None
    if found is None:
        raise Http404
    return found

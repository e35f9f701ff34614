"""The receipt of a cancellation: what was confirmed and how it stands, as a page and as a PDF."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.access import PortalRequest
from accounts.enums import Language
from billing.enums import DocumentState
from cancellation.documents import receipts as content
from cancellation.documents.words import WORDS
from cancellation.models import Cancellation
from cancellation.queries import receipts as queries
from cancellation.queries import standing
from cancellation.services import receipts
from cancellation.views import told
from core import clock, words
from core.months import last_day
from plans import queries as plans

# A PDF is data that somebody else may have put words into: it runs nothing, wherever it is opened.
_SANDBOX = "default-src 'none'; sandbox"


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def receipt(request: PortalRequest, cancellation: UUID) -> HttpResponse:
    """Show what was confirmed, when, by whom, and how it stands; by POST, ask for it as a PDF."""
    found = _found(request, cancellation)
    state = queries.document_state(found)
    if request.method == "POST":
        if state in {DocumentState.ABSENT, DocumentState.WAITING}:
            receipts.ask(found, clock.now())
        return redirect("cancellation_receipt", request.organisation.public_id, cancellation)
    language = Language.JA if words.current().is_japanese else Language.EN
    context = {
        "organisation": request.organisation,
        "cancellation": found,
        "document": content.content_of(queries.of_cancellation(found.pk), language),
        "last_on": last_day(found.end_on),
        "text": told.text(found.terms),
        "zone": plans.zone_for_pages().key,
        "can_be_withdrawn": standing.can_be_withdrawn(found, clock.now()),
        "changes": told.changes(found),
        "state": state,
    }
    template = "_receipt_document.html" if request.htmx else "receipt.html"
    return render(request, f"cancellation/{template}", context)


@require_safe
def receipt_pdf(request: PortalRequest, cancellation: UUID) -> HttpResponse:
    """Hand out the archived PDF; where it is not made yet, lead to the page that says so."""
    found = _found(request, cancellation)
    document = queries.document_of(found)
    if document is None:
        return redirect("cancellation_receipt", request.organisation.public_id, cancellation)
    name = f"{WORDS[Language(request.organisation.language)].title}_{document.number}.pdf"
    response = HttpResponse(bytes(document.pdf), content_type="application/pdf")
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response["Content-Security-Policy"] = _SANDBOX
    return response


def _found(request: PortalRequest, cancellation: UUID) -> Cancellation:
    found = standing.history_of(request.organisation).filter(public_id=cancellation).first()
    if found is None:
        raise Http404
    return found

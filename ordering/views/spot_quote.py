"""The quotation of a spot order, as a PDF, before it is placed. Rule: S2-22."""

from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import PortalRequest
from accounts.enums import Language
from billing.documents import quotes
from billing.documents.quotes import Quote
from core import clock, words
from ordering import forms
from ordering.queries import positions
from ordering.queries import spots as queries
from plans import queries as plans
from plans.rules.timeline import Refusal

# A PDF is data that somebody else may have put words into: it runs nothing, wherever it is opened.
_SANDBOX = "default-src 'none'; sandbox"


@never_cache
@require_safe
def quote(request: PortalRequest) -> HttpResponse:
    """Hand out the quotation of the settings in the address; what cannot be ordered is told there."""
    found = _quoted(request)
    if found is None:
        here = reverse("order_spot", kwargs={"organisation": request.organisation.public_id})
        return redirect(f"{here}?{urlencode(request.GET.dict())}")
    language = Language.JA if words.current().is_japanese else Language.EN
    response = HttpResponse(quotes.render_quote(found, language), content_type="application/pdf")
    name = content_disposition_header(True, quotes.file_name(found, language))
    response["Content-Disposition"] = name or "attachment"
    response["Content-Security-Policy"] = _SANDBOX
    return response


def _quoted(request: PortalRequest) -> Quote | None:
    now = clock.now()
    position = positions.position(request.organisation, now=now)
    try:
        form = forms.SpotSettings(request.GET, position=position, window=queries.window(position))
        if not form.is_valid():
            return None
        priced = queries.priced(position, form.wish())
    except Refusal:
        return None
    return quotes.quote(
        priced.offer,
        priced.totals,
        organisation=request.organisation,
        vendor=plans.vendor(),
        now=now,
    )

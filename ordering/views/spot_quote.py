"""The quotation of a spot order, as a PDF, before it is placed. Rule: S2-22."""

import logging
from datetime import datetime
from typing import cast
from urllib.parse import urlencode

from django.contrib import messages
from django.core.cache import caches
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import PortalRequest
from accounts.enums import Language
from billing.documents import quotes
from billing.documents.quotes import Quote
from core import clock, words
from core.cache import RedisOrLocalCache
from ordering import forms
from ordering.queries import positions
from ordering.queries import spots as queries
from plans import queries as plans
from plans.rules.timeline import Refusal

log = logging.getLogger(__name__)

# A PDF is data that somebody else may have put words into: it runs nothing, wherever it is opened.
_SANDBOX = "default-src 'none'; sandbox"
# Each takes about a second of a web process, which serves everybody.
MOST_A_MINUTE = 10


@never_cache
@require_safe
def quote(request: PortalRequest) -> HttpResponse:
    """Hand out the quotation of the settings in the address; what no contract carries is told there.

    One may be had before there is a way to pay: it is what a payment is asked for with, in house.
    """
    now = clock.now()
    found = _quoted(request, now)
    if found is None:
        return redirect(_settings(request))
    seconds = _seconds_to_wait(request, now)
    if seconds:
        return _later(request, seconds)
    language = Language.JA if words.current().is_japanese else Language.EN
    try:
        written = quotes.render_quote(found, language)
    except quotes.NotWritable as fault:
        log.warning("a quotation is not written: %s", fault)
        messages.error(
            request,
            _(
                "The quotation could not be written: your billing name or address has letters that our"
                " documents cannot show. Ask Support."
            ),
        )
        return redirect(_settings(request))
    response = HttpResponse(written, content_type="application/pdf")
    name = content_disposition_header(True, quotes.file_name(found, language))
    response["Content-Disposition"] = name or "attachment"
    response["Content-Security-Policy"] = _SANDBOX
    return response


def _settings(request: PortalRequest) -> str:
    """Return the address of the settings that are quoted."""
    here = reverse("order_spot", kwargs={"organisation": request.organisation.public_id})
    return f"{here}?{urlencode(request.GET.dict())}"


def _seconds_to_wait(request: PortalRequest, now: datetime) -> int:
    """Count a quotation of a reader; return how long to wait for the next one if there were too many."""
    minute, second = divmod(int(now.timestamp()), 60)
    shared = cast("RedisOrLocalCache", caches["default"])
    count = shared.count(f"quotations:{request.user.pk}:{minute}", 120)
    return 60 - second if count > MOST_A_MINUTE else 0


def _later(request: PortalRequest, seconds: int) -> HttpResponse:
    context = {
        "reason": _(
            "You asked for more than %(most)s quotations within a minute. Wait a minute, and ask again."
        )
        % {"most": MOST_A_MINUTE},
        "href": _settings(request),
        "label": _("Settings"),
    }
    response = render(request, "400.html", context, status=429)
    response["Retry-After"] = str(seconds)
    return response


def _quoted(request: PortalRequest, now: datetime) -> Quote | None:
    position = positions.position(request.organisation, now=now)
    try:
        form = forms.SpotSettings(request.GET, position=position, window=queries.quotable(position))
        if not form.is_valid():
            return None
        priced = queries.quoted(position, form.wish())
    except Refusal:
        return None
    return quotes.quote(
        priced.offer,
        priced.totals,
        organisation=request.organisation,
        vendor=plans.vendor(),
        now=now,
    )

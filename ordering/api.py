"""The vendor's product asks what an organisation may use, and how to ask: docs/api.md."""

from functools import cache
from pathlib import Path

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response

from accounts import api as accounts
from accounts.api import Refusal, answers_refusals
from core import clock
from ordering.queries import entitlements as told
from plans import queries as plans

# A proxy or a browser may keep an answer for nobody else, and asks again before it is shown.
_CACHED = "private, max-age=0, must-revalidate"


@answers_refusals
def entitlements(request: HttpRequest, reference: str) -> HttpResponse:
    """Answer what an organisation may use now; 304 where the asker knows it. Rule: S1-25."""
    if request.method not in {"GET", "HEAD"}:
        raise Refusal(405, "method", "Ask with GET.", {"Allow": "GET, HEAD"})
    now = clock.now()
    try:
        key = accounts.key_of(request)
        accounts.count(
            key,
            "entitlements",
            limit=settings.ENTITLEMENTS_REQUESTS_PER_MINUTE,
            advice="Keep an answer for some seconds, and listen to entitlements.changed.",
            now=now,
        )
        found = told.entitlements(reference, organisation_id=key.organisation_id, now=now)
    except plans.NoVendor as error:
        raise Refusal(503, "not_ready", "The portal has no catalogue yet.") from error
    except (OperationalError, InterfaceError) as error:
        reason = "The database is busy. Ask again."
        raise Refusal(503, "busy", reason, {"Retry-After": "5"}) from error
    if found is None:
        raise Refusal(404, "organisation_unknown", "This key knows no such organisation.")
    headers = {"ETag": found.etag, "Cache-Control": _CACHED, "Vary": "Authorization"}
    answer = HttpResponse(found.body, content_type="application/json", headers=headers)
    return get_conditional_response(request, etag=found.etag, response=answer) or answer


@answers_refusals
def openapi(request: HttpRequest) -> HttpResponse:
    """Answer with the description of the whole API, for programs: OpenAPI 3.1."""
    if request.method not in {"GET", "HEAD"}:
        raise Refusal(405, "method", "Ask with GET.", {"Allow": "GET, HEAD"})
    return HttpResponse(_description(), content_type="application/json")


@cache
def _description() -> bytes:
    return Path(__file__).with_name("openapi.json").read_bytes()

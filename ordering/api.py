"""The vendor's product asks what an organisation may use, and how to ask: docs/api.md."""

from collections.abc import Callable
from datetime import datetime
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
from ordering.queries import members
from ordering.queries.entitlements import Entitlements
from plans import queries as plans

# A proxy or a browser may keep an answer for nobody else, and asks again before it is shown.
_CACHED = "private, max-age=0, must-revalidate"


@answers_refusals
def entitlements(request: HttpRequest, reference: str) -> HttpResponse:
    """Answer what an organisation may use now; 304 where the asker knows it. Rule: S1-25."""
    advice = "Keep an answer for some seconds, and listen to entitlements.changed."

    def told_to(organisation_id: int | None, now: datetime) -> Entitlements:
        found = told.entitlements(reference, organisation_id=organisation_id, now=now)
        if found is None:
            raise members.NoOrganisation
        return found

    return _answer(request, "entitlements", advice, told_to)


@answers_refusals
def account(request: HttpRequest, reference: str, email: str) -> HttpResponse:
    """Answer whether an account may use the product now; 304 where the asker knows it. Rule: S2-20."""
    advice = "Keep an answer for some seconds."

    def told_to(organisation_id: int | None, now: datetime) -> Entitlements:
        return members.account(reference, email, organisation_id=organisation_id, now=now)

    return _answer(request, "account", advice, told_to)


def _answer(
    request: HttpRequest,
    what: str,
    advice: str,
    told_to: Callable[[int | None, datetime], Entitlements],
) -> HttpResponse:
    """Answer a question about what may be used to whom a key speaks for; refuse what is not to be told."""
    if request.method not in {"GET", "HEAD"}:
        raise Refusal(405, "method", "Ask with GET.", {"Allow": "GET, HEAD"})
    now = clock.now()
    try:
        key = accounts.key_of(request)
        limit = settings.ENTITLEMENTS_REQUESTS_PER_MINUTE
        accounts.count(key, what, limit=limit, advice=advice, now=now)
        found = told_to(key.organisation_id, now)
    except members.NoOrganisation as error:
        reason = "This key knows no such organisation."
        raise Refusal(404, "organisation_unknown", reason) from error
    except members.NoAccount as error:
        raise Refusal(404, "account_unknown", "The organisation has no such account.") from error
    except plans.NoVendor as error:
        raise Refusal(503, "not_ready", "The portal has no catalogue yet.") from error
    except (OperationalError, InterfaceError) as error:
        reason = "The database is busy. Ask again."
        raise Refusal(503, "busy", reason, {"Retry-After": "5"}) from error
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

import logging
import secrets
from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.views.decorators.http import require_safe

from core import clock, work

log = logging.getLogger(__name__)

LATE = timedelta(minutes=15)


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 while nothing due has waited for long, 503 otherwise. Rule: R12."""
    now = clock.now()
    oldest = work.oldest_due_at(now)
    late = oldest is not None and now - oldest > LATE
    body = {"ok": not late, "oldest_due_at": oldest, "release": settings.RELEASE}
    return JsonResponse(body, status=503 if late else 200)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500 without a further query, with a reference that the log has too. Rule: ASVS 16.5.1."""
    reference = secrets.token_hex(4)
    log.error("answered 500", extra={"reference": reference, "path": request.path})
    return HttpResponse(loader.render_to_string("500.html", {"reference": reference}), status=500)

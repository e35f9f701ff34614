import logging
import secrets
from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.views.decorators.http import require_safe

from core import clock, work

log = logging.getLogger(__name__)

# For how long work of a queue may wait. Documents may take the night: an invoice is complete without.
LATE = {
    work.DEFAULT_QUEUE: timedelta(minutes=15),
    work.PDF_QUEUE: timedelta(hours=12),
    work.GATEWAY_QUEUE: timedelta(hours=1),
}
# Without the planner nothing becomes due, and nothing would ever be late.
TICK_LATE = timedelta(minutes=15)


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 while due work is taken up and looked for in time, 503 otherwise. Rule: R12."""
    now = clock.now()
    oldest = {queue: work.oldest_due_at(queue, now) for queue in work.QUEUES}
    ticked = work.last_beat(work.TICK)
    is_well = (
        ticked is not None
        and now - ticked <= TICK_LATE
        and all(at is None or now - at <= LATE[queue] for queue, at in oldest.items())
    )
    body = {
        "ok": is_well,
        "oldest_due_at": oldest,
        "last_tick_at": ticked,
        "release": settings.RELEASE,
    }
    return JsonResponse(body, status=200 if is_well else 503)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500 without a further query, with a reference that the log has too. Rule: ASVS 16.5.1."""
    reference = secrets.token_hex(4)
    log.error("answered 500", extra={"reference": reference, "path": request.path})
    return HttpResponse(loader.render_to_string("500.html", {"reference": reference}), status=500)

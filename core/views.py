from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from core import clock, work

LATE = timedelta(minutes=15)


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 while nothing due has waited for long, 503 otherwise. Rule: R12."""
    now = clock.now()
    oldest = work.oldest_due_at(now)
    late = oldest is not None and now - oldest > LATE
    body = {"ok": not late, "oldest_due_at": oldest, "release": settings.RELEASE}
    return JsonResponse(body, status=503 if late else 200)

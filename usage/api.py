"""The vendor's product sends usage: docs/api.md."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from django.conf import settings
from django.core.cache import cache
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, JsonResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from accounts import queries as accounts
from accounts.models import ApiKey
from core import clock
from plans import queries as plans
from usage.forms import bodies
from usage.rules import Refused
from usage.services import batches, ingest
from usage.services.staging import Window

ROWS_LISTED = 1_000
_LINES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
_GZIP = 16 + zlib.MAX_WBITS


class _Refusal(Exception):
    """The request is refused as a whole, and nothing of it was stored."""

    def __init__(
        self, status: int, code: str, reason: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(reason)
        self.status, self.code, self.reason, self.headers = status, code, reason, headers or {}


@csrf_exempt
def events(request: HttpRequest) -> JsonResponse:
    """Take a batch of events; answer what became of each. Rule: B-05, B-15."""
    now = clock.now()
    try:
        return _events(request, now)
    except _Refusal as refusal:
        body = {"error": {"code": refusal.code, "reason": refusal.reason}}
        return JsonResponse(body, status=refusal.status, headers=dict(refusal.headers))


def _events(request: HttpRequest, now: datetime) -> JsonResponse:
    if request.method != "POST":
        raise _Refusal(405, "method", "Send events with POST.", {"Allow": "POST"})
    key = _key(request)
    _count(key, now)
    lines = _is_lines(request)
    body = _body(request)
    try:
        parsed = bodies.events(body, lines=lines)
        window = Window(latest=now + settings.USAGE_AHEAD, oldest=now - settings.USAGE_OLDEST)
        report = ingest.ingest(
            parsed.batch, now=now, window=window, organisation_id=key.organisation_id
        )
    except (bodies.NotJson, batches.TooManyEvents) as error:
        raise _Refusal(400, "body", str(error)) from error
    except plans.NoVendor as error:
        raise _Refusal(503, "not_ready", "The portal has no catalogue yet.") from error
    except (OperationalError, InterfaceError) as error:
        reason = "The database is busy. Nothing was stored: send the same events again."
        raise _Refusal(503, "busy", reason, {"Retry-After": "5"}) from error
    rejected = sorted([*parsed.refused, *report.rejected])
    return JsonResponse(
        {
            "accepted": report.accepted,
            "duplicates": report.duplicates,
            "conflicts": _listed(report.conflicts),
            "rejected": _listed(rejected),
        }
    )


def _listed(refused: Sequence[Refused]) -> dict[str, object]:
    return {"count": len(refused), "rows": [asdict(one) for one in refused[:ROWS_LISTED]]}


def _key(request: HttpRequest) -> ApiKey:
    kind, _, presented = request.headers.get("Authorization", "").partition(" ")
    # A NUL can be asked of no database; such a key is as wrong as any other.
    is_text = presented.isascii() and presented.isprintable()
    key = accounts.api_key(presented.strip()) if kind.lower() == "bearer" and is_text else None
    if key is None:
        reason = "Send a valid key: Authorization: Bearer PREFIX.SECRET"
        raise _Refusal(401, "key", reason, {"WWW-Authenticate": "Bearer"})
    return key


def _count(key: ApiKey, now: datetime) -> None:
    """Refuse what is over the key's limit of requests a minute."""
    minute, second = divmod(int(now.timestamp()), 60)
    counter = f"usage-requests:{key.pk}:{minute}"
    cache.add(counter, 0, 120)
    try:
        requests = cache.incr(counter)
    except ValueError:  # forgotten since the line before
        return
    if requests > settings.USAGE_REQUESTS_PER_MINUTE:
        reason = (
            f"This key sent more than {settings.USAGE_REQUESTS_PER_MINUTE} requests in a minute."
            " Send more events in each."
        )
        raise _Refusal(429, "too_many_requests", reason, {"Retry-After": str(60 - second)})


def _is_lines(request: HttpRequest) -> bool:
    kind = (request.content_type or "").lower()
    if kind not in _LINES and kind != "application/json":
        reason = "Send application/json (an array) or application/x-ndjson (an event a line)."
        raise _Refusal(415, "content_type", reason)
    return kind in _LINES


def _body(request: HttpRequest) -> bytes:
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    if encoding not in {"identity", "gzip"}:
        raise _Refusal(415, "content_encoding", "Send the body plain or with gzip.")
    limit = settings.USAGE_BODY_LIMIT
    declared = request.META.get("CONTENT_LENGTH") or "0"
    if not declared.isdecimal():
        raise _Refusal(400, "content_length", "Content-Length is no number.")
    if int(declared) > limit:
        raise _too_large()
    try:
        body = request.read(limit + 1)
    except (UnreadablePostError, OSError) as error:
        raise _Refusal(400, "body", "The body broke off.") from error
    if encoding == "gzip":
        body = _unzipped(body, limit)
    if len(body) > limit:
        raise _too_large()
    if not body.strip():
        raise _Refusal(400, "body", "The body is empty.")
    return body


def _unzipped(body: bytes, limit: int) -> bytes:
    """Return a gzip body's content, at most one byte more than `limit` of it."""
    reader = zlib.decompressobj(_GZIP)
    try:
        content = reader.decompress(body, limit + 1)
    except zlib.error as error:
        raise _Refusal(400, "body", "The body is not gzip.") from error
    if len(content) <= limit and (not reader.eof or reader.unused_data):
        raise _Refusal(400, "body", "The gzip body is not whole.")
    return content


def _too_large() -> _Refusal:
    limit = settings.USAGE_BODY_LIMIT
    return _Refusal(
        413,
        "too_large",
        f"The body is larger than {limit} bytes (unpacked). Send the events in several requests.",
    )

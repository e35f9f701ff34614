"""The vendor's product sends usage: docs/api.md."""

import zlib
from collections.abc import Sequence
from dataclasses import asdict

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from accounts import api as accounts
from accounts.api import Refusal, answers_refusals
from core import clock
from plans import queries as plans
from usage.forms import bodies
from usage.rules import Refused
from usage.services import batches, ingest
from usage.services.staging import Window

ROWS_LISTED = 1_000
_LINES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
_GZIP = 16 + zlib.MAX_WBITS


@csrf_exempt
@answers_refusals
def events(request: HttpRequest) -> HttpResponse:
    """Take a batch of events; answer what became of each. Rule: B-05, B-15."""
    now = clock.now()
    if request.method != "POST":
        raise Refusal(405, "method", "Send events with POST.", {"Allow": "POST"})
    key = accounts.key_of(request)
    accounts.count(
        key,
        "usage",
        limit=settings.USAGE_REQUESTS_PER_MINUTE,
        advice="Send more events in each.",
        now=now,
    )
    lines = _is_lines(request)
    body = _body(request)
    try:
        parsed = bodies.events(body, lines=lines)
        window = Window(latest=now + settings.USAGE_AHEAD, oldest=now - settings.USAGE_OLDEST)
        report = ingest.ingest(
            parsed.batch, now=now, window=window, organisation_id=key.organisation_id
        )
    except (bodies.NotJson, batches.TooManyEvents) as error:
        raise Refusal(400, "body", str(error)) from error
    except plans.NoVendor as error:
        raise Refusal(503, "not_ready", "The portal has no catalogue yet.") from error
    except (OperationalError, InterfaceError) as error:
        reason = "The database is busy. Nothing was stored: send the same events again."
        raise Refusal(503, "busy", reason, {"Retry-After": "5"}) from error
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


def _is_lines(request: HttpRequest) -> bool:
    kind = (request.content_type or "").lower()
    if kind not in _LINES and kind != "application/json":
        reason = "Send application/json (an array) or application/x-ndjson (an event a line)."
        raise Refusal(415, "content_type", reason)
    return kind in _LINES


def _body(request: HttpRequest) -> bytes:
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    if encoding not in {"identity", "gzip"}:
        raise Refusal(415, "content_encoding", "Send the body plain or with gzip.")
    limit = settings.USAGE_BODY_LIMIT
    declared = request.META.get("CONTENT_LENGTH") or "0"
    if not declared.isdecimal():
        raise Refusal(400, "content_length", "Content-Length is no number.")
    if int(declared) > limit:
        raise _too_large()
    try:
        body = request.read(limit + 1)
    except (UnreadablePostError, OSError) as error:
        raise Refusal(400, "body", "The body broke off.") from error
    if encoding == "gzip":
        body = _unzipped(body, limit)
    if len(body) > limit:
        raise _too_large()
    if not body.strip():
        raise Refusal(400, "body", "The body is empty.")
    return body


def _unzipped(body: bytes, limit: int) -> bytes:
    """Return a gzip body's content, at most one byte more than `limit` of it."""
    reader = zlib.decompressobj(_GZIP)
    try:
        content = reader.decompress(body, limit + 1)
    except zlib.error as error:
        raise Refusal(400, "body", "The body is not gzip.") from error
    if len(content) <= limit and (not reader.eof or reader.unused_data):
        raise Refusal(400, "body", "The gzip body is not whole.")
    return content


def _too_large() -> Refusal:
    limit = settings.USAGE_BODY_LIMIT
    return Refusal(
        413,
        "too_large",
        f"The body is larger than {limit} bytes (unpacked). Send the events in several requests.",
    )

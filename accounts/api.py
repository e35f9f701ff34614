"""Whom the vendor's product speaks for, how often it may ask, and how it is refused: docs/api.md."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.core.cache import caches
from django.http import HttpRequest, HttpResponse, JsonResponse

from accounts import queries
from accounts.models import ApiKey
from core.cache import RedisOrLocalCache

P = ParamSpec("P")


class Refusal(Exception):
    """The request is refused as a whole, and nothing of it was stored."""

    def __init__(
        self, status: int, code: str, reason: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(reason)
        self.status, self.code, self.reason, self.headers = status, code, reason, headers or {}


def answers_refusals(
    view: Callable[Concatenate[HttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """Have a view's refusals answered as every API of the portal answers them."""

    @wraps(view)
    def answered(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except Refusal as refusal:
            body = {"error": {"code": refusal.code, "reason": refusal.reason}}
            return JsonResponse(body, status=refusal.status, headers=dict(refusal.headers))

    return answered


def key_of(request: HttpRequest) -> ApiKey:
    """Return the live key that a request carries. Raises Refusal (401)."""
    kind, _, presented = request.headers.get("Authorization", "").partition(" ")
    # A NUL can be asked of no database; such a key is as wrong as any other.
    is_text = presented.isascii() and presented.isprintable()
    key = queries.api_key(presented.strip()) if kind.lower() == "bearer" and is_text else None
    if key is None:
        reason = "Send a valid key: Authorization: Bearer PREFIX.SECRET"
        raise Refusal(401, "key", reason, {"WWW-Authenticate": "Bearer"})
    return key


def count(key: ApiKey, what: str, *, limit: int, advice: str, now: datetime) -> None:
    """Count a request of a key. Raises Refusal (429) over `limit` requests a minute."""
    minute, second = divmod(int(now.timestamp()), 60)
    shared = cast("RedisOrLocalCache", caches["default"])
    if shared.count(f"{what}-requests:{key.pk}:{minute}", 120) > limit:
        reason = f"This key sent more than {limit} requests in a minute. {advice}"
        raise Refusal(429, "too_many_requests", reason, {"Retry-After": str(60 - second)})

"""Telling the vendor's product that something changed: signed, at least once, retried for days.

    webhooks.announce([Event("entitlements.changed", "aoba", "plan", organisation.pk)], now)

An event is written in the transaction of the change and sent afterwards. It carries nothing to be
believed: who gets it asks the API. Rule: R2, R8 (the other way round), docs/api.md.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F

from core import audit, calls, canonical, ids, sealed
from core.models import WebhookDelivery, WebhookEndpoint
from core.work import GATEWAY_QUEUE, Job, OutsideTransaction, Piece

DELIVER = Job("core.deliver_webhook", GATEWAY_QUEUE)

TIMESTAMP, SIGNATURE = "Webhook-Timestamp", "Webhook-Signature"
KEEP_TRYING = timedelta(days=3)
KEEP_DELIVERED = timedelta(days=30)
SECONDS = 10.0
_SOONEST, _LATEST = timedelta(seconds=30), timedelta(hours=1)
_TAKEN, _REDIRECTS = range(200, 300), range(300, 400)


class Later(Exception):
    """It was not taken; it is sent again at `at`."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at)
        self.at = at


class GivenUp(Exception):
    """It was not taken for days; the message says how the last try ended."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that changed about an organisation. `about`: its reference; `reason`: for a log."""

    kind: str
    about: str
    reason: str
    organisation_id: int


@dataclass(frozen=True, slots=True)
class _Tried:
    """How a try ended; without a `reason` it was taken."""

    status: int | None
    reason: str
    is_unanswered: bool = False


@transaction.atomic
def create(*, label: str, url: str, actor: str, now: datetime) -> tuple[WebhookEndpoint, str]:
    """Have every event sent to an address too; return it with its secret, which is shown once.

    Raises calls.NotAllowed, and has then changed nothing.
    """
    calls.check(url, _limits())
    secret = f"whsec_{secrets.token_urlsafe(32)}"
    endpoint = WebhookEndpoint.objects.create(
        label=label, url=url, sealed_secret=sealed.seal(secret), created_at=now
    )
    audit.record(
        actor=actor,
        action="webhook.created",
        subject=f"webhook:{endpoint.pk}",
        at=now,
        details={"label": label, "url": url},
    )
    return endpoint, secret


@transaction.atomic
def close(*, endpoint_id: int, actor: str, reason: str, now: datetime) -> bool:
    """Send nothing there any more, nor what still waits; return False where there is none open."""
    if not WebhookEndpoint.objects.filter(pk=endpoint_id, closed_at=None).update(closed_at=now):
        return False
    audit.record(
        actor=actor,
        action="webhook.closed",
        subject=f"webhook:{endpoint_id}",
        at=now,
        details={"reason": reason},
    )
    return True


def is_listened_to() -> bool:
    """Return whether events are sent anywhere."""
    return WebhookEndpoint.objects.filter(closed_at=None).exists()


def announce(events: Sequence[Event], now: datetime) -> None:
    """Write events in the caller's transaction, to be sent to every open endpoint after it.

    Raises OutsideTransaction.
    """
    if not connection.in_atomic_block:
        raise OutsideTransaction(DELIVER.kind)
    if not events:
        return
    endpoints = list(
        WebhookEndpoint.objects.filter(closed_at=None).order_by("pk").values_list("pk", flat=True)
    )
    if not endpoints:
        return
    named = [(event, f"evt_{ids.new_key()}") for event in events]
    deliveries = WebhookDelivery.objects.bulk_create(
        WebhookDelivery(
            endpoint_id=endpoint_id,
            event_id=event_id,
            event=event.kind,
            organisation_id=event.organisation_id,
            body=_body(event, event_id, now),
            created_at=now,
        )
        for event, event_id in named
        for endpoint_id in endpoints
    )
    DELIVER.enqueue_all(
        [
            Piece(str(each.pk), {"delivery_id": each.pk}, each.organisation_id)
            for each in deliveries
        ],
        due_at=now,
    )


def deliver(*, delivery_id: int, now: datetime) -> None:
    """Send an event once, and note how that ended. Raises Later, GivenUp.

    Whoever does not answer is left alone for a while, with all that waits for it: calls that run
    into their time-out would keep the other calls of the queue waiting.
    """
    found = WebhookDelivery.objects.select_related("endpoint").filter(pk=delivery_id).first()
    if found is None or found.delivered_at or found.endpoint.closed_at:
        return
    away_until = found.endpoint.away_until
    if away_until is not None and now < away_until:
        _put_off(found, away_until, found.reason or "its endpoint does not answer", now)
    tried = _try(found, now)
    misses = found.endpoint.misses + 1 if tried.is_unanswered else 0
    again_at = now + _pause(misses or found.tries + 1)
    if misses or found.endpoint.misses:
        WebhookEndpoint.objects.filter(pk=found.endpoint_id).update(
            misses=misses, away_until=again_at if misses else None
        )
    WebhookDelivery.objects.filter(pk=found.pk).update(
        tries=F("tries") + 1,
        tried_at=now,
        status=tried.status,
        reason=tried.reason,
        delivered_at=None if tried.reason else now,
        given_up_at=None,
    )
    if tried.reason:
        _put_off(found, again_at, tried.reason, now)


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return what proves a body: HMAC-SHA256 of `timestamp.body`, with the version of this way."""
    proof = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"v1={proof.hexdigest()}"


def forget_delivered(now: datetime) -> None:
    """Delete what was delivered long ago; what was given up stays."""
    WebhookDelivery.objects.filter(delivered_at__lt=now - KEEP_DELIVERED).delete()


def _body(event: Event, event_id: str, now: datetime) -> str:
    told = {
        "id": event_id,
        "event": event.kind,
        "organisation": event.about,
        "at": now.astimezone(UTC).isoformat(),
        "reason": event.reason,
    }
    return canonical.dumps(told).decode()


def _signed(delivery: WebhookDelivery, now: datetime) -> tuple[bytes, dict[str, str]]:
    body, timestamp = delivery.body.encode(), str(int(now.timestamp()))
    secret = sealed.unseal(delivery.endpoint.sealed_secret)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"BillingPortal/{settings.RELEASE}",
        TIMESTAMP: timestamp,
        SIGNATURE: signature(secret, timestamp, body),
        "Connection": "close",
    }
    return body, headers


def _try(delivery: WebhookDelivery, now: datetime) -> _Tried:
    try:
        status = calls.post(delivery.endpoint.url, *_signed(delivery, now), _limits())
    except calls.NoAnswer as fault:
        return _Tried(None, f"no answer ({fault})", is_unanswered=True)
    except calls.NotAllowed as fault:
        return _Tried(None, f"its address is not allowed: {fault}")
    if status in _TAKEN:
        return _Tried(status, "")
    if status in _REDIRECTS:
        return _Tried(status, f"answered {status}, which is not followed: give the final address")
    return _Tried(status, f"answered {status}")


def _put_off(delivery: WebhookDelivery, at: datetime, reason: str, now: datetime) -> None:
    """Have it sent again at `at`. Raises Later, or GivenUp once it is too old."""
    ends_at = delivery.created_at + KEEP_TRYING
    if now < ends_at:
        raise Later(min(at, ends_at))
    WebhookDelivery.objects.filter(pk=delivery.pk).update(given_up_at=now, reason=reason)
    raise GivenUp(reason)


def _pause(tries: int) -> timedelta:
    """Return how long to wait after so many tries: from half a minute, doubled up to an hour."""
    doubled: timedelta = _SOONEST * 2 ** min(tries - 1, 10)
    return min(doubled, _LATEST)


def _limits() -> calls.Limits:
    return calls.Limits(is_strict=settings.WEBHOOKS_ARE_STRICT, seconds=SECONDS)

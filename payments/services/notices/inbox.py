"""The inbox of the providers' notices: checked, stored once, answered; worked off later. Rule: R8."""

import hashlib
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.core.cache import cache
from django.db import connection, transaction

from core import canonical
from payments import jobs
from payments.enums import NoticeState
from payments.gateways import registry
from payments.gateways.base import (
    About,
    AnswerLost,
    BadNotice,
    GatewayMisconfigured,
    GatewayUnreachable,
    Notice,
    NoticeUnverified,
)
from payments.models import StoredNotice

log = logging.getLogger(__name__)

# So many notices that are not the provider's may come from one address in a window; after them
# nothing from there is checked, fetched or stored until it ends. Rule: F16.
BAD_PER_ADDRESS = 20
# So many of them are kept in a window, whatever their addresses.
FORGED_KEPT = 200
WINDOW = timedelta(minutes=10)
KEEP_FORGED = timedelta(days=30)


class Flooded(Exception):
    """Too many notices that were not the provider's came from this address."""

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


def receive(
    *, slug: str, body: bytes, headers: Mapping[str, str], address: str, now: datetime
) -> bool:
    """Check a notice on its raw bytes and store it; return whether it is new. Rule: R8, F14, F16.

    `headers` by lower-case name; `address`: where it came from. Raises NoSuchGateway, Flooded,
    BadNotice (what remains then is a digest and the reason) and NoticeUnverified (nothing does).
    """
    gateway = registry.gateway(slug)
    _check_flood(slug, address, now)
    try:
        notice = gateway.notice_in(body, headers)
    except BadNotice as forged:
        _count_bad(slug, address, now)
        _store_forged(slug, body, str(forged), now)
        raise
    except NoticeUnverified:
        _count_bad(slug, address, now)
        raise
    except (GatewayUnreachable, AnswerLost, GatewayMisconfigured) as fault:
        raise NoticeUnverified(type(fault).__name__) from fault
    return _store(slug, notice, body, now)


@transaction.atomic
def ask_for_processing(now: datetime) -> None:
    """Ask for what has waited for a minute to be worked off: its first request may be lost."""
    waiting = StoredNotice.objects.filter(
        state=NoticeState.RECEIVED, received_at__lt=now - timedelta(minutes=1)
    )
    for notice_id in waiting.order_by("received_at").values_list("pk", flat=True)[:500]:
        _ask(notice_id, now)


def forget_forged(now: datetime) -> None:
    """Delete what is left of forged notices of long ago."""
    StoredNotice.objects.filter(
        state=NoticeState.FORGED, received_at__lt=now - KEEP_FORGED
    ).delete()


@transaction.atomic
def _store(slug: str, notice: Notice, body: bytes, now: datetime) -> bool:
    """Insert a notice unless its event is there already. Rule: R4, F14."""
    is_known = notice.about is not About.NOTHING
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO payments_storednotice
                (gateway, event_id, kind, about, "references", body_digest, state, reason,
                 received_at, processed_at)
            VALUES (%s, %s, %s, %s, %s::jsonb, %s, %s, '', %s, %s)
            ON CONFLICT DO NOTHING RETURNING id
            """,
            [
                slug,
                notice.event_id[:120],
                notice.kind[:80],
                notice.about.value,
                canonical.dumps([each[:120] for each in notice.references[:20]]).decode(),
                hashlib.sha256(body).digest(),
                NoticeState.RECEIVED if is_known else NoticeState.IGNORED,
                now,
                None if is_known else now,
            ],
        )
        stored = cursor.fetchone()
    if stored and is_known:
        _ask(stored[0], now)
    return stored is not None


def _ask(notice_id: int, now: datetime) -> None:
    jobs.PROCESS_NOTICE.enqueue(key=str(notice_id), due_at=now, payload={"notice_id": notice_id})


def _store_forged(slug: str, body: bytes, reason: str, now: datetime) -> None:
    """Keep the digest of a forged notice and why it was refused, up to a number of them."""
    log.warning("NOTICE_FORGED", extra={"gateway": slug, "reason": reason[:200]})
    if _count(f"notices-forged:{slug}", now) > FORGED_KEPT:
        return
    StoredNotice.objects.create(
        gateway=slug,
        event_id="",
        body_digest=hashlib.sha256(body).digest(),
        state=NoticeState.FORGED,
        reason=reason[:200],
        received_at=now,
        processed_at=now,
    )


def _check_flood(slug: str, address: str, now: datetime) -> None:
    counter, left = _window(_bad(slug, address), now)
    if (cache.get(counter) or 0) >= BAD_PER_ADDRESS:
        raise Flooded(left)


def _count_bad(slug: str, address: str, now: datetime) -> None:
    _count(_bad(slug, address), now)


def _bad(slug: str, address: str) -> str:
    return f"notices-bad:{slug}:{address}"


def _count(name: str, now: datetime) -> int:
    """Return how often this was counted in the present window, this time included."""
    counter, left = _window(name, now)
    cache.add(counter, 0, left.total_seconds() + 60)
    try:
        return cache.incr(counter)
    except ValueError:  # forgotten since the line before
        return 1


def _window(name: str, now: datetime) -> tuple[str, timedelta]:
    """Return a counter of the present window, and how long the window still lasts."""
    number, since = divmod(now.timestamp(), WINDOW.total_seconds())
    return f"{name}:{int(number)}", WINDOW - timedelta(seconds=since)

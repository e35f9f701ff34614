"""The append-only trail of every change of money, contract or role. Rule: R15."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

from django.db import connection, transaction

from core import canonical
from core.canonical import Composed, Json, Written
from core.models import AuditEntry

VENDOR_CHAIN = 0
GENESIS = bytes(32)


def link(
    prev: bytes,
    *,
    chain: int,
    seq: int,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    details: Mapping[str, Json],
) -> bytes:
    """Return the digest of an entry that follows the entry with digest `prev` in its chain."""
    return link_written(
        prev,
        chain=chain,
        seq=seq,
        at=at.astimezone(UTC).isoformat(),
        actor=actor,
        action=action,
        subject=subject,
        details=Written(canonical.dumps(details)),
    )


def link_written(
    prev: bytes,
    *,
    chain: int,
    seq: int,
    at: str,
    actor: str,
    action: str,
    subject: str,
    details: Written,
) -> bytes:
    """Return what `link` does, of an instant and details that are written already: UTC, canonical."""
    body: Composed = [chain, seq, at, actor, action, subject, details]
    return hashlib.sha256(prev + canonical.dumps(body)).digest()


@transaction.atomic
def record(
    *,
    actor: str,
    action: str,
    subject: str,
    at: datetime,
    organisation_id: int | None = None,
    details: Mapping[str, Json] | None = None,
) -> AuditEntry:
    """Append an entry to the organisation's chain (or the vendor's), in the caller's transaction.

    The caller holds the organisation's lock; should it not, the unique constraint on chain and
    sequence refuses the second of two entries at once. `actor` is `user:7` or `system:month-end`.
    """
    chain = organisation_id or VENDOR_CHAIN
    if chain == VENDOR_CHAIN:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('audit'), 0)")
    last = AuditEntry.objects.filter(chain=chain).order_by("-seq").first()
    prev = bytes(last.digest) if last else GENESIS
    seq = last.seq + 1 if last else 1
    body = details or {}
    return AuditEntry.objects.create(
        chain=chain,
        seq=seq,
        at=at,
        actor=actor,
        action=action,
        subject=subject,
        details=dict(body),
        prev=prev,
        digest=link(
            prev,
            chain=chain,
            seq=seq,
            at=at,
            actor=actor,
            action=action,
            subject=subject,
            details=body,
        ),
    )

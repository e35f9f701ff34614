"""The append-only trail of every change of money, contract or role. Rule: R15."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.db import connection, transaction

from core import canonical, statements
from core.canonical import Composed, Json, Written
from core.ids import array
from core.models import AuditEntry

VENDOR_CHAIN = 0
GENESIS = bytes(32)


@dataclass(frozen=True, slots=True)
class Act:
    """What an entry will say of an organisation: what `record` is given, for many at once."""

    organisation_id: int
    action: str
    subject: str
    details: Mapping[str, Json] = field(default_factory=dict)


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


@transaction.atomic
def record_all(acts: Sequence[Act], *, actor: str, at: datetime) -> None:
    """Append an entry for each act to its organisation's chain, in order, as `record` does; in bulk.

    The caller holds the organisations' locks.
    """
    if not acts:
        return
    heads = _heads({act.organisation_id for act in acts})
    written_at = at.astimezone(UTC).isoformat()
    rows: list[Sequence[object]] = []
    for act in acts:
        seq, prev = heads[act.organisation_id]
        details = canonical.dumps(act.details)
        digest = link_written(
            prev,
            chain=act.organisation_id,
            seq=seq + 1,
            at=written_at,
            actor=actor,
            action=act.action,
            subject=act.subject,
            details=Written(details),
        )
        heads[act.organisation_id] = seq + 1, digest
        rows.append(
            (
                act.organisation_id,
                seq + 1,
                at,
                actor,
                act.action,
                act.subject,
                details.decode(),
                prev,
                digest,
            )
        )
    statements.copy(
        "core_auditentry (chain, seq, at, actor, action, subject, details, prev, digest)", rows
    )


def _heads(chains: set[int]) -> dict[int, tuple[int, bytes]]:
    """Return the sequence and digest of the last entry of each chain."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.chain, COALESCE(e.seq, 0), e.digest FROM unnest(%s::bigint[]) AS c (chain)
            LEFT JOIN LATERAL (SELECT seq, digest FROM core_auditentry
                WHERE chain = c.chain ORDER BY seq DESC LIMIT 1) e ON true
            """,
            [array(sorted(chains))],
        )
        return {
            chain: (seq, GENESIS if digest is None else bytes(digest))
            for chain, seq, digest in cursor.fetchall()
        }

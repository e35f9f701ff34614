from datetime import UTC, datetime

import pytest
from django.db import transaction

from core import audit
from core.audit import Act
from core.models import AuditEntry

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
ACTS = [
    Act(2, "b", "membership:2", {"name": "花子", "count": 3}),
    Act(1, "a", "membership:1"),
    Act(2, "c", "membership:3", {"list": [1, None, True]}),
]


def _stored() -> list[dict[str, object]]:
    return [
        {
            "chain": row.chain,
            "seq": row.seq,
            "at": row.at,
            "said": (row.actor, row.action, row.subject, row.details),
            "prev": bytes(row.prev),
            "digest": bytes(row.digest),
        }
        for row in AuditEntry.objects.order_by("chain", "seq")
    ]


def test_many_at_once_are_as_one_after_the_other() -> None:
    audit.record(actor="user:7", action="first", subject="x:1", organisation_id=2, at=NOW)
    with transaction.atomic():
        for act in ACTS:
            audit.record(
                actor="system:test",
                action=act.action,
                subject=act.subject,
                organisation_id=act.organisation_id,
                at=NOW,
                details=act.details,
            )
        one_by_one = _stored()
        transaction.set_rollback(True)

    audit.record_all(ACTS, actor="system:test", at=NOW)

    assert _stored() == one_by_one
    assert len(one_by_one) == 4


def test_nothing_is_recorded_of_nothing() -> None:
    audit.record_all([], actor="system:test", at=NOW)

    assert _stored() == []

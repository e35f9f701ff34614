import pytest
from django.db import DatabaseError, connection, transaction

from core import audit
from core.models import AuditEntry
from tests.make import NOW


@pytest.mark.django_db
def test_record_links_each_entry_to_the_one_before_in_its_chain() -> None:
    first = audit.record(actor="user:1", action="a", subject="x:1", at=NOW, organisation_id=7)
    other = audit.record(actor="user:1", action="a", subject="x:2", at=NOW, organisation_id=8)
    second = audit.record(
        actor="user:2", action="b", subject="x:1", at=NOW, organisation_id=7, details={"to": "2"}
    )

    assert (first.seq, first.prev) == (1, audit.GENESIS)
    assert (other.seq, other.prev) == (1, audit.GENESIS)
    assert (second.seq, second.prev) == (2, first.digest)
    assert second.digest == audit.link(
        bytes(first.digest),
        chain=7,
        seq=2,
        at=NOW,
        actor="user:2",
        action="b",
        subject="x:1",
        details={"to": "2"},
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE core_auditentry SET actor = 'user:9'",
        "DELETE FROM core_auditentry",
        "TRUNCATE core_auditentry",
    ],
)
def test_the_trail_refuses_every_change(change: str) -> None:
    audit.record(actor="user:1", action="a", subject="x:1", at=NOW)

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        connection.cursor().execute(change)

    assert AuditEntry.objects.get().actor == "user:1"


@pytest.mark.django_db
def test_without_its_trigger_the_trail_could_be_rewritten() -> None:
    audit.record(actor="user:1", action="a", subject="x:1", at=NOW)
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER audit_append_only ON core_auditentry")

        cursor.execute("UPDATE core_auditentry SET actor = 'user:9'")

    assert AuditEntry.objects.get().actor == "user:9"

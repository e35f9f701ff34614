import uuid
from collections.abc import Iterable, Iterator

import pytest
from django.core.cache import caches
from django.db import connection
from django.db.backends.postgresql.operations import DatabaseOperations

from plans import queries as plans


def _empty_tables(operations: DatabaseOperations, sql: Iterable[str]) -> None:
    """Empty the test database between tests, past the triggers that refuse it everywhere else."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for statement in sql:
            cursor.execute(statement)
        cursor.execute("SELECT to_regclass('usage_event') IS NOT NULL")
        if cursor.fetchone() == (True,):
            cursor.execute("TRUNCATE usage_event")
        cursor.execute("SET session_replication_role = origin")


@pytest.fixture(autouse=True, scope="session")
def _tables_can_be_emptied() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "execute_sql_flush", _empty_tables)
        yield


@pytest.fixture(autouse=True)
def _fresh_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test keys of its own in the shared cache, also in threads that it starts."""
    prefix = uuid.uuid4().hex
    monkeypatch.setitem(caches.settings["default"], "KEY_PREFIX", prefix)
    monkeypatch.setattr(caches["default"], "key_prefix", prefix)
    plans.forget()

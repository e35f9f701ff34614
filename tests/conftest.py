import uuid
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.cache import caches
from django.db import connection
from django.db.backends.postgresql.creation import DatabaseCreation
from django.db.backends.postgresql.operations import DatabaseOperations
from hypothesis import settings as property_tests

from billing.queries.audit import OF_EVENTS
from core import books
from payments.queries.audit.spots import SPOTS
from plans import queries as plans
from seats.services import guard

# A busy machine is no finding.
property_tests.register_profile("portal", deadline=None)
property_tests.load_profile("portal")


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


def _drop_database(creation: Any, name: str, verbosity: int) -> None:
    """Drop a test database also where the server has yet to notice that a killed process is gone."""
    with creation._nodb_cursor() as cursor:
        cursor.execute(f"DROP DATABASE {creation.connection.ops.quote_name(name)} WITH (FORCE)")


@pytest.fixture(autouse=True, scope="session")
def _tables_can_be_emptied() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "execute_sql_flush", _empty_tables)
        yield


@pytest.fixture(autouse=True, scope="session")
def _databases_can_be_dropped() -> None:
    # For good: the database is dropped after every fixture has ended.
    DatabaseCreation._destroy_test_db = _drop_database  # type: ignore[attr-defined]


@pytest.fixture(autouse=True, scope="session")
def _passwords_cost_little() -> Iterator[None]:
    """Hash passwords as in production, with the least work: tests sign in by the hundred."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Argon2PasswordHasher, "time_cost", 1)
        patch.setattr(Argon2PasswordHasher, "memory_cost", 8)
        patch.setattr(Argon2PasswordHasher, "parallelism", 1)
        yield


@pytest.fixture(autouse=True)
def _fresh_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test keys of its own in the shared cache, also in threads that it starts."""
    prefix = uuid.uuid4().hex
    monkeypatch.setitem(caches.settings["default"], "KEY_PREFIX", prefix)
    monkeypatch.setattr(caches["default"], "key_prefix", prefix)
    plans.forget()
    guard.forget()


_MONEY_ROOMS = {"billing", "payments", "usage", "flows"}


@pytest.fixture(autouse=True)
def books_are_sound(request: pytest.FixtureRequest, _django_db_marker: None) -> Iterator[None]:
    """Audit the books after each test that touches money, unless it broke them on purpose.

    A test that makes daily usage without events is not asked for them, nor one that makes spot orders
    without any payment of one for their money.
    """
    yield
    node = request.node
    if (
        node.get_closest_marker("django_db") is None
        or node.get_closest_marker("unsound_books") is not None
        or node.path.parent.name not in _MONEY_ROOMS
        or connection.needs_rollback
    ):
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM usage_event)")
        measured = cursor.fetchone() == (True,)
        cursor.execute(
            "SELECT EXISTS (SELECT FROM payments_payable WHERE spot_order_id IS NOT NULL)"
        )
        collected = cursor.fetchone() == (True,)
    left_out = {*(() if measured else OF_EVENTS), *(() if collected else SPOTS)}
    checks = [check for check in books.checks() if check not in left_out]
    assert [str(breach) for breach in books.breaches(among=checks)] == []

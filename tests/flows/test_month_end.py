"""The month end with real workers, a real broker, and their deaths."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from celery import Celery
from django.conf import settings
from django.db import connection
from redis import Redis

from billing.models import BilledMonth, Invoice, MonthRun, NumberSeries, ParkedOrganisation
from billing.queries import due
from core import clock
from core.models import Work
from core.months import BillingMonth
from plans import queries as plans
from tests.billing import books
from tests.flows import portal

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def broker() -> Iterator[Any]:
    redis = Redis.from_url(portal.broker_url())
    redis.flushdb()
    yield redis
    redis.flushdb()
    redis.close()


def customers(count: int) -> list[int]:
    """Make customers whose first month is the one that is due by the real clock."""
    version = books.starter()
    since = _due_month().first_day
    return [books.customer(version, since=since).pk for _ in range(count)]


def _due_month() -> BillingMonth:
    return due.last_over_month(clock.now(), plans.vendor_zone(), settings.BILLING_GRACE)


def tick() -> None:
    """Send what beat sends each minute."""
    with Celery(broker=portal.broker_url()) as app:
        app.send_task("core.tick", queue="default")


def all_billed(count: int) -> bool:
    return (
        BilledMonth.objects.count() == count
        and not Work.objects.filter(kind="billing.bill_page", state="due").exists()
    )


def assert_billed_once(count: int) -> None:
    assert books.numbers() == list(range(1, count + 1))
    assert NumberSeries.objects.get().next == count + 1
    assert BilledMonth.objects.count() == count
    assert not ParkedOrganisation.objects.exists()


def test_a_worker_bills_the_month_that_is_due(broker: Any, tmp_path: Path) -> None:
    customers(35)

    with portal.worker(portal.environment(), tmp_path / "log"):
        tick()
        portal.wait_until(lambda: MonthRun.objects.filter(state="done").exists())

    assert_billed_once(35)


def test_killed_in_mid_run_and_with_an_emptied_broker_the_month_is_completed(
    broker: Any, tmp_path: Path
) -> None:
    ids = customers(40)
    env = portal.environment()
    with psycopg.connect(env["DATABASE_URL"]) as held:
        held.execute("SELECT 1 FROM accounts_organisation WHERE id = %s FOR UPDATE", [ids[-1]])
        with portal.worker(env, tmp_path / "first") as worker:
            tick()
            portal.wait_until(lambda: Invoice.objects.count() >= 20 and _waits_for_a_lock())
            portal.kill(worker)
    assert 20 <= Invoice.objects.count() < 40
    broker.flushdb()

    with portal.worker(env, tmp_path / "second"):
        portal.wait_until(_lease_is_over)
        tick()
        portal.wait_until(lambda: all_billed(40))

    assert_billed_once(40)


def test_with_the_broker_down_tick_bills_everything() -> None:
    customers(4)
    env = portal.environment(REDIS_URL="redis://127.0.0.1:1/0", BILLING_PAGE="2")

    done = portal.manage("tick", env=env)

    assert (done.returncode, done.stdout.splitlines()[-1][:15]) == (0, "Nothing is due.")
    assert_billed_once(4)
    assert MonthRun.objects.get().state == "done"


def test_doubled_and_poisoned_messages_do_no_harm(broker: Any, tmp_path: Path) -> None:
    customers(25)
    with Celery(broker=portal.broker_url()) as app:
        app.send_task("core.look", queue="default")
    look = broker.lpop("default")
    with broker.pipeline() as pipeline:
        for message in _poison(json.loads(look)):
            pipeline.lpush("default", message)
        for _ in range(1_000):
            pipeline.lpush("default", look)
        pipeline.execute()

    with portal.worker(portal.environment(), tmp_path / "log") as worker:
        tick()
        portal.wait_until(lambda: all_billed(25) and broker.llen("default") == 0)
        assert worker.poll() is None

    assert_billed_once(25)


def test_killed_postgres_comes_back_and_the_month_is_completed(tmp_path: Path) -> None:
    from devstack import places
    from devstack.postgres import Postgres

    with places.throwaway_state("flows") as state:
        postgres = Postgres(state, durable=True)
        postgres.start()
        try:
            _kill_in_mid_run(postgres)
        finally:
            postgres.stop()


def _kill_in_mid_run(postgres: Any) -> None:
    env = portal.environment(DATABASE_URL=postgres.url(), REDIS_URL="redis://127.0.0.1:1/0")
    assert portal.manage("migrate", "-v", "0", env=env).returncode == 0
    made = subprocess.run(
        [sys.executable, "-m", "tests.flows.customers", "24"],
        cwd=portal.ROOT,
        env=env,
        check=False,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    with closing(psycopg.connect(postgres.url(), autocommit=True)) as watcher:
        watcher.execute("BEGIN")
        watcher.execute(
            "SELECT 1 FROM accounts_organisation WHERE id = (SELECT max(id) FROM accounts_organisation)"
            " FOR UPDATE"
        )
        ticking = portal.begin("tick", env=env)
        with closing(psycopg.connect(postgres.url(), autocommit=True)) as other:
            portal.wait_until(lambda: _count(other, _WAITING) > 0)
            billed = _count(other, "SELECT count(*) FROM billing_invoice")
            pids = [row[0] for row in other.execute("SELECT pid FROM pg_stat_activity")]
            for pid in [_postmaster(other), *pids]:
                os.kill(pid, signal.SIGKILL)
        portal.kill(ticking)
    portal.wait_until(lambda: not postgres.is_alive())
    postgres.start()
    assert 10 <= billed < 24

    with closing(psycopg.connect(postgres.url(), autocommit=True)) as other:
        assert _count(other, "SELECT count(*) FROM billing_invoice") == billed
        portal.wait_until(
            lambda: _count(other, "SELECT count(*) FROM core_work WHERE lease_until > now()") == 0
        )
        done = portal.manage("tick", env=env)
        assert done.returncode == 0, done.stderr
        assert _count(other, "SELECT count(*) FROM billing_invoice") == 24
        assert _count(other, "SELECT max(number) FROM billing_invoice") == 24
    audit = portal.manage("audit_books", env=env)
    assert audit.returncode == 0, audit.stdout


_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


def _count(other: "psycopg.Connection[Any]", sql: str) -> int:
    row = other.execute(sql).fetchone()
    assert row is not None
    return int(row[0])


def _postmaster(other: "psycopg.Connection[Any]") -> int:
    row = other.execute("SELECT pg_read_file('postmaster.pid')").fetchone()
    assert row is not None
    return int(row[0].splitlines()[0])


def _waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"{_WAITING} AND datname = current_database()")
        row: tuple[int] = cursor.fetchone()
        return row[0] > 0


def _lease_is_over() -> bool:
    return not Work.objects.filter(lease_until__gt=clock.now(), state="due").exists()


def _poison(good: dict[str, Any]) -> list[bytes]:
    """Return messages that no release of ours has sent."""
    unknown = {**good, "headers": {**good["headers"], "task": "core.of_another_release"}}
    arguments = {**good, "body": "W1sxLCAyXSwge30sIHt9XQ=="}  # [[1, 2], {}, {}]
    pickled = {**good, "content-type": "application/x-python-serialize", "body": "gASVAAAAAA=="}
    return [json.dumps(each).encode() for each in (unknown, arguments, pickled)]

"""A month billed and collected by real workers that are killed, while a provider goes away. Rule: R1, F21."""

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.conf import settings
from redis import Redis

from accounts.models import Organisation
from billing.models import Invoice
from billing.queries import due
from core import clock, work
from gateway_sandbox import Sandbox
from payments.enums import LIVE, PayableState
from payments.gateways import registry
from payments.models import Charge, Payable
from plans import queries as plans
from tests import make
from tests.billing import books
from tests.flows import portal
from tests.flows.boundaries import afresh
from tests.payments import collected
from tests.payments.farside import assert_agree, parked, taken

pytestmark = pytest.mark.django_db(transaction=True)

EVERYBODY = 30
KILLS = 4
SEED = 20261122
# Without documents: they are drawn by workers of their own.
QUEUES = (work.DEFAULT_QUEUE, work.GATEWAY_QUEUE)


@pytest.fixture
def broker() -> Iterator[Any]:
    redis = Redis.from_url(portal.broker_url())
    redis.flushdb()
    yield redis
    redis.flushdb()
    redis.close()


@pytest.fixture
def now_sandbox(sandbox: Sandbox) -> Sandbox:
    """The companies' stand-in by the real clock: other processes read it too."""
    sandbox.set_time(clock.now())
    registry.forget()
    return sandbox


def customers(count: int, sandbox: Sandbox) -> list[Organisation]:
    """Make customers whose first month is due by the real clock, at PayPal and Paid by turns."""
    version = books.starter()
    month = due.last_over_month(clock.now(), plans.vendor_zone(), settings.BILLING_GRACE)
    made = [books.customer(version, since=month.first_day) for _ in range(count)]
    for at, organisation in enumerate(made):
        root = make.member(organisation).user
        register = collected.paid_method if at % 2 else collected.paypal_method
        register(organisation, root, sandbox)
    return made


def send_tick() -> None:
    """Send what beat sends each minute."""
    with Celery(broker=portal.broker_url()) as app:
        app.send_task("core.tick", queue="default")


def until(happened: Callable[[], bool]) -> Callable[[], bool]:
    """Return a condition that sends a tick each time it is asked for and does not hold."""

    def asked() -> bool:
        if happened():
            return True
        send_tick()
        return False

    return asked


def money_calls(sandbox: Sandbox) -> int:
    """Return how many requests about money the far side has seen."""
    return sum(
        len(sandbox.ledger.requests_to(pattern))
        for pattern in ("POST /v2/checkout/orders", "*/Register/*", "*/Fix/*")
    )


def go_on_at(moment: datetime, sandbox: Sandbox) -> None:
    """Do what is due at a later time, in a process that remembers nothing."""

    def tick() -> None:
        with clock.fixed_at(moment):
            work.plan(moment)
            work.run_due(QUEUES)

    sandbox.set_time(moment)
    afresh(tick)


def assert_each_paid_once(count: int, sandbox: Sandbox) -> None:
    assert Invoice.objects.count() == count
    assert set(Payable.objects.values_list("state", flat=True)) == {PayableState.PAID}
    assert Payable.objects.count() == count
    assert not Charge.objects.filter(state__in=sorted(LIVE)).exists()
    assert_agree(sandbox, captures=count)
    assert len({row.invoice_id for row in sandbox.ledger.captures}) == count - count // 2
    assert len({row.code for row in sandbox.ledger.trades}) == count // 2
    assert parked() == []


def test_killed_workers_and_a_provider_that_is_away_collect_each_invoice_once(
    broker: Any, now_sandbox: Sandbox, tmp_path: Path
) -> None:
    chance = random.Random(SEED)
    customers(EVERYBODY, now_sandbox)
    env = portal.environment()
    # Each death comes after so many calls about money, wherever the workers are then.
    deaths = sorted(chance.sample(range(3, EVERYBODY), KILLS))
    for number, calls in enumerate(deaths):
        with portal.worker(env, tmp_path / f"log-{number}", queues=",".join(QUEUES)) as worker:
            portal.wait_until(until(lambda calls=calls: money_calls(now_sandbox) >= calls))  # type: ignore[misc]
            if number == 1:
                now_sandbox.stop_listening()
                portal.wait_until(until(_some_wait_for_the_provider))
            portal.kill(worker)
        if number == 1:
            now_sandbox.listen_again()
        broker.flushdb()
    by_then = len(taken(now_sandbox))

    began = clock.now()
    for minutes in (1, 5, 12, 90, 5 * 60, 12 * 60, 36 * 60):
        go_on_at(began + timedelta(minutes=minutes), now_sandbox)

    assert_each_paid_once(EVERYBODY, now_sandbox)
    print(  # noqa: T201
        f"workers killed: {KILLS}, with {by_then} captures by then;"
        f" {EVERYBODY} invoices, {len(taken(now_sandbox))} captures"
    )


def _some_wait_for_the_provider() -> bool:
    return Charge.objects.filter(state="prepared", code__startswith="unreachable").exists()


def test_f21_with_the_broker_down_tick_bills_and_collects_everything(now_sandbox: Sandbox) -> None:
    customers(6, now_sandbox)
    env = portal.environment(REDIS_URL="redis://127.0.0.1:1/0", BILLING_PAGE="2")

    for _ in range(2):
        done = portal.manage("tick", env=env)
        assert done.returncode == 0, done.stderr

    assert_each_paid_once(6, now_sandbox)

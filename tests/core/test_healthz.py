from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client

from core import clock, work
from core.work import PDF_QUEUE, Job
from tests.make import NOW

JOB = Job("test.job")
PAPER = Job("test.paper", queue=PDF_QUEUE)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with clock.fixed_at(NOW):
        yield


def status() -> int:
    return Client().get("/healthz").status_code


def waits(job: Job, since: timedelta) -> None:
    with transaction.atomic():
        job.enqueue(key="a", due_at=NOW - since)


@pytest.mark.parametrize(
    ("job", "since", "expected"),
    [
        pytest.param(JOB, timedelta(minutes=15), 200, id="a quarter of an hour"),
        pytest.param(JOB, timedelta(minutes=16), 503, id="longer"),
        pytest.param(PAPER, timedelta(hours=11), 200, id="documents take the night"),
        pytest.param(PAPER, timedelta(hours=13), 503, id="documents that nobody makes"),
    ],
)
def test_healthz_turns_red_when_work_waits_for_too_long(
    job: Job, since: timedelta, expected: int
) -> None:
    work.beat(work.TICK, NOW)

    waits(job, since)

    assert status() == expected


def test_healthz_is_red_while_nobody_looks_for_what_is_due() -> None:
    """Without the planner no month end becomes due, and so none would be late."""
    assert status() == 503
    work.beat(work.TICK, NOW - timedelta(minutes=15))
    assert status() == 200
    work.beat(work.TICK, NOW - timedelta(minutes=16))
    assert status() == 503

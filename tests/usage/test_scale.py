"""What a batch costs, counted and not timed: statements, and bytes of the write-ahead log."""

import uuid
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from plans.enums import Aggregation
from tests import make
from tests.usage.books import row, take
from usage.models import UsageEvent
from usage.services.batches import Row

METERS = ("api_calls", "messages", "devices")


def rows(count: int, organisations: int) -> list[Row]:
    return [
        row(
            number,
            organisation=f"o{number % organisations}",
            event_id=str(uuid.UUID(int=hash((number, count)) % 2**128, version=4)),
            meter=METERS[number % len(METERS)],
            occurred_at=f"2026-11-20T10:{number % 60:02}:00Z",
            quantity=f"{number}.125",
        )
        for number in range(count)
    ]


@pytest.fixture
def _catalogue() -> None:
    make.vendor()
    for code in METERS[:-1]:
        make.meter(code)
    make.meter(METERS[-1], aggregation=Aggregation.MAX)
    for number in range(100):
        make.organisation(reference=f"o{number}")


@pytest.mark.django_db
@pytest.mark.usefixtures("_catalogue")
def test_a_batch_takes_as_many_statements_however_large() -> None:
    take(row(organisation="o1"))  # the day's partition is there
    counts = []
    for size in (1, 500):
        for _ in range(2):  # new, and sent again
            with CaptureQueriesContext(
                connection,
            ) as captured:
                take(*rows(size, 100))
            counts.append(len(captured))

    assert counts[0] == counts[2]
    assert counts[1] == counts[3]
    assert max(counts) <= 14


def log_bytes(take_batch: Callable[[], object]) -> int:
    """Return the bytes that the log grew by meanwhile, also by what others wrote."""
    sizes = []
    with connection.cursor() as cursor:
        for _ in range(2):
            cursor.execute("SELECT pg_current_wal_insert_lsn() - '0/0'")
            sizes.append(int(cursor.fetchone()[0]))
            if len(sizes) == 1:
                take_batch()
    return sizes[1] - sizes[0]


@pytest.mark.django_db
@pytest.mark.usefixtures("_catalogue")
def test_an_event_writes_at_most_350_bytes_of_log() -> None:
    def renamed(prefix: str) -> list[Row]:
        return [one._replace(event_id=f"{prefix}-{one.event_id}") for one in rows(10_000, 100)]

    take(*renamed("first"))
    # Others may use the server meanwhile: the least of three is nearest to what is ours.
    new, again = [], []
    for prefix in ("a", "b", "c"):
        batch = renamed(prefix)
        new.append(log_bytes(partial(take, *batch)))
        again.append(log_bytes(partial(take, *batch)))

    assert 100 <= min(new) / 10_000 <= 350
    assert min(again) / 10_000 <= 10
    assert UsageEvent.objects.count() == 40_000

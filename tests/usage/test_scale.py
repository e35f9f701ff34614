"""What a batch costs, counted and not timed: statements, and bytes of the write-ahead log."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from plans.enums import Aggregation
from tests import make
from tests.usage.books import row, take
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


class LogBytes:
    """Counts what the statements that store write to the log; others may use the server meanwhile."""

    def __init__(self) -> None:
        self.total = 0

    def __call__(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        if "INSERT INTO usage_event" not in sql and "INSERT INTO usage_dailyusage" not in sql:
            return execute(sql, params, many, context)
        explain = "EXPLAIN (ANALYZE, WAL, COSTS OFF, TIMING OFF, FORMAT JSON) "
        result = execute(explain + sql, params, many, context)
        self.total += context["cursor"].fetchone()[0][0]["Plan"]["WAL Bytes"]
        return result


@pytest.mark.django_db
@pytest.mark.usefixtures("_catalogue")
def test_an_event_writes_at_most_350_bytes_of_log() -> None:
    take(*rows(9_999, 100))
    new = [one._replace(event_id=f"n-{one.event_id}") for one in rows(10_000, 100)]
    first, again = LogBytes(), LogBytes()

    with connection.execute_wrapper(first):
        assert take(*new).accepted == 10_000
    with connection.execute_wrapper(again):
        assert take(*new).duplicates == 10_000

    assert 100 <= first.total / 10_000 <= 350
    assert again.total == 0

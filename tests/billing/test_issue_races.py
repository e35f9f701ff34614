"""Several at once, and crashes at every point of a page."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from billing.enums import ParkReason
from billing.models import BilledMonth, Invoice, NumberSeries
from billing.queries import due
from billing.services import issue, park, runs
from billing.services.issue import Outcome
from core import clock, work
from tests.billing import books
from tests.billing.books import NOW, OCTOBER
from tests.billing.crashes import crash_at

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(do: Callable[[], Any], times: int) -> list[Any]:
    """Do something in so many threads at the same moment; return what came of each."""
    start = threading.Barrier(times)
    results: list[Any] = []

    def run() -> None:
        try:
            start.wait()
            results.append(do())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_eight_at_once_bill_a_page_once_and_burn_no_number() -> None:
    version = books.starter()
    for _ in range(40):
        books.customer(version)

    outcomes = at_once(books.bill, 8)

    assert sorted(outcome.invoiced for outcome in outcomes) == [0] * 7 + [40]
    assert sum(outcome.parked for outcome in outcomes) == 0
    assert books.numbers() == list(range(1, 41))
    assert NumberSeries.objects.get().next == 41


def test_eight_at_once_bill_overlapping_pages_once() -> None:
    version = books.starter()
    ids = [books.customer(version).pk for _ in range(40)]
    first = iter(range(8))

    def bill_from() -> Outcome:
        offset = next(first)
        return issue.bill_page(
            first_id=ids[offset * 4], last_id=ids[-1 - offset], month=OCTOBER, now=NOW
        )

    outcomes = at_once(bill_from, 8)

    assert sum(outcome.invoiced for outcome in outcomes) == 40
    assert books.numbers() == list(range(1, 41))


def test_eight_workers_and_planners_at_once_bill_every_month_once(
    settings: Any,
) -> None:
    settings.BILLING_PAGE = 5
    version = books.starter()
    since = OCTOBER.plus(-2).first_day
    for _ in range(20):
        books.customer(version, since=since)

    def tick() -> None:
        runs.plan(NOW)
        work.run_due([work.DEFAULT_QUEUE])

    with clock.fixed_at(NOW):
        at_once(tick, 8)
        tick()

    assert BilledMonth.objects.count() == 60
    assert books.numbers() == list(range(1, 61))


def test_the_unique_constraints_judge_where_no_lock_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    version = books.starter()
    for _ in range(10):
        books.customer(version)
    due_ids = due.due_ids
    both_have_read = threading.Barrier(2)

    def unlocked(*args: Any, lock: bool) -> list[int]:
        ids: list[int] = due_ids(*args, lock=False)
        return ids

    first_judge = issue.judge
    waited = threading.local()

    def judge(*args: Any) -> issue.Judged:
        judged = first_judge(*args)
        if not getattr(waited, "once", False):
            waited.once = True
            both_have_read.wait()
        return judged

    monkeypatch.setattr(due, "due_ids", unlocked)
    monkeypatch.setattr(issue, "judge", judge)

    outcomes = at_once(books.bill, 2)

    assert sum(outcome.invoiced for outcome in outcomes) == 10
    assert sum(outcome.parked for outcome in outcomes) == 0
    assert books.numbers() == list(range(1, 11))


def test_two_who_park_the_same_organisation_park_it_once() -> None:
    books.starter()
    organisation = books.customer(None)

    parked = at_once(
        lambda: park.park(
            organisation_id=organisation.pk,
            month=OCTOBER,
            reason=ParkReason.FAILED,
            detail="",
            now=NOW,
        ),
        4,
    )

    assert sorted(parked) == [False, False, False, True]


def test_a_crash_at_any_point_leaves_a_page_complete_or_not_begun() -> None:
    version = books.starter()
    for _ in range(3):
        books.customer(version, calls=150_000)
    before_commit = after_commit = 0

    for point in range(1, 200):
        killed = crash_at(point, books.bill)
        invoices = Invoice.objects.count()
        assert invoices in {0, 3}
        assert BilledMonth.objects.count() == invoices
        assert sum(invoice.line_count for invoice in Invoice.objects.all()) == 2 * invoices
        assert killed
        if invoices:
            after_commit += 1
            break
        before_commit += 1

    # Fifteen statements and COPYs, before and after each, and once before the commit.
    assert before_commit >= 31
    assert after_commit == 1
    assert books.bill() == Outcome()
    assert books.numbers() == [1, 2, 3]
    assert NumberSeries.objects.get().next == 4

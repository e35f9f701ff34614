"""When which month is billed, and by whom: the planner, and a run here and now. Rule: R1, B-01."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from queue import SimpleQueue
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, transaction

from billing import jobs
from billing.enums import RunState
from billing.models import MonthRun
from billing.queries import due
from billing.queries.due import Block, Pages
from billing.services import issue
from billing.services.issue import Outcome
from core.months import BillingMonth
from core.work import Piece
from plans import queries as plans

Progress = Callable[[int, int], None]


class MonthNotOver(ValueError):
    """The month has not ended yet in the billing time zone."""


class InGrace(ValueError):
    """The month is over, but late usage is still waited for until `until`."""

    def __init__(self, until: datetime) -> None:
        super().__init__(until)
        self.until = until


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run here and now did. `behind`: whether somebody's earlier month is still unbilled."""

    outcome: Outcome
    behind: BillingMonth | None


@transaction.atomic
def plan(now: datetime) -> BillingMonth | None:
    """Ask for the pages of the lowest month that anybody is to be billed for; return the month.

    From state alone, so that it may come twice, late or from two places at once. Runs whose
    organisations are all billed or parked are done. Rule: R1, B-01.
    """
    try:
        zone = plans.vendor_zone()
    except plans.NoVendor:
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('billing.plan'), 0)")
    pages = _next(now, zone)
    _end_runs(before=pages.month if pages else None, now=now)
    if pages is None:
        return None
    _begin_run(pages.month, now)
    jobs.BILL_PAGE.enqueue_all([_piece(pages.month, block) for block in pages.blocks], due_at=now)
    return pages.month


def run_month(month: BillingMonth, *, now: datetime, on_progress: Progress, hands: int = 1) -> Ran:
    """Bill everybody's `month` here and now; what is billed already is left alone.

    `on_progress` is told how many organisations are done, and of how many. Organisations whose
    earlier month is not billed wait for it. With several `hands` one page is made while the
    database stores another. Raises MonthNotOver, InGrace, NoVendor. Rule: B-01.
    """
    zone = plans.vendor_zone()
    check_due(month, zone, now)
    blocks = due.blocks_of(month, settings.BILLING_PAGE)
    total = sum(block.organisations for block in blocks)
    if blocks:
        with transaction.atomic():
            _begin_run(month, now)
    outcome = Outcome()
    for page in _billed(blocks, month, now, hands):
        outcome += page
        on_progress(outcome.total, total)
    pages = _next(now, zone)
    with transaction.atomic():
        _end_runs(before=pages.month if pages else None, now=now)
    behind = pages.month if pages and pages.month <= month else None
    return Ran(outcome, behind)


def _billed(
    blocks: Sequence[Block], month: BillingMonth, now: datetime, hands: int
) -> Iterator[Outcome]:
    """Yield what became of each block, as it is done; after a failure no other one is begun."""
    if hands == 1:
        for block in blocks:
            yield _bill_block(block, month, now)
        return
    waiting = deque(blocks)
    done: SimpleQueue[Outcome | Exception] = SimpleQueue()
    with ThreadPoolExecutor(hands) as pool:
        for _ in range(hands):
            pool.submit(_take_blocks, waiting, done, month, now)
        try:
            for _ in blocks:
                outcome = done.get()
                if isinstance(outcome, Exception):
                    raise outcome
                yield outcome
        finally:
            waiting.clear()


def _take_blocks(
    waiting: deque[Block],
    done: SimpleQueue[Outcome | Exception],
    month: BillingMonth,
    now: datetime,
) -> None:
    """Bill blocks until none waits, on a connection of this thread's own."""
    try:
        while block := _next_of(waiting):
            done.put(_bill_block(block, month, now))
    except Exception as fault:  # noqa: BLE001 (raised where the blocks were handed out)
        done.put(fault)
    finally:
        connection.close()


def _next_of(waiting: deque[Block]) -> Block | None:
    try:
        return waiting.popleft()
    except IndexError:
        return None


def _bill_block(block: Block, month: BillingMonth, now: datetime) -> Outcome:
    return issue.bill_page(first_id=block.first_id, last_id=block.last_id, month=month, now=now)


def check_due(month: BillingMonth, zone: ZoneInfo, now: datetime) -> None:
    """Refuse a month that is not to be billed yet. Raises MonthNotOver, InGrace."""
    check_over(month, zone, now)
    until = month.ends_at(zone) + settings.BILLING_GRACE
    if now < until:
        raise InGrace(until)


def check_over(month: BillingMonth, zone: ZoneInfo, now: datetime) -> None:
    """Refuse a month that has not ended. Raises MonthNotOver."""
    if now < month.ends_at(zone):
        raise MonthNotOver(month)


def _next(now: datetime, zone: ZoneInfo) -> Pages | None:
    last = due.last_over_month(now, zone, settings.BILLING_GRACE)
    return due.next_pages(last, settings.BILLING_PAGE)


def _begin_run(month: BillingMonth, now: datetime) -> None:
    run, _ = MonthRun.objects.get_or_create(month=month.first_day, defaults={"started_at": now})
    if run.state == RunState.DONE:
        MonthRun.objects.filter(pk=run.pk).update(state=RunState.RUNNING, finished_at=None)


def _end_runs(*, before: BillingMonth | None, now: datetime) -> None:
    """End every run, or those of the months before the one that is still to be billed."""
    running = MonthRun.objects.filter(state=RunState.RUNNING)
    if before is not None:
        running = running.filter(month__lt=before.first_day)
    running.update(state=RunState.DONE, finished_at=now)


def _piece(month: BillingMonth, block: Block) -> Piece:
    return Piece(
        f"{month}:{block.first_id}-{block.last_id}",
        {"month": str(month), "first_id": block.first_id, "last_id": block.last_id},
    )

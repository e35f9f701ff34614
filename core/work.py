"""Due work: rows are the truth, messages only wake. Rule: R1, R2, R12.

A room names its jobs in `jobs.py` and carries them out in `tasks.py`:

    BILL_PAGE = Job("billing.bill_page")                       # billing/jobs.py
    jobs.BILL_PAGE.enqueue(key="2026-10:1", due_at=now, …)      # in a service's transaction

    @handles(jobs.BILL_PAGE)                                    # billing/tasks.py
    def bill_page(payload: Payload, now: datetime) -> None: …

A handler may run again at any time: it returns (done), raises `NotYet` (again, later), `Passing` (a
fault outside that will pass) or `Park` (a person must look). A passing fault, of the database too, is
tried again with back-off; everything else parks the work with its reason, and is never dropped.
"""

import logging
import time
import traceback
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Case, F, Min, QuerySet, Value, When
from kombu.exceptions import OperationalError as BrokerUnreachable

from core import audit, canonical, clock
from core.canonical import Json
from core.enums import WorkState
from core.models import Heartbeat, Work

log = logging.getLogger(__name__)

Payload = Mapping[str, Json]
Handler = Callable[[Payload, datetime], None]
Planner = Callable[[datetime], None]

DEFAULT_QUEUE = "default"
PDF_QUEUE = "pdf"
# Calls to other companies: one that is slow keeps nobody else waiting.
GATEWAY_QUEUE = "gateway"
QUEUES = (DEFAULT_QUEUE, PDF_QUEUE, GATEWAY_QUEUE)
TICK = "tick"
MAX_ATTEMPTS = 8
# More wake-ups than this do not bring more hands.
WAKES = 16
# Seconds for which a broker that was away is not tried again.
BROKER_PATIENCE = 30.0
KEEP_DONE = timedelta(days=30)

_handlers: dict[str, Handler] = {}
_followers: dict[str, Planner] = {}
_planners: list[Planner] = []
_wakers: dict[str, Callable[[], None]] = {}
_broker_away_until = 0.0


class Park(Exception):
    """This work cannot be done without a person; the message says why."""


class NotYet(Exception):
    """This work is not to be done before `due_at`."""

    def __init__(self, due_at: datetime) -> None:
        super().__init__(due_at)
        self.due_at = due_at


class Passing(Exception):
    """A fault outside that will pass; the work is tried again with back-off, and parked at the end."""


class ReasonMissing(ValueError):
    """What staff do to parked work needs a reason that can be read later."""


class OutsideTransaction(RuntimeError):
    """Work was asked for outside the transaction of the change that needs it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of work to ask for: its key among its kind, and what its handler is told."""

    key: str
    payload: Payload | None = None
    organisation_id: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """The name of a kind of work, and the queue it waits in."""

    kind: str
    queue: str = DEFAULT_QUEUE

    def enqueue(
        self,
        *,
        key: str,
        due_at: datetime,
        payload: Payload | None = None,
        organisation_id: int | None = None,
    ) -> None:
        """Ask for this work once per `key`, with the caller's transaction. Raises OutsideTransaction.

        Work that is waiting stays as it is; work that was done is due again; work that is being
        done now is done once more afterwards. Parked work stays parked until staff release it.
        """
        self.enqueue_all([Piece(key, payload, organisation_id)], due_at=due_at)

    def enqueue_all(self, pieces: Sequence[Piece], *, due_at: datetime) -> None:
        """Ask for many pieces in one statement, each as `enqueue` does. Raises OutsideTransaction.

        Who may ask for the same pieces at once gives them in the same order.
        """
        if not connection.in_atomic_block:
            raise OutsideTransaction(self.kind)
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO core_work AS w (kind, key, queue, payload, organisation_id, state, due_at,
                    again, attempts, reason, owner, created_at)
                SELECT %(kind)s, p.key, %(queue)s, p.payload, p.organisation_id, 'due', %(due_at)s,
                    false, 0, '', '', %(due_at)s
                FROM unnest(%(keys)s::text[], %(payloads)s::jsonb[], %(organisations)s::bigint[])
                    WITH ORDINALITY AS p (key, payload, organisation_id, position)
                ORDER BY p.position
                ON CONFLICT (kind, key) DO UPDATE SET
                    again = w.state = 'due' AND w.lease_until IS NOT NULL,
                    state = 'due', ended_at = NULL, payload = EXCLUDED.payload,
                    attempts = CASE WHEN w.state = 'due' THEN w.attempts ELSE 0 END,
                    due_at = CASE WHEN w.state = 'due' THEN LEAST(w.due_at, EXCLUDED.due_at)
                                  ELSE EXCLUDED.due_at END
                WHERE w.state <> 'parked'
                """,
                {
                    "kind": self.kind,
                    "queue": self.queue,
                    "due_at": due_at,
                    "keys": [piece.key for piece in pieces],
                    "payloads": [_json(piece.payload or {}) for piece in pieces],
                    "organisations": [piece.organisation_id for piece in pieces],
                },
            )
        _wake_after_commit(self.queue, len(pieces))


def handles(job: Job, *, then: Planner | None = None) -> Callable[[Handler], Handler]:
    """Name the function that does this kind of work.

    `then` is called when a piece is done and no other piece of the kind is due, so that what
    follows need not wait for the next tick. It may be called twice, or not at all: what it does
    is also found by a planner.
    """

    def register(handler: Handler) -> Handler:
        _handlers[job.kind] = handler
        if then is not None:
            _followers[job.kind] = then
        return handler

    return register


def plans_work(planner: Planner) -> Planner:
    """Name a function that finds what has become due, from state alone, and enqueues it."""
    _planners.append(planner)
    return planner


def wake(queue: str) -> None:
    """Tell a worker to look. A broker that is away costs little: `tick` looks every minute. Rule: F21."""
    global _broker_away_until
    if not settings.WAKE_WORKERS or time.monotonic() < _broker_away_until:
        return
    try:
        current_app.send_task("core.look", queue=queue, retry=False, ignore_result=True)
    except BrokerUnreachable:
        # Finding out takes seconds: not again for every page of a month end.
        _broker_away_until = time.monotonic() + BROKER_PATIENCE
        log.warning("the broker is away; work waits for the next tick", extra={"queue": queue})


def _wake_after_commit(queue: str, pieces: int) -> None:
    waker = _wakers.setdefault(queue, partial(wake, queue))
    asked = sum(1 for _, registered, *_ in connection.run_on_commit if registered is waker)
    for _ in range(min(pieces, WAKES - asked)):
        transaction.on_commit(waker)


def plan(now: datetime) -> None:
    """Let every room enqueue what has become due by `now`; a room that fails does not stop others."""
    for planner in _planners:
        try:
            planner(now)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            log.exception("WORK_PLANNER_FAILED %s.%s", planner.__module__, planner.__name__)
    beat(TICK, now)


def run_due(
    queues: Iterable[str] = QUEUES, *, limit: int | None = None, seconds: float | None = None
) -> int:
    """Do what is due in `queues` until nothing is; return how many pieces were taken up.

    No further piece is taken up after `limit` of them, or after `seconds`.
    """
    done = 0
    began = time.monotonic()
    while (limit is None or done < limit) and (
        seconds is None or time.monotonic() - began < seconds
    ):
        item = _claim(tuple(queues), clock.now())
        if item is None:
            return done
        _do(item)
        done += 1
    return done


def is_due(job: Job) -> bool:
    """Return whether any piece of this kind waits or is being done."""
    return Work.objects.filter(kind=job.kind, state=WorkState.DUE).exists()


def was_asked(job: Job, key: str) -> bool:
    """Return whether a piece of this key was asked for in the last month, whatever became of it."""
    return Work.objects.filter(kind=job.kind, key=key).exists()


def due_count(queue: str, now: datetime) -> int:
    """Return how many pieces of work in `queue` are due and in nobody's hands."""
    return _due(now).filter(queue=queue).count()


def oldest_due_at(queue: str, now: datetime) -> datetime | None:
    """Return since when the oldest piece of a queue that nobody has taken up has been due."""
    oldest: datetime | None = _due(now).filter(queue=queue).aggregate(at=Min("due_at"))["at"]
    return oldest


def last_beat(name: str) -> datetime | None:
    """Return when `name` was last at work, if it ever was."""
    return Heartbeat.objects.filter(name=name).values_list("at", flat=True).first()


@transaction.atomic
def release(work_id: int, *, actor: str, reason: str, now: datetime) -> bool:
    """Make parked work due again, for a reason that the trail keeps; return whether it was parked.

    Raises ReasonMissing. Rule: R12, R15.
    """
    if not reason.strip():
        raise ReasonMissing
    work = Work.objects.select_for_update().filter(pk=work_id, state=WorkState.PARKED).first()
    if work is None:
        return False
    Work.objects.filter(pk=work_id).update(
        state=WorkState.DUE, ended_at=None, due_at=now, attempts=0, reason="", owner=""
    )
    audit.record(
        actor=actor,
        action="work.released",
        subject=f"work:{work_id}",
        at=now,
        details={"kind": work.kind, "key": work.key, "reason": reason.strip()},
    )
    transaction.on_commit(lambda: wake(work.queue))
    return True


def forget_done(now: datetime) -> None:
    """Delete the rows of work that was done long ago; parked work stays."""
    Work.objects.filter(state=WorkState.DONE, ended_at__lt=now - KEEP_DONE).delete()


def beat(name: str, now: datetime) -> None:
    """Note that `name` was at work at `now`."""
    Heartbeat.objects.update_or_create(name=name, defaults={"at": now})


def _json(payload: Payload) -> str:
    return canonical.dumps(dict(payload)).decode()


def _due(now: datetime) -> QuerySet[Work]:
    return Work.objects.filter(state=WorkState.DUE, due_at__lte=now).exclude(lease_until__gte=now)


def _claim(queues: tuple[str, ...], now: datetime) -> Work | None:
    lease = now + timedelta(seconds=settings.WORK_LEASE_SECONDS)
    claimed = Work.objects.raw(
        """
        UPDATE core_work SET lease_until = %s, lease_token = %s, attempts = attempts + 1, again = false
        WHERE id = (
            SELECT id FROM core_work
            WHERE state = 'due' AND queue = ANY(%s) AND due_at <= %s
              AND (lease_until IS NULL OR lease_until < %s)
            ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING *
        """,
        [lease, uuid.uuid4(), list(queues), now, now],
    )
    return next(iter(claimed), None)


def _do(item: Work) -> None:
    handler = _handlers.get(item.kind)
    now = clock.now()
    if item.attempts > MAX_ATTEMPTS:
        _park(item, f"gave up after {MAX_ATTEMPTS} tries: {item.reason}", now)
        return
    if handler is None:
        # While releases are exchanged, another worker may know it.
        log.error("WORK_UNKNOWN kind=%s key=%s", item.kind, item.key)
        _retry(item, now, f"no handler for {item.kind}; is an older release at work?")
        return
    try:
        handler(item.payload, now)
    except NotYet as later:
        _wait(item, later.due_at)
    except Park as parked:
        _park(item, str(parked), now)
    except Passing as fault:
        log.warning("work is tried again: %s", fault, extra={"kind": item.kind, "key": item.key})
        _retry(item, now, str(fault))
    except (OperationalError, InterfaceError) as fault:
        connection.close_if_unusable_or_obsolete()
        log.warning("work is tried again: %s", fault, extra={"kind": item.kind, "key": item.key})
        _retry(item, now, str(fault))
    except Exception as error:
        log.exception("work failed", extra={"kind": item.kind, "key": item.key})
        _park(item, f"{error!r}\n{traceback.format_exc(limit=-5)}", now)
    else:
        _finish(item, clock.now())
        _follow(item, now)


def _follow(item: Work, now: datetime) -> None:
    follower = _followers.get(item.kind)
    if follower is not None and not is_due(Job(item.kind)):
        try:
            follower(now)
        except Exception:
            log.exception("WORK_PLANNER_FAILED %s.%s", follower.__module__, follower.__name__)


def _update(item: Work, **values: Any) -> None:
    """Write how a piece of work ended, unless its lease ended before and another has it now."""
    if not Work.objects.filter(pk=item.pk, lease_token=item.lease_token).update(**values):
        log.error("WORK_OUTLIVED_ITS_LEASE kind=%s key=%s", item.kind, item.key)


def _finish(item: Work, now: datetime) -> None:
    _update(
        item,
        state=Case(When(again=True, then=Value(WorkState.DUE)), default=Value(WorkState.DONE)),
        ended_at=Case(When(again=True, then=None), default=Value(now)),
        lease_until=None,
        again=False,
        attempts=0,
        reason="",
    )


def _wait(item: Work, due_at: datetime) -> None:
    """Put off work that is in order; being asked for again meanwhile goes first."""
    asked_again = When(again=True, then=F("due_at"))
    _update(
        item,
        due_at=Case(asked_again, default=Value(due_at)),
        lease_until=None,
        again=False,
        attempts=0,
        reason="",
    )


def _retry(item: Work, now: datetime, reason: str) -> None:
    due_at = now + timedelta(seconds=min(5 * 2**item.attempts, 3600))
    _update(item, due_at=due_at, lease_until=None, reason=_kept(reason))


def _park(item: Work, reason: str, now: datetime) -> None:
    log.error("BILLING_PARKED kind=%s key=%s org=%s", item.kind, item.key, item.organisation_id)
    _update(
        item,
        state=WorkState.PARKED,
        ended_at=now,
        lease_until=None,
        again=False,
        reason=_kept(reason) or "unknown",
        owner="operations",
    )


def _kept(reason: str) -> str:
    """Return a reason as the database can hold it: no NUL, no half of a surrogate pair."""
    return (
        reason.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()[:4000]
    )

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from celery import current_app
from django.db import OperationalError, connection, transaction
from django.test import override_settings
from kombu.exceptions import OperationalError as BrokerUnreachable

from core import clock, work
from core.enums import WorkState
from core.models import Heartbeat, Work
from core.work import DEFAULT_QUEUE, Job, NotYet, Park, Payload, Piece
from tests.make import NOW

JOB = Job("test.job")
SOON = timedelta(seconds=1)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _handlers_of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "_handlers", {})
    monkeypatch.setattr(work, "_followers", {})
    monkeypatch.setattr(work, "_planners", [])


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with clock.fixed_at(NOW):
        yield


def handle(handler: Callable[[Payload, datetime], None]) -> None:
    work.handles(JOB)(handler)


def handle_into(done: list[Payload]) -> None:
    def handler(payload: Payload, now: datetime) -> None:
        done.append(dict(payload))

    handle(handler)


def nothing(payload: Payload, now: datetime) -> None:
    """Do work that leaves no trace."""


def only() -> Work:
    return Work.objects.get()


def test_work_is_done_once_and_leaves_a_row_that_says_so() -> None:
    done: list[Payload] = []
    handle_into(done)
    JOB.enqueue(key="a", due_at=NOW, payload={"n": 1})

    assert work.run_due() == 1
    assert work.run_due() == 0

    assert done == [{"n": 1}]
    assert (only().state, only().ended_at, only().lease_until) == (WorkState.DONE, NOW, None)


def test_work_waits_until_it_is_due_and_for_its_queue() -> None:
    done: list[Payload] = []
    handle_into(done)
    JOB.enqueue(key="later", due_at=NOW + SOON)

    assert work.run_due() == 0
    with clock.fixed_at(NOW + SOON):
        assert work.run_due(["pdf"]) == 0
        assert work.run_due([DEFAULT_QUEUE]) == 1


@pytest.mark.django_db(transaction=True)
def test_work_is_asked_for_only_within_the_transaction_of_the_change() -> None:
    with pytest.raises(work.OutsideTransaction):
        JOB.enqueue(key="a", due_at=NOW)

    assert not Work.objects.exists()


def test_asking_twice_is_asking_once_at_the_earlier_time() -> None:
    JOB.enqueue(key="a", due_at=NOW + SOON)
    JOB.enqueue(key="a", due_at=NOW)
    JOB.enqueue(key="a", due_at=NOW + 2 * SOON)

    assert only().due_at == NOW


def test_many_pieces_are_asked_for_in_one_statement(
    django_assert_num_queries: Callable[..., object],
) -> None:
    with django_assert_num_queries(1):  # type: ignore[attr-defined]
        JOB.enqueue_all([Piece(str(n), {"n": n}) for n in range(500)], due_at=NOW)

    assert Work.objects.count() == 500


def test_work_asked_for_while_it_is_done_is_done_once_more() -> None:
    done: list[int] = []

    def handler(payload: Payload, now: datetime) -> None:
        done.append(len(done))
        if len(done) == 1:
            JOB.enqueue(key="a", due_at=NOW)

    handle(handler)
    JOB.enqueue(key="a", due_at=NOW)

    assert work.run_due() == 2
    assert (done, only().state) == ([0, 1], WorkState.DONE)


def test_done_work_that_is_asked_for_again_is_due_again() -> None:
    done: list[Payload] = []
    handle_into(done)
    JOB.enqueue(key="a", due_at=NOW, payload={"n": 1})
    work.run_due()

    JOB.enqueue(key="a", due_at=NOW, payload={"n": 2})
    work.run_due()

    assert done == [{"n": 1}, {"n": 2}]


def test_a_lease_that_ended_lets_another_take_over() -> None:
    done: list[Payload] = []
    handle_into(done)
    JOB.enqueue(key="a", due_at=NOW)
    lost = work._claim((DEFAULT_QUEUE,), NOW)
    assert lost is not None

    with override_settings(WORK_LEASE_SECONDS=300):
        assert work.run_due() == 0
        with clock.fixed_at(NOW + timedelta(seconds=301)):
            assert work.run_due() == 1

    assert len(done) == 1
    assert only().state == WorkState.DONE


def test_who_outlives_a_lease_changes_nothing_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def handler(payload: Payload, now: datetime) -> None:
        Work.objects.update(lease_until=now - SOON)
        other = work._claim((DEFAULT_QUEUE,), now)
        assert other is not None

    handle(handler)
    JOB.enqueue(key="a", due_at=NOW)

    work.run_due(limit=1)

    assert (only().state, only().attempts) == (WorkState.DUE, 2)
    assert "WORK_OUTLIVED_ITS_LEASE kind=test.job key=a" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_passing_fault_is_tried_again_with_back_off_and_an_end() -> None:
    handle(_raise(OperationalError("the database is away")))
    with transaction.atomic():
        JOB.enqueue(key="a", due_at=NOW)
    tried_at = []

    now = NOW
    while only().state == WorkState.DUE:
        with clock.fixed_at(now):
            assert work.run_due() == 1
        tried_at.append(int((now - NOW).total_seconds()))
        now = only().due_at

    assert tried_at == [0, 10, 30, 70, 150, 310, 630, 1270, 2550]
    assert only().state == WorkState.PARKED
    assert only().reason == "gave up after 8 tries: the database is away"


def test_work_that_fails_is_parked_with_its_reason_and_the_next_one_is_done(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done: list[str] = []

    def handler(payload: Payload, now: datetime) -> None:
        if payload["bad"]:
            raise ValueError("no such thing")
        done.append("good")

    handle(handler)
    JOB.enqueue(key="bad", due_at=NOW, payload={"bad": True}, organisation_id=7)
    JOB.enqueue(key="good", due_at=NOW, payload={"bad": False})

    assert work.run_due() == 2
    parked = Work.objects.get(key="bad")
    assert (parked.state, parked.owner) == (WorkState.PARKED, "operations")
    assert parked.reason.startswith("ValueError('no such thing')\nTraceback")
    assert done == ["good"]
    assert "BILLING_PARKED kind=test.job key=bad org=7" in caplog.text


def test_parked_work_stays_until_staff_release_it() -> None:
    handle(_raise(Park("look at it")))
    JOB.enqueue(key="a", due_at=NOW)
    work.run_due()
    JOB.enqueue(key="a", due_at=NOW)
    assert (only().state, only().reason) == (WorkState.PARKED, "look at it")

    done: list[Payload] = []
    handle_into(done)
    assert work.release(only().pk, actor="user:1", reason="looked at", now=NOW)
    assert not work.release(only().pk, actor="user:1", reason="looked at", now=NOW)
    work.run_due()

    assert len(done) == 1


def test_a_reason_that_no_database_can_hold_parks_its_work_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    handle(_raise(ValueError("half of \ud800 and \0")))
    JOB.enqueue(key="a", due_at=NOW)

    # Nothing is logged here: a report with half a surrogate pair cannot be sent between processes.
    with caplog.at_level(logging.CRITICAL + 1, "core.work"):
        work.run_due()

    assert only().state == WorkState.PARKED
    assert "half of" in only().reason


def test_putting_off_is_no_failed_try() -> None:
    handle(_raise(NotYet(NOW + SOON)))
    JOB.enqueue(key="a", due_at=NOW)

    for _ in range(work.MAX_ATTEMPTS + 2):
        with clock.fixed_at(only().due_at):
            work.run_due(limit=1)

    assert (only().state, only().due_at, only().attempts) == (WorkState.DUE, NOW + SOON, 0)


def test_work_of_an_unknown_kind_is_kept_for_a_release_that_knows_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    JOB.enqueue(key="a", due_at=NOW)

    work.run_due()

    assert only().state == WorkState.DUE
    assert "WORK_UNKNOWN kind=test.job" in caplog.text
    done: list[Payload] = []
    handle_into(done)
    with clock.fixed_at(only().due_at):
        work.run_due()
    assert len(done) == 1


def test_what_follows_is_called_when_the_last_piece_of_the_kind_is_done() -> None:
    left: list[int] = []

    def follow(now: datetime) -> None:
        left.append(Work.objects.filter(state=WorkState.DUE).count())

    work.handles(JOB, then=follow)(nothing)
    JOB.enqueue_all([Piece("a"), Piece("b"), Piece("c")], due_at=NOW)

    work.run_due()

    assert left == [0]


def test_what_follows_may_fail_without_harm(caplog: pytest.LogCaptureFixture) -> None:
    work.handles(JOB, then=_raise_at(ValueError("no")))(nothing)
    JOB.enqueue(key="a", due_at=NOW)

    work.run_due()

    assert only().state == WorkState.DONE
    assert "WORK_PLANNER_FAILED" in caplog.text


def test_a_planner_that_fails_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    planned: list[datetime] = []
    work.plans_work(_raise_at(ValueError("no")))
    work.plans_work(planned.append)

    work.plan(NOW)

    assert planned == [NOW]
    assert Heartbeat.objects.get(name="tick").at == NOW
    assert "WORK_PLANNER_FAILED" in caplog.text


def test_a_transaction_wakes_sixteen_workers_at_most(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Callable[..., object]
) -> None:
    woken: list[str] = []
    monkeypatch.setattr(work, "wake", woken.append)
    monkeypatch.setattr(work, "_wakers", {})

    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[attr-defined]
        JOB.enqueue_all([Piece(str(n)) for n in range(10)], due_at=NOW)
        JOB.enqueue_all([Piece(str(n)) for n in range(10, 40)], due_at=NOW)

    assert woken == [DEFAULT_QUEUE] * 16


def test_a_broker_that_is_away_is_not_tried_for_each_piece(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried: list[str] = []

    def refuse(name: str, **options: object) -> None:
        tried.append(name)
        raise BrokerUnreachable

    monkeypatch.setattr(work, "_broker_away_until", 0.0)
    monkeypatch.setattr(current_app, "send_task", refuse)
    with override_settings(WAKE_WORKERS=True):
        for _ in range(5):
            work.wake(DEFAULT_QUEUE)

    assert tried == ["core.look"]
    assert caplog.text.count("the broker is away") == 1


@pytest.mark.parametrize(
    ("limit", "seconds", "taken"),
    [
        pytest.param(3, None, 3, id="pieces"),
        pytest.param(None, 0.0, 0, id="seconds"),
    ],
)
def test_a_look_is_bounded(limit: int | None, seconds: float | None, taken: int) -> None:
    handle(nothing)
    JOB.enqueue_all([Piece(str(n)) for n in range(5)], due_at=NOW)

    assert work.run_due(limit=limit, seconds=seconds) == taken
    assert work.due_count(DEFAULT_QUEUE, NOW) == 5 - taken


def test_what_was_done_long_ago_is_forgotten_and_what_is_parked_is_not() -> None:
    handle(nothing)
    JOB.enqueue(key="done", due_at=NOW)
    work.run_due()
    handle(_raise(Park("why")))
    JOB.enqueue(key="parked", due_at=NOW)
    work.run_due()

    work.forget_done(NOW + work.KEEP_DONE + SOON)

    assert only().key == "parked"


@pytest.mark.django_db(transaction=True)
def test_eight_workers_share_the_work_and_do_each_piece_once() -> None:
    done: list[Payload] = []
    handle_into(done)
    with transaction.atomic():
        JOB.enqueue_all([Piece(str(n), {"n": n}) for n in range(200)], due_at=NOW)

    def worker() -> None:
        try:
            while work.run_due():
                pass
        finally:
            connection.close()

    workers = [threading.Thread(target=worker) for _ in range(8)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()

    assert sorted(int(str(payload["n"])) for payload in done) == list(range(200))
    assert set(Work.objects.values_list("state", flat=True)) == {WorkState.DONE}


def _raise(error: Exception) -> Callable[[Payload, datetime], None]:
    def handler(payload: Payload, now: datetime) -> None:
        raise error

    return handler


def _raise_at(error: Exception) -> Callable[[datetime], None]:
    def planner(now: datetime) -> None:
        raise error

    return planner

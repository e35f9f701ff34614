"""The vendor's product is told when what may be used changes, by act and by date. Rule: R2, docs/api.md."""

import json
import threading
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection, transaction

from accounts.enums import Role
from accounts.models import Organisation
from core import webhooks, work
from core.models import WebhookDelivery
from core.months import start_of_day
from ordering.services import borders
from payments.enums import Hold
from payments.models import Payable
from payments.services import collecting
from plans.models import MainContract, PlanVersion
from plans.services import selections
from seats.services import accounts, settling
from tests import make
from tests.payments import owing
from tests.seats import customers

pytestmark = pytest.mark.django_db

NOW = make.NOW
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 30, 15, tzinfo=UTC)  # 1 December in Tokyo


@pytest.fixture
def starter() -> PlanVersion:
    make.vendor()
    make.free_plan()
    return make.plan_version()


@pytest.fixture
def aoba(starter: PlanVersion) -> Organisation:
    webhooks.create(label="product", url="http://127.0.0.1:9/", actor=make.ACTOR, now=SINCE)
    return make.organisation(reference="aoba")


def told() -> list[tuple[str, str]]:
    bodies = [
        json.loads(each.body) for each in WebhookDelivery.objects.order_by("organisation_id", "pk")
    ]
    assert {body["event"] for body in bodies} <= {"entitlements.changed"}
    return [(body["organisation"], body["reason"]) for body in bodies]


def owed(organisation: Organisation, number: str) -> Payable:
    return owing.owed(organisation, number=number, due_on=date(2026, 11, 1), hold=Hold.DECLINED)


def pay(payable: Payable) -> None:
    with transaction.atomic():
        payable.refresh_from_db()
        payable.captured = 1_100
        collecting.apply_sums(payable, NOW)


def test_a_plan_that_is_selected_is_told_once(aoba: Organisation, starter: PlanVersion) -> None:
    for _ in range(2):
        selections.select_plan(
            organisation_id=aoba.pk,
            version_id=starter.pk,
            steps=1,
            from_at=SINCE,
            actor=make.ACTOR,
            now=NOW,
        )

    assert told() == [("aoba", "plan")]


def test_a_contract_that_is_stored_is_told(aoba: Organisation, starter: PlanVersion) -> None:
    make.main_contract(aoba, starter, date(2026, 12, 1), now=NOW)

    assert told() == [("aoba", "plan")]


def test_being_overdue_is_told_with_the_first_invoice_and_being_paid_with_the_last(
    aoba: Organisation,
) -> None:
    make.member(aoba)
    first, second, third = (owed(aoba, number) for number in ("S-1", "S-2", "S-3"))

    collecting.mark_overdue(payable_id=first.pk, now=NOW)
    collecting.mark_overdue(payable_id=first.pk, now=NOW)
    collecting.mark_overdue(payable_id=second.pk, now=NOW)
    assert told() == [("aoba", "overdue")]

    pay(third)
    pay(first)
    assert told() == [("aoba", "overdue")]

    pay(second)
    assert told() == [("aoba", "overdue"), ("aoba", "paid")]


def test_what_begins_or_ends_by_date_is_told_exactly_once(
    aoba: Organisation, starter: PlanVersion
) -> None:
    ends, begins, closes, comes, stays = (
        make.organisation(reference=name) for name in ("ends", "begins", "closes", "comes", "stays")
    )
    make.selection(ends, starter, SINCE, MIDNIGHT)
    make.selection(begins, starter, MIDNIGHT)
    make.selection(stays, starter, SINCE)
    Organisation.objects.filter(pk=closes.pk).update(closed_on=date(2026, 12, 1))
    Organisation.objects.filter(pk=comes.pk).update(customer_since=date(2026, 12, 1))
    borders.tell(NOW)

    before = borders.tell(MIDNIGHT - timedelta(seconds=1))
    at = borders.tell(MIDNIGHT)
    after = [borders.tell(MIDNIGHT + timedelta(seconds=each)) for each in (0, 1, 86_400)]

    assert (before, at, after) == (0, 4, [0, 0, 0])
    assert told() == [(name, "date") for name in ("ends", "begins", "closes", "comes")]


def test_a_term_that_follows_another_of_the_same_plan_is_told(
    aoba: Organisation, starter: PlanVersion
) -> None:
    first = make.main_contract(aoba, starter, date(2026, 11, 1), months=1)
    MainContract.objects.create(
        organisation=aoba,
        anchor_on=first.anchor_on,
        months_before=1,
        months=1,
        first_on=first.end_on,
        end_on=date(2027, 1, 1),
        ordered_at=NOW,
        ordered_by=make.ACTOR,
    )
    aoba.selections.exclude(plan_version=starter).delete()
    aoba.selections.filter(plan_version=starter).update(until_at=None)
    WebhookDelivery.objects.all().delete()
    borders.tell(NOW)

    borders.tell(MIDNIGHT)

    assert told() == [("aoba", "date")]


def test_no_tick_for_days_loses_no_border(aoba: Organisation, starter: PlanVersion) -> None:
    make.selection(aoba, starter, SINCE, MIDNIGHT)
    borders.tell(NOW)

    late = borders.tell(MIDNIGHT + timedelta(days=6))

    assert late == 1
    assert told() == [("aoba", "date")]


def test_a_change_at_once_is_not_told_again_by_its_date(
    aoba: Organisation, starter: PlanVersion
) -> None:
    borders.tell(NOW - timedelta(seconds=30))
    selections.select_plan(
        organisation_id=aoba.pk,
        version_id=starter.pk,
        steps=1,
        from_at=NOW,
        actor=make.ACTOR,
        now=NOW,
    )

    again = borders.tell(NOW + timedelta(seconds=30))

    assert again == 0
    assert told() == [("aoba", "plan")]


def test_the_first_look_tells_of_nothing(aoba: Organisation, starter: PlanVersion) -> None:
    make.selection(aoba, starter, SINCE, NOW - timedelta(days=1))

    assert borders.tell(NOW) == 0


def test_nothing_is_looked_for_while_nobody_listens(starter: PlanVersion) -> None:
    organisation = make.organisation()
    make.selection(organisation, starter, SINCE, MIDNIGHT)
    borders.tell(NOW)
    borders.tell(MIDNIGHT)
    webhooks.create(label="product", url="http://127.0.0.1:9/", actor=make.ACTOR, now=MIDNIGHT)

    assert borders.tell(MIDNIGHT + timedelta(minutes=1)) == 0


@pytest.fixture
def many(starter: PlanVersion) -> int:
    webhooks.create(label="product", url="http://127.0.0.1:9/", actor=make.ACTOR, now=SINCE)
    for _ in range(5):
        make.selection(make.organisation(), starter, SINCE, MIDNIGHT)
    borders.tell(NOW)
    return 5


@pytest.mark.django_db(transaction=True)
def test_two_ticks_at_once_tell_of_each_border_once(many: int) -> None:
    ready = threading.Barrier(2)
    counts: list[int] = []

    def look() -> None:
        try:
            ready.wait()
            counts.append(borders.tell(MIDNIGHT))
        finally:
            connection.close()

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts.append(borders.tell(MIDNIGHT + timedelta(seconds=1)))

    assert sum(counts) == many
    assert len(told()) == many


def test_a_tick_looks_for_borders(aoba: Organisation, starter: PlanVersion) -> None:
    make.selection(aoba, starter, SINCE, MIDNIGHT)
    work.plan(NOW)

    work.plan(MIDNIGHT)

    assert told() == [("aoba", "date")]


def test_what_is_done_with_accounts_is_told(aoba: Organisation, starter: PlanVersion) -> None:
    make.selection(aoba, starter, SINCE)
    make.member(aoba)
    before = len(told())
    act = {"organisation_id": aoba.pk, "actor": make.ACTOR, "now": NOW}
    somebody = accounts.register(email="taro@example.com", name="Taro", **act)  # type: ignore[arg-type]
    chosen = {**act, "membership_ids": [somebody.pk]}

    for _ in range(2):
        accounts.set_role(membership_id=somebody.pk, role=Role.MANAGER, **act)  # type: ignore[arg-type]
    for do in (accounts.deactivate, accounts.reactivate, accounts.delete):
        for _ in range(2):
            do(**chosen)  # type: ignore[arg-type]

    assert told()[before:] == [("aoba", "accounts")] * 5


def test_a_spot_contract_that_begins_or_ends_is_told_by_date_and_by_its_work(
    aoba: Organisation, starter: PlanVersion
) -> None:
    make.member(aoba)
    make.main_contract(aoba, starter, date(2026, 11, 1))
    customers.spot(aoba, 100, date(2026, 12, 1), paid_at=NOW)
    make.main_contract(make.organisation(reference="stays"), starter, date(2026, 11, 1))
    borders.tell(NOW)
    WebhookDelivery.objects.all().delete()

    begun = [borders.tell(MIDNIGHT), borders.tell(MIDNIGHT + timedelta(hours=1))]
    ended_at = start_of_day(date(2027, 1, 1), customers.TOKYO)
    settling.settle(organisation_id=aoba.pk, now=ended_at)
    ended = borders.tell(ended_at + timedelta(seconds=1))

    assert (begun, ended) == ([1, 0], 0)
    assert told() == [("aoba", "date"), ("aoba", "accounts")]

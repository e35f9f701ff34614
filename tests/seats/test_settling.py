"""Who leaves when a contract ends: every row of domain.md 3.5, and what may go wrong meanwhile."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Membership, Organisation
from core import work
from core.enums import WorkState
from core.models import AuditEntry, Work
from plans import queries as plans
from plans.models import MainContract, PlanVersion
from plans.rules.timeline import add_licences, renew
from plans.services import contracts
from seats import jobs
from seats.enums import Cause
from seats.models import Deactivation
from seats.queries import capacity
from seats.services import accounts, settling
from spot_orders import services as spot_orders
from spot_orders.models import SpotOrder
from tests import make
from tests.seats import customers
from tests.seats.customers import at
from tests.seats.test_accounts import at_once, sign_in, signed_in

pytestmark = pytest.mark.django_db

ACTOR = make.ACTOR
APRIL, MAY, JUNE = date(2026, 4, 1), date(2026, 5, 1), date(2026, 6, 1)


@pytest.fixture
def root(db: None) -> Membership:
    """A customer with 100 accounts from January on; the root is one of them."""
    return customers.customer(customers.catalogue(accounts_per_step=100, free=10))


def settle(organisation: Organisation, month: int = 5, day: int = 1) -> bool:
    return settling.settle(organisation_id=organisation.pk, now=at(month, day))


def ids(rows: Sequence[Membership]) -> set[int]:
    return {row.pk for row in rows}


def deactivated(organisation: Organisation) -> set[int]:
    return set(
        organisation.memberships.filter(deactivated_at__isnull=False).values_list("pk", flat=True)
    )


def test_a_full_spot_contract_takes_the_newest_with_it(root: Membership) -> None:
    organisation = root.organisation
    customers.people(organisation, 99, at(2, 1))
    ends = customers.spot(organisation, 100, APRIL)
    carried = customers.people(organisation, 100, at(4, 2))

    assert settle(organisation, 4, 30) is False
    assert deactivated(organisation) == set()
    assert settle(organisation) is True

    assert deactivated(organisation) == ids(carried)
    row = Deactivation.objects.get()
    assert {
        "cause": row.cause,
        "spot": row.spot_order_id,
        "main": row.main_contract_id,
        "due_at": row.due_at,
        "numbers": (row.capacity, row.in_use, row.count, row.flagged),
        "window": row.window_from,
        "told": row.told_at,
    } == {
        "cause": Cause.SPOT_END,
        "spot": ends.pk,
        "main": None,
        "due_at": at(5, 1),
        "numbers": (100, 200, 100, 0),
        "window": at(4, 1),
        "told": None,
    }
    assert set(
        organisation.memberships.exclude(deactivated_at=None).values_list(
            "deactivated_at", "deactivation_id"
        )
    ) == {(at(5, 1), row.pk)}
    ends.refresh_from_db()
    assert ends.ended_at == at(5, 1)
    entry = AuditEntry.objects.get(action="accounts.deactivated_by_end")
    assert (entry.chain, entry.details["count"]) == (organisation.pk, 100)


def test_thirty_used_places_take_thirty(root: Membership) -> None:
    customers.people(root.organisation, 99, at(2, 1))
    customers.spot(root.organisation, 100, APRIL)
    carried = customers.people(root.organisation, 30, at(4, 2))

    settle(root.organisation)

    assert deactivated(root.organisation) == ids(carried)


def test_whom_the_main_contract_has_room_for_stays(root: Membership) -> None:
    customers.people(root.organisation, 59, at(2, 1))
    customers.spot(root.organisation, 100, APRIL)
    customers.people(root.organisation, 20, at(4, 2))

    assert settle(root.organisation) is True

    assert deactivated(root.organisation) == set()
    assert not Deactivation.objects.exists()


def test_a_chain_of_spot_contracts_ends_with_its_last(root: Membership) -> None:
    organisation = root.organisation
    customers.spot(organisation, 100, date(2026, 1, 1), 3)
    customers.people(organisation, 99, at(1, 2))
    customers.spot(organisation, 100, date(2026, 2, 1), 3)
    carried = customers.people(organisation, 90, at(1, 20))

    settle(organisation, 4, 1)
    assert deactivated(organisation) == set()
    settle(organisation, 5, 1)

    assert deactivated(organisation) == ids(carried)
    row = Deactivation.objects.get()
    assert (row.window_from, row.flagged) == (at(1, 1), 0)


def test_the_day_of_registration_decides_and_not_the_return(root: Membership) -> None:
    organisation = root.organisation
    old = customers.people(organisation, 1, at(1, 15))
    customers.people(organisation, 98, at(2, 1))
    asked: dict[str, Any] = {"organisation_id": organisation.pk, "actor": ACTOR}
    accounts.deactivate(**asked, membership_ids=ids(old), now=at(3, 1))
    customers.spot(organisation, 100, APRIL)
    carried = customers.people(organisation, 10, at(4, 2))
    accounts.reactivate(**asked, membership_ids=ids(old), now=at(4, 20))

    settle(organisation)

    # 110 are active, 10 too many: the newest, not who came back last.
    assert deactivated(organisation) == ids(carried)


def test_added_licences_stay_when_the_spot_contract_ends(root: Membership) -> None:
    organisation = root.organisation
    customers.spot(organisation, 100, APRIL)
    before = plans.timeline(organisation, now=at(4, 10))
    contracts.store(
        organisation_id=organisation.pk,
        before=before,
        after=add_licences(before, 1, now=at(4, 10), zone=customers.TOKYO),
        action="contract.licences_added",
        details={},
        actor=ACTOR,
        now=at(4, 10),
    )
    customers.people(organisation, 199, at(4, 11))

    settle(organisation)

    assert deactivated(organisation) == set()
    assert capacity.allowed_at(organisation, at(5, 1)) == 200


def test_without_a_renewal_the_free_plan_is_left_and_the_root(root: Membership) -> None:
    organisation = root.organisation
    old = customers.people(organisation, 99, at(2, 1))

    settling.settle(organisation_id=organisation.pk, now=at(1, 1, year=2027))

    assert deactivated(organisation) == ids(old[9:])
    row = Deactivation.objects.get()
    assert (row.cause, row.capacity, row.count, row.flagged) == (Cause.CONTRACT_END, 10, 90, 90)
    assert row.main_contract_id == MainContract.objects.get().pk
    root.refresh_from_db()
    assert root.deactivated_at is None


def test_whom_the_owner_deleted_before_counts_no_more(root: Membership) -> None:
    organisation = root.organisation
    old = customers.people(organisation, 99, at(2, 1))
    customers.spot(organisation, 100, APRIL)
    carried = customers.people(organisation, 30, at(4, 2))
    accounts.delete(
        organisation_id=organisation.pk,
        membership_ids=ids(old[:25]),
        actor=ACTOR,
        now=at(4, 30, 23, 59),
    )

    settle(organisation)

    assert deactivated(organisation) == ids(carried[25:])


def test_two_spot_contracts_that_end_in_one_night_are_one_reckoning(root: Membership) -> None:
    organisation = root.organisation
    customers.people(organisation, 99, at(2, 1))
    customers.spot(organisation, 100, date(2026, 3, 1), 2)
    second = customers.spot(organisation, 100, APRIL)
    carried = customers.people(organisation, 150, at(4, 2))

    settle(organisation)

    assert deactivated(organisation) == ids(carried)
    row = Deactivation.objects.get()
    assert (row.count, row.spot_order_id, row.window_from) == (150, second.pk, at(3, 1))


def test_a_closed_organisation_keeps_its_root_alone(root: Membership) -> None:
    organisation = root.organisation
    old = customers.people(organisation, 20, at(2, 1))
    Organisation.objects.filter(pk=organisation.pk).update(closed_on=MAY)

    assert settle(organisation) is True
    assert settle(organisation) is False

    assert deactivated(organisation) == ids(old)
    row = Deactivation.objects.get()
    assert (row.cause, row.capacity, row.count, row.flagged) == (Cause.CLOSED, 1, 20, 0)
    # Back again, and closed another day: reckoned anew.
    Organisation.objects.filter(pk=organisation.pk).update(closed_on=JUNE)
    assert settle(organisation, 6, 1) is True


def test_a_main_contract_that_goes_on_takes_nobody(root: Membership) -> None:
    customers.people(root.organisation, 99, at(2, 1))
    version = PlanVersion.objects.get(plan__code="starter")
    before = plans.timeline(root.organisation, now=at(12, 1))
    contracts.store(
        organisation_id=root.organisation_id,
        before=before,
        after=renew(
            before,
            plans.terms([version.pk], "JPY")[version.pk],
            steps=1,
            months=12,
            now=at(12, 1),
            zone=customers.TOKYO,
        ),
        action="contract.renewed",
        details={},
        actor=ACTOR,
        now=at(12, 1),
    )

    assert settling.settle(organisation_id=root.organisation_id, now=at(1, 1, year=2027)) is True

    assert deactivated(root.organisation) == set()
    assert MainContract.objects.filter(ended_at=None).count() == 1


def test_who_is_protected_stays_and_who_is_let_go_leaves_first(root: Membership) -> None:
    organisation = root.organisation
    old = customers.people(organisation, 99, at(2, 1))
    customers.spot(organisation, 100, APRIL)
    carried = customers.people(organisation, 3, at(4, 2))
    Membership.objects.filter(pk=carried[2].pk).update(is_protected=True)
    Membership.objects.filter(pk=old[5].pk).update(leave_order=1)
    Membership.objects.filter(pk=old[7].pk).update(leave_order=2)

    settle(organisation)

    # 103 are active; carried[0] and [1] stay in place of those who were let go, one leaves by the rule.
    assert deactivated(organisation) == {old[5].pk, old[7].pk, carried[1].pk}
    assert Deactivation.objects.get().flagged == 2


def test_the_root_stays_though_it_is_the_newest(root: Membership) -> None:
    organisation = root.organisation
    Membership.objects.filter(pk=root.pk).update(registered_at=at(4, 20), leave_order=1)
    customers.spot(organisation, 100, APRIL)
    others = customers.people(organisation, 150, at(4, 2))

    settle(organisation)

    assert deactivated(organisation) == ids(others[99:])


def test_a_second_run_changes_nothing(root: Membership) -> None:
    organisation = root.organisation
    customers.spot(organisation, 100, APRIL)
    customers.people(organisation, 150, at(4, 2))
    settling.plan(at(5, 1))
    work.run_due()
    seen = _everything()

    settling.plan(at(5, 1, 1))
    assert settling.settle_range(first_id=0, last_id=10**9, now=at(5, 1, 1)).settled == 0
    assert settle(organisation) is False

    assert _everything() == seen


def _everything() -> list[object]:
    return [
        list(Membership.objects.order_by("pk").values()),
        list(Deactivation.objects.order_by("pk").values()),
        list(SpotOrder.objects.order_by("pk").values()),
        list(AuditEntry.objects.order_by("pk").values_list("pk", flat=True)),
    ]


def test_a_run_that_is_late_by_several_ends_finds_the_same_people(root: Membership) -> None:
    organisation = root.organisation
    customers.people(organisation, 99, at(2, 1))
    customers.spot(organisation, 100, date(2026, 3, 1), 2)
    customers.spot(organisation, 50, JUNE)
    carried = customers.people(organisation, 100, at(3, 2))

    settle(organisation, 7, 15)

    # June's contract has room for fifty again, but nobody comes back by that.
    assert deactivated(organisation) == ids(carried)
    assert list(
        Deactivation.objects.order_by("due_at").values_list("due_at", "at", "capacity", "count")
    ) == [(at(5, 1), at(7, 15), 100, 100)]


def test_ends_that_leave_less_and_less_are_told_apart(root: Membership) -> None:
    organisation = root.organisation
    customers.spot(organisation, 100, date(2026, 3, 1), 2)
    customers.spot(organisation, 50, date(2026, 3, 1), 3)
    others = customers.people(organisation, 249, at(3, 2))

    settle(organisation, 7, 15)

    assert deactivated(organisation) == ids(others[99:])
    assert list(
        Deactivation.objects.order_by("due_at").values_list("due_at", "capacity", "count")
    ) == [(at(5, 1), 150, 100), (at(6, 1), 100, 50)]


def test_a_spot_contract_paid_after_an_end_does_not_undo_it(root: Membership) -> None:
    """Who pays at 10 o'clock has the places from then on: those who left at midnight stay away."""
    organisation = root.organisation
    customers.people(organisation, 99, at(2, 1))
    customers.spot(organisation, 100, APRIL)
    carried = customers.people(organisation, 30, at(4, 2))
    customers.spot(organisation, 100, MAY, paid_at=at(5, 1, 10))

    settle(organisation, 5, 2)

    assert deactivated(organisation) == ids(carried)
    assert capacity.allowed_at(organisation, at(5, 1, 10)) == 200


def test_a_cut_contract_ends_on_the_day_it_is_cut(root: Membership) -> None:
    organisation = root.organisation
    customers.people(organisation, 99, at(2, 1))
    order = customers.spot(organisation, 100, APRIL, 3)
    carried = customers.people(organisation, 5, at(5, 10, 9))
    spot_orders.cut(
        order_id=order.pk, on=date(2026, 5, 10), reason="withdrawn", actor=ACTOR, now=at(5, 10, 12)
    )

    assert settling.settle(organisation_id=organisation.pk, now=at(5, 10, 12)) is True

    assert deactivated(organisation) == ids(carried)
    # Nobody left before having come.
    assert carried[4].registered_at == Membership.objects.get(pk=carried[4].pk).deactivated_at


def test_sessions_end_with_the_accounts(root: Membership) -> None:
    organisation = root.organisation
    customers.people(organisation, 99, at(2, 1))
    customers.spot(organisation, 100, APRIL)
    carried = customers.people(organisation, 3, at(4, 2))
    other = make.organisation()
    make.member(other)
    Membership.objects.create(
        organisation=other, user=carried[0].user, role="member", registered_at=at(4, 2)
    )
    for each in [root, *carried]:
        sign_in(each.user)

    settle(organisation)

    assert signed_in() == {root.user_id, carried[0].user_id}


def test_an_organisation_that_fails_is_parked_and_the_others_go_on(root: Membership) -> None:
    version = make.plan_version("other", accounts_per_step=100)
    others = [customers.customer(version).organisation for _ in range(4)]
    for each in [root.organisation, *others]:
        customers.spot(each, 100, APRIL)
        customers.people(each, 101, at(4, 2))
    # Data that no service makes: an audit entry whose successor cannot be added.
    _spoil(others[1])

    settling.plan(at(5, 1))
    work.run_due()

    assert {each.pk for each in [root.organisation, *others] if deactivated(each)} == {
        root.organisation_id,
        *(each.pk for each in others if each != others[1]),
    }
    parked = Work.objects.get(state=WorkState.PARKED)
    assert (parked.kind, parked.organisation_id) == (jobs.SETTLE_ALONE.kind, others[1].pk)
    assert "out of range" in parked.reason
    # It waits for a person: the next tick does not try it again.
    settling.plan(at(5, 1, 1))
    assert not Work.objects.filter(state=WorkState.DUE).exists()


def _spoil(organisation: Organisation) -> None:
    """Give an organisation the last number that an entry of its trail can have."""
    last = AuditEntry.objects.filter(chain=organisation.pk).order_by("-seq").first()
    assert last is not None
    AuditEntry.objects.create(
        chain=last.chain,
        seq=2**63 - 1,
        at=last.at,
        actor=last.actor,
        action="spoiled",
        subject=last.subject,
        prev=bytes(last.digest),
        digest=bytes(32),
    )


def test_the_job_asks_as_many_statements_for_many_as_for_one(root: Membership) -> None:
    version = make.plan_version("other", accounts_per_step=100)
    customers.spot(root.organisation, 100, APRIL)
    customers.people(root.organisation, 101, at(4, 2))
    first = _statements(at(5, 1).date())
    for _ in range(3):
        each = customers.customer(version).organisation
        customers.spot(each, 100, MAY)
        customers.people(each, 101, at(5, 2))

    assert _statements(JUNE) == first


def _statements(day: date) -> int:
    with CaptureQueriesContext(connection) as taken:
        settling.settle_range(first_id=0, last_id=10**9, now=at(day.month, day.day))
    return len(taken)


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_deactivate_each_account_once() -> None:
    version = customers.catalogue(accounts_per_step=10)
    organisations = [customers.customer(version).organisation for _ in range(6)]
    for each in organisations:
        customers.spot(each, 10, APRIL)
        customers.people(each, 15, at(4, 2))

    def work_on(number: int) -> str:
        outcome = settling.settle_range(first_id=0, last_id=10**9, now=at(5, 1))
        return str(outcome.deactivated)

    results = at_once(work_on, 4)
    settling.settle_range(first_id=0, last_id=10**9, now=at(5, 1))

    assert sum(map(int, results)) <= 36
    assert [len(deactivated(each)) for each in organisations] == [6] * 6
    assert Deactivation.objects.count() == 6


@pytest.mark.django_db(transaction=True)
def test_a_registration_in_the_second_of_the_end_is_within_what_is_left() -> None:
    """Some read the clock just before midnight, some after; the lock puts them in any order."""
    version = customers.catalogue(accounts_per_step=10)
    organisation = customers.customer(version).organisation
    customers.people(organisation, 9, at(2, 1))
    customers.spot(organisation, 10, APRIL)
    before, after = at(5, 1) - timedelta(milliseconds=1), at(5, 1)

    def act(number: int) -> str:
        if number % 4 == 3:
            settling.settle(organisation_id=organisation.pk, now=after)
            return "settled"
        try:
            accounts.register(
                organisation_id=organisation.pk,
                email=f"late-{number}@example.com",
                name="",
                actor=ACTOR,
                now=before if number % 2 else after,
            )
        except accounts.Full:
            return "full"
        return "registered"

    at_once(act, 12)
    settling.settle(organisation_id=organisation.pk, now=after)

    assert organisation.memberships.filter(deactivated_at=None).count() == 10

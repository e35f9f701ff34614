from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from accounts import services as low
from accounts.enums import Role
from accounts.models import Membership, Organisation, Session, User
from accounts.sessions import SessionStore
from core import audit
from core.models import AuditEntry
from seats.services import accounts
from seats.services.accounts import Full, OfTheRoot, RegisteredBefore
from tests import make
from tests.seats import customers
from tests.seats.customers import at

ACTOR = make.ACTOR
NOW = at(4, 10, 9)


@pytest.fixture
def root(db: None) -> Membership:
    return customers.customer(customers.catalogue())


def register(organisation: Organisation, email: str = "hanako@example.com") -> Membership:
    return accounts.register(
        organisation_id=organisation.pk, email=email, name="Hanako", actor=ACTOR, now=NOW
    )


def sign_in(user: User) -> None:
    session = SessionStore()
    session["_auth_user_id"] = str(user.pk)
    session.save()


def signed_in() -> set[int | None]:
    return set(Session.objects.values_list("user_id", flat=True))


def trail(organisation: Organisation) -> list[str]:
    return list(
        AuditEntry.objects.filter(chain=organisation.pk, action__startswith="membership.")
        .order_by("seq")
        .values_list("action", flat=True)
    )


def test_register_gives_a_place_while_there_is_one(root: Membership) -> None:
    customers.people(root.organisation, 8, at(2, 1))

    tenth = register(root.organisation)

    assert tenth.role == Role.MEMBER
    with pytest.raises(Full) as refused:
        register(root.organisation, "jiro@example.com")
    assert (refused.value.in_use, refused.value.allowed) == (10, 10)
    assert root.organisation.memberships.count() == 10
    assert not User.objects.filter(email="jiro@example.com").exists()


def test_register_takes_the_places_of_a_spot_contract_on_its_days_alone(root: Membership) -> None:
    customers.people(root.organisation, 9, at(2, 1))
    customers.spot(root.organisation, 1, date(2026, 5, 1))
    asked: dict[str, Any] = {"organisation_id": root.organisation_id, "name": "", "actor": ACTOR}

    with pytest.raises(Full):
        accounts.register(**asked, email="a@example.com", now=at(4, 30, 23, 59))
    during = accounts.register(**asked, email="b@example.com", now=at(5, 1))
    with pytest.raises(Full) as after:
        accounts.register(**asked, email="c@example.com", now=at(6, 1))

    assert (after.value.in_use, after.value.allowed) == (10, 10)
    during.refresh_from_db()
    assert during.deactivated_at == at(6, 1)


def test_register_refuses_a_person_who_has_an_account(root: Membership) -> None:
    before = register(root.organisation)

    with pytest.raises(RegisteredBefore) as refused:
        register(root.organisation, "Hanako@Example.com")

    assert refused.value.membership == before


def test_there_is_one_root(root: Membership) -> None:
    asked: dict[str, Any] = {"organisation_id": root.organisation_id, "actor": ACTOR, "now": NOW}
    with pytest.raises(OfTheRoot):
        accounts.register(**asked, email="x@example.com", name="", role=Role.ROOT)
    with pytest.raises(OfTheRoot):
        accounts.deactivate(**asked, membership_ids=[root.pk])
    with pytest.raises(OfTheRoot):
        accounts.delete(**asked, membership_ids=[root.pk])
    with pytest.raises(OfTheRoot):
        accounts.set_role(**asked, membership_id=root.pk, role=Role.MEMBER)
    member = register(root.organisation)
    with pytest.raises(OfTheRoot):
        accounts.set_role(**asked, membership_id=member.pk, role=Role.ROOT)

    root.refresh_from_db()
    member.refresh_from_db()
    assert (root.role, root.deactivated_at, member.role) == (Role.ROOT, None, Role.MEMBER)


def test_deactivate_frees_places_and_ends_sessions(root: Membership) -> None:
    gone, stays = customers.people(root.organisation, 2, at(2, 1))
    for each in (gone, stays):
        sign_in(each.user)

    asked: dict[str, Any] = {"organisation_id": root.organisation_id, "actor": ACTOR, "now": NOW}
    assert accounts.deactivate(**asked, membership_ids=[gone.pk]) == 1
    assert accounts.deactivate(**asked, membership_ids=[gone.pk]) == 0

    gone.refresh_from_db()
    assert (gone.deactivated_at, gone.deactivation_id) == (NOW, None)
    assert signed_in() == {stays.user_id}
    assert accounts.places_left(root.organisation, NOW) == 8
    assert trail(root.organisation)[-1] == "membership.deactivated"


def test_a_session_stays_for_another_account_and_for_staff(root: Membership) -> None:
    elsewhere, staff = customers.people(root.organisation, 2, at(2, 1))
    make.member(make.organisation())
    other = make.organisation()
    make.member(other)
    low.register(
        organisation_id=other.pk, email=elsewhere.user.email, name="", actor=ACTOR, now=NOW
    )
    User.objects.filter(pk=staff.user_id).update(is_staff=True)
    for each in (elsewhere, staff):
        sign_in(each.user)

    accounts.deactivate(
        organisation_id=root.organisation_id,
        membership_ids=[elsewhere.pk, staff.pk],
        actor=ACTOR,
        now=NOW,
    )

    assert signed_in() == {elsewhere.user_id, staff.user_id}


def test_reactivate_takes_a_place_for_all_or_none(root: Membership) -> None:
    out = customers.people(root.organisation, 3, at(2, 1))
    asked: dict[str, Any] = {"organisation_id": root.organisation_id, "actor": ACTOR, "now": NOW}
    accounts.deactivate(**asked, membership_ids=[each.pk for each in out])
    customers.people(root.organisation, 7, at(3, 1))

    with pytest.raises(Full):
        accounts.reactivate(**asked, membership_ids=[each.pk for each in out])
    assert accounts.reactivate(**asked, membership_ids=[each.pk for each in out[:2]]) == 2
    assert accounts.reactivate(**asked, membership_ids=[each.pk for each in out[:2]]) == 0

    out[0].refresh_from_db()
    assert (out[0].deactivated_at, out[0].registered_at) == (None, at(2, 1))
    assert trail(root.organisation)[-1] == "membership.reactivated"


def test_delete_frees_the_place_and_the_address_signs_in_no_more(root: Membership) -> None:
    member = register(root.organisation)
    sign_in(member.user)

    asked: dict[str, Any] = {"organisation_id": root.organisation_id, "actor": ACTOR, "now": NOW}
    assert accounts.delete(**asked, membership_ids=[member.pk]) == 1

    assert not Membership.objects.filter(pk=member.pk).exists()
    assert User.objects.get(pk=member.user_id).is_active is False
    assert signed_in() == set()
    again = register(root.organisation)
    assert (again.user_id, again.user.is_active) == (member.user_id, True)


def test_an_account_of_another_organisation_is_not_touched(root: Membership) -> None:
    other = customers.customer(make.plan_version("other"))
    theirs = register(other.organisation)

    asked: dict[str, Any] = {"organisation_id": root.organisation_id, "actor": ACTOR, "now": NOW}
    assert accounts.deactivate(**asked, membership_ids=[theirs.pk]) == 0
    assert accounts.delete(**asked, membership_ids=[theirs.pk]) == 0

    theirs.refresh_from_db()
    assert theirs.deactivated_at is None


def test_a_role_is_manager_or_member(root: Membership) -> None:
    member = register(root.organisation)
    asked: dict[str, Any] = {"organisation_id": root.organisation_id, "actor": ACTOR, "now": NOW}

    assert accounts.set_role(**asked, membership_id=member.pk, role=Role.MANAGER) is True
    assert accounts.set_role(**asked, membership_id=member.pk, role=Role.MANAGER) is False

    member.refresh_from_db()
    assert member.role == Role.MANAGER
    entry = AuditEntry.objects.filter(action="membership.role").get()
    assert (entry.details["before"], entry.details["after"]) == ("member", "manager")


def at_once(work: Callable[[int], str], count: int) -> list[str]:
    """Do something in so many threads that all begin together; return what became of each."""
    barrier = Barrier(count)

    def run(number: int) -> str:
        connection.ensure_connection()
        barrier.wait()
        try:
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def fifty_for_the_last_place() -> tuple[Organisation, list[str]]:
    root = customers.customer(customers.catalogue())
    customers.people(root.organisation, 8, at(2, 1))

    def work(number: int) -> str:
        try:
            register(root.organisation, f"last-{number}@example.com")
        except Full:
            return "full"
        return "registered"

    return root.organisation, at_once(work, 50)


@pytest.mark.django_db(transaction=True)
def test_of_fifty_at_once_one_gets_the_last_place() -> None:
    organisation, results = fifty_for_the_last_place()

    assert sorted(results) == ["full"] * 49 + ["registered"]
    assert organisation.memberships.count() == 10


@pytest.mark.django_db(transaction=True)
@pytest.mark.unsound_books
def test_without_the_lock_more_than_one_gets_the_last_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """T3: the guard above is the lock, and nothing else."""

    def unlocked(organisation_id: int) -> Organisation:
        return Organisation.objects.get(pk=organisation_id)

    monkeypatch.setattr(low, "lock", unlocked)
    # The trail's unique key would turn the others away too, after they were counted in.
    monkeypatch.setattr(audit, "record", lambda **_: None)
    monkeypatch.setattr(audit, "record_all", lambda *_, **__: None)

    _, results = fifty_for_the_last_place()

    assert results.count("registered") > 1

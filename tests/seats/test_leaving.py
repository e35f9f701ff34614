"""Who leaves, as it is listed, chosen and carried out: one order for all. Rule: design.md 6.5, S2-10."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Membership, Organisation
from core.models import AuditEntry
from seats.queries import leaving
from seats.queries.leaving import Part
from seats.rules.departures import leaves_at
from seats.rules.leaving import Account, staying_order
from seats.services import choices, settling
from tests import make
from tests.seats import customers
from tests.seats.customers import at

pytestmark = pytest.mark.django_db

NOW = at(4, 20, 12)
MARCH, APRIL = date(2026, 3, 1), date(2026, 4, 1)


@pytest.fixture
def root(db: None) -> Membership:
    """A customer with room for 10 accounts, the root being one."""
    return customers.customer(customers.catalogue())


@pytest.fixture
def kobo(root: Membership) -> Organisation:
    """Sixteen accounts: ten places, ten more by spot in April."""
    organisation = root.organisation
    customers.people(organisation, 15, at(2, 1))
    customers.spot(organisation, 10, APRIL)
    return organisation


def order_of(organisation: Organisation) -> list[int]:
    """Return all active accounts, first who leaves first."""
    found = leaving.outlook(organisation, now=NOW).found
    return [each.account.pk for each in leaving.listed(organisation, found, size=1_000).rows]


def choice_of(organisation: Organisation) -> list[tuple[bool, int | None]]:
    rows = organisation.memberships.order_by("registered_at", "pk")
    return list(rows.values_list("is_protected", "leave_order"))


def choose(
    act: Callable[..., bool], organisation: Organisation, account: Membership, now: datetime = NOW
) -> bool:
    return act(organisation_id=organisation.pk, account=account.public_id, actor="user:1", now=now)


def newest(organisation: Organisation) -> list[Membership]:
    return list(organisation.memberships.order_by("-registered_at", "-pk"))


def test_the_newest_leave_and_the_root_stays(kobo: Organisation, root: Membership) -> None:
    outlook = leaving.outlook(kobo, now=NOW)

    assert [(each.at, each.in_use, each.allowed) for each in outlook.found] == [
        (at(5, 1), 16, 10),
        (at(1, 1, year=2027), 10, 3),
    ]
    assert order_of(kobo) == [each.pk for each in newest(kobo)]
    first = leaving.listed(kobo, outlook.found[:1], part=Part.LEAVING)
    assert first.count == 6
    assert [each.place for each in first.rows] == [16, 15, 14, 13, 12, 11]
    assert leaving.listed(kobo, outlook.found, part=Part.STAYING).count == 3
    assert order_of(kobo)[-1] == root.pk


def test_whoever_is_protected_stays_and_the_next_leaves(kobo: Organisation) -> None:
    people = newest(kobo)

    is_new = choose(choices.protect, kobo, people[0])

    assert is_new
    assert order_of(kobo) == [each.pk for each in [*people[1:15], people[0], people[15]]]
    entry = AuditEntry.objects.filter(chain=kobo.pk).latest("seq")
    assert (entry.action, entry.subject, entry.actor) == (
        "membership.protected",
        f"membership:{people[0].pk}",
        "user:1",
    )


def test_a_choice_made_twice_is_made_once(kobo: Organisation) -> None:
    account = newest(kobo)[3]

    made = [
        choose(act, kobo, account)
        for act in (choices.protect, choices.let_go_first, choices.follow_rule)
        for _ in range(2)
    ]

    assert made == [True, False, True, False, True, False]
    assert AuditEntry.objects.filter(chain=kobo.pk, actor="user:1").count() == 3
    assert set(choice_of(kobo)) == {(False, None)}


def test_let_go_first_leaves_before_the_newest_and_is_moved(kobo: Organisation) -> None:
    people = newest(kobo)
    old, older = people[13], people[14]
    for each in (old, older):
        choose(choices.let_go_first, kobo, each)
    assert order_of(kobo)[:3] == [older.pk, old.pk, people[0].pk]

    moved = choices.move(
        organisation_id=kobo.pk,
        account=old.public_id,
        by=-1,
        seen=leaving.version(kobo.pk),
        actor="user:1",
        now=NOW,
    )

    assert moved
    assert order_of(kobo)[:3] == [old.pk, older.pk, people[0].pk]
    assert not choices.move(
        organisation_id=kobo.pk,
        account=old.public_id,
        by=-1,
        seen=leaving.version(kobo.pk),
        actor="user:1",
        now=NOW,
    )


def test_what_was_shown_differently_changes_nothing(kobo: Organisation) -> None:
    seen = leaving.version(kobo.pk)
    account = newest(kobo)[2]
    choose(choices.let_go_first, kobo, account)
    before = choice_of(kobo)

    with pytest.raises(choices.ShownDifferently):
        choices.move(
            organisation_id=kobo.pk,
            account=account.public_id,
            by=1,
            seen=seen,
            actor="user:1",
            now=NOW,
        )
    with pytest.raises(choices.ShownDifferently):
        choices.reset(organisation_id=kobo.pk, seen=seen, actor="user:1", now=NOW)

    assert choice_of(kobo) == before


def test_reset_takes_all_back(kobo: Organisation) -> None:
    people = newest(kobo)
    for each in people[:2]:
        choose(choices.protect, kobo, each)
    choose(choices.let_go_first, kobo, people[5])

    count = choices.reset(
        organisation_id=kobo.pk, seen=leaving.version(kobo.pk), actor="user:1", now=NOW
    )

    assert count == 3
    assert order_of(kobo) == [each.pk for each in people]


def test_nobody_chooses_for_root_or_strangers(kobo: Organisation, root: Membership) -> None:
    stranger = make.member(make.organisation())
    before = choice_of(kobo)

    with pytest.raises(choices.RootStays):
        choose(choices.let_go_first, kobo, root)
    with pytest.raises(choices.NotThere):
        choose(choices.protect, kobo, stranger)

    assert choice_of(kobo) == before


def test_a_late_choice_does_not_reach_back_over_an_end(kobo: Organisation) -> None:
    """Chosen on 2 May while the job is away: what ended on 1 May went by the choice of April."""
    people = newest(kobo)

    with pytest.raises(choices.NotThere):
        choose(choices.protect, kobo, people[0], at(5, 2, 9))

    settling.settle(organisation_id=kobo.pk, now=at(5, 2, 9))
    assert customers.active(kobo) == {each.pk for each in people[6:]}


def test_too_many_protected_are_named(kobo: Organisation) -> None:
    people = newest(kobo)
    for each in people[:11]:
        choose(choices.protect, kobo, each)
    found = leaving.outlook(kobo, now=NOW).found[:1]

    nevertheless = leaving.protected_who_leave(kobo, found)

    assert nevertheless.count == 2
    assert [each.account.pk for each in nevertheless.rows] == [people[0].pk, people[1].pk]


def test_search_keeps_each_ones_place(kobo: Organisation) -> None:
    account = newest(kobo)[4]
    account.user.email = "ayumi_100%@example.com"
    account.user.save()
    found = leaving.outlook(kobo, now=NOW).found

    for text in ("AYUMI_100%", "yumi_"):
        listed = leaving.listed(kobo, found, text=text)
        assert (listed.count, [(each.account.pk, each.place) for each in listed.rows]) == (
            1,
            [(account.pk, 12)],
        )
    assert leaving.listed(kobo, found, text="ayumi%x").count == 0
    assert leaving.listed(kobo, found, text="ayumi_100%", part=Part.STAYING).count == 0


def test_a_renewal_to_be_ordered_keeps_them(root: Membership) -> None:
    organisation = root.organisation
    customers.people(organisation, 8, at(2, 1))
    organisation.main_contracts.update(renews=True)

    outlook = leaving.outlook(organisation, now=NOW)

    assert [each.count for each in outlook.found] == [6]
    assert outlook.expected == ()
    assert outlook.renews_on == date(2026, 12, 2)


def test_a_renewal_that_failed_keeps_nobody(root: Membership) -> None:
    organisation = root.organisation
    customers.people(organisation, 8, at(2, 1))
    organisation.main_contracts.update(renews=True, renewal_failed_at=at(12, 2))

    outlook = leaving.outlook(organisation, now=at(12, 5))

    assert outlook.expected == outlook.found
    assert [each.count for each in outlook.found] == [6]


_ACCOUNTS = st.lists(
    st.tuples(st.integers(0, 6), st.booleans(), st.none() | st.integers(1, 4)),
    min_size=1,
    max_size=24,
)
_SPOTS = st.lists(
    st.tuples(st.sampled_from([10, 20]), st.integers(0, 20), st.integers(1, 3)), max_size=4
)


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(chosen=_ACCOUNTS, spots=_SPOTS, closes=st.none() | st.integers(20, 120))
def test_the_list_of_the_day_before_is_who_is_deactivated(
    root: Membership,
    chosen: list[tuple[int, bool, int | None]],
    spots: list[tuple[int, int, int]],
    closes: int | None,
) -> None:
    """The central promise: at each end, exactly those leave who were listed the day before, on that day."""
    organisation = make.organisation(now=at(1, 1))
    own = make.member(organisation, now=at(1, 1))
    version = root.organisation.selections.exclude(plan_version__plan__is_free=True).get()
    customers.main(organisation, version.plan_version, customers.BEGAN, months=12)
    for row, (day, is_protected, leave_order) in zip(
        customers.people(organisation, len(chosen), at(2, 1)), chosen, strict=True
    ):
        Membership.objects.filter(pk=row.pk).update(
            registered_at=at(2, 1) + timedelta(days=day),
            is_protected=is_protected,
            leave_order=leave_order,
        )
    for accounts, day, months in spots:
        customers.spot(organisation, accounts, MARCH + timedelta(days=day), months)
    if closes is not None:
        Organisation.objects.filter(pk=organisation.pk).update(
            closed_on=MARCH + timedelta(days=closes)
        )
    organisation.refresh_from_db()

    _hold_each_list(organisation, own, at(3, 22, 12))


def _hold_each_list(organisation: Organisation, own: Membership, now: datetime) -> None:
    outlook = leaving.outlook(organisation, now=now)
    listed = leaving.listed(organisation, outlook.found, size=1_000)
    rows = organisation.memberships.filter(deactivated_at=None)
    by_rule = staying_order(
        Account(each.pk, each.pk == own.pk, each.registered_at, each.is_protected, each.leave_order)
        for each in rows
    )
    assert [each.account.pk for each in reversed(listed.rows)] == [each.id for each in by_rule]
    said = {each.account.pk: leaves_at(outlook.found, each.place) for each in listed.rows}

    # The day before each border, at the border, and long after the last one.
    borders = [each for each in outlook.capacity.borders() if each > now]
    for border in borders:
        day_before = leaving.outlook(organisation, now=border - timedelta(hours=3))
        tomorrow = [each for each in day_before.found if each.at == border]
        again = leaving.listed(organisation, day_before.found, size=1_000)
        named = {
            each.account.pk
            for each in again.rows
            if tomorrow and leaves_at(day_before.found, each.place) == border
        }
        before = customers.active(organisation)
        settling.settle(organisation_id=organisation.pk, now=border)
        organisation.refresh_from_db()
        gone = before - customers.active(organisation)
        assert gone == named
        assert gone == {pk for pk, leaves in said.items() if leaves == border}
    assert own.pk in customers.active(organisation)

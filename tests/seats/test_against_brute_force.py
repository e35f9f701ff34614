"""Any months of spot contracts, registrations and deletions, settled at any times: the same people stay.

The brute force knows nothing of borders, orders of work or statements: it goes through every day, counts
what is allowed at its first instant, and sends away whoever is too many. Rule: F58, T7.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Membership
from core import books
from core.months import add_months, start_of_day
from seats.queries import access, audit
from seats.services import accounts, settling
from tests import make
from tests.seats import customers
from tests.seats.customers import TOKYO

pytestmark = pytest.mark.django_db

BEGAN, MAIN_ENDS, LAST = date(2025, 7, 1), date(2026, 7, 1), date(2026, 8, 1)
FIRST = date(2026, 4, 1)
MAIN, FREE = 3, 2


class Event(NamedTuple):
    """Something that happens at noon of a day after FIRST: `pick` and `more` say with whom, or how much."""

    day: int
    kind: str
    pick: int
    more: int


events = st.lists(
    st.builds(
        Event,
        day=st.integers(0, 100),
        kind=st.sampled_from(
            [
                "spot",
                "register",
                "register",
                "register",
                "deactivate",
                "reactivate",
                "delete",
                "keep",
            ]
        ),
        pick=st.integers(0, 9),
        more=st.integers(0, 5),
    ),
    max_size=14,
)
ticks = st.lists(st.integers(0, 122), max_size=6)


@dataclass(slots=True)
class Person:
    number: int
    is_root: bool = False
    is_active: bool = True
    is_kept: bool = False


@dataclass(slots=True)
class World:
    """What the brute force knows. Contracts: accounts, first day, the day after the last, paid at noon of."""

    people: list[Person] = field(default_factory=lambda: [Person(0, is_root=True)])
    spots: list[tuple[int, date, date, date]] = field(default_factory=list)

    def allowed(self, day: date, *, at_noon: bool) -> int:
        spots = sum(
            accounts
            for accounts, first, end, paid in self.spots
            if first <= day < end and (paid < day or (at_noon and paid == day))
        )
        return (MAIN if day < MAIN_ENDS else FREE) + spots

    def active(self) -> list[Person]:
        return [each for each in self.people if each.is_active]

    def begin(self, day: date) -> None:
        while len(self.active()) > self.allowed(day, at_noon=False):
            going = [each for each in self.active() if not each.is_root]
            free = [each for each in going if not each.is_kept] or going
            max(free, key=lambda each: each.number).is_active = False


def picked(people: Sequence[Person], pick: int) -> Person | None:
    return people[pick % len(people)] if people else None


@given(happened=events, settled_on=ticks)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_same_people_stay_whenever_it_is_settled(
    happened: list[Event], settled_on: list[int]
) -> None:
    with transaction.atomic():
        _compare(sorted(happened), settled_on)
        transaction.set_rollback(True)


def _compare(happened: Sequence[Event], settled_on: Sequence[int]) -> None:
    root = customers.customer(
        customers.catalogue(accounts_per_step=MAIN, free=FREE), first_on=BEGAN
    )
    world, rows = World(), {0: root}
    day = FIRST
    while day <= LAST:
        world.begin(day)
        if (day - FIRST).days in settled_on:
            settling.settle_range(first_id=0, last_id=10**9, now=start_of_day(day, TOKYO))
        for event in happened:
            if FIRST + timedelta(days=event.day) == day:
                _happen(event, day, world, rows)
        day += timedelta(days=1)
    end = start_of_day(LAST, TOKYO)
    expected = {rows[each.number].pk for each in world.active()}
    by_date = {
        each.pk
        for each in Membership.objects.select_related("organisation").all()
        if access.stays(each, end)
    }
    settling.settle_range(first_id=0, last_id=10**9, now=end)

    assert customers.active(root.organisation) == expected
    assert by_date == expected
    assert [str(each) for each in books.breaches(among=audit.CHECKS, now=end)] == []


def _happen(event: Event, day: date, world: World, rows: dict[int, Membership]) -> None:
    now = start_of_day(day, TOKYO) + timedelta(hours=12)
    organisation = rows[0].organisation
    others = [each for each in world.people if not each.is_root]
    if event.kind == "spot":
        first = day + timedelta(days=event.pick)
        months = 1 + event.more % 2
        customers.spot(organisation, 1 + event.more, first, months, paid_at=now)
        world.spots.append((1 + event.more, first, add_months(first, months), day))
    elif event.kind == "register":
        _register(world, rows, day, now)
    elif (person := picked(others, event.pick)) is not None:
        _change(event.kind, person, world, rows, day, now)


def _register(world: World, rows: dict[int, Membership], day: date, now: datetime) -> None:
    number = len(rows)
    wanted = len(world.active()) < world.allowed(day, at_noon=True)
    try:
        row = accounts.register(
            organisation_id=rows[0].organisation_id,
            email=f"guest-{number}@example.com",
            name="",
            actor=make.ACTOR,
            now=now,
        )
    except accounts.Full:
        assert not wanted
        return
    assert wanted
    rows[number] = row
    world.people.append(Person(number))


def _change(
    kind: str,
    person: Person,
    world: World,
    rows: dict[int, Membership],
    day: date,
    now: datetime,
) -> None:
    row = rows[person.number]
    how = {
        "deactivate": accounts.deactivate,
        "reactivate": accounts.reactivate,
        "delete": accounts.delete,
    }
    if kind == "keep":
        settling.settle(organisation_id=row.organisation_id, now=now)
        Membership.objects.filter(pk=row.pk).update(is_protected=True)
        person.is_kept = True
        return
    fits = len(world.active()) < world.allowed(day, at_noon=True)
    try:
        how[kind](
            organisation_id=row.organisation_id,
            membership_ids=[row.pk],
            actor=make.ACTOR,
            now=now,
        )
    except accounts.Full:
        assert kind == "reactivate"
        assert not person.is_active
        assert not fits
        return
    if kind == "delete":
        world.people.remove(person)
    else:
        person.is_active = kind == "reactivate"

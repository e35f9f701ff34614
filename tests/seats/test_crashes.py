"""A settlement that dies anywhere leaves all or nothing of its page, and the next one does the rest.

Rule: F57, T5.
"""

from datetime import date

import pytest

from accounts.models import Organisation
from core import books, work
from seats.models import Deactivation
from seats.queries import audit
from seats.services import settling
from spot_orders.models import SpotOrder
from tests.flows.boundaries import dies_at
from tests.seats import customers
from tests.seats.customers import at

pytestmark = pytest.mark.django_db(transaction=True)

APRIL = date(2026, 4, 1)
MOST = 20


def state(organisations: list[Organisation]) -> list[tuple[int, int, int]]:
    """Return of each how many are active, which deactivations there are, and which ends wait."""
    return [
        (
            len(customers.active(each)),
            Deactivation.objects.filter(organisation=each).count(),
            SpotOrder.objects.filter(organisation=each, ended_at=None).count(),
        )
        for each in organisations
    ]


def test_a_settlement_that_dies_anywhere_is_whole_or_not_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settling, "PAGE", 2)
    version = customers.catalogue(accounts_per_step=3)
    waiting, done = (5, 0, 1), (3, 1, 0)
    died = 0
    for point in range(1, MOST):
        organisations = [customers.customer(version).organisation for _ in range(4)]
        for each in organisations:
            customers.spot(each, 2, APRIL)
            customers.people(each, 4, at(4, 2))

        is_dead = dies_at(point, _settle)

        found = state(organisations)
        assert found[0] == found[1]
        assert found[2] == found[3]
        assert set(found) <= {waiting, done}
        settling.plan(at(5, 1))
        _settle()
        assert state(organisations) == [done] * 4
        if not is_dead:
            break
        died += 1
    # Two pages, each with the two sides of its commit.
    assert died >= 4
    assert [str(each) for each in books.breaches(among=audit.CHECKS, now=at(5, 1))] == []


def _settle() -> None:
    settling.settle_range(first_id=0, last_id=10**9, now=at(5, 1))


def test_due_work_that_died_is_found_again() -> None:
    version = customers.catalogue(accounts_per_step=3)
    organisation = customers.customer(version).organisation
    customers.spot(organisation, 2, APRIL)
    customers.people(organisation, 4, at(4, 2))

    def plan_and_die() -> None:
        settling.plan(at(5, 1))

    assert dies_at(2, plan_and_die) is True
    settling.plan(at(5, 1))
    work.run_due()

    assert state([organisation]) == [(3, 1, 0)]

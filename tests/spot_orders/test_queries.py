from datetime import date, timedelta

import pytest

from spot_orders import queries, services
from tests import make
from tests.billing import spots

pytestmark = pytest.mark.django_db

LATER = spots.NOW + timedelta(hours=1)


def test_orders_of_are_all_of_an_organisations_the_newest_first() -> None:
    root = spots.customer()
    first = spots.paid(root)
    second = spots.placed(root, now=LATER)
    services.lapse(order_id=second.pk, actor=make.ACTOR, now=LATER)
    spots.placed(spots.customer())

    assert list(queries.orders_of(root.organisation)) == [second, first]


def test_contracts_of_are_what_is_paid_in_order_of_their_start() -> None:
    root, other = spots.customer(), spots.customer()
    late = spots.paid(root, first_on=date(2027, 3, 1))
    early = spots.paid(root, first_on=date(2026, 12, 1))
    spots.placed(root)
    theirs = spots.paid(other)

    ids = [other.organisation_id, root.organisation_id]
    assert list(queries.contracts_of(ids)) == [early, late, theirs]
    assert list(queries.contracts_of([])) == []


@pytest.mark.parametrize(
    ("day", "held"),
    [
        ("2026-12-09", 0),
        ("2026-12-10", 1),
        ("2026-12-20", 2),
        ("2026-12-24", 2),
        ("2026-12-25", 1),
        ("2027-01-09", 1),
        ("2027-01-10", 0),
    ],
)
def test_holding_on_counts_from_the_first_day_to_the_last_or_to_the_cut(
    day: str, held: int
) -> None:
    root = spots.customer()
    spots.paid(root)
    cut = spots.paid(root, first_on=date(2026, 12, 20))
    services.cut(
        order_id=cut.pk, on=date(2026, 12, 25), reason="asked", actor=make.ACTOR, now=LATER
    )
    spots.placed(root)

    assert queries.holding_on(root.organisation, date.fromisoformat(day)).count() == held


def test_unpaid_of_is_the_order_that_awaits_its_payment() -> None:
    root = spots.customer()
    spots.paid(root)
    assert queries.unpaid_of(root.organisation) is None

    order = spots.placed(root)
    assert queries.unpaid_of(root.organisation) == order

    services.cancel(order_id=order.pk, why="asked", actor=make.ACTOR, now=LATER)
    assert queries.unpaid_of(root.organisation) is None

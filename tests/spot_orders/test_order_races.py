"""Orders that are placed and moved at the same time, on Postgres. Rule: R3, R5, domain.md 3.6."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection

from accounts.models import Membership
from spot_orders import services
from spot_orders.enums import SpotState
from spot_orders.models import SpotOrder
from spot_orders.services import MovedBefore, NewOrder, UnpaidOrder
from tests import make
from tests.billing import spots

pytestmark = pytest.mark.django_db(transaction=True)

LATER = spots.NOW + timedelta(hours=1)


def at_once(*calls: Callable[[], object]) -> list[Any]:
    """Run calls in threads that begin together; return what each returns or raises."""
    barrier, results = threading.Barrier(len(calls)), list[Any]()

    def run(call: Callable[[], object]) -> None:
        try:
            barrier.wait(timeout=10)
            results.append(call())
        except Exception as fault:  # noqa: BLE001 - what a thread raised is judged by the test
            results.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return results


def placing(root: Membership, operation: UUID) -> Callable[[], SpotOrder]:
    wanted = NewOrder(
        offer=spots.offer(root.organisation),
        tax=500,
        tax_code="JP10",
        tax_rounding="down",
        terms_id=None,
        operation=operation,
        digest=bytes(32),
    )
    return lambda: services.place(
        organisation_id=root.organisation_id, user_id=root.user_id, new=wanted, now=spots.NOW
    )


def test_two_forms_at_once_place_one_order_and_the_other_is_told() -> None:
    root = spots.customer()

    results = at_once(placing(root, uuid4()), placing(root, uuid4()))

    refused = [each for each in results if isinstance(each, UnpaidOrder)]
    placed = [each for each in results if isinstance(each, SpotOrder)]
    assert (len(refused), len(placed)) == (1, 1)
    assert refused[0].order == placed[0]
    assert SpotOrder.objects.count() == 1


def test_one_form_twice_at_once_places_one_order() -> None:
    root, operation = spots.customer(), uuid4()

    results = at_once(placing(root, operation), placing(root, operation))

    assert results[0] == results[1] == SpotOrder.objects.get()


def test_paid_and_lapsed_at_once_one_of_them_holds() -> None:
    order = spots.placed(spots.customer())

    results = at_once(
        lambda: services.mark_paid(order_id=order.pk, actor=make.ACTOR, now=LATER),
        lambda: services.lapse(order_id=order.pk, actor=make.ACTOR, now=LATER),
    )

    assert sorted(type(each).__name__ for each in results) == [
        MovedBefore.__name__,
        SpotOrder.__name__,
    ]
    moved = next(each for each in results if isinstance(each, SpotOrder))
    order.refresh_from_db()
    assert order.state == moved.state
    assert order.state in {SpotState.PAID, SpotState.LAPSED}

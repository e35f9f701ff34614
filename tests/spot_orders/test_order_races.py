"""Orders that are placed and moved at the same time, on Postgres. Rule: R3, R5, domain.md 3.6."""

import threading
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection

from accounts.models import Membership, Organisation
from ordering import services as ordering
from ordering.rules.acts import Renew, Start, WithdrawRenewal
from ordering.rules.guards import SpotDependsOnRenewal
from ordering.services import Saved
from ordering.services import spots as wizard
from plans.models import MainContract
from plans.rules.timeline import Refusal
from spot_orders import services
from spot_orders.enums import SpotState
from spot_orders.models import SpotOrder
from spot_orders.rules.spot import BeyondContract, Wish
from spot_orders.services import MovedBefore, NewOrder, UnpaidOrder
from tests import make
from tests.billing import spots
from tests.ordering import customers

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


def renewed() -> Organisation:
    """A customer in a month's contract from 15 January 2026, whose next month is ordered."""
    organisation = customers.kobo("free")
    for act in (Start("pro", 1, date(2026, 1, 15), 1, renews=False), Renew("pro", 1, 1)):
        saving(organisation, act)()
    return organisation


def saving(
    organisation: Organisation, act: Start | Renew | WithdrawRenewal
) -> Callable[[], object]:
    now = customers.local(1, 15, 12)
    review = ordering.review(
        organisation_id=organisation.pk,
        user_id=customers.root_of(organisation).pk,
        act=act,
        now=now,
    )
    return lambda: ordering.save(
        organisation_id=organisation.pk,
        review_id=review.public_id,
        actor=make.ACTOR,
        now=now,
    )


def ordered(organisation: Organisation) -> Callable[[], object]:
    """An order that the first month alone does not hold."""
    user_id = customers.root_of(organisation).pk
    form = wizard.Form(Wish(100, date(2026, 1, 20), 1), None, uuid4())
    return lambda: wizard.place(
        organisation_id=organisation.pk,
        user_id=user_id,
        form=form,
        now=customers.local(1, 15, 12),
    )


def test_a_renewal_withdrawn_while_an_order_needs_it_one_of_them_happens() -> None:
    organisation = renewed()

    results = at_once(
        saving(organisation, WithdrawRenewal(is_confirmed=True)), ordered(organisation)
    )

    done = [each for each in results if isinstance(each, Saved | SpotOrder)]
    refused = [each for each in results if isinstance(each, Refusal)]
    assert (len(done), len(refused)) == (1, 1)
    is_renewed = MainContract.objects.filter(months_before=1, withdrawn_at=None).exists()
    assert SpotOrder.objects.exists() is is_renewed
    assert isinstance(refused[0], SpotDependsOnRenewal if is_renewed else BeyondContract)

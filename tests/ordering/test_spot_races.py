"""Spot orders placed at the same time. Rule: R3, R5, S2-06, domain.md 3.6."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from threading import Barrier
from uuid import UUID, uuid4

import pytest
from django.db import connection

from accounts.models import Organisation
from ordering.services import spots as services
from payments.models import Payable
from plans import queries as plans
from plans.rules import timeline
from plans.rules.timeline import Refusal
from plans.services import contracts
from spot_orders.models import SpotOrder
from spot_orders.rules.spot import BeyondContract, Wish
from spot_orders.services import OperationTaken
from tests import make
from tests.ordering import customers
from tests.ordering.spotting import NOW, kobo, renew

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = 6


def place(organisation: Organisation, operation: UUID, *, months: int = 1) -> SpotOrder:
    return services.place(
        organisation_id=organisation.pk,
        user_id=customers.root_of(organisation).pk,
        form=services.Form(Wish(100, date(2026, 2, 1), months), 3, operation),
        now=NOW,
    )


def at_once(acts: list[Callable[[], SpotOrder]]) -> list[SpotOrder | Exception]:
    """Let each act go off in a thread of its own at the same instant; return what each came to."""
    barrier = Barrier(len(acts))

    def run(act: Callable[[], SpotOrder]) -> SpotOrder | Exception:
        try:
            barrier.wait()
            return act()
        except (Refusal, services.PaymentUnderWay, OperationTaken) as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def test_one_form_sent_many_times_at_once_places_one_order() -> None:
    organisation, operation = kobo(), uuid4()

    found = at_once([lambda: place(organisation, operation)] * AT_ONCE)

    order = SpotOrder.objects.get()
    assert found == [order] * AT_ONCE
    assert Payable.objects.get(kind="spot_order").spot_order == order


def test_many_forms_at_once_leave_one_order_that_can_be_paid() -> None:
    organisation = kobo()

    found = at_once([lambda: place(organisation, uuid4())] * AT_ONCE)

    waits = SpotOrder.objects.get(state="placed")
    assert set(SpotOrder.objects.values_list("state", flat=True)) <= {"placed", "cancelled"}
    assert Payable.objects.get(state="open").spot_order == waits
    assert waits in found


def test_an_order_whose_form_was_opened_before_a_renewal_was_withdrawn_is_refused() -> None:
    """Rule: S2-06, F56: what is contracted is read again under the organisation's lock."""
    organisation = kobo(months=1)
    renew(organisation, customers.version("pro"))
    before = plans.timeline(organisation, now=NOW)
    contracts.store(
        organisation_id=organisation.pk,
        before=before,
        after=timeline.withdraw_renewal(before, now=NOW, zone=customers.TOKYO),
        action="contract.renewal_withdrawn",
        details={},
        actor=make.ACTOR,
        now=NOW,
    )

    with pytest.raises(BeyondContract):
        place(organisation, uuid4())

    assert not SpotOrder.objects.exists()
    assert not Payable.objects.filter(kind="spot_order").exists()

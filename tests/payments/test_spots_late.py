"""Money that comes when an order can be served no more makes room for the next order. Rule: R10, R6."""

from datetime import timedelta

import pytest

from accounts.models import Organisation
from cancellation.services import closing
from gateway_sandbox import Sandbox
from payments.enums import ChargeState, Initiator, Step
from payments.gateways.base import Account, Settled
from payments.services import charges, moves, spots
from spot_orders.enums import SpotState
from spot_orders.services import MovedBefore
from tests.payments import spotted
from tests.payments.spotted import NOW, Placed

pytestmark = pytest.mark.django_db

LATE = NOW + timedelta(days=40)


@pytest.fixture
def taken_late(sandbox: Sandbox) -> Placed:
    """An order whose money is booked when its days are over, and not served by anybody yet."""
    placed = spotted.placed(sandbox)
    charge = charges.prepare(
        payable_id=placed.payable.pk,
        initiator=Initiator.CUSTOMER,
        actor=placed.buyer.actor,
        now=NOW,
    )
    moves.move_charge(charge, ChargeState.SENT, now=NOW, step=Step.CAPTURE, sent_at=NOW)
    account = Account(charge.environment, charge.merchant)
    outcome = Settled("O-1", "C-1", 5_500, "JPY", charge.key, charge.number, account)
    charges.settle(charge_id=charge.pk, outcome=outcome, now=LATE)
    return placed


def test_to_give_it_up_gives_the_money_back_and_is_no_payment_under_way(
    taken_late: Placed,
) -> None:
    with pytest.raises(MovedBefore):
        spots.give_up(
            order_id=taken_late.order.pk, why="replaced", actor=taken_late.buyer.actor, now=LATE
        )

    assert taken_late.state == SpotState.REFUNDED


def test_it_does_not_lapse_and_waits_for_nothing(taken_late: Placed) -> None:
    assert spots.lapse(order_id=taken_late.order.pk, now=LATE).state == SpotState.REFUNDED


def test_the_end_of_its_customers_contract_leaves_it_as_it_is(taken_late: Placed) -> None:
    Organisation.objects.filter(pk=taken_late.buyer.organisation.pk).update(
        closed_on=LATE.date() - timedelta(days=30)
    )

    closing.give_up_order(order_id=taken_late.order.pk, now=LATE)

    assert taken_late.state == SpotState.REFUNDED

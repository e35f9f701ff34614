"""A spot order through crashes: placed, paid, served, lapsed, given back. Rule: T5, R10, F33.

As tests/flows/test_collection_crashes.py: a process dies at each boundary of a story, and days go by.
"""

import contextlib
from uuid import uuid4

import pytest

from billing.models import Invoice
from gateway_sandbox import Sandbox
from payments.enums import PayableState
from payments.models import Payable, Refund
from payments.services import charges, refunds, spots
from spot_orders.enums import SpotState
from spot_orders.models import SpotOrder
from spot_orders.services import MovedBefore
from tests.flows.test_collection_crashes import (
    NOW,
    Story,
    assert_quiet,
    crash_everywhere,
    nothing,
    reload,
    tell,
)
from tests.payments import spotted
from tests.payments.farside import taken

pytestmark = pytest.mark.django_db(transaction=True)

GONE_ON = (charges.AttemptUnderWay, charges.NotOwed, charges.NotNow)


def states() -> dict[str, int]:
    """Return how many orders ended how."""
    found = list(SpotOrder.objects.values_list("state", flat=True))
    return {state: found.count(state) for state in sorted(set(found))}


def assert_each_served_once(sandbox: Sandbox, orders: int) -> None:
    """Each order was paid by one capture of its price, and has one invoice."""
    assert states() == {SpotState.PAID: orders}
    assert set(Payable.objects.values_list("state", "captured", "refunded")) == {
        (PayableState.PAID, 5_500, 0)
    }
    assert Invoice.objects.count() == orders
    assert_quiet(sandbox, captures=orders)


def assert_served_or_never_begun(sandbox: Sandbox) -> int:
    """Return how many orders were served: each capture is one, all others lapsed unpaid."""
    served = states().get(SpotState.PAID, 0)
    assert set(states()) <= {SpotState.PAID, SpotState.LAPSED}
    assert Invoice.objects.count() == len(taken(sandbox)) == served
    assert not Refund.objects.exists()
    assert_quiet(sandbox, captures=served)
    return served


@pytest.mark.parametrize("method", ["paypal", "paid"])
def test_an_order_that_is_paid_is_served_once_wherever_its_process_dies(
    method: str, sandbox: Sandbox
) -> None:
    def story(name: str) -> Story:
        placed = spotted.placed(sandbox, name, method=method)

        def pay_again() -> None:
            with contextlib.suppress(*GONE_ON):
                spotted.pay(placed)

        return lambda: spotted.pay(placed), pay_again

    boundaries = crash_everywhere(story, sandbox)

    assert boundaries >= 12
    assert_each_served_once(sandbox, boundaries + 1)
    tell(f"spot order paid by {method}", boundaries, sandbox)


def test_an_order_that_nobody_comes_back_to_is_served_or_lapses_wherever_its_process_dies(
    sandbox: Sandbox,
) -> None:
    """Placed and paid in one go; after the crash nobody does anything any more."""

    def story(name: str) -> Story:
        who = spotted.buyer(name)
        spotted.register(who, sandbox)
        return lambda: spotted.pay(spotted.place(who)), nothing

    boundaries = crash_everywhere(story, sandbox)

    assert boundaries >= 14
    # One dies before its order is stored, and all orders that there are came to an end.
    assert SpotOrder.objects.count() == boundaries
    assert assert_served_or_never_begun(sandbox) >= 8
    tell("spot order placed and paid", boundaries, sandbox)


def test_a_form_that_is_sent_again_after_a_crash_leads_to_the_same_order(sandbox: Sandbox) -> None:
    def story(name: str) -> Story:
        who, operation = spotted.buyer(name), uuid4()
        return (
            lambda: spotted.place(who, operation=operation),
            lambda: spotted.place(who, operation=operation),
        )

    boundaries = crash_everywhere(story, sandbox)

    assert boundaries >= 2
    assert states() == {SpotState.LAPSED: boundaries + 1}
    assert Payable.objects.count() == boundaries + 1
    assert_quiet(sandbox, captures=0)
    tell("spot order placed", boundaries, sandbox)


def test_a_return_from_paypals_pages_serves_once_wherever_it_dies(sandbox: Sandbox) -> None:
    def story(name: str) -> Story:
        placed = spotted.place(spotted.buyer(name))
        back = sandbox.paypal.approve(spotted.set_out(placed))

        def come_back() -> None:
            spotted.come_back(placed, back)

        return come_back, reload(come_back)

    boundaries = crash_everywhere(story, sandbox)

    assert boundaries >= 12
    assert_each_served_once(sandbox, boundaries + 1)
    tell("spot order paid at PayPal's pages", boundaries, sandbox)


def test_an_order_that_lapses_or_is_given_up_does_so_once_wherever_its_process_dies(
    sandbox: Sandbox,
) -> None:
    def story(name: str) -> Story:
        placed = spotted.place(spotted.buyer(name))
        spotted.set_out(placed)

        def give_up() -> None:
            with contextlib.suppress(MovedBefore):
                spots.give_up(
                    order_id=placed.order.pk, why="given_up", actor=placed.buyer.actor, now=NOW
                )

        return give_up, give_up

    boundaries = crash_everywhere(story, sandbox)

    assert boundaries >= 4
    assert states() == {SpotState.CANCELLED: boundaries + 1}
    assert set(Payable.objects.values_list("state", "captured")) == {(PayableState.VOID, 0)}
    assert_quiet(sandbox, captures=0)
    tell("spot order given up", boundaries, sandbox)


def test_an_order_paid_too_late_is_given_back_once_wherever_its_process_dies(
    sandbox: Sandbox,
) -> None:
    """F56: the renewal that it depended on is withdrawn while its capture is pending."""

    def story(name: str) -> Story:
        placed = spotted.placed(sandbox, name)
        sandbox.paypal.pending()
        charge = spotted.pay(placed)
        spotted.shorten(placed.buyer)
        sandbox.paypal.complete(sandbox.ledger.captures[-1])

        def find_out() -> None:
            charges.look(charge_id=charge.pk, now=NOW)
            spots.serve(payable_id=placed.payable.pk, now=NOW)
            for refund in Refund.objects.filter(charge=charge):
                refunds.carry_out(refund_id=refund.pk, now=NOW)

        return find_out, nothing

    boundaries = crash_everywhere(story, sandbox)

    assert boundaries >= 10
    assert states() == {SpotState.REFUNDED: boundaries + 1}
    assert set(Payable.objects.values_list("state", "captured", "refunded")) == {
        (PayableState.VOID, 5_500, 5_500)
    }
    assert (sandbox.ledger.taken("JPY"), Invoice.objects.count()) == (0, 0)
    assert len(sandbox.ledger.refunds) == boundaries + 1
    assert_quiet(sandbox, captures=boundaries + 1)
    tell("spot order given back", boundaries, sandbox)

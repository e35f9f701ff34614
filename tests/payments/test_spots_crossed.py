"""What meets while a spot order is paid: clicks, tabs, notices, its lapse. Rule: R5, F10, F56."""

import contextlib
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from pytest_django.live_server_helper import LiveServer

from billing.models import Invoice
from core import work
from gateway_sandbox import Sandbox
from payments.enums import ChargeState, DifferenceKind, Initiator, NoticeState, PayableState
from payments.models import Charge, Payable, Refund, StoredNotice
from payments.services import charges, reconcile, spots
from spot_orders.enums import SpotState
from spot_orders.models import SpotOrder
from spot_orders.services import MovedBefore
from tests import make
from tests.billing import sound
from tests.payments import spotted
from tests.payments.farside import assert_agree, parked, taken, tick
from tests.payments.spotted import NOW, Placed

pytestmark = pytest.mark.django_db

ORDERS = "POST /v2/checkout/orders"
MINUTES, HOURS = timedelta(minutes=1), timedelta(hours=1)
REFUSED = (charges.AttemptUnderWay, charges.NotOwed, charges.NotAsShown, charges.NotServable)


@pytest.fixture
def placed(sandbox: Sandbox) -> Placed:
    return spotted.placed(sandbox)


def beside(do: Callable[[], object]) -> threading.Thread:
    def run() -> None:
        try:
            do()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def at_once(*dos: Callable[[], object], refused: tuple[type[Exception], ...] = REFUSED) -> None:
    """Do all of these at the same moment; what refuses one of them is no matter."""
    start = threading.Barrier(len(dos))

    def guarded(do: Callable[[], object]) -> None:
        start.wait(20)
        with contextlib.suppress(*refused):
            do()

    for thread in [beside(lambda do=do: guarded(do)) for do in dos]:  # type: ignore[misc]
        thread.join(60)


def assert_served_once(sandbox: Sandbox, orders: int = 1) -> None:
    """Each order is paid by one capture and has one invoice; nothing else was taken."""
    assert set(SpotOrder.objects.values_list("state", flat=True)) == {SpotState.PAID}
    assert Invoice.objects.count() == SpotOrder.objects.count() == orders
    assert set(Payable.objects.values_list("state", "captured", "refunded")) == {
        (PayableState.PAID, 5_500, 0)
    }
    assert_agree(sandbox, captures=orders)


@pytest.mark.django_db(transaction=True)
def test_a_double_click_pays_once(sandbox: Sandbox) -> None:
    for turn in range(4):
        placed = spotted.placed(sandbox, f"Turn {turn}")
        seen = spotted.shown(placed)

        def click(placed: Placed = placed, seen: charges.Shown = seen) -> None:
            spots.pay_with_method(
                order_id=placed.order.pk, shown=seen, actor=placed.buyer.actor, now=NOW
            )

        at_once(click, click, click)

    assert Charge.objects.count() == 4
    assert_served_once(sandbox, 4)


@pytest.mark.django_db(transaction=True)
def test_of_the_method_in_one_tab_and_paypals_pages_in_another_one_pays(sandbox: Sandbox) -> None:
    placed = spotted.placed(sandbox)
    back = sandbox.paypal.approve(spotted.set_out(placed))

    at_once(
        lambda: spotted.pay(placed),
        lambda: spotted.come_back(placed, back),
        refused=(*REFUSED, Exception),
    )
    sandbox.set_time(NOW + 6 * MINUTES)
    tick(NOW + 6 * MINUTES, sandbox)
    if SpotOrder.objects.get().state == SpotState.PLACED:
        spotted.pay(placed, now=NOW + 6 * MINUTES)

    assert_served_once(sandbox)


def test_of_two_tabs_that_set_out_the_first_leads_nowhere(placed: Placed, sandbox: Sandbox) -> None:
    first, second = spotted.set_out(placed), spotted.set_out(placed)
    sandbox.paypal.approve(first)

    charge = spotted.come_back(placed, sandbox.paypal.approve(second))
    tick(NOW + MINUTES, sandbox)

    assert charge.state == ChargeState.SUCCEEDED
    assert [state for state, _ in placed.attempts] == ["cancelled", "succeeded"]
    assert_served_once(sandbox)


@pytest.mark.django_db(transaction=True)
def test_ten_workers_serve_an_order_once(sandbox: Sandbox) -> None:
    placed = spotted.placed(sandbox)
    _take(placed)
    assert placed.state == SpotState.PLACED

    at_once(*[lambda: spots.serve(payable_id=placed.payable.pk, now=NOW)] * 10)

    assert_served_once(sandbox)


def _take(placed: Placed) -> None:
    """Book the money alone: its process ended before what follows."""
    charge = charges.prepare(
        payable_id=placed.payable.pk, initiator=Initiator.CUSTOMER, actor=make.ACTOR, now=NOW
    )
    charges.carry_out(charge_id=charge.pk, now=NOW)


@pytest.mark.django_db(transaction=True)
def test_f13_a_notice_inside_our_own_call_serves_once(
    sandbox: Sandbox, live_server: LiveServer
) -> None:
    placed = spotted.placed(sandbox)
    held = sandbox.faults.hold(ORDERS)
    call = beside(lambda: spotted.pay(placed))
    assert held.reached.wait(20)
    (completed,) = sandbox.notices_of("PAYMENT.CAPTURE.COMPLETED")
    assert sandbox.deliver(completed, to=f"{live_server.url}/notices/paypal/", times=5) == [200] * 5

    work.run_due()
    held.release()
    call.join(60)
    tick(NOW + MINUTES, sandbox)

    assert StoredNotice.objects.get().state == NoticeState.PROCESSED
    assert_served_once(sandbox)


@pytest.mark.django_db(transaction=True)
def test_an_order_is_paid_or_given_up_and_never_both(sandbox: Sandbox) -> None:
    """One clicks to pay while the other tab places anew, and so gives this one up. R3."""
    for turn in range(4):
        placed = spotted.placed(sandbox, f"Turn {turn}")
        at_once(
            lambda placed=placed: spotted.pay(placed),  # type: ignore[misc]
            lambda placed=placed: spots.give_up(  # type: ignore[misc]
                order_id=placed.order.pk, why="replaced", actor=placed.buyer.actor, now=NOW
            ),
            refused=(*REFUSED, MovedBefore),
        )

    tick(NOW + MINUTES, sandbox)
    paid = SpotOrder.objects.filter(state=SpotState.PAID).count()
    given_up = SpotOrder.objects.filter(state=SpotState.CANCELLED).count()
    assert (paid + given_up, Refund.objects.count()) == (4, 0)
    assert_agree(sandbox, captures=paid)


@pytest.mark.django_db(transaction=True)
def test_an_order_is_paid_or_lapses_at_its_last_moment(sandbox: Sandbox) -> None:
    last = NOW + 24 * HOURS
    for turn in range(4):
        placed = spotted.placed(sandbox, f"Turn {turn}")
        at_once(
            lambda placed=placed: spotted.pay(placed, now=last - MINUTES),  # type: ignore[misc]
            lambda placed=placed: spots.lapse(order_id=placed.order.pk, now=last),  # type: ignore[misc]
            refused=(*REFUSED, charges.NotNow),
        )

    tick(last + MINUTES, sandbox)
    paid = SpotOrder.objects.filter(state=SpotState.PAID).count()
    lapsed = SpotOrder.objects.filter(state=SpotState.LAPSED).count()
    assert paid + lapsed == 4
    assert_agree(sandbox, captures=paid)


def test_f01_a_lost_answer_is_confirmed_later_and_served(placed: Placed, sandbox: Sandbox) -> None:
    sandbox.faults.lose_reply(ORDERS)

    assert spotted.pay(placed).state == ChargeState.UNDECIDED
    assert placed.state == SpotState.PLACED
    with pytest.raises(charges.AttemptUnderWay):
        spotted.pay(placed)
    tick(NOW + 5 * MINUTES, sandbox)

    assert [state for state, _ in placed.attempts] == ["succeeded"]
    assert_served_once(sandbox)


def test_f01_a_lost_answer_of_paid_is_confirmed_later_and_served(sandbox: Sandbox) -> None:
    placed = spotted.placed(sandbox, method="paid")
    sandbox.faults.lose_reply("/y/coop/Fix/*")

    spotted.pay(placed)
    for minutes in (5, 70, 500):
        tick(NOW + minutes * MINUTES, sandbox)

    assert [row.status for row in sandbox.ledger.trades] == ["fixed"]
    assert_served_once(sandbox)


def test_f04_a_company_that_is_not_reached_keeps_the_order_and_nothing_goes_on_by_itself(
    placed: Placed, sandbox: Sandbox
) -> None:
    sandbox.stop_listening()
    with pytest.raises(charges.NotNow):
        spotted.pay(placed)
    sandbox.listen_again()
    for minutes in (5, 60, 600):
        tick(NOW + minutes * MINUTES, sandbox)

    assert (placed.state, taken(sandbox)) == (SpotState.PLACED, [])
    assert placed.attempts == [("cancelled", "not_reached")]


def test_f09_an_answer_that_differs_serves_nothing_and_does_not_lapse(
    placed: Placed, sandbox: Sandbox
) -> None:
    sandbox.paypal.wrong_amount(-1)

    spotted.pay(placed)
    tick(NOW + 25 * HOURS, sandbox)

    assert (placed.state, Invoice.objects.count()) == (SpotState.PLACED, 0)
    assert [(state, code) for state, code in placed.attempts] == [("undecided", "differs")]
    assert parked() == []


def test_a_page_that_was_open_before_another_try_pays_nothing(
    placed: Placed, sandbox: Sandbox
) -> None:
    """R3: a form that was shown before a try is good for that one alone."""
    seen = spotted.shown(placed)
    sandbox.paypal.decline(placed.buyer.payer)
    spotted.pay(placed)
    sandbox.paypal.accept(placed.buyer.payer)

    with pytest.raises(charges.NotAsShown):
        spots.pay_with_method(
            order_id=placed.order.pk, shown=seen, actor=placed.buyer.actor, now=NOW
        )

    assert taken(sandbox) == []


@pytest.mark.unsound_books
def test_f37_a_restored_backup_knows_of_an_orders_money_again(
    placed: Placed, sandbox: Sandbox
) -> None:
    """The provider has it, we do not: staff are told whose it is, and the order is not paid twice."""
    spotted.pay(placed)
    sandbox.set_time(NOW + 3 * HOURS)
    sound.run(
        [
            "SET session_replication_role = replica",
            "DELETE FROM payments_transition WHERE subject = 'charge'",
            "DELETE FROM payments_charge",
            "DELETE FROM billing_invoice",
            "DELETE FROM billing_invoiceline",
            "DELETE FROM billing_taxsummary",
            "UPDATE payments_payable SET captured = 0, state = 'open', closed_at = NULL",
            "UPDATE payments_payable SET invoice_id = NULL",
            "UPDATE spot_orders_spotorder SET state = 'placed', paid_at = NULL",
            "SET session_replication_role = origin",
        ]
    )

    found = reconcile.reconcile(
        slug="paypal", since=NOW - 24 * HOURS, until=NOW + 5 * HOURS, now=NOW + 5 * HOURS
    )

    [difference] = found.found
    assert (difference.kind, difference.organisation_id) == (
        DifferenceKind.MISSING_HERE,
        placed.buyer.organisation.pk,
    )

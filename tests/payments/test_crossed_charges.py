"""What meets while money is taken: two tabs, the monthly run, notices, workers. Rule: R5, R6, F10.

What was captured twice all the same is given back by itself: tests/payments/test_refunds.py.
"""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from pytest_django.live_server_helper import LiveServer

from core import clock, work
from gateway_sandbox import Sandbox
from payments.enums import (
    ChargeState,
    Initiator,
    JourneyPurpose,
    JourneyState,
    NoticeState,
    PayableState,
)
from payments.models import Charge, Journey, Payable, Refund, StoredNotice
from payments.services import charges, collecting, corrections, journeys, paying, stops
from payments.services.journeys import Traveller
from tests import make
from tests.payments import backs, collected
from tests.payments.collected import Customer
from tests.payments.farside import assert_agree, parked, states, taken, tick

pytestmark = pytest.mark.django_db

NOW = make.NOW
ORDERS = "POST /v2/checkout/orders"
MINUTES, HOURS = timedelta(minutes=1), timedelta(hours=1)
WAY_BACK = paying.WayBack("http://localhost:8000/back/{state}", "http://localhost:8000/no/{state}")


@pytest.fixture
def aoba(sandbox: Sandbox) -> Customer:
    return collected.customer(sandbox)


def traveller(customer: Customer) -> Traveller:
    return Traveller(customer.organisation.pk, customer.root.pk, "a-session")


def set_out(customer: Customer) -> str:
    """Choose to pay once at PayPal; return the address to approve at."""
    return paying.set_out(
        payable_id=customer.payable.pk,
        gateway="paypal",
        shown=charges.Shown(5_500),
        traveller=traveller(customer),
        way_back=WAY_BACK,
        now=NOW,
    )


def come_back(customer: Customer, address: str) -> Charge:
    state = address.partition("/back/")[2].partition("?")[0]
    journey = journeys.come_back(
        traveller=traveller(customer), state=state, purpose=JourneyPurpose.PAYMENT, now=NOW
    )
    return paying.come_back(journey=journey, now=NOW)


def beside(do: Callable[[], object]) -> threading.Thread:
    def run() -> None:
        try:
            do()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_f10_a_page_left_open_keeps_the_monthly_run_away_until_it_lapses(
    aoba: Customer, sandbox: Sandbox
) -> None:
    set_out(aoba)

    tick(NOW + MINUTES, sandbox)
    assert (states(aoba.payable), taken(sandbox)) == ([("started", "")], [])
    tick(NOW + 3 * HOURS, sandbox)
    tick(NOW + 3 * HOURS + MINUTES, sandbox)

    assert states(aoba.payable) == [("cancelled", "left_unfinished"), ("succeeded", "")]
    assert Journey.objects.get().state in {JourneyState.CANCELLED, JourneyState.EXPIRED}
    assert_agree(sandbox, captures=1)


def test_f10_of_two_tabs_the_first_leads_nowhere(aoba: Customer, sandbox: Sandbox) -> None:
    first, second = set_out(aoba), set_out(aoba)
    back_first, back_second = sandbox.paypal.approve(first), sandbox.paypal.approve(second)

    with pytest.raises(journeys.CameBackBefore):
        come_back(aoba, back_first)
    charge = come_back(aoba, back_second)
    tick(NOW + MINUTES, sandbox)

    assert charge.state == ChargeState.SUCCEEDED
    assert [state for state, _ in states(aoba.payable)] == ["cancelled", "succeeded"]
    assert_agree(sandbox, captures=1)


def test_f10_who_approves_after_the_run_has_charged_pays_nothing_more(
    aoba: Customer, sandbox: Sandbox
) -> None:
    address = set_out(aoba)
    tick(NOW + 3 * HOURS, sandbox)
    tick(NOW + 3 * HOURS + MINUTES, sandbox)
    assert len(taken(sandbox)) == 1
    sandbox.set_time(NOW)

    with pytest.raises((journeys.CameBackBefore, journeys.Expired)):
        come_back(aoba, sandbox.paypal.approve(address))

    assert_agree(sandbox, captures=1)


@pytest.mark.django_db(transaction=True)
def test_f10_the_run_and_the_customer_at_the_same_moment_charge_once(sandbox: Sandbox) -> None:
    for turn in range(6):
        customer = collected.customer(sandbox, name=f"Turn {turn}", email=f"p{turn}@example.com")
        start = threading.Barrier(2)

        def run(pk: int = customer.payable.pk, start: threading.Barrier = start) -> None:
            start.wait(20)
            charges.collect(payable_id=pk, now=NOW)

        other = beside(run)
        start.wait(20)
        try:
            mine = charges.prepare(
                payable_id=customer.payable.pk,
                initiator=Initiator.CUSTOMER,
                actor="user:1",
                now=NOW,
            )
        except (charges.AttemptUnderWay, charges.NotOwed):
            pass
        else:
            charges.carry_out(charge_id=mine.pk, now=NOW)
        other.join(60)

    assert Charge.objects.count() == 6
    assert_agree(sandbox, captures=6)


@pytest.mark.django_db(transaction=True)
def test_f13_a_notice_inside_our_own_call_waits_and_books_once(
    sandbox: Sandbox, live_server: LiveServer
) -> None:
    customer = collected.customer(sandbox)
    held = sandbox.faults.hold(ORDERS)
    call = beside(lambda: charges.collect(payable_id=customer.payable.pk, now=NOW))
    assert held.reached.wait(20)
    (completed,) = sandbox.notices_of("PAYMENT.CAPTURE.COMPLETED")
    assert sandbox.deliver(completed, to=f"{live_server.url}/notices/paypal/") == [200]

    work.run_due()
    held.release()
    call.join(60)

    assert StoredNotice.objects.get().state == NoticeState.PROCESSED
    assert [state for state, _ in states(customer.payable)] == ["succeeded"]
    assert Payable.objects.get().captured == 5_500
    assert_agree(sandbox, captures=1)


@pytest.mark.django_db(transaction=True)
def test_f14_ten_workers_with_the_same_piece_charge_once(sandbox: Sandbox) -> None:
    customer = collected.customer(sandbox)
    start = threading.Barrier(10)

    def collect() -> None:
        start.wait(20)
        charges.collect(payable_id=customer.payable.pk, now=NOW)

    workers = [beside(collect) for _ in range(10)]
    for worker in workers:
        worker.join(60)

    assert len(sandbox.ledger.requests_to(ORDERS)) == 1
    assert_agree(sandbox, captures=1)


@pytest.mark.django_db(transaction=True)
def test_f01_a_look_beside_the_call_in_flight_changes_nothing_that_the_answer_tells(
    sandbox: Sandbox,
) -> None:
    customer = collected.customer(sandbox)
    held = sandbox.faults.hold(ORDERS)
    call = beside(lambda: charges.collect(payable_id=customer.payable.pk, now=NOW))
    assert held.reached.wait(20)
    charge = customer.payable.charges.get()

    with clock.fixed_at(NOW + 4 * MINUTES):
        charges.look(charge_id=charge.pk, now=NOW + MINUTES)
        assert states(customer.payable) == [("sent", "")]
        # So late that it counts as lost: the same call with the same key takes the money once.
        charges.look(charge_id=charge.pk, now=NOW + 4 * MINUTES)
    held.release()
    call.join(60)
    tick(NOW + 10 * MINUTES, sandbox)

    assert [state for state, _ in states(customer.payable)] == ["succeeded"]
    assert_agree(sandbox, captures=1)


def test_f18_what_is_pending_is_neither_credited_nor_given_back(
    aoba: Customer, sandbox: Sandbox
) -> None:
    sandbox.paypal.pending()
    tick(NOW, sandbox)

    with pytest.raises(corrections.ChargeUnderWay):
        backs.credit(aoba.payable, 2_000)

    assert Refund.objects.count() == 0
    sandbox.paypal.complete(sandbox.ledger.captures[0])
    tick(NOW + 5 * MINUTES, sandbox)
    backs.credit(aoba.payable, 2_000, now=NOW + 6 * MINUTES)
    tick(NOW + 7 * MINUTES, sandbox)
    assert sandbox.ledger.taken("JPY") == 3_500
    assert_agree(sandbox, captures=1)


def test_f18_what_is_credited_whole_before_its_charge_is_sent_is_not_charged(
    aoba: Customer, sandbox: Sandbox
) -> None:
    sandbox.stop_listening()
    tick(NOW, sandbox)
    assert [state for state, _ in states(aoba.payable)] == ["prepared"]
    backs.credit(aoba.payable)
    sandbox.listen_again()

    for minutes in (2, 60, 600):
        tick(NOW + minutes * MINUTES, sandbox)

    aoba.payable.refresh_from_db()
    assert (aoba.payable.state, taken(sandbox)) == (PayableState.VOID, [])
    assert [state for state, _ in states(aoba.payable)] == ["cancelled"]


def test_f19_a_chargeback_reopens_nothing_by_itself(aoba: Customer, sandbox: Sandbox) -> None:
    tick(NOW, sandbox)
    sandbox.set_time(NOW + HOURS)
    sandbox.paypal.chargeback(sandbox.ledger.captures[0])

    for hours in (24, 48, 72, 120):
        tick(NOW + hours * HOURS, sandbox)

    aoba.payable.refresh_from_db()
    assert (aoba.payable.captured, aoba.payable.refunded) == (5_500, 5_500)
    assert (aoba.payable.state, aoba.payable.next_charge_at) == (PayableState.OPEN, None)
    assert len(sandbox.ledger.captures) == 1
    assert aoba.payable.invoice is not None
    assert aoba.payable.invoice.gross == 5_500
    assert len(sandbox.ledger.requests_to(ORDERS)) == 1


def test_a_lost_way_to_the_payers_pages_blocks_the_invoice_for_minutes_and_not_for_days(
    sandbox: Sandbox,
) -> None:
    organisation, root = collected.billed("Aoba")
    payable = Payable.objects.get()
    customer = Customer(organisation, root, payable, None)  # type: ignore[arg-type]  # has none
    sandbox.faults.lose_reply(ORDERS)
    with pytest.raises(charges.AttemptUnderWay):
        set_out(customer)
    tick(NOW + 5 * MINUTES, sandbox)
    assert states(payable) == [("started", "")]

    charge = come_back(customer, sandbox.paypal.approve(set_out(customer)))

    assert charge.state == ChargeState.SUCCEEDED
    assert_agree(sandbox, captures=1)


def test_a_payment_that_cannot_be_asked_after_is_not_called_not_approved(
    aoba: Customer, sandbox: Sandbox
) -> None:
    back = sandbox.paypal.approve(set_out(aoba))
    sandbox.faults.status("GET /v2/checkout/orders/*", 503)

    with pytest.raises(charges.NotNow):
        come_back(aoba, back)
    assert Journey.objects.get().state == JourneyState.RETURNED
    tick(NOW + 5 * MINUTES, sandbox)

    assert [state for state, _ in states(aoba.payable)] == ["succeeded"]
    assert Journey.objects.get().state == JourneyState.COMPLETED
    assert parked() == []
    assert_agree(sandbox, captures=1)


def test_a_repeat_waits_while_charging_is_stopped(aoba: Customer, sandbox: Sandbox) -> None:
    sandbox.faults.lose_request(ORDERS)
    tick(NOW, sandbox)
    stops.stop(scope=stops.EVERYWHERE, reason="restored", actor=make.ACTOR, now=NOW)

    tick(NOW + 5 * MINUTES, sandbox)
    assert (states(aoba.payable), taken(sandbox)) == ([("undecided", "stopped")], [])
    stops.lift(scope=stops.EVERYWHERE, reason="reconciled", actor=make.ACTOR, now=NOW)
    tick(NOW + 2 * HOURS, sandbox)

    assert [state for state, _ in states(aoba.payable)] == ["succeeded"]
    assert_agree(sandbox, captures=1)


def test_a_method_that_works_again_within_the_day_is_charged_once_and_does_not_loop(
    sandbox: Sandbox,
) -> None:
    """Blocked and let buy again on the same day: the counters begin anew, the limit holds. R11."""
    organisation, root = collected.billed("Aoba")
    method = collected.paid_method(organisation, root, sandbox)
    payable = Payable.objects.get()
    sandbox.paid.block(method.payer)
    tick(NOW, sandbox)
    assert [state for state, _ in states(payable)] == ["declined"]
    sandbox.paid.approve(method.payer)
    collecting.resume(organisation_id=organisation.pk, now=NOW + MINUTES)

    for hours in range(1, 72):
        tick(NOW + hours * HOURS, sandbox)

    assert [state for state, _ in states(payable)] == ["declined", "succeeded"]
    assert_agree(sandbox, captures=1)


def test_a_return_that_a_refusal_of_us_breaks_off_is_gone_on_with_later(
    aoba: Customer, sandbox: Sandbox
) -> None:
    back = sandbox.paypal.approve(set_out(aoba))
    capture = "POST /v2/checkout/orders/*/capture"
    sandbox.faults.status(capture, 403, issue="PERMISSION_DENIED", times=None)
    with pytest.raises(charges.Stopped):
        come_back(aoba, back)

    tick(NOW + 5 * MINUTES, sandbox)
    assert (parked(), states(aoba.payable)[0][0]) == ([], "started")
    sandbox.faults.clear()
    tick(NOW + 2 * HOURS, sandbox)

    assert [state for state, _ in states(aoba.payable)] == ["succeeded"]
    assert_agree(sandbox, captures=1)

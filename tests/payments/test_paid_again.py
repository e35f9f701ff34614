"""What was charged back is paid again, though a provider takes no number twice. Rule: F06, F19."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from core import clock
from core.models import Mail
from gateway_sandbox import Sandbox
from payments.enums import ChargeState, Hold, PayableState
from payments.models import Charge, Payable
from payments.queries import receipts, reconciling
from payments.queries import spots as queries
from payments.services import asking, corrections, reconcile, refunds
from spot_orders.enums import SpotState
from tests.payments import backs, collected, offices, spotted
from tests.payments.collected import Customer
from tests.payments.farside import assert_agree, states, taken, tick
from tests.payments.spotted import NOW

pytestmark = pytest.mark.django_db

MINUTES, HOURS, DAYS = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ORDERS = "POST /v2/checkout/orders"


def charged_back(payable: Payable, sandbox: Sandbox) -> None:
    """Have the payer take the money back, and staff say that it is owed all the same, a day later."""
    sandbox.set_time(NOW + HOURS)
    sandbox.paypal.chargeback(sandbox.ledger.captures[-1])
    tick(NOW + 26 * HOURS, sandbox)
    payable.refresh_from_db()
    assert (payable.state, payable.hold) == (PayableState.OPEN, Hold.REVERSED)
    corrections.release_hold(
        payable_id=payable.pk, reason="It is owed.", actor=backs.HANAKO, now=NOW + 27 * HOURS
    )
    sandbox.set_time(NOW + 27 * HOURS)


@pytest.fixture
def reopened(sandbox: Sandbox) -> Customer:
    """5,500 yen of October that were paid by PayPal, and charged back."""
    customer, _ = collected.paid(sandbox)
    charged_back(customer.payable, sandbox)
    return customer


def numbers(sandbox: Sandbox) -> list[str]:
    return [row.invoice_id for row in sandbox.ledger.captures]


def test_an_invoice_that_was_charged_back_is_paid_again(
    reopened: Customer, sandbox: Sandbox
) -> None:
    tick(NOW + 27 * HOURS, sandbox)

    assert states(reopened.payable) == [("succeeded", ""), ("succeeded", "")]
    assert numbers(sandbox) == ["KC-00000001", "KC-00000001-2"]
    assert sandbox.ledger.taken("JPY") == 5_500
    reopened.payable.refresh_from_db()
    assert (reopened.payable.state, reopened.payable.captured, reopened.payable.refunded) == (
        PayableState.PAID,
        11_000,
        5_500,
    )


def test_a_spot_order_that_was_charged_back_is_paid_again(sandbox: Sandbox) -> None:
    placed = spotted.placed(sandbox)
    spotted.pay(placed)
    charged_back(queries.payable_of(placed.order), sandbox)

    charge = spotted.pay(placed, now=NOW + 27 * HOURS)

    assert (charge.state, charge.number) == (ChargeState.SUCCEEDED, placed.order.number)
    assert numbers(sandbox) == [placed.order.number, f"{placed.order.number}-2"]
    assert placed.state == SpotState.PAID
    assert placed.sums == (PayableState.PAID, 0, 11_000, 5_500)


def test_f06_the_same_attempt_is_taken_once_however_often_it_is_sent(
    reopened: Customer, sandbox: Sandbox
) -> None:
    """The answer is lost, and the far side has forgotten the key: the number is the last net."""
    sandbox.faults.lose_reply(ORDERS)
    tick(NOW + 27 * HOURS, sandbox)
    sandbox.paypal.forget_keys()

    tick(NOW + 27 * HOURS + 5 * MINUTES, sandbox)

    assert sandbox.ledger.requests_to(ORDERS)[-1].status == 422
    assert states(reopened.payable) == [("succeeded", ""), ("succeeded", "")]
    assert sandbox.ledger.taken("JPY") == 5_500
    assert_agree(sandbox, captures=2)


def test_f06_an_attempt_after_one_that_took_nothing_bears_the_same_number(
    reopened: Customer, sandbox: Sandbox
) -> None:
    """Had the declined one taken the money after all, the next would be refused."""
    sandbox.paypal.decline("payer@example.com")
    tick(NOW + 27 * HOURS, sandbox)
    sandbox.paypal.accept("payer@example.com")
    tick(NOW + 3 * DAYS + 28 * HOURS, sandbox)

    assert [state for state, _ in states(reopened.payable)] == [
        "succeeded",
        "declined",
        "succeeded",
    ]
    assert numbers(sandbox)[-1] == "KC-00000001-2"


def test_a_buyer_of_paid_pays_what_was_charged_back_elsewhere(
    reopened: Customer, sandbox: Sandbox
) -> None:
    backs.paid_method(reopened.organisation, reopened.root, sandbox)

    tick(NOW + 27 * HOURS, sandbox)

    assert [row.code for row in sandbox.ledger.trades] == ["KC-00000001-2"]
    assert len(taken(sandbox)) == 2


def test_a_part_that_was_taken_back_is_paid_again_and_both_payments_are_given_back(
    sandbox: Sandbox,
) -> None:
    customer, first = collected.paid(sandbox)
    refunds.record_reversal(
        charge_id=first.pk, reference="R-1", amount=2_000, code="CHARGEBACK", now=NOW
    )
    corrections.release_hold(
        payable_id=customer.payable.pk, reason="It is owed.", actor=backs.HANAKO, now=NOW
    )
    asking.charge_now(
        payable_id=customer.payable.pk, reason="He asked.", actor=backs.HANAKO, now=NOW
    )
    tick(NOW + MINUTES, sandbox)
    assert [row.amount for row in sandbox.ledger.captures] == [5_500, 2_000]

    backs.credit(Payable.objects.get(pk=customer.payable.pk), now=NOW + 2 * MINUTES)
    tick(NOW + 3 * MINUTES, sandbox)

    assert [row.amount for row in sandbox.ledger.refunds] == [2_000, 3_500]
    assert backs.sums(customer.payable) == (PayableState.VOID, 5_500, 7_500, 7_500)


def test_which_payment_it_is_never_changes(reopened: Customer, sandbox: Sandbox) -> None:
    """Under another number the provider would take the money of the same attempt once more."""
    tick(NOW + 27 * HOURS, sandbox)

    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        Charge.objects.filter(turn=2).update(turn=3)


def test_whatever_is_read_of_it_says_the_documents_own_number(
    reopened: Customer, sandbox: Sandbox
) -> None:
    tick(NOW + 27 * HOURS, sandbox)
    second = Charge.objects.latest("pk")

    receipt = receipts.newest(second.payable)
    client, _ = offices.staff()

    assert receipt is not None
    assert receipt.number == "KC-00000001-R2"
    page = offices.text(client.get(offices.page(second)))
    assert "KC-00000001-2" in page  # as it stands at the provider
    for name in ("KC-00000001", "KC-00000001-2"):
        found = client.get(offices.listing(Charge, f"q={name}"))
        assert offices.page(second) in offices.text(found), name
    assert not Mail.objects.filter(text__contains="KC-00000001-2").exists()


def test_the_books_of_both_sides_agree_on_it(reopened: Customer, sandbox: Sandbox) -> None:
    later = NOW + 40 * HOURS
    tick(NOW + 27 * HOURS, sandbox)
    sandbox.set_time(later)

    with clock.fixed_at(later):
        done = reconcile.reconcile(slug="paypal", since=NOW - DAYS, until=later, now=later)

    assert (done.found, done.run.matched) == ((), 3)


def test_money_of_which_only_such_a_number_is_known_is_told_to_be_its_customers(
    reopened: Customer,
) -> None:
    told = ["KC-00000001-2", "KC-00000001", "KC-2", "KC-00000001-x", "-2", ""]

    assert reconciling.payables_by_number(told) == {
        "KC-00000001-2": reopened.payable,
        "KC-00000001": reopened.payable,
    }

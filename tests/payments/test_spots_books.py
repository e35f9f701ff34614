"""What the audit says of spot orders and their money, also with a guard gone. Rule: I05…I21, T3."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from core import books
from gateway_sandbox import Sandbox
from payments.enums import ChargeState, Initiator
from payments.models import Charge, Payable
from payments.queries import spots as queries
from payments.services import charges, collecting, spots
from spot_orders.enums import SpotState
from spot_orders.models import SpotOrder
from tests import make
from tests.payments import backs, spotted
from tests.payments.farside import tick
from tests.payments.spotted import NOW, Placed

pytestmark = [pytest.mark.django_db, pytest.mark.unsound_books]

HOURS, DAYS = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def placed(sandbox: Sandbox) -> Placed:
    return spotted.placed(sandbox)


@pytest.fixture
def paid(placed: Placed) -> Placed:
    spotted.pay(placed)
    return placed


def told(now: datetime = NOW) -> set[tuple[str, str]]:
    """Return invariant and words of what the audit of payments finds about spot orders."""
    return {
        (breach.invariant, breach.what)
        for breach in books.breaches(now=now)
        if "spot" in breach.what
    }


def past_every_guard(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(statement)
        cursor.execute("SET session_replication_role = origin")


AMOUNTS = ("I05", "what is collected for a spot order is not what was ordered or invoiced")
STUCK = ("I06", "a spot order has been paid for an hour, and is neither served nor given back")
BY_ITSELF = ("I06", "a spot order was charged by the portal itself, or is to be")
LATE = ("I06", "a spot order should have lapsed hours ago, and no payment of it is under way")
APART = ("I10", "a spot order's payment does not stand as the order does")
UNPAID = ("I13", "a spot contract counts for the capacity, and was not paid whole")
CREDITED = (
    "I13",
    "a spot contract was given back whole, and counts for the capacity all the same",
)
KEPT = ("I13", "a spot order is paid and not served, and nothing gives its money back")
BILLED = ("I21", "Paid bills a buyer for a spot order that was neither served nor given back")


def test_a_paid_order_is_sound(paid: Placed) -> None:
    assert told(NOW + 5 * HOURS) == set()


def test_an_unpaid_order_is_sound_and_so_is_one_that_lapsed(
    placed: Placed, sandbox: Sandbox
) -> None:
    assert told(NOW + 5 * HOURS) == set()
    tick(NOW + 24 * HOURS, sandbox)
    assert told(NOW + 40 * HOURS) == set()


def test_i05_another_amount_than_was_ordered_is_told(paid: Placed) -> None:
    past_every_guard("UPDATE payments_payable SET gross = 5499")
    assert AMOUNTS in told()


def test_i05_the_invoice_of_something_else_is_told(paid: Placed) -> None:
    past_every_guard("UPDATE billing_invoice SET kind = 'monthly'")
    assert AMOUNTS in told()


def test_i06_money_that_nobody_served_or_gave_back_is_told(placed: Placed) -> None:
    _take(placed)

    assert STUCK not in told(NOW + HOURS / 2)
    assert STUCK in told(NOW + 2 * HOURS)


def test_i21_what_paid_has_taken_over_and_nobody_served_is_told(sandbox: Sandbox) -> None:
    placed = spotted.placed(sandbox, method="paid")
    _take(placed)

    assert BILLED not in told(NOW + HOURS / 2)
    assert {BILLED, STUCK} <= told(NOW + 2 * HOURS)


def test_i06_an_order_that_nobody_let_lapse_is_told(placed: Placed) -> None:
    assert LATE not in told(NOW + 26 * HOURS)
    assert LATE in told(NOW + 31 * HOURS)


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE payments_payable SET invoice_id = NULL", id="served without invoice"),
        pytest.param(
            "UPDATE spot_orders_spotorder SET state = 'placed', paid_at = NULL",
            id="invoiced and not paid",
        ),
        pytest.param(
            "UPDATE spot_orders_spotorder SET state = 'lapsed', paid_at = NULL, closed_at = now()",
            id="lapsed and invoiced",
        ),
        pytest.param(
            "UPDATE payments_payable SET spot_order_id = NULL, kind = 'invoice', serial = 1",
            id="without a payable",
        ),
    ],
)
def test_i10_an_order_and_a_payment_that_stand_apart_are_told(statement: str, paid: Placed) -> None:
    past_every_guard(statement)
    assert APART in told()


def test_i13_capacity_without_money_is_told(paid: Placed) -> None:
    past_every_guard("UPDATE payments_charge SET state = 'declined', capture = ''")
    assert UNPAID in told()


def test_i13_capacity_for_what_was_given_back_whole_is_told(paid: Placed, sandbox: Sandbox) -> None:
    backs.credit(queries.payable_of(paid.order))
    tick(NOW, sandbox)
    assert told(NOW + 5 * HOURS) == set()

    past_every_guard("UPDATE spot_orders_spotorder SET cut_on = NULL")

    assert CREDITED in told()


def test_i13_money_kept_for_what_was_not_served_is_told(placed: Placed, sandbox: Sandbox) -> None:
    sandbox.paypal.pending()
    charge = spotted.pay(placed)
    spotted.shorten(placed.buyer)
    sandbox.paypal.complete(sandbox.ledger.captures[0])
    charges.look(charge_id=charge.pk, now=NOW)
    spots.serve(payable_id=placed.payable.pk, now=NOW)
    assert KEPT not in told()

    past_every_guard("DELETE FROM payments_refund")

    assert KEPT in told()


# --- T3: guards taken away ---


def test_t3_without_its_constraint_the_schedule_charges_an_order(
    placed: Placed, sandbox: Sandbox
) -> None:
    def schedule() -> None:
        Payable.objects.filter(pk=placed.payable.pk).update(next_charge_at=NOW)

    assert _is_refused(schedule)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "ALTER TABLE payments_payable DROP CONSTRAINT payable_of_spot_order_names_it"
        )
    schedule()
    assert BY_ITSELF in told()

    collecting.plan(NOW)
    tick(NOW, sandbox)

    assert Charge.objects.get().initiator == Initiator.SCHEDULE
    assert BY_ITSELF in told()


def test_t3_without_the_look_at_the_contract_what_is_not_covered_is_served(
    placed: Placed, monkeypatch: pytest.MonkeyPatch
) -> None:
    spotted.shorten(placed.buyer)
    with pytest.raises(charges.NotServable):
        spotted.pay(placed)

    monkeypatch.setattr(queries, "why_not_served", lambda *_: None)
    spotted.pay(placed)

    assert placed.state == SpotState.PAID
    assert "I12" in {breach.invariant for breach in books.breaches(now=NOW)}


def test_t3_without_its_order_a_payment_is_of_nothing(placed: Placed) -> None:
    def forget() -> None:
        Payable.objects.filter(pk=placed.payable.pk).update(spot_order=None)

    assert _is_refused(forget)


def _take(placed: Placed) -> None:
    """Book the money alone: what follows is left to nobody."""
    charge = charges.prepare(
        payable_id=placed.payable.pk, initiator=Initiator.CUSTOMER, actor=make.ACTOR, now=NOW
    )
    charges.carry_out(charge_id=charge.pk, now=NOW)
    assert Charge.objects.get().state == ChargeState.SUCCEEDED
    assert SpotOrder.objects.get().state == SpotState.PLACED


def _is_refused(do: Callable[[], object]) -> bool:
    try:
        with transaction.atomic():
            do()
    except IntegrityError:
        return True
    return False

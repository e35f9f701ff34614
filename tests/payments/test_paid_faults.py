"""What goes wrong between the portal and Paid while a month is billed, over real HTTP. Rule: R6, I21."""

import contextlib
import threading
from datetime import timedelta

import pytest
from django.db import connection

from core.models import Mail
from gateway_sandbox import Sandbox
from payments.enums import ChargeState, Hold, MethodState, PayableState
from payments.models import Charge, Payable, PaymentMethod
from payments.services import charges, methods
from tests import make
from tests.payments import collected
from tests.payments.farside import assert_agree, label, parked, reserved, states, taken, tick

pytestmark = pytest.mark.django_db

NOW = make.NOW
RESERVE, FIX, CANCEL = "*/Register/*", "*/Fix/*", "*/Cancel/*"
MINUTES, HOURS, DAYS = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def payable(sandbox: Sandbox) -> Payable:
    """5,500 yen, owed by a buyer whom Paid has approved."""
    organisation, root = collected.billed("Aoba")
    collected.paid_method(organisation, root, sandbox)
    return Payable.objects.get()


def asked(sandbox: Sandbox, pattern: str) -> int:
    return len(sandbox.ledger.requests_to(pattern))


@pytest.mark.parametrize("call", [RESERVE, FIX], ids=["reserve", "fix"])
def test_f63_a_lost_answer_of_paid_is_repeated_under_the_same_key_and_bills_once(
    payable: Payable, sandbox: Sandbox, call: str
) -> None:
    sandbox.faults.lose_reply(call)

    tick(NOW, sandbox)
    assert [state for state, _ in states(payable)] == ["undecided"]
    assert label(payable) == "being confirmed"
    tick(NOW + 5 * MINUTES, sandbox)

    assert [state for state, _ in states(payable)] == ["succeeded"]
    assert asked(sandbox, call) == 2
    assert [row.id for row in sandbox.ledger.trades] == [payable.charges.get().key]
    assert_agree(sandbox, captures=1)


def test_f63_an_answer_of_paid_that_is_lost_for_days_is_still_repeated_safely(
    payable: Payable, sandbox: Sandbox
) -> None:
    sandbox.faults.lose_reply(FIX, times=None)
    for hours in range(0, 70, 5):
        tick(NOW + hours * HOURS, sandbox)
    assert [state for state, _ in states(payable)] == ["undecided"]
    sandbox.faults.clear()

    tick(NOW + 95 * HOURS, sandbox)

    assert [state for state, _ in states(payable)] == ["succeeded"]
    assert_agree(sandbox, captures=1)


@pytest.mark.parametrize("call", [RESERVE, FIX], ids=["reserve", "fix"])
def test_f64_an_item_that_fails_inside_a_success_is_judged_by_itself(
    payable: Payable, sandbox: Sandbox, call: str
) -> None:
    sandbox.faults.fail_items(call, "ERROR")

    tick(NOW, sandbox)
    assert [state for state, _ in states(payable)] == ["undecided"]
    assert taken(sandbox) == []
    tick(NOW + 5 * MINUTES, sandbox)

    assert [state for state, _ in states(payable)] == ["succeeded"]
    payable.refresh_from_db()
    assert payable.declines == 0
    assert_agree(sandbox, captures=1)


@pytest.mark.parametrize("call", [RESERVE, FIX], ids=["reserve", "fix"])
@pytest.mark.parametrize("shape", range(6))
def test_f65_json_of_wrong_types_bills_and_declines_nobody(
    payable: Payable, sandbox: Sandbox, call: str, shape: int
) -> None:
    sandbox.faults.wrong_types(call, shape)

    tick(NOW, sandbox)
    assert [state for state, _ in states(payable)] == ["undecided"]
    tick(NOW + 5 * MINUTES, sandbox)

    assert [state for state, _ in states(payable)] == ["succeeded"]
    assert_agree(sandbox, captures=1)


@pytest.mark.parametrize(
    ("status", "code"),
    [("ERROR", "Z99"), ("CLIENT_ERROR", "A03"), ("ERROR", "E01")],
    ids=["unknown", "ours", "theirs"],
)
def test_f65_an_error_of_paid_bills_and_declines_nobody(
    payable: Payable, sandbox: Sandbox, status: str, code: str
) -> None:
    sandbox.faults.paid_error(FIX, status, [code])

    tick(NOW, sandbox)
    assert [state for state, _ in states(payable)] == ["undecided"]
    tick(NOW + 5 * MINUTES, sandbox)

    assert [state for state, _ in states(payable)] == ["succeeded"]
    assert_agree(sandbox, captures=1)


def test_f66_a_buyer_blocked_between_reserve_and_fix_chooses_another_method(
    sandbox: Sandbox,
) -> None:
    charge = reserved(sandbox)
    method = PaymentMethod.objects.get()
    sandbox.paid.block(method.payer)

    for hours in range(0, 4 * 24, 8):
        tick(NOW + 5 * MINUTES + hours * HOURS, sandbox)

    method.refresh_from_db()
    payable = Payable.objects.get()
    assert method.state == MethodState.BROKEN
    assert [state for state, _ in states(payable)] == ["declined"]
    assert (payable.state, payable.hold, payable.next_charge_at) == (
        PayableState.OPEN,
        Hold.METHOD_BROKEN,
        None,
    )
    assert (asked(sandbox, RESERVE), asked(sandbox, FIX)) == (1, 1)
    assert label(payable) in {"to be paid", "overdue"}
    assert Mail.objects.filter(subject__contains="Paid", created_at__gt=NOW).count() == 1
    assert parked() == []

    collected.paypal_method(charge.organisation, method.registered_by, sandbox)
    tick(NOW + 5 * DAYS, sandbox)
    assert_agree(sandbox, captures=1)
    assert [row.status for row in sandbox.ledger.trades] == ["registered"]


def test_f66_a_buyer_found_blocked_before_the_fix_is_not_fixed_and_the_reservation_goes(
    sandbox: Sandbox,
) -> None:
    """The block is found by the usual look, while the fix waits for Paid to come back."""
    charge = reserved(sandbox)
    method = PaymentMethod.objects.get()
    methods.break_method(method_id=method.pk, code="blocked", now=NOW, actor="system:review")

    tick(NOW + 5 * MINUTES, sandbox)

    charge.refresh_from_db()
    payable = Payable.objects.get()
    assert (charge.state, charge.code) == (ChargeState.CANCELLED, "method_gone")
    assert (payable.hold, payable.next_charge_at, payable.declines) == (
        Hold.METHOD_BROKEN,
        None,
        0,
    )
    assert [row.status for row in sandbox.ledger.trades] == ["cancelled"]
    assert asked(sandbox, FIX) == 0


def test_f66_a_method_replaced_while_a_charge_waits_is_not_charged_any_more(
    sandbox: Sandbox,
) -> None:
    charge = reserved(sandbox)
    before = PaymentMethod.objects.get()
    methods.break_method(method_id=before.pk, code="blocked", now=NOW, actor="system:review")
    after = collected.paypal_method(charge.organisation, before.registered_by, sandbox)

    tick(NOW + 5 * MINUTES, sandbox)

    payable = Payable.objects.get()
    assert states(payable) == [("cancelled", "method_gone"), ("succeeded", "")]
    assert payable.charges.latest("pk").method == after
    assert_agree(sandbox, captures=1)


def test_f66_a_credit_that_is_refused_is_tried_as_any_decline_and_ends(
    sandbox: Sandbox,
) -> None:
    organisation, root = collected.billed("Aoba")
    method = collected.paid_method(organisation, root, sandbox)
    sandbox.paid.approve(method.payer, limit=1_000)
    payable = Payable.objects.get()

    for hours in range(0, 9 * 24, 12):
        tick(NOW + hours * HOURS, sandbox)

    payable.refresh_from_db()
    method.refresh_from_db()
    assert [state for state, _ in states(payable)] == ["declined"] * 4
    assert asked(sandbox, RESERVE) == 4
    assert (payable.hold, method.state) == (Hold.DECLINED, MethodState.ACTIVE)
    assert payable.overdue_at == NOW + 7 * DAYS
    assert taken(sandbox) == []


@pytest.mark.django_db(transaction=True)
def test_f67_ten_workers_fix_once(sandbox: Sandbox) -> None:
    charge = reserved(sandbox)
    start = threading.Barrier(10)

    def fix() -> None:
        try:
            start.wait(20)
            charges.carry_out(charge_id=charge.pk, now=NOW)
        finally:
            connection.close()

    workers = [threading.Thread(target=fix) for _ in range(10)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)

    assert asked(sandbox, FIX) == 1
    assert_agree(sandbox, captures=1)


def test_f67_a_fix_that_was_made_is_not_made_again(payable: Payable, sandbox: Sandbox) -> None:
    tick(NOW, sandbox)
    charge = Charge.objects.get()

    charges.carry_out(charge_id=charge.pk, now=NOW)
    charges.look(charge_id=charge.pk, now=NOW)
    given_up = charges.cancel(charge_id=charge.pk, code="late", actor=make.ACTOR, now=NOW)

    assert (given_up, asked(sandbox, FIX), asked(sandbox, CANCEL)) == (False, 1, 0)
    assert_agree(sandbox, captures=1)


def test_f67_what_was_cancelled_is_not_fixed(sandbox: Sandbox) -> None:
    charge = reserved(sandbox)
    charges.cancel(charge_id=charge.pk, code="credited", actor=make.ACTOR, now=NOW)

    charges.carry_out(charge_id=charge.pk, now=NOW)
    charges.look(charge_id=charge.pk, now=NOW)

    charge.refresh_from_db()
    assert (charge.state, asked(sandbox, FIX)) == (ChargeState.CANCELLED, 0)
    assert [row.status for row in sandbox.ledger.trades] == ["cancelled"]


@pytest.mark.django_db(transaction=True)
def test_f67_who_cancels_while_it_is_fixed_either_lets_go_or_is_too_late(sandbox: Sandbox) -> None:
    for turn in range(5):
        charge = reserved(sandbox, name=f"Turn {turn}")
        start = threading.Barrier(2)

        def fix(pk: int = charge.pk, start: threading.Barrier = start) -> None:
            try:
                start.wait(20)
                charges.carry_out(charge_id=pk, now=NOW)
            finally:
                connection.close()

        worker = threading.Thread(target=fix)
        worker.start()
        start.wait(20)
        with contextlib.suppress(charges.NotNow):
            charges.cancel(charge_id=charge.pk, code="credited", actor=make.ACTOR, now=NOW)
        worker.join(60)

        charge.refresh_from_db()
        trade = sandbox.ledger.trade(charge.key)
        assert (charge.state == ChargeState.SUCCEEDED) == (trade.status == "fixed")
        assert charge.state != ChargeState.DECLINED
    assert_agree(sandbox, captures=Charge.objects.filter(state="succeeded").count())


@pytest.mark.django_db(transaction=True)
def test_f67_a_fix_after_the_cancel_of_another_process_is_no_decline(sandbox: Sandbox) -> None:
    charge = reserved(sandbox)
    held = sandbox.faults.hold(CANCEL)
    gave_up: list[bool] = []

    def cancel() -> None:
        try:
            gave_up.append(
                charges.cancel(charge_id=charge.pk, code="credited", actor=make.ACTOR, now=NOW)
            )
        finally:
            connection.close()

    other = threading.Thread(target=cancel)
    other.start()
    assert held.reached.wait(20)
    charges.carry_out(charge_id=charge.pk, now=NOW)
    held.release()
    other.join(60)

    charge.refresh_from_db()
    payable = Payable.objects.get()
    assert (charge.state, gave_up, payable.declines) == (ChargeState.CANCELLED, [False], 0)
    tick(NOW + 5 * MINUTES, sandbox)
    assert [row.status for row in sandbox.ledger.trades] == ["cancelled", "fixed"]
    assert_agree(sandbox, captures=1)

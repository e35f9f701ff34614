"""What goes wrong between the portal and PayPal while money is taken, over real HTTP. Rule: R6, R10."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from core import clock
from core.models import AuditEntry, Mail
from core.work import ReasonMissing
from gateway_sandbox import Sandbox
from payments.enums import ChargeState, Hold, Initiator, MethodState, PayableState
from payments.gateways import registry
from payments.gateways.paypal import PayPal
from payments.gateways.paypal.api import PayPalApi
from payments.models import Charge, Difference, Payable
from payments.services import charges, corrections, stops
from tests import make
from tests.payments import collected
from tests.payments.backs import HANAKO
from tests.payments.collected import Customer
from tests.payments.farside import assert_agree, label, parked, reserved, states, taken, tick

pytestmark = pytest.mark.django_db

NOW = make.NOW
ORDERS = "POST /v2/checkout/orders"
MINUTES, HOURS, DAYS = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def aoba(sandbox: Sandbox) -> Customer:
    return collected.customer(sandbox)


def mails(words: str) -> int:
    return Mail.objects.filter(subject__contains=words).count()


def test_f01_a_lost_reply_is_being_confirmed_and_is_settled_once(
    aoba: Customer, sandbox: Sandbox
) -> None:
    sandbox.faults.lose_reply(ORDERS)

    tick(NOW, sandbox)
    assert states(aoba.payable) == [("undecided", "no_answer")]
    assert label(aoba.payable) == "being confirmed"
    with pytest.raises(charges.AttemptUnderWay):
        charges.prepare_once(
            payable_id=aoba.payable.pk, gateway="paypal", actor=make.ACTOR, now=NOW
        )
    tick(NOW + 4 * MINUTES, sandbox)
    assert len(sandbox.ledger.requests_to(ORDERS)) == 1
    tick(NOW + 5 * MINUTES, sandbox)

    assert states(aoba.payable) == [("succeeded", "")]
    assert label(aoba.payable) == "paid"
    assert_agree(sandbox, captures=1)
    assert (
        Mail.objects.filter(text__contains="5,500").exclude(subject__contains="発行").count() == 1
    )


@pytest.mark.parametrize(
    "break_reply",
    [
        pytest.param(lambda sandbox: sandbox.faults.cut_reply(ORDERS, at=90), id="cut"),
        pytest.param(lambda sandbox: sandbox.faults.invalid_json(ORDERS), id="invalid JSON"),
        pytest.param(lambda sandbox: sandbox.faults.html_error(ORDERS), id="HTML"),
        pytest.param(lambda sandbox: sandbox.faults.empty_200(ORDERS), id="empty 200"),
    ],
)
def test_f02_a_broken_reply_declines_nobody_and_is_settled_once(
    aoba: Customer, sandbox: Sandbox, break_reply: Callable[[Sandbox], object]
) -> None:
    break_reply(sandbox)

    tick(NOW, sandbox)
    (state, _), *others = states(aoba.payable)
    assert (state, others) == (ChargeState.UNDECIDED, [])
    tick(NOW + 5 * MINUTES, sandbox)

    aoba.payable.refresh_from_db()
    assert (aoba.payable.state, aoba.payable.declines) == (PayableState.PAID, 0)
    assert_agree(sandbox, captures=1)


@pytest.mark.django_db(transaction=True)
def test_f03_no_transaction_is_open_while_a_provider_says_nothing(
    aoba: Customer, sandbox: Sandbox, settings: Settings
) -> None:
    impatient = PayPal(api=PayPalApi(settings.PAYPAL, timeout=(1.0, 1.5)))
    registry.gateways()["paypal"] = impatient
    hole = sandbox.faults.delay(ORDERS, 4, before=True)

    def run() -> None:
        try:
            tick(NOW, sandbox)
        finally:
            connection.close()

    worker = threading.Thread(target=run)
    worker.start()
    while not hole.hits:
        worker.join(0.02)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
            " AND backend_type = 'client backend'"
        )
        is_open = cursor.fetchone()
    is_still_waiting = worker.is_alive()
    worker.join(30)

    assert (is_open, is_still_waiting) == ((0,), True)
    assert states(aoba.payable) == [("undecided", "timeout")]
    # The far side does take the money, long after we have stopped to listen.
    while not taken(sandbox):
        worker.join(0.02)
        threading.Event().wait(0.02)
    tick(NOW + 5 * MINUTES, sandbox)
    assert_agree(sandbox, captures=1)


def test_f05_a_reply_lost_for_longer_than_its_key_lives_is_found_in_the_providers_books(
    aoba: Customer, sandbox: Sandbox
) -> None:
    sandbox.faults.lose_reply(ORDERS)
    tick(NOW, sandbox)
    sandbox.paypal.forget_keys()

    tick(NOW + 7 * HOURS, sandbox)

    assert states(aoba.payable) == [("succeeded", "")]
    assert len(sandbox.ledger.requests_to(ORDERS)) == 1
    assert_agree(sandbox, captures=1)


def test_f05_what_nobody_finds_waits_for_a_person_and_is_charged_again_only_by_one(
    aoba: Customer, sandbox: Sandbox
) -> None:
    sandbox.faults.lose_request(ORDERS)
    tick(NOW, sandbox)

    for hours in range(7, 96, 6):
        tick(NOW + hours * HOURS, sandbox)

    assert states(aoba.payable) == [("undecided", "not_found_after_key_life")]
    assert len(sandbox.ledger.requests_to(ORDERS)) == 1
    assert len(parked()) == 1
    charge = aoba.payable.charges.get()
    at = NOW + 97 * HOURS
    assert charges.decide_not_taken(
        charge_id=charge.pk, reason="not in PayPal's books", actor=HANAKO, now=at
    )
    tick(at, sandbox)
    assert [state for state, _ in states(aoba.payable)] == ["cancelled", "succeeded"]
    assert_agree(sandbox, captures=1)


def test_f06_an_order_that_was_paid_before_is_settled_and_not_charged_again(
    aoba: Customer, sandbox: Sandbox
) -> None:
    sandbox.faults.lose_reply(ORDERS)
    tick(NOW, sandbox)
    # The far side has lost the key, and its own check of numbers takes its place.
    sandbox.paypal.forget_keys()

    tick(NOW + 5 * MINUTES, sandbox)

    assert sandbox.ledger.requests_to(ORDERS)[-1].status == 422
    assert states(aoba.payable) == [("succeeded", "")]
    assert_agree(sandbox, captures=1)


def test_f06_a_number_that_an_attempt_given_up_has_paid_is_for_staff(
    aoba: Customer, sandbox: Sandbox
) -> None:
    """Staff were wrong to say that it took nothing; nobody is charged twice for that."""
    sandbox.paypal.reporting_delay = 3 * HOURS
    sandbox.faults.lose_reply(ORDERS)
    tick(NOW, sandbox)
    charge = aoba.payable.charges.get()
    # The money is not in the provider's books yet, and the same call is not made to find out.
    assert charges.decide_not_taken(
        charge_id=charge.pk, reason="I see nothing there", actor=HANAKO, now=NOW + MINUTES
    )
    for minutes in (2, 60, 400):
        tick(NOW + minutes * MINUTES, sandbox)

    assert [state for state, _ in states(aoba.payable)] == ["cancelled", "undecided"]
    aoba.payable.refresh_from_db()
    assert aoba.payable.hold == Hold.DIFFERS
    assert len(taken(sandbox)) == 1
    assert label(aoba.payable) == "being checked"


@pytest.mark.parametrize("status", [409, 429, 503])
def test_f07_a_busy_provider_is_left_alone_as_long_as_it_says(
    aoba: Customer, sandbox: Sandbox, status: int
) -> None:
    sandbox.faults.status(ORDERS, status, headers={"Retry-After": "1200"})
    tick(NOW, sandbox)
    tick(NOW + 19 * MINUTES, sandbox)
    assert len(sandbox.ledger.requests_to(ORDERS)) == 1

    tick(NOW + 20 * MINUTES, sandbox)

    first, second = sandbox.ledger.requests_to(ORDERS)
    assert first.headers["paypal-request-id"] == second.headers["paypal-request-id"]
    assert [state for state, _ in states(aoba.payable)] == ["succeeded"]
    assert_agree(sandbox, captures=1)


def test_f07_a_burst_beyond_the_limit_goes_on_for_the_others_and_ends_with_everybody_paid(
    sandbox: Sandbox,
) -> None:
    everybody = [
        collected.customer(sandbox, name=f"No {n}", email=f"p{n}@example.com") for n in range(6)
    ]
    limit = sandbox.faults.limit(ORDERS, per_minute=4)

    tick(NOW, sandbox)
    assert len(taken(sandbox)) == 4
    assert limit.refused == 2
    for minutes in (1, 2, 5, 6):
        tick(NOW + minutes * MINUTES, sandbox)

    assert_agree(sandbox, captures=6)
    assert limit.refused == 2
    assert {Payable.objects.get(pk=each.payable.pk).declines for each in everybody} == {0}


@pytest.mark.parametrize("end", ["completed", "denied"])
def test_f08_five_days_of_pending_are_no_decline_and_no_second_charge(
    aoba: Customer, sandbox: Sandbox, end: str
) -> None:
    sandbox.paypal.pending()
    for hours in range(0, 5 * 24, 6):
        tick(NOW + hours * HOURS, sandbox)
    aoba.payable.refresh_from_db()
    assert [state for state, _ in states(aoba.payable)] == ["pending"]
    assert (aoba.payable.declines, aoba.payable.overdue_at, parked()) == (0, None, [])
    assert len(sandbox.ledger.requests_to(ORDERS)) == 1
    assert label(aoba.payable) == "processing"

    (capture,) = sandbox.ledger.captures
    if end == "completed":
        sandbox.paypal.complete(capture)
    else:
        sandbox.paypal.deny(capture)
    tick(NOW + 6 * DAYS, sandbox)

    aoba.payable.refresh_from_db()
    if end == "completed":
        assert [state for state, _ in states(aoba.payable)] == ["succeeded"]
        assert_agree(sandbox, captures=1)
    else:
        assert [state for state, _ in states(aoba.payable)] == ["declined"]
        assert aoba.payable.next_charge_at == NOW + 7 * DAYS
        tick(NOW + 7 * DAYS, sandbox)
        assert_agree(sandbox, captures=1)


def replaced(told: Any, name: str, old: str, new: str) -> Any:
    """Return JSON in which the texts of this name say something else, wherever they stand."""
    if isinstance(told, list):
        return [replaced(each, name, old, new) for each in told]
    if not isinstance(told, dict):
        return told
    return {
        key: value.replace(old, new)
        if key == name and isinstance(value, str)
        else replaced(value, name, old, new)
        for key, value in told.items()
    }


def tell_otherwise(sandbox: Sandbox, name: str, old: str, new: str) -> None:
    """Have all that PayPal says of orders and captures be different in one point."""
    for path in ("/v2/*", "/v1/reporting/*"):
        sandbox.faults.change(path, lambda told: replaced(told, name, old, new), times=None)


DIFFERENT: dict[str, tuple[Callable[[Sandbox], object], str]] = {
    "amount": (lambda sandbox: sandbox.paypal.wrong_amount(-1), "amount"),
    "currency": (lambda sandbox: sandbox.paypal.wrong_currency("USD"), "amount"),
    "merchant": (lambda sandbox: sandbox.paypal.other_merchant("OTHER"), "foreign"),
    "key": (lambda sandbox: sandbox.paypal.other_custom_id("c-of-another"), "foreign"),
    "number": (lambda each: tell_otherwise(each, "invoice_id", "KC-", "XX-"), "amount"),
    "environment": (
        lambda each: tell_otherwise(each, "href", each.url, "https://api-m.sandbox.paypal.com"),
        "foreign",
    ),
}


@pytest.mark.parametrize("what", sorted(DIFFERENT))
def test_f09_an_answer_that_differs_books_nothing_and_staff_are_told_once(
    aoba: Customer, sandbox: Sandbox, what: str
) -> None:
    make_differ, kind = DIFFERENT[what]
    make_differ(sandbox)

    for hours in range(0, 4 * 24, 8):
        tick(NOW + hours * HOURS, sandbox)

    aoba.payable.refresh_from_db()
    assert (aoba.payable.state, aoba.payable.captured) == (PayableState.OPEN, 0)
    assert (aoba.payable.hold, aoba.payable.next_charge_at) == (Hold.DIFFERS, None)
    assert states(aoba.payable) == [("undecided", "differs")]
    assert len(sandbox.ledger.requests_to(ORDERS)) == 1
    assert Difference.objects.filter(charge__payable=aoba.payable, kind=kind).count() == 1
    assert mails("決済会社の回答が請求の内容と一致しません") == 1
    assert label(aoba.payable) == "being checked"


@pytest.mark.parametrize("what", ["amount", "currency", "merchant", "environment"])
def test_f09_staff_close_what_differs_and_the_document_is_charged_again(
    aoba: Customer, sandbox: Sandbox, what: str
) -> None:
    DIFFERENT[what][0](sandbox)
    tick(NOW, sandbox)
    charge = aoba.payable.charges.get()
    with pytest.raises(charges.StillDiffers):
        charges.decide_taken(charge_id=charge.pk, reason="it is ours", actor=HANAKO, now=NOW)

    is_closed = charges.decide_not_taken(
        charge_id=charge.pk, reason="given back at PayPal", actor=HANAKO, now=NOW
    )
    for capture in sandbox.ledger.captures:
        sandbox.paypal.deny(capture)
    sandbox.faults.clear()
    corrections.release_hold(
        payable_id=aoba.payable.pk, reason="given back at PayPal", actor=HANAKO, now=NOW
    )
    tick(NOW + MINUTES, sandbox)

    assert is_closed
    assert [state for state, _ in states(aoba.payable)] == ["cancelled", "succeeded"]
    assert not Difference.objects.filter(resolved_at=None, kind=DIFFERENT[what][1]).exists()


@pytest.mark.parametrize("what", ["key", "number"])
def test_f09_staff_say_that_money_of_another_name_is_this_payment(
    aoba: Customer, sandbox: Sandbox, what: str
) -> None:
    DIFFERENT[what][0](sandbox)
    tick(NOW, sandbox)
    charge = aoba.payable.charges.get()
    with pytest.raises(ReasonMissing):
        charges.decide_taken(charge_id=charge.pk, reason=" ", actor=HANAKO, now=NOW)

    charges.decide_taken(
        charge_id=charge.pk, reason="PayPal confirmed it", actor=HANAKO, now=NOW + MINUTES
    )
    with pytest.raises(charges.NotDiffering):
        charges.decide_taken(charge_id=charge.pk, reason="again", actor=HANAKO, now=NOW)

    aoba.payable.refresh_from_db()
    assert (aoba.payable.state, aoba.payable.hold) == (PayableState.PAID, Hold.NOTHING)
    assert not Difference.objects.filter(resolved_at=None).exists()
    entry = AuditEntry.objects.get(action="charge.succeeded")
    assert (entry.actor, entry.details["reason"]) == (HANAKO, "PayPal confirmed it")
    assert_agree(sandbox, captures=1)


def test_f09_money_of_an_earlier_attempt_is_booked_once_by_staff(
    aoba: Customer, sandbox: Sandbox
) -> None:
    """An attempt was given up wrongly; the next one is told of the money of the first."""
    sandbox.paypal.reporting_delay = 3 * HOURS
    sandbox.faults.lose_reply(ORDERS)
    tick(NOW, sandbox)
    first = aoba.payable.charges.get()
    charges.decide_not_taken(charge_id=first.pk, reason="not there", actor=HANAKO, now=NOW)
    for minutes in (2, 60, 400):
        tick(NOW + minutes * MINUTES, sandbox)
    second = aoba.payable.charges.latest("pk")

    charges.decide_taken(
        charge_id=second.pk, reason="it is the first one's", actor=HANAKO, now=NOW + 7 * HOURS
    )
    for hours in (8, 80):
        tick(NOW + hours * HOURS, sandbox)

    aoba.payable.refresh_from_db()
    assert (aoba.payable.state, aoba.payable.captured) == (PayableState.PAID, 5_500)
    assert_agree(sandbox, captures=1)


def test_f11_an_agreement_that_the_payer_deleted_breaks_the_method_and_nothing_loops(
    aoba: Customer, sandbox: Sandbox
) -> None:
    sandbox.paypal.delete_agreement(aoba.method.payer)

    for hours in range(0, 5 * 24, 6):
        tick(NOW + hours * HOURS, sandbox)

    aoba.method.refresh_from_db()
    aoba.payable.refresh_from_db()
    assert aoba.method.state == MethodState.BROKEN
    assert [state for state, _ in states(aoba.payable)] == ["declined"]
    assert len(sandbox.ledger.requests_to(ORDERS)) == 1
    assert (aoba.payable.hold, aoba.payable.next_charge_at) == (Hold.METHOD_BROKEN, None)
    # That it can be used, and that it works no more.
    assert mails("PayPal") == 2

    collected.paypal_method(aoba.organisation, aoba.root, sandbox, email="new@example.com")
    tick(NOW + 5 * DAYS, sandbox)
    assert_agree(sandbox, captures=1)


def test_f12_without_any_notice_for_a_week_the_books_are_right_within_an_hour(
    sandbox: Sandbox,
) -> None:
    lost = collected.customer(sandbox, name="Lost")
    sandbox.faults.lose_reply(ORDERS)
    tick(NOW, sandbox)
    slow = collected.customer(sandbox, name="Slow", email="slow@example.com")
    sandbox.paypal.pending()
    tick(NOW + MINUTES, sandbox)
    assert [lost.payable.charges.get().state, slow.payable.charges.get().state] == [
        ChargeState.UNDECIDED,
        ChargeState.PENDING,
    ]
    sandbox.paypal.complete(sandbox.ledger.captures[-1])

    for minutes in range(5, 61, 5):
        tick(NOW + minutes * MINUTES, sandbox)

    assert_agree(sandbox, captures=2)
    assert sandbox.notices_of("PAYMENT.CAPTURE.COMPLETED") != []


def test_f04_a_provider_that_is_away_between_the_two_calls_of_a_charge_loses_nothing(
    sandbox: Sandbox,
) -> None:
    """Reserved at Paid, and the fix is not sent: it stays reserved, and is fixed later."""
    charge = reserved(sandbox)
    sandbox.stop_listening()
    tick(NOW + 5 * MINUTES, sandbox)
    charge.refresh_from_db()
    assert (charge.state, charge.step, charge.sent_at) == (ChargeState.STARTED, "start", NOW)

    sandbox.listen_again()
    tick(NOW + 3 * HOURS, sandbox)

    charge.refresh_from_db()
    assert charge.state == ChargeState.SUCCEEDED
    assert_agree(sandbox, captures=1)


def test_a_repeated_call_that_leads_to_one_that_is_not_sent_parks_nothing(
    sandbox: Sandbox,
) -> None:
    """The reservation's reply is lost; asked again Paid knows it, and is away before the fix."""
    organisation, root = collected.billed("Aoba")
    collected.paid_method(organisation, root, sandbox)
    payable = Payable.objects.get()
    sandbox.faults.lose_reply("*/Register/*")
    tick(NOW, sandbox)
    assert [state for state, _ in states(payable)] == ["undecided"]
    held = sandbox.faults.hold("*/Register/*")

    def go_away() -> None:
        held.reached.wait(20)
        threading.Thread(target=sandbox.stop_listening).start()
        held.release()

    away = threading.Thread(target=go_away)
    away.start()
    tick(NOW + 5 * MINUTES, sandbox)
    away.join()
    assert parked() == []
    sandbox.listen_again()
    tick(NOW + 2 * HOURS, sandbox)

    assert [state for state, _ in states(payable)] == ["succeeded"]
    assert_agree(sandbox, captures=1)


def test_a_stop_between_the_two_calls_of_a_charge_keeps_the_second_from_being_made(
    sandbox: Sandbox,
) -> None:
    organisation, root = collected.billed("Aoba")
    collected.paid_method(organisation, root, sandbox)
    payable = Payable.objects.get()
    charge = charges.prepare(
        payable_id=payable.pk, initiator=Initiator.SCHEDULE, actor=make.ACTOR, now=NOW
    )
    stops.stop(scope=stops.EVERYWHERE, reason="restored", actor=make.ACTOR, now=NOW)

    with pytest.raises(charges.Stopped):
        charges.carry_out(charge_id=charge.pk, now=NOW)

    assert sandbox.ledger.trades == []
    stops.lift(scope=stops.EVERYWHERE, reason="reconciled", actor=make.ACTOR, now=NOW)
    tick(NOW + 5 * MINUTES, sandbox)
    assert Charge.objects.get().state == ChargeState.SUCCEEDED
    assert_agree(sandbox, captures=1)


def test_an_order_that_wants_the_payer_after_all_breaks_the_method_and_does_not_loop(
    aoba: Customer, sandbox: Sandbox
) -> None:
    """Its answer could not be read; asked for, it says that the payer has to approve it."""
    sandbox.faults.answer(ORDERS, 201, {"id": "5O190127TN364715T", "status": "SAVED"})
    order = {"id": "5O190127TN364715T", "status": "PAYER_ACTION_REQUIRED", "links": []}
    sandbox.faults.answer("GET /v2/checkout/orders/*", 200, order, times=None)
    capture = "POST /v2/checkout/orders/*/capture"
    sandbox.faults.status(capture, 422, issue="ORDER_NOT_APPROVED", times=None)

    for minutes in (0, *range(5, 15), 60, 120):
        tick(NOW + minutes * MINUTES, sandbox)

    aoba.method.refresh_from_db()
    assert states(aoba.payable) == [("declined", "PAYER_ACTION_REQUIRED")]
    assert aoba.method.state == MethodState.BROKEN
    assert len(sandbox.ledger.requests_to(capture)) == 1


def test_staff_cannot_close_what_the_provider_does_not_answer_about(
    aoba: Customer, sandbox: Sandbox
) -> None:
    sandbox.faults.lose_reply("POST /v2/checkout/orders")
    tick(NOW, sandbox)
    charge = aoba.payable.charges.get()
    sandbox.faults.status("GET /v1/reporting/*", 503, times=None)
    sandbox.advance(hours=7)

    with clock.fixed_at(NOW + 7 * HOURS), pytest.raises(charges.NotNow):
        charges.decide_not_taken(
            charge_id=charge.pk, reason="not there", actor=HANAKO, now=NOW + 7 * HOURS
        )

    charge.refresh_from_db()
    assert charge.state == ChargeState.UNDECIDED
    assert sandbox.ledger.taken("JPY") == 5_500

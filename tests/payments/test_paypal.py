"""PayPal, as its sandbox answers: registering, taking, giving back, and every fault in between."""

import logging
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway_sandbox import Accounts, Sandbox
from payments.gateways.base import (
    About,
    Absent,
    Account,
    AnswerLost,
    Approval,
    BadNotice,
    Declined,
    Gateway,
    GatewayMisconfigured,
    GatewayUnreachable,
    NotTold,
    Payer,
    Pending,
    Record,
    RecordKind,
    RecordState,
    Refunded,
    RefundFailed,
    RequestRefused,
    Settled,
    Standing,
    Undecided,
    Waiting,
)
from payments.gateways.paypal import PayPal
from tests.payments import openapi
from tests.payments.paypal import CANCEL_URL, EMAIL, RETURN_URL, Far, intent, refund_intent

NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
ORDERS = "POST /v2/checkout/orders"
REFUNDS = "POST /v2/payments/captures/*/refund"
# PayPal's ids leave out what looks alike, which the sandbox's usual merchant does not.
MERCHANT = "L2CALMERCHANT"
US = Account("local", MERCHANT)


@pytest.fixture
def far() -> Iterator[Far]:
    """Start PayPal; at the end, hold every request of ours against PayPal's description."""
    with Sandbox(accounts=Accounts(merchant=MERCHANT)) as sandbox:
        sandbox.set_time(NOW)
        far = Far(sandbox)
        yield far
        if openapi.is_there:
            faults = [fault for each in far.exchanges for fault in openapi.faults_of_request(each)]
            assert faults == []


def settled(far: Far, **changes: Any) -> Settled:
    """Return what a payment of the one capture that the ledger holds is."""
    (capture,) = far.sandbox.ledger.captures
    told = Settled(
        reference=capture.order,
        capture=capture.id,
        amount=5_500,
        currency="JPY",
        key="c-1",
        number="INV-2026-000001",
        account=US,
    )
    return replace(told, **changes)


def paid(far: Far) -> Settled:
    """Take 5,500 yen from a new payer."""
    outcome = far.gateway.capture(intent(payer=far.payer()))
    assert isinstance(outcome, Settled)
    return outcome


def test_paypal_is_a_gateway() -> None:
    gateway: type[Gateway] = PayPal

    assert (gateway.slug, gateway.name, gateway.label) == (
        "paypal",
        "PayPal",
        "Pay by Credit Card (PayPal)",
    )


@pytest.mark.parametrize(
    ("country", "currency", "serves"),
    [
        ("JP", "JPY", True),
        ("DE", "EUR", True),
        ("US", "USD", True),
        ("HU", "HUF", False),
        ("TW", "TWD", False),
        ("KR", "KRW", False),
    ],
)
def test_paypal_serves_any_country_in_its_currencies(
    far: Far, country: str, currency: str, serves: bool
) -> None:
    assert far.gateway.serves(country, currency) is serves


# --- what PayPal describes ---


@pytest.mark.skipif(not openapi.is_there, reason="../shared/paypal-openapi is not there")
def test_all_that_is_said_is_as_paypal_describes_it(far: Far) -> None:
    gateway, ledger = far.gateway, far.sandbox.ledger
    payer = far.payer()
    gateway.standing(payer)
    once = gateway.capture(intent(payer=payer))
    assert isinstance(once, Settled)
    assert once == gateway.capture(intent(payer=payer)) == settled(far)
    gateway.refund(refund_intent(capture=once.capture))
    gateway.refund(refund_intent(capture=once.capture))
    gateway.refund(refund_intent(capture=once.capture, key="r-2", amount=9_000))
    gateway.look_up_refund(
        refund_intent(capture=once.capture, sent_at=far.sandbox.now() - timedelta(days=50))
    )
    visit = gateway.start(
        intent(key="c-2", number="INV-2", currency="USD", amount=1_250),
        return_url=RETURN_URL,
        cancel_url=CANCEL_URL,
    )
    assert isinstance(visit, Approval)
    announced = intent(key="c-2", number="INV-2", reference=visit.reference)
    gateway.capture(announced)
    far.sandbox.paypal.approve(visit.reference)
    gateway.capture(announced)
    gateway.capture(replace(announced, key="c-3"))
    gateway.capture(intent(key="c-4", payer=payer))
    far.sandbox.paypal.decline(EMAIL)
    gateway.capture(intent(key="c-5", number="INV-5", payer=payer))
    gateway.forget(payer)
    gateway.standing(payer)
    list(gateway.records(NOW - timedelta(days=1), NOW + timedelta(days=1)))

    assert len(ledger.captures) == 2
    said = {
        (each.method, "/".join(each.path.partition("?")[0].split("/")[2:4]))
        for each in far.exchanges
    }
    assert said == {
        ("POST", "oauth2/token"),
        ("POST", "vault/setup-tokens"),
        ("GET", "vault/setup-tokens"),
        ("POST", "vault/payment-tokens"),
        ("GET", "vault/payment-tokens"),
        ("DELETE", "vault/payment-tokens"),
        ("POST", "checkout/orders"),
        ("GET", "checkout/orders"),
        ("GET", "payments/captures"),
        ("POST", "payments/captures"),
        ("GET", "reporting/transactions"),
    }
    faults = [
        fault
        for each in far.exchanges
        for fault in openapi.faults_of_request(each) + openapi.faults_of_answer(each)
    ]
    assert faults == []


# --- a payer registers ---


def open_(far: Far, gateway: PayPal | None = None) -> str:
    approval = (gateway or far.gateway).open_registration(
        key="m-1",
        customer="org-1",
        language="ja",
        return_url=RETURN_URL,
        cancel_url=CANCEL_URL,
    )
    assert approval.url == f"{far.sandbox.url}/approve/{approval.reference}"
    return approval.reference


def test_a_payer_who_approves_is_registered_once(far: Far) -> None:
    reference = open_(far)
    far.sandbox.paypal.approve(reference, email=EMAIL)

    first = far.gateway.finish_registration(key="m-1", reference=reference)
    second = far.gateway.finish_registration(key="m-1", reference=reference)

    (token,) = far.sandbox.ledger.payment_tokens
    assert first == second == Payer(token.id, "h•••@example.com", token.customer)
    (visit,) = far.sandbox.ledger.setup_tokens
    assert (visit.merchant_customer, visit.locale) == ("org-1", "ja-JP")
    assert visit.usage_pattern == "RECURRING_POSTPAID"
    assert far.gateway.standing(token.id) is Standing.ACTIVE


def test_a_payer_who_finishes_days_later_is_registered_once(far: Far) -> None:
    reference = open_(far)
    far.sandbox.paypal.approve(reference, email=EMAIL)
    first = far.gateway.finish_registration(key="m-1", reference=reference)

    far.sandbox.advance(hours=4)

    assert far.gateway.finish_registration(key="m-1", reference=reference) == first
    assert len(far.sandbox.ledger.payment_tokens) == 1


def test_the_same_key_opens_one_visit(far: Far) -> None:
    assert open_(far) == open_(far)


def test_a_payer_who_did_not_approve_is_nobody(far: Far) -> None:
    reference = open_(far)

    assert far.gateway.finish_registration(key="m-1", reference=reference) is None
    far.sandbox.paypal.cancel(reference)
    assert far.gateway.finish_registration(key="m-1", reference=reference) is None
    assert far.gateway.finish_registration(key="m-1", reference="FORGED/../1") is None
    assert far.sandbox.ledger.payment_tokens == []


def test_payers_are_sent_to_paypals_pages_alone(far: Far) -> None:
    elsewhere = far.portal(approval_origins=("https://www.paypal.com",))

    with pytest.raises(GatewayMisconfigured):
        open_(far, elsewhere)


def test_payers_are_not_sent_to_a_page_that_only_begins_like_paypals(far: Far) -> None:
    evil = {"rel": "approve", "href": f"{far.sandbox.url}.evil/approve/1", "method": "GET"}
    far.sandbox.faults.change("POST /v3/vault/setup-tokens", lambda told: {**told, "links": [evil]})

    with pytest.raises(GatewayMisconfigured):
        open_(far)


def test_an_answer_lost_while_registering_is_said(far: Far) -> None:
    far.sandbox.faults.lose_reply("POST /v3/vault/setup-tokens")

    with pytest.raises(AnswerLost):
        open_(far)
    open_(far)

    assert len(far.sandbox.ledger.setup_tokens) == 1


def test_an_account_that_may_not_keep_payers_is_our_fault(far: Far) -> None:
    far.sandbox.faults.status("POST /v3/*", 403, issue="NOT_ENABLED_TO_VAULT_PAYMENT_SOURCE")

    with pytest.raises(GatewayMisconfigured):
        open_(far)


def test_a_form_is_not_how_payers_register(far: Far) -> None:
    with pytest.raises(RequestRefused):
        far.gateway.register(key="m-1", profile={})


def test_a_payer_who_took_it_back_at_paypal_is_unknown(far: Far) -> None:
    payer = far.payer()
    far.sandbox.paypal.delete_agreement(payer)

    assert far.gateway.standing(payer) is Standing.UNKNOWN


def test_a_payer_is_forgotten_and_may_be_so_twice(far: Far) -> None:
    payer = far.payer()

    far.gateway.forget(payer)
    far.gateway.forget(payer)

    assert far.gateway.standing(payer) is Standing.UNKNOWN
    assert far.sandbox.ledger.payment_token(payer).deleted_at is not None


def test_whether_a_payer_stands_is_not_guessed(far: Far) -> None:
    payer = far.payer()
    far.sandbox.faults.status("GET /v3/*", 503)

    with pytest.raises(AnswerLost):
        far.gateway.standing(payer)


# --- money in ---


def test_a_registered_payer_is_charged_at_once_and_once(far: Far) -> None:
    charge = intent(payer=far.payer())

    assert far.gateway.start(charge, return_url=RETURN_URL, cancel_url=CANCEL_URL) == Waiting("")
    assert far.sandbox.ledger.orders == []
    assert far.gateway.capture(charge) == settled(far)
    assert far.gateway.capture(charge) == settled(far)
    assert far.sandbox.ledger.taken("JPY") == 5_500


@pytest.mark.parametrize(
    ("by_customer", "initiator"), [(False, b'"MERCHANT"'), (True, b'"CUSTOMER"')]
)
def test_who_set_a_charge_going_is_told(far: Far, by_customer: bool, initiator: bytes) -> None:
    far.gateway.capture(intent(payer=far.payer(), by_customer=by_customer))

    (asked,) = far.sandbox.ledger.requests_to(ORDERS)
    assert initiator in asked.body
    assert asked.headers["paypal-request-id"] == "c-1"


def test_cents_are_written_as_decimals(far: Far) -> None:
    charge = intent(payer=far.payer(), amount=1_205, currency="USD")

    assert far.gateway.capture(charge) == settled(far, amount=1_205, currency="USD")
    (asked,) = far.sandbox.ledger.requests_to(ORDERS)
    assert b'{"currency_code": "USD", "value": "12.05"}' in asked.body


def announced(far: Far) -> str:
    approval = far.gateway.start(intent(), return_url=RETURN_URL, cancel_url=CANCEL_URL)
    assert isinstance(approval, Approval)
    return approval.reference


def test_a_payer_without_registration_approves_one_payment(far: Far) -> None:
    reference = announced(far)
    charge = intent(reference=reference)
    waits = Waiting(reference, is_approved=False)
    assert far.gateway.look_up(charge) == waits
    assert far.gateway.capture(charge) == waits

    far.sandbox.paypal.approve(reference)

    assert far.gateway.look_up(charge) == Waiting(reference)
    assert far.sandbox.ledger.captures == []
    assert far.gateway.capture(charge) == settled(far)
    assert far.gateway.capture(charge) == settled(far)
    assert far.gateway.look_up(charge) == settled(far)
    asked = far.sandbox.ledger.requests_to("POST /v2/checkout/*")
    keys = [each.headers["paypal-request-id"] for each in asked]
    assert keys == ["c-1", "c-1-capture", "c-1-capture", "c-1-capture"]


def test_an_announcement_that_leads_nowhere_is_undecided(far: Far) -> None:
    far.sandbox.faults.change(ORDERS, lambda told: {**told, "links": []})

    outcome = far.gateway.start(intent(), return_url=RETURN_URL, cancel_url=CANCEL_URL)

    (order,) = far.sandbox.ledger.orders
    assert outcome == Undecided("unreadable_answer", order.id)


@pytest.mark.parametrize(
    ("issue", "outcome"),
    [
        ("COMPLIANCE_VIOLATION", Declined("COMPLIANCE_VIOLATION")),
        ("SOMETHING_NEW", Undecided("SOMETHING_NEW")),
    ],
)
def test_an_announcement_may_be_refused(
    far: Far, issue: str, outcome: Declined | Undecided
) -> None:
    far.sandbox.faults.mock(ORDERS, issue)

    assert far.gateway.start(intent(), return_url=RETURN_URL, cancel_url=CANCEL_URL) == outcome


def test_an_announcement_whose_answer_is_lost_is_undecided_and_made_once(far: Far) -> None:
    far.sandbox.faults.lose_reply(ORDERS)

    outcome = far.gateway.start(intent(), return_url=RETURN_URL, cancel_url=CANCEL_URL)

    assert outcome == Undecided("no_answer")
    (order,) = far.sandbox.ledger.orders
    assert announced(far) == order.id
    assert len(far.sandbox.ledger.orders) == 1


def test_a_payment_is_announced_once(far: Far) -> None:
    assert announced(far) == announced(far)
    assert len(far.sandbox.ledger.orders) == 1


def test_a_payment_announced_again_after_its_approval_only_waits_for_us(far: Far) -> None:
    reference = announced(far)
    far.sandbox.paypal.approve(reference)

    again = far.gateway.start(intent(), return_url=RETURN_URL, cancel_url=CANCEL_URL)

    assert again == Waiting(reference)


def test_what_was_announced_cannot_be_taken_back_and_is_left_to_lapse(far: Far) -> None:
    reference = announced(far)
    before = len(far.sandbox.ledger.requests)

    far.gateway.cancel(intent(reference=reference))

    assert len(far.sandbox.ledger.requests) == before


def test_an_order_that_paypal_left_approved_is_captured_in_the_same_call(far: Far) -> None:
    payer = far.payer()
    reference = announced(far)
    far.sandbox.paypal.approve(reference)
    far.sandbox.faults.answer(ORDERS, 201, {"id": reference, "status": "APPROVED"})

    assert far.gateway.capture(intent(payer=payer)) == settled(far)


def test_nothing_is_captured_without_a_payer_or_an_order(far: Far) -> None:
    with pytest.raises(ValueError, match="neither"):
        far.gateway.capture(intent())


# --- no ---


@pytest.mark.parametrize(
    ("issue", "is_broken"),
    [
        ("INSTRUMENT_DECLINED", False),
        ("TRANSACTION_REFUSED", False),
        ("PAYER_CANNOT_PAY", False),
        ("TRANSACTION_LIMIT_EXCEEDED", False),
        ("MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED", False),
        ("COMPLIANCE_VIOLATION", False),
        ("PAYEE_BLOCKED_TRANSACTION", False),
        ("AGREEMENT_ALREADY_CANCELLED", True),
        ("BILLING_AGREEMENT_NOT_FOUND", True),
        ("TOKEN_ID_NOT_FOUND", True),
        ("TOKEN_EXPIRED", True),
        ("CARD_EXPIRED", True),
        ("PAYER_ACCOUNT_LOCKED_OR_CLOSED", True),
        ("PAYER_ACCOUNT_RESTRICTED", True),
        ("PAYER_ACTION_REQUIRED", True),
        ("REDIRECT_PAYER_FOR_ALTERNATE_FUNDING", True),
    ],
)
def test_a_refusal_of_the_payer_is_a_decline(far: Far, issue: str, is_broken: bool) -> None:
    charge = intent(payer=far.payer())
    far.sandbox.faults.mock(ORDERS, issue)

    assert far.gateway.capture(charge) == Declined(issue, is_method_broken=is_broken)
    assert far.sandbox.ledger.captures == []


def test_the_next_attempt_after_a_decline_is_another_one(far: Far) -> None:
    payer = far.payer()
    far.sandbox.paypal.decline(EMAIL)
    assert far.gateway.capture(intent(payer=payer)) == Declined("INSTRUMENT_DECLINED")
    far.sandbox.paypal.accept(EMAIL)

    assert far.gateway.capture(intent(key="c-2", payer=payer)) == settled(far, key="c-2")


def test_a_capture_that_is_declined_inside_its_order_is_a_decline(far: Far) -> None:
    charge = intent(payer=far.payer())
    far.sandbox.paypal.declined_captures()

    outcome = far.gateway.capture(charge)

    (order,) = far.sandbox.ledger.orders
    assert outcome == Declined("DECLINED", order.id)
    assert far.sandbox.ledger.taken("JPY") == 0


def test_an_agreement_that_the_payer_deleted_breaks_the_method(far: Far) -> None:
    charge = intent(payer=far.payer())
    far.sandbox.paypal.delete_agreement(charge.payer)

    assert far.gateway.capture(charge) == Declined("TOKEN_ID_NOT_FOUND", is_method_broken=True)


@pytest.mark.parametrize(
    ("status", "issue"),
    [
        (400, "INVALID_STRING_LENGTH"),
        (403, "PERMISSION_DENIED"),
        (403, "NOT_AUTHORIZED"),
        (422, "PAYEE_ACCOUNT_RESTRICTED"),
        (422, "PAYEE_ACCOUNT_LOCKED_OR_CLOSED"),
        (422, "NOT_ENABLED_TO_VAULT_PAYMENT_SOURCE"),
        (401, "INVALID_ACCOUNT_STATUS"),
    ],
)
def test_a_refusal_of_us_is_no_decline(far: Far, status: int, issue: str) -> None:
    charge = intent(payer=far.payer())
    far.sandbox.faults.status(ORDERS, status, issue=issue, times=None)

    with pytest.raises(GatewayMisconfigured):
        far.gateway.capture(charge)

    assert far.sandbox.ledger.captures == []


def test_a_refusal_in_unknown_words_is_neither_yes_nor_no(far: Far) -> None:
    charge = intent(payer=far.payer())
    far.sandbox.faults.mock(ORDERS, "SOMETHING_NEW")

    assert far.gateway.capture(charge) == Undecided("SOMETHING_NEW")


# --- faults ---


def spoil(far: Far, how: Callable[[Far], object]) -> tuple[object, object, object]:
    """Charge with a fault; return what is known then, when looked up, and when asked again."""
    charge = intent(payer=far.payer(), sent_at=NOW)
    how(far)
    return (
        far.gateway.capture(charge),
        far.gateway.look_up(charge),
        far.gateway.capture(charge),
    )


@pytest.mark.parametrize(
    ("how", "code"),
    [
        pytest.param(lambda far: far.sandbox.faults.lose_reply(ORDERS), "no_answer", id="F01"),
        pytest.param(
            lambda far: far.sandbox.faults.cut_reply(ORDERS, at=90), "cut_answer", id="F02 cut"
        ),
        pytest.param(
            lambda far: far.sandbox.faults.invalid_json(ORDERS), "unreadable_answer", id="F02 JSON"
        ),
        pytest.param(lambda far: far.sandbox.faults.html_error(ORDERS), "HTTP_502", id="F02 HTML"),
        pytest.param(
            lambda far: far.sandbox.faults.empty_200(ORDERS), "unreadable_answer", id="F02 empty"
        ),
        pytest.param(
            lambda far: far.sandbox.faults.lose_request(ORDERS), "no_answer", id="the request lost"
        ),
        pytest.param(
            lambda far: far.sandbox.faults.change(ORDERS, lambda _told: {}),
            "unreadable_answer",
            id="nothing in it",
        ),
        pytest.param(
            lambda far: far.sandbox.faults.change(
                ORDERS, lambda _told: {"id": 1, "purchase_units": "x", "status": []}
            ),
            "unreadable_answer",
            id="other types",
        ),
    ],
)
def test_a_lost_answer_is_undecided_and_the_same_key_takes_the_money_once(
    far: Far, how: Callable[[Far], object], code: str
) -> None:
    first, looked_up, again = spoil(far, how)

    assert first == Undecided(code)
    assert looked_up == Absent(may_repeat=True)
    assert again == settled(far)
    assert far.sandbox.ledger.taken("JPY") == 5_500


def test_a_black_hole_ends_undecided(far: Far) -> None:
    charge = intent(payer=far.payer(), sent_at=NOW)
    far.sandbox.faults.blackhole(ORDERS)
    impatient = Far(far.sandbox, patience=0.3).gateway

    assert impatient.capture(charge) == Undecided("timeout")  # F03
    # For PayPal the first request is still under way.
    assert far.gateway.capture(charge) == Undecided("PREVIOUS_REQUEST_IN_PROGRESS")
    assert far.sandbox.ledger.captures == []


def test_two_that_ask_at_the_same_moment_take_the_money_once(far: Far) -> None:
    charge = intent(payer=far.payer(), sent_at=NOW)
    held = far.sandbox.faults.hold(ORDERS)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(far.gateway.capture, charge)
        assert held.reached.wait(10)
        second = far.gateway.capture(charge)
        held.release()

        assert second == Undecided("PREVIOUS_REQUEST_IN_PROGRESS")
        assert first.result() == settled(far)


def test_nothing_reaches_a_paypal_that_is_away(far: Far) -> None:
    charge = intent(payer=far.payer())
    far.sandbox.stop_listening()

    with pytest.raises(GatewayUnreachable):
        far.gateway.capture(charge)

    far.sandbox.listen_again()
    assert far.sandbox.ledger.captures == []
    assert far.gateway.capture(charge) == settled(far)


def test_without_a_token_nothing_was_sent(far: Far) -> None:
    payer = far.payer()
    far.sandbox.faults.status("POST /v1/oauth2/token", 503)

    with pytest.raises(GatewayUnreachable):
        far.portal().capture(intent(payer=payer))

    assert far.sandbox.ledger.requests_to(ORDERS) == []


@pytest.mark.parametrize(
    ("status", "issue", "code"),
    [
        (409, "PREVIOUS_REQUEST_IN_PROGRESS", "PREVIOUS_REQUEST_IN_PROGRESS"),
        (422, "ORDER_COMPLETION_IN_PROGRESS", "ORDER_COMPLETION_IN_PROGRESS"),
        (429, "", "RATE_LIMIT_REACHED"),
        (500, "INTERNAL_SERVER_ERROR", "INTERNAL_SERVER_ERROR"),
        (503, "", "SERVICE_UNAVAILABLE"),
    ],
)
def test_a_busy_paypal_is_left_alone_as_long_as_it_says(
    far: Far, status: int, issue: str, code: str
) -> None:
    charge = intent(payer=far.payer())
    headers = {"Retry-After": "7"} if status != 422 else {}
    far.sandbox.faults.status(ORDERS, status, issue=issue, headers=headers)

    wait = timedelta(seconds=7) if headers else None
    assert far.gateway.capture(charge) == Undecided(code, "", wait)  # F07
    assert far.gateway.capture(charge) == settled(far)


def test_after_the_life_of_the_key_the_books_are_asked_and_nothing_is_repeated(far: Far) -> None:
    charge = intent(payer=far.payer(), sent_at=NOW)
    far.sandbox.faults.lose_reply(ORDERS)
    assert far.gateway.capture(charge) == Undecided("no_answer")

    far.sandbox.advance(hours=7)

    assert far.gateway.look_up(charge) == settled(far)  # F05
    assert len(far.sandbox.ledger.requests_to(ORDERS)) == 1


def test_what_nobody_finds_after_the_life_of_the_key_is_a_persons_to_decide(far: Far) -> None:
    charge = intent(payer=far.payer(), sent_at=NOW)
    far.sandbox.faults.lose_request(ORDERS)
    far.gateway.capture(charge)

    far.sandbox.advance(hours=4, minutes=59)
    assert far.gateway.look_up(charge) == Absent(may_repeat=True)
    far.sandbox.advance(minutes=1)
    assert far.gateway.look_up(charge) == Undecided("not_found_after_key_life")
    far.sandbox.advance(days=60)
    assert far.gateway.look_up(charge) == Undecided("not_found_after_key_life")
    assert far.sandbox.ledger.captures == []


def test_a_look_up_whose_answer_is_lost_knows_nothing(far: Far) -> None:
    reference = announced(far)
    far.sandbox.faults.status("GET /v2/*", 503, headers={"Retry-After": "9"})

    assert far.gateway.look_up(intent(reference=reference)) == Undecided(
        "SERVICE_UNAVAILABLE", reference, timedelta(seconds=9)
    )


def test_an_order_that_paypal_no_longer_knows_is_looked_for_in_the_books(far: Far) -> None:
    told = paid(far)
    far.sandbox.advance(hours=6)
    charge = intent(payer="x", reference="GONE", sent_at=NOW)

    assert far.gateway.look_up(charge) == told


def test_a_number_that_was_paid_before_is_settled_by_what_was_paid(far: Far) -> None:
    payer = far.payer()
    first = far.gateway.capture(intent(payer=payer, sent_at=NOW))

    second = far.gateway.capture(intent(key="c-2", payer=payer, sent_at=NOW))

    assert first == second == settled(far)  # F06: its key is the first one's
    assert far.sandbox.ledger.taken("JPY") == 5_500


def test_a_number_that_was_paid_weeks_before_is_settled_too(far: Far) -> None:
    payer = far.payer()
    first = far.gateway.capture(intent(payer=payer))
    far.sandbox.advance(days=70)

    assert far.gateway.capture(intent(key="c-2", payer=payer)) == first


def test_a_number_that_was_paid_before_and_is_not_in_the_books_yet_is_undecided(far: Far) -> None:
    payer = far.payer()
    far.gateway.capture(intent(payer=payer))
    far.sandbox.paypal.reporting_delay = timedelta(hours=3)

    again = intent(key="c-2", payer=payer, sent_at=NOW)
    assert far.gateway.capture(again) == Undecided("DUPLICATE_INVOICE_ID")

    far.sandbox.advance(hours=4)
    assert far.gateway.capture(again) == settled(far)


@pytest.mark.parametrize("status", [403, 503])
def test_books_that_cannot_be_read_leave_a_number_paid_before_undecided(
    far: Far, status: int
) -> None:
    payer = far.payer()
    far.gateway.capture(intent(payer=payer))
    far.sandbox.faults.status("GET /v1/*", status)

    again = intent(key="c-2", payer=payer)
    assert far.gateway.capture(again) == Undecided("DUPLICATE_INVOICE_ID")


def test_an_order_that_was_captured_before_is_settled(far: Far) -> None:
    reference = announced(far)
    far.sandbox.paypal.approve(reference)
    far.sandbox.faults.lose_reply("POST /v2/checkout/orders/*/capture")
    charge = intent(reference=reference)
    assert far.gateway.capture(charge) == Undecided("no_answer", reference)

    far.sandbox.paypal.forget_keys()

    assert far.gateway.capture(charge) == settled(far)  # ORDER_ALREADY_CAPTURED
    assert far.sandbox.ledger.taken("JPY") == 5_500


@pytest.mark.parametrize("is_denied", [False, True])
def test_a_capture_that_paypal_thinks_about_is_pending_until_it_has_thought(
    far: Far, is_denied: bool
) -> None:
    charge = intent(payer=far.payer(), sent_at=NOW)
    far.sandbox.paypal.pending()
    outcome = far.gateway.capture(charge)
    (capture,) = far.sandbox.ledger.captures
    pending = Pending("PENDING_REVIEW", capture.order, capture.id)
    assert outcome == pending

    far.sandbox.advance(days=5)
    charge = replace(charge, reference=capture.order)
    assert far.gateway.look_up(charge) == pending
    if is_denied:
        far.sandbox.paypal.deny(capture)
        assert far.gateway.look_up(charge) == Declined("DECLINED", capture.order)
    else:
        far.sandbox.paypal.complete(capture)
        assert far.gateway.look_up(charge) == settled(far)


@pytest.mark.parametrize(
    ("trick", "changes"),
    [
        pytest.param(lambda it: it.wrong_amount(by=-1), {"amount": 5_499}, id="amount"),
        pytest.param(
            lambda it: it.wrong_currency("USD"), {"amount": 5_500, "currency": "USD"}, id="currency"
        ),
        pytest.param(
            lambda it: it.other_merchant("OTHER"),
            {"account": Account("local", "OTHER")},
            id="payee",
        ),
        pytest.param(lambda it: it.other_custom_id("x"), {"key": "x"}, id="key"),
    ],
)
def test_what_was_captured_is_told_as_it_is(
    far: Far, trick: Callable[[Any], None], changes: dict[str, Any]
) -> None:
    charge = intent(payer=far.payer())
    trick(far.sandbox.paypal)

    assert far.gateway.capture(charge) == settled(far, **changes)  # F09: who asked compares


@pytest.mark.parametrize(
    ("link", "environment"),
    [
        ("https://api-m.sandbox.paypal.com/v2/payments/captures/1", "sandbox"),
        ("https://api-m.paypal.com/v2/payments/captures/1", "live"),
        ("https://api.evilpaypal.com/v2/payments/captures/1", "unknown"),
    ],
)
def test_where_money_was_captured_is_told(far: Far, link: str, environment: str) -> None:
    charge = intent(payer=far.payer())

    def moved(told: Any) -> Any:
        capture = told["purchase_units"][0]["payments"]["captures"][0]
        capture["links"] = [{"rel": "self", "href": link, "method": "GET"}]
        return told

    far.sandbox.faults.change(ORDERS, moved)

    assert far.gateway.capture(charge) == settled(far, account=Account(environment, MERCHANT))


# --- money back ---


def test_a_part_is_given_back_once(far: Far) -> None:
    back = refund_intent(capture=paid(far).capture)

    first = far.gateway.refund(back)
    second = far.gateway.refund(back)

    (refund,) = far.sandbox.ledger.refunds
    assert first == second == Refunded(refund.id, 500, "JPY")
    assert far.sandbox.ledger.taken("JPY") == 5_000
    assert (refund.custom_id, refund.invoice_id) == ("r-1", "CN-2026-000001")
    assert far.gateway.look_up_refund(replace(back, reference=refund.id)) == first


def test_a_refund_whose_answer_is_lost_is_given_once(far: Far) -> None:
    back = refund_intent(capture=paid(far).capture, sent_at=NOW)
    far.sandbox.faults.lose_reply(REFUNDS)

    assert far.gateway.refund(back) == Undecided("no_answer")
    assert far.gateway.look_up_refund(back) == Absent(may_repeat=True)
    (refund,) = far.sandbox.ledger.refunds
    assert far.gateway.refund(back) == Refunded(refund.id, 500, "JPY")
    assert len(far.sandbox.ledger.refunds) == 1


def test_after_the_life_of_its_key_a_refund_is_looked_for_and_not_repeated(far: Far) -> None:
    back = refund_intent(capture=paid(far).capture, sent_at=NOW)
    lost = replace(back, key="r-2")
    far.sandbox.faults.lose_reply(REFUNDS)
    far.gateway.refund(back)

    far.sandbox.advance(days=44)

    (refund,) = far.sandbox.ledger.refunds
    assert far.gateway.look_up_refund(back) == Refunded(refund.id, 500, "JPY")
    assert far.gateway.look_up_refund(lost) == Undecided("not_found_after_key_life")


def test_more_than_was_taken_is_not_given_back(far: Far) -> None:
    taken = paid(far)

    outcome = far.gateway.refund(refund_intent(capture=taken.capture, amount=5_501))

    assert outcome == RefundFailed("REFUND_AMOUNT_EXCEEDED")
    assert far.sandbox.ledger.refunds == []


def test_what_was_given_back_whole_is_not_given_again(far: Far) -> None:
    taken = paid(far)
    whole = refund_intent(capture=taken.capture, amount=5_500)
    first = far.gateway.refund(whole)
    other = far.gateway.refund(refund_intent(capture=taken.capture, key="r-2"))
    far.sandbox.paypal.forget_keys()

    assert other == RefundFailed("CAPTURE_FULLY_REFUNDED")
    assert far.gateway.refund(whole) == first  # found by our key
    assert len(far.sandbox.ledger.refunds) == 1


def test_a_capture_that_is_pending_cannot_be_given_back(far: Far) -> None:
    charge = intent(payer=far.payer())
    far.sandbox.paypal.pending()
    far.gateway.capture(charge)
    (capture,) = far.sandbox.ledger.captures

    outcome = far.gateway.refund(refund_intent(capture=capture.id))

    assert outcome == RefundFailed("PENDING_CAPTURE")


@pytest.mark.parametrize("is_failed", [False, True])
def test_a_refund_that_paypal_thinks_about_is_pending(far: Far, is_failed: bool) -> None:
    taken = paid(far)
    far.sandbox.paypal.pending_refunds()
    outcome = far.gateway.refund(refund_intent(capture=taken.capture))
    (refund,) = far.sandbox.ledger.refunds
    assert outcome == Pending("ECHECK", refund.id, taken.capture)

    back = refund_intent(capture=taken.capture, reference=refund.id)
    if is_failed:
        far.sandbox.paypal.fail_refund(refund)
        assert far.gateway.look_up_refund(back) == RefundFailed("FAILED", refund.id)
    else:
        far.sandbox.paypal.complete_refund(refund)
        assert far.gateway.look_up_refund(back) == Refunded(refund.id, 500, "JPY")


@pytest.mark.parametrize(
    "issue",
    [
        "REFUND_TIME_LIMIT_EXCEEDED",
        "REFUND_FAILED_INSUFFICIENT_FUNDS",
        "REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK",
        "TRANSACTION_DISPUTED",
    ],
)
def test_a_refund_that_will_not_be_is_for_staff(far: Far, issue: str) -> None:
    taken = paid(far)
    far.sandbox.faults.mock(REFUNDS, issue)

    assert far.gateway.refund(refund_intent(capture=taken.capture)) == RefundFailed(issue)


def test_a_refund_of_nothing_fails(far: Far) -> None:
    assert far.gateway.refund(refund_intent(capture="NONE")) == RefundFailed("INVALID_RESOURCE_ID")


def test_a_refund_refused_in_unknown_words_is_neither_yes_nor_no(far: Far) -> None:
    taken = paid(far)
    far.sandbox.faults.mock(REFUNDS, "SOMETHING_NEW")

    assert far.gateway.refund(refund_intent(capture=taken.capture)) == Undecided("SOMETHING_NEW")


def test_a_refund_that_we_may_not_make_is_our_fault(far: Far) -> None:
    taken = paid(far)
    far.sandbox.faults.status(REFUNDS, 403, issue="PERMISSION_DENIED")

    with pytest.raises(GatewayMisconfigured):
        far.gateway.refund(refund_intent(capture=taken.capture))


# --- PayPal's books ---


def test_the_books_tell_captures_refunds_and_reversals(far: Far) -> None:
    payer = far.payer()
    first = far.gateway.capture(intent(payer=payer))
    assert isinstance(first, Settled)
    far.sandbox.advance(days=40)
    second = far.gateway.capture(intent(key="c-2", number="INV-2", payer=payer))
    assert isinstance(second, Settled)
    far.gateway.refund(refund_intent(capture=first.capture))
    far.sandbox.paypal.chargeback(second.capture)

    told = list(far.gateway.records(NOW, NOW + timedelta(days=80)))

    key, number = "c-1", "INV-2026-000001"
    (refund,) = far.sandbox.ledger.refunds
    (reversal,) = far.sandbox.ledger.reversals
    completed = RecordState.COMPLETED
    assert [replace(each, at=NOW) for each in told] == [
        Record(RecordKind.CAPTURE, completed, first.capture, 5_500, "JPY", NOW, key, number),
        Record(RecordKind.CAPTURE, completed, second.capture, 5_500, "JPY", NOW, "c-2", "INV-2"),
        Record(
            RecordKind.REFUND, completed, refund.id, 500, "JPY", NOW, key, number, first.capture
        ),
        Record(
            RecordKind.REVERSAL,
            completed,
            reversal.id,
            5_500,
            "JPY",
            NOW,
            "c-2",
            "INV-2",
            second.capture,
        ),
    ]
    assert len(far.sandbox.ledger.requests_to("GET /v1/reporting/transactions")) == 3


def test_the_books_are_told_from_included_to_excluded(far: Far) -> None:
    paid(far)
    (told,) = far.gateway.records(NOW, NOW + timedelta(days=1))

    assert list(far.gateway.records(told.at, told.at + timedelta(seconds=1))) == [told]
    assert list(far.gateway.records(NOW, told.at)) == []
    assert list(far.gateway.records(told.at + timedelta(seconds=1), NOW + timedelta(days=1))) == []


def test_books_that_may_not_be_read_are_our_fault(far: Far) -> None:
    far.sandbox.faults.status("GET /v1/*", 403, issue="NOT_AUTHORIZED")

    with pytest.raises(GatewayMisconfigured):
        list(far.gateway.records(NOW, NOW + timedelta(days=1)))


def test_the_books_come_by_question_and_not_by_file(far: Far) -> None:
    with pytest.raises(NotTold):
        far.gateway.records_in(b"")


# --- notices ---


def test_notices_name_what_to_look_up(far: Far) -> None:
    told = paid(far)
    read = {}
    for notice in far.sandbox.notices:
        headers, body = far.sandbox.signed(notice)
        found = far.gateway.notice_in(body, {k.lower(): v for k, v in headers.items()})
        read[found.kind] = (found.about, found.references)
        assert found.event_id == notice.id

    (token,) = far.sandbox.ledger.payment_tokens
    assert read == {
        "VAULT.PAYMENT-TOKEN.CREATED": (About.PAYER, (token.id,)),
        "PAYMENT.CAPTURE.COMPLETED": (About.CHARGE, (told.capture, told.reference, "c-1")),
        "CHECKOUT.ORDER.COMPLETED": (About.CHARGE, (told.reference, "c-1", told.capture)),
    }


@pytest.mark.parametrize("forge", ["key", "body", "webhook_id", "algorithm", "unsigned", "host"])
def test_forged_notices_are_refused(far: Far, forge: Any) -> None:
    paid(far)
    headers, body = far.sandbox.signed(far.sandbox.notices[-1], forge=forge)

    with pytest.raises(BadNotice):
        far.gateway.notice_in(body, {k.lower(): v for k, v in headers.items()})


# --- secrets ---


def test_no_secret_is_written_anywhere(far: Far, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    charge = intent(payer=far.payer())
    said = [repr(far.gateway), repr(vars(far.gateway))]
    for issue, status in [("INSTRUMENT_DECLINED", 422), ("X", 500), ("PERMISSION_DENIED", 403)]:
        far.sandbox.faults.status(ORDERS, status, issue=issue)
        try:
            said.append(repr(far.gateway.capture(charge)))
        except GatewayMisconfigured as fact:
            said += [repr(fact), "".join(traceback.format_exception(fact))]
    said.append(repr(far.gateway.capture(charge)))

    said += [f"{each.getMessage()} {each.__dict__}" for each in caplog.records]
    secrets = {far.sandbox.accounts.secret}
    secrets |= {each.headers.get("Authorization", "").split(" ")[-1] for each in far.exchanges}
    assert len(secrets) == 3  # F68: ours, in base64, and the token
    assert [secret for secret in secrets if secret in "\n".join(said)] == []

"""PayPal: who may call, what is taken, and what is refused."""

import pytest
import requests

from gateway_sandbox import Sandbox
from tests.gateway_sandbox.client import PATIENCE, Merchant, issue


def test_a_wrong_secret_gets_no_token(sandbox: Sandbox) -> None:
    answer = requests.post(
        f"{sandbox.url}/v1/oauth2/token",
        data={"grant_type": "client_credentials"},
        auth=(sandbox.accounts.client_id, "wrong"),
        timeout=PATIENCE,
    )

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_a_token_lives_nine_hours(sandbox: Sandbox, merchant: Merchant) -> None:
    merchant.sign_in()
    sandbox.advance(hours=8.99)
    before = merchant.call("GET", "/v2/payments/captures/NONE").status_code
    sandbox.advance(hours=0.02)
    after = merchant.call("GET", "/v2/payments/captures/NONE").status_code

    assert (before, after) == (404, 401)


def test_a_forged_token_is_refused(merchant: Merchant) -> None:
    token = merchant.sign_in()
    merchant.token = token[:-1] + ("0" if token[-1] != "0" else "1")

    assert merchant.call("GET", "/v2/payments/captures/NONE").status_code == 401


def test_an_agreement_is_charged_without_the_payer(sandbox: Sandbox, merchant: Merchant) -> None:
    answer = merchant.order(merchant.agreement(email="a@example.com"))

    order = answer.json()
    capture = order["purchase_units"][0]["payments"]["captures"][0]
    assert answer.status_code == 201
    assert order["status"] == "COMPLETED"
    assert order["payment_source"]["paypal"]["email_address"] == "a@example.com"
    assert (capture["status"], capture["amount"]) == (
        "COMPLETED",
        {"currency_code": "JPY", "value": "5500"},
    )
    assert (capture["invoice_id"], capture["custom_id"]) == ("INV-1", "attempt-1")
    assert [row.amount for row in sandbox.ledger.captures] == [5500]
    assert sandbox.ledger.taken("JPY") == 5500


def test_dollars_have_cents(sandbox: Sandbox, merchant: Merchant) -> None:
    answer = merchant.order(merchant.agreement(), value="12.34", currency="USD")

    assert answer.json()["purchase_units"][0]["amount"]["value"] == "12.34"
    assert sandbox.ledger.taken("USD") == 1234


@pytest.mark.parametrize(
    ("value", "currency", "reason"),
    [
        pytest.param("5500.00", "JPY", "DECIMALS_NOT_SUPPORTED", id="yen with decimals"),
        pytest.param("12.345", "USD", "DECIMAL_PRECISION", id="a tenth of a cent"),
        pytest.param("0", "JPY", "CANNOT_BE_ZERO_OR_NEGATIVE", id="nothing"),
        pytest.param("-1", "JPY", "CANNOT_BE_ZERO_OR_NEGATIVE", id="less than nothing"),
        pytest.param("5,500", "JPY", "INVALID_PARAMETER_SYNTAX", id="a comma"),
        pytest.param("5500", "yen", "INVALID_CURRENCY_CODE", id="no currency"),
    ],
)
def test_an_amount_that_is_none_is_refused(
    sandbox: Sandbox, merchant: Merchant, value: str, currency: str, reason: str
) -> None:
    answer = merchant.order(merchant.agreement(), value=value, currency=currency)

    assert issue(answer) == reason
    assert sandbox.ledger.captures == []


def test_an_invoice_is_charged_once(sandbox: Sandbox, merchant: Merchant) -> None:
    agreement = merchant.agreement()
    merchant.order(agreement, key="first")

    answer = merchant.order(agreement, key="second")

    assert (answer.status_code, issue(answer)) == (422, "DUPLICATE_INVOICE_ID")
    assert sandbox.ledger.taken("JPY") == 5500


def test_a_charge_without_a_key_is_refused(sandbox: Sandbox, merchant: Merchant) -> None:
    answer = merchant.order(merchant.agreement(), key="")

    assert (answer.status_code, issue(answer)) == (400, "PAYPAL_REQUEST_ID_REQUIRED")
    assert sandbox.ledger.captures == []


def test_an_agreement_that_has_ended_is_not_charged(sandbox: Sandbox, merchant: Merchant) -> None:
    agreement = merchant.agreement()
    sandbox.paypal.delete_agreement(agreement)

    answer = merchant.order(agreement)
    unknown = merchant.order("unknown", key="other")

    assert (answer.status_code, issue(answer)) == (422, "TOKEN_ID_NOT_FOUND")
    assert issue(unknown) == "TOKEN_ID_NOT_FOUND"
    assert merchant.call("GET", f"/v3/vault/payment-tokens/{agreement}").status_code == 404
    assert merchant.call("DELETE", f"/v3/vault/payment-tokens/{agreement}").status_code == 204
    assert len(sandbox.notices_of("VAULT.PAYMENT-TOKEN.DELETED")) == 1


def test_a_payer_who_declines_is_charged_once_she_accepts(
    sandbox: Sandbox, merchant: Merchant
) -> None:
    agreement = merchant.agreement()
    sandbox.paypal.decline("payer@example.com", "PAYER_CANNOT_PAY")

    declined = merchant.order(agreement)
    sandbox.paypal.accept("payer@example.com")
    taken = merchant.order(agreement)

    assert (declined.status_code, issue(declined)) == (422, "PAYER_CANNOT_PAY")
    assert taken.status_code == 201


def test_the_mock_header_refuses_and_takes_nothing(sandbox: Sandbox, merchant: Merchant) -> None:
    mock = '{"mock_application_codes": "INSTRUMENT_DECLINED"}'
    agreement = merchant.agreement()

    order = merchant.order(agreement, PayPal_Mock_Response=mock)
    capture = merchant.captured(agreement)
    path = f"/v2/payments/captures/{capture}/refund"
    refund = merchant.call("POST", path, key="r", PayPal_Mock_Response=mock)

    assert (order.status_code, issue(order)) == (422, "INSTRUMENT_DECLINED")
    assert (refund.status_code, issue(refund)) == (422, "INSTRUMENT_DECLINED")
    assert sandbox.ledger.taken("JPY") == 5500


def test_a_payer_approves_one_payment(sandbox: Sandbox, merchant: Merchant) -> None:
    order = merchant.order(key="o").json()
    early = merchant.call("POST", f"/v2/checkout/orders/{order['id']}/capture", key="early")
    sandbox.paypal.approve(order["id"])

    taken = merchant.call("POST", f"/v2/checkout/orders/{order['id']}/capture", key="c")
    again = merchant.call("POST", f"/v2/checkout/orders/{order['id']}/capture", key="d")

    assert order["status"] == "PAYER_ACTION_REQUIRED"
    assert issue(early) == "ORDER_NOT_APPROVED"
    assert (taken.status_code, taken.json()["status"]) == (201, "COMPLETED")
    assert issue(again) == "ORDER_ALREADY_CAPTURED"
    assert sandbox.ledger.taken("JPY") == 5500


def test_a_short_answer_is_what_is_preferred_by_default(merchant: Merchant) -> None:
    whole = merchant.order(merchant.agreement(), Prefer="return=minimal").json()

    assert sorted(whole) == ["id", "links", "status"]


def test_a_pending_capture_is_decided_later(sandbox: Sandbox, merchant: Merchant) -> None:
    agreement = merchant.agreement()
    sandbox.paypal.pending(2)
    first = merchant.captured(agreement, invoice="INV-1", key="1")
    second = merchant.captured(agreement, invoice="INV-2", key="2")
    before = sandbox.ledger.taken("JPY")

    sandbox.paypal.complete(first)
    sandbox.paypal.deny(second)

    assert before == 0
    assert [row.status for row in sandbox.ledger.captures] == ["COMPLETED", "DECLINED"]
    assert sandbox.ledger.taken("JPY") == 5500
    assert [notice.kind for notice in sandbox.notices][-2:] == [
        "PAYMENT.CAPTURE.COMPLETED",
        "PAYMENT.CAPTURE.DENIED",
    ]


def test_the_next_capture_can_be_another_one_than_was_asked_for(
    sandbox: Sandbox, merchant: Merchant
) -> None:
    agreement = merchant.agreement()
    sandbox.paypal.wrong_amount(-5499)
    sandbox.paypal.wrong_currency("USD")
    sandbox.paypal.other_merchant("OTHER")
    sandbox.paypal.other_custom_id("attempt-2")
    for number in range(5):
        merchant.order(agreement, invoice=f"INV-{number}", key=f"{number}")

    rows = sandbox.ledger.captures
    assert [row.amount for row in rows] == [1, 5500, 5500, 5500, 5500]
    assert [row.currency for row in rows] == ["JPY", "USD", "JPY", "JPY", "JPY"]
    assert rows[2].merchant == "OTHER"
    assert [row.custom_id for row in rows[3:]] == ["attempt-2", "attempt-1"]
    shown = merchant.call("GET", f"/v2/checkout/orders/{rows[2].order}").json()
    assert shown["purchase_units"][0]["payee"]["merchant_id"] == "OTHER"


def test_a_setup_token_is_used_once_and_ends_after_three_days(
    sandbox: Sandbox, merchant: Merchant
) -> None:
    first, second = merchant.setup(key="1"), merchant.setup(key="2")
    early = merchant.vault(first["id"], key="early")
    sandbox.paypal.approve(first["id"])
    made = merchant.vault(first["id"], key="a")
    again = merchant.vault(first["id"], key="b")
    sandbox.advance(days=3)
    merchant.sign_in()

    assert issue(early) == "PAYER_ACTION_REQUIRED"
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json() == again.json()
    assert len(sandbox.ledger.payment_tokens) == 1
    assert merchant.call("GET", f"/v3/vault/setup-tokens/{second['id']}").status_code == 404
    assert requests.get(second["links"][0]["href"], timeout=PATIENCE).status_code == 410

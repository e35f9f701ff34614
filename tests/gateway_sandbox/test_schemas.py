"""Each answer has the shape that PayPal's own specification gives it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gateway_sandbox import Accounts, Sandbox
from tests.gateway_sandbox.client import Merchant

FOLDER = Path(__file__).parents[3] / "shared" / "paypal-openapi"
VAULT, ORDERS, PAYMENTS = (
    "vault_payment_tokens_v3",
    "checkout_orders_v2",
    "payments_payment_v2",
)
pytestmark = pytest.mark.skipif(
    not FOLDER.exists(), reason="PayPal's specification files are not beside this checkout"
)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A merchant whose number looks like one of PayPal's."""
    with Sandbox(accounts=Accounts(merchant="SANDBXMERCH22")) as sandbox:
        yield sandbox


def undescribed(refusal: Any) -> Any:
    """Return a refusal without the sentences, which are not to be relied on."""
    details = [
        {name: value for name, value in detail.items() if name != "description"}
        for detail in refusal["details"]
    ]
    return {**refusal, "details": details}


def faults(file: str, schema: str, answer: Any) -> list[str]:
    """Return where an answer differs from a schema of a specification file."""
    whole = json.loads((FOLDER / f"{file}.json").read_text())
    asked = {
        "allOf": [{"$ref": f"#/components/schemas/{schema}"}],
        "components": whole["components"],
    }
    found = jsonschema.Draft4Validator(asked).iter_errors(answer)
    return [f"{list(error.absolute_path)}: {error.message}" for error in found]


def test_the_vaults_answers_are_as_specified(sandbox: Sandbox, merchant: Merchant) -> None:
    setup = merchant.setup()
    sandbox.paypal.approve(setup["id"])
    approved = merchant.call("GET", f"/v3/vault/setup-tokens/{setup['id']}").json()
    token = merchant.vault(setup["id"]).json()
    customer = token["customer"]["id"]
    every = merchant.call("GET", f"/v3/vault/payment-tokens?customer_id={customer}").json()
    gone = merchant.call("GET", "/v3/vault/payment-tokens/none").json()

    assert faults(VAULT, "setup_token_response", setup) == []
    assert faults(VAULT, "setup_token_response", approved) == []
    assert faults(VAULT, "payment_token_response", token) == []
    assert faults(VAULT, "customer_vault_payment_tokens_response", every) == []
    assert faults(VAULT, "error", gone) == []
    assert every["payment_tokens"] == [token]


def test_orders_are_as_specified(sandbox: Sandbox, merchant: Merchant) -> None:
    agreement = merchant.agreement()
    charged = merchant.order(agreement).json()
    waiting = merchant.order(key="w", invoice="INV-2").json()
    sandbox.paypal.approve(waiting["id"])
    approved = merchant.call("GET", f"/v2/checkout/orders/{waiting['id']}").json()
    sandbox.paypal.pending()
    pending = merchant.order(agreement, key="p", invoice="INV-3").json()

    for order in (charged, waiting, approved, pending):
        assert faults(ORDERS, "order", order) == []


def test_captures_and_refunds_are_as_specified(sandbox: Sandbox, merchant: Merchant) -> None:
    capture = merchant.captured()
    refund = merchant.refund(capture, "500").json()
    path = f"/v2/payments/refunds/{refund['id']}"

    assert faults(PAYMENTS, "refund", merchant.call("GET", path).json()) == []
    shown = merchant.call("GET", f"/v2/payments/captures/{capture}").json()
    assert faults(PAYMENTS, "capture-2", shown) == []


@pytest.mark.parametrize(
    "reason",
    ["INSTRUMENT_DECLINED", "PAYER_CANNOT_PAY", "DUPLICATE_INVOICE_ID", "TRANSACTION_REFUSED"],
)
def test_a_refused_order_is_as_specified(sandbox: Sandbox, merchant: Merchant, reason: str) -> None:
    sandbox.faults.mock("POST /v2/checkout/orders", reason)
    refused = merchant.order(merchant.agreement())

    assert refused.status_code == 422
    assert faults(ORDERS, "error_422", refused.json()) == []
    assert faults(ORDERS, "422", undescribed(refused.json())) == []


def test_other_refusals_are_as_specified(sandbox: Sandbox, merchant: Merchant) -> None:
    capture = merchant.captured()
    above = merchant.refund(capture, "5501")
    missing = merchant.call("GET", "/v2/checkout/orders/NONE")
    merchant.token = "none"
    stranger = merchant.call("GET", "/v2/checkout/orders/NONE")

    assert faults(PAYMENTS, "error_422", above.json()) == []
    assert faults(PAYMENTS, "captures.refund-422", undescribed(above.json())) == []
    assert faults(ORDERS, "error_404", missing.json()) == []
    assert faults(ORDERS, "404", undescribed(missing.json())) == []
    assert faults(ORDERS, "error_401", stranger.json()) == []

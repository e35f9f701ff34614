"""Payers let the merchant charge them: setup tokens and payment tokens (Vault v3)."""

from datetime import timedelta
from typing import Any

from gateway_sandbox.paypal.call import Call, Result, link
from gateway_sandbox.paypal.errors import Refused
from gateway_sandbox.paypal.payers import payer_of
from gateway_sandbox.rows import PaymentToken, SetupToken
from gateway_sandbox.world import World, capitals, small

SETUP_TOKEN_LIFE = timedelta(days=3)
LONGEST_DESCRIPTION = 128


def make_setup_token(world: World, call: Call) -> Result:
    """Ask for the pages on which a payer approves."""
    if call.at("payment_source", "paypal") is None:
        raise Refused("MISSING_REQUIRED_PARAMETER", where="/payment_source/paypal")
    wallet = ("payment_source", "paypal")
    context = (*wallet, "experience_context")
    token = SetupToken(
        id=capitals(),
        status="PAYER_ACTION_REQUIRED",
        customer=call.text("customer", "id", longest=22) or small(10),
        merchant_customer=call.text("customer", "merchant_customer_id", longest=64),
        return_url=call.needed(*context, "return_url"),
        cancel_url=call.needed(*context, "cancel_url"),
        locale=call.text(*context, "locale"),
        brand=call.text(*context, "brand_name", longest=300),
        description=call.text(*wallet, "description", longest=LONGEST_DESCRIPTION),
        usage_pattern=call.text(*wallet, "usage_pattern", longest=30),
        created_at=world.now(),
    )
    world.ledger.put(token)
    return Result(201, show_setup_token(world, call, token.id), token.id)


def read_setup_token(world: World, call: Call) -> Result:
    """Tell how a visit stands."""
    return Result(200, show_setup_token(world, call, _setup_token(world, call.id).id))


def show_setup_token(world: World, _call: Call, token_id: str) -> dict[str, Any]:
    """Return a setup token as JSON."""
    token = _setup_token(world, token_id)
    wallet: dict[str, Any] = {
        "usage_type": "MERCHANT",
        "customer_type": "BUSINESS",
        "permit_multiple_payment_tokens": True,
    }
    if token.description:
        wallet["description"] = token.description
    if token.usage_pattern:
        wallet["usage_pattern"] = token.usage_pattern
    links = [link("self", f"{world.url}/v3/vault/setup-tokens/{token.id}")]
    if token.status == "PAYER_ACTION_REQUIRED":
        links.insert(0, link("approve", f"{world.url}/approve/{token.id}"))
    else:
        wallet |= _person(world, token.email)
        links.append(link("confirm", f"{world.url}/v3/vault/payment-tokens", "POST"))
    return {
        "id": token.id,
        "status": token.status,
        "ordinal": 1,
        "customer": _customer(token),
        "payment_source": {"paypal": wallet},
        "links": links,
    }


def make_payment_token(world: World, call: Call) -> Result:
    """Turn an approved visit into the right to charge; a second time gives the same."""
    if call.text("payment_source", "token", "type") != "SETUP_TOKEN":
        raise Refused("INVALID_PARAMETER_VALUE", where="/payment_source/token/type")
    setup = _setup_token(world, call.needed("payment_source", "token", "id"))
    if setup.status == "VAULTED":
        return Result(
            200, show_payment_token(world, call, setup.payment_token), setup.payment_token
        )
    if setup.status != "APPROVED":
        raise Refused("PAYER_ACTION_REQUIRED", where="/payment_source/token/id")
    token = PaymentToken(
        id=small(8),
        customer=setup.customer,
        merchant_customer=setup.merchant_customer,
        email=setup.email,
        setup_token=setup.id,
        description=setup.description,
        usage_pattern=setup.usage_pattern,
        created_at=world.now(),
    )
    world.ledger.put(token)
    setup.status, setup.payment_token = "VAULTED", token.id
    world.ledger.put(setup)
    shown = show_payment_token(world, call, token.id)
    world.notices.tell(world.ledger, "VAULT.PAYMENT-TOKEN.CREATED", token.id, shown, world.now())
    return Result(201, shown, token.id)


def read_payment_token(world: World, call: Call) -> Result:
    """Tell whether the merchant may charge."""
    return Result(200, show_payment_token(world, call, call.id))


def list_payment_tokens(world: World, call: Call) -> Result:
    """Tell all tokens of a customer."""
    asked = dict(pair.partition("=")[::2] for pair in call.request.query.split("&"))
    customer = asked.get("customer_id", "")
    if not customer:
        raise Refused("MISSING_REQUIRED_PARAMETER", where="customer_id")
    rows = [
        row
        for row in world.ledger.every(PaymentToken)
        if row.customer == customer and row.deleted_at is None
    ]
    body: dict[str, Any] = {
        "customer": {"id": customer},
        "payment_tokens": [show_payment_token(world, call, row.id) for row in rows],
        "links": [link("self", f"{world.url}/v3/vault/payment-tokens?customer_id={customer}")],
    }
    if rows:
        body |= {"total_items": len(rows), "total_pages": 1}
    return Result(200, body)


def delete_payment_token(world: World, call: Call) -> Result:
    """End the right to charge; one that has ended stays so."""
    end_agreement(world, call.id)
    return Result(204)


def end_agreement(world: World, token_id: str) -> None:
    """End the right to charge, and tell so: the merchant asked, or the payer did."""
    token = world.ledger.find(PaymentToken, token_id)
    if token is None or token.deleted_at is not None:
        return
    token.deleted_at = world.now()
    world.ledger.put(token)
    world.notices.tell(
        world.ledger,
        "VAULT.PAYMENT-TOKEN.DELETED",
        token.id,
        _payment_token_json(world, token),
        world.now(),
    )


def show_payment_token(world: World, _call: Call, token_id: str) -> dict[str, Any]:
    """Return a payment token as JSON. Raises Refused if it has ended."""
    token = world.ledger.find(PaymentToken, token_id)
    if token is None or token.deleted_at is not None:
        raise Refused("TOKEN_NOT_FOUND")
    return _payment_token_json(world, token)


def _payment_token_json(world: World, token: PaymentToken) -> dict[str, Any]:
    href = f"{world.url}/v3/vault/payment-tokens/{token.id}"
    wallet: dict[str, Any] = {
        "usage_type": "MERCHANT",
        "customer_type": "BUSINESS",
        "permit_multiple_payment_tokens": True,
    } | _person(world, token.email)
    if token.description:
        wallet["description"] = token.description
    if token.usage_pattern:
        wallet["usage_pattern"] = token.usage_pattern
    return {
        "id": token.id,
        "customer": _customer(token),
        "payment_source": {"paypal": wallet},
        "links": [link("self", href), link("delete", href, "DELETE")],
    }


def _setup_token(world: World, token_id: str) -> SetupToken:
    token = world.ledger.find(SetupToken, token_id)
    if token is None or world.now() - token.created_at >= SETUP_TOKEN_LIFE:
        raise Refused("TOKEN_NOT_FOUND")
    return token


def _customer(token: SetupToken | PaymentToken) -> dict[str, str]:
    shown = {"id": token.customer}
    if token.merchant_customer:
        shown["merchant_customer_id"] = token.merchant_customer
    return shown


def _person(world: World, email: str) -> dict[str, Any]:
    payer = payer_of(world, email)
    return {
        "email_address": payer.id,
        "account_id": payer.payer_id,
        "payer_id": payer.payer_id,
        "name": {"given_name": "Hanako", "surname": "Sandbox"},
    }

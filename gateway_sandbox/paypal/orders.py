"""Money is taken: Orders v2, with a stored agreement or with a payer's approval."""

from typing import Any

from gateway_sandbox.paypal.call import Call, Result, link, money_out
from gateway_sandbox.paypal.errors import Refused
from gateway_sandbox.paypal.payers import payer_of
from gateway_sandbox.paypal.payments import capture_json, refund_json
from gateway_sandbox.rows import Capture, Order, PaymentToken, Refund
from gateway_sandbox.world import World, capitals, moment

_UNIT = ("purchase_units", 0)
_WALLET = ("payment_source", "paypal")


def make(world: World, call: Call) -> Result:
    """Announce a payment; with a stored agreement, take it at once."""
    order = _asked(world, call)
    if order.vault_id:
        if not call.key:
            raise Refused("PAYPAL_REQUEST_ID_REQUIRED")
        token = world.ledger.find(PaymentToken, order.vault_id)
        if token is None or token.deleted_at is not None:
            raise Refused("TOKEN_ID_NOT_FOUND", where="/payment_source/paypal/vault_id")
        order.email = token.email
        order.vault_id = token.id
        _take(world, order)
    else:
        order.status = "CREATED" if order.approve_rel == "approve" else "PAYER_ACTION_REQUIRED"
        world.ledger.put(order)
    return Result(201, _shown(world, call, order), order.id)


def _asked(world: World, call: Call) -> Order:
    """Return the order that is asked for. Raises Refused."""
    if call.needed("intent") != "CAPTURE":
        raise Refused("UNSUPPORTED_INTENT", where="/intent")
    if not isinstance(call.at("purchase_units"), list) or len(call.at("purchase_units")) != 1:
        raise Refused("INVALID_ARRAY_MIN_ITEMS", status=400, where="/purchase_units")
    amount, currency = call.money(*_UNIT, "amount")
    payee = call.text(*_UNIT, "payee", "merchant_id")
    if payee and payee != world.accounts.merchant:
        raise Refused("PAYEE_ACCOUNT_INVALID", where="/purchase_units/0/payee")
    context: tuple[str, ...] = (*_WALLET, "experience_context")
    has_wallet = call.at(*_WALLET) is not None
    if not has_wallet:
        context = ("application_context",)
    now = world.now()
    return Order(
        id=capitals(),
        status="",
        amount=amount,
        currency=currency,
        custom_id=call.text(*_UNIT, "custom_id", longest=127),
        invoice_id=call.text(*_UNIT, "invoice_id", longest=127),
        description=call.text(*_UNIT, "description", longest=127),
        reference_id=call.text(*_UNIT, "reference_id", longest=256) or "default",
        created_at=now,
        updated_at=now,
        vault_id=call.text(*_WALLET, "vault_id", longest=255),
        return_url=call.text(*context, "return_url"),
        cancel_url=call.text(*context, "cancel_url"),
        locale=call.text(*context, "locale"),
        brand=call.text(*context, "brand_name"),
        approve_rel="payer-action" if has_wallet else "approve",
    )


def capture(world: World, call: Call) -> Result:
    """Take the money of an order that its payer approved."""
    order = _order(world, call.id)
    if order.status == "COMPLETED":
        raise Refused("ORDER_ALREADY_CAPTURED")
    if order.status != "APPROVED":
        raise Refused("ORDER_NOT_APPROVED")
    _take(world, order)
    return Result(201, _shown(world, call, order), order.id)


def _take(world: World, order: Order) -> None:
    """Take the money, or refuse. Raises Refused, and nothing was taken."""
    ledger, tricks, now = world.ledger, world.tricks, world.now()
    if order.invoice_id and any(
        row.status not in {"DECLINED", "FAILED"} for row in ledger.of(Capture, order.invoice_id)
    ):
        raise Refused("DUPLICATE_INVOICE_ID", where="/purchase_units/0/invoice_id")
    if issue := payer_of(world, order.email).declines:
        raise Refused(issue)

    taken = Capture(
        id=capitals(),
        order=order.id,
        status="COMPLETED",
        amount=order.amount,
        currency=order.currency,
        custom_id=order.custom_id,
        invoice_id=order.invoice_id,
        merchant=world.accounts.merchant,
        created_at=now,
        updated_at=now,
    )
    if tricks.pending > 0:
        tricks.pending -= 1
        taken.status, taken.reason = "PENDING", "PENDING_REVIEW"
    elif tricks.declined > 0:
        tricks.declined -= 1
        taken.status = "DECLINED"
    if tricks.changes:
        _change(taken, tricks.changes.pop(0))
    order.status, order.capture, order.updated_at = "COMPLETED", taken.id, now
    ledger.put(order)
    ledger.put(taken)
    kinds = {"COMPLETED": "COMPLETED", "PENDING": "PENDING", "DECLINED": "DENIED"}
    tell = world.notices.tell
    body = capture_json(world, taken)
    tell(ledger, f"PAYMENT.CAPTURE.{kinds[taken.status]}", taken.id, body, now)
    tell(ledger, "CHECKOUT.ORDER.COMPLETED", order.id, order_json(world, order), now)


def _change(taken: Capture, change: dict[str, str | int]) -> None:
    """Make the capture another one than was asked for. Rule: F09."""
    taken.amount += int(change.get("by", 0))
    taken.currency = str(change.get("currency", taken.currency))
    taken.merchant = str(change.get("merchant", taken.merchant))
    taken.custom_id = str(change.get("custom_id", taken.custom_id))


def read(world: World, call: Call) -> Result:
    """Tell how an order stands."""
    return Result(200, order_json(world, _order(world, call.id)))


def show(world: World, call: Call, order_id: str) -> dict[str, Any]:
    """Return an order as it stands, in the length that the caller prefers."""
    return _shown(world, call, _order(world, order_id))


def _order(world: World, order_id: str) -> Order:
    order = world.ledger.find(Order, order_id)
    if order is None:
        raise Refused("INVALID_RESOURCE_ID")
    return order


def _shown(world: World, call: Call, order: Order) -> dict[str, Any]:
    whole = order_json(world, order)
    return whole if call.wants_all else {name: whole[name] for name in ("id", "status", "links")}


def order_json(world: World, order: Order) -> dict[str, Any]:
    """Return a whole order as JSON."""
    taken = world.ledger.find(Capture, order.capture)
    unit: dict[str, Any] = {
        "reference_id": order.reference_id,
        "amount": money_out(order.amount, order.currency),
        "payee": {
            "email_address": "merchant@sandbox.example",
            "merchant_id": taken.merchant if taken else world.accounts.merchant,
        },
    }
    custom_id = taken.custom_id if taken else order.custom_id
    optional = {
        "custom_id": custom_id,
        "invoice_id": order.invoice_id,
        "description": order.description,
    }
    unit |= {name: value for name, value in optional.items() if value}
    if taken:
        unit["payments"] = {"captures": [capture_json(world, taken)]}
        back = [row for row in world.ledger.every(Refund) if row.capture == taken.id]
        if back:
            unit["payments"]["refunds"] = [refund_json(world, row) for row in back]
    shown: dict[str, Any] = {
        "id": order.id,
        "intent": "CAPTURE",
        "status": order.status,
        "purchase_units": [unit],
        "create_time": moment(order.created_at),
        "update_time": moment(order.updated_at),
        "links": _links(world, order),
    }
    if order.email:
        payer = payer_of(world, order.email)
        name = {"given_name": "Hanako", "surname": "Sandbox"}
        shown["payment_source"] = {
            "paypal": {"email_address": payer.id, "account_id": payer.payer_id, "name": name}
        }
        shown["payer"] = {"email_address": payer.id, "payer_id": payer.payer_id, "name": name}
    return shown


def _links(world: World, order: Order) -> list[dict[str, str]]:
    href = f"{world.url}/v2/checkout/orders/{order.id}"
    links = [link("self", href)]
    if order.status in {"CREATED", "PAYER_ACTION_REQUIRED"}:
        links.append(link(order.approve_rel, f"{world.url}/approve/{order.id}"))
    if order.status == "APPROVED":
        links.append(link("capture", f"{href}/capture", "POST"))
    return links

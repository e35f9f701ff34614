"""Money that was taken, and money back: captures and refunds (Payments v2)."""

from datetime import timedelta
from typing import Any

from gateway_sandbox.paypal.call import Call, Result, link, money_out
from gateway_sandbox.paypal.errors import Refused
from gateway_sandbox.rows import Capture, Refund, Reversal
from gateway_sandbox.world import World, capitals, moment

REFUND_LIMIT = timedelta(days=180)
_GIVEN_BACK = {"COMPLETED", "PENDING"}


def read_capture(world: World, call: Call) -> Result:
    """Tell how a capture stands."""
    return Result(200, capture_json(world, _capture(world, call.id)))


def read_refund(world: World, call: Call) -> Result:
    """Tell how a refund stands."""
    return Result(200, refund_json(world, _refund(world, call.id)))


def show_refund(world: World, call: Call, refund_id: str) -> dict[str, Any]:
    """Return a refund as it stands, in the length that the caller prefers."""
    return _shown(world, call, _refund(world, refund_id))


def refund(world: World, call: Call) -> Result:
    """Give a capture back, or a part; never more than it took. Rule: F18."""
    taken = _capture(world, call.id)
    rest = _refundable(world, taken)
    if call.at("amount") is None:
        amount = rest
    else:
        amount, currency = call.money("amount")
        if currency != taken.currency:
            raise Refused("REFUND_CAPTURE_CURRENCY_MISMATCH", where="/amount/currency_code")
        if amount > rest:
            raise Refused("REFUND_AMOUNT_EXCEEDED", where="/amount/value")
    now = world.now()
    back = Refund(
        id=capitals(),
        capture=taken.id,
        status="COMPLETED",
        amount=amount,
        currency=taken.currency,
        custom_id=call.text("custom_id", longest=127) or taken.custom_id,
        invoice_id=call.text("invoice_id", longest=127) or taken.invoice_id,
        note=call.text("note_to_payer", longest=255),
        created_at=now,
        updated_at=now,
    )
    if world.tricks.pending_refunds > 0:
        world.tricks.pending_refunds -= 1
        back.status = "PENDING"
    world.ledger.put(back)
    if back.status == "COMPLETED":
        tell_refunded(world, back)
    return Result(201, _shown(world, call, back), back.id)


def _refundable(world: World, taken: Capture) -> int:
    """Return what can still go back. Raises Refused if nothing can."""
    issues = {
        "PENDING": "PENDING_CAPTURE",
        "REFUNDED": "CAPTURE_FULLY_REFUNDED",
        "DECLINED": "REFUND_NOT_ALLOWED",
        "FAILED": "REFUND_NOT_ALLOWED",
    }
    if issue := issues.get(taken.status):
        raise Refused(issue)
    if world.ledger.of(Reversal, taken.id):
        raise Refused("REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK")
    if world.now() - taken.created_at > REFUND_LIMIT:
        raise Refused("REFUND_TIME_LIMIT_EXCEEDED")
    rest = taken.amount - given_back(world, taken, _GIVEN_BACK)
    if rest <= 0:
        raise Refused("CAPTURE_FULLY_REFUNDED")
    return rest


def given_back(world: World, taken: Capture, states: set[str]) -> int:
    """Return the sum of a capture's refunds in these states."""
    rows = world.ledger.of(Refund, taken.id)
    return sum(row.amount for row in rows if row.status in states)


def tell_refunded(world: World, back: Refund) -> None:
    """Bring the capture to what its completed refunds say, and tell so."""
    taken = _capture(world, back.capture)
    whole = given_back(world, taken, {"COMPLETED"}) >= taken.amount
    taken.status = "REFUNDED" if whole else "PARTIALLY_REFUNDED"
    taken.updated_at = world.now()
    world.ledger.put(taken)
    world.notices.tell(
        world.ledger, "PAYMENT.CAPTURE.REFUNDED", back.id, refund_json(world, back), world.now()
    )


def _capture(world: World, capture_id: str) -> Capture:
    taken = world.ledger.find(Capture, capture_id)
    if taken is None:
        raise Refused("INVALID_RESOURCE_ID")
    return taken


def _refund(world: World, refund_id: str) -> Refund:
    back = world.ledger.find(Refund, refund_id)
    if back is None:
        raise Refused("INVALID_RESOURCE_ID")
    return back


def capture_json(world: World, taken: Capture) -> dict[str, Any]:
    """Return a capture as JSON."""
    href = f"{world.url}/v2/payments/captures/{taken.id}"
    shown: dict[str, Any] = {
        "id": taken.id,
        "status": taken.status,
        "amount": money_out(taken.amount, taken.currency),
        "final_capture": True,
        "seller_protection": {"status": "NOT_ELIGIBLE"},
        "payee": {
            "email_address": "merchant@sandbox.example",
            "merchant_id": taken.merchant,
        },
        "supplementary_data": {"related_ids": {"order_id": taken.order}},
        "create_time": moment(taken.created_at),
        "update_time": moment(taken.updated_at),
        "links": [
            link("self", href),
            link("refund", f"{href}/refund", "POST"),
            link("up", f"{world.url}/v2/checkout/orders/{taken.order}"),
        ],
    }
    optional = {"custom_id": taken.custom_id, "invoice_id": taken.invoice_id}
    shown |= {name: value for name, value in optional.items() if value}
    if taken.reason:
        shown["status_details"] = {"reason": taken.reason}
    if taken.is_in:
        fee = fee_of(taken.amount)
        shown["seller_receivable_breakdown"] = {
            "gross_amount": money_out(taken.amount, taken.currency),
            "paypal_fee": money_out(fee, taken.currency),
            "net_amount": money_out(taken.amount - fee, taken.currency),
        }
    return shown


def fee_of(amount: int) -> int:
    """Return what PayPal keeps."""
    return min(amount, amount * 36 // 1000 + 40)


def refund_json(world: World, back: Refund) -> dict[str, Any]:
    """Return a refund as JSON."""
    taken = _capture(world, back.capture)
    amount = money_out(back.amount, back.currency)
    shown: dict[str, Any] = {
        "id": back.id,
        "status": back.status,
        "amount": amount,
        "payer": {"email_address": "merchant@sandbox.example", "merchant_id": taken.merchant},
        "seller_payable_breakdown": {
            "gross_amount": amount,
            "paypal_fee": money_out(0, back.currency),
            "net_amount": amount,
            "total_refunded_amount": money_out(
                given_back(world, taken, _GIVEN_BACK), back.currency
            ),
        },
        "create_time": moment(back.created_at),
        "update_time": moment(back.updated_at),
        "links": [
            link("self", f"{world.url}/v2/payments/refunds/{back.id}"),
            link("up", f"{world.url}/v2/payments/captures/{back.capture}"),
        ],
    }
    optional = {
        "custom_id": back.custom_id,
        "invoice_id": back.invoice_id,
        "note_to_payer": back.note,
    }
    shown |= {name: value for name, value in optional.items() if value}
    if back.status == "PENDING":
        shown["status_details"] = {"reason": "ECHECK"}
    return shown


def _shown(world: World, call: Call, back: Refund) -> dict[str, Any]:
    whole = refund_json(world, back)
    return whole if call.wants_all else {name: whole[name] for name in ("id", "status", "links")}

"""PayPal's own books (transaction search), and its check of a notice."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway_sandbox.answers import query_in
from gateway_sandbox.paypal.call import Call, Result, money_out
from gateway_sandbox.paypal.errors import Refused
from gateway_sandbox.paypal.payments import fee_of
from gateway_sandbox.rows import Capture, Order, Refund, Reversal
from gateway_sandbox.world import World

LONGEST_RANGE = timedelta(days=31)
LARGEST_PAGE = 500
_STATES = {
    "COMPLETED": "S",
    "PARTIALLY_REFUNDED": "S",
    "REFUNDED": "S",
    "PENDING": "P",
    "DECLINED": "D",
    "FAILED": "D",
    "CANCELLED": "D",
}


@dataclass(frozen=True, slots=True)
class _Movement:
    at: datetime
    info: dict[str, Any]


def transactions(world: World, call: Call) -> Result:
    """Tell the movements of a span of at most 31 days, a page at a time."""
    asked = query_in(call.request)
    since, until = _moment(asked, "start_date"), _moment(asked, "end_date")
    if until < since or until - since > LONGEST_RANGE:
        raise Refused("INVALID_REQUEST", status=400, where="end_date")
    size, page = _number(asked, "page_size", 100), _number(asked, "page", 1)
    if not (1 <= size <= LARGEST_PAGE and page >= 1):
        raise Refused("INVALID_REQUEST", status=400, where="page_size")

    known_until = world.now() - world.tricks.reporting_delay
    found = [
        movement.info
        for movement in sorted(_movements(world), key=lambda each: each.at)
        if since <= movement.at <= until
        and movement.at <= known_until
        and asked.get("transaction_id", movement.info["transaction_id"])
        == movement.info["transaction_id"]
        and asked.get("transaction_status", movement.info["transaction_status"])
        == movement.info["transaction_status"]
    ]
    shown = found[(page - 1) * size : page * size]
    return Result(
        200,
        {
            "transaction_details": [{"transaction_info": info} for info in shown],
            "account_number": world.accounts.merchant,
            "start_date": _offset(since),
            "end_date": _offset(until),
            "last_refreshed_datetime": _offset(known_until),
            "page": page,
            "total_items": len(found),
            "total_pages": -(-len(found) // size),
            "links": [
                {
                    "href": f"{world.url}/v1/reporting/transactions?{call.request.query}",
                    "rel": "self",
                    "method": "GET",
                }
            ],
        },
    )


def _movements(world: World) -> list[_Movement]:
    ledger = world.ledger
    captures = {row.id: row for row in ledger.every(Capture)}
    reversals = ledger.every(Reversal)
    gone = {row.capture for row in reversals}
    movements = [
        _capture(row, ledger.find(Order, row.order), is_gone=row.id in gone)
        for row in captures.values()
    ]
    movements += [
        _back(row, captures[row.capture], "T1107", _STATES[row.status])
        for row in ledger.every(Refund)
    ]
    movements += [
        _back(row, captures[row.capture], "T1201" if row.is_chargeback else "T1106", "S")
        for row in reversals
    ]
    return movements


def _capture(row: Capture, order: Order | None, *, is_gone: bool) -> _Movement:
    # T0003: by a stored agreement. T0006: approved by the payer each time.
    code = "T0003" if order is not None and order.vault_id else "T0006"
    info = _info(row.id, code, row.created_at, row.amount, row.currency)
    info["transaction_updated_date"] = _offset(row.updated_at)
    info["transaction_status"] = "V" if is_gone else _STATES[row.status]
    info["fee_amount"] = money_out(-fee_of(row.amount), row.currency)
    return _Movement(row.created_at, info | _named(row.invoice_id, row.custom_id))


def _back(row: Refund | Reversal, taken: Capture, code: str, state: str) -> _Movement:
    info = _info(row.id, code, row.created_at, -row.amount, row.currency)
    info["paypal_reference_id"] = taken.id
    info["paypal_reference_id_type"] = "TXN"
    info["transaction_status"] = state
    return _Movement(row.created_at, info | _named(taken.invoice_id, taken.custom_id))


def _info(row_id: str, code: str, at: datetime, amount: int, currency: str) -> dict[str, Any]:
    return {
        "transaction_id": row_id,
        "transaction_event_code": code,
        "transaction_initiation_date": _offset(at),
        "transaction_updated_date": _offset(at),
        "transaction_amount": money_out(amount, currency),
    }


def _named(invoice_id: str, custom_id: str) -> dict[str, str]:
    named = {"invoice_id": invoice_id, "custom_field": custom_id}
    return {name: value for name, value in named.items() if value}


def _offset(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S+0000")


def _moment(asked: dict[str, str], name: str) -> datetime:
    # A plus sign that nobody quoted arrives as a space.
    text = asked.get(name, "").replace(" ", "+")
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Refused("INVALID_REQUEST", status=400, where=name, value=text) from None
    if at.tzinfo is None:
        raise Refused("INVALID_REQUEST", status=400, where=name, value=text)
    return at


def _number(asked: dict[str, str], name: str, default: int) -> int:
    try:
        return int(asked.get(name, default))
    except ValueError:
        raise Refused("INVALID_REQUEST", status=400, where=name) from None


def verify_notice(world: World, call: Call) -> Result:
    """Tell whether a notice is ours, as the merchant passes it back."""
    event = call.at("webhook_event")
    headers = {
        f"paypal-{name}": call.text(field)
        for name, field in (
            ("auth-algo", "auth_algo"),
            ("cert-url", "cert_url"),
            ("transmission-id", "transmission_id"),
            ("transmission-sig", "transmission_sig"),
            ("transmission-time", "transmission_time"),
        )
    }
    good = world.notices.is_ours(
        headers, json.dumps(event).encode(), webhook_id=call.text("webhook_id")
    )
    return Result(200, {"verification_status": "SUCCESS" if good else "FAILURE"})

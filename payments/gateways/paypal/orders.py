"""Orders, captures and refunds: how they are written to PayPal, and what its answers say."""

import urllib.parse
from collections.abc import Iterator

from payments.gateways import base
from payments.gateways.base import (
    Declined,
    GatewayMisconfigured,
    Intent,
    Outcome,
    Pending,
    Refunded,
    RefundFailed,
    RefundIntent,
    RefundOutcome,
    Settled,
    Undecided,
    Waiting,
)
from payments.gateways.paypal import codes
from payments.gateways.paypal.account import Account
from payments.gateways.paypal.answers import (
    NoSuchAmount,
    Unreadable,
    at,
    items,
    link,
    money_in,
    money_out,
    text,
)
from payments.gateways.paypal.api import Refusal

# The month's usage is paid in arrears; registered and charged with the same word. gateways.md 4.1.
USAGE_PATTERN = "RECURRING_POSTPAID"
_MONEY_CAME = frozenset({"COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED"})


def order(intent: Intent) -> dict[str, object]:
    """Return the order of an intent, without how it is paid. Raises GatewayMisconfigured.

    Its amount has no breakdown: PayPal would add its parts up by rules of its own.
    """
    return {
        "intent": "CAPTURE",
        "purchase_units": [
            {
                "amount": _money(intent.amount, intent.currency),
                "custom_id": intent.key,
                "invoice_id": intent.number,
                "description": intent.description[:127],
            }
        ],
    }


def order_of_payer(intent: Intent) -> dict[str, object]:
    """Return an order that PayPal captures at once from a registered payer."""
    return order(intent) | {
        "payment_source": {
            "paypal": {
                "vault_id": intent.payer,
                "stored_credential": {
                    "payment_initiator": "CUSTOMER" if intent.by_customer else "MERCHANT",
                    "usage_pattern": USAGE_PATTERN,
                    "usage": "SUBSEQUENT",
                },
            }
        }
    }


def order_to_approve(intent: Intent, *, return_url: str, cancel_url: str) -> dict[str, object]:
    """Return an order that a payer approves on PayPal's pages."""
    return order(intent) | {
        "payment_source": {
            "paypal": {
                "experience_context": {
                    "return_url": return_url,
                    "cancel_url": cancel_url,
                    "shipping_preference": "NO_SHIPPING",
                    "user_action": "PAY_NOW",
                    "payment_method_preference": "IMMEDIATE_PAYMENT_REQUIRED",
                }
            }
        }
    }


def outcome_of_order(told: object, account: Account) -> Outcome:
    """Return how an order stands. Raises Unreadable."""
    reference, status = text(told, "id"), text(told, "status")
    unit = at(told, "purchase_units", 0)
    if captures := items(unit, "payments", "captures"):
        return outcome_of_capture(captures[-1], unit=unit, reference=reference, account=account)
    if status == "APPROVED":
        return Waiting(reference)
    if status in {"CREATED", "PAYER_ACTION_REQUIRED"}:
        return Waiting(reference, is_approved=False)
    if status == "VOIDED":
        return Declined(status, reference)
    return Undecided(status or "unreadable_answer", reference)


def outcome_of_capture(
    capture: object, *, unit: object, reference: str, account: Account
) -> Outcome:
    """Return how a capture stands; what it does not tell itself its order's `unit` tells.

    A capture that was given back later has been settled all the same. Raises Unreadable.
    """
    status = text(capture, "status")
    reason = text(capture, "status_details", "reason")
    if status == "PENDING":
        return Pending(reason or status, reference, text(capture, "id"))
    if status in {"DECLINED", "FAILED"}:
        return Declined(reason or status, reference)
    if status not in _MONEY_CAME:
        return Undecided(status or "unreadable_answer", reference)
    if not text(capture, "id"):
        raise Unreadable("capture")

    told = money_in(at(capture, "amount"))
    return Settled(
        reference=reference,
        capture=text(capture, "id"),
        amount=told.amount,
        currency=told.currency,
        key=text(capture, "custom_id") or text(unit, "custom_id"),
        number=text(capture, "invoice_id") or text(unit, "invoice_id"),
        account=base.Account(
            environment_of(capture, account),
            text(capture, "payee", "merchant_id") or text(unit, "payee", "merchant_id"),
        ),
    )


def environment_of(capture: object, account: Account) -> str:
    """Return where a capture was made, as its own link says; PayPal has no other word for it."""
    address = link(capture, "self")
    if not address or _origin(address) == _origin(account.endpoint):
        return account.environment
    host = urllib.parse.urlsplit(address).hostname or ""
    if host.endswith(".sandbox.paypal.com"):
        return "sandbox"
    return "live" if host.endswith(".paypal.com") else "unknown"


def order_behind(capture: object) -> str:
    """Return the order that a capture belongs to, or "" where it does not say."""
    related = text(capture, "supplementary_data", "related_ids", "order_id")
    if related:
        return related
    path = urllib.parse.urlsplit(link(capture, "up")).path
    return path.rpartition("/")[2] if "/checkout/orders/" in path else ""


def refusal_of_payment(refusal: Refusal, reference: str) -> Outcome:
    """Return what a refused payment means. Raises GatewayMisconfigured. Rule: gateways.md 4.4, F11.

    What is refused in words unknown here is neither yes nor no.
    """
    for code in refusal.issues:
        if code in codes.UNUSABLE:
            return Declined(code, reference, is_method_broken=True)
        if code in codes.SOFT_DECLINES:
            return Declined(code, reference)
        if code in codes.NOT_APPROVED:
            return Waiting(reference, is_approved=False)
    if codes.is_vendor_side(refusal.status, refusal.issues):
        raise GatewayMisconfigured(str(refusal))
    return Undecided(refusal.code, reference)


def refund(intent: RefundIntent) -> dict[str, object]:
    """Return the request to give an amount back. Raises GatewayMisconfigured."""
    told: dict[str, object] = {
        "amount": _money(intent.amount, intent.currency),
        "custom_id": intent.key,
        "note_to_payer": intent.note[:255],
    }
    return told | ({"invoice_id": intent.number} if intent.number else {})


def outcome_of_refund(told: object, capture: str) -> RefundOutcome:
    """Return how a refund stands. Raises Unreadable."""
    reference, status = text(told, "id"), text(told, "status")
    reason = text(told, "status_details", "reason")
    if not reference:
        raise Unreadable("refund")
    if status == "COMPLETED":
        given = money_in(at(told, "amount"))
        return Refunded(reference, given.amount, given.currency)
    if status == "PENDING":
        return Pending(reason or status, reference, capture)
    if status in {"FAILED", "CANCELLED"}:
        return RefundFailed(reason or status, reference)
    return Undecided(status or "unreadable_answer", reference)


def refunds_in(told: object) -> Iterator[object]:
    """Yield the refunds of an order."""
    for unit in items(told, "purchase_units"):
        yield from items(unit, "payments", "refunds")


def refusal_of_refund(refusal: Refusal, reference: str) -> RefundOutcome:
    """Return what a refused refund means. Raises GatewayMisconfigured."""
    for code in refusal.issues:
        if code in codes.NO_REFUND:
            return RefundFailed(code, reference)
    if codes.is_vendor_side(refusal.status, refusal.issues):
        raise GatewayMisconfigured(str(refusal))
    return Undecided(refusal.code, reference)


def _money(amount: int, currency: str) -> dict[str, str]:
    try:
        return money_out(amount, currency)
    except NoSuchAmount as fault:
        raise GatewayMisconfigured(f"PayPal takes no decimals of {currency}") from fault


def _origin(address: str) -> tuple[str, str]:
    parts = urllib.parse.urlsplit(address)
    return parts.scheme, parts.netloc

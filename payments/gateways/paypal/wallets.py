"""Wallets that payers let us charge: how PayPal is asked for them, and what its answers say."""

from payments.gateways.base import AnswerLost, Payer
from payments.gateways.paypal.answers import masked, text
from payments.gateways.paypal.orders import USAGE_PATTERN

_LOCALES = {"ja": "ja-JP", "en": "en-US"}
# A visit that was finished before gives the same wallet again.
_APPROVED = frozenset({"APPROVED", "VAULTED", "TOKENIZED"})


def to_approve(
    *, customer: str, language: str, return_url: str, cancel_url: str
) -> dict[str, object]:
    """Return the request for a visit in which a payer lets us charge a wallet.

    Several organisations may be paid from one wallet. Rule: gateways.md 4.1.
    """
    return {
        "customer": {"merchant_customer_id": customer},
        "payment_source": {
            "paypal": {
                "usage_type": "MERCHANT",
                "customer_type": "BUSINESS",
                "usage_pattern": USAGE_PATTERN,
                "permit_multiple_payment_tokens": True,
                "experience_context": {
                    "return_url": return_url,
                    "cancel_url": cancel_url,
                    "locale": _LOCALES.get(language, "en-US"),
                    "shipping_preference": "NO_SHIPPING",
                    "user_action": "SETUP_NOW",
                },
            }
        },
    }


def is_approved(visit: object) -> bool:
    """Return whether the payer has approved."""
    return text(visit, "status") in _APPROVED


def to_keep(visit: str) -> dict[str, object]:
    """Return the request to keep the wallet of an approved visit."""
    return {"payment_source": {"token": {"id": visit, "type": "SETUP_TOKEN"}}}


def payer_in(wallet: object) -> Payer:
    """Return the payer of a kept wallet, by a masked address. Raises AnswerLost."""
    reference = text(wallet, "id")
    if not reference:
        raise AnswerLost("unreadable_answer")
    label = masked(text(wallet, "payment_source", "paypal", "email_address"))
    return Payer(reference, label or "PayPal", text(wallet, "customer", "id"))

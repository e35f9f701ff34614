"""PayPal through the sandbox: a gateway whose every exchange is kept, and payers who register."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import requests

from billing_portal.gateways import PayPalAccount
from gateway_sandbox import Sandbox
from payments.gateways.base import Intent, RefundIntent
from payments.gateways.paypal import PayPal
from payments.gateways.paypal.answers import Answer
from payments.gateways.paypal.api import PayPalApi
from tests.payments.openapi import Exchange

RETURN_URL = "http://localhost:8000/payments/back"
CANCEL_URL = "http://localhost:8000/payments/cancelled"
EMAIL = "hanako@example.com"


class Overheard(PayPalApi):
    """PayPal's API, and what went over it."""

    exchanges: list[Exchange]

    def handle_response(self, response: requests.Response, content: bytes) -> Answer:
        asked = response.request
        body = asked.body or b""
        if not isinstance(body, str | bytes):
            raise TypeError(type(body))
        self.exchanges.append(
            Exchange(
                method=asked.method or "",
                path=asked.path_url,
                headers={str(name): str(value) for name, value in asked.headers.items()},
                body=body.encode() if isinstance(body, str) else body,
                status=response.status_code,
                answer=content,
            )
        )
        return super().handle_response(response, content)


@dataclass
class Far:
    """PayPal in the sandbox, and us before it."""

    sandbox: Sandbox
    patience: float = 5.0
    gateway: PayPal = field(init=False)
    exchanges: list[Exchange] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gateway = self.portal()

    def portal(self, **account: Any) -> PayPal:
        """Return a gateway of an account here; `account` as of PayPalAccount."""
        told = account_of(self.sandbox, **account)
        timeout = (self.patience, self.patience)
        api = Overheard(told, timeout=timeout, now=self.sandbox.now)
        api.exchanges = self.exchanges
        return PayPal(told, api=api, now=self.sandbox.now)

    def payer(self, *, key: str = "m-1", email: str = EMAIL) -> str:
        """Register a payer; return its reference."""
        approval = self.gateway.open_registration(
            key=key,
            customer="org-1",
            language="ja",
            return_url=RETURN_URL,
            cancel_url=CANCEL_URL,
        )
        self.sandbox.paypal.approve(approval.url, email=email)
        payer = self.gateway.finish_registration(key=key, reference=approval.reference)
        if payer is None:
            raise AssertionError("nobody approved")
        return payer.reference


def account_of(sandbox: Sandbox, **changes: Any) -> PayPalAccount:
    told: dict[str, Any] = {
        "environment": "local",
        "endpoint": sandbox.url,
        "client_id": sandbox.accounts.client_id,
        "secret": sandbox.accounts.secret,
        "merchant": sandbox.accounts.merchant,
        "webhook_id": sandbox.accounts.webhook_id,
        "approval_origins": (sandbox.url,),
        "certificate_hosts": (sandbox.url.partition("//")[2],),
    }
    return PayPalAccount(**(told | changes))


def intent(
    *,
    key: str = "c-1",
    number: str = "INV-2026-000001",
    amount: int = 5_500,
    currency: str = "JPY",
    payer: str = "",
    reference: str = "",
    by_customer: bool = False,
    sent_at: datetime | None = None,
) -> Intent:
    return Intent(
        key=key,
        number=number,
        amount=amount,
        currency=currency,
        description="2026年10月のご利用料金",
        on=date(2026, 11, 1),
        payer=payer,
        reference=reference,
        by_customer=by_customer,
        sent_at=sent_at,
    )


def refund_intent(
    *,
    capture: str,
    key: str = "r-1",
    amount: int = 500,
    currency: str = "JPY",
    reference: str = "",
    number: str = "CN-2026-000001",
    sent_at: datetime | None = None,
) -> RefundIntent:
    return RefundIntent(
        key=key,
        capture=capture,
        amount=amount,
        currency=currency,
        note="ご返金いたします",
        number=number,
        reference=reference,
        sent_at=sent_at,
    )

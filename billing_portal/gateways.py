"""The accounts with payment companies, from the environment. Live and sandbox never mix. Rule: R17, F40."""

import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.core.exceptions import ImproperlyConfigured

from billing_portal import env

# Of PayPal's own documents: where its API is, where payers approve, and where its certificates are.
_PAYPAL_HOSTS = {
    "live": ("https://api-m.paypal.com", "https://www.paypal.com", "api.paypal.com"),
    "sandbox": (
        "https://api-m.sandbox.paypal.com",
        "https://www.sandbox.paypal.com",
        "api.sandbox.paypal.com",
    ),
}


@dataclass(frozen=True, slots=True)
class PayPalAccount:
    """One account with PayPal.

    `environment`: live, sandbox, or local for `gateway_sandbox`. `approval_origins`: the only
    addresses that payers are sent to. `certificate_hosts`: host (with port where it is not 443),
    and nothing else, that a webhook's certificate may come from.
    """

    environment: str
    endpoint: str
    client_id: str
    secret: str = field(repr=False)
    merchant: str
    webhook_id: str
    approval_origins: tuple[str, ...]
    certificate_hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PaidAccount:
    """One account with Paid (paid.jp). Its API is known at second hand: paths and codes are settings.

    `member_status`: the provider's code to reviewing, active, blocked or rejected (gateways.md 3.2).
    `item_status`: the provider's word for an item of a batch to ok, duplicate, fixed, cancelled (each:
    before), not_found or declined. `closing_day` 20 or 31, `payment_method` 1 or 2, both as the
    provider numbers them.
    """

    environment: str
    endpoint: str
    auth_code: str = field(repr=False)
    merchant: str
    paths: Mapping[str, str]
    member_status: Mapping[str, str]
    item_status: Mapping[str, str]
    closing_day: str
    payment_method: str


def paypal(*, production: bool) -> PayPalAccount | None:
    """Return the account, or None where no client id is set. Raises ImproperlyConfigured."""
    client_id = env.text("PAYPAL_CLIENT_ID", "")
    if not client_id:
        return None
    environment = _environment("PAYPAL_ENVIRONMENT", production=production)
    if environment == "local":
        endpoint = _local("PAYPAL_ENDPOINT")
        approve, certificates = endpoint, urllib.parse.urlsplit(endpoint).netloc
    else:
        endpoint, approve, certificates = _PAYPAL_HOSTS[environment]
    return PayPalAccount(
        environment=environment,
        endpoint=endpoint,
        client_id=client_id,
        secret=env.text("PAYPAL_SECRET"),
        merchant=env.text("PAYPAL_MERCHANT_ID"),
        webhook_id=env.text("PAYPAL_WEBHOOK_ID"),
        approval_origins=(approve,),
        certificate_hosts=(certificates,),
    )


def paid(*, production: bool) -> PaidAccount | None:
    """Return the account, or None where no authentication code is set. Raises ImproperlyConfigured."""
    auth_code = env.text("PAID_AUTH_CODE", "")
    if not auth_code:
        return None
    environment = _environment("PAID_ENVIRONMENT", production=production)
    endpoint = (
        _local("PAID_ENDPOINT")
        if environment == "local"
        else env.text("PAID_ENDPOINT", "https://paid.jp/y/coop")
    )
    if environment != "local" and not endpoint.startswith("https://"):
        raise ImproperlyConfigured("PAID_ENDPOINT is an https:// address.")
    return PaidAccount(
        environment=environment,
        endpoint=endpoint.rstrip("/"),
        auth_code=auth_code,
        merchant=env.text("PAID_MERCHANT_ID", "paid"),
        paths={
            "register_member": "/member/register/ver1.0/p.json",
            "check_member": "/member/check/ver1.0/p.json",
            "check_credit": "/member/creditCheck/ver1.0/p.json",
            "register": "/Register/b2bMemberId/ver1.0/p.json",
            "fix": "/Fix/b2bCreditId/ver1.0/p.json",
            "cancel": "/Cancel/b2bCreditId/ver1.0/p.json",
        }
        | env.pairs("PAID_PATHS"),
        member_status={"1": "reviewing", "2": "active", "3": "blocked", "4": "rejected"}
        | env.pairs("PAID_MEMBER_STATUS"),
        item_status={"SUCCESS": "ok", "NOT_FOUND": "not_found"} | env.pairs("PAID_ITEM_STATUS"),
        closing_day=env.text("PAID_CLOSING_DAY", "31"),
        payment_method=env.text("PAID_PAYMENT_METHOD", "1"),
    )


def _environment(name: str, *, production: bool) -> str:
    environment = env.text(name, "sandbox")
    if environment not in {"live", "sandbox", "local"}:
        raise ImproperlyConfigured(f"{name} is live, sandbox or local.")
    if production and environment == "local":
        raise ImproperlyConfigured(f"{name}=local is a stand-in: it takes no real money.")
    if not production and environment == "live":
        raise ImproperlyConfigured(f"{name}=live is for PORTAL_MODE=production.")
    return environment


def _local(name: str) -> str:
    """Return an address on this machine, without a last slash."""
    endpoint = env.text(name)
    if urllib.parse.urlsplit(endpoint).hostname not in {"localhost", "127.0.0.1"}:
        raise ImproperlyConfigured(f"{name} is an address on this machine.")
    return endpoint.rstrip("/")

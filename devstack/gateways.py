"""The payment companies that a portal of ours talks to: the sandbox, or nobody."""

import os
from collections.abc import Mapping

from devstack import ports
from devstack.places import State, kept_secret
from gateway_sandbox.paid.api import item_status

# What a user sets to have an account of his own used; then none of ours is mixed into it.
_OWN_ACCOUNTS = {"PAYPAL_CLIENT_ID": "PAYPAL_", "PAID_AUTH_CODE": "PAID_"}
NOBODY = "http://127.0.0.1:9"
REVIEW_SECONDS = 60
NOTICES = "/notices/paypal/"


def nobody() -> dict[str, str]:
    """Return accounts at an address where nobody listens; the secrets are known, to be looked for."""
    return _accounts(NOBODY, secret="canary-paypal-secret", auth_code="canary-paid-auth-code")


def sandbox(state: State, port: int) -> dict[str, str]:
    """Return the accounts of this state's sandbox."""
    return _accounts(
        f"http://127.0.0.1:{port}",
        secret=kept_secret(state.folder / "sandbox-paypal-secret"),
        auth_code=kept_secret(state.folder / "sandbox-paid-auth-code"),
    )


def without_users_own(accounts: Mapping[str, str]) -> dict[str, str]:
    """Return the accounts that the user has not brought himself."""
    taken = tuple(start for name, start in _OWN_ACCOUNTS.items() if os.environ.get(name))
    return {name: value for name, value in accounts.items() if not name.startswith(taken)}


def choose_port(state: State, portal_port: int) -> int:
    """Return the port of the last time if it is free, and remember which it is.

    Addresses of approval pages are stored, and should lead somewhere after the next start too.
    """
    file = state.folder / "sandbox-port"
    kept = kept_port(state)
    port = kept if kept and kept != portal_port and ports.is_free(kept) else 0
    port = port or ports.next_free(portal_port + 1)
    file.write_text(str(port))
    return port


def kept_port(state: State) -> int | None:
    """Return where this state's sandbox listens, or last did."""
    file = state.folder / "sandbox-port"
    return int(file.read_text()) if file.exists() else None


def call(state: State, port: int, origin: str) -> list[str]:
    """Return how the sandbox is started."""
    ledger = str(state.folder / "sandbox.sqlite")
    told = ["--notify", origin + NOTICES, "--review-after", str(REVIEW_SECONDS)]
    return ["gateway_sandbox", "--port", str(port), "--ledger", ledger, *told]


def page(port: int) -> str:
    """Return the address of the sandbox's own page."""
    return f"http://127.0.0.1:{port}/sandbox/"


def _accounts(url: str, *, secret: str, auth_code: str) -> dict[str, str]:
    return {
        "PAYPAL_ENVIRONMENT": "local",
        "PAYPAL_ENDPOINT": url,
        "PAYPAL_CLIENT_ID": "local-client",
        "PAYPAL_SECRET": secret,
        "PAYPAL_MERCHANT_ID": "LOCALMERCHANT",
        "PAYPAL_WEBHOOK_ID": "local-webhook",
        "PAID_ENVIRONMENT": "local",
        "PAID_ENDPOINT": f"{url}/y/coop",
        "PAID_AUTH_CODE": auth_code,
        "PAID_MERCHANT_ID": "local-paid",
        "PAID_ITEM_STATUS": item_status(),
    }

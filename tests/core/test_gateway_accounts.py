"""The accounts with payment companies: live, sandbox and local never mix. Rule: R17, F40."""

import os

import pytest
from django.core.exceptions import ImproperlyConfigured

from billing_portal import gateways

PAYPAL = {
    "PAYPAL_CLIENT_ID": "client",
    "PAYPAL_SECRET": "canary-secret",
    "PAYPAL_MERCHANT_ID": "MERCHANT",
    "PAYPAL_WEBHOOK_ID": "hook",
    "PAYPAL_ENDPOINT": "http://127.0.0.1:8001/",
}
PAID = {"PAID_AUTH_CODE": "canary-code", "PAID_MERCHANT_ID": "merchant"}
MATRIX = [
    # environment, production, whether it is an account
    ("live", True, True),
    ("sandbox", True, True),
    ("local", True, False),
    ("live", False, False),
    ("sandbox", False, True),
    ("local", False, True),
    ("staging", False, False),
    ("staging", True, False),
]


@pytest.fixture(autouse=True)
def accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both accounts, and nothing of this shell's."""
    for name in list(os.environ):
        if name.startswith(("PAYPAL_", "PAID_")):
            monkeypatch.delenv(name)
    for name, value in (PAYPAL | PAID).items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(("environment", "production", "is_account"), MATRIX)
def test_paypal_of_an_environment_is_for_its_mode(
    monkeypatch: pytest.MonkeyPatch, environment: str, production: bool, is_account: bool
) -> None:
    monkeypatch.setenv("PAYPAL_ENVIRONMENT", environment)
    if not is_account:
        with pytest.raises(ImproperlyConfigured, match="PAYPAL_ENVIRONMENT"):
            gateways.paypal(production=production)
        return

    account = gateways.paypal(production=production)

    assert account is not None
    assert account.environment == environment


@pytest.mark.parametrize(("environment", "production", "is_account"), MATRIX)
def test_paid_of_an_environment_is_for_its_mode(
    monkeypatch: pytest.MonkeyPatch, environment: str, production: bool, is_account: bool
) -> None:
    monkeypatch.setenv("PAID_ENVIRONMENT", environment)
    if environment == "local":
        monkeypatch.setenv("PAID_ENDPOINT", "http://127.0.0.1:8001/y/coop")
    if not is_account:
        with pytest.raises(ImproperlyConfigured, match="PAID_ENVIRONMENT"):
            gateways.paid(production=production)
        return

    account = gateways.paid(production=production)

    assert account is not None
    assert account.environment == environment


@pytest.mark.parametrize(
    ("environment", "endpoint", "approval", "certificates"),
    [
        (
            "live",
            "https://api-m.paypal.com",
            "https://www.paypal.com",
            "api.paypal.com",
        ),
        (
            "sandbox",
            "https://api-m.sandbox.paypal.com",
            "https://www.sandbox.paypal.com",
            "api.sandbox.paypal.com",
        ),
        ("local", "http://127.0.0.1:8001", "http://127.0.0.1:8001", "127.0.0.1:8001"),
    ],
)
def test_an_environment_has_its_own_hosts(
    monkeypatch: pytest.MonkeyPatch,
    environment: str,
    endpoint: str,
    approval: str,
    certificates: str,
) -> None:
    monkeypatch.setenv("PAYPAL_ENVIRONMENT", environment)

    account = gateways.paypal(production=environment == "live")

    assert account is not None
    assert account.endpoint == endpoint
    assert account.approval_origins == (approval,)
    assert account.certificate_hosts == (certificates,)


@pytest.mark.parametrize(
    "endpoint",
    ["https://api-m.paypal.com", "http://127.0.0.1.example.com", "http://10.0.0.1", "http://"],
)
def test_a_local_account_is_on_this_machine(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("PAYPAL_ENVIRONMENT", "local")
    monkeypatch.setenv("PAYPAL_ENDPOINT", endpoint)

    with pytest.raises(ImproperlyConfigured, match="PAYPAL_ENDPOINT"):
        gateways.paypal(production=False)


def test_paid_is_spoken_to_in_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAID_ENDPOINT", "http://paid.jp/y/coop")

    with pytest.raises(ImproperlyConfigured, match="https"):
        gateways.paid(production=True)


@pytest.mark.parametrize("missing", ["PAYPAL_SECRET", "PAYPAL_MERCHANT_ID", "PAYPAL_WEBHOOK_ID"])
def test_half_an_account_is_none(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setenv(missing, "")

    with pytest.raises(ImproperlyConfigured, match=missing):
        gateways.paypal(production=True)


def test_without_an_account_there_is_no_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYPAL_CLIENT_ID", "")
    monkeypatch.setenv("PAID_AUTH_CODE", "")

    assert gateways.paypal(production=True) is None
    assert gateways.paid(production=True) is None


def test_an_account_does_not_tell_its_secret() -> None:
    told = f"{gateways.paypal(production=True)!r} {gateways.paid(production=True)!r}"

    assert "canary" not in told

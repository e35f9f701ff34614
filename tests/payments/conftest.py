"""The payment companies' stand-in, at the addresses that the settings name."""

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import Settings

from billing_portal import gateways
from gateway_sandbox import Sandbox
from payments.gateways import registry
from tests import make


@pytest.fixture
def sandbox(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run PayPal and Paid on a free port, at `make.NOW`, and have the portal use them."""
    with Sandbox() as running:
        running.set_time(make.NOW)
        use(running, settings, monkeypatch)
        yield running
    registry.forget()


def use(sandbox: Sandbox, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the settings name a sandbox, as the environment of a portal that uses it would."""
    for name, value in sandbox.environment().items():
        monkeypatch.setenv(name, value)
    settings.PAYPAL = gateways.paypal(production=False)
    settings.PAID = gateways.paid(production=False)
    settings.PAYMENT_GATEWAYS = ["payments.gateways.paypal.PayPal", "payments.gateways.paid.Paid"]
    settings.APPROVAL_ORIGINS = [sandbox.url]
    policy = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    settings.CONTENT_SECURITY_POLICY = {
        "DIRECTIVES": policy | {"form-action": [policy["form-action"][0], sandbox.url]}
    }
    registry.forget()

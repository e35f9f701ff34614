"""To the provider's pages and back: once, for who set out, and for nobody else. Rule: S1-15, F20."""

from collections.abc import Iterator

import pytest
from django.test import Client

from accounts.models import Organisation
from core import clock
from gateway_sandbox import Sandbox
from payments.models import PaymentMethod
from tests import make
from tests.payments import visits

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with clock.fixed_at(make.NOW):
        yield


@pytest.fixture
def aoba() -> Organisation:
    make.vendor()
    return make.organisation()


@pytest.fixture
def root(aoba: Organisation) -> Client:
    return visits.client_of(visits.root_of(aoba))


def test_a_root_adds_a_card_at_paypal_and_sees_it(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    approve_at = visits.set_out(root, aoba)
    back = sandbox.paypal.approve(approve_at, email="payer@example.com")
    page = root.get(visits.path_of(back), follow=True)

    assert approve_at.startswith(f"{sandbox.url}/")
    text = page.content.decode()
    assert "PayPal is registered as your payment method." in text
    assert "p…@example.com" in text or "example.com" in text
    method = PaymentMethod.objects.get()
    assert (method.state, method.gateway, method.active_since) == ("active", "paypal", make.NOW)
    assert method.payer == sandbox.ledger.payment_tokens[0].id
    assert method.payer not in text
    assert "Add payment method" not in text

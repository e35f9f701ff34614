"""Paying an invoice at once: with the registered method, or once at a provider. Rule: B-14, R3, F10, F20."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from accounts.enums import Role
from accounts.models import Organisation
from core import clock
from core.models import Work
from gateway_sandbox import Sandbox
from payments import jobs
from payments.enums import ChargeState, JourneyState, PayableState
from payments.models import Charge, Journey, Payable
from tests import make
from tests.payments import backs, collected, visits
from tests.payments.collected import Customer

pytestmark = pytest.mark.django_db

ORDERS = "POST /v2/checkout/orders"
CAPTURES = "POST /v2/checkout/orders/*/capture"
LATER = make.NOW + timedelta(minutes=5)


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with clock.fixed_at(make.NOW):
        yield


@pytest.fixture
def owing(sandbox: Sandbox) -> Customer:
    """An organisation that owes 5,500 yen for October; its card was declined."""
    customer = collected.customer(sandbox)
    sandbox.paypal.decline()
    collected.charge(customer.payable)
    sandbox.paypal.accept()
    return customer


@pytest.fixture
def root(owing: Customer) -> Client:
    client = visits.client_of(owing.root)
    client.cookies["django_language"] = "en"
    return client


def address(name: str, payable: Payable) -> str:
    assert payable.invoice is not None
    return visits.url(name, payable.organisation, invoice=str(payable.invoice.public_id))


def body(response: object) -> str:
    """Return what a reader reads, with single blanks."""
    assert isinstance(response, HttpResponse)
    return " ".join(response.getvalue().decode().split())


def form_of(page: Any, way: str) -> dict[str, str]:
    """Return what the form of a way to pay would send."""
    payable, method = page.context["payable"], page.context["method"]
    sent = {"way": way, "amount": payable.balance, "attempts": page.context["attempts"]}
    if way == "method":
        sent["method"] = method.public_id
    for name, value in sent.items():
        if name != "way":
            assert f'name="{name}" value="{value}"' in body(page)
    return {name: str(value) for name, value in sent.items()}


def shown(root: Client, payable: Payable, way: str) -> dict[str, str]:
    """Open the page; return the form of one of its ways."""
    return form_of(root.get(address("invoice_pay", payable)), way)


def press(root: Client, payable: Payable, form: dict[str, str]) -> str:
    """Send a form; return the page that it ends on."""
    return body(root.post(address("invoice_pay", payable), form, follow=True))


def set_out(root: Client, payable: Payable) -> str:
    """Choose to pay once; return the address to approve at."""
    answer = root.post(address("invoice_pay", payable), shown(root, payable, "paypal"))
    assert answer.status_code == 303, body(answer)
    return answer.headers["Location"]


def back(root: Client, path: str) -> str:
    return body(root.get(visits.path_of(path), follow=True))


def attempts() -> list[str]:
    return list(Charge.objects.order_by("pk").values_list("state", flat=True))


def taken(sandbox: Sandbox) -> list[int]:
    """Return what the provider took, by its own books."""
    return [each.amount for each in sandbox.ledger.captures if each.status == "COMPLETED"]


def test_a_declined_month_is_paid_with_the_registered_method(
    owing: Customer, root: Client, sandbox: Sandbox
) -> None:
    page = root.get(address("invoice_pay", owing.payable))

    assert "Pay ¥5,500 now" in body(page)
    assert "PayPal" in body(page)

    ended = press(root, owing.payable, shown(root, owing.payable, "method"))

    assert "Thank you. The payment has arrived." in ended
    assert attempts() == ["declined", "succeeded"]
    assert taken(sandbox) == [5_500]
    assert Payable.objects.get().state == PayableState.PAID


def test_a_declined_month_is_paid_once_at_the_provider(
    owing: Customer, root: Client, sandbox: Sandbox
) -> None:
    approve_at = set_out(root, owing.payable)

    ended = back(root, sandbox.paypal.approve(approve_at))

    assert "Thank you. The payment has arrived." in ended
    assert attempts() == ["declined", "succeeded"]
    assert taken(sandbox) == [5_500]
    assert Journey.objects.get().state == JourneyState.COMPLETED

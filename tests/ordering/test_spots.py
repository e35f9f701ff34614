"""Add Spot: settings, payment, completion, and all that is refused. Rule: S2-21…S2-28, F54, F55."""

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, TypeAlias
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import Organisation
from billing.models import Invoice
from core import clock
from gateway_sandbox import Sandbox
from payments.gateways import registry
from plans.models import TermsOfUse
from spot_orders.models import SpotOrder
from tests import make
from tests.ordering import customers
from tests.ordering.customers import local
from tests.payments import collected
from tests.payments.conftest import use
from tests.payments.visits import client_of, url

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse

Answer: TypeAlias = "_MonkeyPatchedWSGIResponse"

pytestmark = pytest.mark.django_db

NOW = local(1, 15, 12)


@pytest.fixture
def sandbox(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox() as running:
        running.set_time(NOW)
        use(running, settings, monkeypatch)
        yield running
    registry.forget()


@pytest.fixture(autouse=True)
def _today() -> Iterator[None]:
    with clock.fixed_at(NOW):
        yield


def kobo(sandbox: Sandbox | None = None, *, months: int = 12, steps: int = 1) -> Organisation:
    """A customer with Pro 100 from 1 January 2026 for some months, and a PayPal method."""
    organisation = customers.kobo("free", has_method=False)
    TermsOfUse.objects.create(number=3, text_ja="規約", text_en="Terms", created_at=make.NOW)
    make.main_contract(
        organisation,
        customers.version("pro"),
        date(2026, 1, 2),
        steps=steps,
        months=months,
    )
    if sandbox is None:
        customers.method(organisation)
    else:
        collected.paypal_method(organisation, customers.root_of(organisation), sandbox)
    return organisation


def browser(organisation: Organisation, language: str = "en") -> Client:
    client = client_of(customers.root_of(organisation))
    client.cookies["django_language"] = language
    return client


def words(answer: Answer) -> str:
    return " ".join(answer.content.decode().partition("<main")[2].split())


def asked(**typed: str) -> dict[str, str]:
    """What the form sends for 100 accounts from 1 February for a month, ticked."""
    return {
        "accounts": "100",
        "first_on": "2026-02-01",
        "months": "1",
        "agrees": "on",
        "terms": "3",
        "operation": str(uuid4()),
    } | typed


def placed(client: Client, organisation: Organisation, **typed: str) -> SpotOrder:
    """Send the settings; return the order, whose payment is shown."""
    answer = client.post(url("order_spot", organisation), asked(**typed))
    assert answer.status_code == 302, words(answer)
    order = SpotOrder.objects.latest("pk")
    assert answer.headers["Location"] == payment_of(order)
    return order


def payment_of(order: SpotOrder) -> str:
    return url("order_spot_payment", order.organisation, order=str(order.public_id))


def page_of(order: SpotOrder) -> str:
    return url("order_spot_order", order.organisation, order=str(order.public_id))


def shown(order: SpotOrder, **changes: str) -> dict[str, str]:
    """What the payment form sends when it is opened first."""
    method = order.organisation.payment_methods.get(state="active")
    return {
        "way": "method",
        "amount": str(order.gross),
        "attempts": "0",
        "method": str(method.public_id),
    } | changes


def test_a_spot_order_is_placed_paid_and_complete(sandbox: Sandbox) -> None:
    """Rule: S2-14, S2-21…S2-28: 100 accounts for a month are 5,500 yen, 500 of it tax."""
    organisation = kobo(sandbox)
    client = browser(organisation)

    settings = client.get(url("order_spot", organisation))
    assert "Add Spot" in words(settings)
    order = placed(client, organisation)
    assert (order.net, order.tax, order.gross) == (5_000, 500, 5_500)
    assert (order.first_on, order.end_on) == (date(2026, 2, 1), date(2026, 3, 1))
    assert order.terms is not None
    assert order.terms.number == 3

    page = words(client.get(payment_of(order)))
    for said in ("5,500", "28 February 2026", order.number, "Kamome Connect Inc.", "lapses"):
        assert said in page

    answer = client.post(payment_of(order), shown(order), follow=True)

    assert answer.redirect_chain[-1][0] == page_of(order)
    assert "Procedure Completed" in words(answer)
    order.refresh_from_db()
    assert order.state == "paid"
    invoice = Invoice.objects.get(payable__spot_order=order)
    assert f"Invoice KC-SP-{invoice.number:08d}" in words(answer)
    assert [row.amount for row in sandbox.ledger.captures if row.is_in] == [5_500]

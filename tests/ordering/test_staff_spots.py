"""Staff withdraw a renewal although a spot contract needs it: it is shown, cut and credited. Rule: S2-13."""

import re
from collections.abc import Iterator
from datetime import date

import pytest
from pytest_django import Settings

from billing.enums import InvoiceKind
from billing.models import Invoice
from core.models import AuditEntry
from gateway_sandbox import Sandbox
from payments.gateways import registry
from plans import queries as plans
from spot_orders.models import SpotOrder
from tests.payments import offices, spotted
from tests.payments.conftest import use
from tests.payments.spotted import NOW, Placed

pytestmark = pytest.mark.django_db


@pytest.fixture
def sandbox(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox() as running:
        running.set_time(NOW)
        use(running, settings, monkeypatch)
        yield running
    registry.forget()


@pytest.fixture
def paid(sandbox: Sandbox) -> Placed:
    placed = spotted.placed(sandbox, months=3)
    spotted.pay(placed)
    return placed


@pytest.fixture
def desk() -> offices.AtNow:
    return offices.staff("change_organisation")[0]


def shown(desk: offices.AtNow, paid: Placed, **typed: object) -> str:
    return offices.text(offices.do(desk, paid.buyer.organisation, "withdraw-renewal", **typed))


def test_a_renewal_that_a_spot_contract_needs_is_not_withdrawn_untold(
    desk: offices.AtNow, paid: Placed
) -> None:
    page = shown(desk, paid)

    assert "Tick that it is to be cut and its unused months credited." in page
    assert SpotOrder.objects.get().cut_on is None


def test_what_is_cut_and_credited_is_shown_before_it_is_done(
    desk: offices.AtNow, paid: Placed
) -> None:
    organisation = paid.buyer.organisation
    page = shown(desk, paid, cutting_spots="on")
    assert f"Spot contract {paid.order.number}" in page
    assert "ends on 9 December 2026, ¥11,000 credited" in page
    assert SpotOrder.objects.get().cut_on is None
    [review] = re.findall(r'name="review" value="([0-9a-f-]+)"', page)

    again = shown(desk, paid, cutting_spots="on", sure="yes", review=review)

    assert "It is saved" in again
    assert SpotOrder.objects.get().cut_on == date(2026, 12, 10)
    assert Invoice.objects.get(kind=InvoiceKind.CREDIT_NOTE).gross == 11_000
    assert len(plans.timeline(organisation, now=NOW).terms) == 1
    entry = AuditEntry.objects.get(action="order.withdraw_renewal")
    assert (entry.details["let_pass"], entry.details["reason"]) == (["spots"], offices.ASKED)

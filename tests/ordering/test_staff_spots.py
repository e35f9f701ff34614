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
from payments.queries import spots
from plans import queries as plans
from spot_orders.models import SpotOrder
from tests.payments import backs, offices, spotted
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
    [review] = _reviews(page)

    again = shown(desk, paid, cutting_spots="on", sure="yes", review=review)

    assert "It is saved" in again
    assert SpotOrder.objects.get().cut_on == date(2026, 12, 10)
    assert Invoice.objects.get(kind=InvoiceKind.CREDIT_NOTE).gross == 11_000
    assert len(plans.timeline(organisation, now=NOW).terms) == 1
    entry = AuditEntry.objects.get(action="order.withdraw_renewal")
    assert (entry.details["let_pass"], entry.details["reason"]) == (["spots"], offices.ASKED)


@pytest.mark.parametrize("change", ["paid", "credited"])
def test_what_is_cut_otherwise_than_was_shown_is_shown_again(
    desk: offices.AtNow, paid: Placed, change: str
) -> None:
    """F54: another order is paid, or a part of this one credited, between the preview and the button."""
    [review] = _reviews(shown(desk, paid, cutting_spots="on"))
    if change == "paid":
        other = spotted.place(paid.buyer, months=2)
        spotted.pay(other)
    else:
        backs.credit(spots.payable_of(paid.order), 5_500)

    refused = shown(desk, paid, cutting_spots="on", sure="yes", review=review)

    assert "It is no longer as it was shown, and nothing was saved." in refused
    assert not SpotOrder.objects.exclude(cut_on=None).exists()
    assert len(plans.timeline(paid.buyer.organisation, now=NOW).terms) == 2
    page = shown(desk, paid, cutting_spots="on")
    credited = ["¥11,000", "¥5,500"] if change == "paid" else ["¥5,500"]
    assert [f"9 December 2026, {each} credited" in page for each in credited] == [True] * len(
        credited
    )
    [again] = _reviews(page)
    assert "It is saved" in shown(desk, paid, cutting_spots="on", sure="yes", review=again)
    assert not SpotOrder.objects.filter(cut_on=None).exists()


def test_what_was_shown_without_a_spot_contract_cuts_none(
    desk: offices.AtNow, sandbox: Sandbox
) -> None:
    """The order is paid, and the tick set, after the preview of a withdrawal that would cut nothing."""
    who = spotted.buyer()
    spotted.register(who, sandbox)
    [review] = _reviews(offices.text(offices.do(desk, who.organisation, "withdraw-renewal")))
    placed = spotted.place(who, months=3)
    spotted.pay(placed)

    refused = shown(desk, placed, cutting_spots="on", sure="yes", review=review)

    assert "nothing was saved" in refused
    assert SpotOrder.objects.get().cut_on is None


def _reviews(page: str) -> list[str]:
    return re.findall(r'name="review" value="([0-9a-f-]+)"', page)

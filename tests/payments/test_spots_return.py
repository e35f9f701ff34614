"""A payer who is back from a provider's pages lands at the order. Rule: S2-25, F20."""

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from core import clock
from gateway_sandbox import Sandbox
from payments.enums import ChargeState
from payments.models import Charge
from payments.services import journeys, paying, spots
from payments.services.charges import Shown
from payments.services.journeys import Traveller
from spot_orders.enums import SpotState
from tests.payments import spotted, visits
from tests.payments.farside import assert_agree, taken
from tests.payments.spotted import NOW, Placed

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with clock.fixed_at(NOW):
        yield


@pytest.fixture
def placed() -> Placed:
    return spotted.place(spotted.buyer())


@pytest.fixture
def root(placed: Placed, sandbox: Sandbox) -> Client:
    client = visits.client_of(placed.buyer.root)
    client.cookies["django_language"] = "en"
    return client


def set_out(client: Client, placed: Placed) -> str:
    """Choose PayPal in this browser; return the address of the page to approve at."""
    organisation = placed.buyer.organisation
    places = {
        name: settings.PORTAL_ORIGIN
        + reverse(name, args=[organisation.public_id, "STATE"]).replace("STATE", "{state}")
        for name in ("payment_return", "payment_cancel")
    }
    return spots.set_out(
        order_id=placed.order.pk,
        gateway="paypal",
        shown=Shown(5_500),
        traveller=Traveller(
            organisation.pk, placed.buyer.root.pk, client.session.session_key or ""
        ),
        way_back=paying.WayBack(places["payment_return"], places["payment_cancel"]),
        now=clock.now(),
    )


def page_of(placed: Placed) -> str:
    return reverse(
        "order_spot_order",
        kwargs={
            "organisation": placed.buyer.organisation.public_id,
            "order": placed.order.public_id,
        },
    )


def back(client: Client, address: str) -> tuple[str, str]:
    """Open an address of ours; return where it leads, and what is said there."""
    answer = client.get(visits.path_of(address))
    assert answer.status_code == 302, answer.content.decode()
    said = " ".join(str(each) for each in get_messages(answer.wsgi_request))
    return urlsplit(answer.headers["Location"]).path, said


def test_who_approved_is_led_to_the_order_which_is_served(
    root: Client, placed: Placed, sandbox: Sandbox
) -> None:
    address = sandbox.paypal.approve(set_out(root, placed))

    # The page of the order says that it is complete.
    assert back(root, address) == (page_of(placed), "")
    assert placed.state == SpotState.PAID
    # Reload, and the back button.
    assert back(root, address)[0] == page_of(placed)
    assert_agree(sandbox, captures=1)


def test_who_broke_off_is_led_to_the_order_which_is_kept(
    root: Client, placed: Placed, sandbox: Sandbox
) -> None:
    assert back(root, sandbox.paypal.cancel(set_out(root, placed))) == (
        page_of(placed),
        "You broke off the payment. Nothing was charged.",
    )
    assert (placed.state, placed.attempts) == (
        SpotState.PLACED,
        [("cancelled", "payer_turned_back")],
    )


def test_who_comes_back_too_late_is_led_to_the_order(
    root: Client, placed: Placed, sandbox: Sandbox
) -> None:
    address = sandbox.paypal.approve(set_out(root, placed))

    with clock.fixed_at(NOW + journeys.LIFE + timedelta(minutes=1)):
        place, said = back(root, address)

    assert (place, said) == (
        page_of(placed),
        "You came back too late, so nothing was paid. Pay the order again.",
    )
    assert taken(sandbox) == []


def test_who_signed_in_anew_is_led_to_the_order(
    root: Client, placed: Placed, sandbox: Sandbox
) -> None:
    address = sandbox.paypal.approve(set_out(root, placed))
    other = visits.client_of(placed.buyer.root)
    other.cookies["django_language"] = "en"

    place, said = back(other, address)

    assert (place, said) == (
        page_of(placed),
        "You signed in again in the meantime, so nothing was paid. Pay the order again.",
    )
    assert taken(sandbox) == []


def test_whose_order_is_covered_no_more_is_told_that_nothing_was_charged(
    root: Client, placed: Placed, sandbox: Sandbox
) -> None:
    address = sandbox.paypal.approve(set_out(root, placed))
    spotted.shorten(placed.buyer)

    assert back(root, address) == (
        page_of(placed),
        "What you wanted to pay for has changed meanwhile, so nothing was charged.",
    )
    assert Charge.objects.get().state == ChargeState.CANCELLED
    assert taken(sandbox) == []


def test_whose_payment_is_not_known_yet_is_told_so_at_the_order(
    root: Client, placed: Placed, sandbox: Sandbox
) -> None:
    address = sandbox.paypal.approve(set_out(root, placed))
    sandbox.faults.lose_reply("POST /v2/checkout/orders/*/capture")

    place, said = back(root, address)

    assert place == page_of(placed)
    assert said.startswith("We are confirming whether the payment arrived")
    assert placed.state == SpotState.PLACED

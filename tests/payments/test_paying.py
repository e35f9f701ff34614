"""Paying an invoice at once: with the registered method, or once at a provider. Rule: B-14, R3, F10, F20."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.enums import Role
from core import clock
from gateway_sandbox import Sandbox
from payments.enums import Hold, JourneyState, PayableState
from payments.models import Charge, Journey, Payable
from payments.services import charges, collecting
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
    return declined(sandbox)


@pytest.fixture
def root(owing: Customer) -> Client:
    client = visits.client_of(owing.root)
    client.cookies["django_language"] = "en"
    return client


def declined(sandbox: Sandbox) -> Customer:
    """Return an organisation that owes 5,500 yen for October; its card was declined, and works now."""
    customer = collected.customer(sandbox)
    sandbox.paypal.decline()
    collected.charge(customer.payable)
    sandbox.paypal.accept()
    return customer


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


def test_the_page_asks_a_fixed_number_of_statements(
    owing: Customer, root: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    page = address("invoice_pay", owing.payable)
    root.get(page)

    with django_assert_num_queries(8):
        root.get(page)


# --- what was shown is what is paid ---


def test_a_form_that_is_sent_twice_charges_once(
    owing: Customer, root: Client, sandbox: Sandbox
) -> None:
    form = shown(root, owing.payable, "method")
    sandbox.paypal.decline()

    first = press(root, owing.payable, form)
    sandbox.paypal.accept()
    second = press(root, owing.payable, form)

    assert "PayPal declined the payment. Nothing was charged." in first
    assert "This invoice has changed since the page was opened" in second
    assert attempts() == ["declined", "declined"]
    assert taken(sandbox) == []


@pytest.mark.parametrize("way", ["method", "paypal"])
def test_nothing_is_charged_that_was_not_shown(
    owing: Customer, root: Client, sandbox: Sandbox, way: str
) -> None:
    """A credit note came between showing and pressing. Rule: F51."""
    form = shown(root, owing.payable, way)
    backs.credit(owing.payable, 1_100)

    ended = press(root, owing.payable, form)

    assert "This invoice has changed since the page was opened, and nothing was charged." in ended
    assert attempts() == ["declined"]
    press(root, owing.payable, shown(root, owing.payable, "method"))
    assert taken(sandbox) == [4_400]


def test_another_method_than_the_shown_one_is_not_charged(
    owing: Customer, root: Client, sandbox: Sandbox
) -> None:
    form = shown(root, owing.payable, "method")

    ended = press(root, owing.payable, form | {"method": str(uuid.UUID(int=1))})

    assert "This invoice has changed" in ended
    assert taken(sandbox) == []


@pytest.mark.parametrize(
    "changes",
    [{"amount": "1"}, {"amount": "-5500"}, {"amount": ""}, {"attempts": "x"}, {"attempts": "0"}],
)
def test_a_forged_form_charges_nothing(
    owing: Customer, root: Client, sandbox: Sandbox, changes: dict[str, str]
) -> None:
    form = shown(root, owing.payable, "method") | changes

    ended = press(root, owing.payable, form)

    assert "This invoice has changed" in ended
    assert attempts() == ["declined"]
    assert taken(sandbox) == []


@pytest.mark.parametrize("way", ["paid", "nobody", "manual"])
def test_a_way_that_is_not_offered_is_refused(
    owing: Customer, root: Client, sandbox: Sandbox, way: str
) -> None:
    form = shown(root, owing.payable, "method") | {"way": way}

    assert "This way of paying is not available." in press(root, owing.payable, form)
    assert attempts() == ["declined"]


def test_what_is_paid_is_not_paid_again(owing: Customer, root: Client, sandbox: Sandbox) -> None:
    form = shown(root, owing.payable, "method")
    press(root, owing.payable, form)

    again = press(root, owing.payable, form)
    page = body(root.get(address("invoice_pay", owing.payable)))

    assert "Nothing is owed for this invoice any more." in again
    assert "was paid on 22 November 2026 with PayPal" in page
    assert '<button type="submit" class="button" name="way"' not in page
    assert taken(sandbox) == [5_500]


@pytest.mark.parametrize("way", ["method", "paypal"])
@pytest.mark.parametrize("hold", [Hold.DIFFERS, Hold.REVERSED])
def test_what_staff_look_into_is_not_paid_with_an_old_form(
    owing: Customer, root: Client, sandbox: Sandbox, way: str, hold: Hold
) -> None:
    form = shown(root, owing.payable, way)
    Payable.objects.update(hold=hold, next_charge_at=None)

    ended = press(root, owing.payable, form)

    assert "Support is looking into this invoice." in ended
    assert attempts() == ["declined"]
    assert taken(sandbox) == []


def test_only_the_root_pays_and_only_what_is_its_own(owing: Customer, sandbox: Sandbox) -> None:
    manager = visits.client_of(make.member(owing.organisation, role=Role.MANAGER).user)
    stranger = visits.client_of(make.member(make.organisation(name="Bluebird")).user)
    page = address("invoice_pay", owing.payable)

    for client, status in ((manager, 403), (stranger, 404)):
        assert client.get(page).status_code == status
        assert client.post(page, {"way": "method"}).status_code == status
    assert attempts() == ["declined"]


# --- the provider does not answer, or not clearly ---


@pytest.mark.parametrize("way", ["method", "paypal"])
def test_an_unreachable_provider_leaves_nothing_under_way(
    owing: Customer, root: Client, sandbox: Sandbox, way: str
) -> None:
    form = shown(root, owing.payable, way)
    sandbox.stop_listening()

    ended = press(root, owing.payable, form)

    assert "We could not reach the payment company, so no payment was begun." in ended
    assert attempts() == ["declined", "cancelled"]


def test_a_lost_answer_is_being_confirmed_and_paid_no_second_time(
    owing: Customer, root: Client, sandbox: Sandbox
) -> None:
    form = shown(root, owing.payable, "method")
    sandbox.faults.lose_reply(ORDERS)

    ended = press(root, owing.payable, form)
    page = body(root.get(address("invoice_pay", owing.payable)))
    again = press(root, owing.payable, form)

    assert "We are confirming whether the payment arrived" in ended
    assert "being confirmed" in page
    assert 'name="way"' not in page
    assert "A payment for this invoice is under way already." in again
    assert taken(sandbox) == [5_500]
    backs.tick(LATER)
    with clock.fixed_at(LATER):
        visits.work_until_done()
    assert attempts() == ["declined", "succeeded"]
    assert taken(sandbox) == [5_500]


def test_a_provider_that_cannot_say_whether_its_payer_approved_is_asked_again(
    owing: Customer, root: Client, sandbox: Sandbox
) -> None:
    returned = sandbox.paypal.approve(set_out(root, owing.payable))
    sandbox.stop_listening()

    ended = back(root, returned)

    assert "We are confirming whether the payment arrived" in ended
    assert "not approved" not in ended
    page = body(root.get(address("invoice_pay", owing.payable)))
    assert "being confirmed" in page
    assert 'name="way"' not in page
    sandbox.start()
    with clock.fixed_at(LATER):
        visits.work_until_done()
    assert attempts() == ["declined", "succeeded"]
    assert taken(sandbox) == [5_500]


# --- there and back, once ---


def test_who_turns_back_pays_nothing_and_may_pay_again(
    owing: Customer, root: Client, sandbox: Sandbox
) -> None:
    ended = back(root, sandbox.paypal.cancel(set_out(root, owing.payable)))

    assert "You broke off the payment. Nothing was charged." in ended
    assert attempts() == ["declined", "cancelled"]
    assert "Thank you" in back(root, sandbox.paypal.approve(set_out(root, owing.payable)))
    assert taken(sandbox) == [5_500]


def test_who_comes_back_without_an_approval_pays_nothing(
    owing: Customer, root: Client, sandbox: Sandbox
) -> None:
    visit = sandbox.paypal.visit(set_out(root, owing.payable))

    ended = back(root, visit.return_url)

    assert "The payment was not approved. Nothing was charged" in ended
    assert taken(sandbox) == []


def test_a_decline_at_the_provider_is_said(owing: Customer, root: Client, sandbox: Sandbox) -> None:
    returned = sandbox.paypal.approve(set_out(root, owing.payable), declines=True)

    assert "PayPal declined the payment. Nothing was charged." in back(root, returned)
    assert attempts() == ["declined", "declined"]
    assert Payable.objects.get().declines == 1  # the customer's try uses up none of the portal's


def test_a_way_back_is_used_once(owing: Customer, root: Client, sandbox: Sandbox) -> None:
    returned = sandbox.paypal.approve(set_out(root, owing.payable))

    pages = [back(root, returned) for _ in range(3)]

    assert ["Thank you" in page for page in pages] == [True, False, False]
    assert all("was paid on 22 November 2026" in page for page in pages)
    assert taken(sandbox) == [5_500]


def test_breaking_off_after_the_return_takes_nothing_back(
    owing: Customer, root: Client, sandbox: Sandbox
) -> None:
    returned = sandbox.paypal.approve(set_out(root, owing.payable))
    back(root, returned)

    ended = back(root, returned.replace("/payments/return/", "/payments/cancel/"))

    assert "You broke off" not in ended
    assert attempts() == ["declined", "succeeded"]


def test_who_comes_back_too_late_pays_nothing(
    owing: Customer, root: Client, sandbox: Sandbox
) -> None:
    returned = sandbox.paypal.approve(set_out(root, owing.payable))
    Journey.objects.update(expires_at=make.NOW)

    ended = back(root, returned)

    assert "You came back too late, so nothing was paid." in ended
    visits.work_until_done()
    assert attempts() == ["declined", "cancelled"]
    assert taken(sandbox) == []


@pytest.mark.parametrize("who", ["another session", "the manager", "a stranger", "nobody"])
def test_nobody_else_comes_back_for_the_payer(
    owing: Customer, root: Client, sandbox: Sandbox, who: str
) -> None:
    """Whoever approves at the provider, only the session that set out has it taken. Rule: F20."""
    returned = visits.path_of(sandbox.paypal.approve(set_out(root, owing.payable)))
    manager = make.member(owing.organisation, role=Role.MANAGER).user
    client = {
        "another session": visits.client_of(owing.root),
        "the manager": visits.client_of(manager),
        "a stranger": visits.client_of(make.member(make.organisation(name="Bluebird")).user),
        "nobody": Client(),
    }[who]
    client.cookies["django_language"] = "en"

    answer = client.get(returned)

    assert (
        answer.status_code
        == {
            "another session": 302,
            "the manager": 403,
            "a stranger": 404,
            "nobody": 302,
        }[who]
    )
    assert attempts() == ["declined", "started"]
    with clock.fixed_at(make.NOW + timedelta(hours=3)):
        visits.work_until_done()
    assert attempts() == ["declined", "cancelled"]
    assert taken(sandbox) == []


@pytest.mark.parametrize("name", ["payment_return", "payment_cancel"])
def test_a_forged_way_back_is_told_apart(
    owing: Customer, root: Client, sandbox: Sandbox, name: str
) -> None:
    set_out(root, owing.payable)

    answer = root.get(visits.url(name, owing.organisation, state="forged"))

    assert answer.status_code == 404
    assert "Nothing was registered or charged." in body(answer)
    assert attempts() == ["declined", "started"]


# --- side by side ---


def test_the_month_end_charges_nothing_while_a_payer_is_at_the_provider(
    owing: Customer, root: Client, sandbox: Sandbox
) -> None:
    """The next automatic try comes while the page is open. Rule: F10."""
    approve_at = set_out(root, owing.payable)

    with clock.fixed_at(make.NOW + timedelta(days=1, minutes=1)):
        collecting.plan(clock.now())
        charges.collect(payable_id=owing.payable.pk, now=clock.now())

    assert attempts() == ["declined", "started"]
    assert "Thank you" in back(root, sandbox.paypal.approve(approve_at))
    assert taken(sandbox) == [5_500]


def test_what_the_month_end_took_meanwhile_is_not_paid_again(
    owing: Customer, root: Client, sandbox: Sandbox
) -> None:
    """The page was left open while the next automatic try went through. Rule: F10."""
    forms = [shown(root, owing.payable, way) for way in ("method", "paypal")]
    collected.charge(owing.payable, now=make.NOW + timedelta(days=1, minutes=1))

    ended = [press(root, owing.payable, form) for form in forms]

    assert all("Nothing is owed for this invoice any more." in page for page in ended)
    assert attempts() == ["declined", "succeeded"]
    assert taken(sandbox) == [5_500]


def test_what_was_collected_meanwhile_is_not_paid_at_the_provider(
    owing: Customer, root: Client, sandbox: Sandbox
) -> None:
    """A second tab pays with the method while the first is at the provider's pages. Rule: F10."""
    first = set_out(root, owing.payable)

    press(root, owing.payable, shown(root, owing.payable, "method"))
    ended = back(root, sandbox.paypal.approve(first))

    assert "Thank you" not in ended
    assert "was paid on 22 November 2026" in ended
    assert attempts() == ["declined", "cancelled", "succeeded"]
    assert taken(sandbox) == [5_500]


def test_setting_out_again_leaves_the_first_visit(
    owing: Customer, root: Client, sandbox: Sandbox
) -> None:
    first = set_out(root, owing.payable)
    second = set_out(root, owing.payable)

    late, ended = (
        back(root, sandbox.paypal.approve(first)),
        back(root, sandbox.paypal.approve(second)),
    )

    assert "Thank you" not in late
    assert "This visit had ended before you came back, so nothing was charged for it." in late
    assert "Thank you" in ended
    assert attempts() == ["declined", "cancelled", "succeeded"]
    assert taken(sandbox) == [5_500]


@pytest.mark.django_db(transaction=True)
def test_two_tabs_at_once_take_the_money_once(sandbox: Sandbox) -> None:
    customer = declined(sandbox)
    tabs = [visits.client_of(customer.root) for _ in range(2)]
    forms = [shown(tab, customer.payable, "method") for tab in tabs]
    gate = Barrier(2)

    def pay(tab: Client, form: dict[str, str]) -> None:
        try:
            with clock.fixed_at(make.NOW):
                gate.wait()
                tab.post(address("invoice_pay", customer.payable), form)
        finally:
            connection.close()

    threads = [Thread(target=pay, args=pair) for pair in zip(tabs, forms, strict=True)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert attempts() == ["declined", "succeeded"]
    assert taken(sandbox) == [5_500]

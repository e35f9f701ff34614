"""The tab Plan & Payment Method: who sees it, what it says, what it never says. Rule: S1-03, S1-11, S1-13."""

import re
from collections.abc import Iterator

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.enums import Role
from accounts.models import Organisation
from core import clock
from gateway_sandbox import Sandbox
from payments.enums import MethodState
from payments.models import Journey, PaymentMethod, SupportRequest
from payments.services import moves
from plans import queries as plans
from tests import make
from tests.pages import customers
from tests.payments import visits

pytestmark = pytest.mark.django_db

PAGES: list[tuple[str, dict[str, str]]] = [
    ("plan", {}),
    ("payment_method_add", {}),
    ("payment_method_form", {"gateway": "paid"}),
    ("payment_method_return", {"state": "x"}),
    ("payment_method_cancel", {"state": "x"}),
    ("payment_method_support", {}),
]


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with clock.fixed_at(make.NOW):
        yield


@pytest.fixture
def aoba(sandbox: Sandbox) -> Organisation:
    return customers.aoba()


@pytest.fixture
def root(aoba: Organisation) -> Client:
    return visits.client_of(visits.root_of(aoba))


@pytest.mark.parametrize("role", [Role.MANAGER, Role.MEMBER])
@pytest.mark.parametrize(("name", "of"), PAGES)
def test_only_the_root_opens_or_posts_to_any_page_of_it(
    aoba: Organisation, sandbox: Sandbox, role: Role, name: str, of: dict[str, str]
) -> None:
    visits.root_of(aoba)
    client = visits.client_of(make.member(aoba, role=role).user)
    url = visits.url(name, aoba, **of)

    assert client.get(url).status_code == 403
    assert client.post(url, {"gateway": "paypal", **visits.COMPANY}).status_code == 403
    assert not PaymentMethod.objects.exists()
    assert not Journey.objects.exists()
    assert not SupportRequest.objects.exists()
    assert sandbox.ledger.requests == []


def test_the_tab_is_shown_to_the_root_alone(aoba: Organisation, root: Client) -> None:
    manager = visits.client_of(make.member(aoba, role=Role.MANAGER).user)
    usage = visits.url("usage", aoba)

    assert "Plan &amp; Payment Method" in root.get(usage).content.decode()
    assert "Plan &amp; Payment Method" not in manager.get(usage).content.decode()


def test_the_page_shows_the_plans_and_why_a_method_is_needed(
    aoba: Organisation, root: Client
) -> None:
    text = root.get(visits.url("plan", aoba)).content.decode()
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))

    assert "¥11,000 tax included ( ¥10,000 net)" in words
    assert "¥3,300 tax included ( ¥3,000 net)" in words
    assert "No payment method yet" in words
    assert "Until then, each invoice is due 14 days after it is issued." in words
    assert 'href="https://www.example.com/plans" rel="noopener"' in text
    assert 'aria-current="page">Plan &amp; Payment Method' in text


def test_an_organisation_without_plans_reads_so(sandbox: Sandbox) -> None:
    make.vendor()
    bare = make.organisation()
    client = visits.client_of(visits.root_of(bare))

    text = client.get(visits.url("plan", bare)).content.decode()

    assert text.count("none yet") == 2


def test_no_page_holds_a_card_field_a_token_or_anothers_address(
    aoba: Organisation, root: Client, sandbox: Sandbox
) -> None:
    texts = [root.get(visits.url(name, aoba, **of)).content.decode() for name, of in PAGES[:3]]
    method = visits.register_paypal(root, aoba, sandbox)
    texts += [
        root.get(visits.url(name, aoba)).content.decode()
        for name in ("plan", "payment_method_support")
    ]

    setup, token = sandbox.ledger.setup_tokens[0].id, sandbox.ledger.payment_tokens[0].id
    for text in texts:
        assert "cc-" not in re.findall(r'autocomplete="([^"]*)"', text)
        assert not re.search(r'autocomplete="cc-|name="(card|cvc|cvv|number)', text)
        assert not re.search(r'(src|action|<link[^>]* href)="https?://', text)
        for secret in (setup, token, method.key, method.payer, "payer@example.com"):
            assert secret not in text


def test_the_page_to_choose_at_leads_only_to_the_providers_the_settings_name(
    aoba: Organisation, root: Client, sandbox: Sandbox
) -> None:
    answer = root.get(visits.url("payment_method_add", aoba))

    assert f"form-action 'self' {sandbox.url};" in answer.headers["Content-Security-Policy"] + ";"


def test_a_choice_must_be_made(aoba: Organisation, root: Client, sandbox: Sandbox) -> None:
    answer = root.post(visits.url("payment_method_add", aoba), {})

    assert answer.status_code == 400
    assert "Choose how you want to pay." in answer.content.decode()
    assert 'href="#id_gateway_0"' in answer.content.decode()
    assert not Journey.objects.exists()


def test_both_ways_say_what_happens(aoba: Organisation, root: Client) -> None:
    text = root.get(visits.url("payment_method_add", aoba)).content.decode()

    assert "Pay by Credit Card (PayPal)" in text
    assert "You are taken to PayPal, sign in there and choose a card." in text
    assert "Each invoice is then charged automatically on the day it is issued." in text
    assert "Paid by Invoice (Paid)" in text
    assert "Paid reviews it; that usually takes one to three business days." in text
    assert "Paid then bills you once a month" in text


def test_the_page_asks_the_same_number_of_queries_whatever_there_was(
    aoba: Organisation,
    root: Client,
    sandbox: Sandbox,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    url = visits.url("plan", aoba)
    root.get(url)

    plans.forget()
    with django_assert_num_queries(14):
        root.get(url)
    for number in range(3):
        method = PaymentMethod.objects.create(
            organisation=aoba,
            gateway="paid",
            environment="local",
            merchant="paid",
            key=f"old-{number}",
            registered_by=visits.root_of(aoba),
            created_at=make.NOW,
            state_at=make.NOW,
        )
        moves.note_new(method, actor="system:test", now=make.NOW)
        moves.move_method(method, MethodState.REJECTED, now=make.NOW)
    plans.forget()
    with django_assert_num_queries(14):
        root.get(url)


def test_the_choice_asks_few_queries(
    aoba: Organisation, root: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    url = visits.url("payment_method_add", aoba)
    root.get(url)

    plans.forget()
    with django_assert_num_queries(7):
        root.get(url)

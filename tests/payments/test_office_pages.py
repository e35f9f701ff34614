"""What holds for every page of money in the back office: no secret, no full payer, few queries."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.models import Organisation, User
from billing.models import Invoice
from core import clock
from gateway_sandbox import Sandbox
from payments.enums import DifferenceKind
from payments.models import (
    Charge,
    Correction,
    Difference,
    Payable,
    PaymentMethod,
    Reconciliation,
    Refund,
    StoredNotice,
    SupportRequest,
)
from payments.services import differences, stops, support
from plans import queries as plans
from tests.make import NOW
from tests.payments import backs, collected, offices
from tests.payments.collected import Customer

pytestmark = pytest.mark.django_db

# Session, user, two of permissions, the count, the rows, and the vendor's zone where instants stand.
LISTS = [
    pytest.param(Payable, 7, id="payables"),
    pytest.param(Charge, 7, id="charges"),
    pytest.param(Refund, 7, id="refunds"),
    pytest.param(Correction, 7, id="corrections"),
    pytest.param(PaymentMethod, 7, id="methods"),
    pytest.param(SupportRequest, 7, id="requests"),
    pytest.param(Difference, 7, id="differences"),
    pytest.param(Reconciliation, 7, id="comparisons"),
    pytest.param(StoredNotice, 8, id="notices"),
    pytest.param(Organisation, 7, id="organisations"),
]


def a_bit_of_everything(sandbox: Sandbox, name: str) -> Customer:
    """Return a customer who has one of each row that the back office shows."""
    owing, charge = collected.paid(sandbox, name=name)
    backs.credit(owing.payable, 2_000)
    support.ask(
        organisation_id=owing.organisation.pk, user_id=owing.root.pk, message="Change", now=NOW
    )
    differences.note(
        DifferenceKind.AMOUNT, charge.capture, charge=charge, detail={"amount": 1}, now=NOW
    )
    StoredNotice.objects.create(
        gateway="paypal",
        event_id=name,
        kind="PAYMENT.CAPTURE.COMPLETED",
        references=[charge.capture],
        body_digest=b"0" * 32,
        state="processed",
        received_at=NOW + timedelta(minutes=1),
        processed_at=NOW,
    )
    Reconciliation.objects.create(
        gateway="paypal",
        environment="local",
        merchant="LOCALMERCHANT",
        since=NOW - timedelta(days=1),
        until=NOW,
        source="api",
        actor="system:reconciliation",
        at=NOW,
    )
    stops.stop(
        scope=stops.of_organisation(owing.organisation.pk),
        reason="Odd answers",
        actor="system:test",
        now=NOW,
    )
    return owing


def boss() -> Client:
    client = offices.AtNow(headers={"accept-language": "en"})
    client.force_login(User.objects.create_superuser("boss@example.com", registered_at=NOW))
    return client


def test_no_page_shows_a_secret_or_a_payers_full_name(sandbox: Sandbox) -> None:
    owing = a_bit_of_everything(sandbox, "Aoba")
    backs.paid_method(owing.organisation, owing.root, sandbox)
    client = boss()

    pages = {url: offices.text(client.get(url)) for url in _every_page()}

    payers = list(PaymentMethod.objects.values_list("payer", flat=True))
    assert len(payers) == 2
    assert all(payers)
    secrets = [*payers, *_secrets()]
    assert len(secrets) == 4
    assert len(pages) > 40
    found = [(url, secret) for url, page in pages.items() for secret in secrets if secret in page]
    # A member registered at Paid is known there by our own key, which is on the page as ours.
    own = set(PaymentMethod.objects.values_list("key", flat=True))
    assert [each for each in found if each[1] not in own] == []


def _every_page() -> list[str]:
    """Return every list, page and form of the back office that has a row."""
    urls = [reverse("admin:index")]
    for model, shown in admin.site._registry.items():
        urls.append(offices.listing(model))
        for row in model._default_manager.all()[:3]:
            urls.append(offices.page(row))
            urls += [offices.act(row, each.name) for each in getattr(shown, "acts", ())]
    return urls


def _secrets() -> list[str]:
    accounts = [settings.PAYPAL, settings.PAID]
    values: list[Any] = [getattr(each, name) for each in accounts for name in _secret_fields(each)]
    return [str(each) for each in values if each]


def _secret_fields(account: object) -> list[str]:
    names = getattr(type(account), "__dataclass_fields__", {})
    return [name for name in names if re.search("secret|auth", name)]


@pytest.mark.parametrize(("model", "statements"), LISTS)
def test_a_list_asks_as_much_of_three_rows_as_of_one(
    model: type[Model],
    statements: int,
    sandbox: Sandbox,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    a_bit_of_everything(sandbox, "Aoba")
    client, _ = offices.staff()
    client.get(offices.listing(model))
    plans.forget()

    with django_assert_num_queries(statements):
        one = client.get(offices.listing(model))

    a_bit_of_everything(sandbox, "Beta")
    a_bit_of_everything(sandbox, "Gamma")
    plans.forget()
    with django_assert_num_queries(statements):
        three = client.get(offices.listing(model))

    assert [each.context["cl"].result_count for each in (one, three)] == [1, 3]


def test_the_overview_asks_as_much_whatever_waits(
    sandbox: Sandbox, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    overview = reverse("admin:payments_chargingstop_changelist")
    a_bit_of_everything(sandbox, "Aoba")
    client, _ = offices.staff()
    client.get(overview)
    plans.forget()

    with django_assert_num_queries(21):
        client.get(overview)

    a_bit_of_everything(sandbox, "Beta")
    a_bit_of_everything(sandbox, "Gamma")
    plans.forget()
    with django_assert_num_queries(21):
        client.get(overview)


def test_a_customers_page_leads_to_their_money_and_says_how_they_stand(sandbox: Sandbox) -> None:
    owing = collected.customer(sandbox)
    client, _ = offices.staff()

    answer = client.get(offices.page(owing.organisation))

    facts = {label: str(value) for label, value in answer.context["facts"]}
    assert (facts["Owed"], facts["Overdue documents"]) == ("¥5,500", "0")
    assert "nothing is stopped" in facts["Charging"]
    for model in (Payable, Charge, Refund, Correction, PaymentMethod, SupportRequest):
        link = offices.listing(model, f"organisation__id__exact={owing.organisation.pk}")
        assert f'href="{link}"' in offices.text(answer)
        assert client.get(link).status_code == 200

    stops.stop(
        scope=stops.of_organisation(owing.organisation.pk),
        reason="Odd answers",
        actor="system:test",
        now=NOW,
    )
    facts = dict(client.get(offices.page(owing.organisation)).context["facts"])
    assert "Odd answers" in str(facts["Charging"])


def test_the_list_of_a_customer_shows_nobody_elses_rows(sandbox: Sandbox) -> None:
    owing = collected.customer(sandbox)
    other = collected.customer(sandbox, name="Beta", email="b@example.com")
    client, _ = offices.staff()

    shown = offices.text(
        client.get(offices.listing(Payable, f"organisation__id__exact={owing.organisation.pk}"))
    )

    assert owing.payable.number in shown
    assert other.payable.number not in shown


@pytest.mark.parametrize("pk", ["0", "nobody", "99999999999999999999"])
def test_a_row_that_is_not_there_is_not_found(pk: str) -> None:
    client = boss()

    for name in ("charge", "payable", "refund", "difference"):
        assert client.get(f"/back-office/payments/{name}/{pk}/change/").status_code == 404


def test_every_page_is_said_in_japanese_too(sandbox: Sandbox) -> None:
    a_bit_of_everything(sandbox, "Aoba")
    client = boss()

    for url in _every_page():
        answer = client.get(url, headers={"accept-language": "ja"})
        assert answer.status_code in {200, 302}, url


def test_staff_without_a_permission_see_no_act_of_it(sandbox: Sandbox) -> None:
    a_bit_of_everything(sandbox, "Aoba")
    client, _ = offices.staff()

    with clock.fixed_at(NOW):
        for model in (Charge, Payable, Refund, PaymentMethod, SupportRequest, Difference, Invoice):
            row = model.objects.latest("pk")
            assert client.get(offices.page(row)).context["acts"] == []
            for each in admin.site._registry[model].acts:  # type: ignore[attr-defined]
                answer = offices.do(client, row, each.name, operation=str(uuid4()), sure="yes")
                assert answer.status_code == 403, each.name

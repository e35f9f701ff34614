"""Payment methods and customers' requests in the back office."""

import pytest
from django.test import Client

from core import clock
from core.models import AuditEntry, Mail, Work
from gateway_sandbox import Sandbox
from payments import jobs
from payments.enums import MethodState
from payments.models import PaymentMethod, SupportRequest
from payments.services import support
from tests.make import NOW
from tests.payments import collected, offices
from tests.payments.collected import Customer

pytestmark = pytest.mark.django_db

MAY, MAY_ANSWER = "change_paymentmethod", "change_supportrequest"


@pytest.fixture
def customer(sandbox: Sandbox) -> Customer:
    return collected.customer(sandbox)


@pytest.fixture
def asked(customer: Customer) -> SupportRequest:
    return support.ask(
        organisation_id=customer.organisation.pk,
        user_id=customer.root.pk,
        message="We want to pay by another card.",
        now=NOW,
    )


def state_of(method: PaymentMethod) -> str:
    return PaymentMethod.objects.get(pk=method.pk).state


def test_the_page_shows_the_end_of_the_payers_name_alone(customer: Customer) -> None:
    client, _ = offices.staff()

    shown = offices.text(client.get(offices.page(customer.method)))

    assert f"…{customer.method.payer[-4:]}" in shown
    assert customer.method.payer not in shown
    assert customer.method.label in shown
    assert "payment_method.activated" in shown


def test_staff_detach_a_method_with_a_reason(customer: Customer) -> None:
    client, user = offices.staff(MAY)

    refused = offices.do(client, customer.method, "detach", reason=" ")
    assert "This field is required." in offices.text(refused)
    assert state_of(customer.method) == MethodState.ACTIVE

    offices.do(client, customer.method, "detach")

    assert state_of(customer.method) == MethodState.DETACHED
    entry = AuditEntry.objects.get(action="payment_method.detached")
    assert (entry.actor, entry.details["reason"]) == (f"user:{user.pk}", offices.ASKED)
    assert "cannot be done any more" in offices.text(offices.do(client, customer.method, "look"))


def test_staff_have_the_provider_asked_how_a_payer_stands(customer: Customer) -> None:
    client, _ = offices.staff(MAY)

    with clock.fixed_at(NOW):
        offices.do(client, customer.method, "look")

    row = Work.objects.get(kind=jobs.LOOK_AT_METHOD.kind)
    assert (row.due_at, row.payload) == (NOW, {"method_id": customer.method.pk})
    assert offices.trail("payment_method.asked_about") == {"reason": offices.ASKED}


@pytest.mark.parametrize("name", ["detach", "look"])
def test_a_forged_form_of_staff_who_may_only_look_changes_no_method(
    customer: Customer, name: str
) -> None:
    client, _ = offices.staff(MAY_ANSWER)

    assert offices.do(client, customer.method, name).status_code == 403
    assert state_of(customer.method) == MethodState.ACTIVE


def test_open_requests_stand_first_and_lead_to_the_method(
    asked: SupportRequest, customer: Customer
) -> None:
    client, _ = offices.staff()

    assert "another card" in offices.text(client.get(offices.listing(SupportRequest, "open=yes")))
    shown = offices.text(client.get(offices.page(asked)))

    assert f'href="{offices.act(customer.method, "detach")}"' in shown
    assert customer.root.email in shown


def test_staff_answer_a_request_in_words_that_are_mailed(
    asked: SupportRequest, customer: Customer
) -> None:
    client, user = offices.staff(MAY_ANSWER)

    empty = client.post(offices.act(asked, "answer"), {"answer": "  "})
    assert "This field is required." in offices.text(empty)
    assert SupportRequest.objects.get().handled_at is None

    client.post(offices.act(asked, "answer"), {"answer": "You may add one now."})

    done = SupportRequest.objects.get()
    assert (done.answer, done.handled_by) == ("You may add one now.", f"user:{user.pk}")
    assert Mail.objects.filter(text__contains="You may add one now.").count() == 1
    assert offices.trail("support_request.answered") == {"answer": "You may add one now."}
    again = client.post(offices.act(asked, "answer"), {"answer": "Once more"}, follow=True)
    assert "cannot be done any more" in offices.text(again)
    assert "another card" not in offices.text(
        client.get(offices.listing(SupportRequest, "open=yes"))
    )


def test_a_forged_answer_of_staff_who_may_only_look_is_refused(asked: SupportRequest) -> None:
    client: Client = offices.staff(MAY)[0]

    answer = client.post(offices.act(asked, "answer"), {"answer": "Go away"})

    assert answer.status_code == 403
    assert SupportRequest.objects.get().handled_at is None

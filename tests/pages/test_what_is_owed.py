"""How each invoice is paid, on the pages that show it, and who is told of it. Rule: B-14, look.md."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.http import HttpResponse
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts import services as accounts
from accounts.enums import Role
from accounts.models import Organisation, User
from core import clock
from gateway_sandbox import Sandbox
from payments.enums import Hold, PayableState
from payments.models import Payable
from payments.services import collecting
from tests import make
from tests.payments import backs, collected, visits

pytestmark = pytest.mark.django_db

LATE = datetime(2026, 12, 8, 1, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with clock.fixed_at(make.NOW):
        yield


@pytest.fixture
def owing() -> Payable:
    """5,500 yen for October that nobody has a method for, due on 15 November."""
    organisation, _ = collected.billed("Aoba")
    return Payable.objects.get(organisation=organisation)


@pytest.fixture
def root(owing: Payable) -> Client:
    return reader(visits.root_of(owing.organisation))


def reader(user: User) -> Client:
    client = visits.client_of(user)
    client.cookies["django_language"] = "en"
    return client


def become_overdue(payable: Payable) -> None:
    collecting.mark_overdue(payable_id=payable.pk, now=LATE)


def of(name: str, payable: Payable) -> str:
    assert payable.invoice is not None
    return visits.url(name, payable.organisation, invoice=str(payable.invoice.public_id))


def body(response: object) -> str:
    """Return what a reader reads, with single blanks."""
    assert isinstance(response, HttpResponse)
    return " ".join(response.getvalue().decode().split())


def listed(client: Client, organisation: Organisation, **query: str) -> list[tuple[str, str]]:
    """Return what the list shows: each number, and how it is paid."""
    rows = client.get(visits.url("invoices", organisation), query).context["rows"]
    return [(row.number, row.told.label if row.told else "") for row in rows]


def test_the_list_opens_with_what_is_owed(root: Client, owing: Payable) -> None:
    page = body(root.get(visits.url("invoices", owing.organisation)))

    assert '<span class="money money--figure">¥5,500</span> open, tax included' in page
    assert "Overdue since" not in page
    assert listed(root, owing.organisation) == [("KC-00000001", "to be paid")]


def test_the_list_tells_of_what_is_overdue_since_when(root: Client, owing: Payable) -> None:
    become_overdue(owing)

    page = body(root.get(visits.url("invoices", owing.organisation)))

    assert "Overdue since 8 December 2026." in page
    assert 'href="?payment=overdue"' in page
    assert listed(root, owing.organisation) == [("KC-00000001", "overdue")]


def test_the_list_opens_with_the_list_once_all_is_paid(sandbox: Sandbox) -> None:
    customer, _ = collected.paid(sandbox)

    page = body(reader(customer.root).get(visits.url("invoices", customer.organisation)))

    assert "open, tax included" not in page


def test_the_list_is_searched_by_how_an_invoice_is_paid(sandbox: Sandbox) -> None:
    customer, _ = collected.paid(sandbox)
    client, organisation = reader(customer.root), customer.organisation
    backs.credit(customer.payable, 1_100)

    paid, note = ("KC-00000001", "paid"), ("KC-CN-00000001", "")
    assert listed(client, organisation) == [note, paid]
    assert listed(client, organisation, payment="paid") == [paid]
    assert listed(client, organisation, payment="open") == []
    assert listed(client, organisation, payment="overdue") == []
    assert listed(client, organisation, payment="paid", gross_from="5500") == [paid]
    assert listed(client, organisation, payment="paid", gross_from="5501") == []
    answer = client.get(visits.url("invoices", organisation), {"payment": "never"})
    assert "Select a valid choice" in body(answer)


def test_open_is_also_what_is_overdue(root: Client, owing: Payable) -> None:
    become_overdue(owing)

    for asked in ("open", "overdue"):
        assert listed(root, owing.organisation, payment=asked) == [("KC-00000001", "overdue")]
    assert listed(root, owing.organisation, payment="paid") == []


def test_a_declined_charge_names_the_day_of_the_next(sandbox: Sandbox) -> None:
    customer = collected.customer(sandbox)
    sandbox.paypal.decline()
    collected.charge(customer.payable)
    client = reader(customer.root)

    page = body(client.get(of("invoice", customer.payable)))

    assert listed(client, customer.organisation) == [
        ("KC-00000001", "declined (next try 23 November 2026)")
    ]
    for said in (
        "23 November 2026: we charge ¥5,500 to PayPal (p•••@example.com).",
        "25 November 2026: if it is declined, we try again.",
        "29 November 2026: if it is declined, we try again.",
        "If the last one is declined too, the invoice is overdue.",
        "Pay now",
    ):
        assert said in page, said


def test_what_paid_bills_is_not_said_to_be_paid(sandbox: Sandbox) -> None:
    charge = collected.paid_by_invoice(sandbox)
    client = reader(visits.root_of(charge.organisation))

    page = body(client.get(of("invoice", charge.payable)))

    assert listed(client, charge.organisation) == [("KC-00000001", "billed by Paid")]
    assert "Paid bills you ¥5,500 with an invoice of its own, to be paid by 31 December 2026." in (
        page
    )
    assert "Receipt" not in page
    assert "Pay now" not in page


def test_what_was_given_back_stands_with_its_day(sandbox: Sandbox) -> None:
    customer, _ = collected.paid(sandbox)
    backs.credit(customer.payable, 1_100)
    backs.tick()

    page = body(reader(customer.root).get(of("invoice", customer.payable)))

    assert "¥5,500 was paid on 22 November 2026 with PayPal (p•••@example.com)." in page
    assert "¥1,100 was given back on 22 November 2026." in page
    assert "Due by" not in page


def test_an_invoice_without_a_method_leads_to_one(root: Client, owing: Payable) -> None:
    page = body(root.get(of("invoice", owing)))

    assert "Register one and it is charged, or pay now, by 15 November 2026." in page
    assert visits.url("payment_method_add", owing.organisation) in page
    assert of("invoice_pay", owing) in page


def test_what_staff_look_into_can_not_be_paid_meanwhile(root: Client, owing: Payable) -> None:
    Payable.objects.update(hold=Hold.DIFFERS)

    page = body(root.get(of("invoice", owing)))

    assert "being checked" in page
    assert "Pay now" not in page


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (PayableState.OPEN, "It is to be paid by 15 November 2026."),
        (PayableState.WRITTEN_OFF, "There is nothing to pay for it."),
    ],
)
def test_the_usage_of_a_final_month_says_how_it_is_paid(
    root: Client, owing: Payable, state: PayableState, said: str
) -> None:
    closed_at = None if state is PayableState.OPEN else make.NOW
    Payable.objects.update(state=state, closed_at=closed_at)

    page = body(root.get(visits.url("usage", owing.organisation), {"date": "2026-10"}))

    assert said in page
    assert of("invoice", owing) in page


def test_a_manager_reads_nothing_of_payments(owing: Payable) -> None:
    become_overdue(owing)
    manager = reader(make.member(owing.organisation, role=Role.MANAGER).user)

    page = body(manager.get(visits.url("usage", owing.organisation), {"date": "2026-10"}))

    assert "This is what the invoice says." in page
    assert "overdue" not in page
    assert "15 November" not in page


@pytest.mark.parametrize("name", ["usage", "plan", "payment_method_add"])
def test_a_root_is_told_on_every_page_that_something_is_overdue(
    root: Client, owing: Payable, name: str
) -> None:
    become_overdue(owing)

    page = body(root.get(visits.url(name, owing.organisation)))

    assert "¥5,500 is overdue since 8 December 2026." in page
    assert f"{visits.url('invoices', owing.organisation)}?payment=overdue" in page


def test_a_part_of_a_page_and_the_list_do_not_say_it_twice(root: Client, owing: Payable) -> None:
    become_overdue(owing)

    part = body(root.get(visits.url("usage", owing.organisation), headers={"HX-Request": "true"}))
    listing = body(root.get(visits.url("invoices", owing.organisation)))

    assert "is overdue since" not in part
    assert "¥5,500 is overdue since" not in listing


def test_who_owns_several_sees_which_of_them_is_late(owing: Payable) -> None:
    become_overdue(owing)
    user = visits.root_of(owing.organisation)
    other = make.organisation(name="Bluebird")
    accounts.register(
        organisation_id=other.pk,
        email=user.email,
        name="",
        role=Role.ROOT,
        actor=make.ACTOR,
        now=make.NOW,
    )

    choices = reader(user).get("/").context["choices"]

    assert {each["name"]: each["is_overdue"] for each in choices} == {
        "Aoba": True,
        "Bluebird": False,
    }


def test_an_invoice_that_is_collected_asks_a_fixed_number_of_statements(
    sandbox: Sandbox, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    customer = collected.customer(sandbox)
    sandbox.paypal.decline()
    client, page = reader(customer.root), of("invoice", customer.payable)
    counts = []
    for day in (0, 1, 3):
        now = make.NOW + timedelta(days=day, minutes=1)
        collected.charge(customer.payable, now=now)
        client.get(page)
        with django_assert_num_queries(14) as asked:
            client.get(page)
        counts.append(len(asked))

    assert counts == [14, 14, 14]

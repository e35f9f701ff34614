"""The list of orders: what each is, how it stands, its documents; and where it waits. Rule: S2-26, S2-28."""

import uuid
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from django.http import HttpResponse
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from billing.models import Invoice
from billing.queries.invoices import number_of
from billing.services import correct
from core import clock
from gateway_sandbox import Sandbox
from ordering.enums import ReviewState
from ordering.models import Review
from ordering.rules.acts import AddLicences, Start, to_json
from spot_orders import services as spot_orders
from spot_orders.models import SpotOrder
from tests import make
from tests.payments import farside, spotted, visits
from tests.payments.spotted import NOW, Buyer

pytestmark = pytest.mark.django_db

DAYS, MINUTES = timedelta(days=1), timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with clock.fixed_at(NOW):
        yield


@pytest.fixture
def buyer(sandbox: Sandbox) -> Buyer:
    who = spotted.buyer()
    spotted.register(who, sandbox)
    return who


def browser(who: Buyer, language: str = "en") -> Client:
    client = visits.client_of(who.root)
    client.cookies["django_language"] = language
    return client


def body(response: object) -> str:
    """Return what a reader reads, with single blanks."""
    assert isinstance(response, HttpResponse)
    return " ".join(response.getvalue().decode().split())


def orders(who: Buyer, **query: str) -> list[tuple[str, str, str, str]]:
    """Return what the list shows: number, amount, state, documents."""
    answer = browser(who).get(visits.url("invoice_orders", who.organisation), query)
    assert answer.status_code == 200
    return [
        (row.number, row.amount, row.badge.label, ", ".join(each.number for each in row.documents))
        for row in answer.context["rows"]
    ]


def saved(who: Buyer, act: Start | AddLicences, *, days_ago: int = 1) -> Review:
    """Store an order of a plan, as saved some days ago."""
    at = NOW - days_ago * DAYS
    return Review.objects.create(
        organisation=who.organisation,
        user=who.root,
        act=to_json(act),
        shown={},
        digest=bytes(32),
        state=ReviewState.SAVED,
        created_at=at - timedelta(minutes=1),
        expires_at=at + timedelta(minutes=29),
        saved_at=at,
        saved_by=who.actor,
    )


def lapsed(who: Buyer, *, days_ago: int) -> SpotOrder:
    placed = spotted.place(who, now=NOW - days_ago * DAYS)
    spot_orders.lapse(order_id=placed.order.pk, actor=make.ACTOR, now=NOW - (days_ago - 1) * DAYS)
    return placed.order


def test_the_list_of_orders_is_empty_with_a_way_on(buyer: Buyer) -> None:
    page = body(browser(buyer).get(visits.url("invoice_orders", buyer.organisation)))

    assert "No order yet" in page
    assert visits.url("order", buyer.organisation) in page


def test_an_order_that_waits_leads_to_its_payment(buyer: Buyer) -> None:
    placed = spotted.place(buyer)

    answer = browser(buyer).get(visits.url("invoice_orders", buyer.organisation))

    (row,) = answer.context["rows"]
    pay = visits.url("order_spot_payment", buyer.organisation, order=str(placed.order.public_id))
    assert (row.number, row.amount, row.badge.label, row.note, row.pay_url) == (
        placed.order.number,
        "¥5,500",
        "awaiting payment",
        "until 23 November 2026, 14:00 JST",
        pay,
    )
    assert f'aria-label="Pay order {placed.order.number}">Pay now</a>' in body(answer)


def test_an_order_that_was_paid_shows_its_invoice(buyer: Buyer) -> None:
    placed = spotted.place(buyer)
    spotted.pay(placed)

    invoice = Invoice.objects.select_related("vendor").get()
    assert orders(buyer) == [(placed.order.number, "¥5,500", "running", "KC-SP-00000001")]
    page = body(browser(buyer).get(visits.url("invoice_orders", buyer.organisation)))
    assert visits.url("invoice", buyer.organisation, invoice=str(invoice.public_id)) in page
    assert "100 accounts more" in page
    assert "22 November to 21 December 2026" in page
    assert number_of(invoice) == "KC-SP-00000001"


def test_an_order_whose_payment_is_being_confirmed_cannot_be_paid_again(
    buyer: Buyer, sandbox: Sandbox
) -> None:
    placed = spotted.place(buyer)
    sandbox.faults.lose_reply("POST /v2/checkout/orders")
    spotted.pay(placed)

    answer = browser(buyer).get(visits.url("invoice_orders", buyer.organisation))

    (row,) = answer.context["rows"]
    assert (row.badge.label, row.pay_url) == ("being confirmed", "")


def test_an_order_past_its_deadline_has_lapsed_by_date(buyer: Buyer) -> None:
    placed = spotted.place(buyer, now=NOW - 2 * DAYS)

    assert orders(buyer) == [(placed.order.number, "¥5,500", "lapsed", "")]
    page = body(browser(buyer).get(visits.url("invoices", buyer.organisation)))
    assert "awaits its payment" not in page


def test_orders_that_came_to_nothing_say_what_became_of_them(buyer: Buyer) -> None:
    gone = lapsed(buyer, days_ago=5)
    given_up = spotted.place(buyer, now=NOW - DAYS)
    spot_orders.cancel(order_id=given_up.order.pk, why="given up", actor=make.ACTOR, now=NOW)

    assert orders(buyer) == [
        (given_up.order.number, "¥5,500", "cancelled", ""),
        (gone.number, "¥5,500", "lapsed", ""),
    ]


def test_an_order_paid_too_late_shows_that_it_is_given_back(buyer: Buyer, sandbox: Sandbox) -> None:
    placed = spotted.place(buyer, months=3)
    sandbox.paypal.pending()
    spotted.pay(placed)
    spotted.shorten(buyer)
    sandbox.paypal.complete(sandbox.ledger.captures[0])
    farside.tick(NOW + 6 * MINUTES, sandbox)
    farside.tick(NOW + 7 * MINUTES, sandbox)

    assert orders(buyer) == [(placed.order.number, "¥16,500", "refunded", "")]


def test_a_spot_order_that_was_given_back_shows_both_documents(buyer: Buyer) -> None:
    placed = spotted.place(buyer)
    spotted.pay(placed)
    invoice = Invoice.objects.get()
    correct.credit(
        organisation_id=invoice.organisation_id,
        invoice_id=invoice.pk,
        gross=1_100,
        reason="A kindness",
        actor=make.ACTOR,
        operation=uuid.uuid4(),
        now=NOW,
    )

    assert orders(buyer)[0][3] == "KC-SP-00000001, KC-CN-00000001"


def test_orders_of_a_plan_stand_among_those_of_spot_contracts(buyer: Buyer) -> None:
    started = saved(buyer, Start("starter", 1, date(2026, 11, 10), 1, renews=False), days_ago=12)
    placed = spotted.place(buyer, now=NOW - 3 * DAYS)
    added = saved(buyer, AddLicences(1), days_ago=1)
    Review.objects.create(
        organisation=buyer.organisation,
        user=buyer.root,
        act=to_json(AddLicences(2)),
        shown={},
        digest=bytes(32),
        created_at=NOW,
        expires_at=NOW + DAYS,
    )

    assert [(each[0], each[1], each[2]) for each in orders(buyer)] == [
        (added.number, "", "ordered"),
        (placed.order.number, "¥5,500", "lapsed"),
        (started.number, "", "ordered"),
    ]
    page = body(browser(buyer).get(visits.url("invoice_orders", buyer.organisation)))
    assert "Add licences" in page
    assert visits.url("order_receipt", buyer.organisation, review=str(added.public_id)) in page


def test_orders_are_found_by_each_condition_and_by_all_together(buyer: Buyer) -> None:
    """A plan of 10 November, spot orders of 12 (lapsed) and 20 November, 33,000 (three months, two steps)."""
    plan = saved(buyer, AddLicences(1), days_ago=12).number
    old = lapsed(buyer, days_ago=10).number
    new = spotted.place(
        buyer, accounts=200, months=3, first_on=date(2026, 12, 10), now=NOW - 2 * DAYS
    ).order.number

    def numbers(**query: str) -> list[str]:
        return [each[0] for each in orders(buyer, **query)]

    assert numbers() == [new, old, plan]
    assert numbers(ordered_from="2026-11-12") == [new, old]
    assert numbers(ordered_to="2026-11-12") == [old, plan]
    assert numbers(ordered_from="2026-11-11", ordered_to="2026-11-19") == [old]
    assert numbers(gross_from="5500") == [new, old]
    assert numbers(gross_from="5501") == [new]
    assert numbers(gross_to="5500") == [old]
    assert numbers(number=old) == [old]
    assert numbers(number=f" {plan.lower()} ") == [plan]
    assert numbers(number="PL-") == [plan]
    assert numbers(number="SP-") == [new, old]
    assert numbers(standing="ended") == [old]
    assert numbers(standing="done") == [plan]
    assert numbers(standing="waiting") == [new]
    assert numbers(ordered_from="2026-11-12", gross_to="6000", number="SP") == [old]
    assert numbers(number="nothing") == []


def test_a_search_for_orders_that_finds_nothing_or_cannot_be_read_says_so(buyer: Buyer) -> None:
    spotted.place(buyer)
    url = visits.url("invoice_orders", buyer.organisation)

    missed = browser(buyer).get(url, {"number": "nothing"})
    unread = browser(buyer).get(url, {"gross_from": "1.5", "ordered_from": "2026-13-01"})
    turned = browser(buyer).get(url, {"ordered_from": "2026-11-02", "ordered_to": "2026-11-01"})

    assert "No order fits" in body(missed)
    assert "This currency has fewer decimals." in body(unread)
    assert "Enter a valid date." in body(unread)
    assert "The end lies before the beginning." in body(turned)
    assert unread.context["rows"] == turned.context["rows"] == []


def test_the_list_of_orders_is_paged_and_keeps_the_search(buyer: Buyer) -> None:
    for each in range(51):
        saved(buyer, AddLicences(1), days_ago=each + 1)

    first = browser(buyer).get(visits.url("invoice_orders", buyer.organisation), {"number": "PL-"})
    second = browser(buyer).get(
        visits.url("invoice_orders", buyer.organisation), {"number": "PL-", "page": "2"}
    )

    assert (len(first.context["rows"]), len(second.context["rows"])) == (50, 1)
    assert "number=PL-&amp;page=2" in body(first)


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_of_orders_asks_the_same_few_statements(
    buyer: Buyer, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for each in range(count):
        placed = spotted.place(buyer)
        spotted.pay(placed)
        saved(buyer, AddLicences(1), days_ago=each + 1)
    client, url = browser(buyer), visits.url("invoice_orders", buyer.organisation)
    client.get(url)

    with django_assert_num_queries(10):
        client.get(url)


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_of_documents_asks_the_same_few_statements_with_spot_invoices(
    buyer: Buyer, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(count):
        spotted.pay(spotted.place(buyer))
    client, url = browser(buyer), visits.url("invoices", buyer.organisation)
    client.get(url)

    with django_assert_num_queries(9):
        client.get(url)


def test_orders_of_another_organisation_are_not_listed(buyer: Buyer) -> None:
    theirs = spotted.buyer("Hokuto")
    spotted.place(theirs)
    saved(theirs, AddLicences(1))

    assert orders(buyer) == []
    assert browser(buyer).get(visits.url("invoice_orders", theirs.organisation)).status_code == 404


def test_a_spot_invoice_of_another_organisation_is_not_there(
    buyer: Buyer, sandbox: Sandbox
) -> None:
    theirs = spotted.buyer("Hokuto")
    spotted.register(theirs, sandbox)
    spotted.pay(spotted.place(theirs))
    invoice = Invoice.objects.get()

    of_ours = visits.url("invoice", buyer.organisation, invoice=str(invoice.public_id))
    for page in (of_ours, f"{of_ours}lines/1/", f"{of_ours}lines.csv", f"{of_ours}pdf"):
        assert browser(buyer).get(page).status_code == 404


def documents(who: Buyer, **query: str) -> list[tuple[str, str, str]]:
    """Return what the list of documents shows: number, order, how it is paid."""
    rows = browser(who).get(visits.url("invoices", who.organisation), query).context["rows"]
    return [
        (row.number, row.order.number if row.order else "", row.told.label if row.told else "")
        for row in rows
    ]


def test_a_spot_invoice_stands_among_the_documents_with_its_order(buyer: Buyer) -> None:
    placed = spotted.place(buyer)
    spotted.pay(placed)
    invoice = Invoice.objects.get()
    correct.credit(
        organisation_id=invoice.organisation_id,
        invoice_id=invoice.pk,
        gross=1_100,
        reason="A kindness",
        actor=make.ACTOR,
        operation=uuid.uuid4(),
        now=NOW,
    )
    again = spotted.place(buyer)
    spotted.pay(again)
    both = [
        ("KC-CN-00000001", placed.order.number, ""),
        ("KC-SP-00000001", placed.order.number, "paid"),
    ]

    assert documents(buyer) == [("KC-SP-00000002", again.order.number, "paid"), *both]
    assert documents(buyer, number=placed.order.number.lower()) == both
    assert documents(buyer, number="SP-1") == [both[1]]
    assert documents(buyer, number="KC-CN-1") == [both[0]]
    assert documents(buyer, number="SP-000000-AAAAAA") == []


def test_the_list_of_documents_opens_with_an_order_that_waits(buyer: Buyer) -> None:
    placed = spotted.place(buyer)

    page = body(browser(buyer).get(visits.url("invoices", buyer.organisation)))

    assert (
        f"Order {placed.order.number} over ¥5,500 awaits its payment until 23 November 2026, 14:00 JST."
        in page
    )
    assert (
        visits.url("order_spot_payment", buyer.organisation, order=str(placed.order.public_id))
        in page
    )


def test_a_spot_invoice_opens_with_what_it_is_for(buyer: Buyer) -> None:
    placed = spotted.place(buyer)
    spotted.pay(placed)
    invoice = Invoice.objects.get()

    page = body(
        browser(buyer).get(
            visits.url("invoice", buyer.organisation, invoice=str(invoice.public_id))
        )
    )

    order = visits.url("order_spot_order", buyer.organisation, order=str(placed.order.public_id))
    assert "Invoice KC-SP-00000001" in page
    assert (
        "for the spot contract of 22 November 2026 – 21 December 2026,"
        f' <a href="{order}">order {placed.order.number}</a>' in page
    )
    assert "issued on 22 November 2026" in page
    assert "Due by" not in page
    assert "¥5,500 was paid on 22 November 2026 with PayPal" in page
    assert "Monthly fee ¥5,000 × 1" in page


def test_a_line_of_a_spot_invoice_tells_how_it_was_computed(buyer: Buyer) -> None:
    placed = spotted.place(buyer, accounts=200, months=3)
    spotted.pay(placed)
    invoice = Invoice.objects.get()

    page = body(
        browser(buyer).get(
            visits.url("invoice", buyer.organisation, invoice=str(invoice.public_id)) + "lines/1/"
        )
    )

    order = visits.url("order_spot_order", buyer.organisation, order=str(placed.order.public_id))
    for part in (
        "Prices of Starter, version 1",
        "¥5,000</th>",
        "× 2</td>",
        "+200</td>",
        "× 3</td>",
        "¥30,000",
        "From 22 November 2026 until the end of 21 February 2027.",
        f'<a href="{order}">order {placed.order.number}</a>',
        "The prices were fixed when the order was placed",
    ):
        assert part in page


def test_a_credit_note_of_a_spot_invoice_names_order_and_period(buyer: Buyer) -> None:
    placed = spotted.place(buyer)
    spotted.pay(placed)
    invoice = Invoice.objects.get()
    note = correct.credit(
        organisation_id=invoice.organisation_id,
        invoice_id=invoice.pk,
        gross=None,
        reason="A kindness",
        actor=make.ACTOR,
        operation=uuid.uuid4(),
        now=NOW,
    )

    page = body(
        browser(buyer).get(visits.url("invoice", buyer.organisation, invoice=str(note.public_id)))
    )

    assert "for the spot contract of 22 November 2026 – 21 December 2026" in page
    assert f">order {placed.order.number}</a>" in page
    assert "for November 2026" not in page


def test_the_usage_page_of_the_month_knows_nothing_of_a_spot_invoice(buyer: Buyer) -> None:
    spotted.pay(spotted.place(buyer))

    page = body(browser(buyer).get(visits.url("usage", buyer.organisation)))

    assert "KC-SP" not in page
    assert "Spot contract" not in page

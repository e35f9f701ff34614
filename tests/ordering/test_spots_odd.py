"""Spot orders at odd instants, of odd names, abroad, and under contracts that change. Rule: S2-06…S2-28."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from accounts import services as accounts
from accounts.models import Organisation
from billing.models import Invoice
from core import clock
from core.models import Mail
from gateway_sandbox import Sandbox
from plans import queries as plans
from seats.queries import timeline
from seats.queries.capacity import allowed_at
from spot_orders import services as spot_orders
from spot_orders.models import SpotOrder
from tests import make
from tests.ordering import customers
from tests.ordering.customers import local
from tests.ordering.spotting import NOW, kobo, renew
from tests.ordering.test_spots import (
    asked,
    browser,
    page_of,
    payment_of,
    placed,
    sandbox,
    shown,
    words,
)
from tests.payments import collected
from tests.payments.visits import path_of, url

__all__ = ["sandbox"]

pytestmark = pytest.mark.django_db

TICK = timedelta(microseconds=1)
NASTY = '=HYPERLINK("http://x")<script>alert(1)</script>&"\' {{7*7}}'


@pytest.fixture(autouse=True)
def _today() -> Iterator[None]:
    with clock.fixed_at(NOW):
        yield


def paid(client: Client, organisation: Organisation, **typed: str) -> SpotOrder:
    order = placed(client, organisation, **typed)
    client.post(payment_of(order), shown(order))
    order.refresh_from_db()
    assert order.state == "paid"
    return order


def told(organisation: Organisation, at: datetime) -> int | None:
    """Return how many accounts the vendor's product is told of."""
    _, presented = accounts.create_api_key(label="product", actor=make.ACTOR, now=NOW)
    with clock.fixed_at(at):
        answer = Client().get(
            f"/api/v1/organisations/{organisation.reference}/entitlements",
            headers={"Authorization": f"Bearer {presented}"},
        )
    allowed: int | None = answer.json()["accounts"]["allowed"]
    return allowed


def test_the_last_second_of_a_day_still_starts_on_it(sandbox: Sandbox) -> None:
    """Rule: S2-28: a start that passes meanwhile is not moved."""
    organisation = kobo(sandbox)
    client = browser(organisation)
    with clock.fixed_at(local(1, 16) - timedelta(seconds=1)):
        order = placed(client, organisation, first_on="2026-01-15")
    sandbox.set_time(local(1, 16))
    with clock.fixed_at(local(1, 16)):
        answer = client.post(payment_of(order), shown(order), follow=True)
        late = client.post(url("order_spot", organisation), asked(first_on="2026-01-15"))

    assert "Procedure Completed" in words(answer)
    assert "15 January to 14 February 2026" in words(answer)
    ends = local(2, 15)
    assert [allowed_at(organisation, each) for each in (ends - TICK, ends)] == [200, 100]
    assert late.status_code == 400


@pytest.mark.parametrize(
    ("first_on", "last"),
    [
        ("2026-01-29", "28 February 2026"),
        ("2026-01-30", "28 February 2026"),
        ("2026-01-31", "28 February 2026"),
        ("2026-12-01", "31 December 2026"),
        ("2026-12-02", "1 January 2027"),
    ],
)
def test_a_month_ends_by_the_calendar_and_with_the_main_contract(first_on: str, last: str) -> None:
    """Rule: domain.md 3.2, S2-06: the main contract's last day is 1 January 2027."""
    organisation = kobo()
    client = browser(organisation)

    order = placed(client, organisation, first_on=first_on)
    beyond = client.post(url("order_spot", organisation), asked(first_on="2026-12-03"))

    assert f"until the end of {last}" in words(client.get(payment_of(order)))
    assert beyond.status_code == 400


def test_an_order_costs_what_it_was_placed_at(sandbox: Sandbox) -> None:
    """Rule: S2-07: the catalogue changes while the payment page is open."""
    organisation = kobo(sandbox)
    client = browser(organisation)
    order = placed(client, organisation)
    make.plan_version("pro", number=2, prices={"JPY": 9_000})
    plans.forget()

    client.post(payment_of(order), shown(order))

    assert Invoice.objects.get(payable__spot_order=order).gross == 5_500
    assert [each.amount for each in sandbox.ledger.captures] == [5_500]


def test_one_amount_stands_on_every_screen_document_and_letter(sandbox: Sandbox) -> None:
    """Rule: domain.md 3.3: 12,100 yen, of which 1,100 tax, as the provider has captured it."""
    organisation = kobo(sandbox, months=1)
    renew(organisation, make.plan_version("pro", number=2, prices={"JPY": 6_000}))
    client = browser(organisation)
    wish = {"accounts": "100", "first_on": "2026-01-16", "months": "2"}
    pages = [client.get(url("order_spot", organisation), wish)]
    order = placed(client, organisation, **wish)
    pages += [client.get(payment_of(order)), client.get(url("invoice_orders", organisation))]

    pages.append(client.post(payment_of(order), shown(order), follow=True))

    invoice = Invoice.objects.get(payable__spot_order=order)
    document = url("invoice", organisation, invoice=str(invoice.public_id))
    pages += [client.get(document), client.get(f"{document}receipt/")]
    for page in pages:
        assert "¥12,100" in words(page)
    assert (invoice.net, invoice.tax, invoice.gross) == (11_000, 1_100, 12_100)
    assert [each.amount for each in sandbox.ledger.captures] == [12_100]
    letters = Mail.objects.filter(text__contains=order.number)
    assert letters.count() == 2
    for letter in letters:
        assert "12,100円" in letter.text
        for link in re.findall(r"http://localhost:8000(/\S+)", letter.text):
            assert client.get(link).status_code == 200


def test_what_was_approved_for_an_order_that_was_replaced_is_not_taken(sandbox: Sandbox) -> None:
    """Rule: F20, F54: two tabs at PayPal, both approved; whoever signed out comes back to sign in."""
    organisation = kobo(sandbox)
    client = browser(organisation)
    way = {"way": "paypal", "attempts": "0"}
    first = placed(client, organisation)
    away = client.post(payment_of(first), way | {"amount": "5500"}).headers["Location"]
    back_of_first = path_of(sandbox.paypal.approve(away))
    second = placed(client, organisation, months="2")
    away = client.post(payment_of(second), way | {"amount": "11000"}).headers["Location"]
    back_of_second = path_of(sandbox.paypal.approve(away))

    left = client.get(back_of_first, follow=True)
    outside = Client().get(back_of_second)
    done = client.get(back_of_second, follow=True)

    assert "so nothing was charged for it" in words(left)
    assert "Another order took its place" in words(left)
    assert outside.headers["Location"].startswith("/account/")
    assert "Procedure Completed" in words(done)
    for again in (back_of_first, back_of_second, back_of_first):
        client.get(again, follow=True)
    assert [each.amount for each in sandbox.ledger.captures] == [11_000]
    states = dict(SpotOrder.objects.values_list("number", "state"))
    assert states == {first.number: "cancelled", second.number: "paid"}


def test_every_reader_of_capacity_says_the_same(sandbox: Sandbox) -> None:
    """Contracts that overlap, one cut short, and who leaves the vendor. Rule: S2-08, domain.md 3.5."""
    organisation = kobo(sandbox)
    client = browser(organisation)
    first = paid(client, organisation, first_on="2026-02-01", months="2")
    paid(client, organisation, first_on="2026-02-10")
    paid(client, organisation, first_on="2026-01-15")
    spot_orders.cut(order_id=first.pk, on=date(2026, 3, 1), reason="-", actor=make.ACTOR, now=NOW)
    Organisation.objects.filter(pk=organisation.pk).update(closed_on=date(2026, 7, 1))
    organisation.refresh_from_db()

    expected = {
        local(2, 1): (200, 300),
        local(2, 10): (300, 400),
        local(2, 15): (400, 300),
        local(3, 1): (300, 200),
        local(3, 10): (200, 100),
    }
    for at, before_and_after in expected.items():
        for reads in (allowed_at, told):
            assert (reads(organisation, at - TICK), reads(organisation, at)) == before_and_after
    drawn = {each.first_on: each.allowed for each in timeline.shown(organisation, now=NOW).segments}
    assert {day: allowed for day, allowed in drawn.items() if date(2026, 2, 1) <= day} == {
        date(2026, 2, 1): 300,
        date(2026, 2, 10): 400,
        date(2026, 2, 15): 300,
        date(2026, 3, 1): 200,
        date(2026, 3, 10): 100,
        date(2026, 7, 1): 1,
    }


def test_dollars_abroad_and_a_day_of_23_hours(sandbox: Sandbox) -> None:
    """Rule: domain.md 3.6, B-07: on 29 March clocks go forward in Berlin; no consumption tax is due."""
    make.vendor(time_zone="Europe/Berlin")
    make.plan_version("free", prices={"JPY": 0, "USD": 0}, accounts_per_step=10, is_free=True)
    pro = make.plan_version("pro", prices={"JPY": 5_000, "USD": 5_000})
    plans.forget()
    organisation = make.organisation(
        name="Hefe GmbH", country="DE", currency="USD", customer_since=date(2026, 1, 1)
    )
    make.member(organisation, email="root@hefe.example")
    make.main_contract(organisation, pro, date(2026, 1, 2), months=12, now=local(1, 2, 12))
    collected.paypal_method(organisation, customers.root_of(organisation), sandbox)
    client = browser(organisation)
    form = asked(first_on="2026-03-29")

    answer = client.post(
        url("order_spot", organisation),
        {name: said for name, said in form.items() if name not in {"terms", "agrees"}},
    )
    order = SpotOrder.objects.get()
    page = words(client.get(answer.headers["Location"]))
    client.post(payment_of(order), shown(order))

    assert "$50.00" in page
    assert "Consumption tax (outside its scope)" in page
    assert "from 00:00 on 29 March 2026 until the end of 28 April 2026 (Europe/Berlin)" in page
    assert (order.gross, order.tax) == (5_000, 0)
    assert [(each.amount, each.currency) for each in sandbox.ledger.captures] == [(5_000, "USD")]
    berlin = ZoneInfo("Europe/Berlin")
    begins = datetime(2026, 3, 29, tzinfo=berlin).astimezone(UTC)
    ends = datetime(2026, 4, 29, tzinfo=berlin).astimezone(UTC)
    instants = (begins - TICK, begins, ends - TICK, ends)
    assert [allowed_at(organisation, each) for each in instants] == [100, 200, 200, 100]


def test_a_name_is_text_wherever_it_stands(sandbox: Sandbox) -> None:
    """Rule: F74: neither a page nor a document runs or loads what a name says."""
    organisation = kobo(sandbox)
    Organisation.objects.filter(pk=organisation.pk).update(name=NASTY, billing_name=NASTY)
    client = browser(organisation)

    order = paid(client, organisation)
    quote = client.get(
        url("order_spot_quote", organisation),
        {"accounts": "100", "first_on": "2026-02-01", "months": "1"},
    )

    invoice = Invoice.objects.get(payable__spot_order=order)
    names = ["order", "order_spot", "order_spot_cover", "contract", "invoices", "invoice_orders"]
    pages = [url(each, organisation) for each in [*names, "accounts", "accounts_leaving"]]
    pages += [page_of(order), url("invoice", organisation, invoice=str(invoice.public_id))]
    for page in pages:
        assert b"<script>alert" not in client.get(page).content
    assert quote.content.startswith(b"%PDF-")
    assert "<script>alert" not in "".join(Mail.objects.values_list("html", flat=True))


@pytest.mark.parametrize(
    "query",
    [
        {"accounts": "100", "first_on": "0001-01-01", "months": "1"},
        {"accounts": "100", "first_on": "9999-12-31", "months": "12"},
        {"accounts": "1" * 400, "first_on": "2026-02-01", "months": "1"},
        {"accounts": "\0", "first_on": "\0", "months": "\0", "q": "\0", "page": "\0"},
        {"q": "%_\\'\"", "page": "-1"},
        {"page": "9" * 30},
        {"people": "40", "first_on": "2026-04-10", "last_on": "2026-04-09"},
        {"people": "40", "first_on": "0001-01-01", "last_on": "9999-12-31"},
        {"people": "100000", "first_on": "2026-04-10", "last_on": "2026-12-31"},
        {"people": "9" * 30, "first_on": "2026-04-10", "last_on": "2026-12-31"},
        {"allowed": "10000000", "from_on": "9999-12-31"},
    ],
)
def test_no_address_breaks_a_page(query: dict[str, str]) -> None:
    """Rule: F55."""
    organisation = kobo()
    client = browser(organisation)

    for name in (
        "order_spot",
        "order_spot_quote",
        "order_spot_cover",
        "accounts_leaving",
        "accounts",
    ):
        assert client.get(url(name, organisation), query).status_code < 500
    for name in ("invoices", "invoice_orders", "contract"):
        assert client.get(url(name, organisation), query).status_code < 500


def test_a_name_that_no_font_writes_is_told() -> None:
    """Rule: F74: a document with boxes for letters is none."""
    organisation = kobo()
    Organisation.objects.filter(pk=organisation.pk).update(billing_name="ᚠᛇᚻ 🦑")
    client = browser(organisation)
    wish = {"accounts": "100", "first_on": "2026-02-01", "months": "1"}

    answer = client.get(url("order_spot_quote", organisation), wish)

    assert answer.status_code == 302
    page = words(client.get(answer.headers["Location"]))
    assert "The quotation could not be written: your billing name" in page

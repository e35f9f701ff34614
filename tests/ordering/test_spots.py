"""Add Spot: settings, payment, completion, and all that is refused. Rule: S2-21…S2-28, F54, F55."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlencode
from uuid import uuid4

import hypothesis
import pytest
from django.core.cache import caches
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.enums import Role
from accounts.models import Organisation
from billing.models import Invoice
from core import clock
from gateway_sandbox import Sandbox
from ordering.views import spot_quote
from payments.gateways import registry
from payments.models import Charge, Payable
from payments.services import charges, spots
from plans import queries as plans
from plans.enums import Category, TaxCategory
from plans.models import Plan, VendorVersion
from plans.rules import timeline
from plans.services import contracts
from spot_orders.models import SpotOrder
from tests import make
from tests.ordering import customers
from tests.ordering.customers import local
from tests.ordering.spotting import NOW, kobo, renew
from tests.payments import collected, owing
from tests.payments.conftest import use
from tests.payments.visits import client_of, path_of, url, work_until_done

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse

Answer: TypeAlias = "_MonkeyPatchedWSGIResponse"

pytestmark = pytest.mark.django_db

QUERIES_OF_SETTINGS = 33
QUERIES_OF_PAYMENT = 18
QUERIES_OF_ORDER = 10


@pytest.fixture
def sandbox(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox() as running:
        running.set_time(NOW)
        use(running, settings, monkeypatch)
        yield running
    registry.forget()


@pytest.fixture(autouse=True)
def _today() -> Iterator[None]:
    with clock.fixed_at(NOW):
        yield


def browser(organisation: Organisation, language: str = "en") -> Client:
    client = client_of(customers.root_of(organisation))
    client.cookies["django_language"] = language
    return client


def words(answer: Answer) -> str:
    return " ".join(answer.content.decode().partition("<main")[2].split())


def asked(**typed: str) -> dict[str, str]:
    """What the form sends for 100 accounts from 1 February for a month, ticked."""
    return {
        "accounts": "100",
        "first_on": "2026-02-01",
        "months": "1",
        "agrees": "on",
        "terms": "3",
        "operation": str(uuid4()),
    } | typed


def placed(client: Client, organisation: Organisation, **typed: str) -> SpotOrder:
    """Send the settings; return the order, whose payment is shown."""
    answer = client.post(url("order_spot", organisation), asked(**typed))
    assert answer.status_code == 302, words(answer)
    order = SpotOrder.objects.latest("pk")
    assert answer.headers["Location"] == payment_of(order)
    return order


def payment_of(order: SpotOrder) -> str:
    return url("order_spot_payment", order.organisation, order=str(order.public_id))


def page_of(order: SpotOrder) -> str:
    return url("order_spot_order", order.organisation, order=str(order.public_id))


def shown(order: SpotOrder, **changes: str) -> dict[str, str]:
    """What the payment form sends when it is opened first."""
    method = order.organisation.payment_methods.get(state="active")
    return {
        "way": "method",
        "amount": str(order.gross),
        "attempts": "0",
        "method": str(method.public_id),
    } | changes


def test_a_spot_order_is_placed_paid_and_complete(sandbox: Sandbox) -> None:
    """Rule: S2-14, S2-21…S2-28: 100 accounts for a month are 5,500 yen, 500 of it tax."""
    organisation = kobo(sandbox)
    client = browser(organisation)

    settings = client.get(url("order_spot", organisation))
    assert "Add Spot" in words(settings)
    order = placed(client, organisation)
    assert (order.net, order.tax, order.gross) == (5_000, 500, 5_500)
    assert (order.first_on, order.end_on) == (date(2026, 2, 1), date(2026, 3, 1))
    assert order.terms is not None
    assert order.terms.number == 3

    page = words(client.get(payment_of(order)))
    for said in ("5,500", "28 February 2026", order.number, "Kamome Connect Inc.", "lapses"):
        assert said in page

    answer = client.post(payment_of(order), shown(order), follow=True)

    assert answer.redirect_chain[-1][0] == page_of(order)
    assert "Procedure Completed" in words(answer)
    order.refresh_from_db()
    assert order.state == "paid"
    invoice = Invoice.objects.get(payable__spot_order=order)
    assert f"Invoice KC-SP-{invoice.number:08d}" in words(answer)
    assert [row.amount for row in sandbox.ledger.captures if row.is_in] == [5_500]


# --- Settings ---


def preview(organisation: Organisation, **query: str) -> str:
    return words(browser(organisation).get(url("order_spot", organisation), query))


def test_settings_open_with_one_step_today_for_a_month() -> None:
    """Rule: S2-22: the price is computed on the server, tax included first."""
    page = preview(kobo())

    assert '<option value="100" selected>100</option>' in page
    assert 'value="2026-01-15"' in page
    assert "¥5,500" in page
    assert "¥5,000 × 1 step × 1 month + tax ¥500" in page
    assert "14 February 2026" in page
    assert "15 January to 14 February 2026: you may have 200 accounts." in page
    assert "From 15 February 2026 on 100 accounts are allowed." in page
    assert "Accounts in use now: 1 of 100." in page


def test_settings_in_the_address_are_shown_again() -> None:
    page = preview(kobo(), accounts="200", first_on="2026-02-01", months="3")

    assert '<option value="200" selected>' in page
    assert "¥33,000" in page
    assert "¥5,000 × 2 steps × 3 months + tax ¥3,000" in page
    assert "30 April 2026" in page


def test_months_at_different_prices_are_shown_one_by_one() -> None:
    """Rule: domain.md 3.3: Starter 100, renewed at 6,600 from month 2: 12,100 yen."""
    organisation = kobo(months=1)
    dearer = make.plan_version("pro", number=2, prices={"JPY": 6_000})
    renew(organisation, dearer)

    page = preview(organisation, accounts="100", first_on="2026-01-16", months="2")

    assert "¥12,100" in page
    assert "¥5,000 × 1 step × 1 month" in page
    assert "¥6,000 × 1 step × 1 month" in page


def test_only_lengths_that_fit_are_offered() -> None:
    """Rule: S2-06: the contract ends on 1 January 2027."""
    page = preview(kobo(), first_on="2026-11-01")

    months = page.partition('<select name="months"')[2].partition("</select>")[0]
    assert months.count("<option") == 2


def test_without_scripts_the_settings_come_back_at_an_address() -> None:
    organisation = kobo()

    answer = browser(organisation).post(
        url("order_spot", organisation), asked(update="1", months="2")
    )

    assert answer.status_code == 302
    assert answer.headers["Location"] == (
        f"{url('order_spot', organisation)}?accounts=100&first_on=2026-02-01&months=2"
    )
    assert not SpotOrder.objects.exists()


def test_a_part_holds_the_preview_and_the_lengths_that_fit_the_new_day() -> None:
    organisation = kobo()

    answer = browser(organisation).get(
        url("order_spot", organisation),
        {"accounts": "100", "first_on": "2026-11-01", "months": "1"},
        headers={"HX-Request": "true", "HX-Trigger-Name": "first_on"},
    )

    part = answer.content.decode()
    assert "<html" not in part
    assert 'hx-swap-oob="true"' in part
    assert part.count("<option") == 2


# --- What is refused ---


def refused(organisation: Organisation, sentence: str, status: int = 400, /, **typed: str) -> str:
    """Send settings that are refused in words; nothing was ordered by that."""
    answer = browser(organisation).post(url("order_spot", organisation), asked(**typed))
    page = words(answer)
    assert sentence in page
    assert answer.status_code == status
    assert not SpotOrder.objects.exists()
    assert not Payable.objects.filter(kind="spot_order").exists()
    return page


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        pytest.param({"first_on": "2026-01-14"}, "This day is over.", id="yesterday"),
        pytest.param({"first_on": "2020-02-30"}, "Write a day as", id="no day"),
        pytest.param({"first_on": "9999-12-31"}, "Your paid plan ends on", id="the end of time"),
        pytest.param({"first_on": "0001-01-01"}, "This day is over.", id="the beginning of time"),
        pytest.param({"first_on": ""}, "Choose the first day.", id="no start"),
        pytest.param({"months": "0"}, "Choose 1 to 12 whole months.", id="no month"),
        pytest.param({"months": "-1"}, "Choose 1 to 12 whole months.", id="a month back"),
        pytest.param({"months": "1.5"}, "Choose 1 to 12 whole months.", id="a month and a half"),
        pytest.param({"months": "13"}, "Choose 1 to 12 whole months.", id="13 months"),
        pytest.param({"months": "１"}, "Choose 1 to 12 whole months.", id="full width"),
        pytest.param({"months": "12"}, "at most 11 months fit", id="beyond the contract"),
        pytest.param({"accounts": "0"}, "Choose one of the numbers", id="no accounts"),
        pytest.param({"accounts": "-100"}, "Choose one of the numbers", id="fewer accounts"),
        pytest.param({"accounts": "150"}, "Choose one of the numbers", id="half a step"),
        pytest.param({"accounts": "1000000000"}, "Choose one of the numbers", id="a billion"),
        pytest.param({"accounts": "1e2"}, "Choose one of the numbers", id="another notation"),
        pytest.param({"price": "1"}, "This form was changed on its way", id="a price"),
        pytest.param({"gross": "1"}, "This form was changed on its way", id="a total"),
        pytest.param(
            {"organisation_id": "1"}, "This form was changed on its way", id="another's id"
        ),
        pytest.param({"plan": "pro"}, "This form was changed on its way", id="a plan"),
        pytest.param({"agrees": ""}, "Read the Terms of Use and tick", id="no tick"),
        pytest.param({"terms": "2"}, "There is a new version of the Terms of Use", id="old terms"),
        pytest.param({"terms": ""}, "Read the Terms of Use and tick", id="no terms"),
        pytest.param({"operation": ""}, "This form is not complete.", id="no key"),
        pytest.param({"operation": "x"}, "This form is not complete.", id="no such key"),
    ],
)
def test_what_a_form_may_not_say_is_refused(typed: dict[str, str], sentence: str) -> None:
    """Rule: S2-04…S2-07, S2-22, S2-23, F55."""
    refused(kobo(), sentence, 400, **typed)


def test_beyond_the_end_is_refused_with_the_way_to_renew() -> None:
    """Rule: S2-13, S2-18 (pattern 03-2): without renewal, 1 February for a month ends too late."""
    organisation = kobo(months=1)

    page = refused(organisation, "Your paid plan ends on 1 February 2026", 409)

    assert "Not one whole month fits until then." in page
    assert f'href="{url("order_renew", organisation)}"' in page


def test_a_renewal_lets_it_run_on() -> None:
    """Rule: S2-13 (pattern 03-2): the same order, once the next term is ordered."""
    organisation = kobo(months=1)
    renew(organisation, customers.version("pro"))

    order = placed(browser(organisation), organisation)

    assert order.gross == 5_500


def test_before_the_paid_plan_is_refused_with_its_first_day() -> None:
    """Rule: S2-12, S2-17 (pattern 03-1)."""
    organisation = kobo(first_on=date(2026, 2, 1))

    page = refused(organisation, "Your paid plan begins on 1 February 2026", first_on="2026-01-31")
    assert "?first_on=2026-02-01" in page
    placed(browser(organisation), organisation, first_on="2026-02-01")


def test_on_the_free_plan_nothing_is_offered() -> None:
    """Rule: S2-12."""
    organisation = customers.kobo("free")

    page = words(browser(organisation).get(url("order_spot", organisation)))
    refused(organisation, "Accounts are added to a paid plan", 409)

    assert "Accounts are added to a paid plan, and you have none." in page
    assert f'href="{url("order_start", organisation)}"' in page
    assert "Go to Payment Procedures" not in page


def test_without_a_payment_method_registration_comes_first() -> None:
    """Rule: S1-24, S2-25."""
    organisation = kobo(has_method=False)

    page = refused(
        organisation, "You have no active payment method: add one first.", 409, months="3"
    )

    # Nothing typed is lost: it can be quoted.
    assert '<option value="3" selected>' in page
    assert "¥16,500" in page
    assert f'href="{url("payment_method_add", organisation)}"' in page


def test_while_overdue_nothing_is_added() -> None:
    """Rule: B-14."""
    organisation = kobo()
    organisation.customer_since = date(2025, 12, 1)
    owing.owed(organisation, overdue_at=NOW)

    page = refused(organisation, "An invoice is overdue.", 409)

    assert f'href="{url("invoices", organisation)}"' in page


def test_who_leaves_the_vendor_adds_nothing_beyond_that_day() -> None:
    organisation = kobo()
    Organisation.objects.filter(pk=organisation.pk).update(closed_on=date(2026, 2, 20))

    refused(organisation, "Your contract with us ends on 19 February 2026", first_on="2026-02-01")


def test_off_the_vendors_switch_it_stays_within_a_term() -> None:
    """Rule: S2-13: `spot_may_span_renewal` off is the strict reading."""
    organisation = kobo(months=1)
    renew(organisation, customers.version("pro"))
    vendor = VendorVersion.objects.get()
    vendor.pk, vendor.number, vendor.spot_may_span_renewal = None, 2, False
    vendor.save()
    plans.forget()

    page = refused(
        organisation,
        "The term in which it would start ends on 1 February 2026",
        first_on="2026-01-20",
    )

    assert "Renew now" not in page


# --- One form, one order ---


def test_the_same_form_sent_twice_is_one_order() -> None:
    """Rule: R3, F54."""
    organisation = kobo()
    client, form = browser(organisation), asked()

    first = client.post(url("order_spot", organisation), form)
    second = client.post(url("order_spot", organisation), form)

    assert first.headers["Location"] == second.headers["Location"]
    assert SpotOrder.objects.count() == 1
    assert Payable.objects.filter(kind="spot_order").count() == 1


def test_the_same_form_leads_to_its_order_when_nothing_more_is_possible() -> None:
    """Rule: R3: the answer to the first one was lost, and an invoice has become overdue since."""
    organisation = kobo()
    client, form = browser(organisation), asked()
    client.post(url("order_spot", organisation), form)
    owing.owed(organisation, overdue_at=NOW)

    answer = client.post(url("order_spot", organisation), form)
    page = words(client.get(answer.headers["Location"], follow=True))

    assert answer.headers["Location"] == page_of(SpotOrder.objects.get())
    assert "An invoice is overdue. Pay that first" in page
    assert "Order and pay" not in page


def test_the_same_form_with_other_values_is_refused_with_what_it_placed() -> None:
    """Rule: R3: the form that is shown then is another one."""
    organisation = kobo()
    client, form = browser(organisation), asked()
    client.post(url("order_spot", organisation), form)
    order = SpotOrder.objects.get()

    answer = client.post(url("order_spot", organisation), form | {"months": "2"})

    assert answer.status_code == 409
    assert f"This form was sent before with other values, and placed order {order.number}" in words(
        answer
    )
    assert page_of(order) in words(answer)
    assert form["operation"] not in words(answer)
    assert SpotOrder.objects.count() == 1


def test_another_form_takes_an_unpaid_orders_place() -> None:
    """Two tabs: one order that can be paid."""
    organisation = kobo()
    client = browser(organisation)
    first = placed(client, organisation)

    second = placed(client, organisation, months="2")

    first.refresh_from_db()
    assert (first.state, first.closed_why, first.replaced_by) == ("cancelled", "replaced", second)
    assert Payable.objects.get(spot_order=first).state == "void"
    page = words(client.get(page_of(first)))
    assert "Another order took its place" in page
    assert page_of(second) in page


def test_what_is_refused_leaves_an_unpaid_order_as_it_is() -> None:
    organisation = kobo()
    client = browser(organisation)
    first = placed(client, organisation)

    client.post(url("order_spot", organisation), asked(first_on="2026-01-14"))

    first.refresh_from_db()
    assert first.state == "placed"


# --- Payment and completion ---


def test_the_payment_page_says_what_a_final_order_screen_has_to() -> None:
    """Rule: S2-24, japan.md (order screens)."""
    organisation = kobo()
    client = browser(organisation)
    order = placed(client, organisation, accounts="200", months="3")

    page = words(client.get(payment_of(order)))

    for said in (
        "33,000",
        "tax included",
        "200 accounts more",
        "1 February to 30 April 2026 (3 months)",
        "¥5,000 × 2 steps × 3 months",
        "¥3,000",
        "from 00:00 on 1 February 2026",
        "at once, when you press the button below",
        "16 January 2026, 12:00 JST",
        "it cannot be cancelled or shortened",
        "Kamome Connect Inc.",
        "version 3, agreed to on 15 January 2026",
        "PayPal (k•••@example.com)",
        "https://support.example.com/",
    ):
        assert said in page


def test_paying_twice_is_one_charge(sandbox: Sandbox) -> None:
    """Rule: R3, F54: a double click, back, and another tab."""
    organisation = kobo(sandbox)
    client = browser(organisation)
    order = placed(client, organisation)
    form = shown(order)

    client.post(payment_of(order), form)
    again = client.post(payment_of(order), form, follow=True)
    reloaded = client.get(payment_of(order), follow=True)

    for answer in (again, reloaded):
        assert answer.redirect_chain[-1][0] == page_of(order)
        assert "Procedure Completed" in words(answer)
    assert [row.amount for row in sandbox.ledger.captures if row.is_in] == [5_500]
    assert Charge.objects.count() == 1


def test_a_declined_payment_comes_back_to_the_kept_order(sandbox: Sandbox) -> None:
    """Rule: S2-25: the failure says why, and the next try succeeds."""
    organisation = kobo(sandbox)
    client = browser(organisation)
    order = placed(client, organisation)
    sandbox.paypal.decline()

    answer = client.post(payment_of(order), shown(order), follow=True)

    assert answer.redirect_chain[-1][0] == payment_of(order)
    assert "PayPal declined the payment. Nothing was charged, and the order is kept." in words(
        answer
    )
    order.refresh_from_db()
    assert order.state == "placed"

    sandbox.paypal.accept()
    answer = client.post(payment_of(order), shown(order, attempts="1"), follow=True)

    assert "Procedure Completed" in words(answer)


def test_another_method_pays_once_at_paypal(sandbox: Sandbox) -> None:
    """Rule: S2-25: the redirect for this one order."""
    organisation = kobo(sandbox)
    client = browser(organisation)
    order = placed(client, organisation)

    away = client.post(payment_of(order), {"way": "paypal", "amount": "5500", "attempts": "0"})
    assert away.status_code == 303
    back = sandbox.paypal.approve(away.headers["Location"], email="other@example.com")
    answer = client.get(path_of(back), follow=True)

    assert answer.redirect_chain[-1][0] == page_of(order)
    assert "Procedure Completed" in words(answer)
    assert [row.amount for row in sandbox.ledger.captures if row.is_in] == [5_500]


def test_a_payment_under_way_is_asked_after_until_it_is_settled(sandbox: Sandbox) -> None:
    """Rule: S2-28: nothing is added, and nothing more can be paid, while the money is on its way."""
    organisation = kobo(sandbox)
    client = browser(organisation)
    order = placed(client, organisation)
    sandbox.paypal.pending()
    page = words(client.post(payment_of(order), shown(order), follow=True))

    assert "PayPal is still processing the payment." in page
    assert 'hx-trigger="every 3s"' in page
    assert "Order and pay" not in page
    assert "Give this order up" not in page
    part = {"HX-Request": "true"}
    assert 'hx-trigger="every 3s"' in client.get(payment_of(order), headers=part).content.decode()
    again = client.post(url("order_spot", organisation), asked(months="2"))
    assert again.status_code == 409
    assert f"Order {order.number} is being paid, or was paid a moment ago." in words(again)
    give_up = url("order_spot_give_up", organisation, order=str(order.public_id))
    assert "is under way, so it was not given up" in words(client.post(give_up, follow=True))

    sandbox.paypal.complete(sandbox.ledger.captures[0].id)
    charges.look(charge_id=Charge.objects.get().pk, now=NOW + timedelta(minutes=1))
    spots.serve(payable_id=Payable.objects.get().pk, now=NOW + timedelta(minutes=1))

    told = client.get(payment_of(order), headers=part)
    assert told.headers["HX-Redirect"] == page_of(order)
    assert "Procedure Completed" in words(client.get(page_of(order)))


def test_what_can_be_served_no_more_is_given_back_and_told(sandbox: Sandbox) -> None:
    """Rule: R10, F56: the contract was cancelled while the money was on its way."""
    organisation = kobo(sandbox)
    client = browser(organisation)
    order = placed(client, organisation)
    sandbox.paypal.pending()
    client.post(payment_of(order), shown(order))
    Organisation.objects.filter(pk=organisation.pk).update(closed_on=date(2026, 2, 10))
    sandbox.paypal.complete(sandbox.ledger.captures[0].id)
    later = NOW + timedelta(minutes=1)
    charges.look(charge_id=Charge.objects.get().pk, now=later)
    spots.serve(payable_id=Payable.objects.get().pk, now=later)
    with clock.fixed_at(later):
        work_until_done()
        page = words(client.get(payment_of(order), follow=True))

    assert "It was paid when it could not be provided any more" in page
    assert "¥5,500 was given back on 15 January 2026." in page
    assert "Order again with these values" in page
    order.refresh_from_db()
    assert order.state == "refunded"


@hypothesis.settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
@given(
    accounts=st.one_of(st.just("100"), st.text(max_size=8), st.integers().map(str)),
    first_on=st.one_of(st.just("2026-02-01"), st.text(max_size=12), st.dates().map(str)),
    months=st.one_of(st.just("1"), st.text(max_size=4), st.integers(-2, 40).map(str)),
    more=st.dictionaries(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), st.just("1")
    ),
)
def test_whatever_a_form_says_it_is_refused_or_an_order_by_the_rules(
    db: None, accounts: str, first_on: str, months: str, more: dict[str, str]
) -> None:
    """Rule: F55: price, period and number are always the server's."""
    organisation = Organisation.objects.filter(name="こうぼ工房").first() or kobo()
    before = SpotOrder.objects.count()
    form = more | asked(accounts=accounts, first_on=first_on, months=months)

    answer = browser(organisation).post(url("order_spot", organisation), form)

    assert answer.status_code in {302, 400}
    if answer.status_code == 302:
        order = SpotOrder.objects.latest("pk")
        assert order.accounts % 100 == 0
        assert order.gross == 5_500 * order.accounts // 100 * order.months
        assert date(2026, 1, 15) <= order.first_on < order.end_on <= date(2027, 1, 2)
    else:
        assert SpotOrder.objects.count() == before


def test_a_decline_that_comes_later_has_the_page_loaded_again(sandbox: Sandbox) -> None:
    organisation = kobo(sandbox)
    client = browser(organisation)
    order = placed(client, organisation)

    answer = client.get(payment_of(order), headers={"HX-Request": "true"})

    assert answer.headers["HX-Refresh"] == "true"


def test_paid_takes_an_order_over(sandbox: Sandbox) -> None:
    """Rule: S2-25, B-13: what Paid has accepted is as good as paid, and has no receipt of ours."""
    organisation = kobo(has_method=False)
    collected.paid_method(organisation, customers.root_of(organisation), sandbox)
    client = browser(organisation)
    order = placed(client, organisation)

    offered = words(client.get(payment_of(order)))
    answer = client.post(payment_of(order), shown(order), follow=True)

    assert "Order, to be billed by Paid" in offered
    assert "Paid takes the order over and bills you" in offered
    assert "Procedure Completed" in words(answer)
    assert "Invoice KC-SP-" in words(answer)
    assert ">Receipt<" not in words(answer)
    order.refresh_from_db()
    assert order.state == "paid"


def test_nobody_pays_for_what_the_contract_covers_no_more(sandbox: Sandbox) -> None:
    """Rule: F56: the contract was cut while the order waited."""
    organisation = kobo(sandbox)
    client = browser(organisation)
    order = placed(client, organisation)
    form = shown(order)
    Organisation.objects.filter(pk=organisation.pk).update(closed_on=date(2026, 2, 10))

    page = words(client.post(payment_of(order), form, follow=True))

    assert "Your contract with us ends before this order would." in page
    assert "Order and pay" not in page
    assert sandbox.ledger.captures == []


def test_nobody_pays_for_accounts_that_are_not_limited_any_more(sandbox: Sandbox) -> None:
    """Rule: F56: the plan was changed while the order waited; paid, it would add nothing."""
    organisation = kobo(sandbox)
    client = browser(organisation)
    order = placed(client, organisation)
    endless = make.plan_version("endless", prices={"JPY": 50_000}, accounts_per_step=None)
    before = plans.timeline(organisation, now=NOW)
    terms = plans.terms([endless.pk], "JPY")[endless.pk]
    contracts.store(
        organisation_id=organisation.pk,
        before=before,
        after=timeline.change(before, terms, NOW),
        action="plan.changed",
        details={},
        actor=make.ACTOR,
        now=NOW,
    )

    client.post(payment_of(order), shown(order))
    page = words(client.get(payment_of(order)))

    assert "Your plan does not limit the number of accounts any more" in page
    assert "Order and pay" not in page
    assert sandbox.ledger.captures == []


def test_a_visit_that_is_broken_off_keeps_the_order(sandbox: Sandbox) -> None:
    organisation = kobo(sandbox)
    client = browser(organisation)
    order = placed(client, organisation)
    away = client.post(payment_of(order), {"way": "paypal", "amount": "5500", "attempts": "0"})

    answer = client.get(path_of(sandbox.paypal.cancel(away.headers["Location"])), follow=True)

    assert answer.redirect_chain[-1][0] == payment_of(order)
    assert "You broke off the payment. Nothing was charged." in words(answer)
    assert "Order and pay" in words(answer)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"amount": "1"}, id="another amount"),
        pytest.param({"attempts": "7"}, id="other attempts"),
        pytest.param({"method": "00000000-0000-4000-8000-000000000001"}, id="another method"),
        pytest.param({"amount": "x"}, id="no amount"),
        pytest.param({"way": "paid"}, id="a way that is not offered"),
        pytest.param({"way": "nobody"}, id="a way that there is not"),
    ],
)
def test_a_forged_payment_charges_nothing(sandbox: Sandbox, changes: dict[str, str]) -> None:
    """Rule: F51, F55."""
    organisation = kobo(sandbox)
    client = browser(organisation)
    order = placed(client, organisation)

    answer = client.post(payment_of(order), shown(order, **changes), follow=True)

    assert answer.status_code == 200
    assert answer.redirect_chain[-1][0] == payment_of(order)
    assert sandbox.ledger.captures == []
    order.refresh_from_db()
    assert order.state == "placed"


def test_an_unpaid_order_is_given_up(sandbox: Sandbox) -> None:
    organisation = kobo(sandbox)
    client = browser(organisation)
    order = placed(client, organisation)
    form, give_up = (
        shown(order),
        url("order_spot_give_up", organisation, order=str(order.public_id)),
    )

    page = words(client.post(give_up, follow=True))
    again = client.post(give_up, follow=True)
    late = client.post(payment_of(order), form, follow=True)

    assert "The order was given up. Nothing is owed for it." in page
    assert "Order again with these values" in page
    assert "This order was settled before" in words(again)
    assert late.redirect_chain[-1][0] == page_of(order)
    assert sandbox.ledger.captures == []


def test_a_lapsed_order_says_so_and_how_to_order_again() -> None:
    """Rule: S2-28."""
    organisation = kobo()
    client = browser(organisation)
    order = placed(client, organisation)
    late = NOW + timedelta(hours=24)
    with clock.fixed_at(late):
        client = browser(organisation)
        waiting = words(client.get(payment_of(order)))
        spots.lapse(order_id=order.pk, now=late)
        lapsed = client.get(payment_of(order), follow=True)

    assert "The order has lapsed, and nothing is owed for it." in waiting
    assert "Order and pay" not in waiting
    assert "It was not paid within 24 hours and has lapsed." in words(lapsed)
    assert "accounts=100&amp;first_on=2026-02-01&amp;months=1" in words(lapsed)


def test_an_order_page_leads_to_the_payment_while_it_waits() -> None:
    """A skipped step leads back to the one that is due. Rule: F54."""
    organisation = kobo()
    client = browser(organisation)
    order = placed(client, organisation)

    assert client.get(page_of(order)).headers["Location"] == payment_of(order)


@pytest.mark.parametrize("name", ["order_spot_order", "order_spot_payment", "order_spot_give_up"])
def test_anothers_order_does_not_exist(name: str) -> None:
    """Rule: F54, F55."""
    organisation = kobo()
    order = placed(browser(organisation), organisation)
    other = make.organisation(name="Hokuto Sensors")
    client = client_of(make.member(other).user)
    ids = {"order": str(order.public_id)}

    ask = client.post if name == "order_spot_give_up" else client.get

    assert ask(url(name, other, **ids), shown(order)).status_code == 404
    assert ask(url(name, organisation, **ids), shown(order)).status_code == 404
    order.refresh_from_db()
    assert order.state == "placed"


@pytest.mark.parametrize("role", [Role.MANAGER, Role.MEMBER])
def test_only_a_root_orders(role: Role) -> None:
    organisation = kobo()
    client = client_of(make.member(organisation, role=role).user)

    assert client.get(url("order_spot", organisation)).status_code == 403
    assert client.post(url("order_spot", organisation), asked()).status_code == 403
    assert client.get(url("order_spot_cover", organisation)).status_code == 403
    assert client.get(url("order_spot_quote", organisation)).status_code == 403
    assert not SpotOrder.objects.exists()


# --- Lists, quote, cover ---


def test_contract_details_list_spot_contracts_with_their_states(sandbox: Sandbox) -> None:
    organisation = kobo(sandbox)
    client = browser(organisation)
    order = placed(client, organisation, first_on="2026-01-15")
    client.post(payment_of(order), shown(order))
    coming = placed(client, organisation)

    page = words(client.get(url("contract", organisation)))

    assert order.number in page
    assert "running" in page
    assert coming.number in page
    assert "awaiting payment" in page
    with clock.fixed_at(local(2, 15)):
        assert ">over<" in words(browser(organisation).get(url("contract", organisation)))


def test_a_quote_is_a_pdf_of_the_settings() -> None:
    organisation = kobo()
    client = browser(organisation)

    good = client.get(
        url("order_spot_quote", organisation),
        {"accounts": "100", "first_on": "2026-02-01", "months": "1"},
    )
    bad = client.get(url("order_spot_quote", organisation), {"accounts": "150"})

    assert good.headers["Content-Type"] == "application/pdf"
    assert good.content.startswith(b"%PDF-")
    assert bad.headers["Location"] == f"{url('order_spot', organisation)}?accounts=150"


@pytest.mark.parametrize("is_overdue", [False, True])
def test_a_quote_is_had_before_anything_can_be_ordered(is_overdue: bool) -> None:
    """Rule: S2-22: it is what money is asked for with, in house; S1-24, B-14 are about orders."""
    organisation = kobo(has_method=is_overdue)
    if is_overdue:
        organisation.customer_since = date(2025, 12, 1)
        owing.owed(organisation, overdue_at=NOW)
    client = browser(organisation)
    wish = {"accounts": "100", "first_on": "2026-02-01", "months": "1"}
    here = f"{url('order_spot_quote', organisation)}?{urlencode(wish)}"

    page = words(client.get(url("order_spot", organisation), wish))
    menu = words(client.get(url("order", organisation)))
    answer = client.get(here)

    assert "This cannot be ordered now" in page
    assert "¥5,500" in page
    assert f'href="{here.replace("&", "&amp;")}"' in page
    assert "Go to Payment Procedures" not in page
    assert f'<a href="{url("order_spot", organisation)}">Prices and quotation</a>' in menu
    assert answer.headers["Content-Type"] == "application/pdf"


def test_on_the_free_plan_there_is_nothing_to_quote() -> None:
    """Rule: S2-12."""
    organisation = customers.kobo("free")
    client = browser(organisation)
    wish = {"accounts": "100", "first_on": "2026-02-01", "months": "1"}

    answer = client.get(url("order_spot_quote", organisation), wish)
    menu = words(client.get(url("order", organisation)))

    assert answer.status_code == 302
    assert "Prices and quotation" not in menu


def test_a_flood_of_quotes_is_refused_in_words() -> None:
    organisation = kobo()
    client = browser(organisation)
    wish = {"accounts": "100", "first_on": "2026-02-01", "months": "1"}
    account = customers.root_of(organisation).pk
    minute = int(NOW.timestamp()) // 60
    caches["default"].set(f"quotations:{account}:{minute}", spot_quote.MOST_A_MINUTE, 120)

    answer = client.get(url("order_spot_quote", organisation), wish)
    with clock.fixed_at(NOW + timedelta(minutes=1)):
        later = client.get(url("order_spot_quote", organisation), wish)

    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "60"
    assert "more than 10 quotations within a minute" in words(answer)
    assert url("order_spot", organisation) in words(answer)
    assert later.status_code == 200


def test_the_cheapest_cover_is_one_click_from_its_first_order() -> None:
    organisation = kobo()

    page = words(
        browser(organisation).get(
            url("order_spot_cover", organisation),
            {"people": "40", "first_on": "2026-04-10", "last_on": "2026-06-25"},
        )
    )

    assert "10 April to 9 July 2026" in page
    assert "¥16,500" in page
    assert "accounts=100&amp;first_on=2026-04-10&amp;months=3" in page
    assert "¥49,500" in page
    assert "Spot orders cost ¥33,000 less than adding licences." in page


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"people": "0"}, "At least 1."),
        ({"people": "x"}, "Write a whole number."),
        ({"last_on": "2026-04-09"}, "The last day is before the first one."),
        ({"last_on": "9999-12-31"}, "Your paid plan ends on"),
        ({"first_on": "2026-01-14"}, "This day is over."),
    ],
)
def test_a_cover_that_cannot_be_is_told(typed: dict[str, str], sentence: str) -> None:
    organisation = kobo()
    asks = {"people": "40", "first_on": "2026-04-10", "last_on": "2026-06-25"} | typed

    assert sentence in words(browser(organisation).get(url("order_spot_cover", organisation), asks))


# --- What running spot contracts carry ---


def test_a_plan_may_change_while_a_spot_contract_carries_its_people(sandbox: Sandbox) -> None:
    """Rule: S1-25, S2-10: who is carried until the spot ends is no reason to refuse."""
    organisation = kobo(sandbox)
    client = browser(organisation)
    for number in range(11):
        make.member(organisation, role=Role.MEMBER, email=f"a{number}@kobo.example")
    change = url("plan_change", organisation, category="licence")
    without = client.post(change, {"plan": "basic"}, follow=True)
    order = placed(client, organisation, first_on="2026-01-15")
    client.post(payment_of(order), shown(order))

    carried = client.post(change, {"plan": "basic"}, follow=True)

    assert "12 accounts are in use" in words(without)
    assert carried.status_code == 200
    assert "accounts are in use, and from" not in words(carried)


def test_settings_and_payment_ask_as_often_whatever_there_was(
    django_assert_num_queries: DjangoAssertNumQueries, sandbox: Sandbox
) -> None:
    organisation = kobo(sandbox)
    client = browser(organisation)
    order = placed(client, organisation)

    def asks(path: str, number: int) -> None:
        client.get(path)  # what pages remember for some seconds is read by then
        with django_assert_num_queries(number):
            client.get(path)

    asks(url("order_spot", organisation), QUERIES_OF_SETTINGS)
    asks(payment_of(order), QUERIES_OF_PAYMENT)
    client.post(payment_of(order), shown(order))
    for _ in range(3):
        order = placed(client, organisation)
        client.post(payment_of(order), shown(order))
    asks(url("order_spot", organisation), QUERIES_OF_SETTINGS)
    asks(page_of(order), QUERIES_OF_ORDER)


def test_a_cover_of_two_taxes_is_told() -> None:
    """Rule: B-06: one order bears one tax; from the renewal on the plan bears another."""
    organisation = kobo(months=1)
    Plan.objects.create(
        code="paper",
        category=Category.LICENCE,
        name_ja="紙面",
        name_en="Paper",
        tax_category=TaxCategory.REDUCED,
        position=9,
    )
    make.plan_version("paper", prices={"JPY": 4_000})
    renew(organisation, customers.version("paper"))

    answer = browser(organisation).get(
        url("order_spot_cover", organisation),
        {"people": "40", "first_on": "2026-01-20", "last_on": "2026-03-19"},
    )

    assert answer.status_code == 200
    assert "The tax changes within this period." in words(answer)

"""Paid Plan Order: what a root orders about a main contract, and what is refused. Rule: S2-12…S2-16."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.enums import Role
from accounts.models import Organisation
from core import clock
from core.models import AuditEntry
from ordering.models import Review
from payments.enums import MethodState
from plans.models import MainContract, PlanVersion, Selection
from tests import make
from tests.ordering import customers
from tests.ordering.customers import local
from tests.payments import owing
from tests.payments.visits import client_of, url

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse

Answer: TypeAlias = "_MonkeyPatchedWSGIResponse"

pytestmark = pytest.mark.django_db

NOW = local(1, 31, 12)
PAGES = (
    "order",
    "order_start",
    "order_licences",
    "order_renew",
    "order_renewal",
    "order_withdraw",
    "order_return",
    "contract",
    "contract_ics",
)
FORMS = PAGES[1:7]
QUERIES_OF_MENU = 22
START = {"plan": "pro", "steps": "2", "first_on": "2026-01-31", "months": "1"}


@pytest.fixture(autouse=True)
def _today() -> Iterator[None]:
    with clock.fixed_at(NOW):
        yield


@pytest.fixture
def kobo() -> Organisation:
    return customers.kobo("free")


def browser(organisation: Organisation) -> Client:
    client = client_of(customers.root_of(organisation))
    client.cookies["django_language"] = "en"
    return client


def ask(organisation: Organisation, page: str, **typed: str) -> Answer:
    """Send a form of an order; nothing is saved by that."""
    return browser(organisation).post(url(page, organisation), typed)


def order(organisation: Organisation, page: str, **typed: str) -> Answer:
    """Send a form of an order and save its review; return the receipt."""
    client = browser(organisation)
    asked = client.post(url(page, organisation), typed)
    assert asked.status_code == 302, words(asked)
    saved = client.post(asked.headers["Location"])
    assert saved.status_code == 302, words(saved)
    assert saved.headers["Location"].endswith("/receipt/")
    return client.get(saved.headers["Location"])


def words(answer: Answer) -> str:
    return " ".join(answer.content.decode().partition("<main")[2].split())


def terms(organisation: Organisation) -> list[tuple[Any, ...]]:
    return list(
        MainContract.objects.filter(organisation=organisation, withdrawn_at=None)
        .order_by("first_on")
        .values_list("first_on", "end_on", "months", "renews")
    )


def licence(organisation: Organisation) -> list[tuple[Any, ...]]:
    return list(
        Selection.objects.filter(organisation=organisation, category="licence")
        .order_by("from_at")
        .values_list("plan_version__plan__code", "steps", "from_at", "until_at")
    )


def refused(organisation: Organisation, page: str, sentence: str, **typed: str) -> str:
    """Send a form that is refused in words; return the page. Nothing has changed by it."""
    before = (terms(organisation), licence(organisation), Review.objects.count())
    entries = AuditEntry.objects.count()

    answer = ask(organisation, page, **typed)

    assert answer.status_code == 400
    assert sentence in words(answer)
    assert (terms(organisation), licence(organisation), Review.objects.count()) == before
    assert AuditEntry.objects.count() == entries
    return words(answer)


def overdue(organisation: Organisation) -> None:
    owing.owed(organisation, due_on=date(2026, 1, 20), overdue_at=NOW)


# --- Starting ---


def test_a_plan_started_today_is_in_force_at_once_and_the_free_plan_follows(
    kobo: Organisation,
) -> None:
    """Rule: S2-12, domain.md 3.2: one month from 31 January ends with 28 February."""
    receipt = order(kobo, "order_start", **START)

    assert terms(kobo) == [(date(2026, 1, 31), date(2026, 3, 1), 1, False)]
    assert licence(kobo) == [
        ("free", 1, local(1, 1), NOW),
        ("pro", 2, NOW, local(3, 1)),
        ("free", 1, local(3, 1), None),
    ]
    assert "Start a paid plan" in words(receipt)
    entry = AuditEntry.objects.get(action="order.start")
    assert entry.chain == kobo.pk
    assert entry.details["act"]["plan"] == "pro"


def test_a_plan_can_start_on_a_later_day_and_renew_by_itself(kobo: Organisation) -> None:
    order(kobo, "order_start", **START | {"first_on": "2026-02-10", "months": "12", "renews": "on"})

    assert terms(kobo) == [(date(2026, 2, 10), date(2027, 2, 10), 12, True)]
    assert licence(kobo)[:2] == [
        ("free", 1, local(1, 1), local(2, 10)),
        ("pro", 2, local(2, 10), local(2, 10, year=2027)),
    ]


def test_a_form_that_is_only_asked_changes_nothing(kobo: Organisation) -> None:
    answer = ask(kobo, "order_start", **START)

    assert answer.status_code == 302
    assert terms(kobo) == []
    assert Review.objects.get().act == {
        "act": "start",
        "plan": "pro",
        "steps": 2,
        "first_on": "2026-01-31",
        "months": 1,
        "renews": False,
    }


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        pytest.param({"plan": ""}, "Choose a plan.", id="no plan"),
        pytest.param({"plan": "free"}, "This plan is not on sale in your currency", id="free"),
        pytest.param({"plan": "gold"}, "This plan is not on sale in your currency", id="support"),
        pytest.param({"plan": "../7"}, "This plan is not on sale in your currency", id="forged"),
        pytest.param({"steps": ""}, "Say how many.", id="no steps"),
        pytest.param({"steps": "0"}, "At least 1.", id="none"),
        pytest.param({"steps": "-3"}, "At least 1.", id="negative"),
        pytest.param({"steps": "1.5"}, "Write a whole number.", id="a fraction"),
        pytest.param({"steps": "1001"}, "At most 1000 at a time.", id="too many steps"),
        pytest.param({"months": "2"}, "Choose 1 month or 12 months.", id="two months"),
        pytest.param({"months": ""}, "Choose how long.", id="no length"),
        pytest.param({"first_on": ""}, "Choose the first day.", id="no day"),
        pytest.param({"first_on": "2026-02-30"}, "Write a day as 2026-12-31.", id="no such day"),
        pytest.param({"first_on": "2026-01-30"}, "This day is over.", id="yesterday"),
        pytest.param({"first_on": "2026-05-02"}, "within the next 3 months", id="too late"),
    ],
)
def test_what_cannot_start_is_refused_at_its_field(
    kobo: Organisation, typed: dict[str, str], sentence: str
) -> None:
    page = refused(kobo, "order_start", sentence, **START | typed)

    assert 'aria-invalid="true"' in page or "plan" in typed
    assert 'role="alert"' in page


def test_a_plan_may_start_three_months_ahead_and_no_day_later(kobo: Organisation) -> None:
    """From 31 January, three months lead to 1 May."""
    assert ask(kobo, "order_start", **START | {"first_on": "2026-05-01"}).status_code == 302


def test_the_first_day_is_counted_in_the_billing_time_zone(kobo: Organisation) -> None:
    """At 15:30 UTC of 30 January it is the 31st in Tokyo."""
    with clock.fixed_at(local(1, 31, 0, 30)):
        assert ask(kobo, "order_start", **START).status_code == 302
        refused(kobo, "order_start", "This day is over.", **START | {"first_on": "2026-01-30"})


def test_a_second_contract_is_refused_while_one_runs_or_is_to_begin(kobo: Organisation) -> None:
    order(kobo, "order_start", **START | {"first_on": "2026-02-10"})

    refused(kobo, "order_start", "You have a main contract already.", **START)


def test_without_a_payment_method_nothing_starts() -> None:
    """Rule: S1-24."""
    org = customers.kobo("free", has_method=False)

    page = refused(org, "order_start", "You have no active payment method: add one first.", **START)

    assert url("payment_method_add", org) in page


def test_a_registration_under_review_counts_as_none() -> None:
    """Rule: S1-24."""
    org = customers.kobo("free", has_method=False)
    customers.method(org, MethodState.UNDER_REVIEW, "paid")

    refused(org, "order_start", "Paid still reviews your registration.", **START)


def test_while_overdue_nothing_starts(kobo: Organisation) -> None:
    """Rule: B-14."""
    overdue(kobo)

    page = refused(kobo, "order_start", "An invoice is overdue.", **START)

    assert url("invoices", kobo) in page


def test_of_a_closed_organisation_nothing_starts(kobo: Organisation) -> None:
    Organisation.objects.filter(pk=kobo.pk).update(closed_on=date(2026, 1, 31))

    refused(kobo, "order_start", "Your contract has ended, so nothing can be ordered.", **START)


def test_a_plan_with_too_few_accounts_is_refused_with_the_number() -> None:
    org = customers.kobo("free")
    for _ in range(6):
        make.member(org)

    page = refused(
        org, "order_start", "7 accounts are in use", **START | {"plan": "basic", "steps": "1"}
    )

    assert "on 5 would be allowed" in page
    assert url("accounts", org) in page
    assert ask(org, "order_start", **START | {"plan": "basic", "steps": "2"}).status_code == 302


def test_without_a_free_plan_to_return_to_nothing_starts(kobo: Organisation) -> None:
    PlanVersion.objects.filter(plan__code="free").update(on_sale_until=date(2026, 1, 31))

    refused(kobo, "order_start", "There is no free plan in your currency", **START)


def test_a_plan_taken_off_sale_between_form_and_save_is_not_sold(kobo: Organisation) -> None:
    asked = ask(kobo, "order_start", **START)
    PlanVersion.objects.filter(plan__code="pro").update(on_sale_until=date(2026, 1, 31))

    saved = browser(kobo).post(asked.headers["Location"])

    assert saved.status_code == 409
    assert "This plan is not on sale in your currency today." in words(saved)
    assert terms(kobo) == []


# --- Adding, renewing, ending ---


@pytest.fixture
def running(kobo: Organisation) -> Organisation:
    """A customer in a one-month contract from 31 January: Pro, two steps, not renewed."""
    order(kobo, "order_start", **START)
    return kobo


def test_licences_are_added_at_once_and_the_end_stays(running: Organisation) -> None:
    """Rule: S2-16."""
    with clock.fixed_at(local(2, 10, 9)):
        order(running, "order_licences", steps="3")

    assert terms(running) == [(date(2026, 1, 31), date(2026, 3, 1), 1, False)]
    assert licence(running)[1:] == [
        ("pro", 2, NOW, local(2, 10, 9)),
        ("pro", 5, local(2, 10, 9), local(3, 1)),
        ("free", 1, local(3, 1), None),
    ]


@pytest.mark.parametrize("steps", ["", "0", "-1", "1.5", "many", "1001"])
def test_licences_that_are_no_number_are_refused(running: Organisation, steps: str) -> None:
    refused(running, "order_licences", "Steps to add", steps=steps)


def test_licences_are_added_to_a_contract_only(kobo: Organisation) -> None:
    refused(
        kobo,
        "order_licences",
        "You have no main contract yet: start a paid plan first.",
        steps="1",
    )


def test_licences_are_not_added_before_the_contract_begins(kobo: Organisation) -> None:
    order(kobo, "order_start", **START | {"first_on": "2026-02-10"})

    refused(kobo, "order_licences", "Your main contract begins on 10 February 2026.", steps="1")


def test_licences_are_not_added_while_overdue(running: Organisation) -> None:
    """Rule: B-14."""
    overdue(running)

    refused(running, "order_licences", "An invoice is overdue.", steps="1")


def test_a_renewal_begins_the_day_after_and_counts_from_the_first_start(
    running: Organisation,
) -> None:
    """Rule: S2-13, domain.md 3.2: 31 January, then 1 March, and it ends with 30 March."""
    order(running, "order_renew", plan="basic", steps="4", months="1")

    assert terms(running) == [
        (date(2026, 1, 31), date(2026, 3, 1), 1, False),
        (date(2026, 3, 1), date(2026, 3, 31), 1, False),
    ]
    assert licence(running)[1:] == [
        ("pro", 2, NOW, local(3, 1)),
        ("basic", 4, local(3, 1), local(3, 31)),
        ("free", 1, local(3, 31), None),
    ]
    refused(
        running,
        "order_renew",
        "The next term is ordered already.",
        plan="pro",
        steps="1",
        months="1",
    )


def test_a_renewal_takes_the_version_on_sale(running: Organisation) -> None:
    PlanVersion.objects.filter(plan__code="pro").update(on_sale_until=date(2026, 2, 5))
    make.plan_version("pro", number=2, prices={"JPY": 6_000}, on_sale_from=date(2026, 2, 5))

    with clock.fixed_at(local(2, 10)):
        order(running, "order_renew", plan="pro", steps="2", months="12")

    rows = Selection.objects.filter(organisation=running, plan_version__plan__code="pro")
    found = rows.order_by("from_at").values_list("plan_version__number", "from_at", "until_at")
    assert list(found) == [
        (1, NOW, local(3, 1)),
        (2, local(3, 1), local(3, 1, year=2027)),
    ]


def test_nothing_is_renewed_without_a_contract(kobo: Organisation) -> None:
    refused(
        kobo,
        "order_renew",
        "You have no main contract yet",
        plan="pro",
        steps="1",
        months="1",
    )


def test_a_renewal_with_too_few_accounts_asks_to_confirm(running: Organisation) -> None:
    for _ in range(6):
        make.member(running)
    smaller = {"plan": "basic", "steps": "1", "months": "1"}

    page = refused(running, "order_renew", "7 accounts are in use", **smaller)
    assert "I know that 2 accounts have to be given up by 28 February 2026" in page

    order(running, "order_renew", **smaller, is_confirmed="on")
    assert len(terms(running)) == 2


def test_a_renewal_is_withdrawn_before_it_begins(running: Organisation) -> None:
    order(running, "order_renew", plan="pro", steps="2", months="1")

    order(running, "order_withdraw")

    assert terms(running) == [(date(2026, 1, 31), date(2026, 3, 1), 1, False)]
    assert licence(running)[-1] == ("free", 1, local(3, 1), None)
    withdrawn = MainContract.objects.exclude(withdrawn_at=None).get()
    assert (withdrawn.first_on, withdrawn.withdrawn_at) == (date(2026, 3, 1), NOW)
    assert withdrawn.withdrawn_by == f"user:{customers.root_of(running).pk}"
    refused(running, "order_withdraw", "No renewal is ordered that could be withdrawn.")


def test_a_contract_ordered_ahead_is_withdrawn_before_it_begins(kobo: Organisation) -> None:
    before = licence(kobo)
    order(kobo, "order_start", **START | {"first_on": "2026-02-10"})
    assert _menu(kobo)["Withdraw the ordered contract"] == ""

    receipt = order(kobo, "order_withdraw")

    assert "Withdraw the ordered contract" in words(receipt)
    assert terms(kobo) == []
    assert licence(kobo) == before
    assert MainContract.objects.get().withdrawn_at == NOW


def test_a_renewal_that_has_begun_is_not_withdrawn(running: Organisation) -> None:
    order(running, "order_renew", plan="pro", steps="2", months="1")

    with clock.fixed_at(local(2, 28, 23, 59)):
        assert ask(running, "order_withdraw").status_code == 302
    with clock.fixed_at(local(3, 1)):
        refused(running, "order_withdraw", "No renewal is ordered that could be withdrawn.")


def test_automatic_renewal_is_switched_on_and_off(running: Organisation) -> None:
    order(running, "order_renewal", renews="on")
    assert [row[3] for row in terms(running)] == [True]

    refused(running, "order_renewal", "Automatic renewal is on already.", renews="on")

    order(running, "order_renewal", renews="off")
    assert [row[3] for row in terms(running)] == [False]
    refused(
        running,
        "order_renewal",
        "It is so already: the free plan follows on 1 March 2026.",
        renews="off",
    )


@pytest.mark.parametrize("renews", ["", "maybe"])
def test_automatic_renewal_is_on_or_off(running: Organisation, renews: str) -> None:
    refused(running, "order_renewal", "Choose whether it is renewed.", renews=renews)


def test_the_return_to_free_is_confirmed_with_the_number_of_accounts(
    running: Organisation,
) -> None:
    for _ in range(11):
        make.member(running)
    order(running, "order_renewal", renews="on")

    page = refused(running, "order_return", "12 accounts are in use")
    assert "from 1 March 2026 on 10 are allowed. Tick this to go on" in page
    assert "No renewal: the free plan follows on 1 March 2026." in page
    assert "I know that 2 accounts have to be given up by 28 February 2026" in page

    order(running, "order_return", is_confirmed="on")
    assert terms(running) == [(date(2026, 1, 31), date(2026, 3, 1), 1, False)]
    refused(running, "order_return", "It is so already: the free plan follows on 1 March 2026.")


def test_the_return_to_free_takes_back_what_is_renewed_already(running: Organisation) -> None:
    order(running, "order_renewal", renews="on")
    order(running, "order_renew", plan="pro", steps="2", months="12")
    assert [row[2] for row in terms(running)] == [1, 12]

    order(running, "order_return")

    assert [row[:3] for row in terms(running)] == [(date(2026, 1, 31), date(2026, 3, 1), 1)]
    with clock.fixed_at(local(3, 1)):
        page = words(browser(running).get(url("contract", running)))
    assert "No main contract" in page


def test_ending_needs_neither_a_method_nor_paid_invoices(running: Organisation) -> None:
    """Rule: B-14: only what costs more is refused."""
    order(running, "order_renewal", renews="on")
    overdue(running)

    order(running, "order_return")

    assert [row[3] for row in terms(running)] == [False]


def test_what_two_tabs_order_does_not_undo_each_other(running: Organisation) -> None:
    """A withdrawal that was reviewed before licences were added is shown again, not saved."""
    order(running, "order_renew", plan="pro", steps="2", months="1")
    first = ask(running, "order_withdraw").headers["Location"]
    order(running, "order_licences", steps="1")

    answer = browser(running).post(first)

    assert answer.status_code == 302
    assert answer.headers["Location"] != first
    assert "were changed in between" in words(browser(running).get(answer.headers["Location"]))
    assert len(terms(running)) == 2


# --- The menu and the pages ---


def _menu(organisation: Organisation) -> dict[str, str]:
    """Return why each entry of the menu is not possible; empty where it is."""
    context = browser(organisation).get(url("order", organisation)).context
    return {each.title: each.why_not.text if each.why_not else "" for each in context["entries"]}


def test_the_menu_says_why_something_is_not_possible_now(kobo: Organisation) -> None:
    """Rule: S2-12, S2-21."""
    none = "You have no main contract yet: start a paid plan first."
    assert _menu(kobo) == {
        "Add Spot": (
            "Accounts are added to a paid plan, and you have none. Start a paid plan first."
        ),
        "Start a paid plan": "",
        "Add licences": none,
        "Renew now": none,
        "Automatic renewal": none,
        "Withdraw the renewal": "No renewal is ordered that could be withdrawn.",
        "Return to the free plan": none,
    }

    order(kobo, "order_start", **START)
    assert _menu(kobo) == {
        "Add Spot": "",
        "Start a paid plan": (
            "You have a main contract already. Until it ends, you can renew it and add licences."
        ),
        "Add licences": "",
        "Renew now": "",
        "Switch automatic renewal on": "",
        "Withdraw the renewal": "No renewal is ordered that could be withdrawn.",
        "Return to the free plan": "It is so already: the free plan follows on 1 March 2026.",
    }

    order(kobo, "order_renew", plan="pro", steps="2", months="1")
    menu = _menu(kobo)
    assert menu["Renew now"] == "The next term is ordered already."
    assert menu["Withdraw the renewal"] == ""
    assert menu["Return to the free plan"] == ""


def test_too_many_accounts_for_one_step_do_not_close_the_menu() -> None:
    org = customers.kobo("free")
    for _ in range(150):
        make.member(org)

    assert _menu(org)["Start a paid plan"] == ""
    assert browser(org).get(url("order_start", org)).context["form"]["steps"].value() == 2


@pytest.mark.parametrize("page", FORMS)
def test_an_order_that_is_not_possible_has_no_form(page: str) -> None:
    org = customers.kobo("free", has_method=False)

    answer = browser(org).get(url(page, org))

    assert answer.status_code == 200
    assert "This cannot be ordered now" in words(answer)
    assert "Review with the next bills" not in words(answer)


def test_what_the_form_leads_to_is_swapped_in_place(kobo: Organisation) -> None:
    answer = browser(kobo).get(url("order_start", kobo), START, headers={"HX-Request": "true"})

    part = answer.content.decode()
    assert "<html" not in part
    assert "31 January to 28 February 2026" in part
    assert "¥11,000 a month, tax included (¥10,000 net)" in part
    assert "HX-Request" in answer.headers["Vary"]


@pytest.mark.parametrize(
    ("now", "typed", "billed"),
    [
        pytest.param(
            local(4, 10), {"first_on": "2026-04-10"}, "May 2026", id="none to Basic on 10 April"
        ),
        pytest.param(
            local(3, 31), {"first_on": "2026-04-01"}, "May 2026", id="at 0:00 of the first"
        ),
        pytest.param(
            local(4, 30, 23, 59), {"first_on": "2026-04-30"}, "May 2026", id="in the last minute"
        ),
        pytest.param(
            local(4, 10),
            {"first_on": "2026-04-10", "months": "12"},
            "May 2026 to April 2027",
            id="twelve fees of twelve months",
        ),
    ],
)
def test_the_months_that_carry_the_fee_are_named(
    kobo: Organisation, now: datetime, typed: dict[str, str], billed: str
) -> None:
    """Rule: S1-26, B-02, domain.md 3.4."""
    with clock.fixed_at(now):
        answer = browser(kobo).get(url("order_start", kobo), START | typed)

    facts = {each.name: each.value for each in answer.context["facts"]}
    assert facts["Billed for"] == billed


def test_a_renewal_names_the_months_it_adds(kobo: Organisation) -> None:
    with clock.fixed_at(local(4, 10)):
        order(kobo, "order_start", **START | {"first_on": "2026-04-10"})
        same, other = (
            browser(kobo).get(url("order_renew", kobo), {"plan": plan, "steps": "2", "months": "1"})
            for plan in ("pro", "basic")
        )

    for answer in (same, other):
        facts = {each.name: each.value for each in answer.context["facts"]}
        assert facts["Contract period"] == "10 May to 9 June 2026"
        assert facts["Billed for"] == "June 2026"


def test_a_part_says_what_is_refused(kobo: Organisation) -> None:
    client, part = browser(kobo), {"HX-Request": "true"}

    late = client.get(url("order_start", kobo), START | {"first_on": "2026-01-30"}, headers=part)
    wrong = client.get(url("order_start", kobo), START | {"steps": "x"}, headers=part)

    assert "This day is over." in late.content.decode()
    assert "Write a whole number." in wrong.content.decode()


@pytest.mark.parametrize("role", [Role.MANAGER, Role.MEMBER])
@pytest.mark.parametrize("page", PAGES)
def test_only_a_root_orders_also_by_a_forged_post(
    kobo: Organisation, page: str, role: Role
) -> None:
    """Rule: S1-20."""
    client = client_of(make.member(kobo, role=role).user)

    assert client.get(url(page, kobo)).status_code == 403
    assert client.post(url(page, kobo), START).status_code == 403
    assert terms(kobo) == []
    assert not Review.objects.exists()


@pytest.mark.parametrize("page", PAGES)
def test_anothers_orders_do_not_exist(kobo: Organisation, page: str) -> None:
    other = make.organisation(name="Hokuto Sensors")
    client = client_of(make.member(other).user)

    assert client.post(url(page, kobo), START).status_code == 404
    assert terms(kobo) == []


def test_the_menu_asks_as_often_with_much_history_as_with_none(
    kobo: Organisation, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = browser(kobo)
    client.get(url("order", kobo))
    with django_assert_num_queries(QUERIES_OF_MENU):
        client.get(url("order", kobo))

    order(kobo, "order_start", **START)
    order(kobo, "order_renew", plan="pro", steps="2", months="1")
    order(kobo, "order_licences", steps="1")

    with django_assert_num_queries(QUERIES_OF_MENU):
        client.get(url("order", kobo))

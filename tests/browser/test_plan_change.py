"""A root changes a plan in a real browser: each path and refusal, in both languages. Rule: S1-20…S1-26."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import translation
from django.utils.translation import gettext
from playwright.sync_api import Page, expect

from accounts.models import Organisation, User
from core import clock
from payments.enums import MethodState
from payments.models import Payable, PaymentMethod
from plans.models import Meter, Selection
from tests import make
from tests.browser.conftest import Open
from tests.ordering import customers
from tests.ordering.customers import local
from tests.pages.customers import use
from tests.payments import collected, visits

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

NOW = local(4, 10, 12)
LANGUAGES = pytest.mark.parametrize("language", ["en", "ja"])


class Time:
    """The portal's clock, which a test moves."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def passes(self, minutes: int) -> None:
        self._stack.enter_context(clock.fixed_at(clock.now() + timedelta(minutes=minutes)))


@pytest.fixture(autouse=True)
def time() -> Iterator[Time]:
    with ExitStack() as stack:
        stack.enter_context(clock.fixed_at(NOW))
        yield Time(stack)


@pytest.fixture
def kobo(time: Time) -> Organisation:
    kobo = customers.kobo()
    calls = Meter.objects.get(code="api_calls")
    for days in range(1, 29):
        use(kobo, calls, date(2026, 4, 10) - timedelta(days=days), "1500")
    return kobo


@pytest.fixture
def root(kobo: Organisation) -> User:
    return customers.root_of(kobo)


def say(language: str, sentence: str) -> str:
    """Return a sentence of the catalogue in a language."""
    with translation.override(language):
        return gettext(sentence)


def choose(page: Page, language: str, plan: str) -> None:
    page.locator(f"input[name=plan][value={plan}]").check()
    page.get_by_role("button", name=say(language, "Go to the review")).click()


def save(page: Page, language: str) -> None:
    page.get_by_role("button", name=say(language, "Save"), exact=True).click()


def in_force(organisation: Organisation) -> list[str]:
    rows = Selection.objects.filter(organisation=organisation, until_at=None)
    return sorted(rows.values_list("plan_version__plan__code", flat=True))


@LANGUAGES
def test_a_plan_is_changed_by_its_pencil_and_the_next_bill_is_known_before(
    open_page: Open, kobo: Organisation, root: User, language: str
) -> None:
    page = open_page(visits.url("plan", kobo), user=root, language=language)

    page.get_by_role("link", name=say(language, "Change the licence plan")).click()
    page.locator("input[name=plan][value=pro]").check()
    expect(page.locator("#looked-at")).to_contain_text("8,800")
    page.get_by_role("button", name=say(language, "Go to the review")).click()

    expect(page.get_by_role("heading", level=1)).to_have_text(
        say(language, "Change the licence plan")
    )
    bills = page.get_by_role("table", name=say(language, "Your next four bills"))
    # 10,000 of Basic's calls are included, above it 0.02; at 1,500 a day from the 10th on:
    # 13,500 + 30,000 = 43,500, 670 net more. Pro includes 100,000.
    expect(bills.get_by_role("row").nth(1)).to_contain_text("¥5,137")
    expect(bills.get_by_role("row").nth(2)).to_contain_text("¥8,800")
    may = page.locator("details.bill").nth(1)
    expect(may).to_have_attribute("open", "")
    expect(may.get_by_role("row").nth(1)).to_contain_text("+¥4,000")
    assert in_force(kobo) == ["basic", "silver"]

    save(page, language)

    expect(page.get_by_role("status")).to_contain_text(say(language, "Saved"))
    assert in_force(kobo) == ["pro", "silver"]
    page.go_back()
    page.reload()
    expect(page).to_have_url(re.compile("/receipt/$"))
    page.get_by_role("link", name=say(language, "Plan & Payment Method")).last.click()
    expect(page.locator(".plan__name").first).to_contain_text("100")
    assert Selection.objects.filter(organisation=kobo).count() == 3


@LANGUAGES
def test_the_support_plan_changes_by_keyboard_without_scripts(
    open_page: Open, kobo: Organisation, root: User, language: str
) -> None:
    path = visits.url("plan_change", kobo, category="support")
    page = open_page(path, user=root, language=language, scripts=False, width=360)

    page.locator("input[value=silver]").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(
        say(language, "Change the support plan")
    )
    page.get_by_role("button", name=say(language, "Save"), exact=True).focus()
    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_contain_text(say(language, "Saved"))
    assert in_force(kobo) == ["basic", "gold"]


@LANGUAGES
def test_the_same_plan_is_no_change(
    open_page: Open, kobo: Organisation, root: User, language: str
) -> None:
    page = open_page(
        visits.url("plan_change", kobo, category="licence"), user=root, language=language
    )

    page.get_by_role("button", name=say(language, "Go to the review")).click()

    said = say(language, "You have this plan already; nothing was changed.")
    expect(page.get_by_text(said)).to_be_visible()
    assert in_force(kobo) == ["basic", "silver"]


@LANGUAGES
def test_without_a_method_the_choice_is_refused_and_leads_to_one(
    open_page: Open, kobo: Organisation, root: User, language: str
) -> None:
    PaymentMethod.objects.update(state=MethodState.DETACHED)
    page = open_page(
        visits.url("plan_change", kobo, category="licence"), user=root, language=language
    )

    choose(page, language, "pro")

    alert = page.get_by_role("alert")
    expect(alert).to_be_focused()
    expect(alert).to_contain_text(say(language, "This plan cannot be chosen now"))
    expect(page.locator("input[value=pro]")).to_be_checked()
    alert.get_by_role("link").click()
    expect(page).to_have_url(re.compile("/payment-methods/add/$"))


@LANGUAGES
def test_more_accounts_than_the_plan_allows_are_refused_and_listed(
    open_page: Open, kobo: Organisation, root: User, language: str
) -> None:
    Selection.objects.filter(category="licence").update(plan_version=customers.version("pro"))
    for _ in range(6):
        make.member(kobo)
    page = open_page(
        visits.url("plan_change", kobo, category="licence"), user=root, language=language
    )

    choose(page, language, "basic")

    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("7")
    alert.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(say(language, "Accounts"))
    expect(page.get_by_role("row")).to_have_count(8)
    assert in_force(kobo) == ["pro", "silver"]


@LANGUAGES
def test_nothing_dearer_while_an_invoice_is_overdue(open_page: Open, language: str) -> None:
    """Rule: B-14."""
    organisation, root = collected.billed("Aoba")
    customers.method(organisation)
    make.plan_version("pro", prices={"JPY": 9_000})
    Payable.objects.update(overdue_at=make.NOW)

    with clock.fixed_at(make.NOW):
        page = open_page(
            visits.url("plan_change", organisation, category="licence"),
            user=root,
            language=language,
        )
        choose(page, language, "pro")

        alert = page.get_by_role("alert")
        expect(alert).to_contain_text(say(language, "This plan cannot be chosen now"))
        alert.get_by_role("link").click()
        expect(page).to_have_url(re.compile("/invoices/$"))
    assert in_force(organisation) == ["starter"]


@LANGUAGES
def test_a_review_that_is_too_old_is_reviewed_again(
    open_page: Open, kobo: Organisation, root: User, time: Time, language: str
) -> None:
    page = open_page(
        visits.url("plan_change", kobo, category="licence"), user=root, language=language
    )
    choose(page, language, "pro")
    expect(page).to_have_url(re.compile("/orders/"))

    time.passes(16)
    save(page, language)
    expect(page.get_by_role("alert")).to_contain_text(
        say(language, "This review is older than 15 minutes")
    )
    assert in_force(kobo) == ["basic", "silver"]
    page.get_by_role("button", name=say(language, "Review again")).click()
    save(page, language)

    expect(page.get_by_role("status")).to_contain_text(say(language, "Saved"))
    assert in_force(kobo) == ["pro", "silver"]


@LANGUAGES
def test_of_two_tabs_the_second_is_shown_what_the_first_changed(
    open_page: Open, kobo: Organisation, root: User, language: str
) -> None:
    first = open_page(
        visits.url("plan_change", kobo, category="licence"), user=root, language=language
    )
    second = open_page(
        visits.url("plan_change", kobo, category="support"), user=root, language=language
    )
    choose(first, language, "pro")
    choose(second, language, "gold")
    expect(second).to_have_url(re.compile("/orders/"))

    save(first, language)
    expect(first.get_by_role("status")).to_contain_text(say(language, "Saved"))
    save(second, language)

    alert = second.get_by_role("alert")
    expect(alert).to_be_focused()
    expect(alert).to_contain_text(
        say(language, "Something differs from what you were shown. Nothing was saved.")
    )
    assert in_force(kobo) == ["pro", "silver"]
    save(second, language)
    expect(second.get_by_role("status")).to_contain_text(say(language, "Saved"))
    assert in_force(kobo) == ["gold", "pro"]


@LANGUAGES
def test_a_price_that_changed_is_shown_before_it_is_saved(
    open_page: Open, kobo: Organisation, root: User, language: str
) -> None:
    """Rule: F51."""
    page = open_page(
        visits.url("plan_change", kobo, category="licence"), user=root, language=language
    )
    choose(page, language, "pro")
    expect(page).to_have_url(re.compile("/orders/"))
    make.plan_version("pro", number=2, prices={"JPY": 6_000})

    save(page, language)

    expect(page.get_by_role("alert")).to_contain_text("6,000")
    assert in_force(kobo) == ["basic", "silver"]


@LANGUAGES
def test_a_paid_plan_begins_with_a_contract(open_page: Open, time: Time, language: str) -> None:
    kobo = customers.kobo("free")
    page = open_page(
        visits.url("plan_change", kobo, category="licence"),
        user=customers.root_of(kobo),
        language=language,
    )

    choose(page, language, "pro")

    expect(page).to_have_url(re.compile(r"/orders/start/\?plan=pro$"))
    expect(page.locator("input[value=pro]")).to_be_checked()


@pytest.mark.parametrize(
    ("dark", "language", "width"), [(False, "en", 360), (True, "ja", 1280)], ids=["phone", "desk"]
)
def test_axe_finds_nothing_and_no_page_is_wider_than_a_phone(
    open_page: Open, kobo: Organisation, root: User, dark: bool, language: str, width: int
) -> None:
    axe, found = Axe(), []
    path = visits.url("plan", kobo)
    page = open_page(path, user=root, dark=dark, language=language, width=width)

    def look() -> None:
        results = axe.run(page)
        if results.violations_count:
            found.append(f"{page.url}: {results.generate_report()}")
        page.set_viewport_size({"width": 360, "height": 800})
        if page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        ):
            found.append(f"{page.url} is too wide")
        page.set_viewport_size({"width": width, "height": 900})

    look()
    page.goto(visits.url("accounts", kobo))
    look()
    page.goto(visits.url("plan_change", kobo, category="licence"))
    look()
    choose(page, language, "pro")
    expect(page).to_have_url(re.compile("/orders/"))
    look()
    save(page, language)
    expect(page).to_have_url(re.compile("/receipt/$"))
    look()
    PaymentMethod.objects.update(state=MethodState.BROKEN)
    page.goto(visits.url("plan_change", kobo, category="licence"))
    choose(page, language, "basic")
    look()

    assert found == []

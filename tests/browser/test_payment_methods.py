"""A root registers how to pay, at the sandbox's PayPal and with Paid, in a real browser."""

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import Organisation, User
from core import clock
from gateway_sandbox import Sandbox
from payments.models import PaymentMethod
from payments.services import methods
from tests import make
from tests.browser.conftest import Open, Watch
from tests.pages import customers
from tests.payments import visits
from tests.payments.conftest import use

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def sandbox(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, live_server: LiveServer, watch: Watch
) -> Iterator[Sandbox]:
    """Run both companies where the portal under test sends its payers."""
    settings.PORTAL_ORIGIN = live_server.url
    with Sandbox() as running:
        running.set_time(make.NOW)
        use(running, settings, monkeypatch)
        # A payer is led to the provider's own pages, and nothing of them is loaded into ours.
        watch.also = running.url
        yield running


@pytest.fixture
def aoba() -> Iterator[Organisation]:
    with clock.fixed_at(make.NOW):
        yield customers.aoba()


@pytest.fixture
def root(aoba: Organisation) -> User:
    return visits.root_of(aoba)


WORDS = {
    "en": {
        "add": "Add payment method",
        "paypal": "Pay by Credit Card (PayPal)",
        "paid": "Paid by Invoice (Paid)",
        "continue": "Continue",
        "send": "Send to Paid",
        "added": "PayPal is registered as your payment method.",
        "back": "You turned back at PayPal. Nothing was registered.",
        "received": "Paid has received your registration and is reviewing it.",
        "review": "under review",
        "active": "active",
        "support": "Ask Support to change it",
        "rejected": "The registration was not accepted",
        "approve": "Approve",
        "cancel": "Cancel and go back",
    },
    "ja": {
        "add": "お支払い方法を追加",
        "paypal": "クレジットカード払い(PayPal)",
        "paid": "請求書払い(Paid)",
        "continue": "続ける",
        "send": "Paidに送信する",
        "added": "お支払い方法としてPayPalを登録しました。",
        "back": "PayPalでの手続きが中止されました。登録は行われていません。",
        "received": "Paidがお申し込みを受け付け、審査を行っています。",
        "review": "審査中",
        "active": "利用可",
        "support": "サポートに変更を依頼する",
        "rejected": "登録が完了しませんでした",
        "approve": "承認する",
        "cancel": "キャンセルして戻る",
    },
}
LANGUAGES = pytest.mark.parametrize("language", ["en", "ja"])


def _choose(page: Page, words: dict[str, str], way: str) -> None:
    page.get_by_role("link", name=words["add"]).click()
    page.get_by_role("radio", name=words[way]).check()
    page.get_by_role("button", name=words["continue"]).click()


def _fill_in(page: Page, **changes: str) -> None:
    for name, typed in (visits.COMPANY | changes).items():
        field = page.locator(f"[name={name}]")
        if name == "prefecture":
            field.select_option(typed)
        else:
            field.fill(typed)


@LANGUAGES
def test_a_card_is_registered_at_paypal_after_turning_back_once(
    open_page: Open, sandbox: Sandbox, aoba: Organisation, root: User, language: str
) -> None:
    words = WORDS[language]
    page = open_page(visits.url("plan", aoba), user=root, language=language)

    _choose(page, words, "paypal")
    expect(page).to_have_url(re.compile(f"^{re.escape(sandbox.url)}/approve/"))
    page.get_by_role("button", name=words["cancel"]).click()
    expect(page.get_by_text(words["back"])).to_be_visible()
    assert not PaymentMethod.objects.exists()

    _choose(page, words, "paypal")
    page.get_by_role("button", name=words["approve"], exact=True).click()

    expect(page.get_by_text(words["added"])).to_be_visible()
    expect(page.get_by_text(words["active"], exact=True)).to_be_visible()
    expect(page.get_by_text("p•••@example.com")).to_be_visible()
    expect(page.get_by_role("link", name=words["support"])).to_be_visible()
    expect(page.get_by_role("link", name=words["add"])).to_have_count(0)
    page.go_back()
    page.goto(visits.url("plan", aoba))
    expect(page.get_by_text(words["active"], exact=True)).to_be_visible()
    assert PaymentMethod.objects.count() == 1


@LANGUAGES
def test_paid_rejects_and_then_accepts_a_registration(
    open_page: Open, sandbox: Sandbox, aoba: Organisation, root: User, language: str
) -> None:
    words = WORDS[language]
    page = open_page(visits.url("plan", aoba), user=root, language=language)

    _choose(page, words, "paid")
    _fill_in(page)
    page.get_by_role("button", name=words["send"]).click()
    expect(page.get_by_text(words["received"])).to_be_visible()
    expect(page.get_by_text(words["review"], exact=True)).to_be_visible()

    method = PaymentMethod.objects.get()
    sandbox.paid.reject(method.key)
    methods.look_at(method_id=method.pk, now=make.NOW)
    page.goto(visits.url("plan", aoba))
    expect(page.get_by_text(words["rejected"])).to_be_visible()

    _choose(page, words, "paid")
    _fill_in(page, email="other@aoba.example")
    page.get_by_role("button", name=words["send"]).click()
    expect(page.get_by_text(words["received"])).to_be_visible()
    method = PaymentMethod.objects.latest("pk")
    sandbox.paid.approve(method.key)
    methods.look_at(method_id=method.pk, now=make.NOW)
    page.goto(visits.url("plan", aoba))
    expect(page.get_by_text(words["active"], exact=True)).to_be_visible()


def test_the_errors_of_the_form_take_the_focus_and_lead_to_the_fields(
    open_page: Open, sandbox: Sandbox, aoba: Organisation, root: User
) -> None:
    path = visits.url("payment_method_form", aoba, gateway="paid")
    page = open_page(path, user=root, width=360)
    _fill_in(page, tel="12", email="nobody")

    page.get_by_role("button", name="Send to Paid").click()

    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    expect(page.locator("[name=companyName]")).to_have_value("青葉デバイス株式会社")
    summary.get_by_role("link", name="Telephone").click()
    expect(page.locator("[name=tel]")).to_be_focused()
    expect(page.locator("[name=tel]")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#id_tel_error")).to_contain_text("begins with 0")


def test_a_way_is_chosen_with_the_keyboard_alone_and_without_scripts(
    open_page: Open, sandbox: Sandbox, aoba: Organisation, root: User
) -> None:
    page = open_page(visits.url("payment_method_add", aoba), user=root, scripts=False)

    page.get_by_role("radio", name="Pay by Credit Card (PayPal)").focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="Paid by Invoice (Paid)")).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1, name="Paid by Invoice (Paid)")).to_be_visible()


@pytest.mark.parametrize(
    ("dark", "language", "width"), [(False, "en", 360), (True, "ja", 1280)], ids=["phone", "desk"]
)
def test_axe_finds_nothing_on_any_of_the_pages(
    open_page: Open,
    sandbox: Sandbox,
    aoba: Organisation,
    root: User,
    dark: bool,
    language: str,
    width: int,
) -> None:
    axe, found = Axe(), []

    def look(name: str, **of: str) -> None:
        path = visits.url(name, aoba, **of)
        page = open_page(path, user=root, dark=dark, language=language, width=width)
        results = axe.run(page)
        if results.violations_count:
            found.append(f"{path}: {results.generate_report()}")
        page.set_viewport_size({"width": 360, "height": 800})
        if page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        ):
            found.append(f"{path} is too wide")
        page.context.close()

    client = visits.client_of(root)
    for name in ("plan", "payment_method_add", "payment_method_support"):
        look(name)
    look("payment_method_form", gateway="paid")
    look("payment_method_return", state="nothing")
    method = visits.register_paypal(client, aoba, sandbox)
    look("plan")
    look("payment_method_support")
    methods.break_method(
        method_id=method.pk, code="CARD_EXPIRED", now=make.NOW, actor="system:test"
    )
    visits.register_paid(client, aoba)
    look("plan")
    look("payment_method_add")

    assert found == []

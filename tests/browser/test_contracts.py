"""A root starts, extends, renews and ends a main contract in a real browser, in both languages."""

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from accounts.models import Organisation, User
from core import clock
from plans.models import MainContract, Selection
from tests import make
from tests.browser.conftest import Open
from tests.ordering import customers
from tests.ordering.customers import local
from tests.payments.visits import url

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

NOW = local(1, 31, 12)
WORDS = {
    "en": {
        "menu": "Paid Plan Order",
        "start": "Start a paid plan",
        "licences": "Add licences",
        "renew": "Renew now",
        "on": "Switch automatic renewal on",
        "off": "Switch automatic renewal off",
        "withdraw": "Withdraw the renewal",
        "return": "Return to the free plan",
        "steps": "Steps",
        "more": "Steps to add",
        "day": "First day",
        "length": "Length",
        "renews": "Renew automatically at the end",
        "review": "Review with the next bills",
        "save": "Save",
        "tab": "Contract details",
        "period": "31 January to 28 February 2026",
        "next": "1 March to 30 March 2026",
        "price": "¥11,000 a month, tax included (¥10,000 net)",
        "impossible": "Not possible now",
        "no_contract": "You have no main contract yet: start a paid plan first.",
        "no_method": "You have no active payment method: add one first.",
        "past": "This day is over. Choose today or a later day.",
        "in_use": "7 accounts are in use",
        "over_free": "12 accounts are in use",
        "confirm": "I know that 2 accounts have to be given up by 28 February 2026",
        "follows": "No renewal: the free plan follows on 1 March 2026.",
        "file": "Dates for your calendar (.ics)",
    },
    "ja": {
        "menu": "有料プランのお申し込み",
        "start": "有料プランの開始",
        "licences": "ライセンスの追加",
        "renew": "今すぐ更新",
        "on": "自動更新をオンにする",
        "off": "自動更新をオフにする",
        "withdraw": "更新の取り消し",
        "return": "無料プランに戻る",
        "steps": "口数",
        "more": "追加する口数",
        "day": "開始日",
        "length": "期間",
        "renews": "契約終了時に自動更新する",
        "review": "次回以降のご請求額を確認する",
        "save": "保存する",
        "tab": "契約内容",
        "period": "2026年1月31日から2月28日まで",
        "next": "2026年3月1日から3月30日まで",
        "price": "月額11,000円(税込、税抜10,000円)",
        "impossible": "現在お申し込み不可",
        "no_contract": "主契約がまだありません。先に有料プランを開始してください。",
        "no_method": "利用可のお支払い方法がありません。先にお支払い方法を追加してください。",
        "past": "過去の日付です。本日以降の日付をお選びください。",
        "in_use": "現在7件のアカウントが使用中",
        "over_free": "現在12件のアカウントが使用中",
        "confirm": "2026年2月28日までにアカウントを2件減らす必要があることを確認しました",
        "follows": "更新なし：2026年3月1日から無料プランが適用されます。",
        "file": "カレンダー用の日程(.ics)",
    },
}
LANGUAGES = pytest.mark.parametrize("language", ["en", "ja"])


@pytest.fixture(autouse=True)
def _today() -> Iterator[None]:
    with clock.fixed_at(NOW):
        yield


@pytest.fixture
def kobo() -> Organisation:
    return customers.kobo("free")


@pytest.fixture
def root(kobo: Organisation) -> User:
    return customers.root_of(kobo)


def _choose(page: Page, words: dict[str, str], entry: str) -> None:
    """Open an order by the menus."""
    page.get_by_role("navigation").get_by_role("link", name=words["menu"]).click()
    entries = page.locator("main .choices__link")
    entries.filter(has_text=re.compile(rf"^\s*{words[entry]}")).click()
    expect(page.get_by_role("heading", level=1, name=words[entry])).to_be_visible()


def _review(page: Page, words: dict[str, str]) -> None:
    page.get_by_role("button", name=words["review"]).click()


def _save(page: Page) -> None:
    """Save the review that is shown; its button is the last one of the page."""
    expect(page).to_have_url(re.compile(r"/orders/[0-9a-f-]{36}/$"))
    page.locator("main form button").last.click()
    expect(page).to_have_url(re.compile(r"/receipt/$"))


def _start(page: Page, words: dict[str, str], *, renews: bool = False) -> None:
    _choose(page, words, "start")
    page.locator("[name=plan][value=pro]").check()
    page.get_by_label(words["steps"], exact=True).fill("2")
    page.get_by_label(words["length"], exact=True).select_option("1")
    page.get_by_label(words["renews"], exact=True).set_checked(renews)


def _more_accounts(organisation: Organisation, count: int) -> None:
    for _ in range(count):
        make.member(organisation)


@LANGUAGES
def test_a_contract_is_started_extended_renewed_and_its_renewal_withdrawn(
    open_page: Open, kobo: Organisation, root: User, language: str
) -> None:
    words = WORDS[language]
    page = open_page(url("order", kobo), user=root, language=language)
    expect(page.get_by_text(words["no_contract"])).to_have_count(4)

    _start(page, words)
    expect(page.locator("#consequences").get_by_text(words["period"])).to_be_visible()
    expect(page.locator("#consequences").get_by_text(words["price"])).to_be_visible()
    _review(page, words)
    assert not MainContract.objects.exists()
    _save(page)

    _choose(page, words, "licences")
    page.get_by_label(words["more"], exact=True).fill("1")
    _review(page, words)
    _save(page)

    _choose(page, words, "renew")
    expect(page.locator("#consequences").get_by_text(words["next"])).to_be_visible()
    _review(page, words)
    _save(page)

    _choose(page, words, "withdraw")
    _review(page, words)
    _save(page)

    page.goto(url("contract", kobo))
    expect(page.get_by_text(words["period"]).first).to_be_visible()
    expect(page.get_by_text(words["follows"])).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name=words["file"]).click()
    assert download.value.suggested_filename == "contract.ics"
    rows = Selection.objects.filter(organisation=kobo, category="licence").order_by("from_at")
    assert [(row.plan_version.plan.code, row.steps) for row in rows] == [
        ("free", 1),
        ("pro", 3),
        ("free", 1),
    ]


@LANGUAGES
def test_automatic_renewal_is_switched_and_the_free_plan_returned_to(
    open_page: Open, kobo: Organisation, root: User, language: str
) -> None:
    words = WORDS[language]
    _more_accounts(kobo, 11)
    page = open_page(url("order", kobo), user=root, language=language)
    _start(page, words)
    _review(page, words)
    _save(page)

    _choose(page, words, "on")
    _review(page, words)
    _save(page)
    assert MainContract.objects.get().renews

    _choose(page, words, "return")
    _review(page, words)
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_role("alert")).to_contain_text(words["over_free"])
    page.get_by_label(words["confirm"]).check()
    _review(page, words)
    _save(page)

    assert not MainContract.objects.get().renews


@LANGUAGES
def test_what_is_refused_is_told_beside_its_field(
    open_page: Open, kobo: Organisation, root: User, language: str
) -> None:
    words = WORDS[language]
    _more_accounts(kobo, 6)
    page = open_page(url("order_start", kobo), user=root, language=language, width=360)

    page.get_by_label(words["day"], exact=True).evaluate("field => field.removeAttribute('min')")
    page.get_by_label(words["day"], exact=True).fill("2026-01-30")
    page.locator("[name=plan][value=pro]").check()
    expect(page.locator("#consequences").get_by_text(words["past"])).to_be_visible()
    _review(page, words)
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.locator("#id_first_on_error")).to_have_text(words["past"])
    expect(page.get_by_label(words["day"], exact=True)).to_have_value("2026-01-30")

    page.get_by_label(words["day"], exact=True).fill("2026-01-31")
    page.locator("[name=plan][value=basic]").check()
    page.get_by_label(words["steps"], exact=True).fill("1")
    _review(page, words)
    expect(page.locator("#id_steps_error")).to_contain_text(words["in_use"])
    assert not MainContract.objects.exists()


@LANGUAGES
def test_without_a_payment_method_the_menu_says_why_and_leads_to_one(
    open_page: Open, language: str
) -> None:
    words = WORDS[language]
    org = customers.kobo("free", has_method=False)
    page = open_page(url("order", org), user=customers.root_of(org), language=language)

    entry = page.locator("main li").filter(has_text=words["start"]).first
    expect(entry.get_by_text(words["impossible"])).to_be_visible()
    expect(entry.get_by_text(words["no_method"])).to_be_visible()
    entry.get_by_role("link").click()

    expect(page).to_have_url(re.compile(r"/payment-methods/add/$"))


def test_a_second_tab_is_told_what_the_first_one_changed(
    open_page: Open, kobo: Organisation, root: User
) -> None:
    words = WORDS["en"]
    first = open_page(url("order", kobo), user=root)
    _start(first, words)
    _review(first, words)
    second = open_page(url("order", kobo), user=root)
    _start(second, words, renews=True)
    _review(second, words)
    _save(second)

    first.get_by_role("button", name=words["save"]).click()

    expect(first.get_by_text("You have a main contract already.")).to_be_visible()
    assert MainContract.objects.get().renews


def test_an_order_needs_no_scripts_and_no_mouse(
    open_page: Open, kobo: Organisation, root: User
) -> None:
    page = open_page(url("order_start", kobo), user=root, scripts=False)

    page.get_by_label("Steps", exact=True).focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/orders/[0-9a-f-]{36}/$"))
    page.get_by_role("button", name="Save", exact=True).focus()
    page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile(r"/receipt/$"))
    assert MainContract.objects.get().months == 12


@pytest.mark.parametrize(
    ("dark", "language", "width"), [(False, "en", 360), (True, "ja", 1280)], ids=["phone", "desk"]
)
def test_axe_finds_nothing_on_any_of_the_pages(
    open_page: Open, kobo: Organisation, root: User, dark: bool, language: str, width: int
) -> None:
    axe, found = Axe(), []
    pages = ("order", "order_start", "order_licences", "order_renew", "order_return", "contract")

    def look() -> None:
        for name in pages:
            page = open_page(url(name, kobo), user=root, dark=dark, language=language, width=width)
            results = axe.run(page)
            if results.violations_count:
                found.append(f"{name}: {results.generate_report()}")
            page.set_viewport_size({"width": 360, "height": 800})
            if page.evaluate(
                "document.documentElement.scrollWidth > document.documentElement.clientWidth"
            ):
                found.append(f"{name} is too wide")
            page.context.close()

    look()
    make.main_contract(kobo, customers.version("pro"), NOW.date(), months=1, renews=True, now=NOW)
    _more_accounts(kobo, 11)
    look()

    assert found == []

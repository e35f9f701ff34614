"""The four patterns of seed 2 in a real browser, in both languages, with pictures. Rule: S2-14…S2-28.

The pictures are left in the directory that SPOT_PICTURES names, else in the test's own.
"""

import os
import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.enums import Role
from accounts.models import Membership, Organisation
from core import clock
from gateway_sandbox import Sandbox
from payments.gateways import registry
from payments.models import Charge
from payments.services import spots
from plans.models import MainContract
from seats.queries.capacity import allowed_at
from spot_orders.models import SpotOrder
from tests import make
from tests.browser.conftest import Open, Watch
from tests.ordering import customers
from tests.ordering.customers import local
from tests.ordering.spotting import NOW, kobo, renew
from tests.payments.conftest import use
from tests.payments.visits import url

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LANGUAGES = pytest.mark.parametrize("language", ["en", "ja"])
WORDS = {
    "en": {
        "menu": "Paid Plan Order",
        "add": "Add Spot",
        "accounts": "Accounts to add",
        "start": "Start date",
        "months": "Number of months",
        "agree": "I agree to the Terms of Use (version 3)",
        "go": "Go to Payment Procedures",
        "update": "Update",
        "payment": "Payment Procedure",
        "pay": "Order and pay ¥5,500",
        "once": "Go to PayPal and pay ¥5,500",
        "done": "Procedure Completed",
        "before": "Your paid plan begins on 1 February 2026.",
        "beyond": "Your paid plan ends on 1 February 2026",
        "renew": "Renew now",
        "declined": "PayPal declined the payment.",
        "approve": "Approve",
        "tick": "Read the Terms of Use and tick that you agree to them.",
        "invoice": "Invoice KC-SP-",
        "give_up": "Give this order up",
        "again": "Order again with these values",
        "given_up": "It was given up before it was paid.",
    },
    "ja": {
        "menu": "有料プランのお申し込み",
        "add": "スポット追加",
        "accounts": "追加するアカウント数",
        "start": "開始日",
        "months": "期間(か月)",
        "agree": "利用規約(第3版)に同意する",
        "go": "お支払い手続きへ進む",
        "update": "再計算する",
        "payment": "お支払い手続き",
        "pay": "5,500円を支払って注文を確定する",
        "once": "PayPalへ進んで5,500円を支払う",
        "done": "手続き完了",
        "before": "有料プランは2026年2月1日に始まります。",
        "beyond": "有料プランは2026年2月1日に終了します。",
        "renew": "今すぐ更新",
        "declined": "PayPalでお支払いが承認されませんでした。",
        "approve": "承認する",
        "tick": "利用規約をお読みのうえ、同意する場合はチェックを入れてください。",
        "invoice": "請求書 KC-SP-",
        "give_up": "この注文を取り下げる",
        "again": "同じ内容でもう一度申し込む",
        "given_up": "お支払いの前に取り下げられました。",
    },
}

Picture = Callable[[Page, str], None]


@pytest.fixture(autouse=True)
def _today() -> Iterator[None]:
    with clock.fixed_at(NOW):
        yield


@pytest.fixture
def sandbox(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, live_server: LiveServer, watch: Watch
) -> Iterator[Sandbox]:
    settings.PORTAL_ORIGIN = live_server.url
    with Sandbox() as running:
        running.set_time(NOW)
        use(running, settings, monkeypatch)
        watch.also = running.url
        yield running
    registry.forget()


@pytest.fixture
def picture(tmp_path: Path, request: pytest.FixtureRequest) -> Picture:
    """Return a function that keeps a picture of a page, and holds the page to WCAG and its width."""
    folder = Path(os.environ.get("SPOT_PICTURES", tmp_path))
    test = re.sub(r"\W+", "-", request.node.name).strip("-")

    def keep(page: Page, name: str) -> None:
        page.screenshot(path=folder / f"{test}-{name}.png", full_page=True)
        results = Axe().run(page)
        assert results.violations_count == 0, results.generate_report()
        assert page.evaluate(
            "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        ), f"{name} is too wide"

    return keep


def settings_page(
    open_page: Open, organisation: Organisation, language: str, *, width: int = 1280
) -> Page:
    """Open Paid Plan Order > Add Spot, as the menu leads there. Rule: S2-21."""
    page = open_page(
        url("order", organisation),
        user=customers.root_of(organisation),
        language=language,
        width=width,
    )
    page.get_by_role("link", name=WORDS[language]["add"]).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(WORDS[language]["add"])
    return page


def fill(page: Page, language: str, *, first_on: str, months: str = "1") -> None:
    """Fill the settings in; the preview follows by itself."""
    words = WORDS[language]
    day = page.get_by_label(words["start"], exact=True)
    day.evaluate("field => { field.removeAttribute('min'); field.removeAttribute('max') }")
    with page.expect_response(re.compile(r"/orders/spot/\?")):
        day.fill(first_on)
        day.dispatch_event("change")
    length = page.get_by_label(words["months"], exact=True)
    if length.input_value() != months and length.locator(f"option[value='{months}']").count():
        with page.expect_response(re.compile(r"/orders/spot/\?")):
            length.select_option(months)


def go(page: Page, language: str) -> None:
    words = WORDS[language]
    page.get_by_label(words["agree"]).check()
    page.get_by_role("button", name=words["go"]).click()


def pay(page: Page, language: str) -> SpotOrder:
    words = WORDS[language]
    expect(page.get_by_role("heading", level=1)).to_have_text(words["payment"])
    page.get_by_role("button", name=words["pay"]).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(words["done"])
    return SpotOrder.objects.latest("paid_at")


@LANGUAGES
def test_pattern_01_starter_100_becomes_200_for_a_month(
    open_page: Open, sandbox: Sandbox, picture: Picture, language: str
) -> None:
    """Rule: S2-14: 5,500 yen, tax included, of which 500 are tax."""
    words, organisation = WORDS[language], kobo(sandbox)
    page = settings_page(open_page, organisation, language)
    expect(page.locator("#preview")).to_contain_text("5,500")
    expect(page.locator("#preview")).to_contain_text("500")
    picture(page, "1-settings")

    page.get_by_role("button", name=words["go"]).click()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_role("alert")).to_contain_text(words["tick"])
    picture(page, "1-without-a-tick")
    assert not SpotOrder.objects.exists()

    go(page, language)
    expect(page.get_by_role("heading", level=1)).to_have_text(words["payment"])
    picture(page, "2-payment")
    page.reload()
    order = pay(page, language)
    expect(page.get_by_role("link", name=words["invoice"])).to_be_visible()
    picture(page, "3-completed")

    assert (order.net, order.tax, order.gross) == (5_000, 500, 5_500)
    assert allowed_at(organisation, NOW) == 200
    assert [row.amount for row in sandbox.ledger.captures if row.is_in] == [5_500]


@LANGUAGES
def test_pattern_02_1_a_second_spot_overlaps_the_first(
    open_page: Open, sandbox: Sandbox, picture: Picture, language: str
) -> None:
    """Rule: S2-08, S2-15: the second starts inside the first, and both add up."""
    organisation = kobo(sandbox)
    page = settings_page(open_page, organisation, language)
    go(page, language)
    pay(page, language)

    page = settings_page(open_page, organisation, language)
    fill(page, language, first_on="2026-02-01")
    expect(page.locator("#preview")).to_contain_text("300")
    picture(page, "1-settings")
    go(page, language)
    pay(page, language)
    page.goto(url("contract", organisation))
    picture(page, "contract")

    allowed = [allowed_at(organisation, local(month, day)) for month, day in OVERLAP]
    assert allowed == [200, 300, 200, 100]


# Before the second begins, while both hold, after the first, after both.
OVERLAP = [(1, 31), (2, 14), (2, 15), (3, 1)]


@LANGUAGES
def test_pattern_02_2_licences_are_added_while_a_spot_runs(
    open_page: Open, sandbox: Sandbox, picture: Picture, language: str
) -> None:
    """Rule: S2-16: 300 while the spot runs, 200 afterwards."""
    organisation = kobo(sandbox)
    page = settings_page(open_page, organisation, language)
    go(page, language)
    order = pay(page, language)

    page.goto(url("order_licences", organisation))
    page.locator("main form button").last.click()
    expect(page).to_have_url(re.compile(r"/orders/[0-9a-f-]{36}/$"))
    page.locator("main form button").last.click()
    expect(page).to_have_url(re.compile(r"/receipt/$"))
    page.goto(url("contract", organisation))
    picture(page, "contract")

    assert allowed_at(organisation, NOW) == 300
    assert allowed_at(organisation, local(2, 15)) == 200
    order.refresh_from_db()
    assert order.gross == 5_500


@LANGUAGES
def test_pattern_03_1_nothing_before_the_paid_plan_starts(
    open_page: Open, picture: Picture, language: str
) -> None:
    """Rule: S2-12, S2-17."""
    words, organisation = WORDS[language], kobo(first_on=date(2026, 2, 1))
    page = settings_page(open_page, organisation, language, width=360)
    fill(page, language, first_on="2026-01-31")
    expect(page.locator("#preview")).to_contain_text(words["before"])
    go(page, language)
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.locator("#id_first_on_error")).to_contain_text(words["before"])
    picture(page, "refused")
    assert not SpotOrder.objects.exists()

    page.locator("#id_first_on_error").get_by_role("link").click()
    expect(page.get_by_label(words["start"], exact=True)).to_have_value("2026-02-01")
    go(page, language)
    expect(page.get_by_role("heading", level=1)).to_have_text(words["payment"])


@LANGUAGES
def test_pattern_03_2_beyond_the_end_only_with_a_renewal(
    open_page: Open, picture: Picture, language: str
) -> None:
    """Rule: S2-13, S2-18."""
    words, organisation = WORDS[language], kobo(months=1)
    root = customers.root_of(organisation)
    page = open_page(url("order", organisation), user=root, language=language)
    entry = page.locator("main li").filter(has_text=words["add"]).first
    expect(entry).to_contain_text(words["beyond"])
    page.goto(url("order_spot", organisation))
    expect(page.get_by_text(words["beyond"])).to_be_visible()
    picture(page, "refused")

    page.get_by_role("link", name=words["renew"]).click()
    page.locator("main form button").last.click()
    page.locator("main form button").last.click()
    expect(page).to_have_url(re.compile(r"/receipt/$"))
    assert MainContract.objects.count() == 2

    page = settings_page(open_page, organisation, language)
    go(page, language)
    expect(page.get_by_role("heading", level=1)).to_have_text(words["payment"])
    picture(page, "accepted")


@LANGUAGES
def test_pattern_04_after_the_end_the_limit_is_the_main_contracts(
    open_page: Open, sandbox: Sandbox, picture: Picture, language: str
) -> None:
    """Rule: S2-19, S2-20: whom the spot carried cannot open a page from that instant on."""
    organisation = kobo(sandbox)
    page = settings_page(open_page, organisation, language)
    go(page, language)
    pay(page, language)
    for number in range(105):
        make.member(
            organisation,
            role=Role.MEMBER,
            email=f"a{number}@kobo.example",
            now=NOW + timedelta(minutes=number),
        )
    newest = Membership.objects.get(user__email="a104@kobo.example")

    with clock.fixed_at(local(2, 15, 0, 1)):
        gone = open_page(url("usage", organisation), user=newest.user, language=language)
        expect(gone.locator("main")).not_to_contain_text("kobo.example")
        picture(gone, "gone")
        root = open_page(
            url("accounts", organisation),
            user=customers.root_of(organisation),
            language=language,
        )
        picture(root, "accounts")

    newest.refresh_from_db()
    assert newest.deactivated_at is not None
    assert Membership.objects.filter(organisation=organisation, deactivated_at=None).count() == 100


@LANGUAGES
def test_a_declined_payment_comes_back_and_another_way_succeeds(
    open_page: Open, sandbox: Sandbox, picture: Picture, language: str
) -> None:
    """Rule: S2-25: the order is kept, and paid once at PayPal's own pages."""
    words, organisation = WORDS[language], kobo(sandbox)
    page = settings_page(open_page, organisation, language, width=360)
    go(page, language)
    sandbox.paypal.decline()
    page.get_by_role("button", name=words["pay"]).click()
    expect(page.get_by_text(words["declined"])).to_be_visible()
    picture(page, "declined")

    page.get_by_role("button", name=words["once"]).click()
    expect(page).to_have_url(re.compile(f"^{re.escape(sandbox.url)}/approve/"))
    page.get_by_role("textbox").fill("other@example.com")
    page.get_by_role("button", name=words["approve"], exact=True).click()

    expect(page.get_by_role("heading", level=1)).to_have_text(words["done"])
    picture(page, "completed")
    assert [row.amount for row in sandbox.ledger.captures if row.is_in] == [5_500]


def test_back_reload_two_tabs_and_a_double_click_are_one_charge(
    open_page: Open, sandbox: Sandbox
) -> None:
    """Rule: R3, F54."""
    organisation = kobo(sandbox)
    page = settings_page(open_page, organisation, "en")
    go(page, "en")
    expect(page).to_have_url(re.compile(r"/payment/$"))
    other = open_page(page.url, user=customers.root_of(organisation))

    page.get_by_role("button", name=WORDS["en"]["pay"]).dblclick()
    expect(page.get_by_role("heading", level=1)).to_have_text(WORDS["en"]["done"])
    other.get_by_role("button", name=WORDS["en"]["pay"]).click()
    expect(other.get_by_role("heading", level=1)).to_have_text(WORDS["en"]["done"])
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text(WORDS["en"]["done"])
    page.reload()

    assert SpotOrder.objects.count() == 1
    assert Charge.objects.count() == 1
    assert [row.amount for row in sandbox.ledger.captures if row.is_in] == [5_500]


def test_the_wizard_needs_no_scripts_and_no_mouse(open_page: Open, sandbox: Sandbox) -> None:
    organisation = kobo(sandbox)
    page = open_page(
        url("order_spot", organisation), user=customers.root_of(organisation), scripts=False
    )

    page.get_by_label("Accounts to add").select_option("200")
    page.get_by_role("button", name="Update").press("Enter")
    expect(page).to_have_url(re.compile(r"accounts=200&first_on=2026-01-15&months=1$"))
    expect(page.locator("#preview")).to_contain_text("¥11,000")
    page.get_by_label("I agree to the Terms of Use (version 3)").press("Space")
    page.get_by_role("button", name="Go to Payment Procedures").press("Enter")
    page.get_by_role("button", name="Order and pay ¥11,000").press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text("Procedure Completed")
    assert [row.amount for row in sandbox.ledger.captures if row.is_in] == [11_000]


@pytest.mark.parametrize(("dark", "width"), [(False, 360), (True, 1280)], ids=["phone", "desk"])
def test_before_there_is_a_method_prices_and_a_quotation_are_had(
    open_page: Open, picture: Picture, dark: bool, width: int
) -> None:
    organisation = kobo(has_method=False)
    page = open_page(
        url("order", organisation), user=customers.root_of(organisation), dark=dark, width=width
    )
    page.get_by_role("link", name="Prices and quotation").click()
    fill(page, "en", first_on="2026-02-01", months="3")
    expect(page.locator("#preview")).to_contain_text("¥16,500")
    expect(page.get_by_role("button", name=WORDS["en"]["go"])).to_have_count(0)
    picture(page, "quote-only")

    with page.expect_download() as download:
        page.get_by_role("link", name="Quote (PDF)").click()
    assert download.value.suggested_filename.endswith(".pdf")


@pytest.mark.parametrize(
    ("dark", "language", "width"), [(False, "en", 360), (True, "ja", 1280)], ids=["phone", "desk"]
)
def test_every_page_of_the_wizard_is_sound(
    open_page: Open,
    sandbox: Sandbox,
    picture: Picture,
    dark: bool,
    language: str,
    width: int,
) -> None:
    organisation = kobo(sandbox)
    renew(organisation, make.plan_version("pro", number=2, prices={"JPY": 6_000}))
    root = customers.root_of(organisation)

    def look(path: str, name: str) -> Page:
        page = open_page(path, user=root, dark=dark, language=language, width=width)
        picture(page, name)
        return page

    look(url("order", organisation), "menu")
    cover = "people=40&first_on=2026-04-10&last_on=2026-06-25"
    look(f"{url('order_spot_cover', organisation)}?{cover}", "cover")
    mixed = "accounts=200&first_on=2026-12-15&months=3"
    page = look(f"{url('order_spot', organisation)}?{mixed}", "settings")
    go(page, language)
    expect(page).to_have_url(re.compile(r"/payment/$"))
    look(page.url, "payment")
    page.get_by_role("button", name=WORDS[language]["give_up"]).click()
    expect(page.get_by_text(WORDS[language]["given_up"])).to_be_visible()
    picture(page, "given-up")
    page.get_by_role("link", name=WORDS[language]["again"]).click()
    go(page, language)
    expect(page).to_have_url(re.compile(r"/payment/$"))
    late = NOW + timedelta(hours=24)
    with clock.fixed_at(late):
        look(page.url, "too-late")
        spots.lapse(order_id=SpotOrder.objects.latest("pk").pk, now=late)
        look(page.url, "lapsed")

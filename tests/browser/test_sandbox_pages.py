"""The sandbox's pages in a real browser: axe, a phone's width, no JavaScript, and the way back."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from gateway_sandbox import Sandbox
from tests.gateway_sandbox.client import Merchant

pytestmark = pytest.mark.browser
PHONE = 360


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def pages(sandbox: Sandbox) -> list[str]:
    """The addresses of the three pages, each with something to show."""
    merchant = Merchant(sandbox)
    merchant.refund(merchant.captured(), "500")
    merchant.member()
    sandbox.paypal.pending()
    merchant.order(merchant.agreement(email="b@example.com"), key="2", invoice="INV-2")
    setup = merchant.setup(key="3")["links"][0]["href"]
    order = merchant.order(key="4", invoice="INV-3").json()["links"][1]["href"]
    sandbox.faults.lose_reply("POST /v2/checkout/orders")
    return [setup, order, f"{sandbox.url}/sandbox/"]


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_and_no_page_scrolls_sideways_on_a_phone(
    browser: Browser, sandbox: Sandbox, pages: list[str], dark: bool
) -> None:
    context = browser.new_context(
        viewport={"width": PHONE, "height": 800}, color_scheme="dark" if dark else "light"
    )
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for url in pages:
        page.goto(url)
        broken = Axe().run(page).response["violations"]
        faults += [f"{url}: {each['id']} {each['nodes'][0]['html']}" for each in broken]
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE

    assert faults == []
    assert [url for url in asked if not url.startswith(sandbox.url)] == []
    context.close()


def test_a_payer_approves_with_the_keyboard_and_without_javascript(
    browser: Browser, sandbox: Sandbox
) -> None:
    # The way back leads to the sandbox's own page, there being no merchant's in this test.
    setup = Merchant(sandbox).setup(back=f"{sandbox.url}/sandbox/?state=s1")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(setup["links"][0]["href"])
    page.get_by_label("PayPal アカウント").fill("hanako@example.com")
    page.keyboard.press("Enter")
    page.wait_for_url("**/sandbox/**")

    assert page.url.startswith(f"{sandbox.url}/sandbox/?state=s1&approval_token_id={setup['id']}")
    assert page.get_by_text("hanako@example.com").count() == 1
    assert sandbox.ledger.setup_token(setup["id"]).status == "APPROVED"
    context.close()

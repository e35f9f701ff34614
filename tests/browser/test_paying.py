"""A month whose charge is declined, and recovers: with the real worker, by the keyboard alone. Rule: B-14."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect
from pypdf import PdfReader
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer
from redis import Redis

from gateway_sandbox import Sandbox
from payments.models import Payable
from tests.browser.conftest import Open, Watch
from tests.flows import portal
from tests.payments import collected, visits
from tests.payments.conftest import use

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

MINUTE = 60_000
CARD_FIELDS = "input[autocomplete^='cc-'], input[name*='card'], input[name*='cvc'], iframe"


@pytest.fixture
def sandbox(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, live_server: LiveServer, watch: Watch
) -> Iterator[Sandbox]:
    """Run PayPal where the portal under test, and its worker, find it."""
    settings.PORTAL_ORIGIN = live_server.url
    with Sandbox() as running:
        use(running, settings, monkeypatch)
        watch.also = running.url
        yield running


@pytest.fixture
def declined(sandbox: Sandbox, tmp_path: Path) -> Iterator[Payable]:
    """5,500 yen that the worker took up, charged and had declined; it goes on working."""
    organisation, root = collected.billed("Aoba", take_up=False)
    collected.paypal_method(organisation, root, sandbox)
    sandbox.paypal.decline()
    with Redis.from_url(portal.broker_url()) as broker:
        broker.flushdb()
        env = portal.environment(TICK_SECONDS="1", WORK_LEASE_SECONDS="60")
        beat = ("-B", "-s", str(tmp_path / "beat"))
        log = tmp_path / "worker.log"
        with portal.worker(env, log, *beat, queues="default,pdf,gateway"):
            portal.wait_until(Payable.objects.filter(declines=1).exists)
            yield Payable.objects.get(declines=1)
        broker.flushdb()


def _press(page: Page, what: Locator) -> None:
    """Go to something with the tabulator and press Enter, as who has no mouse does."""
    expect(what).to_be_visible()
    for _ in range(60):
        page.keyboard.press("Tab")
        if what.evaluate("element => element === document.activeElement"):
            page.keyboard.press("Enter")
            return
    pytest.fail(f"the keyboard does not reach {what}")


def _is_sound(page: Page) -> None:
    """Hold a page of ours to WCAG, and to asking for no card."""
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    expect(page.locator(CARD_FIELDS)).to_have_count(0)


def test_a_declined_month_is_paid_once_at_paypal_and_its_receipt_is_kept(
    open_page: Open, sandbox: Sandbox, declined: Payable
) -> None:
    assert declined.invoice is not None
    root = visits.root_of(declined.organisation)
    ids = {"invoice": str(declined.invoice.public_id)}
    page = open_page(visits.url("invoices", declined.organisation), user=root)
    row = page.get_by_role("row", name=declined.number)
    expect(row.get_by_text("declined (next try")).to_be_visible()
    _is_sound(page)

    _press(page, page.get_by_role("link", name=declined.number, exact=True))
    expect(page.get_by_text("The charge was declined.")).to_be_visible()
    expect(page.get_by_text("we charge ¥5,500 to PayPal (p•••@example.com)")).to_be_visible()
    _is_sound(page)

    _press(page, page.get_by_role("link", name="Pay now"))
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Pay invoice {declined.number}")
    _is_sound(page)
    _press(page, page.get_by_role("button", name="Go to PayPal"))

    expect(page).to_have_url(re.compile(f"^{re.escape(sandbox.url)}/approve/"))
    page.get_by_role("textbox").fill("other@example.com")
    _press(page, page.get_by_role("button", name="Approve", exact=True))

    expect(page).to_have_url(re.compile(f"{visits.url('invoice', declined.organisation, **ids)}$"))
    expect(page.get_by_text("Thank you. The payment has arrived.")).to_be_visible()
    expect(page.get_by_text("paid", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Pay now")).to_have_count(0)
    _is_sound(page)

    _press(page, page.get_by_role("link", name="Receipt"))
    expect(page.get_by_text(f"{declined.number}-R1")).to_be_visible()
    _is_sound(page)
    _press(page, page.get_by_role("button", name="Make a PDF of it"))
    link = page.get_by_role("link", name=f"Download receipt {declined.number}-R1 as PDF")
    expect(link).to_be_visible(timeout=MINUTE)
    with page.expect_download() as download:
        _press(page, link)

    text = "".join(each.extract_text() for each in PdfReader(download.value.path()).pages)
    assert f"{declined.number}-R1" in text
    assert "¥5,500" in text
    assert [row.amount for row in sandbox.ledger.captures if row.is_in] == [5_500]


@pytest.mark.parametrize("width", [360, 1280])
def test_who_is_late_reads_so_on_every_page_and_finds_the_way_to_pay(
    open_page: Open, sandbox: Sandbox, width: int
) -> None:
    customer = collected.customer(sandbox)
    Payable.objects.update(
        hold="declined", next_charge_at=None, overdue_at=customer.payable.created_at
    )
    assert customer.payable.invoice is not None
    ids = {"invoice": str(customer.payable.invoice.public_id)}

    for name, of in (("usage", {}), ("plan", {}), ("invoice", ids), ("invoice_pay", ids)):
        path = visits.url(name, customer.organisation, **of)
        page = open_page(path, user=customer.root, width=width, dark=width < 900)
        banner = page.locator(".notice--bad").first
        expect(banner).to_contain_text("¥5,500 is overdue since")
        _is_sound(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        banner.get_by_role("link").click()
        expect(page.get_by_role("row", name=customer.payable.number)).to_be_visible()
        _is_sound(page)
        page.context.close()

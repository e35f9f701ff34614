"""What a new user does in the first ten minutes, with the real worker behind it."""

import io
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from playwright.sync_api import Page, expect
from pypdf import PdfReader
from redis import Redis

from billing.models import Invoice
from tests.browser.conftest import Open
from tests.flows import portal

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FOCUS_SAMPLE = settings.BASE_DIR.parent / "shared" / "data" / "focus_sample_1_0.csv"
DEMO_CATALOGUE = settings.BASE_DIR / "demo" / "catalogue.toml"
FOCUS_CATALOGUE = settings.BASE_DIR / "examples" / "focus" / "catalogue.toml"
MINUTE = 60_000


@pytest.fixture
def portal_at_work(tmp_path: Path) -> Iterator[None]:
    """Run the worker and beat as `./dev run` does, with a tick each second."""
    with Redis.from_url(portal.broker_url()) as broker:
        broker.flushdb()
        env = portal.environment(TICK_SECONDS="1", BILLING_PAGE="2000", WORK_LEASE_SECONDS="60")
        beat = ("-B", "-s", str(tmp_path / "beat"))
        with portal.worker(env, tmp_path / "worker.log", *beat, queues="default,pdf"):
            yield
        broker.flushdb()


def _run(command: str, *arguments: str) -> str:
    out = io.StringIO()
    call_command(command, *arguments, stdout=out, stderr=out)
    return out.getvalue()


def _sign_in(page: Page, email: str, password: str) -> None:
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def _sign_out(page: Page) -> None:
    page.locator("header details summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Email")).to_be_visible()


def _download_pdf(page: Page) -> str:
    """Return the text of the PDF of the invoice that the page shows, asking for it if need be."""
    ask = page.get_by_role("button", name="Make the PDF now")
    link = page.get_by_role("link", name="as PDF")
    expect(ask.or_(link).or_(page.get_by_text("The PDF is being made")).first).to_be_visible()
    if ask.is_visible():
        ask.click()
    expect(link).to_be_visible(timeout=MINUTE)
    with page.expect_download() as download:
        link.click()
    return "".join(page.extract_text() for page in PdfReader(download.value.path()).pages)


def test_a_manager_and_a_root_of_a_demo_organisation(
    open_page: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, portal_at_work: None
) -> None:
    signins = tmp_path / "signins.txt"
    monkeypatch.setenv("DEMO_SIGNINS_FILE", str(signins))
    _run("demo_data", "--months", "3", "--large-events", "2000")
    people = [line.split() for line in signins.read_text().splitlines()]
    password = {words[1]: words[2] for words in people if len(words) > 2}
    page = open_page("/")

    _sign_in(page, "noah@bluebird-robotics.example", password["noah@bluebird-robotics.example"])

    expect(page).to_have_title(re.compile("^Usage"))
    expect(page.get_by_text("so far, tax included")).to_be_visible()
    expect(page.get_by_role("link", name="Orders and invoices")).to_have_count(0)
    page.get_by_role("link", name=re.compile("^‹")).click()
    expect(page.get_by_text("This is what the invoice says.")).to_be_visible()
    billed = page.locator(".money--figure").inner_text()
    _sign_out(page)

    _sign_in(page, "emma@bluebird-robotics.example", password["emma@bluebird-robotics.example"])
    page.get_by_role("link", name="Orders and invoices").click()
    page.get_by_role("row").nth(1).get_by_role("link").first.click()
    expect(page.locator(".money--figure")).to_have_text(billed)
    number = page.get_by_role("heading", level=1).inner_text().removeprefix("Invoice ")
    text = _download_pdf(page)

    assert "Bluebird Robotics, Inc." in text
    assert number in text
    assert billed in text


def test_the_focus_sample_from_the_file_to_the_explained_line(
    open_page: Open, portal_at_work: None
) -> None:
    if not FOCUS_SAMPLE.exists():
        pytest.skip(f"the FOCUS sample is not here: {FOCUS_SAMPLE}")
    _run("apply_catalogue", str(DEMO_CATALOGUE))
    _run("apply_catalogue", str(FOCUS_CATALOGUE))
    _run(
        *("import_usage", str(FOCUS_SAMPLE), "--format", "focus", "--create-organisations"),
        *("--licence", "focus", "--since", "2024-08-01"),
        *("--country", "US", "--currency", "USD", "--language", "en"),
    )
    password = {}
    for role in ("root", "manager"):
        who = ("--organisation-name", "Atlas Orion", "--email", f"{role}@atlas.example")
        printed = _run("register_member", *who, "--role", role)
        password[role] = printed.rpartition("shown this once: ")[2].strip()
    page = open_page("/")

    _sign_in(page, "manager@atlas.example", password["manager"])
    page.goto(page.url + "?date=2024-09")
    expect(page).to_have_title(re.compile("September 2024"))
    figure = page.locator(".money--figure").inner_text()
    _sign_out(page)

    # The month ends since then run by themselves, through the worker.
    september = Invoice.objects.filter(organisation__name="Atlas Orion", month=date(2024, 9, 1))
    portal.wait_until(september.exists)
    _sign_in(page, "root@atlas.example", password["root"])
    page.get_by_role("link", name="Orders and invoices").click()
    page.get_by_label("Invoice or order number").fill(str(september.get().number))
    page.get_by_role("button", name="Find").click()
    page.get_by_role("row").nth(1).get_by_role("link").first.click()
    expect(page.locator(".money--figure")).to_have_text(figure)
    invoice = page.url
    text = _download_pdf(page)
    assert "Atlas Orion" in text
    assert figure in text
    assert "1 September 2024" in text

    page.goto(invoice)
    priced = september.get().lines.filter(kind="usage", net__gt=0).order_by("position")[0]
    page.locator(f"a[href$='/lines/{priced.position}/']").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(priced.name_en)
    days = page.get_by_role("table").last.get_by_role("row")
    quantities = [
        Decimal(cells[1].replace(",", ""))
        for cells in (row.split("\t") for row in days.all_inner_texts()[1:-1])
    ]
    assert sum(quantities) == Decimal(priced.explanation["used"])

"""A root ends the contract in a real browser, with all that is refused and comes after. Rule: S1-27…S1-30.

The pictures are left in the directory that CANCELLATION_PICTURES names, else in the test's own.
"""

import csv
import hashlib
import io
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import translation
from django.utils.translation import gettext
from playwright.sync_api import Locator, Page, expect
from pypdf import PdfReader
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer
from redis import Redis

from accounts.enums import Role
from accounts.models import Organisation, User
from billing.services import issue
from cancellation.models import Cancellation, ReceiptDocument
from core import clock, work
from core.months import BillingMonth
from core.templatetags.writing import day
from gateway_sandbox import Sandbox
from payments.gateways import registry
from payments.models import Payable
from payments.services import collecting
from plans.enums import Category
from plans.models import CancellationTerms, Meter
from tests import make
from tests.browser.conftest import Open, Watch
from tests.cancellation import leaving
from tests.cancellation.leaving import local
from tests.flows import portal
from tests.ordering import customers
from tests.pages import customers as pages
from tests.pages.customers import use as measure
from tests.payments import spotted
from tests.payments.conftest import use
from tests.payments.farside import tick
from tests.payments.visits import url

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

NOW = make.NOW
END = local(12, 1)
MINUTE = 60_000
RECEIPT = re.compile("/cancellation/[0-9a-f-]{36}/(#.*)?$")
LANGUAGES = pytest.mark.parametrize("language", ["en", "ja"])

Picture = Callable[[Page, str], None]


class Time:
    """The portal's clock, which a test moves."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def comes(self, now: datetime) -> None:
        self._stack.enter_context(clock.fixed_at(now))


@pytest.fixture
def time() -> Iterator[Time]:
    with ExitStack() as stack:
        stack.enter_context(clock.fixed_at(NOW))
        yield Time(stack)


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
    folder = Path(os.environ.get("CANCELLATION_PICTURES", tmp_path))
    test = re.sub(r"\W+", "-", request.node.name).strip("-")

    def keep(page: Page, name: str) -> None:
        page.screenshot(path=folder / f"{test}-{name}.png", full_page=True)
        results = Axe().run(page)
        assert results.violations_count == 0, results.generate_report()
        assert page.evaluate(
            "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        ), f"{name} is too wide"

    return keep


@pytest.fixture
def kobo(time: Time) -> Organisation:
    """Basic and Silver, paid month by month; a manager and a member beside the root."""
    organisation = leaving.customer()
    make.member(organisation, role=Role.MANAGER, email="manager@kobo.example")
    make.member(organisation, email="member@kobo.example")
    return organisation


@pytest.fixture
def aoba(time: Time, sandbox: Sandbox) -> Organisation:
    """All at once: a term, its renewal, a spot contract, an order and an invoice that are not paid.

    Starter 100 since 10 November, renewed for a year; 100 accounts more until 21 January; Silver since
    September, whose invoice for October was declined.
    """
    terms()
    who = spotted.buyer("青葉デバイス株式会社")
    organisation = who.organisation
    organisation.customer_since = date(2026, 9, 10)
    organisation.billing_name = organisation.name
    organisation.save()
    silver = make.plan_version("silver", category=Category.SUPPORT, prices={"JPY": 3_000})
    make.selection(organisation, silver, local(9, 10))
    make.member(organisation, role=Role.MANAGER, email="manager@aoba.example")
    make.member(organisation, email="member@aoba.example")
    billed_at = local(11, 1, 12)
    for month in (BillingMonth(2026, 9), BillingMonth(2026, 10)):
        issue.bill_page(
            first_id=organisation.pk, last_id=organisation.pk, month=month, now=billed_at
        )
    collecting.take_up(billed_at)
    spotted.register(who, sandbox)
    spotted.pay(spotted.place(who, months=2))
    spotted.place(who, first_on=date(2026, 12, 15))
    Payable.objects.filter(spot_order=None).update(
        hold="declined", next_charge_at=None, overdue_at=local(11, 15, 9)
    )
    return organisation


def terms() -> CancellationTerms:
    """Terms as a vendor would write them."""
    texts = (
        (
            "最終日を過ぎると、ルートアカウントを除くすべてのアカウントが無効になることを理解しました。",
            "I understand that after the last day all accounts but the root account are deactivated.",
        ),
        (
            "残りの契約期間とスポット契約の料金は返金されないことに同意します。",
            "I agree that fees for what is left of the term and of spot contracts are not refunded.",
        ),
        (
            "最終月のご利用分は翌月に請求され、未払いの請求のお支払いは引き続き必要であることに同意します。",
            "I agree that the last month is billed in the month after it, and that unpaid bills stay due.",
        ),
    )
    return CancellationTerms.objects.create(
        number=1,
        title_ja="解約条件",
        title_en="Cancellation terms",
        intro_ja="ご解約の前に、以下の各項目をお読みください。",
        intro_en="Read each of these points before you end the contract.",
        boxes=[{"ja": ja, "en": en} for ja, en in texts],
        created_at=NOW,
    )


def say(language: str, sentence: str, **names: object) -> str:
    """Return a sentence of the catalogue in a language."""
    with translation.override(language):
        return gettext(sentence) % names if names else gettext(sentence)


def day_in(language: str, on: date) -> str:
    with translation.override(language):
        return day(on)


def root_of(organisation: Organisation) -> User:
    return leaving.root(organisation)


def go_on(page: Page, organisation: Organisation, language: str) -> None:
    """From what follows to the terms."""
    page.goto(url("cancellation", organisation))
    page.get_by_role("button", name=say(language, "Go on to the terms")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(
        say(language, "Confirm the cancellation")
    )


def end_button(page: Page) -> Locator:
    return page.locator("button.button--danger")


def tick_boxes(page: Page, boxes: int = 3) -> None:
    for number in range(1, boxes + 1):
        page.locator(f"#box_{number}").check()


def give_password(page: Page, language: str, password: str = make.PASSWORD) -> None:
    page.get_by_label(say(language, "Your password"), exact=True).fill(password)


def confirm(page: Page, language: str) -> None:
    tick_boxes(page)
    give_password(page, language)
    end_button(page).click()


def cancelled() -> int:
    return Cancellation.objects.filter(withdrawn_at=None).count()


@LANGUAGES
def test_a_root_ends_the_contract_and_takes_it_back(
    open_page: Open, aoba: Organisation, picture: Picture, language: str
) -> None:
    last = day_in(language, date(2026, 11, 30))
    page = open_page(f"{url('contract', aoba)}#cancellation", user=root_of(aoba), language=language)
    expect(page.locator("#cancellation")).to_be_in_viewport()
    picture(page, "1-contract")

    page.get_by_role("link", name=say(language, "See what a cancellation means")).click()
    expect(page.get_by_text(last).first).to_be_visible()
    picture(page, "2-what-follows")
    assert cancelled() == 0
    page.get_by_role("button", name=say(language, "Go on to the terms")).click()
    expect(page.locator("#box_3")).to_be_visible()
    picture(page, "3-terms")
    expect(end_button(page)).to_contain_text(last)
    confirm(page, language)

    expect(page.get_by_role("heading", level=1)).to_have_text(
        say(language, "Receipt of your cancellation")
    )
    picture(page, "4-receipt")
    assert cancelled() == 1
    page.goto(url("usage", aoba))
    banner = page.locator(".notice", has_text=last)
    expect(banner).to_be_visible()
    banner.get_by_role("link").click()
    expect(page).to_have_url(re.compile("/contract/#cancellation$"))
    picture(page, "5-contract-that-ends")

    page.get_by_role("link", name=say(language, "Withdraw the cancellation")).last.click()
    picture(page, "6-withdraw")
    page.get_by_role("button", name=say(language, "Withdraw the cancellation")).click()
    expect(page.get_by_role("status").first).to_contain_text(
        say(language, "The cancellation is withdrawn. Your contract goes on.")
    )
    assert cancelled() == 0
    page.goto(url("usage", aoba))
    expect(page.locator(".notice", has_text=last)).to_have_count(0)


@LANGUAGES
@pytest.mark.parametrize("ticked", [(), (1, 3)], ids=["none", "one-missing"])
def test_without_every_tick_nothing_ends_and_what_was_typed_stays(
    open_page: Open, kobo: Organisation, language: str, ticked: tuple[int, ...]
) -> None:
    page = open_page(url("cancellation", kobo), user=root_of(kobo), language=language)
    go_on(page, kobo, language)

    for number in ticked:
        page.locator(f"#box_{number}").check()
    page.get_by_label(say(language, "In your own words")).fill("too dear")
    give_password(page, language)
    end_button(page).click()

    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_label(say(language, "In your own words"))).to_have_value("too dear")
    expect(page.locator("#box_2_error")).to_be_visible()
    for number in ticked:
        expect(page.locator(f"#box_{number}")).to_be_checked()
    assert cancelled() == 0
    # The summary leads to the boxes; with all of them it goes through.
    page.get_by_role("alert").get_by_role("link").first.click()
    confirm(page, language)
    expect(page).to_have_url(RECEIPT)
    assert cancelled() == 1


@LANGUAGES
def test_a_wrong_password_ends_nothing(
    open_page: Open, kobo: Organisation, picture: Picture, language: str
) -> None:
    page = open_page(url("cancellation", kobo), user=root_of(kobo), language=language, width=360)
    go_on(page, kobo, language)

    tick_boxes(page)
    give_password(page, language, "not my password")
    end_button(page).click()

    expect(page.get_by_role("alert")).to_contain_text(say(language, "This is not your password."))
    picture(page, "refused")
    for number in (1, 2, 3):
        expect(page.locator(f"#box_{number}")).to_be_checked()
    assert cancelled() == 0


def test_a_manager_sees_the_last_day_and_can_end_nothing(
    open_page: Open, kobo: Organisation
) -> None:
    manager = kobo.memberships.get(role=Role.MANAGER).user
    page = open_page(url("cancellation", kobo), user=manager)

    expect(page.get_by_role("heading", level=1)).to_contain_text("may not")
    page.goto(url("usage", kobo))
    expect(page.get_by_role("link", name="Contract details")).to_have_count(0)


def test_two_clicks_back_and_a_reload_end_one_contract(open_page: Open, kobo: Organisation) -> None:
    page = open_page(url("cancellation", kobo), user=root_of(kobo))
    go_on(page, kobo, "en")
    tick_boxes(page)
    give_password(page, "en")

    end_button(page).dblclick()
    expect(page).to_have_url(RECEIPT)
    receipt = page.url
    page.go_back()
    page.reload()

    # The page that was confirmed leads to its receipt, whatever way it is opened.
    expect(page).to_have_url(receipt)
    page.goto(url("cancellation", kobo))
    expect(page.get_by_text("Your contract is cancelled already")).to_be_visible()
    assert Cancellation.objects.count() == 1


@LANGUAGES
def test_a_plan_that_changed_in_between_is_shown_before_anything_ends(
    open_page: Open, kobo: Organisation, language: str
) -> None:
    page = open_page(url("cancellation", kobo), user=root_of(kobo), language=language)
    go_on(page, kobo, language)
    change_plan(open_page, kobo)

    confirm(page, language)

    alert = page.get_by_role("alert")
    expect(alert).to_be_focused()
    expect(alert).to_contain_text(say(language, "Your plans have changed."))
    expect(page.locator("dl.facts")).to_contain_text(re.compile("gold", re.IGNORECASE))
    assert cancelled() == 0
    confirm(page, language)
    expect(page).to_have_url(RECEIPT)
    assert cancelled() == 1


def change_plan(open_page: Open, organisation: Organisation) -> None:
    """Change to Pro in another window."""
    page = open_page(
        url("plan_change", organisation, category="support"), user=root_of(organisation)
    )
    page.locator("input[name=plan][value=gold]").check()
    page.get_by_role("button", name="Go to the review").click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page).to_have_url(re.compile("/receipt/$"))
    page.context.close()


def test_a_page_older_than_fifteen_minutes_leads_to_a_new_one(
    open_page: Open, kobo: Organisation, time: Time, picture: Picture
) -> None:
    page = open_page(url("cancellation", kobo), user=root_of(kobo))
    go_on(page, kobo, "en")
    tick_boxes(page)
    give_password(page, "en")

    time.comes(NOW + timedelta(minutes=16))
    end_button(page).click()

    expect(page.get_by_role("alert")).to_contain_text("This page is older than 15 minutes")
    picture(page, "too-old")
    assert cancelled() == 0
    page.get_by_role("link", name="Look again").click()
    expect(page.get_by_role("button", name="Go on to the terms")).to_be_visible()


def test_what_another_organisation_was_shown_is_not_found(
    open_page: Open, kobo: Organisation
) -> None:
    page = open_page(url("cancellation", kobo), user=root_of(kobo))
    go_on(page, kobo, "en")
    theirs = page.url
    other = customers.kobo_again()

    stranger = open_page("/", user=root_of(other))
    answer = stranger.goto(theirs)
    assert answer is not None
    assert answer.status == 404
    answer = stranger.goto(theirs.replace(str(kobo.public_id), str(other.public_id)))
    assert answer is not None
    assert answer.status == 404


@LANGUAGES
def test_without_scripts_by_keyboard_alone(
    open_page: Open, kobo: Organisation, picture: Picture, language: str
) -> None:
    page = open_page(
        url("contract", kobo), user=root_of(kobo), language=language, scripts=False, width=360
    )

    press(page, page.get_by_role("link", name=say(language, "See what a cancellation means")))
    press(page, page.get_by_role("button", name=say(language, "Go on to the terms")))
    for number in (1, 2, 3):
        press(page, page.locator(f"#box_{number}"), key="Space")
    reach(page, page.get_by_label(say(language, "Your password"), exact=True))
    page.keyboard.type(make.PASSWORD)
    press(page, end_button(page))

    expect(page.get_by_role("heading", level=1)).to_have_text(
        say(language, "Receipt of your cancellation")
    )
    assert cancelled() == 1
    press(page, page.get_by_role("link", name=say(language, "Withdraw the cancellation")))
    press(page, page.get_by_role("button", name=say(language, "Withdraw the cancellation")))
    expect(page).to_have_url(re.compile("/contract/#cancellation$"))
    assert cancelled() == 0


def reach(page: Page, what: Locator) -> None:
    """Go to something with the tabulator, as who has no mouse does."""
    expect(what).to_be_visible()
    for _ in range(80):
        page.keyboard.press("Tab")
        if what.evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"the keyboard does not reach {what}")


def press(page: Page, what: Locator, key: str = "Enter") -> None:
    reach(page, what)
    page.keyboard.press(key)


def sign_in(open_page: Open, email: str) -> Page:
    page = open_page("/account/login/")
    page.get_by_label("Email", exact=True).fill(email)
    page.get_by_label("Password", exact=True).fill(make.PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    return page


def test_after_the_last_day_only_the_root_is_left_and_may_come_back(
    open_page: Open, aoba: Organisation, sandbox: Sandbox, time: Time, picture: Picture
) -> None:
    root = root_of(aoba)
    leaving.cancelled(aoba, NOW)
    member = aoba.memberships.get(user__email="member@aoba.example").user
    theirs = open_page("/", user=member)
    time.comes(END - timedelta(seconds=1))
    assert sign_in(open_page, member.email).url.endswith("/")

    # The night's work is late: the date alone decides.
    time.comes(END)
    theirs.goto(url("usage", aoba))
    expect(theirs.get_by_role("heading", level=1)).not_to_have_text("Usage")
    refused = sign_in(open_page, member.email)
    expect(refused.get_by_role("heading", level=1)).not_to_have_text("Usage")
    tick(END, sandbox)
    tick(local(12, 1, 7), sandbox)
    time.comes(local(12, 1, 8))

    page = sign_in(open_page, root.email)
    expect(page.get_by_text("Your contract ended with 30 November 2026.").first).to_be_visible()
    page.goto(url("invoices", aoba))
    picture(page, "1-invoices")
    page.get_by_role("link", name="KC-00000001", exact=True).click()
    expect(page.get_by_role("link", name=re.compile("PDF")).first).to_be_visible()
    # What is not paid stays due, and can be paid.
    page.get_by_role("link", name="Pay now").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Pay invoice KC-00000001")
    expect(page.locator("main form button").first).to_be_enabled()
    for name in ("contract", "plan", "usage", "order", "order_spot", "accounts", "archive"):
        page.goto(url(name, aoba))
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        picture(page, f"2-{name}")

    page.get_by_role("button", name="Make the archive").click()
    work.run_due([work.PDF_QUEUE])
    page.goto(url("archive", aoba))
    expect(page.get_by_role("link", name="Download the archive")).to_be_visible()
    page.goto(f"{url('contract', aoba)}#cancellation")
    page.locator("#cancellation").get_by_role("link", name="Come back").click()
    picture(page, "3-come-back")
    page.get_by_role("button", name="Become a customer again").click()
    expect(page.get_by_text("Welcome back.")).to_be_visible()
    picture(page, "4-back")
    aoba.refresh_from_db()
    assert aoba.closed_on is None


@pytest.fixture
def worker(sandbox: Sandbox, tmp_path: Path) -> Iterator[None]:
    """A real worker beside the pages, at the present time."""
    with Redis.from_url(portal.broker_url()) as broker:
        broker.flushdb()
        env = portal.environment(TICK_SECONDS="1", WORK_LEASE_SECONDS="60")
        beat = ("-B", "-s", str(tmp_path / "beat"))
        with portal.worker(env, tmp_path / "worker.log", *beat, queues="default,pdf"):
            yield
        broker.flushdb()


@pytest.fixture
def billed(sandbox: Sandbox) -> Organisation:
    """A customer of whom September and October are billed, and who used something in October."""
    organisation = pages.aoba()
    make.member(organisation)
    measure(organisation, Meter.objects.get(code="api_calls"), date(2026, 10, 6), "1234.5")
    pages.close(organisation, pages.OCTOBER)
    make.cancellation_terms()
    return organisation


def test_a_worker_makes_receipt_and_archive_and_they_say_what_the_pages_say(
    open_page: Open, billed: Organisation, worker: None, picture: Picture, tmp_path: Path
) -> None:
    page = open_page(url("cancellation", billed), user=root_of(billed))
    go_on(page, billed, "en")
    confirm(page, "en")
    link = page.get_by_role("link", name="Download this receipt as PDF")
    expect(link).to_be_visible(timeout=MINUTE)
    picture(page, "1-receipt")
    with page.expect_download() as download:
        link.click()
    read = "".join(each.extract_text() for each in PdfReader(download.value.path()).pages)
    assert f"{billed.reference}-C1" in read
    assert ReceiptDocument.objects.get().pdf == download.value.path().read_bytes()

    page.get_by_role("link", name="Take your data along").click()
    picture(page, "2-archive-nothing-yet")
    page.get_by_role("button", name="Make the archive").click()
    expect(page.locator("#archive")).to_contain_text("being made")
    picture(page, "3-archive-being-made")
    link = page.get_by_role("link", name="Download the archive")
    expect(link).to_be_visible(timeout=MINUTE)
    picture(page, "4-archive-ready")
    with page.expect_download() as download:
        link.click()

    archive = zipfile.ZipFile(download.value.path())
    assert told_files(archive) == set(archive.namelist()) - {"manifest.json"}
    invoices = {
        each["number"]: each["gross"]
        for name in archive.namelist()
        if name.endswith(".json") and name.startswith("documents/")
        for each in json.loads(archive.read(name))
    }
    page.goto(url("invoices", billed))
    rows = page.locator("tbody tr", has_text="KC-0")
    expect(rows).to_have_count(len(invoices))
    for number, gross in invoices.items():
        expect(page.get_by_role("row", name=number)).to_contain_text(f"¥{gross:,}")
        assert archive.read(f"documents/{number}.pdf").startswith(b"%PDF")
    page.goto(f"{url('usage', billed)}?year=2026&month=10")
    content = archive.read("usage/2026-10.csv").decode("utf-8-sig")
    used = [(row["day"], row["quantity"]) for row in csv.DictReader(io.StringIO(content))]
    assert used == [("2026-10-05", "50000"), ("2026-10-06", "1234.5")]
    expect(page.locator("main")).to_contain_text("51,234.5")


def told_files(archive: zipfile.ZipFile) -> set[str]:
    """Return what the archive's own list names; each has the hash that it says."""
    listed = json.loads(archive.read("manifest.json"))["files"]
    for each in listed:
        assert hashlib.sha256(archive.read(each["name"])).hexdigest() == each["sha256"]
    return {each["name"] for each in listed}

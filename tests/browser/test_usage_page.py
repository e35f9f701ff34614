import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from accounts.enums import Role
from accounts.models import Organisation, User
from core import clock
from tests import make
from tests.browser.conftest import Open
from tests.pages import customers

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

NOW = datetime(2026, 11, 22, 5, 5, tzinfo=UTC)


@pytest.fixture
def aoba() -> Iterator[Organisation]:
    with clock.fixed_at(NOW):
        yield customers.aoba()


@pytest.fixture
def manager(aoba: Organisation) -> User:
    make.member(aoba)
    return make.member(aoba, role=Role.MANAGER).user


def _figure(page: Page) -> str:
    return page.locator(".money--figure").inner_text()


def test_another_month_is_chosen_with_the_keyboard_and_swapped_in_place(
    open_page: Open, manager: User
) -> None:
    page = open_page("/", user=manager)
    page.evaluate("window.sameDocument = true")
    month = page.get_by_label("Month", exact=True)

    month.focus()
    page.keyboard.press("ArrowUp")

    expect(page.locator(".money--figure")).to_have_text("¥14,300")
    expect(page).to_have_title(re.compile("^Usage · October 2026"))
    expect(page).to_have_url(re.compile(r"\?year=2026&month=10$"))
    expect(page.get_by_label("Month", exact=True)).to_be_focused()
    expect(page.get_by_role("status")).to_have_text("October 2026: ¥14,300")
    assert page.evaluate("window.sameDocument") is True
    page.go_back()
    expect(page.locator(".money--figure")).to_have_text("¥14,520")


def test_the_month_before_is_one_click_away(
    open_page: Open, manager: User, aoba: Organisation
) -> None:
    customers.close(aoba, customers.OCTOBER)
    page = open_page("/", user=manager)

    page.get_by_role("link", name="October 2026", exact=True).last.click()

    expect(page.locator(".money--figure")).to_have_text("¥14,300")
    expect(page.get_by_text("This is what the invoice says.")).to_be_visible()


def test_everything_works_without_scripts(open_page: Open, manager: User) -> None:
    page = open_page("/", user=manager, scripts=False)

    page.get_by_label("Month", exact=True).select_option("10")
    page.get_by_role("button", name="Show").click()

    assert _figure(page) == "¥14,300"
    page.locator("summary", has_text="how it was computed").first.click()
    expect(page.get_by_text("2 × ¥5,000 a month = ¥10,000")).to_be_visible()


def test_an_amount_explains_itself(open_page: Open, manager: User) -> None:
    page = open_page("/", user=manager)

    page.locator("summary", has_text="how it was computed").first.press("Enter")

    expect(page.get_by_text("20,000.5 × ¥0.01 = ¥200.005")).to_be_visible()


def test_the_days_are_saved_as_csv(open_page: Open, manager: User, tmp_path: Path) -> None:
    page = open_page("/", user=manager)

    with page.expect_download() as download:
        page.get_by_role("link", name="Download the days as CSV").click()

    assert download.value.suggested_filename == "usage-2026-11-days.csv"
    saved = tmp_path / "days.csv"
    download.value.save_as(saved)
    assert "2026-11-04,api_calls,Api calls,calls,60000.5" in saved.read_text("utf-8-sig")


def test_a_month_outside_the_contract_says_so_and_offers_the_others(
    open_page: Open, manager: User, aoba: Organisation
) -> None:
    page = open_page(f"/o/{aoba.public_id}/usage/?date=2025-01", user=manager)

    expect(page.get_by_text("There is no such month to show.")).to_be_visible()
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".money--figure")).to_have_text("¥14,520")


def test_a_session_that_ended_meanwhile_leads_to_the_sign_in_page(
    open_page: Open, manager: User
) -> None:
    page = open_page("/", user=manager)
    page.context.clear_cookies()

    page.get_by_label("Month", exact=True).select_option("10")

    expect(page.get_by_role("heading", level=1, name="Sign in")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_count(1)


def test_the_skip_link_is_the_first_stop_and_leads_to_the_content(
    open_page: Open, manager: User
) -> None:
    page = open_page("/", user=manager)

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.locator("main")).to_be_focused()

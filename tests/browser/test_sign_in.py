import re

import pytest
from playwright.sync_api import expect

from accounts.enums import Role
from tests import make
from tests.browser.conftest import Open

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(
    ("language", "email", "password", "button", "heading"),
    [
        ("en", "Email", "Password", "Sign in", "Usage"),
        ("ja", "メールアドレス", "パスワード", "ログイン", "ご利用状況"),
    ],
)
def test_a_manager_signs_in_with_the_keyboard(
    open_page: Open, language: str, email: str, password: str, button: str, heading: str
) -> None:
    make.vendor()
    organisation = make.organisation()
    make.member(organisation)
    make.member(organisation, role=Role.MANAGER, email="manager@example.com")
    page = open_page("/", language=language)

    page.get_by_label(email, exact=True).fill("manager@example.com")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_label(password, exact=True)).to_be_focused()
    page.keyboard.type(make.PASSWORD)
    expect(page.get_by_role("button", name=button, exact=True)).to_be_visible()
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1, name=heading)).to_be_visible()
    expect(page).to_have_url(re.compile(f"/o/{organisation.public_id}/usage/$"))


def test_a_wrong_password_is_told_at_the_top_where_the_focus_goes(open_page: Open) -> None:
    page = open_page("/account/login/")

    page.get_by_label("Email", exact=True).fill("nobody@example.com")
    page.get_by_label("Password", exact=True).fill("not the password")
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_label("Email", exact=True)).to_have_value("nobody@example.com")


def test_the_language_changes_in_place_and_stays(open_page: Open) -> None:
    page = open_page("/account/password/reset/")

    page.get_by_role("button", name="日本語").click()

    expect(page.get_by_role("heading", level=1, name="パスワードの再設定")).to_be_visible()
    page.goto("/account/login/")
    expect(page.get_by_role("heading", level=1, name="ログイン")).to_be_visible()


def test_the_user_menu_signs_out(open_page: Open) -> None:
    make.vendor()
    page = open_page("/", user=make.member(make.organisation()).user)

    page.get_by_text("Hanako Sato").click()
    page.get_by_role("button", name="Sign out").click()
    page.goto("/")

    expect(page.get_by_role("heading", level=1, name="Sign in")).to_be_visible()

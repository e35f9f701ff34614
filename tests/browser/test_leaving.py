"""A root sees who leaves and chooses who stays, also without scripts. Rule: design.md 6.4, 6.5."""

from collections.abc import Iterator
from datetime import date

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from accounts.models import Membership, Organisation, User
from core import clock
from tests.browser.conftest import Open
from tests.ordering import customers as ordering
from tests.payments.visits import url
from tests.seats import customers
from tests.seats.customers import at

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _today() -> Iterator[None]:
    with clock.fixed_at(at(4, 20, 12)):
        yield


@pytest.fixture
def root(db: None) -> User:
    """The root of sixteen accounts: ten places, ten more by spot in April."""
    root = customers.customer(customers.catalogue())
    organisation = root.organisation
    for number, each in enumerate(customers.people(organisation, 15, at(2, 1))):
        each.user.email = f"p{number:02}@kobo.example"
        each.user.save()
    customers.spot(organisation, 10, date(2026, 4, 1))
    ordering.method(organisation)
    return root.user


@pytest.fixture
def kobo(root: User) -> Organisation:
    return root.memberships.get().organisation


def test_the_root_chooses_who_stays_without_scripts(
    open_page: Open, root: User, kobo: Organisation
) -> None:
    page = open_page(url("accounts_leaving", kobo), user=root, scripts=False)
    first = page.locator("tbody tr", has_text="p14@kobo.example")
    expect(first).to_contain_text("1 May 2026")

    first.get_by_role("button", name="Protect").click()

    row = page.locator("tbody tr", has_text="p14@kobo.example")
    expect(row).to_contain_text("protected")
    expect(row).not_to_contain_text("1 May 2026")
    expect(page.locator("tbody tr", has_text="p08@kobo.example")).to_contain_text("1 May 2026")

    for who in ("p01", "p02"):
        page.locator("tbody tr", has_text=f"{who}@").get_by_role("button", name="Let go").click()
    rows = page.locator(".leaving__list tbody tr")
    expect(rows.first).to_contain_text("p02@kobo.example")
    rows.first.get_by_role("button", name="Later").click()
    expect(page.locator(".leaving__list tbody tr").first).to_contain_text("p01@kobo.example")

    page.get_by_role("button", name="Take back all choices").click()
    expect(page.locator(".leaving__list tbody tr").first).to_contain_text("p14@kobo.example")
    assert not Membership.objects.filter(is_protected=True).exists()


def test_extending_leads_to_the_settings_filled_in(
    open_page: Open, root: User, kobo: Organisation
) -> None:
    page = open_page(url("accounts_leaving", kobo), user=root)

    page.get_by_role("link", name="Extend: 10 accounts by spot").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Add Spot")
    expect(page.locator("#id_accounts")).to_have_value("10")
    expect(page.locator("#id_first_on")).to_have_value("2026-05-01")
    expect(page.locator("#id_months")).to_have_value("1")
    expect(page.locator("#preview")).to_contain_text("¥5,500")


@pytest.mark.parametrize(
    ("dark", "language", "width"),
    [
        pytest.param(False, "en", 360, id="light, English, phone"),
        pytest.param(True, "ja", 1280, id="dark, Japanese, desk"),
    ],
)
def test_axe_finds_nothing_and_nothing_is_too_wide(
    open_page: Open, root: User, kobo: Organisation, dark: bool, language: str, width: int
) -> None:
    axe, found = Axe(), []
    wish = "accounts=10&first_on=2026-05-10&months=2"
    for path in (
        url("accounts_leaving", kobo),
        f"{url('accounts_leaving', kobo)}?{wish}&q=p0",
        url("contract", kobo),
        f"{url('order_spot', kobo)}?{wish}",
    ):
        page = open_page(path, user=root, dark=dark, language=language, width=width)
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        results = axe.run(page)
        if results.violations_count:
            found.append(f"{path}: {results.generate_report()}")
        if page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        ):
            found.append(f"{path} is too wide")

    assert found == []

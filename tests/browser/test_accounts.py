"""A root and the people of an organisation in a real browser. Rule: S2-11, S2-19, F60, design.md 7."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import FilePayload, Page, expect

from accounts.enums import Role
from accounts.models import Membership, Organisation, User
from core import clock, work
from core.models import Mail
from seats.services import groups
from tests import make
from tests.browser.conftest import Open
from tests.seats import customers
from tests.seats.customers import at
from tests.seats.test_pages import automatically_out, person, url

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

NOW = at(4, 10, 9)
FILE = (
    "email,name,role,groups\n"
    "emi@aoba.example,高橋 恵美,manager,Tokyo\n"
    "ken@aoba.example,渡辺 健,,Tokyo; Sales\n"
    "emi@aoba.example,高橋 恵美,,\n"
    "hanako@aoba.example,佐藤 花子,,\n"
    "nobody,,,\n"
)


@pytest.fixture
def root() -> Iterator[Membership]:
    with clock.fixed_at(NOW):
        root = customers.customer(customers.catalogue())
        User.objects.filter(pk=root.user_id).update(last_login=NOW)
        Organisation.objects.filter(pk=root.organisation_id).update(language="en")
        yield root


def path_in_mail() -> str:
    found = re.search(r"http://localhost:8000(/invitation/\S+/)", Mail.objects.latest("pk").text)
    assert found is not None
    return found[1]


def csv_file(content: bytes) -> FilePayload:
    return {"name": "people.csv", "mimeType": "text/csv", "buffer": content}


def sign_in(page: Page, email: str) -> None:
    page.get_by_label("Email", exact=True).fill(email)
    page.get_by_label("Password", exact=True).fill(make.PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_person_is_invited_sets_a_password_and_signs_in(
    open_page: Open, root: Membership, scripts: bool
) -> None:
    page = open_page(url("accounts", root.organisation), user=root.user, scripts=scripts)
    page.get_by_role("link", name="Register an account").first.click()
    page.get_by_label("E-mail address").fill("emi@aoba.example")
    page.keyboard.press("Tab")
    page.keyboard.type("高橋 恵美")
    page.get_by_label("Role").select_option("manager")
    page.get_by_role("button", name="Register and invite").click()

    expect(page.get_by_role("status")).to_contain_text("the invitation is on its way")
    expect(page.get_by_text("2 of 10 accounts are in use; 8 are free.")).to_be_visible()
    row = page.get_by_role("row").filter(has_text="emi@aoba.example")
    expect(row).to_contain_text("invited")

    theirs = open_page(path_in_mail(), scripts=scripts)
    theirs.get_by_label("New password", exact=True).fill(make.PASSWORD)
    theirs.get_by_label("New password (again)").fill(make.PASSWORD)
    theirs.get_by_role("button", name="Save the password").click()
    expect(theirs.get_by_role("status")).to_contain_text("Your password is set.")
    sign_in(theirs, "emi@aoba.example")
    expect(theirs.get_by_role("heading", level=1, name="Usage")).to_be_visible()

    page.reload()
    expect(row).to_contain_text("active")


@pytest.mark.parametrize("scripts", [True, False])
def test_a_file_with_good_doubled_and_wrong_rows(
    open_page: Open, root: Membership, scripts: bool
) -> None:
    person(root.organisation, "hanako@aoba.example", name="佐藤 花子")
    page = open_page(url("accounts_import", root.organisation), user=root.user, scripts=scripts)
    page.get_by_label("CSV file").set_input_files(csv_file(FILE.encode("cp932")))
    page.get_by_role("button", name="Check the file").click()

    expect(page.get_by_text("2 of 5 rows will be registered.")).to_be_visible()
    expect(page.get_by_text("The address stands in line 2 already.")).to_be_visible()
    expect(page.get_by_text("This is no e-mail address.")).to_be_visible()
    page.get_by_role("button", name="Register 2 accounts").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    work.run_due(["default"], limit=1)

    if not scripts:
        page.get_by_role("link", name="Refresh").click()
    expect(page.get_by_text("2 of 5 rows are registered.")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_have_count(0)
    assert set(root.organisation.memberships.values_list("user__email", flat=True)) >= {
        "emi@aoba.example",
        "ken@aoba.example",
    }


def test_a_refused_file_is_told_where_the_focus_goes(open_page: Open, root: Membership) -> None:
    page = open_page(url("accounts_import", root.organisation), user=root.user)
    page.get_by_label("CSV file").set_input_files(csv_file(b"name\nA\n"))
    page.get_by_role("button", name="Check the file").click()

    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_role("alert")).to_contain_text("The first line must name the columns")


def test_a_deactivated_persons_open_session_ends_and_comes_back_with_them(
    open_page: Open, root: Membership
) -> None:
    """Rule: F60."""
    org = root.organisation
    emi = make.member(org, role=Role.MANAGER, email="emi@aoba.example", now=NOW)
    theirs = open_page("/account/login/")
    sign_in(theirs, "emi@aoba.example")
    expect(theirs.get_by_role("heading", level=1, name="Usage")).to_be_visible()

    page = open_page(url("accounts", org), user=root.user)
    page.get_by_label("Choose emi@aoba.example").check()
    page.get_by_label("With the accounts ticked").select_option("deactivate")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", level=1, name="Deactivate 1 account?")).to_be_visible()
    page.get_by_role("button", name="Deactivate 1 account").click()

    expect(page.get_by_role("status")).to_contain_text("1 account is deactivated")
    theirs.reload()
    expect(theirs).to_have_url(re.compile("/account/login/"))
    page.get_by_role("link", name="Undo: reactivate").click()
    page.get_by_role("button", name="Reactivate 1 account").click()
    expect(page.get_by_role("status")).to_contain_text("1 account is active again.")
    sign_in(theirs, "emi@aoba.example")
    expect(theirs.get_by_role("heading", level=1, name="Usage")).to_be_visible()
    emi.refresh_from_db()
    assert emi.deactivated_at is None


def test_groups_are_made_filled_and_emptied_with_the_keyboard(
    open_page: Open, root: Membership
) -> None:
    org = root.organisation
    person(org, "emi@aoba.example", name="高橋 恵美")
    page = open_page(url("accounts_groups", org), user=root.user)
    page.get_by_label("Name of the group").focus()
    page.keyboard.type("Tokyo")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Tokyo")).to_be_visible()

    page.get_by_role("link", name="To the accounts").click()
    page.get_by_label("Choose emi@aoba.example").focus()
    page.keyboard.press("Space")
    page.get_by_label("With the accounts ticked").select_option("group")
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Add to the group").click()
    expect(page.get_by_role("status")).to_contain_text("new in the group “Tokyo”")

    page.goto(url("accounts_groups", org))
    page.get_by_role("link", name="Tokyo").click()
    page.get_by_label("Choose emi@aoba.example").check()
    page.get_by_role("button", name="Take those ticked out of the group").click()
    expect(page.get_by_text("Nobody is in this group yet")).to_be_visible()


@pytest.mark.parametrize(
    ("dark", "language", "width"),
    [
        pytest.param(False, "en", 360, id="light, English, phone"),
        pytest.param(True, "ja", 1280, id="dark, Japanese, desk"),
    ],
)
def test_axe_finds_nothing_and_no_page_scrolls_sideways(
    open_page: Open, root: Membership, dark: bool, language: str, width: int
) -> None:
    org = root.organisation
    emi = person(org, "emi@aoba.example", name="高橋 恵美", came=False)
    ken = person(org, f"{'ken.' * 14}watanabe@aoba.example", name="渡辺 健", day=2)
    group = groups.create(organisation_id=org.pk, name="Tokyo", actor=make.ACTOR, now=NOW)
    groups.put_in(
        organisation_id=org.pk,
        group_id=group.pk,
        membership_ids=[emi.pk],
        actor=make.ACTOR,
        now=NOW,
    )
    automatically_out(ken)
    customers.spot(org, 10, at(4, 1).date())
    customers.people(org, 11, NOW - timedelta(days=2))
    page = open_page(
        url("accounts_import", org), user=root.user, dark=dark, language=language, width=width
    )
    page.locator("input[type=file]").set_input_files(csv_file(FILE.encode()))
    page.locator("main form button").click()
    places = [
        page.url,
        url("accounts", org),
        f"{url('accounts', org)}?group=auto",
        f"{url('accounts', org)}?text=nobody",
        url("accounts_register", org),
        url("accounts_import", org),
        url("accounts_groups", org),
        f"{url('accounts_group', org, group=group.public_id)}?act=delete",
        url("account", org, account=emi.public_id),
        url("account", org, account=ken.public_id),
        url("account", org, account=root.public_id),
        f"{url('accounts_several', org)}?act=delete&account={emi.public_id}&account={root.public_id}",
        f"{url('accounts_several', org)}?act=group&account={emi.public_id}",
        url("accounts_several", org),
        "/invitation/nothing/",
    ]
    axe, found = Axe(), []
    for place in places:
        page.goto(place)
        results = axe.run(page)
        if results.violations_count:
            found.append(f"{place}: {results.generate_report()}")
        page.set_viewport_size({"width": 360, "height": 800})
        over = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if over:
            found.append(f"{place}: {over} px too wide")
        page.set_viewport_size({"width": width, "height": 900})

    assert found == []

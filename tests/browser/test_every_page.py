"""What holds on every page: axe finds nothing, in light and in dark, and no page is wider than a phone."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from axe_playwright_python.sync_playwright import Axe

from accounts import services as accounts
from accounts.enums import Role
from accounts.models import User
from core import clock
from tests import make
from tests.browser.conftest import Open
from tests.pages import customers

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

NOW = datetime(2026, 11, 22, 5, 5, tzinfo=UTC)
FOR_ANYBODY = ["/account/login/", "/account/password/reset/", "/account/signup/", "/nothing-here/"]
SIGNED_IN = ["/account/email/", "/account/password/change/", "/account/logout/"]


@pytest.fixture
def people() -> Iterator[dict[str, User]]:
    with clock.fixed_at(NOW):
        aoba = customers.aoba()
        customers.close(aoba, customers.OCTOBER)
        root = make.member(aoba).user
        several = make.member(aoba, role=Role.MANAGER).user
        other = make.organisation(name="Hokuto Sensors")
        make.member(other)
        accounts.register(
            organisation_id=other.pk,
            email=several.email,
            name="",
            role=Role.MANAGER,
            actor=make.ACTOR,
            now=NOW,
        )
        yield {
            "root": root,
            "several": several,
            "member": make.member(aoba, role=Role.MEMBER).user,
            "staff": User.objects.create_superuser(
                "staff@example.com", make.PASSWORD, registered_at=NOW, name="Staff"
            ),
        }


def _places(people: dict[str, User]) -> Iterator[tuple[str, User | None]]:
    organisation = people["root"].memberships.get().organisation.public_id
    yield from ((path, None) for path in FOR_ANYBODY)
    yield from ((path, people["root"]) for path in SIGNED_IN)
    yield f"/o/{organisation}/usage/", people["root"]
    yield f"/o/{organisation}/usage/?date=2026-10", people["root"]
    yield f"/o/{organisation}/usage/?date=2020-01", people["root"]
    yield f"/o/{organisation}/invoices/", people["root"]
    yield "/", people["several"]
    yield "/", people["member"]
    yield "/components/", people["staff"]


@pytest.mark.parametrize(
    ("dark", "language", "width"),
    [
        pytest.param(False, "en", 360, id="light, English, phone"),
        pytest.param(True, "ja", 1280, id="dark, Japanese, desk"),
    ],
)
def test_axe_finds_nothing_and_no_page_scrolls_sideways_on_a_phone(
    open_page: Open, people: dict[str, User], dark: bool, language: str, width: int
) -> None:
    axe = Axe()
    found = []
    for path, user in _places(people):
        page = open_page(path, user=user, dark=dark, language=language, width=width)
        results = axe.run(page)
        if results.violations_count:
            found.append(f"{path}: {results.generate_report()}")
        page.set_viewport_size({"width": 360, "height": 800})
        over = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if over:
            found.append(f"{path}: {over} px too wide")
        page.context.close()

    assert found == []


def test_targets_are_large_enough_to_touch(open_page: Open, people: dict[str, User]) -> None:
    page = open_page("/", user=people["root"], width=360)

    small = page.evaluate(
        """() => [...document.querySelectorAll(
                '.header a, .header button, .header summary, .nav a, .tabs a, .toolbar a, ' +
                '.toolbar select, .toolbar button')]
            .filter(each => each.offsetParent !== null && each.getBoundingClientRect().height < 44)
            .map(each => each.outerHTML.slice(0, 80))"""
    )

    # What lies in a closed menu has no size yet.
    assert [each for each in small if "menu__item" not in each] == []

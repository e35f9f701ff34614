import pytest
from django.test import Client

from accounts import services as accounts
from accounts.enums import Role
from accounts.models import User
from tests import make

pytestmark = pytest.mark.django_db


def _home(user: User) -> Client:
    make.vendor()
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


def test_one_organisation_leads_to_its_usage() -> None:
    root = make.member(make.organisation())

    answer = _home(root.user).get("/")

    assert answer.status_code == 302
    assert answer.headers["Location"] == f"/o/{root.organisation.public_id}/usage/"


def test_a_member_is_told_who_looks_after_the_bills() -> None:
    organisation = make.organisation()
    make.member(organisation, email="root@example.com")
    member = make.member(organisation, role=Role.MEMBER)

    page = _home(member.user).get("/").content.decode()

    assert "there is nothing you have to do here" in page
    assert "root@example.com" in page
    assert "Registered on 22 November 2026." in page


def test_several_organisations_are_there_to_choose_from() -> None:
    first = make.member(make.organisation(name="Aoba"))
    second = make.organisation(name="Hokuto")
    make.member(second)
    accounts.register(
        organisation_id=second.pk,
        email=first.user.email,
        name="",
        role=Role.MANAGER,
        actor=make.ACTOR,
        now=make.NOW,
    )
    client = _home(first.user)

    page = client.get("/").content.decode()

    assert f'href="/o/{first.organisation.public_id}/usage/"' in page
    assert f'href="/o/{second.public_id}/usage/"' in page
    usage = client.get(f"/o/{second.public_id}/usage/").content.decode()
    assert '<a class="header__organisation" href="/"' in usage


def test_who_belongs_nowhere_is_told_what_to_do() -> None:
    staff = User.objects.create_superuser(
        "staff@example.com", make.PASSWORD, registered_at=make.NOW
    )

    page = _home(staff).get("/").content.decode()

    assert "You belong to no organisation" in page
    assert 'href="/back-office/"' in page


@pytest.mark.parametrize(
    ("role", "menu"),
    [
        (Role.ROOT, ["Billing Information", "Orders and invoices"]),
        (Role.MANAGER, ["Billing Information"]),
    ],
)
def test_the_menu_shows_what_the_role_may_use(role: Role, menu: list[str]) -> None:
    organisation = make.organisation()
    root = make.member(organisation)
    user = root.user if role == Role.ROOT else make.member(organisation, role=role).user

    page = _home(user).get(f"/o/{organisation.public_id}/usage/").content.decode()

    nav = page.partition('<nav class="nav"')[2].partition("</nav>")[0]
    assert [each for each in ("Billing Information", "Orders and invoices") if each in nav] == menu

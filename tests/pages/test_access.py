"""Role × page, made from the URLconf and the matrix: a new page is tested before anybody asks."""

import uuid
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from accounts.access import Audience
from accounts.enums import Role
from accounts.models import Membership, Organisation, User
from billing_portal.access import ACCESS
from tests import make

# A value for each kind of thing in a URL beside the organisation: none of them exists.
NOTHING_THERE = {"uuid": uuid.UUID(int=7), "int": 7, "str": "2026-11-01"}


def _pages(resolver: URLResolver, namespace: str = "") -> Iterator[str]:
    """Yield each page's name; the pages of a namespace share one."""
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from _pages(entry, namespace or entry.namespace or "")
        elif isinstance(entry, URLPattern):
            yield f"{namespace}:*" if namespace else entry.name or str(entry.pattern)


def _kinds_of(name: str) -> dict[str, str]:
    """Return the kinds of what a page's whole URL names, prefixes of `include` too."""
    matches = get_resolver().reverse_dict.getlist(name)
    converters = matches[0][3]
    return {
        key: type(each).__name__.removesuffix("Converter").lower().replace("string", "str")
        for key, each in converters.items()
    }


PAGES = sorted(set(_pages(get_resolver())))
OF_AN_ORGANISATION = sorted(name for name, access in ACCESS.items() if access.roles)
# Pages that lead on where there is nothing to do on them, or are only sent to.
OTHERWISE = {
    "cancellation": 302,
    "cancellation_reopen": 302,
    "cancellation_withdraw": 302,
    "order_spot_give_up": 405,
    "order_spot_quote": 302,
}
ROLES = [Role.ROOT, Role.MANAGER, Role.MEMBER]


def test_every_page_has_a_row_and_every_row_a_page() -> None:
    assert [name for name in PAGES if name not in ACCESS] == []
    assert [name for name in ACCESS if name not in PAGES] == []


def test_every_page_below_an_organisation_is_given_to_roles() -> None:
    below = {name for name in PAGES if ":" not in name and "organisation" in _kinds_of(name)}

    assert sorted(below) == OF_AN_ORGANISATION


def _url(name: str, organisation: uuid.UUID) -> str:
    kinds = _kinds_of(name)
    others = {key: NOTHING_THERE[kind] for key, kind in kinds.items() if key != "organisation"}
    return reverse(name, kwargs={"organisation": organisation, **others})


def _is_about_the_organisation_alone(name: str) -> bool:
    return set(_kinds_of(name)) == {"organisation"}


def _client(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def ours(db: None) -> Organisation:
    make.vendor()
    organisation = make.organisation()
    make.member(organisation)
    return organisation


def _member(organisation: Organisation, role: Role) -> Membership:
    if role == Role.ROOT:
        return organisation.memberships.get(role=Role.ROOT)
    return make.member(organisation, role=role)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", OF_AN_ORGANISATION)
def test_a_page_opens_to_the_roles_of_its_row(name: str, role: Role, ours: Organisation) -> None:
    member = _member(ours, role)

    answer = _client(member.user).get(_url(name, ours.public_id))

    if role not in ACCESS[name].roles:
        assert answer.status_code == 403
    elif name in OTHERWISE:
        assert answer.status_code == OTHERWISE[name]
    elif _is_about_the_organisation_alone(name):
        assert answer.status_code == 200
    else:
        assert answer.status_code == 404


@pytest.mark.parametrize("name", OF_AN_ORGANISATION)
def test_a_page_sends_who_is_not_signed_in_to_the_sign_in(name: str, ours: Organisation) -> None:
    url = _url(name, ours.public_id)

    answer = Client().get(url)

    assert answer.status_code == 302
    assert answer.headers["Location"] == f"/account/login/?next={url}"


@pytest.mark.parametrize("name", OF_AN_ORGANISATION)
def test_anothers_page_looks_like_one_that_does_not_exist(name: str, ours: Organisation) -> None:
    theirs = make.organisation(name="Hokuto Sensors")
    client = _client(make.member(theirs).user)

    of_another = client.get(_url(name, ours.public_id))
    of_nobody = client.get(_url(name, uuid.UUID(int=1)))

    assert (of_another.status_code, of_nobody.status_code) == (404, 404)
    told = [answer.content.decode().partition("<main")[2] for answer in (of_another, of_nobody)]
    assert told[0] == told[1]
    assert ours.name not in of_another.content.decode()


@pytest.mark.parametrize("name", OF_AN_ORGANISATION)
def test_a_page_is_closed_to_a_deactivated_member_at_once(name: str, ours: Organisation) -> None:
    member = _member(ours, Role.MANAGER)
    client = _client(member.user)

    Membership.objects.filter(pk=member.pk).update(deactivated_at=make.NOW)

    assert client.get(_url(name, ours.public_id)).status_code == 404


@pytest.mark.parametrize("name", OF_AN_ORGANISATION)
def test_a_page_is_closed_to_staff_who_are_no_members(name: str, ours: Organisation) -> None:
    staff = User.objects.create_superuser(
        "staff@example.com", make.PASSWORD, registered_at=make.NOW
    )

    assert _client(staff).get(_url(name, ours.public_id)).status_code == 404


@pytest.mark.parametrize("name", OF_AN_ORGANISATION)
@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_a_page_knows_no_other_methods(name: str, method: str, ours: Organisation) -> None:
    root = _member(ours, Role.ROOT)

    answer = getattr(_client(root.user), method)(_url(name, ours.public_id))

    assert answer.status_code == 405


@pytest.mark.parametrize(
    "name",
    [name for name, row in ACCESS.items() if row.audience is Audience.STAFF and ":" not in name],
)
def test_staff_pages_open_to_staff_alone(name: str, ours: Organisation) -> None:
    staff = User.objects.create_superuser(
        "staff@example.com", make.PASSWORD, registered_at=make.NOW
    )

    kinds = _kinds_of(name)
    url = reverse(name, kwargs={key: NOTHING_THERE[kind] for key, kind in kinds.items()})

    assert _client(staff).get(url).status_code == (404 if kinds else 200)
    assert _client(_member(ours, Role.ROOT).user).get(url).status_code == 403
    assert Client().get(url).status_code == 302


def test_the_back_office_opens_to_staff_alone(ours: Organisation) -> None:
    assert _client(_member(ours, Role.ROOT).user).get("/back-office/").status_code == 403
    assert Client().get("/back-office/").headers["Location"].startswith("/account/login/")

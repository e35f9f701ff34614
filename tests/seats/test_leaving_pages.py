"""The page of who leaves and who stays: what it says, does, and to whom. Rule: design.md 6.5."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.enums import Role
from accounts.models import Membership, Organisation
from core import clock
from seats.queries import leaving
from seats.services import choices
from tests import make
from tests.ordering import customers as ordering
from tests.payments.visits import client_of, url
from tests.seats import customers
from tests.seats.customers import at

pytestmark = pytest.mark.django_db

NOW = at(4, 20, 12)
APRIL = date(2026, 4, 1)
# However many accounts there are.
QUERIES = 38


@pytest.fixture(autouse=True)
def _today() -> Iterator[None]:
    with clock.fixed_at(NOW):
        yield


@pytest.fixture
def root(db: None) -> Membership:
    return customers.customer(customers.catalogue())


@pytest.fixture
def kobo(root: Membership) -> Organisation:
    """Sixteen accounts: ten places, ten more by spot in April."""
    organisation = root.organisation
    for number, each in enumerate(customers.people(organisation, 15, at(2, 1))):
        each.user.email = f"p{number:02}@kobo.example"
        each.user.save()
    customers.spot(organisation, 10, APRIL)
    ordering.method(organisation)
    return organisation


def browser(organisation: Organisation) -> Client:
    client = client_of(organisation.memberships.get(role=Role.ROOT).user)
    client.cookies["django_language"] = "en"
    return client


def shown(organisation: Organisation, **query: str | int) -> Any:
    address = f"{url('accounts_leaving', organisation)}?{urlencode(query)}"
    answer = browser(organisation).get(address)
    assert answer.status_code == 200
    return answer


def words(answer: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode().partition("<main")[2]).split())


def listed(answer: Any) -> list[tuple[str, str]]:
    """Return who is listed, first who leaves first, and on which day."""
    return [(each.account.user.email, each.leaves) for each in answer.context["rows"]]


def send(organisation: Organisation, act: str, account: Membership | None, **also: str) -> Any:
    values = {"act": act, "seen": leaving.version(organisation.pk), **also}
    if account is not None:
        values["account"] = str(account.public_id)
    return browser(organisation).post(url("accounts_leaving", organisation), values, follow=True)


def newest(organisation: Organisation, number: int = 0) -> Membership:
    return organisation.memberships.order_by("-registered_at", "-pk")[number]


def test_the_page_says_who_leaves_when_and_what_keeps_them(kobo: Organisation) -> None:
    page = shown(kobo)

    said = words(page)
    assert "On 1 May 2026, 6 accounts leave; 10 stay." in said
    assert "Now 16 accounts are in use, 20 are allowed." in said
    assert "A spot contract ends on 30 April 2026." in said
    assert "The term of your plan ends on 31 December 2026." in said
    assert listed(page)[:7] == [
        ("p14@kobo.example", "1 May 2026"),
        ("p13@kobo.example", "1 May 2026"),
        ("p12@kobo.example", "1 May 2026"),
        ("p11@kobo.example", "1 May 2026"),
        ("p10@kobo.example", "1 May 2026"),
        ("p09@kobo.example", "1 May 2026"),
        ("p08@kobo.example", "1 January 2027"),
    ]
    assert [leaves for _, leaves in listed(page)].count("") == 3
    first, second = page.context["departures"]
    place = f"/o/{kobo.public_id}/orders"
    assert [(way.label, way.price, way.url) for way in first.ways] == [
        (
            "Extend: 10 accounts by spot, 1 May to 31 May 2026",
            "¥5,500, tax included",
            f"{place}/spot/?accounts=10&first_on=2026-05-01&months=1",
        ),
        (
            "Add licences instead: 1 step more",
            "¥5,500 more a month, tax included, until your contract ends",
            f"{place}/licences/?steps=1",
        ),
    ]
    assert [(way.label, way.url) for way in second.ways] == [
        ("Renew your contract", f"{place}/renew/")
    ]


def test_the_ways_lead_to_forms_filled_in(kobo: Organisation) -> None:
    extend, licences = shown(kobo).context["departures"][0].ways

    wizard = browser(kobo).get(extend.url)
    form = browser(kobo).get(licences.url)

    assert wizard.context["preview"].gross == "¥5,500"
    assert "5,500" in words(wizard)
    assert form.context["form"]["steps"].value() == "1"


def test_without_a_method_the_way_is_told_in_words(root: Membership) -> None:
    organisation = root.organisation
    customers.people(organisation, 15, at(2, 1))
    customers.spot(organisation, 10, APRIL)

    (first, _second) = shown(organisation).context["departures"]

    assert first.ways == []
    assert "payment method" in first.refused.text


def test_protecting_shows_at_once_who_leaves_instead(kobo: Organisation) -> None:
    page = send(kobo, "protect", newest(kobo))

    assert "Protected: it stays as long as there is room." in words(page)
    assert [who for who, leaves in listed(page) if leaves == "1 May 2026"] == [
        "p13@kobo.example",
        "p12@kobo.example",
        "p11@kobo.example",
        "p10@kobo.example",
        "p09@kobo.example",
        "p08@kobo.example",
    ]
    assert page.redirect_chain[-1][0].endswith(f"#a-{newest(kobo).public_id}")


def test_letting_go_first_and_moving(kobo: Organisation) -> None:
    oldest, older = newest(kobo, 14), newest(kobo, 13)
    send(kobo, "first", older)
    page = send(kobo, "first", oldest)
    assert [who for who, _ in listed(page)][:2] == ["p00@kobo.example", "p01@kobo.example"]

    page = send(kobo, "down", oldest)

    assert [who for who, _ in listed(page)][:2] == ["p01@kobo.example", "p00@kobo.example"]
    assert "There is no place further that way." in words(send(kobo, "down", oldest))
    page = send(kobo, "reset", None)
    assert "Your choice for 2 accounts is taken back" in words(page)
    assert listed(page)[0][0] == "p14@kobo.example"


def test_a_stale_form_changes_nothing_and_says_so(kobo: Organisation) -> None:
    seen = leaving.version(kobo.pk)
    send(kobo, "first", newest(kobo, 3))

    page = send(kobo, "reset", None, seen=seen)

    assert "The order was changed meanwhile" in words(page)
    assert listed(page)[0][0] == "p11@kobo.example"


def test_too_many_protected_are_named(kobo: Organisation) -> None:
    for number in range(4):
        choices.protect(
            organisation_id=kobo.pk,
            account=newest(kobo, number).public_id,
            actor="user:1",
            now=NOW,
        )

    said = words(shown(kobo))

    assert (
        "You protect more accounts than there will be places: Taro (1 January 2027),"
        " Taro (1 January 2027) leave nevertheless." in said
    )


def test_an_account_that_is_gone_or_anothers_is_not_touched(kobo: Organisation) -> None:
    stranger = make.member(make.organisation())

    assert "not active any more" in words(send(kobo, "protect", stranger))
    assert "always stays" in words(send(kobo, "first", kobo.memberships.get(role=Role.ROOT)))
    for act, account in (("protect", "no-uuid"), ("jump", str(uuid4()))):
        answer = browser(kobo).post(
            url("accounts_leaving", kobo), {"act": act, "account": account, "seen": ""}
        )
        assert answer.status_code == 404
    stranger.refresh_from_db()
    assert not stranger.is_protected


def test_only_the_root_sees_it(kobo: Organisation) -> None:
    other = make.member(make.organisation())
    manager = make.member(kobo, role=Role.MANAGER)
    member = newest(kobo, 3)

    for who in (other, manager, member):
        client = client_of(who.user)
        assert client.get(url("accounts_leaving", kobo)).status_code in {403, 404}
        answer = client.post(
            url("accounts_leaving", kobo), {"act": "protect", "account": str(member.public_id)}
        )
        assert answer.status_code in {403, 404}
    member.refresh_from_db()
    assert not member.is_protected


def test_a_preview_of_a_wished_spot_shows_its_end(kobo: Organisation) -> None:
    page = shown(kobo, accounts=10, first_on="2026-05-01", months=2)

    said = words(page)
    assert "Preview: with a spot contract of 10 accounts, 1 May to 30 June 2026" in said
    assert "On 1 July 2026, 6 accounts leave; 10 stay." in said
    assert page.context["departures"][0].ways == []
    assert 'name="accounts" value="10"' in page.content.decode()


def test_a_preview_of_fewer_licences_counts_from_their_first_day(kobo: Organisation) -> None:
    said = words(shown(kobo, allowed=5, from_on="2026-06-01"))

    assert "Preview: if your plan allows 5 accounts from 1 June 2026 on" in said
    assert "On 1 May 2026, 6 accounts leave; 10 stay." in said
    assert "5 accounts leave: 10 would be in use, 5 are allowed." in said


@pytest.mark.parametrize(
    "query",
    [
        {"accounts": "10"},
        {"accounts": "x", "first_on": "2026-05-01", "months": "2"},
        {"accounts": "10", "first_on": "2026-04-01", "months": "2"},
        {"accounts": "10", "first_on": "9999-12-31", "months": "12"},
        {"allowed": "5", "from_on": "2026-04-01"},
        {"allowed": "5", "from_on": "9999-12-31"},
        {"page": "0"},
        {"page": "99999999999999999999"},
        {"part": "nobody"},
        {"q": "x" * 300},
    ],
)
def test_what_cannot_be_asked_for_explains_itself(
    kobo: Organisation, query: dict[str, str]
) -> None:
    answer = browser(kobo).get(url("accounts_leaving", kobo), query, follow=True)

    assert answer.status_code == 200
    assert "On 1 May 2026, 6 accounts leave; 10 stay." in words(answer)


def test_search_and_part_keep_the_preview(kobo: Organisation) -> None:
    page = shown(kobo, q="p0", part="leaving", accounts=10, first_on="2026-05-01", months=2)

    assert [who for who, _ in listed(page)] == [f"p{n:02}@kobo.example" for n in range(9, 1, -1)]
    assert page.context["all_url"].endswith("?accounts=10&first_on=2026-05-01&months=2")
    assert [who for who, _ in listed(shown(kobo, part="staying"))][:2] == [
        "p01@kobo.example",
        "p00@kobo.example",
    ]
    assert "No account is found." in words(shown(kobo, q="nobody"))


def test_nobody_has_to_leave(root: Membership) -> None:
    organisation = root.organisation
    customers.people(organisation, 2, at(2, 1))

    said = words(shown(organisation))

    assert "As things stand, nobody has to leave." in said
    assert "In which order they leave" in said


def test_a_renewal_to_be_ordered_is_named(root: Membership) -> None:
    organisation = root.organisation
    customers.people(organisation, 8, at(2, 1))
    organisation.main_contracts.update(renews=True)

    assert "the next term is ordered on 2 December 2026, and then nobody leaves." in words(
        shown(organisation)
    )


def test_large_lists_have_pages_of_fifty_and_ask_as_little(
    root: Membership, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    organisation = root.organisation
    customers.people(organisation, 11, at(2, 1))
    customers.spot(organisation, 200, APRIL)
    client = browser(organisation)
    client.get(url("accounts_leaving", organisation))
    with django_assert_num_queries(QUERIES):
        client.get(url("accounts_leaving", organisation))
    customers.people(organisation, 112, at(2, 2))

    with django_assert_num_queries(QUERIES):
        page = client.get(url("accounts_leaving", organisation), {"page": "3"})

    assert (page.context["page"].paginator.num_pages, len(page.context["rows"])) == (3, 24)


def test_who_confirms_a_return_sees_who_would_leave(root: Membership) -> None:
    organisation = root.organisation
    customers.people(organisation, 8, at(2, 1))
    organisation.main_contracts.update(renews=True)

    page = browser(organisation).get(url("order_return", organisation))

    (link,) = re.findall(r'<a href="([^"]*accounts/leaving/[^"]*)">', page.content.decode())
    listed_there = browser(organisation).get(link.replace("&amp;", "&"))
    assert "On 1 January 2027, 6 accounts leave; 3 stay." in words(listed_there)

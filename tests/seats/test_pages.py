"""The pages of accounts: the list, one account, several at once, groups. Rule: S1-12, S2-11, F59, F69."""

import csv
import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils.html import escape
from pytest_django import DjangoAssertNumQueries

from accounts.enums import Role
from accounts.models import Membership, Organisation, User
from core import clock
from core.models import AuditEntry, Mail
from plans.models import PlanVersion
from seats.enums import Cause, Sort
from seats.models import Deactivation, Group, GroupMember, Invitation
from seats.queries import accounts as queries
from seats.queries.accounts import Search
from seats.services import accounts, groups, invitations
from tests import make
from tests.seats import customers
from tests.seats.customers import at

pytestmark = pytest.mark.django_db

NOW = at(4, 10, 9)


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> Any:
    with clock.fixed_at(NOW):
        yield


@pytest.fixture
def root(db: None) -> Membership:
    """The root of a customer that may have ten accounts."""
    return customers.customer(customers.catalogue())


@pytest.fixture
def org(root: Membership) -> Organisation:
    return root.organisation


@pytest.fixture
def pages(root: Membership, client: Client) -> Client:
    client.force_login(root.user)
    client.cookies["django_language"] = "en"
    return client


def url(name: str, organisation: Organisation, **kwargs: object) -> str:
    return reverse(name, kwargs={"organisation": organisation.public_id, **kwargs})


def text_of(answer: Any) -> str:
    """Return what a reader reads, with single blanks."""
    words = re.sub(r"<[^>]+>", " ", answer.content.decode().partition("<main")[2])
    return " ".join(words.replace("&quot;", '"').replace("&#x27;", "'").split())


def person(
    organisation: Organisation,
    email: str,
    *,
    name: str = "",
    role: Role = Role.MEMBER,
    came: bool = True,
    day: int = 1,
) -> Membership:
    """An account registered in February, whose person has signed in since unless told otherwise."""
    registered = at(2, day)
    user = User.objects.create(email=email, name=name, registered_at=registered)
    if came:
        User.objects.filter(pk=user.pk).update(last_login=registered + timedelta(days=3))
    return Membership.objects.create(
        organisation=organisation, user=user, role=role, registered_at=registered
    )


def listed(pages: Client, organisation: Organisation, **query: str) -> list[str]:
    answer = pages.get(url("accounts", organisation), query)
    assert answer.status_code == 200
    return [row.email for row in answer.context["rows"]]


def ask(
    pages: Client, organisation: Organisation, act: str, *those: Membership, **more: str
) -> Any:
    chosen = {"act": act, "account": [str(each.public_id) for each in those], **more}
    return pages.post(url("accounts_several", organisation), chosen)


def automatically_out(account: Membership) -> Deactivation:
    """Deactivate an account as the end of a spot contract does."""
    spot = customers.spot(account.organisation, 10, at(3, 1).date())
    deactivation = Deactivation.objects.create(
        organisation=account.organisation,
        cause=Cause.SPOT_END,
        spot_order=spot,
        due_at=at(4, 1),
        at=at(4, 1),
        capacity=10,
        in_use=11,
        count=1,
    )
    Membership.objects.filter(pk=account.pk).update(
        deactivated_at=at(4, 1), deactivation_id=deactivation.pk
    )
    return deactivation


# --- the list --------------------------------------------------------------------------------------


def test_the_list_opens_with_places_in_words_and_numbers(pages: Client, org: Organisation) -> None:
    customers.people(org, 4, at(2, 1))
    customers.spot(org, 10, at(4, 1).date())

    page = text_of(pages.get(url("accounts", org)))

    assert "5 of 20 accounts are in use; 15 are free." in page
    assert "From 1 May 2026 you may have 10 accounts." in page
    assert "In use 5 Capacity now 20 Places free 15 Capacity from 1 May 2026 10" in page
    assert "will then be deactivated" not in page


def test_the_list_warns_of_those_who_leave_at_the_next_fall(
    pages: Client, org: Organisation
) -> None:
    customers.people(org, 11, at(2, 1))
    customers.spot(org, 10, at(4, 1).date())

    answer = pages.get(url("accounts", org))

    assert "12 of 20 accounts are in use; 8 are free." in text_of(answer)
    assert "2 accounts will then be deactivated." in text_of(answer)
    assert url("order_licences", org) in answer.content.decode()


def test_a_full_list_leads_to_more_places(pages: Client, org: Organisation) -> None:
    customers.people(org, 9, at(2, 1))

    answer = pages.get(url("accounts", org))

    assert "10 of 10 accounts are in use; no place is free." in text_of(answer)
    assert url("order_spot", org) in answer.content.decode()


def test_the_root_alone_is_told_how_to_begin(pages: Client, org: Organisation) -> None:
    page = text_of(pages.get(url("accounts", org)))

    assert "Only you so far" in page
    assert "1 account" in page


def _people(org: Organisation) -> dict[str, Membership]:
    found = {
        "manager": person(org, "b-manager@example.com", name="Ai", role=Role.MANAGER, day=2),
        "invited": person(org, "c-invited@example.com", name="Umi", came=False, day=3),
        "out": person(org, "d-out@example.com", name="Emi", day=4),
        "auto": person(org, "e-auto@example.com", name="佐藤 花子", day=5),
    }
    accounts.deactivate(
        organisation_id=org.pk, membership_ids=[found["out"].pk], actor=make.ACTOR, now=NOW
    )
    automatically_out(found["auto"])
    sales = groups.create(organisation_id=org.pk, name="Sales", actor=make.ACTOR, now=NOW)
    groups.put_in(
        organisation_id=org.pk,
        group_id=sales.pk,
        membership_ids=[found["manager"].pk, found["auto"].pk],
        actor=make.ACTOR,
        now=NOW,
    )
    return found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["e-auto", "d-out", "c-invited", "b-manager", "root"]),
        ({"sort": "oldest"}, ["root", "b-manager", "c-invited", "d-out", "e-auto"]),
        ({"text": "INVITED@example"}, ["c-invited"]),
        ({"text": "花子"}, ["e-auto"]),
        ({"text": "%"}, []),
        ({"status": "active"}, ["b-manager", "root"]),
        ({"status": "invited"}, ["c-invited"]),
        ({"status": "deactivated"}, ["e-auto", "d-out"]),
        ({"role": "manager"}, ["b-manager"]),
        ({"role": "root"}, ["root"]),
        ({"group": "auto"}, ["e-auto"]),
        ({"group": "Sales"}, ["e-auto", "b-manager"]),
        ({"group": "Sales", "status": "active"}, ["b-manager"]),
        ({"sort": "sign_in"}, ["root", "e-auto", "d-out", "b-manager", "c-invited"]),
        ({"sort": "long_ago"}, ["c-invited", "b-manager", "d-out", "e-auto", "root"]),
    ],
)
def test_the_list_finds_by_each_condition_and_sorts(
    pages: Client, root: Membership, query: dict[str, str], found: list[str]
) -> None:
    org = root.organisation
    User.objects.filter(pk=root.user_id).update(email="root@example.com", last_login=NOW)
    _people(org)
    if query.get("group") == "Sales":
        query = {**query, "group": str(Group.objects.get().public_id)}

    assert listed(pages, org, **query) == [f"{each}@example.com" for each in found]


def test_the_list_sorts_by_the_name_that_it_shows(pages: Client, org: Organisation) -> None:
    person(org, "b@example.com", name="Chie")
    person(org, "c@example.com", name="aki")

    assert listed(pages, org, sort="name")[:2] == ["c@example.com", "b@example.com"]


def test_auto_deactivation_shows_the_day_and_the_order(pages: Client, org: Organisation) -> None:
    """Rule: S2-11."""
    _people(org)
    number = Deactivation.objects.get().spot_order.number  # type: ignore[union-attr]  # made above

    page = text_of(pages.get(url("accounts", org), {"group": "auto"}))

    assert f"deactivated since 1 April 2026: spot order {number} ended" in page
    assert "Auto Deactivation, Sales" in page


def test_a_search_that_finds_nobody_says_what_to_do(pages: Client, org: Organisation) -> None:
    assert "No account fits" in text_of(pages.get(url("accounts", org), {"text": "nobody"}))
    assert "“Auto Deactivation” is empty" in text_of(
        pages.get(url("accounts", org), {"group": "auto"})
    )


def test_a_forged_condition_is_refused_and_shows_nobody(pages: Client, org: Organisation) -> None:
    answer = pages.get(url("accounts", org), {"group": str(uuid4())})

    assert answer.context["rows"] == []
    assert "Select a valid choice" in answer.content.decode()


def test_another_customers_group_is_no_condition(pages: Client, org: Organisation) -> None:
    other = customers.customer(customers_version()).organisation
    theirs = groups.create(organisation_id=other.pk, name="Theirs", actor=make.ACTOR, now=NOW)

    assert listed(pages, org, group=str(theirs.public_id)) == []


def customers_version() -> PlanVersion:
    return PlanVersion.objects.get(plan__code="starter")


QUERIES_OF_THE_LIST = 14


@pytest.mark.parametrize("number", [1, 3])
def test_the_list_asks_the_same_few_statements(
    pages: Client,
    org: Organisation,
    number: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for index in range(number):
        account = person(org, f"{index}@example.com")
        group = groups.create(
            organisation_id=org.pk, name=f"Group {index}", actor=make.ACTOR, now=NOW
        )
        GroupMember.objects.create(organisation=org, group=group, membership=account)
    automatically_out(account)
    pages.get(url("accounts", org))

    with django_assert_num_queries(QUERIES_OF_THE_LIST):
        pages.get(url("accounts", org))


def test_a_page_of_ten_thousand_is_read_from_the_index(org: Organisation) -> None:
    other = customers.customer(customers_version()).organisation
    customers.people(other, 2_000, at(2, 1))
    customers.people(org, 10_000, at(2, 1))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE accounts_membership, accounts_user")
    page = queries.found(org, Search(sort=Sort.NEWEST))[: queries.PAGE]

    plan = page.explain(analyze=True)

    assert "membership_newest" in plan
    assert "Seq Scan on accounts_membership" not in plan
    assert "Sort Key" not in plan
    read = re.search(r"membership_newest on accounts_membership.*?rows=(\d+)(?:\.\d+)? loops", plan)
    assert read is not None
    assert int(read[1]) == queries.PAGE


def test_fifty_stand_on_a_page(pages: Client, org: Organisation) -> None:
    customers.people(org, 60, at(2, 1))

    assert len(listed(pages, org)) == 50
    assert len(listed(pages, org, page="2")) == 11
    assert len(listed(pages, org, page="99")) == 11


def test_all_on_a_page_are_ticked_by_a_link_without_scripts(
    pages: Client, org: Organisation
) -> None:
    customers.people(org, 2, at(2, 1))
    plain = pages.get(url("accounts", org), {"sort": "oldest"}).content.decode()
    link = re.search(r'href="(\?[^"]*tick=all)"', plain)
    assert link is not None

    ticked = pages.get(url("accounts", org) + link[1].replace("&amp;", "&")).content.decode()

    assert plain.count(" checked ") == 0
    assert ticked.count(" checked ") == 3
    assert 'href="?sort=oldest&amp;page=1"' in ticked
    assert "Tick all on this page" not in ticked


def test_csv_holds_what_was_looked_for_and_runs_no_formula(
    pages: Client, org: Organisation
) -> None:
    """Rule: F75."""
    person(org, "a@example.com", name="=HYPERLINK(1)")
    person(org, "b@example.com", name="Emi")

    answer: Any = pages.get(url("accounts_csv", org), {"text": "HYPERLINK"})

    lines = list(csv.reader(answer.getvalue().decode("utf-8-sig").splitlines()))
    assert lines[0][:3] == ["E-mail address", "Name", "Role"]
    assert lines[1][:5] == ["a@example.com", "'=HYPERLINK(1)", "Member", "", "active"]
    assert lines[1][5:] == ["2026-02-01", "2026-02-04", ""]
    assert len(lines) == 2


# --- what a root learns of a person ---------------------------------------------------------------


def test_a_person_known_elsewhere_looks_like_any_other(pages: Client, org: Organisation) -> None:
    """Rule: F69."""
    other = customers.customer(customers_version()).organisation
    elsewhere = person(other, "emi@example.com", name="Emi Kanda")
    elsewhere.user.set_password(make.PASSWORD)
    elsewhere.user.save()

    for email in ("emi@example.com", "new@example.com"):
        answer = pages.post(
            url("accounts_register", org), {"email": email, "name": "Someone", "role": "member"}
        )
        assert answer.status_code == 302

    page = text_of(pages.get(url("accounts", org), {"text": "@example.com", "sort": "oldest"}))
    assert [row.status for row in pages.get(url("accounts", org)).context["rows"]][:2] == [
        "invited"
    ] * 2
    assert "Kanda" not in page
    assert listed(pages, org, text="Kanda") == []
    assert [row.last_sign_in for row in pages.get(url("accounts", org)).context["rows"]][:2] == [
        "",
        "",
    ]


# --- one account ----------------------------------------------------------------------------------


def test_an_account_tells_how_it_stands(pages: Client, org: Organisation) -> None:
    auto = _people(org)["auto"]

    page = text_of(pages.get(url("account", org, account=auto.public_id)))

    assert "佐藤 花子" in page
    assert "Registered 5 February 2026, 00:00 JST" in page
    assert "Last sign-in 8 February 2026, 00:00 JST" in page
    assert "Groups Auto Deactivation, Sales" in page
    assert "since 1 April 2026: spot order" in page
    assert "Reactivate" in page


@pytest.mark.parametrize("name", ["account", "accounts_group", "accounts_import_batch"])
def test_anothers_things_are_not_there(pages: Client, org: Organisation, name: str) -> None:
    """Rule: F69."""
    other = customers.customer(customers_version())
    group = groups.create(
        organisation_id=other.organisation_id, name="Theirs", actor=make.ACTOR, now=NOW
    )
    theirs: dict[str, dict[str, UUID]] = {
        "account": {"account": other.public_id},
        "accounts_group": {"group": group.public_id},
        "accounts_import_batch": {"batch": uuid4()},
    }
    for method in (pages.get, pages.post):
        assert method(url(name, org, **theirs[name])).status_code == 404


def test_a_role_is_changed_once(pages: Client, org: Organisation) -> None:
    account = person(org, "a@example.com")
    page = url("account", org, account=account.public_id)

    first = pages.post(page, {"act": "role", "role": "manager"}, follow=True)
    second = pages.post(page, {"act": "role", "role": "manager"}, follow=True)

    account.refresh_from_db()
    assert account.role == Role.MANAGER
    assert "The role is changed." in text_of(first)
    assert "The account has this role already" in text_of(second)


@pytest.mark.parametrize("role", ["root", "owner", ""])
def test_a_forged_role_changes_nothing(pages: Client, org: Organisation, role: str) -> None:
    account = person(org, "a@example.com")

    pages.post(url("account", org, account=account.public_id), {"act": "role", "role": role})

    account.refresh_from_db()
    assert account.role == Role.MEMBER


def test_the_root_stays_the_root(pages: Client, root: Membership) -> None:
    """Rule: S1-12, F59."""
    page = url("account", root.organisation, account=root.public_id)

    shown = pages.get(page).content.decode()
    answer = pages.post(page, {"act": "role", "role": "member"}, follow=True)

    root.refresh_from_db()
    assert root.role == Role.ROOT
    assert "The root account stays as it is." in text_of(answer)
    assert "act=deactivate" not in shown
    assert "act=delete" not in shown


# --- several at once ------------------------------------------------------------------------------


def test_an_act_is_asked_for_by_names_and_does_nothing_yet(pages: Client, root: Membership) -> None:
    org = root.organisation
    those = [person(org, "a@example.com", name="Emi"), person(org, "b@example.com")]
    chosen = [str(each.public_id) for each in [*those, root]]

    answer = pages.get(url("accounts_several", org), {"act": "deactivate", "account": chosen})

    page = text_of(answer)
    assert "Deactivate 2 accounts?" in page
    assert "b@example.com Emi &lt;a@example.com&gt;" in page
    assert "the root account always stays" in page
    assert Membership.objects.filter(deactivated_at=None).count() == 3


def test_deactivated_accounts_can_be_brought_back_by_the_link_that_is_offered(
    pages: Client, org: Organisation
) -> None:
    those = [person(org, "a@example.com"), person(org, "b@example.com")]

    answer = ask(pages, org, "deactivate", *those)
    after = pages.get(answer.headers["Location"])

    assert Membership.objects.filter(deactivated_at=None).count() == 1
    assert "2 accounts are deactivated; their sessions have ended." in text_of(after)
    undo = re.search(r'href="([^"]*act=reactivate[^"]*)"', after.content.decode())
    assert undo is not None
    assert "Reactivate 2 accounts?" in text_of(pages.get(undo[1].replace("&amp;", "&")))
    ask(pages, org, "reactivate", *those)
    assert Membership.objects.filter(deactivated_at=None).count() == 3


def test_a_second_press_does_nothing_more(pages: Client, org: Organisation) -> None:
    account = person(org, "a@example.com")
    ask(pages, org, "deactivate", account)
    account.refresh_from_db()
    first = account.deactivated_at

    answer = ask(pages, org, "deactivate", account)

    account.refresh_from_db()
    assert account.deactivated_at == first
    assert "is deactivated already" in text_of(answer)


def test_the_root_is_never_deactivated_by_a_forged_form(pages: Client, root: Membership) -> None:
    """Rule: F59."""
    for act in ("deactivate", "delete"):
        answer = ask(pages, root.organisation, act, root)
        assert "the root account always stays" in text_of(answer)

    root.refresh_from_db()
    assert root.deactivated_at is None


def test_another_customers_account_is_never_touched(pages: Client, org: Organisation) -> None:
    """Rule: F69."""
    theirs = person(customers.customer(customers_version()).organisation, "a@example.com")

    for act in ("deactivate", "delete", "group"):
        assert "Nobody is chosen" in text_of(ask(pages, org, act, theirs))

    theirs.refresh_from_db()
    assert theirs.deactivated_at is None


@pytest.mark.parametrize(
    "query", [{}, {"act": "deactivate"}, {"act": "erase"}, {"act": "delete", "account": "x"}]
)
def test_nothing_asked_for_is_told_kindly(
    pages: Client, org: Organisation, query: dict[str, str]
) -> None:
    for answer in (
        pages.get(url("accounts_several", org), query),
        pages.post(url("accounts_several", org), query),
    ):
        assert answer.status_code == 200
        assert "Nobody is chosen" in text_of(answer)


def test_reactivation_beyond_the_places_is_refused_whole(pages: Client, org: Organisation) -> None:
    those = [person(org, f"{number}@example.com") for number in range(2)]
    ask(pages, org, "deactivate", *those)
    customers.people(org, 8, at(2, 20))

    answer = ask(pages, org, "reactivate", *those)

    assert answer.status_code == 409
    assert "Accounts in use: 9 of 10. Places free: 1; needed: 2." in text_of(answer)
    assert url("order_spot", org) in answer.content.decode()
    assert Membership.objects.filter(organisation=org, deactivated_at=None).count() == 9


def test_reactivation_takes_out_of_auto_deactivation(pages: Client, org: Organisation) -> None:
    """Rule: S2-11."""
    account = person(org, "a@example.com")
    automatically_out(account)

    ask(pages, org, "reactivate", account)

    account.refresh_from_db()
    assert (account.deactivated_at, account.deactivation_id) == (None, None)
    assert listed(pages, org, group="auto") == []


def test_deletion_tells_what_stays_and_takes_the_account_off_the_list(
    pages: Client, org: Organisation
) -> None:
    account = person(org, "a@example.com", name="Emi")
    asked = pages.get(
        url("accounts_several", org), {"act": "delete", "account": str(account.public_id)}
    )

    answer = ask(pages, org, "delete", account)

    assert "What stays: invoices, orders and usage" in text_of(asked)
    assert answer.headers["Location"] == url("accounts", org)
    assert listed(pages, org, text="a@example.com") == []
    assert User.objects.filter(email="a@example.com").exists()


def test_who_never_came_gets_a_new_link_when_reactivated(pages: Client, org: Organisation) -> None:
    """Rule: F60."""
    pages.post(url("accounts_register", org), {"email": "a@example.com", "role": "member"})
    account = Membership.objects.get(user__email="a@example.com")
    before = bytes(Invitation.objects.get().token_digest or b"")
    ask(pages, org, "deactivate", account)

    with clock.fixed_at(NOW + invitations.AGAIN_AFTER):
        ask(pages, org, "reactivate", account)

    assert bytes(Invitation.objects.get().token_digest or b"") != before
    assert Mail.objects.count() == 2


# --- groups ---------------------------------------------------------------------------------------


def test_a_group_is_made_filled_renamed_and_deleted_and_its_accounts_stay(
    pages: Client, org: Organisation
) -> None:
    account = person(org, "a@example.com")

    made = pages.post(url("accounts_groups", org), {"name": " Tokyo   office "})
    group = Group.objects.get()
    ask(pages, org, "group", account, group=str(group.public_id))
    page = url("accounts_group", org, group=group.public_id)

    assert made.headers["Location"] == page
    assert group.name == "Tokyo office"
    assert "a@example.com" in text_of(pages.get(page))
    pages.post(page, {"act": "rename", "name": "Osaka"})
    assert "Osaka" in text_of(pages.get(url("accounts_groups", org)))
    pages.post(page, {"act": "take_out", "account": str(account.public_id)})
    assert "Nobody is in this group yet" in text_of(pages.get(page))
    assert "Delete the group “Osaka”?" in text_of(pages.get(page, {"act": "delete"}))
    assert Group.objects.exists()
    pages.post(page, {"act": "delete"})
    assert not Group.objects.exists()
    assert Membership.objects.filter(pk=account.pk, deactivated_at=None).exists()
    assert pages.post(page, {"act": "delete"}).status_code == 404


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("sales", "There is a group of this name already."),
        ("auto deactivation", "This name belongs to the group that the portal keeps by itself."),
        ("  ", "This field is required."),
        ("x" * 81, "at most 80 characters"),
    ],
)
def test_a_name_is_refused_in_words_and_kept(
    pages: Client, org: Organisation, name: str, told: str
) -> None:
    groups.create(organisation_id=org.pk, name="Sales", actor=make.ACTOR, now=NOW)

    answer = pages.post(url("accounts_groups", org), {"name": name})

    assert answer.status_code == 400
    assert told in text_of(answer)
    assert Group.objects.count() == 1


def test_auto_deactivation_stands_first_and_cannot_be_edited(
    pages: Client, org: Organisation
) -> None:
    """Rule: S2-11."""
    _people(org)

    answer = pages.get(url("accounts_groups", org))

    page = text_of(answer)
    assert page.index("Auto Deactivation") < page.index("Sales")
    assert f'{url("accounts", org)}?group=auto"' in answer.content.decode()
    assert (
        url("accounts_group", org, group=Group.objects.get().public_id) in answer.content.decode()
    )


def test_a_group_joins_no_account_of_another_customer(org: Organisation) -> None:
    """Rule: F69."""
    theirs = customers.customer(customers_version())
    group = groups.create(organisation_id=org.pk, name="Sales", actor=make.ACTOR, now=NOW)

    put = groups.put_in(
        organisation_id=org.pk,
        group_id=group.pk,
        membership_ids=[theirs.pk],
        actor=make.ACTOR,
        now=NOW,
    )

    assert put == 0
    with pytest.raises(groups.NoSuchGroup):
        groups.put_in(
            organisation_id=theirs.organisation_id,
            group_id=group.pk,
            membership_ids=[theirs.pk],
            actor=make.ACTOR,
            now=NOW,
        )


def test_the_trail_keeps_what_was_done_to_groups(org: Organisation) -> None:
    made = groups.create(organisation_id=org.pk, name="Sales", actor="user:1", now=NOW)
    groups.rename(organisation_id=org.pk, group_id=made.pk, name="Ops", actor="user:1", now=NOW)
    groups.delete(organisation_id=org.pk, group_id=made.pk, actor="user:1", now=NOW)

    told = AuditEntry.objects.filter(action__startswith="group.").order_by("seq")
    assert [(each.action, each.details["name"]) for each in told] == [
        ("group.created", "Sales"),
        ("group.renamed", "Ops"),
        ("group.deleted", "Ops"),
    ]


@pytest.mark.parametrize("said", ["<script>alert(1)</script>", '"><img src=x>', "{{ 7|add:7 }}"])
def test_what_people_are_called_is_text_everywhere(
    pages: Client, org: Organisation, said: str
) -> None:
    """Rule: F74."""
    group = groups.create(organisation_id=org.pk, name=said, actor=make.ACTOR, now=NOW)
    account = person(org, "a@example.com", name=said)
    ask(pages, org, "group", account, group=str(group.public_id))

    for path in (
        url("accounts", org),
        f"{url('accounts', org)}?{urlencode({'text': said})}",
        url("account", org, account=account.public_id),
        url("accounts_groups", org),
        url("accounts_group", org, group=group.public_id),
        f"{url('accounts_group', org, group=group.public_id)}?act=delete",
        f"{url('accounts_several', org)}?act=delete&account={account.public_id}",
        url("accounts_register", org),
    ):
        page = pages.get(path).content.decode()
        assert escape(said) in page, path
        assert "<script>alert" not in page
        assert "<img src=x>" not in page


@pytest.mark.parametrize("whose", ["group", "account"])
def test_the_database_keeps_groups_and_accounts_of_two_customers_apart(
    org: Organisation, whose: str
) -> None:
    """Rule: F69."""
    theirs = customers.customer(customers_version())
    group = groups.create(organisation_id=org.pk, name="Sales", actor=make.ACTOR, now=NOW)
    organisation = org if whose == "group" else theirs.organisation

    with pytest.raises(IntegrityError, match="group_member_of_"), transaction.atomic():
        GroupMember.objects.create(organisation=organisation, group=group, membership=theirs)

"""An account by invitation: a place at once, a mail, a link that sets a password once. Rule: F60, F77."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.enums import Role
from accounts.models import Membership, Organisation, User
from core import clock
from core.models import AuditEntry, Mail
from seats.models import Invitation
from seats.queries import invitations as queries
from seats.services import accounts, groups, invitations, letters
from tests import make
from tests.seats import customers
from tests.seats.customers import at
from tests.seats.test_pages import automatically_out, customers_version, text_of, url

pytestmark = pytest.mark.django_db

NOW = at(4, 10, 9)
EMAIL = "hanako@example.com"


@pytest.fixture(autouse=True)
def _today() -> Iterator[None]:
    with clock.fixed_at(NOW):
        yield


@pytest.fixture
def root(db: None) -> Membership:
    return customers.customer(customers.catalogue())


@pytest.fixture
def org(root: Membership) -> Organisation:
    Organisation.objects.update(language="en")
    root.organisation.refresh_from_db()
    return root.organisation


@pytest.fixture
def pages(root: Membership, client: Client) -> Client:
    client.force_login(root.user)
    client.cookies["django_language"] = "en"
    return client


@pytest.fixture
def invited() -> Client:
    """The browser of a person who is invited."""
    client = Client()
    client.cookies["django_language"] = "en"
    return client


def register(pages: Client, organisation: Organisation, **more: Any) -> Any:
    return pages.post(
        url("accounts_register", organisation),
        {"email": EMAIL, "name": "佐藤 花子", "role": "member", **more},
    )


def link() -> str:
    """Return the path of the newest invitation's link."""
    found = re.search(r"http://localhost:8000(/invitation/\S+/)", Mail.objects.latest("pk").text)
    assert found is not None
    return found[1]


def test_a_person_is_registered_at_once_and_written_to(pages: Client, org: Organisation) -> None:
    group = groups.create(organisation_id=org.pk, name="Sales", actor=make.ACTOR, now=NOW)

    answer = register(pages, org, role="manager", groups=[str(group.public_id)])

    account = Membership.objects.get(user__email=EMAIL)
    assert answer.headers["Location"] == url("accounts", org)
    assert (account.role, account.registered_at) == (Role.MANAGER, NOW)
    assert [each.group.name for each in account.groups.all()] == ["Sales"]
    mail = Mail.objects.get()
    assert mail.to == [EMAIL]
    assert mail.subject == "Aoba Devices has registered you: set your password"
    assert "24 April 2026, 09:00 JST" in mail.text
    page = text_of(pages.get(answer.headers["Location"]))
    assert "hanako@example.com is registered, and the invitation is on its way." in page
    assert "2 of 10 accounts are in use" in page
    assert "invited not signed in yet" in page


def test_the_link_sets_a_password_with_which_the_person_signs_in(
    pages: Client, org: Organisation, invited: Client
) -> None:
    register(pages, org)
    path = link()

    shown = invited.get(path)
    set_ = invited.post(path, {"password": make.PASSWORD, "again": make.PASSWORD})
    signed_in = invited.post("/account/login/", {"login": EMAIL, "password": make.PASSWORD})

    assert EMAIL in text_of(shown)
    assert "no-store" in shown.headers["Cache-Control"]
    assert set_.headers["Location"] == "/account/login/"
    assert signed_in.status_code == 302
    assert "_auth_user_id" in invited.session
    page = text_of(pages.get(url("accounts", org), {"text": EMAIL}))
    assert "invited" not in page.partition("Last sign-in")[2].partition("With the")[0]


def test_looking_at_the_link_uses_nothing_up(
    pages: Client, org: Organisation, invited: Client
) -> None:
    register(pages, org)

    for _ in range(3):
        assert invited.get(link()).status_code == 200
        assert invited.head(link()).status_code == 200

    assert Invitation.objects.get().used_at is None


def test_the_link_works_once(pages: Client, org: Organisation, invited: Client) -> None:
    register(pages, org)
    path = link()
    invited.post(path, {"password": make.PASSWORD, "again": make.PASSWORD})

    again = invited.post(
        path, {"password": "another long password", "again": "another long password"}
    )

    assert again.status_code == 410
    assert "This link does not work any more" in text_of(again)
    assert User.objects.get(email=EMAIL).check_password(make.PASSWORD)


@pytest.mark.parametrize(
    ("password", "again", "told"),
    [
        ("short", "short", "too short"),
        (make.PASSWORD, "something else entirely", "The two passwords are not the same."),
        ("hanako@example.com", "hanako@example.com", "too similar"),
        ("", "", "This field is required."),
    ],
)
def test_a_weak_password_is_refused_and_the_link_stays(
    pages: Client, org: Organisation, invited: Client, password: str, again: str, told: str
) -> None:
    register(pages, org)

    answer = invited.post(link(), {"password": password, "again": again})

    assert answer.status_code == 400
    assert told in text_of(answer)
    assert not User.objects.get(email=EMAIL).has_usable_password()
    assert invited.get(link()).status_code == 200


def _grows_old(org: Organisation, account: Membership) -> None:
    Invitation.objects.update(sent_at=NOW - timedelta(days=14), expires_at=NOW)


def _is_deactivated(org: Organisation, account: Membership) -> None:
    accounts.deactivate(
        organisation_id=org.pk, membership_ids=[account.pk], actor=make.ACTOR, now=NOW
    )


def _is_deleted(org: Organisation, account: Membership) -> None:
    accounts.delete(organisation_id=org.pk, membership_ids=[account.pk], actor=make.ACTOR, now=NOW)


def _is_replaced(org: Organisation, account: Membership) -> None:
    invitations.send_again(
        organisation_id=org.pk,
        membership_id=account.pk,
        actor=make.ACTOR,
        now=NOW + timedelta(hours=1),
    )


def _has_a_password(org: Organisation, account: Membership) -> None:
    account.user.set_password(make.PASSWORD)
    account.user.save()


@pytest.mark.parametrize(
    "happens", [_grows_old, _is_deactivated, _is_deleted, _is_replaced, _has_a_password]
)
def test_a_link_dies(pages: Client, org: Organisation, invited: Client, happens: Any) -> None:
    """Rule: F60."""
    register(pages, org)
    path = link()

    happens(org, Membership.objects.get(user__email=EMAIL))

    assert invited.get(path).status_code == 410
    forged = invited.post(
        path, {"password": "another long password", "again": "another long password"}
    )
    assert forged.status_code == 410
    assert not User.objects.get(email=EMAIL).check_password("another long password")


def test_an_unknown_link_opens_nothing(invited: Client, db: None) -> None:
    make.vendor()

    assert invited.get("/invitation/nothing/").status_code == 410


def test_two_presses_at_once_set_one_password(transactional_db: None) -> None:
    root = customers.customer(customers.catalogue())
    membership = invitations.invite(
        organisation_id=root.organisation_id,
        email=EMAIL,
        name="",
        role=Role.MEMBER,
        group_ids=[],
        actor=make.ACTOR,
        now=NOW,
    )
    path = link()
    token = path.strip("/").rpartition("/")[2]
    barrier = Barrier(2)

    def press(password: str) -> bool:
        try:
            barrier.wait()
            invitations.accept(token=token, password=password, now=NOW)
        except invitations.LinkIsDead:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(press, ["the first long password", "the second long password"]))

    assert sorted(done) == [False, True]
    winner = ["the first long password", "the second long password"][done.index(True)]
    assert User.objects.get(pk=membership.user_id).check_password(winner)


def test_the_token_itself_is_not_kept(pages: Client, org: Organisation) -> None:
    register(pages, org)
    token = link().strip("/").rpartition("/")[2]

    kept = Invitation.objects.get()

    assert bytes(kept.token_digest or b"") == queries.digest(token)
    assert len(token) >= 40


def test_who_has_a_password_is_told_to_sign_in_as_before(pages: Client, org: Organisation) -> None:
    other = customers.customer(customers_version()).organisation
    make.member(other, email=EMAIL)

    register(pages, org)

    mail = Mail.objects.get()
    assert mail.subject == "Aoba Devices has registered you"
    assert "sign in with it as before" in mail.text
    assert "/invitation/" not in mail.text
    assert other.name == org.name or other.name not in mail.text
    assert Invitation.objects.get().token_digest is None


def test_a_full_organisation_is_told_how_many_and_where_to(
    pages: Client, org: Organisation
) -> None:
    """Rule: S2-19."""
    customers.people(org, 9, at(2, 1))

    answer = register(pages, org)

    assert answer.status_code == 409
    page = text_of(answer)
    assert "Accounts in use: 10 of 10. Places free: 0; needed: 1." in page
    for name in ("order_spot", "order_licences"):
        assert url(name, org) in answer.content.decode()
    assert 'value="hanako@example.com"' in answer.content.decode()
    assert not User.objects.filter(email=EMAIL).exists()
    assert not Mail.objects.exists()


def test_who_is_registered_is_not_registered_twice(pages: Client, org: Organisation) -> None:
    register(pages, org)

    answer = register(pages, org, email="HANAKO@example.com")

    assert answer.status_code == 409
    assert "This address has an account with your organisation already." in text_of(answer)
    assert Mail.objects.count() == 1


@pytest.mark.parametrize(
    "forged",
    [{"role": "root"}, {"role": ""}, {"email": "no address"}, {"groups": ["x"]}, {"email": ""}],
)
def test_a_forged_form_registers_nobody(
    pages: Client, org: Organisation, forged: dict[str, Any]
) -> None:
    groups.create(organisation_id=org.pk, name="Sales", actor=make.ACTOR, now=NOW)

    answer = register(pages, org, **forged)

    assert answer.status_code == 400
    assert org.memberships.count() == 1


def test_an_invitation_is_sent_again_but_not_at_once(pages: Client, org: Organisation) -> None:
    register(pages, org)
    account = Membership.objects.get(user__email=EMAIL)
    page = url("account", org, account=account.public_id)

    at_once = pages.post(page, {"act": "invite"}, follow=True)
    assert "Wait five minutes" in text_of(at_once)
    assert Mail.objects.count() == 1

    with clock.fixed_at(NOW + timedelta(minutes=5)):
        later = pages.post(page, {"act": "invite"}, follow=True)
    assert "The invitation is sent again." in text_of(later)
    assert Mail.objects.count() == 2
    User.objects.filter(email=EMAIL).update(last_login=NOW + timedelta(minutes=6))
    with clock.fixed_at(NOW + timedelta(minutes=12)):
        too_late = pages.post(page, {"act": "invite"}, follow=True)
    assert "no invitation was sent" in text_of(too_late)
    assert Mail.objects.count() == 2


def test_the_trail_names_who_accepted(pages: Client, org: Organisation, invited: Client) -> None:
    register(pages, org)
    invited.post(link(), {"password": make.PASSWORD, "again": make.PASSWORD})

    last = AuditEntry.objects.filter(chain=org.pk).latest("seq")

    user = User.objects.get(email=EMAIL)
    assert (last.action, last.actor) == ("membership.accepted", f"user:{user.pk}")


def test_forms_are_refused_without_their_token(root: Membership, org: Organisation) -> None:
    """Rule: F73."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(root.user)

    group = groups.create(organisation_id=org.pk, name="Sales", actor=make.ACTOR, now=NOW)
    invitations.invite(
        organisation_id=org.pk,
        email=EMAIL,
        name="",
        role=Role.MEMBER,
        group_ids=[],
        actor=make.ACTOR,
        now=NOW,
    )
    account = Membership.objects.get(user__email=EMAIL)

    for path in (
        url("accounts_register", org),
        url("accounts_several", org),
        url("accounts_import", org),
        url("accounts_import_batch", org, batch=account.public_id),
        url("accounts_groups", org),
        url("accounts_group", org, group=group.public_id),
        url("account", org, account=account.public_id),
        link(),
    ):
        assert client.post(path, {"email": "b@example.com"}).status_code == 403, path

    assert org.memberships.count() == 2


def test_letters_call_a_person_what_the_organisation_calls_them(
    pages: Client, org: Organisation
) -> None:
    """Rule: F69."""
    other = customers.customer(customers_version()).organisation
    elsewhere = make.member(other, email=EMAIL)
    register(pages, org, name="Someone")
    account = org.memberships.get(user=elsewhere.user_id)
    left = automatically_out(account)
    Mail.objects.all().delete()

    letters.tell(first_id=left.pk, last_id=left.pk, now=NOW)

    told = Mail.objects.get(to=[org.memberships.get(role=Role.ROOT).user.email])
    assert "Someone" in told.text
    assert elsewhere.user.name not in told.text

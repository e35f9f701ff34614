"""After the end of a contract nobody enters by an account that it took, however late the job is."""

import re
from datetime import date, timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.models import Membership, Session, User
from core import clock
from core.models import Mail
from seats.models import Deactivation
from seats.queries import access
from seats.services import accounts, guard, settling
from tests import make
from tests.seats import customers
from tests.seats.customers import at

pytestmark = pytest.mark.django_db

APRIL = date(2026, 4, 1)
BEFORE, AFTER = at(5, 1) - timedelta(seconds=1), at(5, 1)


@pytest.fixture
def root() -> Membership:
    """A customer with three accounts of its own, and one that April's spot contract carries."""
    root = customers.customer(customers.catalogue(accounts_per_step=3))
    customers.people(root.organisation, 2, at(2, 1))
    customers.spot(root.organisation, 1, APRIL)
    return root


@pytest.fixture
def carried(root: Membership) -> Membership:
    return make.member(root.organisation, email="carried@example.com", now=at(4, 2))


@pytest.fixture
def _outbox(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "core.mail.OutboxBackend"


def sign_in(email: str, password: str = make.PASSWORD) -> tuple[int, str]:
    """Return how signing in was answered: the status, and where to or what was said."""
    client = Client(headers={"accept-language": "en"})
    answer = client.post("/account/login/", {"login": email, "password": password})
    said = re.sub(r"\s+", " ", answer.content.decode())
    return answer.status_code, answer.headers.get("Location", said)


def test_sign_in_is_decided_by_date_though_the_job_is_late(
    root: Membership, carried: Membership
) -> None:
    with clock.fixed_at(BEFORE):
        assert sign_in("carried@example.com") == (302, "/")
    with clock.fixed_at(AFTER):
        status, said = sign_in("carried@example.com")

    assert status == 403
    assert "Your account of Aoba Devices was deactivated on 1 May 2026." in said
    assert f"Please ask Hanako Sato ({root.user.email})" in said
    carried.refresh_from_db()
    assert carried.deactivated_at == AFTER
    assert Deactivation.objects.get().count == 1
    with clock.fixed_at(AFTER):
        assert sign_in(root.user.email) == (302, "/")


def test_a_wrong_password_tells_nothing_of_it(carried: Membership) -> None:
    settling.settle(organisation_id=carried.organisation_id, now=AFTER)

    with clock.fixed_at(AFTER):
        known = sign_in("carried@example.com", "not the password")
        unknown = sign_in("nobody@example.com", "not the password")

    assert known[0] == unknown[0] == 200
    assert "deactivated" not in known[1]
    assert Mail.objects.count() == 0


def test_a_session_ends_at_midnight_though_the_job_is_late(
    root: Membership, carried: Membership
) -> None:
    client, of_root = Client(), Client()
    with clock.fixed_at(at(4, 30, 23, 50)):
        client.force_login(carried.user)
        of_root.force_login(root.user)
        assert client.get("/").status_code != 404
        assert not client.get("/").headers.get("Location", "").startswith("/account/login/")
    with clock.fixed_at(AFTER):
        answer = client.get("/")
        assert answer.headers["Location"].startswith("/account/login/")
        assert not of_root.get("/").headers.get("Location", "").startswith("/account/login/")

    assert list(Session.objects.exclude(user_id=None).values_list("user_id", flat=True)) == [
        root.user_id
    ]


def test_a_day_without_an_end_costs_a_request_no_statement(root: Membership) -> None:
    with clock.fixed_at(BEFORE):
        guard.settle_for(root.user, BEFORE)

        with CaptureQueriesContext(connection) as taken:
            assert guard.settle_for(root.user, BEFORE) is True

    assert len(taken) == 0


def test_the_memory_of_a_day_is_not_that_of_another(root: Membership, carried: Membership) -> None:
    """The clock of a sandbox moves forth and back."""
    assert guard.settle_for(carried.user, BEFORE) is True
    assert guard.settle_for(carried.user, at(4, 1)) is True
    assert guard.settle_for(carried.user, AFTER) is False
    assert guard.settle_for(root.user, AFTER) is True


def test_an_organisation_that_cannot_be_settled_keeps_out_who_would_leave(
    root: Membership, carried: Membership
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'broken'; END $$;"
            " CREATE TRIGGER broken BEFORE INSERT ON seats_deactivation"
            " FOR EACH ROW EXECUTE FUNCTION broken()"
        )

    assert guard.settle_for(carried.user, AFTER) is False
    assert guard.settle_for(root.user, AFTER) is True
    assert not Deactivation.objects.exists()


@pytest.mark.usefixtures("_outbox")
def test_a_link_for_a_new_password_dies_with_the_account(carried: Membership) -> None:
    with clock.fixed_at(BEFORE):
        Client().post(
            "/account/password/reset/",
            {"email": "carried@example.com"},
            headers={"accept-language": "en"},
        )
    link = re.search(rf"{settings.PORTAL_ORIGIN}(/account/password/reset/key/\S+)", _mail().text)
    assert link is not None

    with clock.fixed_at(AFTER):
        page = Client(headers={"accept-language": "en"}).get(link[1], follow=True)

    assert 'name="password1"' not in page.content.decode()
    assert User.objects.get(pk=carried.user_id).check_password(make.PASSWORD)


@pytest.mark.usefixtures("_outbox")
def test_no_link_is_sent_to_who_has_no_account_any_more(
    root: Membership, carried: Membership
) -> None:
    with clock.fixed_at(AFTER):
        pages = [
            Client(headers={"accept-language": "en"}).post(
                "/account/password/reset/", {"email": email}
            )
            for email in ("carried@example.com", root.user.email)
        ]

    assert {page.headers["Location"] for page in pages} == {"/account/password/reset/done/"}
    to_carried = Mail.objects.get(to=["carried@example.com"])
    assert to_carried.subject == "Your account is deactivated"
    assert "/account/password/reset/key/" not in to_carried.text
    assert "Please ask Hanako Sato" in to_carried.text
    assert "Please ask Hanako Sato" in to_carried.html


def _mail() -> Mail:
    return Mail.objects.get()


def test_standing_is_by_date_and_changes_nothing(root: Membership, carried: Membership) -> None:
    reference = root.organisation.reference

    def may(email: str, instant: object) -> bool | None:
        assert isinstance(instant, type(AFTER))
        found = access.standing(reference, email, instant)
        return found.may_sign_in if found else None

    assert may("Carried@example.com", BEFORE) is True
    assert may("carried@example.com", AFTER) is False
    assert may(root.user.email, AFTER) is True
    assert may("nobody@example.com", AFTER) is None
    assert access.standing("other", "carried@example.com", AFTER) is None
    carried.refresh_from_db()
    assert carried.deactivated_at is None
    settling.settle(organisation_id=root.organisation_id, now=AFTER)
    assert may("carried@example.com", AFTER) is False


def test_who_was_deactivated_by_hand_signs_in_no_more(
    root: Membership, carried: Membership
) -> None:
    accounts.deactivate(
        organisation_id=root.organisation_id,
        membership_ids=[carried.pk],
        actor=make.ACTOR,
        now=at(4, 5),
    )

    with clock.fixed_at(at(4, 5)):
        status, said = sign_in("carried@example.com")

    assert (status, "was deactivated on 5 April 2026" in said) == (403, True)


def test_a_place_elsewhere_opens_the_door(root: Membership, carried: Membership) -> None:
    other = make.organisation()
    make.member(other)
    Membership.objects.create(
        organisation=other, user=carried.user, role="member", registered_at=at(4, 2)
    )

    with clock.fixed_at(AFTER):
        assert sign_in("carried@example.com") == (302, "/")

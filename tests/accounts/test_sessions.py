from datetime import timedelta

import pytest
from django.test import Client

from accounts.enums import Role
from accounts.models import Membership, Session
from core import clock, tasks
from tests import make

pytestmark = pytest.mark.django_db


def _signed_in() -> Client:
    make.vendor()
    client = Client()
    client.force_login(make.member(make.organisation()).user)
    return client


def _is_signed_in(client: Client) -> bool:
    return not client.get("/").headers.get("Location", "").startswith("/account/login/")


@pytest.mark.parametrize(
    ("idle", "stays"),
    [
        pytest.param(timedelta(minutes=30), True, id="half an hour"),
        pytest.param(timedelta(minutes=30, seconds=1), False, id="a second more"),
    ],
)
def test_a_session_ends_when_it_was_idle_for_half_an_hour(idle: timedelta, stays: bool) -> None:
    client = _signed_in()
    with clock.fixed_at(make.NOW):
        assert _is_signed_in(client)

    with clock.fixed_at(make.NOW + idle):
        assert _is_signed_in(client) is stays


@pytest.mark.parametrize(
    ("minutes", "stays"), [pytest.param(720, True, id="12 h"), pytest.param(721, False, id="more")]
)
def test_a_session_in_use_ends_after_twelve_hours(minutes: int, stays: bool) -> None:
    client = _signed_in()
    for minute in range(0, minutes, 20):
        with clock.fixed_at(make.NOW + timedelta(minutes=minute)):
            assert _is_signed_in(client)

    with clock.fixed_at(make.NOW + timedelta(minutes=minutes)):
        assert _is_signed_in(client) is stays


def test_an_ended_session_does_not_come_back() -> None:
    client = _signed_in()
    with clock.fixed_at(make.NOW):
        assert _is_signed_in(client)
    with clock.fixed_at(make.NOW + timedelta(hours=1)):
        assert not _is_signed_in(client)

    with clock.fixed_at(make.NOW):
        assert not _is_signed_in(client)


def test_a_session_that_ended_elsewhere_has_ended_here() -> None:
    client = _signed_in()
    assert _is_signed_in(client)

    # What a sign-out leaves behind, also where the cache was away.
    Session.objects.all().delete()

    assert not _is_signed_in(client)


def test_sessions_that_ran_out_are_forgotten() -> None:
    client = _signed_in()
    assert _is_signed_in(client)
    ends = Session.objects.get().expire_date

    tasks.clean_up(ends)
    assert Session.objects.exists()

    tasks.clean_up(ends + timedelta(seconds=1))
    assert not Session.objects.exists()


def test_a_change_of_role_holds_at_the_next_request() -> None:
    make.vendor()
    organisation = make.organisation()
    make.member(organisation)
    manager = make.member(organisation, role=Role.MANAGER)
    client = Client()
    client.force_login(manager.user)
    usage = f"/o/{organisation.public_id}/usage/"
    assert client.get(usage).status_code == 200

    Membership.objects.filter(pk=manager.pk).update(role=Role.MEMBER)

    assert client.get(usage).status_code == 403

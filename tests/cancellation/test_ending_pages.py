"""The pages that end a contract: every way through, and every way back. Rule: S1-27…S1-30, F61."""

from datetime import timedelta

import pytest
from django.http import HttpResponseBase
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.enums import Role
from accounts.models import Organisation
from cancellation import services
from cancellation.models import Cancellation, Review
from core import clock
from core.models import Mail
from tests import make
from tests.cancellation import leaving

pytestmark = pytest.mark.django_db


def _client(organisation: Organisation) -> Client:
    client = Client(HTTP_ACCEPT_LANGUAGE="en")
    client.force_login(leaving.root(organisation))
    return client


def _url(name: str, organisation: Organisation, **kwargs: object) -> str:
    return reverse(name, kwargs={"organisation": organisation.public_id, **kwargs})


def _reviewed(client: Client, organisation: Organisation) -> str:
    """Go on from what follows to the terms; return that page's address."""
    response = client.post(_url("cancellation", organisation))
    assert response.status_code == 302
    return str(response["Location"])


def _said(ticked: tuple[int, ...] = (0, 1, 2), password: str = make.PASSWORD) -> dict[str, object]:
    return {"ticked": [str(each) for each in ticked], "password": password, "reason": ""}


def _text(response: HttpResponseBase) -> str:
    return bytes(response.getvalue()).decode()


def test_looking_at_what_follows_changes_nothing() -> None:
    organisation = leaving.customer()

    response = _client(organisation).get(_url("cancellation", organisation))

    assert response.status_code == 200
    assert "Nothing is cancelled on this page." in _text(response)
    assert (Review.objects.count(), Cancellation.objects.count()) == (0, 0)


def test_a_root_cancels_and_gets_a_receipt() -> None:
    organisation = leaving.customer()
    client = _client(organisation)

    response = client.post(_reviewed(client, organisation), _said())

    cancellation = Cancellation.objects.get(organisation=organisation)
    receipt = _url("cancellation_receipt", organisation, cancellation=cancellation.public_id)
    assert response["Location"] == receipt
    page = _text(client.get(receipt))
    assert str(cancellation.public_id) in page
    assert "Withdraw the cancellation" in page
    organisation.refresh_from_db()
    assert organisation.closed_on == cancellation.end_on
    assert Mail.objects.filter(to__contains=[leaving.root(organisation).email]).count() == 1


@pytest.mark.parametrize("ticked", [(), (0,), (0, 1), (1, 2)])
def test_each_box_must_be_ticked(ticked: tuple[int, ...]) -> None:
    organisation = leaving.customer()
    client = _client(organisation)

    response = client.post(_reviewed(client, organisation), _said(ticked))

    assert response.status_code == 400
    page = _text(response)
    for place in {0, 1, 2} - set(ticked):
        assert f'id="box_{place + 1}_error"' in page
    for place in ticked:
        assert f'value="{place}" id="box_{place + 1}" checked' in page
    assert not Cancellation.objects.exists()


def test_a_forged_box_agrees_to_nothing() -> None:
    organisation = leaving.customer()
    client = _client(organisation)

    response = client.post(_reviewed(client, organisation), _said((0, 1, 7)))

    assert response.status_code == 400
    assert not Cancellation.objects.exists()


def test_a_wrong_password_ends_nothing() -> None:
    organisation = leaving.customer()
    client = _client(organisation)

    response = client.post(_reviewed(client, organisation), _said(password="wrong"))

    assert response.status_code == 400
    assert "This is not your password." in _text(response)
    assert not Cancellation.objects.exists()


@pytest.mark.parametrize("password", ["", "wrong"])
def test_all_that_is_wrong_is_told_at_once(password: str) -> None:
    organisation = leaving.customer()
    client = _client(organisation)

    page = _text(client.post(_reviewed(client, organisation), _said((0,), password)))

    assert "Not ticked: 2, 3." in page
    assert 'id="box_2_error"' in page
    assert ("This is not your password." in page) is bool(password)
    assert 'href="#id_password"' in page


def test_many_wrong_passwords_are_answered_no_more() -> None:
    organisation = leaving.customer()
    client = _client(organisation)
    page = _reviewed(client, organisation)
    for _ in range(10):
        client.post(page, _said(password="wrong"))

    response = client.post(page, _said())

    assert response.status_code == 429
    assert not Cancellation.objects.exists()


def test_a_second_click_shows_the_same_receipt() -> None:
    organisation = leaving.customer()
    client = _client(organisation)
    page = _reviewed(client, organisation)

    first, second = client.post(page, _said()), client.post(page, _said())

    assert first["Location"] == second["Location"]
    assert Cancellation.objects.count() == 1


def test_a_page_that_is_too_old_cancels_nothing() -> None:
    organisation = leaving.customer()
    client = _client(organisation)
    shown = leaving.shown(organisation, clock.now() - timedelta(minutes=16))
    page = _url("cancellation_confirm", organisation, review=shown.public_id)

    response = client.post(page, _said())

    assert response.status_code == 409
    assert "This page is older than 15 minutes" in _text(response)
    assert not Cancellation.objects.exists()


def test_what_changed_in_between_is_shown_again() -> None:
    organisation = leaving.customer()
    client = _client(organisation)
    page = _reviewed(client, organisation)
    make.cancellation_terms(number=2)

    response = client.post(page, _said())

    assert response.status_code == 302
    assert response["Location"] != page
    assert "The cancellation terms have changed." in _text(client.get(response["Location"]))
    assert not Cancellation.objects.exists()
    # The old page leads to the new one.
    assert client.get(page)["Location"] == response["Location"]


def test_what_another_person_was_shown_is_not_found() -> None:
    organisation, other = leaving.customer(), make.organisation(name="別会社")
    make.member(other)
    page = _reviewed(_client(organisation), organisation)
    shown = Review.objects.get().public_id

    assert _client(other).get(page).status_code == 404
    assert _client(other).get(_url("cancellation_confirm", other, review=shown)).status_code == 404


def test_a_manager_cancels_nothing() -> None:
    organisation = leaving.customer()
    page = _reviewed(_client(organisation), organisation)
    manager = make.member(organisation, role=Role.MANAGER)
    client = Client()
    client.force_login(manager.user)

    statuses = [
        client.get(_url("cancellation", organisation)).status_code,
        client.post(_url("cancellation", organisation)).status_code,
        client.post(page, _said()).status_code,
        client.post(_url("cancellation_withdraw", organisation)).status_code,
        client.post(_url("cancellation_reopen", organisation)).status_code,
    ]

    assert statuses == [403] * 5
    assert not Cancellation.objects.exists()


def test_who_has_cancelled_is_led_to_how_it_stands() -> None:
    organisation = leaving.customer()
    leaving.cancelled(organisation, clock.now())
    client = _client(organisation)

    response = client.get(_url("cancellation", organisation))

    assert response["Location"] == f"{_url('contract', organisation)}#cancellation"


def test_a_root_withdraws_and_the_contract_goes_on() -> None:
    organisation = leaving.customer()
    leaving.cancelled(organisation, clock.now())
    client = _client(organisation)
    page = _url("cancellation_withdraw", organisation)

    assert client.get(page).status_code == 200
    client.post(page)

    organisation.refresh_from_db()
    assert organisation.closed_on is None
    # Once more does no harm, and says so.
    assert client.post(page).status_code == 302
    assert Cancellation.objects.get().withdrawn_at is not None


def test_a_withdrawn_cancellation_keeps_its_receipt() -> None:
    organisation = leaving.customer()
    cancellation = leaving.cancelled(organisation, clock.now())
    client = _client(organisation)
    client.post(_url("cancellation_withdraw", organisation))

    receipt = _url("cancellation_receipt", organisation, cancellation=cancellation.public_id)

    assert "It ends nothing." in _text(client.get(receipt))


def test_a_reason_is_kept_with_its_words() -> None:
    organisation = leaving.customer()
    client = _client(organisation)
    said = _said() | {"reason": "price", "reason_text": "Too dear for <b>us</b>"}

    client.post(_reviewed(client, organisation), said)

    kept = Cancellation.objects.get()
    assert (kept.reason, kept.reason_text) == ("price", "Too dear for <b>us</b>")


def test_a_customer_who_stays_has_nothing_to_open_again() -> None:
    organisation = leaving.customer()
    client = _client(organisation)

    assert client.get(_url("cancellation_reopen", organisation)).status_code == 302
    with pytest.raises(services.NothingToReopen):
        services.reopen(organisation_id=organisation.pk, actor="user:1", now=clock.now())


def test_the_review_asks_the_same_number_of_questions_however_much_there_is(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    organisation = leaving.customer()
    client = _client(organisation)
    client.get(_url("cancellation", organisation))
    for _ in range(3):
        make.member(organisation)

    with django_assert_num_queries(24):
        client.get(_url("cancellation", organisation))


@pytest.mark.parametrize("role", [Role.ROOT, Role.MANAGER])
def test_every_page_says_until_when_the_contract_runs(role: Role) -> None:
    organisation = leaving.customer()
    leaving.cancelled(organisation, clock.now())
    member = (
        organisation.memberships.get(role=role)
        if role is Role.ROOT
        else make.member(organisation, role=role)
    )
    client = Client(HTTP_ACCEPT_LANGUAGE="en")
    client.force_login(member.user)

    page = _text(client.get(_url("usage", organisation)))

    assert "Until then everything works as before." in page
    assert (f"{_url('contract', organisation)}#cancellation" in page) is (role is Role.ROOT)


def test_a_contract_that_goes_on_has_no_banner() -> None:
    organisation = leaving.customer()

    assert "Your contract end" not in _text(_client(organisation).get(_url("usage", organisation)))

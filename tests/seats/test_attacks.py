"""What somebody might try with accounts, invitations and files, and does not get. Rule: F60, F69, F75."""

import threading
from collections.abc import Iterator
from datetime import date, timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test import Client

from accounts.enums import Role
from accounts.models import Membership, Organisation, User
from core import clock
from core.models import Mail
from plans.models import PlanVersion
from seats.enums import ImportState, Problem, RowState
from seats.forms import files
from seats.models import AccountImport, ImportRow
from seats.rules import import_rows
from seats.services import accounts, imports, invitations
from tests import make
from tests.plans.test_guards import somebody_waits
from tests.seats import customers
from tests.seats.customers import at
from tests.seats.test_pages import text_of, url

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


def _invite(org: Organisation, minutes: int = 0, email: str = EMAIL) -> Membership:
    return invitations.invite(
        organisation_id=org.pk,
        email=email,
        name="Hanako",
        role=Role.MEMBER,
        group_ids=[],
        actor=make.ACTOR,
        now=NOW + timedelta(minutes=minutes),
    )


def _delete(org: Organisation, account: Membership, minutes: int = 0) -> None:
    accounts.delete(
        organisation_id=org.pk,
        membership_ids=[account.pk],
        actor=make.ACTOR,
        now=NOW + timedelta(minutes=minutes),
    )


def test_no_customer_opens_the_door_again_to_staff_who_were_shut_out(org: Organisation) -> None:
    User.objects.create_user(
        EMAIL, make.PASSWORD, registered_at=NOW, is_staff=True, is_active=False
    )

    _invite(org)

    assert not User.objects.get(email=EMAIL).is_active


def test_registering_and_deleting_by_turns_writes_to_nobody_twice_in_five_minutes(
    org: Organisation,
) -> None:
    _delete(org, _invite(org))

    with pytest.raises(invitations.JustSent):
        _invite(org, 4)

    assert Mail.objects.filter(to=[EMAIL]).count() == 1
    assert not org.memberships.filter(user__email=EMAIL).exists()
    _delete(org, _invite(org, 5), 5)
    with pytest.raises(invitations.JustSent):
        _invite(org, 6)
    assert Mail.objects.filter(to=[EMAIL]).count() == 2


def test_what_one_organisation_wrote_keeps_no_other_from_writing(org: Organisation) -> None:
    _delete(org, _invite(org))
    other = make.member(make.organisation(now=at(1, 1)), now=at(1, 1)).organisation
    customers.main(other, PlanVersion.objects.get(plan__code="starter"), customers.BEGAN)

    _invite(other, 1)

    assert Mail.objects.filter(to=[EMAIL]).count() == 2


def test_the_page_says_when_to_try_again(pages: Client, org: Organisation) -> None:
    _delete(org, _invite(org))

    answer = pages.post(url("accounts_register", org), {"email": EMAIL, "role": "member"})

    assert answer.status_code == 409
    assert "An invitation was sent to this address some minutes ago." in text_of(answer)


def test_a_file_writes_to_nobody_twice_in_five_minutes(org: Organisation) -> None:
    _delete(org, _invite(org))
    batch = _import(org, f"email\n{EMAIL}\nother@example.com\n")

    assert imports.carry_out(batch_id=batch.pk, now=NOW + timedelta(minutes=1))

    row = ImportRow.objects.get(batch=batch, email=EMAIL)
    assert (row.state, row.problem) == (RowState.WRONG, Problem.JUST_SENT)
    assert Mail.objects.filter(to=[EMAIL]).count() == 1
    assert Mail.objects.filter(to=["other@example.com"]).count() == 1


def test_reactivating_by_turns_writes_to_nobody_twice_in_five_minutes(
    pages: Client, org: Organisation
) -> None:
    account = _invite(org)
    for _ in range(3):
        accounts.deactivate(
            organisation_id=org.pk, membership_ids=[account.pk], actor=make.ACTOR, now=NOW
        )
        answer = pages.post(
            url("accounts_several", org), {"act": "reactivate", "account": account.public_id}
        )
        assert answer.status_code == 302

    assert Mail.objects.filter(to=[EMAIL]).count() == 1


def test_groups_whose_names_only_the_database_takes_for_one_stop_no_import(
    org: Organisation,
) -> None:
    batch = _import(
        org,
        "email,groups\na@example.com,sales\nb@example.com,\u017fales\nc@example.com,SALES\n"
        "d@example.com,stra\u00dfe\ne@example.com,STRASSE\nf@example.com,\u0131\ng@example.com,I\n",
    )

    assert imports.carry_out(batch_id=batch.pk, now=NOW)

    assert AccountImport.objects.get(pk=batch.pk).state == ImportState.DONE
    assert not ImportRow.objects.filter(batch=batch).exclude(state=RowState.REGISTERED).exists()


def test_files_that_nobody_confirms_are_not_heaped_up(org: Organisation) -> None:
    confirmed = _import(org, "email\na@example.com\n")
    sent = [_checked(org, "email\nb@example.com\n") for _ in range(imports.MOST_CHECKED + 2)]

    kept = set(AccountImport.objects.values_list("pk", flat=True))

    assert kept == {confirmed.pk, *(each.pk for each in sent[2:])}


def test_a_file_of_far_too_many_rows_is_read_no_further_than_needed() -> None:
    read = 0

    def lines() -> Iterator[tuple[int, list[str]]]:
        nonlocal read
        for read in range(1, 50_000):
            yield read, ["x"]

    with pytest.raises(import_rows.TooManyRows):
        import_rows.rows(
            lines(),
            {"email": 0},
            width=1,
            is_address=lambda _: True,
            is_reserved=lambda _: False,
        )

    assert read == import_rows.MOST_ROWS + 1


def test_an_address_in_full_width_letters_is_the_same_address(
    pages: Client, org: Organisation
) -> None:
    rows = files.rows("email\nhanako@example.com\nｈａｎａｋｏ＠ｅｘａｍｐｌｅ．ｃｏｍ\n".encode())
    assert [(row.email, row.problem) for row in rows] == [(EMAIL, None), (EMAIL, Problem.TWICE)]

    pages.post(url("accounts_register", org), {"email": "Ｈanako@ｅxample.com", "role": "member"})

    assert org.memberships.filter(user__email=EMAIL).exists()


def test_a_name_turns_no_text_around(pages: Client, org: Organisation) -> None:
    name = "Ha\u202enako \u2066\x1b[31mSato\r\nBcc: x"
    (row,) = files.rows(f'email,name,groups\nb@example.com,"{name}","{name}"\n'.encode())

    pages.post(url("accounts_register", org), {"email": EMAIL, "name": name, "role": "member"})

    assert row.name == "Hanako [31mSato Bcc: x"
    assert row.groups == ("Hanako [31mSato Bcc: x",)
    account = org.memberships.select_related("invitation").get(user__email=EMAIL)
    assert account.invitation.name == "Hanako [31mSato Bcc: x"


@pytest.mark.django_db(transaction=True)
def test_who_is_deleted_here_while_registered_there_signs_in_there() -> None:
    org = customers.customer(customers.catalogue()).organisation
    account = _invite(org)
    other = make.member(make.organisation(now=at(1, 1)), now=at(1, 1)).organisation
    customers.main(other, PlanVersion.objects.get(plan__code="starter"), customers.BEGAN)

    def delete() -> None:
        try:
            _delete(org, account)
        finally:
            connection.close()

    with transaction.atomic():
        _invite(other)
        meanwhile = threading.Thread(target=delete)
        meanwhile.start()
        while meanwhile.is_alive() and not somebody_waits():
            meanwhile.join(0.01)
    meanwhile.join(30)

    assert User.objects.get(email=EMAIL).is_active
    assert not org.memberships.filter(user__email=EMAIL).exists()


@pytest.mark.parametrize(
    ("closed_on", "helps", "page"),
    [
        (date(2026, 4, 10), "the root account alone is left", "cancellation_reopen"),
        (date(2026, 5, 1), "withdraw the cancellation first", "cancellation_withdraw"),
    ],
)
def test_who_cancelled_is_led_to_no_order_that_would_be_refused(
    pages: Client, org: Organisation, closed_on: date, helps: str, page: str
) -> None:
    customers.people(org, 9, at(2, 1))
    Organisation.objects.filter(pk=org.pk).update(closed_on=closed_on)

    answer = pages.post(url("accounts_register", org), {"email": EMAIL, "role": "member"})

    assert answer.status_code == 409
    assert helps in text_of(answer)
    assert url(page, org) in answer.content.decode()
    assert url("order_spot", org) not in answer.content.decode()


def _checked(org: Organisation, text: str) -> AccountImport:
    return imports.check(
        organisation_id=org.pk,
        operation=uuid4(),
        rows=files.rows(text.encode()),
        user_id=org.memberships.get(role=Role.ROOT).user_id,
        now=NOW,
    )


def _import(org: Organisation, text: str) -> AccountImport:
    batch = _checked(org, text)
    imports.confirm(organisation_id=org.pk, batch_id=batch.pk, actor=make.ACTOR, now=NOW)
    return batch

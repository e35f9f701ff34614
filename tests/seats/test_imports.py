"""Many accounts from a file: read, shown, confirmed once, carried out, told. Rule: R1, R3, F75, F78."""

import csv
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, models
from django.test import Client

from accounts.models import Membership, Organisation, User
from core import clock, work
from core.models import AuditEntry, Mail, Work
from seats import jobs
from seats.enums import ImportState, Problem, RowState
from seats.forms import files
from seats.models import AccountImport, Group, ImportRow
from seats.queries import imports as queries
from seats.services import groups, imports, invitations
from tests import make
from tests.seats import customers
from tests.seats.customers import at
from tests.seats.test_pages import customers_version, person, text_of, url

pytestmark = pytest.mark.django_db

NOW = at(4, 10, 9)
GOOD = "email,name,role,groups\na@example.com,佐藤 花子,manager,Tokyo; Sales\nb@example.com,,,\n"


@pytest.fixture(autouse=True)
def _today() -> Iterator[None]:
    with clock.fixed_at(NOW):
        yield


@pytest.fixture
def root(db: None) -> Membership:
    return customers.customer(customers.catalogue())


@pytest.fixture
def org(root: Membership) -> Organisation:
    return root.organisation


@pytest.fixture
def pages(root: Membership, client: Client) -> Client:
    client.force_login(root.user)
    client.cookies["django_language"] = "en"
    return client


def send(pages: Client, organisation: Organisation, content: str | bytes, **more: str) -> Any:
    data = content.encode() if isinstance(content, str) else content
    form = {"operation": str(uuid4()), "file": SimpleUploadedFile("people.csv", data), **more}
    return pages.post(url("accounts_import", organisation), form)


def sent(pages: Client, organisation: Organisation, content: str) -> AccountImport:
    answer = send(pages, organisation, content)
    assert answer.status_code == 302, text_of(answer)
    return AccountImport.objects.latest("pk")


def page_of(batch: AccountImport) -> str:
    return url("accounts_import_batch", batch.organisation, batch=batch.public_id)


def states(batch: AccountImport) -> list[tuple[int, str, str]]:
    return [(row.line, row.email, row.state) for row in queries.rows_of(batch)]


def emails(organisation: Organisation) -> set[str]:
    return set(organisation.memberships.values_list("user__email", flat=True))


# --- the file -------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_is_read_as_spreadsheets_write_it(encoding: str, delimiter: str, end: str) -> None:
    lines = [["メールアドレス", "氏名"], ["a@example.com", '"佐藤' + delimiter + ' 花子"']]
    content = end.join(delimiter.join(line) for line in lines).encode(encoding)

    rows = files.rows(content)

    assert [(row.line, row.email, row.name) for row in rows] == [
        (2, "a@example.com", f"佐藤{delimiter} 花子".replace("\t", ""))
    ]


def _problems(content: str) -> list[tuple[int, Problem | None, str]]:
    return [(row.line, row.problem, row.about) for row in files.rows(content.encode())]


def test_each_line_is_told_what_is_wrong_with_it() -> None:
    content = (
        "Name,E-Mail,Role,Group,Other\n"
        "A,a@example.com,Manager,,\n"
        "B,A@Example.com,,,\n"
        "\n"
        "C,,,,\n"
        "D,nobody,,,\n"
        "E,e@example.com,owner,,\n"
        "F,f@example.com,root,,\n"
        f"{'G' * 121},g@example.com,,,\n"
        "H,h@example.com,,Auto Deactivation,\n"
        "I, Inc.,i@example.com,,,,\n"
        "J,j@example.com,メンバー,,x,y\n"
    )

    assert _problems(content) == [
        (2, None, ""),
        (3, Problem.TWICE, "2"),
        (5, Problem.NO_ADDRESS, ""),
        (6, Problem.BAD_ADDRESS, "nobody"),
        (7, Problem.BAD_ROLE, "owner"),
        (8, Problem.ROOT, ""),
        (9, Problem.LONG_NAME, ""),
        (10, Problem.BAD_GROUP, "Auto Deactivation"),
        (11, Problem.BAD_ADDRESS, "inc."),
        (12, Problem.COLUMNS, ""),
    ]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", files.NoHeading),
        (b"name,role\nA,member\n", files.NoHeading),
        (b"a@example.com,A\n", files.NoHeading),
        (b"email,e-mail\na@example.com,b@example.com\n", files.HeadingTwice),
        (b"email\n", files.NoRows),
        (b"email\n\n \n", files.NoRows),
        (b'email,name\na@example.com,"never closed\n', files.NotCsv),
        (b"PK\x03\x04\x00\x00\xff\xff", files.NotText),
        (b"email\n\x81", files.NotText),
        (b"email\n" + b"a@example.com\n" * 80_000, files.TooLarge),
        (b"email\n" + b"".join(b"%d@x.jp\n" % n for n in range(10_001)), files.TooManyRows),
    ],
)
def test_a_file_that_cannot_be_taken_says_why(content: bytes, fault: type[Exception]) -> None:
    with pytest.raises(fault):
        files.rows(content)


def test_what_the_portal_hands_out_can_be_sent_back(pages: Client, org: Organisation) -> None:
    person(org, "a@example.com", name="=SUM(A1)")

    listed: Any = pages.get(url("accounts_csv", org))
    answer = send(pages, org, listed.getvalue())

    assert answer.status_code == 302
    assert {state for _, _, state in states(AccountImport.objects.get())} == {RowState.THERE}
    assert ImportRow.objects.filter(name="=SUM(A1)").exists()


# --- shown before it is done ----------------------------------------------------------------------


def test_a_file_is_shown_row_by_row_and_registers_nobody(pages: Client, org: Organisation) -> None:
    person(org, "there@example.com")

    batch = sent(pages, org, f"{GOOD}there@example.com,,,\nnobody,,,\n")

    assert states(batch) == [
        (2, "a@example.com", "ready"),
        (3, "b@example.com", "ready"),
        (4, "there@example.com", "there"),
        (5, "nobody", "wrong"),
    ]
    page = text_of(pages.get(page_of(batch)))
    assert "2 of 4 rows will be registered. Nobody is registered yet." in page
    assert "2 of 10 accounts are in use; 8 are free." in page
    assert "This is no e-mail address." in page
    assert "Register 2 accounts" in page
    assert len(emails(org)) == 2
    assert not Mail.objects.exists()


def test_missing_places_are_told_before_it_is_confirmed(pages: Client, org: Organisation) -> None:
    customers.people(org, 8, at(2, 1))

    page = pages.get(page_of(sent(pages, org, GOOD)))

    assert "1 place is missing" in text_of(page)
    assert url("order_licences", org) in page.content.decode()


def test_the_same_form_twice_is_one_import(pages: Client, org: Organisation) -> None:
    """Rule: R3."""
    operation = str(uuid4())

    first = send(pages, org, GOOD, operation=operation)
    second = send(pages, org, GOOD, operation=operation)

    assert first.headers["Location"] == second.headers["Location"]
    assert AccountImport.objects.count() == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "The file is empty."),
        (b"name\nA\n", "The first line must name the columns"),
        (b"email\n" + b"a@example.com\n" * 80_000, "The file is larger than 1 MB."),
        (b"email\n" + b"a@example.com\n" * 200_000, "The file is larger than 1 MB."),
        (b"\x00\x01\x02", "This is no text file in UTF-8 or Shift_JIS."),
    ],
)
def test_a_refused_file_is_told_at_the_field(
    pages: Client, org: Organisation, content: bytes, told: str
) -> None:
    answer = send(pages, org, content)

    assert answer.status_code == 400
    assert told in text_of(answer)
    assert not AccountImport.objects.exists()


def test_more_groups_than_there_may_be_are_refused(pages: Client, org: Organisation) -> None:
    names = "; ".join(f"G{number}" for number in range(groups.MOST + 1))

    answer = send(pages, org, f"email,groups\na@example.com,{names}\n")

    assert answer.status_code == 400
    assert "there would be more than 200" in text_of(answer)


def test_no_file_is_ever_kept() -> None:
    """Rule: ASVS 5.2.1; docs/decisions/a-file-of-accounts-is-read-and-not-kept.md."""
    kept = [
        f"{model.__name__}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, models.FileField)
    ]

    assert kept == []
    assert settings.FILE_UPLOAD_HANDLERS == [
        "django.core.files.uploadhandler.MemoryFileUploadHandler"
    ]


# --- carried out ----------------------------------------------------------------------------------


def test_a_confirmed_import_registers_writes_and_groups(pages: Client, org: Organisation) -> None:
    batch = sent(pages, org, GOOD)

    pages.post(page_of(batch))
    running = pages.get(page_of(batch))
    work.run_due(["default"], limit=1)

    assert "0 of 2 rows have their result." in text_of(running)
    assert "every 2s" in running.content.decode()
    assert "Refresh" in text_of(running)
    assert {"a@example.com", "b@example.com"} <= emails(org)
    assert Membership.objects.get(user__email="a@example.com").role == "manager"
    assert set(Group.objects.values_list("name", flat=True)) == {"Tokyo", "Sales"}
    assert sorted(Mail.objects.values_list("to", flat=True)) == [
        ["a@example.com"],
        ["b@example.com"],
    ]
    batch.refresh_from_db()
    assert batch.state == ImportState.DONE
    done = pages.get(page_of(batch))
    assert "2 of 2 rows are registered." in text_of(done)
    assert "every 2s" not in done.content.decode()


def test_a_part_asked_for_by_htmx_is_the_part_alone(pages: Client, org: Organisation) -> None:
    batch = sent(pages, org, GOOD)

    part = pages.get(page_of(batch), headers={"HX-Request": "true"})

    assert "<html" not in part.content.decode()
    assert 'id="import"' in part.content.decode()
    assert "HX-Request" in part.headers["Vary"]


def test_a_second_confirmation_does_nothing_more(pages: Client, org: Organisation) -> None:
    """Rule: R3."""
    batch = sent(pages, org, GOOD)
    pages.post(page_of(batch))
    work.run_due(["default"])

    again = pages.post(page_of(batch), follow=True)
    work.run_due(["default"])

    assert "it is carried out once" in text_of(again)
    assert Mail.objects.count() == 2
    assert AuditEntry.objects.filter(action="accounts.import_confirmed").count() == 1


def test_a_row_without_a_place_says_so_and_those_before_it_are_registered(
    pages: Client, org: Organisation
) -> None:
    """Rule: S2-19."""
    customers.people(org, 8, at(2, 1))
    batch = sent(pages, org, GOOD)
    pages.post(page_of(batch))

    imports.carry_out(batch_id=batch.pk, now=NOW)

    assert states(batch) == [
        (2, "a@example.com", "registered"),
        (3, "b@example.com", "full"),
    ]
    assert org.memberships.filter(deactivated_at=None).count() == 10
    assert "no place was left" in text_of(pages.get(page_of(batch)))


def test_who_was_registered_meanwhile_is_there_already(pages: Client, org: Organisation) -> None:
    batch = sent(pages, org, GOOD)
    person(org, "b@example.com")
    pages.post(page_of(batch))

    imports.carry_out(batch_id=batch.pk, now=NOW)

    assert [state for _, _, state in states(batch)] == ["registered", "there"]


def test_who_is_killed_goes_on_where_it_stopped(
    pages: Client, org: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule: R1."""
    customers.main(org, customers_version(), at(1, 1, year=2027).date(), steps=3)
    lines = "".join(f"p{number}@example.com\n" for number in range(7))
    batch = sent(pages, org, f"email\n{lines}")
    pages.post(page_of(batch))
    monkeypatch.setattr(imports, "AT_ONCE", 2)
    invite = invitations.invite

    def dies(**given: Any) -> Membership:
        if given["email"] == "p3@example.com":
            raise KeyboardInterrupt
        return invite(**given)

    with monkeypatch.context() as killed:
        killed.setattr(invitations, "invite", dies)
        with pytest.raises(KeyboardInterrupt):
            imports.carry_out(batch_id=batch.pk, now=NOW)
    # The transaction that was under way is gone whole: the third row with it.
    assert [state for _, _, state in states(batch)] == ["registered"] * 2 + ["ready"] * 5

    assert imports.carry_out(batch_id=batch.pk, now=NOW)

    assert [state for _, _, state in states(batch)] == ["registered"] * 7
    assert Mail.objects.count() == 7


def test_work_that_runs_out_of_time_goes_on_later(pages: Client, org: Organisation) -> None:
    batch = sent(pages, org, GOOD)
    pages.post(page_of(batch))

    assert not imports.carry_out(batch_id=batch.pk, now=NOW, seconds=0)
    assert imports.carry_out(batch_id=batch.pk, now=NOW)


def test_an_import_is_found_by_state_when_its_message_is_lost(
    pages: Client, org: Organisation
) -> None:
    """Rule: R1."""
    batch = sent(pages, org, GOOD)
    pages.post(page_of(batch))
    Work.objects.all().delete()

    work.plan(NOW)

    assert Work.objects.filter(kind=jobs.IMPORT_ACCOUNTS.kind, key=str(batch.pk)).exists()
    work.run_due(["default"])
    work.plan(NOW)
    batch.refresh_from_db()
    assert batch.state == ImportState.DONE


def test_nothing_to_register_cannot_be_confirmed(pages: Client, org: Organisation) -> None:
    batch = sent(pages, org, "email\nnobody\n")

    answer = pages.post(page_of(batch), follow=True)

    assert "No row of the file can be registered." in text_of(answer)
    batch.refresh_from_db()
    assert batch.state == ImportState.CHECKED


def test_the_result_can_be_downloaded(pages: Client, org: Organisation) -> None:
    """Rule: F75."""
    batch = sent(pages, org, "email,name\na@example.com,=1+1\nnobody,\n")

    answer: Any = pages.get(url("accounts_import_csv", org, batch=batch.public_id))

    lines = list(csv.reader(answer.getvalue().decode("utf-8-sig").splitlines()))
    assert lines == [
        ["Line", "E-mail address", "Name", "Role", "Groups", "Result", "Reason"],
        ["2", "a@example.com", "'=1+1", "Member", "", "will be registered", ""],
        ["3", "nobody", "", "Member", "", "wrong", "This is no e-mail address."],
    ]


def test_what_nobody_confirmed_is_forgotten(pages: Client, org: Organisation) -> None:
    batch = sent(pages, org, GOOD)

    imports.forget(NOW + timedelta(days=7))
    assert AccountImport.objects.filter(pk=batch.pk).exists()
    imports.forget(NOW + timedelta(days=7, seconds=1))

    assert not ImportRow.objects.exists()


def test_another_customers_import_is_not_confirmed(pages: Client, org: Organisation) -> None:
    """Rule: F69."""
    batch = sent(pages, org, GOOD)
    other = customers.customer(customers_version())
    theirs = Client()
    theirs.force_login(other.user)

    path = url("accounts_import_batch", other.organisation, batch=batch.public_id)

    assert theirs.post(path).status_code == 404
    with pytest.raises(imports.NoSuchImport):
        imports.confirm(
            organisation_id=other.organisation_id, batch_id=batch.pk, actor=make.ACTOR, now=NOW
        )
    assert User.objects.filter(email="a@example.com").count() == 0


def test_two_workers_at_once_register_each_row_once(transactional_db: None) -> None:
    """Rule: R1."""
    root = customers.customer(customers.catalogue(accounts_per_step=100))
    content = "email\n" + "".join(f"p{number}@example.com\n" for number in range(45))
    batch = imports.check(
        organisation_id=root.organisation_id,
        operation=uuid4(),
        rows=files.rows(content.encode()),
        user_id=root.user_id,
        now=NOW,
    )
    imports.confirm(
        organisation_id=root.organisation_id, batch_id=batch.pk, actor=make.ACTOR, now=NOW
    )
    barrier = Barrier(2)

    def work_on(_number: int) -> bool:
        try:
            barrier.wait()
            return imports.carry_out(batch_id=batch.pk, now=NOW, seconds=60)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(work_on, range(2))) == [True, True]

    assert {state for _, _, state in states(batch)} == {"registered"}
    assert root.organisation.memberships.count() == 46
    assert Mail.objects.count() == 45


def test_two_confirmations_at_once_are_one(transactional_db: None) -> None:
    """Rule: R3."""
    root = customers.customer(customers.catalogue())
    batch = imports.check(
        organisation_id=root.organisation_id,
        operation=uuid4(),
        rows=files.rows(GOOD.encode()),
        user_id=root.user_id,
        now=NOW,
    )
    barrier = Barrier(2)

    def confirm(_number: int) -> bool:
        try:
            barrier.wait()
            return imports.confirm(
                organisation_id=root.organisation_id, batch_id=batch.pk, actor=make.ACTOR, now=NOW
            )
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(confirm, range(2))) == [False, True]

    assert AuditEntry.objects.filter(action="accounts.import_confirmed").count() == 1
    assert Work.objects.filter(kind=jobs.IMPORT_ACCOUNTS.kind).count() == 1

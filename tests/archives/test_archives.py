"""The archive, opened: what it holds is what the books hold, and nothing of anybody else."""

import csv
import hashlib
import io
import json
import zipfile
from datetime import date, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core import signing
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.enums import Role
from accounts.models import Organisation
from archives.enums import ArchiveState
from archives.models import Archive, ArchivePart
from archives.queries import archives as queries
from archives.services import making
from archives.views.archives import LINK_HOLDS
from billing.models import Invoice, InvoiceDocument
from billing.queries import invoices
from core import clock, work
from core.models import Mail
from core.months import BillingMonth
from plans.models import Meter
from tests import make
from tests.pages import customers

pytestmark = pytest.mark.django_db

NOW = make.NOW
NOVEMBER = BillingMonth(2026, 11)


def _customer(name: str = "青葉デバイス株式会社") -> Organisation:
    """A customer of whom two months are billed."""
    organisation = customers.aoba(name=name)
    make.member(organisation)
    calls = Meter.objects.get(code="api_calls")
    customers.use(organisation, calls, date(2026, 9, 30), "12.5")
    customers.use(organisation, calls, date(2026, 10, 1), "7")
    customers.close(organisation, NOVEMBER)
    return organisation


def _made(organisation: Organisation) -> Archive:
    root = organisation.memberships.get(role=Role.ROOT)
    archive = making.ask(organisation_id=organisation.pk, user_id=root.user_id, now=NOW)
    making.make(archive_id=archive.pk, now=NOW)
    archive.refresh_from_db()
    return archive


def _opened(archive: Archive) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(b"".join(queries.content(archive))))


def _table(file: zipfile.ZipFile, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read(name).decode("utf-8-sig"))))


def _signed_in(organisation: Organisation) -> Client:
    client = Client()
    client.force_login(organisation.memberships.get(role=Role.ROOT).user)
    return client


def test_the_archive_holds_every_document_as_pdf_and_as_data() -> None:
    organisation = _customer()

    file = _opened(_made(organisation))

    issued = list(Invoice.objects.filter(organisation=organisation).order_by("number"))
    assert len(issued) >= 2
    for invoice in issued:
        number = invoices.number_of(invoices.sheet(invoice.pk).invoice)
        pdf = InvoiceDocument.objects.get(pk=invoice.pk).pdf
        assert file.read(f"documents/{number}.pdf") == bytes(pdf)
        (told,) = json.loads(file.read(f"documents/{number}.json"))
        assert (told["number"], told["gross"]) == (number, invoice.gross)


def test_the_archive_holds_the_usage_of_every_day() -> None:
    file = _opened(_made(_customer()))

    assert [
        (row["day"], row["meter"], row["quantity"]) for row in _table(file, "usage/2026-09.csv")
    ] == [("2026-09-30", "api_calls", "12.5")]
    assert [(row["day"], row["quantity"]) for row in _table(file, "usage/2026-10.csv")] == [
        ("2026-10-01", "7"),
        ("2026-10-05", "50000"),
    ]


def test_the_archive_holds_accounts_contracts_and_the_organisation() -> None:
    organisation = _customer()
    make.member(organisation, email="=cmd@example.com")

    file = _opened(_made(organisation))

    rows = _table(file, "accounts.csv")
    assert [row["role"] for row in rows] == ["root", "member"]
    # What a spreadsheet would run begins with an apostrophe.
    assert rows[1]["email"] == "'=cmd@example.com"
    assert json.loads(file.read("organisation.json"))["name"] == "青葉デバイス株式会社"
    plans = json.loads(file.read("contracts.json"))["plans"]
    assert {each["category"] for each in plans} >= {"licence"}


def test_the_archive_lists_its_files_with_their_hashes() -> None:
    file = _opened(_made(_customer()))

    manifest = json.loads(file.read("manifest.json"))

    listed = {each["name"]: each["sha256"] for each in manifest["files"]}
    names = set(file.namelist()) - {"manifest.json"}
    assert set(listed) == names
    assert all(hashlib.sha256(file.read(name)).hexdigest() == listed[name] for name in names)


def test_the_archive_holds_nothing_of_anybody_else() -> None:
    ours = _customer()
    other = make.organisation(name="別会社")
    make.member(other, email="stranger@example.com")

    file = _opened(_made(ours))

    assert not [name for name in file.namelist() if b"stranger@example.com" in file.read(name)]


def test_the_file_is_what_its_size_and_hash_say() -> None:
    archive = _made(_customer())

    content = b"".join(queries.content(archive))

    assert len(content) == archive.size
    assert hashlib.sha256(content).digest() == bytes(archive.sha256)


def test_who_asks_twice_has_one_archive() -> None:
    organisation = _customer()
    root = organisation.memberships.get(role=Role.ROOT)

    first = making.ask(organisation_id=organisation.pk, user_id=root.user_id, now=NOW)
    again = making.ask(organisation_id=organisation.pk, user_id=root.user_id, now=NOW)

    assert (first, Archive.objects.count()) == (again, 1)


def test_a_database_has_one_archive_waiting_for_an_organisation() -> None:
    organisation = _customer()
    root = organisation.memberships.get(role=Role.ROOT)
    Archive.objects.create(organisation=organisation, asked_by_id=root.user_id, asked_at=NOW)

    with pytest.raises(IntegrityError, match="archive_one_waiting"), transaction.atomic():
        Archive.objects.create(organisation=organisation, asked_by_id=root.user_id, asked_at=NOW)


def test_an_archive_asked_for_later_is_a_new_one() -> None:
    organisation = _customer()
    first = _made(organisation)

    later = making.ask(
        organisation_id=organisation.pk,
        user_id=first.asked_by_id,
        now=NOW + making.SAME_WITHIN + timedelta(seconds=1),
    )

    assert later != first


def test_an_archive_made_twice_stays_as_it_is() -> None:
    archive = _made(_customer())
    parts = list(ArchivePart.objects.values_list("pk", flat=True))

    making.make(archive_id=archive.pk, now=NOW + timedelta(hours=1))

    archive.refresh_from_db()
    assert archive.made_at == NOW
    assert list(ArchivePart.objects.values_list("pk", flat=True)) == parts
    assert Mail.objects.count() == 1


def test_a_worker_makes_what_was_asked_for() -> None:
    organisation = _customer()
    root = organisation.memberships.get(role=Role.ROOT)
    archive = making.ask(organisation_id=organisation.pk, user_id=root.user_id, now=clock.now())

    work.run_due([work.PDF_QUEUE])

    archive.refresh_from_db()
    assert (archive.state, archive.done) == (ArchiveState.READY, archive.total)


def test_an_archive_is_deleted_after_its_time() -> None:
    archive = _made(_customer())

    assert making.forget(now=NOW + making.KEPT_FOR - timedelta(seconds=1)) == 0
    assert making.forget(now=NOW + making.KEPT_FOR) == 1

    archive.refresh_from_db()
    assert (archive.state, ArchivePart.objects.count()) == (ArchiveState.GONE, 0)


def _ask_by_page(client: Client, organisation: Organisation) -> str:
    """Ask, make, and return the link that the page shows."""
    page = reverse("archive", args=[organisation.public_id])
    client.post(page)
    making.make(archive_id=Archive.objects.get().pk, now=clock.now())
    html = client.get(page).content.decode()
    url = html.split('class="button" href="', 1)[1].split('"', 1)[0]
    return url.replace("&amp;", "&")


def test_the_root_asks_and_fetches() -> None:
    organisation = _customer()
    client = _signed_in(organisation)

    response = client.get(_ask_by_page(client, organisation))

    content = b"".join(response.streaming_content)  # type: ignore[attr-defined]
    assert zipfile.ZipFile(io.BytesIO(content)).testzip() is None
    assert response["Content-Disposition"].startswith("attachment;")
    assert "no-store" in response["Cache-Control"]


def test_a_link_that_was_altered_or_is_over_leads_back_to_the_page() -> None:
    organisation = _customer()
    client = _signed_in(organisation)
    url = _ask_by_page(client, organisation)
    page = reverse("archive", args=[organisation.public_id])

    altered = client.get(f"{url[:-1]}{'A' if url[-1] != 'A' else 'B'}")
    without = client.get(url.partition("?")[0])
    making.forget(now=clock.now() + making.KEPT_FOR + timedelta(seconds=1))
    deleted = client.get(url)

    assert [each.status_code for each in (altered, without, deleted)] == [302, 302, 302]
    assert {each["Location"] for each in (altered, without, deleted)} == {page}


@pytest.mark.parametrize(
    ("age", "status"),
    [
        pytest.param(LINK_HOLDS - 60, 200, id="a minute before its end"),
        pytest.param(LINK_HOLDS + 60, 302, id="a minute after it"),
    ],
)
def test_a_link_holds_an_hour(age: int, status: int) -> None:
    organisation = _customer()
    client = _signed_in(organisation)
    url = _ask_by_page(client, organisation)
    archive, user = Archive.objects.get(), organisation.memberships.get(role=Role.ROOT).user
    signer = signing.TimestampSigner(salt="archives.fetch")
    before = signing.b62_encode(int(clock.now().timestamp()) - age)
    value = signing.b64_encode(signing.JSONSerializer().dumps([str(archive.public_id), user.pk]))
    old = f"{value.decode()}:{before}"
    key = f"{old}:{signer.signature(old)}"

    response = client.get(url.partition("?")[0], {"key": key})

    assert response.status_code == status


def test_anothers_link_is_good_for_nobody_else() -> None:
    organisation = _customer()
    url = _ask_by_page(_signed_in(organisation), organisation)
    other = make.organisation(name="別会社")
    make.member(other)
    key = parse_qs(urlsplit(url).query)["key"][0]
    foreign = reverse("archive_file", args=[other.public_id, Archive.objects.get().public_id])

    assert _signed_in(other).get(url).status_code == 404
    assert _signed_in(other).get(foreign, {"key": key}).status_code == 404


def test_the_page_asks_the_same_number_of_questions_with_one_archive_and_with_three(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    organisation = _customer()
    client = _signed_in(organisation)
    page = reverse("archive", args=[organisation.public_id])
    _made(organisation)
    client.get(page)

    with django_assert_num_queries(6):
        client.get(page)
    for _ in range(2):
        Archive.objects.update(asked_at=NOW - timedelta(days=1))
        _made(organisation)
    with django_assert_num_queries(6):
        client.get(page)

"""What an archive does not give away, and what asking again and again does not cost. Rule: F69, F75."""

import csv
import io
import zipfile
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from accounts.enums import Role
from accounts.models import Membership, Organisation
from archives.enums import ArchiveState
from archives.models import Archive, ArchivePart
from archives.queries import archives as queries
from archives.services import making
from core import clock
from seats.models import Invitation
from tests import make
from tests.pages import customers

pytestmark = pytest.mark.django_db

NOW = make.NOW


def _made(organisation: Organisation, *, minutes: int = 0) -> Archive:
    root = organisation.memberships.get(role=Role.ROOT)
    at = NOW + timedelta(minutes=minutes)
    archive = making.ask(organisation_id=organisation.pk, user_id=root.user_id, now=at)
    making.make(archive_id=archive.pk, now=at)
    archive.refresh_from_db()
    return archive


def test_an_archive_calls_people_what_the_organisation_calls_them() -> None:
    ours = customers.aoba()
    make.member(ours)
    elsewhere = make.member(make.organisation(name="別会社"), email="known@example.com")
    elsewhere.user.name = "What only the other one knows"
    elsewhere.user.save(update_fields=["name"])
    here = Membership.objects.create(
        organisation=ours, user=elsewhere.user, role=Role.MEMBER, registered_at=NOW
    )
    Invitation.objects.create(
        membership=here, name="花子", sent_at=NOW, expires_at=NOW + timedelta(days=14)
    )

    file = zipfile.ZipFile(io.BytesIO(b"".join(queries.content(_made(ours)))))

    text = file.read("accounts.csv").decode("utf-8-sig")
    rows = {each["email"]: each["name"] for each in csv.DictReader(io.StringIO(text))}
    assert rows["known@example.com"] == "花子"


def test_of_many_archives_only_the_newest_is_kept() -> None:
    organisation = customers.aoba()
    make.member(organisation)
    other = make.organisation(name="別会社")
    make.member(other, email="other@example.com")
    kept = _made(other)

    first = _made(organisation)
    second = _made(organisation, minutes=11)

    first.refresh_from_db()
    assert (first.state, second.state) == (ArchiveState.GONE, ArchiveState.READY)
    assert set(ArchivePart.objects.values_list("archive", flat=True)) == {kept.pk, second.pk}


@pytest.mark.parametrize("reference", ["../../etc/passwd", 'a"b\\c', "a\r\nSet-Cookie: x=1", "株"])
def test_a_reference_leads_into_no_header(reference: str) -> None:
    organisation = customers.aoba()
    make.member(organisation)
    Organisation.objects.filter(pk=organisation.pk).update(reference=reference)
    archive = _made(organisation)
    client = Client()
    with clock.fixed_at(NOW):
        client.force_login(organisation.memberships.get(role=Role.ROOT).user)
        page = client.get(reverse("archive", args=[organisation.public_id]))
        link = urlsplit(page.context["fetch_url"])

        answer = client.get(link.path, {"key": parse_qs(link.query)["key"][0]})

        assert answer.status_code == 200
        said = answer.headers["Content-Disposition"]
    assert said.startswith("attachment; filename")
    assert not {"\r", "\n"} & set(said)
    assert archive.size > 0

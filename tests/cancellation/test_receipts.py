"""The receipt of a cancellation: what it says for good, as a page and as a PDF. Rule: S1-28, S1-29."""

import hashlib
import io
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError
from django.test import Client
from django.urls import reverse
from pypdf import PdfReader

from accounts.models import Organisation
from cancellation import services
from cancellation.models import Cancellation, ReceiptDocument
from cancellation.services import receipts
from core import clock, work
from core.models import Mail
from tests import make
from tests.cancellation import leaving
from tests.ordering import customers

pytestmark = pytest.mark.django_db

NOW = leaving.local(11, 22, 14, 5)


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with clock.fixed_at(NOW):
        yield


def _client(organisation: Organisation) -> Client:
    client = Client(HTTP_ACCEPT_LANGUAGE="en")
    client.force_login(leaving.root(organisation))
    return client


def _url(name: str, cancellation: Cancellation) -> str:
    return reverse(name, args=[cancellation.organisation.public_id, cancellation.public_id])


def _text(document: ReceiptDocument) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(document.pdf)).pages)


def _said(text: str) -> str:
    """Without the breaks of lines."""
    return "".join(text.split())


def _contracted(language: str) -> Organisation:
    """A root cancels who has Basic for a year from 10 November 2026 on."""
    organisation = leaving.customer(plan="", support="silver")
    organisation.language, organisation.name = language, "Kobo"
    organisation.billing_name = "Kobo"
    organisation.save()
    make.main_contract(
        organisation,
        customers.version("basic"),
        date(2026, 11, 10),
        months=12,
        now=leaving.local(11, 10),
    )
    return organisation


@pytest.mark.parametrize(
    ("language", "parts"),
    [
        (
            "en",
            [
                "Receipt of cancellation",
                "30 November 2026",
                "22 November 2026, 14:05 (Asia/Tokyo)",
                "root@kobo.example",
                "Basic 5",
                "Silver",
                "until 9 November 2027; ends with the last day, without refund",
                "Cancellation terms agreed to, version 1",
            ],
        ),
        (
            "ja",
            [
                "解約受付書",
                "2026年11月30日",
                "2026年11月22日 14:05",
                "2027年11月9日まで(解約により最終日に終了し、返金はございません)",
                "同意いただいた解約条件（第1版）",
            ],
        ),
    ],
)
def test_the_pdf_says_what_was_confirmed(language: str, parts: list[str]) -> None:
    cancellation = leaving.cancelled(_contracted(language), NOW)

    text = _text(receipts.make_document(cancellation_id=cancellation.pk, now=NOW))

    boxes = [box[language] for box in cancellation.terms.boxes]
    for part in [*parts, *boxes, f"{cancellation.organisation.reference}-C1"]:
        assert _said(part) in _said(text)


def test_a_worker_makes_it_once_from_the_confirmation_on() -> None:
    cancellation = leaving.cancelled(leaving.customer(), NOW)

    work.run_due([work.PDF_QUEUE])

    made = ReceiptDocument.objects.get(cancellation=cancellation)
    assert hashlib.sha256(made.pdf).digest() == bytes(made.sha256)
    again = receipts.make_document(cancellation_id=cancellation.pk, now=NOW + timedelta(days=1))
    assert (again.pk, again.made_at) == (made.pk, made.made_at)


def test_what_is_changed_later_is_not_on_it() -> None:
    cancellation = leaving.cancelled(_contracted("en"), NOW)
    services.move_last_day(
        cancellation_id=cancellation.pk,
        last_on=date(2026, 12, 31),
        reason="Asked for",
        actor="user:1",
        now=NOW,
    )

    text = _text(receipts.make_document(cancellation_id=cancellation.pk, now=NOW))

    assert "30 November 2026" in text
    assert "31 December" not in text


def test_the_page_says_both_what_was_confirmed_and_how_it_stands() -> None:
    cancellation = leaving.cancelled(_contracted("en"), NOW)
    services.move_last_day(
        cancellation_id=cancellation.pk,
        last_on=date(2026, 12, 31),
        reason="Asked for",
        actor="user:1",
        now=NOW,
    )

    page = (
        _client(cancellation.organisation)
        .get(_url("cancellation_receipt", cancellation))
        .content.decode()
    )

    assert "Your contract ends on 31 December 2026." in page
    assert "Support moved the last day from 30 November 2026 to 31 December 2026." in page
    assert "<dt>Last day</dt><dd>30 November 2026</dd>" in page


def test_the_page_leads_to_the_pdf_once_it_is_made() -> None:
    cancellation = leaving.cancelled(leaving.customer(), NOW)
    client = _client(cancellation.organisation)
    page, pdf = (
        _url(name, cancellation) for name in ("cancellation_receipt", "cancellation_receipt_pdf")
    )

    before, early = client.get(page).content.decode(), client.get(pdf)
    receipts.make_document(cancellation_id=cancellation.pk, now=NOW)
    after, fetched = client.get(page).content.decode(), client.get(pdf)

    assert "The PDF is being made." in before
    assert early["Location"] == page
    assert pdf in after
    assert fetched.content == bytes(ReceiptDocument.objects.get().pdf)
    assert fetched["Content-Type"] == "application/pdf"
    assert "sandbox" in fetched["Content-Security-Policy"]


def test_anothers_receipt_is_not_found() -> None:
    cancellation = leaving.cancelled(leaving.customer(), NOW)
    other = make.organisation(name="別会社")
    make.member(other)

    for name in ("cancellation_receipt", "cancellation_receipt_pdf"):
        ours = reverse(name, args=[other.public_id, cancellation.public_id])
        assert _client(other).get(_url(name, cancellation)).status_code == 404
        assert _client(other).get(ours).status_code == 404


def test_a_second_cancellation_has_a_receipt_with_a_number_of_its_own() -> None:
    organisation = leaving.customer()
    leaving.cancelled(organisation, NOW)
    services.withdraw(
        organisation_id=organisation.pk, user_id=leaving.root(organisation).pk, now=NOW
    )
    second = leaving.cancelled(organisation, NOW + timedelta(hours=1))

    made = receipts.make_document(cancellation_id=second.pk, now=NOW)

    assert made.number == f"{organisation.reference}-C2"


def test_a_receipt_that_was_made_is_never_changed() -> None:
    cancellation = leaving.cancelled(leaving.customer(), NOW)
    receipts.make_document(cancellation_id=cancellation.pk, now=NOW)

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE cancellation_receiptdocument SET number = 'X'")


def test_the_mail_leads_to_it() -> None:
    cancellation = leaving.cancelled(leaving.customer(), NOW)

    letter = Mail.objects.get(to__contains=["root@kobo.example"])

    assert _url("cancellation_receipt", cancellation) in letter.text

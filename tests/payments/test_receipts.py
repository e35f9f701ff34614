"""Receipts: the page to print, the PDF made once, and what there is none for. Rule: japan.md."""

import hashlib
import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.db.utils import DatabaseError
from django.http import HttpResponse
from django.test import Client

from core import clock, work
from core.ids import new_key
from core.models import Work
from gateway_sandbox import Sandbox
from payments.models import Charge, Payable, ReceiptDocument
from payments.queries import receipts as queries
from payments.services import receipts
from tests import make
from tests.billing import paper
from tests.payments import backs, collected, visits
from tests.payments.test_paying import address, body

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with clock.fixed_at(make.NOW):
        yield


@pytest.fixture
def charge(sandbox: Sandbox) -> Charge:
    """5,500 yen for October, taken on 22 November 2026."""
    return collected.paid(sandbox)[1]


@pytest.fixture
def root(charge: Charge) -> Client:
    client = visits.client_of(visits.root_of(charge.organisation))
    client.cookies["django_language"] = "en"
    return client


def shown(root: Client, charge: Charge) -> str:
    return body(root.get(address("receipt", charge.payable)))


def test_a_receipt_says_who_paid_what_when_for_what_and_how(root: Client, charge: Charge) -> None:
    page = shown(root, charge)

    for part in (
        "KC-00000001-R1",
        "Aoba",
        "¥5,500",
        "22 November 2026",
        "Service in October 2026 (invoice KC-00000001)",
        "PayPal (p•••@example.com)",
        "Consumption tax 10%",
        "¥5,000 net, tax ¥500",
        "Registration number",
        "no Japanese revenue stamp is needed",
    ):
        assert part in page, part
    assert "payer@example.com" not in page
    assert "given back" not in page


def test_a_receipt_is_read_in_japanese(root: Client, charge: Charge) -> None:
    root.cookies["django_language"] = "ja"

    page = shown(root, charge)

    for part in (
        "領収書",
        "Aoba 御中",
        "上記の金額を正に領収いたしました。",
        "2026年10月分ご利用料金として(請求書 KC-00000001)",
        "収入印紙の貼付は不要です。",
    ):
        assert part in page, part


def test_a_credit_note_before_the_payment_is_off_the_receipt(sandbox: Sandbox) -> None:
    customer = collected.customer(sandbox)
    backs.credit(customer.payable, 1_100)
    charge = collected.charge(Payable.objects.get(pk=customer.payable.pk))

    found = queries.newest(charge.payable)

    assert found is not None
    assert charge.amount == 4_400
    assert [(each.net, each.tax) for each in found.taxes] == [(4_000, 400)]


def test_what_is_given_back_later_stands_above_the_receipt(root: Client, charge: Charge) -> None:
    backs.credit(charge.payable, 1_100)
    backs.tick()

    page = shown(root, charge)

    assert "Of this payment, ¥1,100 has been given back since." in page
    assert "¥5,000 net, tax ¥500" in page


def test_there_is_no_receipt_before_the_money_is_in(sandbox: Sandbox) -> None:
    customer = collected.customer(sandbox)
    client = visits.client_of(customer.root)

    assert client.get(address("receipt", customer.payable)).status_code == 404
    assert client.get(address("receipt_pdf", customer.payable)).status_code == 404


def test_there_is_no_receipt_of_ours_for_what_paid_bills(sandbox: Sandbox) -> None:
    charge = collected.paid_by_invoice(sandbox)
    client = visits.client_of(visits.root_of(charge.organisation))

    assert client.get(address("receipt", charge.payable)).status_code == 404
    assert client.post(address("receipt", charge.payable)).status_code == 404
    with pytest.raises(receipts.NoReceipt):
        receipts.make_document(charge_id=charge.pk, now=make.NOW)
    assert not Work.objects.filter(kind="payments.make_receipt").exists()


def test_a_receipt_is_its_organisations_alone(charge: Charge) -> None:
    stranger = make.organisation(name="Bluebird")
    client = visits.client_of(make.member(stranger).user)
    assert charge.payable.invoice is not None
    ids = {"invoice": str(charge.payable.invoice.public_id)}

    for name in ("receipt", "receipt_pdf"):
        assert client.get(visits.url(name, stranger, **ids)).status_code == 404
        assert client.get(address(name, charge.payable)).status_code == 404


@pytest.mark.unsound_books
def test_a_second_payment_has_a_receipt_of_its_own(
    root: Client, charge: Charge, sandbox: Sandbox
) -> None:
    """The provider took the first one back; the invoice was paid anew."""
    first = queries.of_charge(charge.pk)
    again = Charge.objects.get(pk=charge.pk)
    again.pk, again._state.adding = None, True
    again.public_id, again.key, again.capture = uuid.uuid4(), new_key(), "SECOND"
    again.save()

    found = queries.newest(charge.payable)

    assert first is not None
    assert found is not None
    assert (first.number, found.number) == ("KC-00000001-R1", "KC-00000001-R2")


@pytest.mark.django_db(transaction=True)
def test_a_pdf_is_made_once_when_it_is_asked_for(sandbox: Sandbox) -> None:
    charge = collected.paid(sandbox)[1]
    root = visits.client_of(visits.root_of(charge.organisation))
    root.cookies["django_language"] = "en"
    page, pdf = address("receipt", charge.payable), address("receipt_pdf", charge.payable)

    before = root.get(pdf)
    asked = [root.post(page) for _ in range(2)]
    waiting = body(root.get(page))
    part = body(root.get(page, headers={"HX-Request": "true"}))
    work.run_due([work.PDF_QUEUE])
    made = body(root.get(page))
    handed_out = root.get(pdf)

    assert before["Location"] == page
    assert [answer["Location"] for answer in asked] == [page, page]
    assert Work.objects.filter(kind="payments.make_receipt").count() == 1
    assert "The PDF is being made." in waiting
    assert part.startswith('<div class="actions no-print" id="document"')
    assert "Download receipt KC-00000001-R1 as PDF" in made
    document = ReceiptDocument.objects.get()
    assert isinstance(handed_out, HttpResponse)
    assert handed_out.content == bytes(document.pdf)
    assert handed_out["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert bytes(document.sha256) == hashlib.sha256(handed_out.content).digest()
    text = paper.text_of(handed_out.content)
    for said in (
        "領収書",
        "KC-00000001-R1",
        "Aoba御中",
        "¥5,500",
        "2026年11月22日",
        "¥5,000",
        "¥500",
    ):
        assert said in text, said
    again = receipts.make_document(charge_id=charge.pk, now=make.NOW + timedelta(days=9))
    assert (again.made_at, bytes(again.pdf)) == (document.made_at, handed_out.content)
    for statement in (
        "UPDATE payments_receiptdocument SET number = 'forged'",
        "DELETE FROM payments_receiptdocument",
    ):
        with pytest.raises(DatabaseError), connection.cursor() as cursor:
            cursor.execute(statement)

"""Credit notes as pages, documents and files. Rule: B-11, japan.md (credit note)."""

import csv
import io
import json
import re
from datetime import date
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.enums import Language
from billing.documents import render
from billing.models import Invoice
from billing.queries import invoices
from billing.services import documents
from plans.models import PlanVersion
from tests import make
from tests.billing import books, paper
from tests.billing.books import NOW
from tests.billing.test_credit import credit

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice() -> Invoice:
    """KC-00000001 for October: 5,500 net, 550 tax, 6,050."""
    books.customer(books.starter(), calls=150_000)
    books.bill()
    return Invoice.objects.get()


@pytest.fixture
def root(client: Client, invoice: Invoice) -> Client:
    client.force_login(make.member(invoice.organisation).user)
    client.cookies["django_language"] = "en"
    return client


def address(name: str, invoice: Invoice, **more: object) -> str:
    kwargs = {"organisation": invoice.organisation.public_id, "invoice": invoice.public_id, **more}
    return reverse(name, kwargs=kwargs)


def listed(root: Client, invoice: Invoice, **query: str) -> str:
    path = reverse("invoices", kwargs={"organisation": invoice.organisation.public_id})
    return body(root.get(path, query))


def body(response: object) -> str:
    assert isinstance(response, HttpResponse | StreamingHttpResponse)
    return " ".join(response.getvalue().decode().split())


def seen(page: str) -> list[str]:
    """Return which documents a list shows."""
    return re.findall(r">(KC-[CN\-]*\d{8})</a></th>", page)


def test_list_shows_a_credit_note_below_zero_and_takes_it_off(
    root: Client, invoice: Invoice
) -> None:
    credit(invoice, 1_000)

    page = listed(root, invoice)

    assert seen(page) == ["KC-CN-00000001", "KC-00000001"]
    assert "credit note</td>" in page
    assert "\N{MINUS SIGN}¥1,000" in page
    assert "2 documents found, in total" in page
    assert "¥5,050" in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"number": "CN-1"}, ["KC-CN-00000001"]),
        ({"number": "KC-CN-00000001"}, ["KC-CN-00000001"]),
        ({"number": "KC-1"}, ["KC-00000001"]),
        ({"number": "1"}, ["KC-CN-00000001", "KC-00000001"]),
        ({"number": "CN-2"}, []),
        # The amount that the document prints, or that the list shows.
        ({"gross_from": "1000", "gross_to": "1000"}, ["KC-CN-00000001"]),
        ({"gross_from": "1001"}, ["KC-00000001"]),
        ({"gross_from": "-1000", "gross_to": "-1000"}, ["KC-CN-00000001"]),
        ({"gross_from": "-999"}, ["KC-00000001"]),
        ({"issued_from": "2026-11-22"}, ["KC-CN-00000001", "KC-00000001"]),
        ({"issued_to": "2026-11-21"}, []),
        ({"number": "CN-1", "gross_from": "1001"}, []),
    ],
)
def test_search_finds_credit_notes(
    root: Client, invoice: Invoice, query: dict[str, str], found: list[str]
) -> None:
    credit(invoice, 1_000)

    assert seen(listed(root, invoice, **query)) == found


@pytest.mark.parametrize("notes", [1, 3])
def test_pages_ask_the_same_few_statements(
    root: Client,
    invoice: Invoice,
    notes: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    last = [credit(invoice, 1_000) for _ in range(notes)][-1]
    root.get(address("invoice", invoice))

    with django_assert_num_queries(8):
        listed(root, invoice)
    with django_assert_num_queries(11):
        root.get(address("invoice", invoice))
    with django_assert_num_queries(9):
        root.get(address("invoice", last))


def test_invoice_names_its_credit_notes_and_says_what_is_left(
    root: Client, invoice: Invoice
) -> None:
    notes = [credit(invoice, 1_000), credit(invoice, 550)]

    page = body(root.get(address("invoice", invoice)))

    for note in notes:
        assert address("invoice", note) in page
    assert "Of this invoice, ¥1,550 has been given back; ¥4,500 is left." in page
    assert "Left of this invoice" in page
    assert "\N{MINUS SIGN}¥550" in page


def test_invoice_without_credit_notes_says_nothing_of_them(root: Client, invoice: Invoice) -> None:
    page = body(root.get(address("invoice", invoice)))

    assert "given back" not in page
    assert "Credit notes" not in page


def test_credit_note_leads_to_its_invoice_and_says_why(root: Client, invoice: Invoice) -> None:
    note = credit(invoice, 1_000)

    page = body(root.get(address("invoice", note)))

    assert "<h1>Credit note KC-CN-00000001</h1>" in page
    assert f'of <a href="{address("invoice", invoice)}">invoice KC-00000001</a>' in page
    assert "Reason: Outage on 5 October" in page
    assert "¥1,000" in page
    assert "Due by" not in page


def test_line_of_a_part_shows_how_its_tax_came_about(root: Client, invoice: Invoice) -> None:
    credit(invoice, 1_000)
    note = credit(invoice, 1_000)

    page = body(root.get(address("invoice_line", note, position=1)))

    for amount in ("¥6,050", "¥1,000", "¥91", "¥909"):
        assert amount in page
    assert "what ¥2,000 holds at this rate, less what ¥1,000 holds" in page


def test_line_of_a_whole_leads_to_the_line_that_it_gives_back(
    root: Client, invoice: Invoice
) -> None:
    note = credit(invoice)

    page = body(root.get(address("invoice_line", note, position=2)))

    assert address("invoice_line", invoice, position=2) in page


def test_every_page_of_a_credit_note_is_its_organisations_alone(
    client: Client, invoice: Invoice
) -> None:
    note = credit(invoice, 1_000)
    client.force_login(make.member(make.organisation()).user)

    for name in ("invoice", "invoice_csv", "invoice_document", "invoice_pdf"):
        assert client.get(address(name, note)).status_code == 404
    assert client.get(address("invoice_line", note, position=1)).status_code == 404


def test_pdf_is_archived_and_handed_out_under_its_name(root: Client, invoice: Invoice) -> None:
    note = credit(invoice, 1_000)
    documents.make_document(invoice_id=note.pk, now=NOW)

    response = root.get(address("invoice_pdf", note))

    assert (
        "%E8%BF%94%E9%82%84%E8%AB%8B%E6%B1%82%E6%9B%B8_KC-CN-00000001.pdf"
        in (response["Content-Disposition"])
    )
    assert "返還請求書" in paper.text_of(response.content)


def text_of(note: Invoice) -> str:
    return paper.text_of(render.pdf(invoices.sheet(note.pk)))


def test_document_in_japanese_prints_the_items_of_a_qualified_return_invoice(
    invoice: Invoice,
) -> None:
    text = text_of(credit(invoice, 1_000, reason="10月5日の障害"))

    for item in (
        "返還請求書番号KC-CN-00000001",
        "カモメ・コネクト株式会社",  # 1: issuer
        "登録番号T9999901000123",  # 1: and its number
        "返還日(発行日)2026年11月22日",  # 2: day of the return
        "元のご利用期間2026年10月1日〜2026年10月31日",  # 2: and period of the transaction
        "元の請求書KC-00000001(2026年11月22日発行)",
        "返還の理由10月5日の障害",
        "2026年10月分の返還",  # 3: content
        "10%対象のご請求額¥6,050のうち¥1,000(いずれも税込)",
        "10%対象¥910¥90",  # 4, 5: amount, rate and tax of the rate
        "¥1,000",
        "御中",
    ):
        assert item in text
    assert "お支払期限" not in text


def test_document_in_english_prints_the_items_of_a_qualified_return_invoice(
    invoice: Invoice,
) -> None:
    customer = make.organisation(
        name="Aoba Devices", language=Language.EN, customer_since=date(2026, 10, 1)
    )
    make.selection(customer, PlanVersion.objects.get(), books.SELECTED_AT)
    books.bill()
    text = text_of(credit(Invoice.objects.get(organisation=customer)))

    for item in (
        "Creditnoteno.KC-CN-00000001",
        "KamomeConnectInc.",
        "Registrationno.T9999901000123",
        "Dateofcredit22November2026",
        "OriginalinvoiceKC-00000002,issued22November2026",
        "Billingperiod1October2026–31October2026",
        "Starter100",
        "Consumptiontax10%¥5,000¥500",
        "Total(taxincluded)¥5,500",
        "AobaDevices",
    ):
        assert item in text


def test_document_of_an_unregistered_vendor_says_that_it_is_not_qualified(
    invoice: Invoice,
) -> None:
    make.vendor(registration_number="", number=2)

    assert "この返還請求書は適格返還請求書ではありません。" in text_of(credit(invoice, 1_000))


@pytest.mark.unsound_books
def test_document_of_two_rates_gives_back_of_each() -> None:
    """Ten percent on 10,140 and eight on 105: 11,154 and 113; half is 5,633.5."""
    make.vendor()
    organisation = make.organisation(language=Language.EN)
    invoice = paper.invoice(organisation, paper.bill(reduced_support=True))

    text = text_of(credit(invoice, 5_634))

    # 5,634 × 11,154 ÷ 11,267 = 5,577.49 and 56.50: the odd yen goes to the latter.
    assert "Consumptiontax10%¥5,070¥507" in text
    assert "Consumptiontax8%(reducedrate)※¥53¥4" in text
    assert "Total(taxincluded)¥5,634" in text


def exported(form: str) -> str:
    output = io.StringIO()
    call_command("export_invoices", "2026-10", f"--format={form}", stdout=output)
    return output.getvalue()


def test_csv_takes_off_what_was_given_back(invoice: Invoice) -> None:
    credit(invoice, 1_000)

    rows = list(csv.DictReader(io.StringIO(exported("csv"), newline="")))

    assert [
        (row["invoice_number"], row["kind"], row["net"], row["invoice_gross"], row["document"])
        for row in rows
    ] == [
        ("KC-00000001", "fee", "5000", "6050", "monthly"),
        ("KC-00000001", "usage", "500", "6050", "monthly"),
        ("KC-CN-00000001", "credit", "-910", "-1000", "credit_note"),
    ]
    assert [row["corrects"] for row in rows] == ["", "", "KC-00000001"]


def test_focus_adds_up_to_what_is_left(invoice: Invoice) -> None:
    credit(invoice, 1_000)
    credit(invoice)

    rows = list(csv.DictReader(io.StringIO(exported("focus"), newline="")))

    assert sum(Decimal(row["BilledCost"]) for row in rows) == 0
    assert {
        (row["ChargeCategory"], row["BilledCost"])
        for row in rows
        if row["ChargeClass"] == "Correction"
    } == {("Credit", "-910"), ("Tax", "-90"), ("Credit", "-4590"), ("Tax", "-460")}


def test_json_says_what_the_document_says(invoice: Invoice) -> None:
    credit(invoice, 1_000)

    first, note = json.loads(exported("json"))

    assert (first["kind"], first["corrects"], first["gross"]) == ("monthly", None, 6_050)
    assert (note["kind"], note["corrects"], note["gross"]) == ("credit_note", "KC-00000001", 1_000)
    assert note["lines"][0]["explanation"]["reason"] == "Outage on 5 October"

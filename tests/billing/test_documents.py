import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from threading import Barrier, Thread
from typing import cast

import pytest
from django.conf import settings
from django.db import connection, transaction
from pypdf.generic import StreamObject

from accounts.enums import Language, PaymentTerms
from accounts.models import Organisation
from billing import jobs
from billing.documents import render
from billing.enums import InvoiceKind, LineKind
from billing.models import Invoice, InvoiceDocument
from billing.queries import invoices
from billing.rules import numbers, rating
from billing.services import documents
from core import clock, work
from core.enums import WorkState
from core.models import Work
from tests import make
from tests.billing import kernel, paper

# These papers are made by hand: no month stands behind them.
pytestmark = pytest.mark.unsound_books

NOW = make.NOW


def pdf_of(invoice: Invoice) -> bytes:
    return render.pdf(invoices.sheet(invoice.pk))


def pay_by(organisation: Organisation, terms: PaymentTerms) -> Organisation:
    organisation.payment_terms = terms
    organisation.save(update_fields=["payment_terms"])
    return organisation


@pytest.mark.django_db
def test_invoice_in_japanese_prints_the_six_items_of_a_qualified_invoice() -> None:
    invoice = paper.invoice(make.organisation(name="株式会社青葉デバイス"))

    text = paper.text_of(pdf_of(invoice))

    for item in (
        "請求書",
        "カモメ・コネクト株式会社",  # 1: issuer
        "登録番号T9999901000123",  # 1: and its number
        "2026年10月1日〜2026年10月31日",  # 2: period of the transaction
        "スターター200",  # 3: content
        "calls数",
        "10%対象¥10,245¥1,024",  # 4, 5: total, rate and tax of the rate
        "株式会社青葉デバイス御中",  # 6: recipient
        "合計(税込)¥11,269",
    ):
        assert item in text


@pytest.mark.django_db
def test_invoice_in_english_prints_the_six_items_of_a_qualified_invoice() -> None:
    invoice = paper.invoice(make.organisation(name="Aoba Devices", language=Language.EN))

    text = paper.text_of(pdf_of(invoice))

    for item in (
        "Invoice",
        "KamomeConnectInc.",
        "Registrationno.T9999901000123",
        "1October2026–31October2026",
        "Starter200",
        "Calls",
        "Consumptiontax10%¥10,245¥1,024",
        "AobaDevices",
        "Total(taxincluded)¥11,269",
    ):
        assert item in text


@pytest.mark.django_db
def test_invoice_prints_number_dates_and_each_line_with_its_computation() -> None:
    organisation = pay_by(make.organisation(language=Language.EN), PaymentTerms.PAID)

    text = paper.text_of(pdf_of(paper.invoice(organisation)))

    assert "KC-00000001" in text
    assert "Issuedate1November2026" in text
    assert "Duedate31December2026" in text
    assert "PaidbyinvoicethroughPaid." in text
    assert "Starter200Monthlyfee¥5,000×22¥10,000" in text
    assert "20,000.5overthe100,000included:10,000×¥0.01,10,000.5×¥0.004" in text
    assert "120,000.5calls¥140" in text


@pytest.mark.django_db
@pytest.mark.django_db
def test_invoice_leaves_out_a_meter_that_was_not_used() -> None:
    organisation = make.organisation(language=Language.EN)

    text = paper.text_of(pdf_of(paper.invoice(organisation, paper.bill(used="0"))))

    assert "Starter200" in text
    assert "calls" not in text


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("terms", "sentence"),
    [
        (PaymentTerms.PAYPAL, "ご登録のPayPalから自動でお引き落としいたします。"),
        (PaymentTerms.PAID, "Paidによる請求書払いです。"),
        (PaymentTerms.NONE, "お支払い方法は、請求情報の『プランとお支払い方法』で"),
    ],
)
def test_invoice_says_how_to_pay(terms: PaymentTerms, sentence: str) -> None:
    invoice = paper.invoice(pay_by(make.organisation(), terms))

    assert sentence in paper.text_of(pdf_of(invoice))


@pytest.mark.django_db
def test_invoice_keeps_how_to_pay_as_it_was_at_issue() -> None:
    organisation = pay_by(make.organisation(), PaymentTerms.PAYPAL)
    invoice = paper.invoice(organisation)
    pay_by(organisation, PaymentTerms.PAID)

    assert "ご登録のPayPalから" in paper.text_of(pdf_of(invoice))


@pytest.mark.django_db
def test_invoice_with_two_rates_marks_reduced_items_and_rounds_each_rate_once() -> None:
    invoice = paper.invoice(make.organisation(), paper.bill(reduced_support=True))

    text = paper.text_of(pdf_of(invoice))

    assert "スターター※" in text
    assert "10%対象¥10,140¥1,014" in text
    assert "8%対象(軽減税率)※¥105¥8" in text
    assert "※は軽減税率(8%)の対象です。" in text
    assert "1円未満を切り捨てています。" in text


@pytest.mark.django_db
def test_invoice_to_a_customer_abroad_says_why_it_bears_no_tax() -> None:
    organisation = make.organisation(country="DE", currency="USD", language=Language.EN)

    text = paper.text_of(pdf_of(paper.invoice(organisation)))

    assert "Outsidethescopeofconsumptiontax$102.45$0.00" in text
    assert "areoutsidethescopeofJapaneseconsumptiontax." in text
    assert "roundeddown" not in text


@pytest.mark.django_db
def test_invoice_names_the_month_of_an_adjustment_and_the_credit_it_carries() -> None:
    licence = kernel.terms(100, kernel.calls())
    bill = rating.rate(
        kernel.facts(
            licence=licence,
            late=(
                kernel.late(
                    licence=licence,
                    used={"calls": Decimal(100_000)},
                    rated={"calls": Decimal("120000.5")},
                    billed={"calls": 140},
                ),
            ),
        )
    )

    text = paper.text_of(pdf_of(paper.invoice(make.organisation(), bill)))

    assert "calls数(2026年9月分の調整)" in text
    assert "使用量120,000.5→100,000、金額¥140→¥0−20,000.5回−¥140" in text
    assert "翌月への繰越" in text
    assert "¥40(税抜)を翌月以降のご請求に充当いたします。" in text
    assert "合計(税込)¥0" in text


@pytest.mark.django_db
def test_vendor_without_registration_number_issues_no_qualified_invoice() -> None:
    vendor = make.vendor(registration_number="")

    text = paper.text_of(pdf_of(paper.invoice(make.organisation(), vendor=vendor)))

    assert "登録番号" not in text
    assert "この請求書は適格請求書ではありません。" in text


@pytest.mark.django_db
def test_pdf_embeds_every_font_and_its_text_can_be_copied() -> None:
    invoice = paper.invoice(make.organisation(name="髙﨑①㈱𠮷野電機〜"))

    pdf = pdf_of(invoice)

    assert paper.fonts_of(pdf) == {"BIZ-UDPGothic": True, "VL-PGothic": True}
    assert "髙﨑①㈱𠮷野電機〜御中" in paper.text_of(pdf)


@pytest.mark.django_db
def test_pdf_is_archivable_and_says_title_language_and_date_of_issue() -> None:
    invoice = paper.invoice(make.organisation())

    reader = paper.reader(pdf_of(invoice))

    assert reader.metadata is not None
    assert reader.metadata.title == "請求書 KC-00000001"
    assert reader.metadata.author == "カモメ・コネクト株式会社"
    assert reader.metadata.creation_date == paper.ISSUED_AT
    catalogue = reader.root_object
    assert str(catalogue["/Lang"]) == "ja"
    xmp = cast("StreamObject", catalogue["/Metadata"].get_object()).get_data()
    assert b"<pdfaid:part>3</pdfaid:part>" in xmp or b'pdfaid:part="3"' in xmp
    assert "/OutputIntents" in catalogue


@pytest.mark.django_db
def test_pdf_made_twice_is_the_same_to_the_byte() -> None:
    invoice = paper.invoice(make.organisation())

    assert pdf_of(invoice) == pdf_of(invoice)


@pytest.mark.parametrize(
    "markup",
    [
        '<img src="http://127.0.0.1:9/x.png">',
        '<img src="file:///etc/passwd">',
        '<img src="data:image/png;base64,AAAA">',
        '<link rel="stylesheet" href="https://example.com/x.css">',
        '<style>@import url("http://127.0.0.1:9/x.css")</style>',
        '<p style="background: url(http://127.0.0.1:9/x.png)">x</p>',
        '<object data="file:///etc/hostname"></object>',
    ],
)
def test_a_document_that_names_something_to_load_is_refused(markup: str) -> None:
    with pytest.raises(render.ForbiddenUrl):
        render.pdf_of(f"<!DOCTYPE html><html><body>{markup}</body></html>", identifier=b"x")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name",
    [
        '<img src="http://127.0.0.1:9/x.png">',
        "<script>alert(1)</script>",
        "{{ document.issuer }}{% include 'x' %}",
        "</title></style><h1>Paid</h1>",
        "url(http://127.0.0.1:9/)",
    ],
)
def test_a_hostile_name_is_printed_as_it_is_written(name: str) -> None:
    invoice = paper.invoice(make.organisation(name=name, language=Language.EN))

    assert "".join(name.split()) in paper.text_of(pdf_of(invoice))


@pytest.mark.django_db
def test_letters_that_no_font_has_refuse_the_document() -> None:
    invoice = paper.invoice(make.organisation(name="\U0010fffd"))

    with pytest.raises(render.GlyphsMissing, match="U\\+10FFFD"):
        pdf_of(invoice)


@pytest.mark.django_db
def test_many_lines_run_over_pages_that_repeat_the_header_and_are_numbered() -> None:
    bill = paper.bill()
    usage = [line for line in bill.lines if line.kind == LineKind.USAGE]
    many = replace(
        bill,
        lines=(*bill.lines[:2], *usage * 100),
        taxes=(replace(bill.taxes[0], net=10_105 + 14_000, tax=2_410),),
        net=24_105,
        tax=2_410,
        gross=26_515,
    )

    pages = paper.text_by_page(pdf_of(paper.invoice(make.organisation(), many)))

    assert len(pages) > 3
    assert all("内容数量単位金額(税抜)" in page for page in pages)
    assert all(
        f"請求書KC-00000001{number}/{len(pages)}" in page
        for number, page in enumerate(pages, start=1)
    )
    assert "合計(税込)¥26,515" in pages[-1]


@pytest.mark.django_db(transaction=True)
def test_make_document_archives_the_pdf_with_its_hash_once() -> None:
    invoice = paper.invoice(make.organisation())

    first = documents.make_document(invoice_id=invoice.pk, now=NOW)
    second = documents.make_document(invoice_id=invoice.pk, now=NOW + timedelta(days=1))

    stored = InvoiceDocument.objects.get()
    assert bytes(stored.sha256) == hashlib.sha256(bytes(stored.pdf)).digest()
    assert bytes(stored.pdf).startswith(b"%PDF-")
    assert stored.made_at == NOW
    assert (first, second) == (stored, stored)


@pytest.mark.django_db(transaction=True)
def test_make_document_refuses_to_render_inside_a_transaction() -> None:
    invoice = paper.invoice(make.organisation())

    with pytest.raises(RuntimeError), transaction.atomic():
        documents.make_document(invoice_id=invoice.pk, now=NOW)

    assert not InvoiceDocument.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_makers_at_once_archive_one_document() -> None:
    invoice = paper.invoice(make.organisation())
    start = Barrier(2)
    hashes: list[bytes] = []

    def make_one() -> None:
        try:
            start.wait(timeout=10)
            made = documents.make_document(invoice_id=invoice.pk, now=NOW)
            hashes.append(bytes(made.sha256))
        finally:
            connection.close()

    makers = [Thread(target=make_one) for _ in range(2)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join(timeout=60)

    assert InvoiceDocument.objects.count() == 1
    assert hashes == [bytes(InvoiceDocument.objects.get().sha256)] * 2


@pytest.mark.django_db(transaction=True)
def test_a_document_that_cannot_be_made_is_parked_alone() -> None:
    good = paper.invoice(make.organisation())
    bad = paper.invoice(make.organisation(name="\U0010fffd"))
    last = paper.invoice(make.organisation())
    with transaction.atomic():
        jobs.MAKE_DOCUMENTS.enqueue(
            key="a page", due_at=NOW, payload={"invoice_ids": [good.pk, bad.pk, last.pk]}
        )

    with clock.fixed_at(NOW):
        work.run_due([work.PDF_QUEUE])

    assert set(InvoiceDocument.objects.values_list("pk", flat=True)) == {good.pk, last.pk}
    parked = Work.objects.get(state=WorkState.PARKED)
    assert parked.key == f"invoice:{bad.pk}"
    assert "GlyphsMissing" in parked.reason
    assert Work.objects.get(key="a page").state == WorkState.DONE


@pytest.mark.django_db(transaction=True)
def test_a_lost_message_is_found_from_state_alone() -> None:
    lost = paper.invoice(make.organisation())

    asked = documents.ask_for_missing(now=NOW)
    asked_again = documents.ask_for_missing(now=NOW)
    with clock.fixed_at(NOW):
        work.run_due([work.PDF_QUEUE])

    assert (asked, asked_again) == (1, 0)
    assert InvoiceDocument.objects.filter(pk=lost.pk).exists()
    assert documents.ask_for_missing(now=NOW) == 0


@pytest.mark.django_db(transaction=True)
def test_what_is_parked_or_just_issued_is_not_looked_for() -> None:
    bad = paper.invoice(make.organisation(name="\U0010fffd"))
    paper.invoice(make.organisation(), issued_at=NOW - timedelta(minutes=1))
    documents.ask_first(invoice_id=bad.pk, now=NOW)
    with clock.fixed_at(NOW):
        work.run_due([work.PDF_QUEUE])

    assert documents.ask_for_missing(now=NOW) == 0


@pytest.mark.django_db(transaction=True)
def test_what_somebody_waits_for_goes_first() -> None:
    batch = [paper.invoice(make.organisation()).pk for _ in range(2)]
    wanted = paper.invoice(make.organisation())
    with transaction.atomic():
        jobs.MAKE_DOCUMENTS.enqueue(
            key="a page", due_at=NOW - timedelta(hours=1), payload={"invoice_ids": [*batch]}
        )

    documents.ask_first(invoice_id=wanted.pk, now=NOW)
    with clock.fixed_at(NOW):
        work.run_due([work.PDF_QUEUE], limit=1)

    assert list(InvoiceDocument.objects.values_list("pk", flat=True)) == [wanted.pk]


def test_numbers_are_found_however_they_are_typed() -> None:
    assert numbers.written("KC-", 42) == "KC-00000042"
    assert numbers.written("KC-", 42, InvoiceKind.CREDIT_NOTE) == "KC-CN-00000042"
    for typed in ("KC-00000042", "kc-42"):
        assert numbers.parse(typed, "KC-") == (42, InvoiceKind.MONTHLY)
    for typed in (" 42 ", "00000042"):
        assert numbers.parse(typed, "KC-") == (42, None)
    for typed in ("KC-CN-00000042", "kc-cn-42", "CN-42", " cn-00000042"):
        assert numbers.parse(typed, "KC-") == (42, InvoiceKind.CREDIT_NOTE)
    for typed in ("", "KC-", "KC-CN-", "CN-KC-1", "4x", "٤٢", "9" * 19, "-1"):
        assert numbers.parse(typed, "KC-") is None


def test_a_web_process_never_loads_what_renders() -> None:
    program = (
        "import django, sys; django.setup(); import billing.urls, billing.tasks;"
        "print('weasyprint' in sys.modules)"
    )

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "billing_portal.settings"},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "False"

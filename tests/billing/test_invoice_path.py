"""From the month end to the paper: what was issued is what is printed, shown and exported."""

import hashlib
import io
import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from billing.models import Invoice, InvoiceDocument
from billing.rules import explanations
from core import clock, work
from tests import make
from tests.billing import books, paper


@pytest.mark.django_db(transaction=True)
def test_an_issued_month_is_printed_explained_and_exported_alike(client: Client) -> None:
    organisation = books.customer(books.starter(), calls=Decimal("120000.5"))
    client.force_login(make.member(organisation).user)
    client.cookies["django_language"] = "en"
    books.bill()
    with clock.fixed_at(books.NOW + timedelta(minutes=1)):
        work.run_due([work.PDF_QUEUE])

    invoice = Invoice.objects.get()
    document = InvoiceDocument.objects.get(invoice=invoice)
    address = {"organisation": organisation.public_id, "invoice": invoice.public_id}
    pdf = client.get(reverse("invoice_pdf", kwargs=address))
    page = client.get(reverse("invoice", kwargs=address))
    line = client.get(reverse("invoice_line", kwargs={**address, "position": 2}))
    output = io.StringIO()
    call_command("export_invoices", "2026-10", "--format=json", stdout=output)
    (exported,) = json.loads(output.getvalue())

    # 5,000 + 20,000.5 x 0.01 = 5,200.005 -> 5,200; tax 520.
    assert (invoice.net, invoice.tax, invoice.gross) == (5_200, 520, 5_720)
    assert "合計(税込)¥5,720" in paper.text_of(pdf.getvalue())
    assert "20,000.5×¥0.01120,000.5回¥200" in paper.text_of(pdf.getvalue())
    assert hashlib.sha256(pdf.getvalue()).digest() == bytes(document.sha256)
    assert "¥5,720" in page.getvalue().decode()
    rated = explanations.usage_of(line.context["line"].why)
    assert rated is not None
    assert sum((tier.amount for tier in rated.tiers), Decimal(0)) == Decimal("200.005")
    assert line.context["days"].total == Decimal("120000.5")
    assert line.context["prices"].plan_en == "Starter"
    assert line.context["prices"].selected_at == books.SELECTED_AT
    assert exported["gross"] == 5_720
    assert exported["digest"] == bytes(invoice.digest).hex()
    assert exported["document_sha256"] == bytes(document.sha256).hex()

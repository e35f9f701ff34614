"""What a spot invoice and its credit notes say, on paper and in exports. Rule: B-11, B-13, japan.md."""

import csv
import io
import json
from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command

from accounts.enums import Language, PaymentTerms
from billing.documents import render
from billing.enums import InvoiceKind
from billing.models import Invoice
from billing.queries import credits as queries
from billing.queries import invoices, verify_credits
from billing.services import correct, documents
from billing.services import spot as services
from core.months import BillingMonth
from tests import make
from tests.billing import paper, spots
from tests.billing.spots import NOW

pytestmark = pytest.mark.django_db


def issued(*, language: Language = Language.JA, paid_with: PaymentTerms | None = None) -> Invoice:
    """Two steps for three months from 10 December, paid: 30,000, 3,000 and 33,000."""
    order = spots.paid(spots.customer(language=language), accounts=200, months=3)
    return services.issue(
        order_id=order.pk, actor=spots.ACTOR, now=NOW, paid_with=paid_with or PaymentTerms.PAYPAL
    )


def text_of(invoice: Invoice) -> str:
    return paper.text_of(render.pdf(invoices.sheet(invoice.pk)))


def order_of(invoice: Invoice) -> str:
    return invoices.sheet(invoice.pk).order


def credit(invoice: Invoice, gross: int | None = None) -> Invoice:
    return correct.credit(
        organisation_id=invoice.organisation_id,
        invoice_id=invoice.pk,
        gross=gross,
        reason="契約の更新を取り消したため",
        actor="user:7",
        operation=uuid4(),
        now=NOW,
    )


def test_spot_invoice_in_japanese_prints_the_items_of_a_qualified_invoice() -> None:
    invoice = issued()

    text = text_of(invoice)

    for item in (
        "請求書番号KC-SP-00000001",
        "発行日2026年11月22日",
        "カモメ・コネクト株式会社",
        "登録番号T9999901000123",
        f"ご注文番号{order_of(invoice)}",
        "お支払方法PayPalでお支払い済みです。",
        "ご利用期間2026年12月10日〜2027年3月9日",
        "スポット契約:starterプラン+200アカウント、2026年12月10日〜2027年3月9日",
        "月額¥5,000×2口×3か月",
        "3か月¥30,000",
        "10%対象¥30,000¥3,000",
        "AobaDevices御中",
        "合計(税込)¥33,000",
    ):
        assert item in text
    assert "お支払期限" not in text


def test_spot_invoice_in_english_prints_the_items_of_a_qualified_invoice() -> None:
    invoice = issued(language=Language.EN)

    text = text_of(invoice)

    for item in (
        "Invoiceno.KC-SP-00000001",
        "Issuedate22November2026",
        "Registrationno.T9999901000123",
        f"Orderno.{order_of(invoice)}",
        "PaymentPaidwithPayPal.",
        "Period10December2026–9March2027",
        "Spotcontract:Starter+200accounts,10December2026–9March2027",
        "Monthlyfee¥5,000×2×3months",
        "3months¥30,000",
        "Consumptiontax10%¥30,000¥3,000",
        "AobaDevices",
        "Total(taxincluded)¥33,000",
    ):
        assert item in text


@pytest.mark.parametrize(
    ("paid_with", "sentence"),
    [
        (PaymentTerms.PAID, "Paidの請求書払いで承りました。"),
        (PaymentTerms.NONE, "お支払い済みです。"),
    ],
)
def test_spot_invoice_says_how_it_is_settled(paid_with: PaymentTerms, sentence: str) -> None:
    assert f"お支払方法{sentence}" in text_of(issued(paid_with=paid_with))


def test_spot_invoice_is_archived_like_every_other() -> None:
    invoice = issued()

    made = documents.make_document(invoice_id=invoice.pk, now=NOW)

    assert documents.make_document(invoice_id=invoice.pk, now=NOW) == made
    assert bytes(made.pdf)[:5] == b"%PDF-"


def test_credit_note_of_a_whole_spot_invoice_gives_back_its_line() -> None:
    invoice = issued()

    note = credit(invoice)

    assert spots.amounts(note) == (30_000, 3_000, 33_000)
    text = text_of(note)
    for item in (
        "返還請求書番号KC-CN-00000001",
        "元の請求書KC-SP-00000001(2026年11月22日発行)",
        "元のご利用期間2026年12月10日〜2027年3月9日",
        "スポット契約:starterプラン+200アカウント",
        "3か月¥30,000",
        "返還金額の合計(税込)¥33,000",
    ):
        assert item in text
    assert [each.differences for each in verify_credits.verified()] == [()]
    assert queries.left_of(invoice).left == 0


def test_credit_note_of_whole_unused_months_follows_the_tax() -> None:
    """A month of the three, 11,000 with 1,000 tax; then another; together two thirds."""
    invoice = issued(language=Language.EN)

    notes = [credit(invoice, 11_000), credit(invoice, 11_000)]

    assert [spots.amounts(note) for note in notes] == [(10_000, 1_000, 11_000)] * 2
    text = text_of(notes[1])
    for item in (
        "OriginalinvoiceKC-SP-00000001,issued22November2026",
        "Period10December2026–9March2027".removeprefix("Period"),
        f"Creditforspotorder{order_of(invoice)}",
        "Amountcredited,taxincluded¥11,000",
    ):
        assert item in text
    assert [each.differences for each in verify_credits.verified()] == [(), ()]
    assert queries.left_of(invoice).left == 11_000
    with pytest.raises(correct.MoreThanLeft):
        credit(invoice, 11_001)


def exported(form: str) -> str:
    out = io.StringIO()
    call_command("export_invoices", "2026-11", "--format", form, stdout=out)
    return out.getvalue()


def test_exports_name_the_order_and_its_period() -> None:
    invoice = issued()
    note = credit(invoice, 11_000)

    rows = list(csv.DictReader(io.StringIO(exported("csv"))))
    told: list[dict[str, Any]] = json.loads(exported("json"))
    focus = list(csv.DictReader(io.StringIO(exported("focus"))))

    order = order_of(invoice)
    assert [(row["document"], row["kind"], row["order"], row["net"]) for row in rows] == [
        ("spot", "spot", order, "30000"),
        ("credit_note", "credit", order, "-10000"),
    ]
    assert [(each["kind"], each["order"], each["gross"]) for each in told] == [
        ("spot", order, 33_000),
        ("credit_note", order, 11_000),
    ]
    first = focus[0]
    assert {
        name: first[name]
        for name in (
            "BilledCost",
            "ChargeCategory",
            "ChargeFrequency",
            "ChargePeriodStart",
            "ChargePeriodEnd",
            "ListUnitPrice",
            "PricingQuantity",
            "PricingUnit",
            "SkuId",
            "SkuPriceId",
        )
    } == {
        "BilledCost": "30000",
        "ChargeCategory": "Purchase",
        "ChargeFrequency": "One-Time",
        # 10 December and 10 March at 0:00 in Tokyo.
        "ChargePeriodStart": "2026-12-09T15:00:00Z",
        "ChargePeriodEnd": "2027-03-09T15:00:00Z",
        "ListUnitPrice": "10000",
        "PricingQuantity": "3",
        "PricingUnit": "months",
        "SkuId": "starter",
        "SkuPriceId": "starter.v1",
    }
    assert sum(int(row["BilledCost"]) for row in focus) == 33_000 - 11_000
    assert note.kind == InvoiceKind.CREDIT_NOTE


def test_exports_follow_the_month_of_issue() -> None:
    issued()
    make.organisation()

    assert len(list(invoices.sheets_of_month(BillingMonth(2026, 11)))) == 1
    assert list(invoices.sheets_of_month(BillingMonth(2026, 12))) == []


@pytest.mark.unsound_books
def test_a_monthly_invoice_is_of_no_order_and_of_its_month() -> None:
    organisation = make.organisation(customer_since=date(2026, 10, 1))
    sheet = invoices.sheet(paper.invoice(organisation).pk)

    assert (sheet.order, sheet.first_day, sheet.last_day) == (
        "",
        date(2026, 10, 1),
        date(2026, 10, 31),
    )

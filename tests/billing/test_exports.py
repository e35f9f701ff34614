import csv
import io
import json
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import DjangoAssertNumQueries

from accounts.enums import Language
from billing.documents import exports
from billing.enums import LineKind
from billing.models import Invoice, InvoiceDocument
from billing.queries import invoices
from billing.rules import rating
from core.months import BillingMonth
from tests import make
from tests.billing import kernel, paper

pytestmark = [pytest.mark.django_db, pytest.mark.unsound_books]


def exported(form: str, *more: str, month: str = "2026-10") -> str:
    output = io.StringIO()
    call_command("export_invoices", month, f"--format={form}", *more, stdout=output)
    return output.getvalue()


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def three_invoices() -> None:
    """11,269 yen; 102.45 dollars; an adjustment of −40 on 100 yen: 60 and 6 tax."""
    paper.invoice(make.organisation(reference="aoba", name="青葉デバイス"))
    paper.invoice(
        make.organisation(
            reference="geraete",
            name="Deutsche Geräte GmbH",
            country="DE",
            currency="USD",
            language=Language.EN,
        )
    )
    licence = kernel.terms(100, kernel.calls())
    late = kernel.late(
        licence=licence,
        used={"calls": Decimal(110_000)},
        rated={"calls": Decimal("120000.5")},
        billed={"calls": 140},
    )
    paper.invoice(
        make.organisation(reference="late"),
        rating.rate(kernel.facts(licence=licence, late=(late,))),
    )


def test_csv_has_a_row_a_line_that_add_up_to_each_invoice() -> None:
    three_invoices()

    table = rows(exported("csv"))

    assert tuple(table[0]) == exports.CSV_COLUMNS
    assert table[0] == {
        "invoice_number": "KC-00000001",
        "issued_on": "2026-11-01",
        "month": "2026-10",
        "due_on": "2026-11-15",
        "organisation": "aoba",
        "recipient": "青葉デバイス",
        "currency": "JPY",
        "line": "1",
        "kind": "fee",
        "line_month": "2026-10",
        "item": "スターター 200",
        "quantity": "2",
        "unit": "口",
        "net": "10000",
        "tax_code": "JP10",
        "tax_rate": "0.1",
        "invoice_net": "10245",
        "invoice_tax": "1024",
        "invoice_gross": "11269",
        "document": "monthly",
        "corrects": "",
        "order": "",
    }
    assert {(row["invoice_number"], row["invoice_gross"]) for row in table} == {
        ("KC-00000001", "11269"),
        ("KC-00000002", "102.45"),
        ("KC-00000003", "66"),
    }
    for invoice in invoices.sheets_of_month(kernel.OCTOBER):
        nets = [Decimal(row["net"]) for row in table if row["invoice_number"] == invoice.number]
        assert sum(nets) == Decimal(table_net(table, invoice.number))


def table_net(table: list[dict[str, str]], number: str) -> str:
    (net,) = {row["invoice_net"] for row in table if row["invoice_number"] == number}
    return net


def test_csv_disarms_formulas_and_keeps_negative_numbers() -> None:
    three_invoices()
    paper.invoice(make.organisation(name="=cmd|'/c calc'!A1"))

    table = rows(exported("csv"))

    assert {row["recipient"] for row in table if row["invoice_number"] == "KC-00000004"} == {
        "'=cmd|'/c calc'!A1"
    }
    (adjustment,) = [row for row in table if row["kind"] == LineKind.ADJUSTMENT]
    assert (adjustment["net"], adjustment["quantity"]) == ("-40", "-10000.5")
    assert adjustment["line_month"] == "2026-09"


def test_csv_may_begin_with_the_mark_that_excel_looks_for() -> None:
    assert exported("csv", "--bom").startswith("\ufeffinvoice_number,")
    assert exported("csv").startswith("invoice_number,")


def test_json_holds_each_invoice_complete() -> None:
    three_invoices()
    first = Invoice.objects.get(number=1)
    InvoiceDocument.objects.create(invoice=first, pdf=b"%PDF", sha256=bytes(32), made_at=make.NOW)

    found = json.loads(exported("json"))

    assert [invoice["number"] for invoice in found] == [
        "KC-00000001",
        "KC-00000002",
        "KC-00000003",
    ]
    one = found[0]
    assert one["id"] == str(first.public_id)
    assert one["issuer"]["registration_number"] == "T9999901000123"
    assert one["recipient"] == first.recipient
    assert one["digest"] == bytes(range(32)).hex()
    assert one["document_sha256"] == "00" * 32
    assert found[1]["document_sha256"] is None
    assert one["taxes"] == [{"tax_code": "JP10", "rate": "0.1000", "net": 10_245, "tax": 1_024}]
    for invoice in found:
        assert sum(line["net"] for line in invoice["lines"]) == invoice["net"]
        assert sum(tax["tax"] for tax in invoice["taxes"]) == invoice["tax"]
        assert invoice["net"] + invoice["tax"] == invoice["gross"]
    usage = one["lines"][2]
    assert usage["quantity"] == "120000.500000000000000"
    assert usage["explanation"]["exact"] == "140.002"


def test_focus_bills_exactly_what_the_invoices_say() -> None:
    three_invoices()

    table = rows(exported("focus"))

    assert tuple(table[0]) == exports.FOCUS_COLUMNS
    for account, gross in (("aoba", "11269"), ("geraete", "102.45"), ("late", "66")):
        costs = [Decimal(row["BilledCost"]) for row in table if row["BillingAccountId"] == account]
        assert sum(costs) == Decimal(gross)
    assert [(row["ChargeCategory"], row["ChargeClass"], row["BilledCost"]) for row in table] == [
        ("Purchase", "NULL", "10000"),
        ("Purchase", "NULL", "105"),
        ("Usage", "NULL", "140"),
        ("Tax", "NULL", "1024"),
        ("Purchase", "NULL", "100"),
        ("Purchase", "NULL", "1.05"),
        ("Usage", "NULL", "1.4"),
        ("Purchase", "NULL", "100"),
        ("Usage", "NULL", "0"),
        ("Adjustment", "Correction", "-40"),
        ("Tax", "NULL", "6"),
    ]


def test_focus_says_what_was_consumed_when_and_by_whom() -> None:
    three_invoices()

    usage = rows(exported("focus"))[2]

    assert usage["ConsumedQuantity"] == "120000.5"
    assert usage["ConsumedUnit"] == "calls"
    assert usage["ChargePeriodStart"] == "2026-09-30T15:00:00Z"
    assert usage["ChargePeriodEnd"] == "2026-10-31T15:00:00Z"
    assert usage["BillingCurrency"] == "JPY"
    assert usage["InvoiceIssuerName"] == "Kamome Connect Inc."
    assert usage["SubAccountId"] == "aoba"
    assert usage["SkuPriceId"] == "starter.v3"
    assert usage["ListUnitPrice"] == "NULL"
    assert json.loads(usage["Tags"]) == {"invoice_number": "KC-00000001"}


def test_focus_has_the_43_columns_of_version_1_0_in_their_order() -> None:
    assert len(set(exports.FOCUS_COLUMNS)) == 43
    assert list(exports.FOCUS_COLUMNS) == sorted(exports.FOCUS_COLUMNS)


def test_a_month_without_invoices_exports_nothing() -> None:
    assert rows(exported("csv", month="2026-09")) == []
    assert json.loads(exported("json", month="2026-09")) == []
    assert rows(exported("focus", month="2026-09")) == []


def test_output_appears_complete_or_not_at_all(tmp_path: Path) -> None:
    three_invoices()
    target = tmp_path / "october.json"

    call_command("export_invoices", "2026-10", "--format=json", f"--output={target}")

    assert [path.name for path in tmp_path.iterdir()] == ["october.json"]
    assert len(json.loads(target.read_text("utf-8"))) == 3
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("export_invoices", "2026-10", f"--output={tmp_path / 'no' / 'x.csv'}")


def test_a_wrong_month_is_refused_in_words() -> None:
    with pytest.raises(CommandError, match="'2026-13' is no month"):
        exported("csv", month="2026-13")


def test_export_reads_pages_of_invoices_in_a_fixed_number_of_statements(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    three_invoices()

    with django_assert_num_queries(7):
        assert len(list(invoices.sheets_of_month(BillingMonth(2026, 10)))) == 3


def test_export_takes_up_a_month_where_the_page_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    three_invoices()
    monkeypatch.setattr(invoices, "EXPORTED_AT_ONCE", 2)

    numbers = [sheet.invoice.number for sheet in invoices.sheets_of_month(kernel.OCTOBER)]

    assert numbers == [1, 2, 3]

"""Each guard refuses; and without it, what it refuses is done: it is needed, and it is what refuses."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from accounts.models import Organisation
from billing.models import (
    BilledMonth,
    Invoice,
    InvoiceDocument,
    InvoiceLine,
    NumberSeries,
    TaxSummary,
)
from tests.billing import books

pytestmark = [pytest.mark.django_db, pytest.mark.unsound_books]


@pytest.fixture
def invoice() -> Invoice:
    books.customer(books.starter(), calls=150_000)
    books.bill()
    return Invoice.objects.get()


def run(sql: str) -> None:
    """Execute a statement as raw SQL, with what is checked at the commit."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(sql)
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def drop_trigger(name: str, table: str) -> None:
    run(f"DROP TRIGGER {name} ON {table}")


IMMUTABLE = (
    "billing_invoice",
    "billing_invoiceline",
    "billing_taxsummary",
    "billing_billedmonth",
    "billing_invoicedocument",
)


@pytest.mark.parametrize("table", IMMUTABLE)
@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE {} SET {} = {}", id="update"),
        pytest.param("DELETE FROM {}", id="delete"),
        pytest.param("TRUNCATE {} CASCADE", id="truncate"),
    ],
)
def test_what_was_issued_never_changes_by_raw_sql(
    invoice: Invoice, table: str, statement: str
) -> None:
    column = "made_at" if table == "billing_invoicedocument" else "organisation_id"

    with pytest.raises(IntegrityError, match=f"{table} is append-only"):
        run(statement.format(table, column, column))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda: Invoice.objects.get().save(), id="save"),
        pytest.param(lambda: Invoice.objects.update(gross=1), id="bulk update"),
        pytest.param(lambda: TaxSummary.objects.update(tax=0), id="tax"),
        pytest.param(lambda: BilledMonth.objects.all().delete(), id="delete of the month"),
        pytest.param(lambda: InvoiceLine.objects.all().delete(), id="delete of the lines"),
        pytest.param(lambda: Invoice.objects.all()._raw_delete("default"), id="raw delete"),
    ],
)
def test_what_was_issued_never_changes_by_the_orm(
    invoice: Invoice, change: Callable[[], Any]
) -> None:
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        change()

    assert Invoice.objects.get() == invoice


def test_an_organisation_with_an_invoice_cannot_be_deleted(invoice: Invoice) -> None:
    with pytest.raises(ProtectedError):
        Organisation.objects.all().delete()
    with pytest.raises(IntegrityError):
        run("DELETE FROM accounts_organisation")
    with pytest.raises(IntegrityError, match="append-only"):
        run("TRUNCATE accounts_organisation CASCADE")

    assert Invoice.objects.filter(pk=invoice.pk).exists()


@pytest.mark.parametrize("table", ["billing_invoice", "billing_invoiceline", "billing_taxsummary"])
def test_without_its_trigger_an_issued_document_changes(invoice: Invoice, table: str) -> None:
    drop_trigger(f"{table}_never_changes", table)

    run(f"UPDATE {table} SET net = net + 1" + (", gross = gross + 1" * (table[8:] == "invoice")))

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT max(net) FROM {table}")
        assert cursor.fetchone()[0] > 5_000


def test_without_its_trigger_a_billed_month_changes(invoice: Invoice) -> None:
    drop_trigger("billing_billedmonth_never_changes", "billing_billedmonth")

    run("UPDATE billing_billedmonth SET facts = '{}'")

    assert BilledMonth.objects.get().facts == {}


def test_without_its_trigger_an_archived_document_changes(invoice: Invoice) -> None:
    InvoiceDocument.objects.create(invoice=invoice, pdf=b"%PDF", sha256=b"", made_at=books.NOW)
    with pytest.raises(IntegrityError, match="append-only"):
        run("UPDATE billing_invoicedocument SET pdf = 'forged'")
    drop_trigger("billing_invoicedocument_never_changes", "billing_invoicedocument")

    run("UPDATE billing_invoicedocument SET pdf = 'forged'")

    assert bytes(InvoiceDocument.objects.get().pdf) == b"forged"


@pytest.mark.parametrize("table", ["billing_taxsummary", "billing_billedmonth"])
def test_what_belongs_to_an_invoice_belongs_to_its_organisation(
    invoice: Invoice, table: str
) -> None:
    other = books.customer(invoice.lines.all()[0].plan_version)
    drop_trigger(f"{table}_never_changes", table)
    stray = f"UPDATE {table} SET organisation_id = {other.pk}"

    with pytest.raises(IntegrityError, match=f"{table}_of_its_organisation"):
        run(stray)

    run(f"ALTER TABLE {table} DROP CONSTRAINT {table}_of_its_organisation")
    run(stray)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT organisation_id FROM {table}")
        assert cursor.fetchone() == (other.pk,)


LATE_LINE = """
    INSERT INTO billing_invoiceline SELECT organisation_id, 99, kind, month, name_ja, name_en, quantity,
        net, tax_code, explanation, invoice_id, meter_id, plan_version_id FROM billing_invoiceline LIMIT 1
"""
LATE_TAX = """
    INSERT INTO billing_taxsummary (invoice_id, tax_code, organisation_id, rate, net, tax)
    SELECT invoice_id, 'JP8R', organisation_id, 0.08, 0, 0 FROM billing_taxsummary
"""


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        pytest.param(LATE_LINE, "billing_invoiceline", id="line"),
        pytest.param(LATE_TAX, "billing_taxsummary", id="tax summary"),
    ],
)
def test_nothing_is_added_to_an_issued_invoice(
    invoice: Invoice, statement: str, table: str
) -> None:
    with pytest.raises(IntegrityError, match="is issued: nothing is added"):
        run(statement)

    drop_trigger(f"{table}_before_invoice", table)
    run(statement)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        assert cursor.fetchone()[0] > len(IMMUTABLE) - 4


# An invoice with one line of 1,000 and its tax; what is wrong comes as keywords.
WRONG = [
    pytest.param({"net": 999, "gross": 1_099}, id="net is not the sum of the lines"),
    pytest.param({"tax": 99, "gross": 1_099}, id="tax is not the sum of the rates"),
    pytest.param({"line_count": 2}, id="a line is missing"),
    pytest.param({"line_count": 0, "lines": False}, id="no line at all"),
    pytest.param({"rate_net": 999}, id="a rate's net is not the sum of its lines"),
    pytest.param({"rate_tax": 101, "tax": 101, "gross": 1_101}, id="tax is not net times rate"),
    pytest.param({"code": "JP8R"}, id="a rate without lines"),
    pytest.param({"tax_rounding": "generous"}, id="unknown rounding"),
]


def draw_up(organisation: Organisation, **given: Any) -> None:
    """Store an invoice by raw SQL as the month end does: lines, taxes, then the invoice."""
    values = {
        "id": 900,
        "organisation": organisation.pk,
        "line_organisation": organisation.pk,
        "number": 1,
        "net": 1_000,
        "tax": 100,
        "gross": 1_100,
        "line_net": 1_000,
        "line_count": 1,
        "lines": True,
        "rate_net": 1_000,
        "rate_tax": 100,
        "code": "JP10",
        "tax_rounding": "down",
        **given,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        if values["lines"]:
            cursor.execute(
                "INSERT INTO billing_invoiceline (invoice_id, position, organisation_id, kind, month,"
                " name_ja, name_en, quantity, net, tax_code, explanation) VALUES (%(id)s, 1,"
                " %(line_organisation)s, 'fee', '2026-10-01', '料金', 'Fee', 1, %(line_net)s, 'JP10', '{}')",
                values,
            )
        cursor.execute(
            "INSERT INTO billing_taxsummary (invoice_id, tax_code, organisation_id, rate, net, tax)"
            " VALUES (%(id)s, %(code)s, %(organisation)s, 0.1, %(rate_net)s, %(rate_tax)s)",
            values,
        )
        cursor.execute(
            "INSERT INTO billing_invoice (id, number, public_id, organisation_id, kind, month, issued_on,"
            " issued_at, due_on, language, currency, net, tax, gross, tax_rounding, line_count, vendor_id,"
            " recipient, digest) SELECT %(id)s, %(number)s, gen_random_uuid(), %(organisation)s, 'monthly',"
            " '2026-10-01', '2026-11-22', '2026-11-22', '2026-11-22', 'ja', 'JPY', %(net)s, %(tax)s,"
            " %(gross)s, %(tax_rounding)s, %(line_count)s, max(id), '{}', '' FROM plans_vendorversion",
            values,
        )
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def test_an_invoice_that_adds_up_is_taken() -> None:
    draw_up(books.customer(books.starter()))

    assert Invoice.objects.get().gross == 1_100


@pytest.mark.parametrize(
    ("rounding", "tax"),
    [
        pytest.param("down", 100, id="down"),
        pytest.param("half_up", 101, id="half up"),
        pytest.param("up", 101, id="up"),
    ],
)
def test_tax_is_held_against_the_rounding_of_the_document(rounding: str, tax: int) -> None:
    organisation = books.customer(books.starter())
    values = {"net": 1_005, "rate_net": 1_005, "line_net": 1_005, "tax_rounding": rounding}

    draw_up(organisation, **values, tax=tax, rate_tax=tax, gross=1_005 + tax)

    assert Invoice.objects.get().tax == tax


@pytest.mark.parametrize("wrong", WRONG)
def test_an_invoice_that_does_not_add_up_is_refused(wrong: dict[str, Any]) -> None:
    organisation = books.customer(books.starter())

    with pytest.raises(IntegrityError, match="does not add up"):
        draw_up(organisation, **wrong)
    assert not Invoice.objects.exists()

    drop_trigger("billing_invoice_adds_up", "billing_invoice")
    draw_up(organisation, **wrong)
    assert Invoice.objects.exists()


def test_a_line_belongs_to_the_organisation_of_its_invoice() -> None:
    version = books.starter()
    organisation, other = books.customer(version), books.customer(version)

    with pytest.raises(IntegrityError, match="of_its_organisation"):
        draw_up(organisation, line_organisation=other.pk)

    run("ALTER TABLE billing_invoiceline DROP CONSTRAINT billing_invoiceline_of_its_organisation")
    draw_up(organisation, line_organisation=other.pk)
    assert InvoiceLine.objects.get().organisation_id == other.pk


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(3, id="a gap"),
        pytest.param(0, id="before the first"),
    ],
)
def test_a_number_follows_the_last_one(invoice: Invoice, number: int) -> None:
    other = books.customer(Invoice.objects.get().lines.all()[0].plan_version)

    with pytest.raises(IntegrityError, match="do not follow"):
        draw_up(other, number=number)

    drop_trigger("billing_invoice_numbers_rise", "billing_invoice")
    draw_up(other, number=number)
    assert books.numbers() != [1, 2]


def test_a_number_is_given_once(invoice: Invoice) -> None:
    other = books.customer(Invoice.objects.get().lines.all()[0].plan_version)
    drop_trigger("billing_invoice_numbers_rise", "billing_invoice")

    with pytest.raises(IntegrityError, match="invoice_number"):
        draw_up(other, number=1)

    run("ALTER TABLE billing_invoice DROP CONSTRAINT invoice_number")
    draw_up(other, number=1)
    assert books.numbers() == [1, 1]


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE billing_numberseries SET next = next + 1", id="burnt"),
        pytest.param("UPDATE billing_numberseries SET next = next - 1", id="set back"),
    ],
)
def test_the_counter_says_what_is_stored(invoice: Invoice, statement: str) -> None:
    with pytest.raises(IntegrityError, match="the last one stored is 1"):
        run(statement)
    assert NumberSeries.objects.get().next == 2

    drop_trigger("billing_numberseries_is_what_is_stored", "billing_numberseries")
    run(statement)
    assert NumberSeries.objects.get().next != 2


def test_the_counter_is_never_thrown_away(invoice: Invoice) -> None:
    with pytest.raises(IntegrityError, match="append-only"):
        run("DELETE FROM billing_numberseries")

    drop_trigger("billing_numberseries_stays", "billing_numberseries")
    run("DELETE FROM billing_numberseries")
    assert not NumberSeries.objects.exists()


def test_a_month_is_invoiced_once(invoice: Invoice) -> None:
    organisation = invoice.organisation

    with pytest.raises(IntegrityError, match="invoice_one_a_month"):
        draw_up(organisation, number=2)

    run("DROP INDEX invoice_one_a_month")
    draw_up(organisation, number=2)
    assert Invoice.objects.filter(organisation=organisation).count() == 2


@pytest.mark.parametrize(
    ("given", "constraint"),
    [
        pytest.param({"gross": 1_101}, "invoice_gross_adds_up", id="gross"),
        pytest.param(
            {"net": -1_000, "line_net": -1_000, "rate_net": -1_000, "gross": -900},
            "invoice_not_negative",
            id="below zero",
        ),
    ],
)
def test_a_row_asserts_what_it_can_about_itself(given: dict[str, int], constraint: str) -> None:
    organisation = books.customer(books.starter())
    drop_trigger("billing_invoice_adds_up", "billing_invoice")

    with pytest.raises(IntegrityError, match=constraint):
        draw_up(organisation, **given)

    run(f"ALTER TABLE billing_invoice DROP CONSTRAINT {constraint}")
    draw_up(organisation, **given)
    assert Invoice.objects.exists()


def test_a_month_is_billed_once(invoice: Invoice) -> None:
    month = BilledMonth.objects.get()
    again = """
        INSERT INTO billing_billedmonth (organisation_id, month, outcome, facts, facts_digest, credit,
            billed_at)
        SELECT organisation_id, month, 'nothing', facts, facts_digest, credit, billed_at
        FROM billing_billedmonth
    """

    with pytest.raises(IntegrityError, match="billing_billedmonth_pkey"):
        run(again)

    run("ALTER TABLE billing_billedmonth DROP CONSTRAINT billing_billedmonth_pkey")
    run(again)
    assert BilledMonth.objects.filter(month=month.month).count() == 2

"""Spot invoices are verified, audited and guarded; tampering is found, and refused before. Rule: B-13."""

import io
from collections.abc import Sequence
from datetime import date
from threading import Barrier, Thread
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from billing.enums import InvoiceKind
from billing.models import Invoice, InvoiceLine, TaxSummary
from billing.queries import verify_spots
from billing.queries.due import customers
from billing.queries.invoices import number_of
from billing.queries.month_view import month_view
from billing.rules import numbers
from billing.rules.numbers import Typed
from billing.services import spot as services
from billing.services import store
from core import books
from core.months import BillingMonth
from payments.queries.audit.spots import SPOTS
from plans import queries as plans
from tests import make
from tests.billing import books as months
from tests.billing import sound, spots
from tests.billing.spots import NOW

LINES, INVOICES, TAXES = "billing_invoiceline", "billing_invoice", "billing_taxsummary"
ORDERS = "spot_orders_spotorder"
UNGUARDED = [
    f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in (LINES, INVOICES, TAXES, ORDERS)
]


@pytest.fixture
def issued(db: None) -> Invoice:
    """Two steps for three months from 10 December: 30,000, 3,000 and 33,000."""
    return spots.invoice(spots.paid(spots.customer(), accounts=200, months=3))


def what() -> set[str]:
    return {each.what for every in verify_spots.verified() for each in every.differences}


def test_verified_finds_a_spot_invoice_as_it_was_issued(issued: Invoice) -> None:
    assert verify_spots.count() == 1
    assert what() == set()


def test_verified_does_not_ask_what_the_plan_is_called_or_costs_now(issued: Invoice) -> None:
    version = make.plan_version(number=2, prices={"JPY": 9_000})
    plan = version.plan
    plan.name_en = "Beginner"
    plan.save(update_fields=["name_en"])

    assert what() == set()


@pytest.mark.unsound_books
@pytest.mark.parametrize(
    ("statement", "found"),
    [
        pytest.param(
            f"UPDATE {LINES} SET net = net + 1",
            {"line 1: net", "digest of the spot invoice"},
            id="a line's amount",
        ),
        pytest.param(
            f"UPDATE {LINES} SET explanation = jsonb_set(explanation, '{{unit_net}}', '\"4000\"')",
            {"line 1: explanation", "digest of the spot invoice"},
            id="a line's explanation",
        ),
        pytest.param(
            f"UPDATE {TAXES} SET tax = tax - 1",
            {"taxes", "digest of the spot invoice"},
            id="the tax of a rate",
        ),
        pytest.param(
            f"UPDATE {INVOICES} SET tax = tax - 1, gross = gross - 1",
            {"tax", "gross", "gross of the order", "digest of the spot invoice"},
            id="the invoice's amounts",
        ),
        pytest.param(
            f"UPDATE {INVOICES} SET operation = gen_random_uuid()",
            {"the order"},
            id="of no order",
        ),
        pytest.param(
            f"UPDATE {ORDERS} SET priced = '[[\"2026-12-10\", 999, 1, 5000]]'",
            {"the order"},
            id="an order of a version that is none",
        ),
        pytest.param(
            f"UPDATE {ORDERS} SET priced = jsonb_set(priced, '{{0,3}}', '4000')",
            {
                "net",
                "tax",
                "gross",
                "taxes",
                "number of lines",
                "line 1: quantity",
                "line 1: net",
                "line 1: explanation",
            },
            id="a month's price",
        ),
    ],
)
def test_verified_finds_what_was_tampered_with(
    issued: Invoice, statement: str, found: set[str]
) -> None:
    sound.run([*UNGUARDED, statement])

    assert what() == found


@pytest.mark.unsound_books
def test_verify_invoices_ends_red_on_a_spot_invoice_that_differs(issued: Invoice) -> None:
    out, err = io.StringIO(), io.StringIO()
    call_command("verify_invoices", stdout=out, stderr=err)
    sound.run([*UNGUARDED, f"UPDATE {LINES} SET net = net + 1"])

    assert "1 spot invoices are as they were issued." in out.getvalue()
    with pytest.raises(SystemExit):
        call_command("verify_invoices", stdout=out, stderr=err)
    assert "spot invoice 1: line 1: net: issued 30001, rated 30000" in out.getvalue()


def test_verify_leaves_other_months_out(issued: Invoice) -> None:
    assert verify_spots.count(month=BillingMonth(2026, 11)) == 1
    assert verify_spots.count(month=BillingMonth(2026, 12)) == 0
    assert verify_spots.count(since=BillingMonth(2026, 12)) == 0


@pytest.mark.unsound_books
@pytest.mark.parametrize(
    ("statement", "invariant"),
    [
        (f"UPDATE {ORDERS} SET net = net + 1, gross = gross + 1", "I13"),
        (f"UPDATE {INVOICES} SET operation = gen_random_uuid()", "I02"),
        (f"UPDATE {INVOICES} SET number = number + 1", "I03"),
        (f"UPDATE {INVOICES} SET net = net + 1, gross = gross + 1", "I01"),
        (f"UPDATE {LINES} SET name_ja = 'x'", "I04"),
    ],
)
def test_audit_names_what_is_wrong_with_a_spot_invoice(
    issued: Invoice, statement: str, invariant: str
) -> None:
    among = [check for check in books.checks() if check not in SPOTS]
    assert [str(each) for each in books.breaches(among=among)] == []
    sound.run([*UNGUARDED, statement])

    found = books.breaches(among=among)
    assert any(str(each).startswith(invariant) for each in found)


@pytest.mark.unsound_books
def test_audit_misses_the_invoice_of_a_paid_order(db: None) -> None:
    spots.paid(spots.customer())

    assert any("a spot order is paid and has no invoice" in str(each) for each in books.breaches())


def put(of: Invoice, **values: object) -> None:
    """Store another spot invoice that says the same, by hand, but for `values`."""
    line, tax = of.lines.get(), of.tax_summaries.get()
    (pk,) = store.new_ids(1)
    InvoiceLine(
        **{
            **{each.attname: getattr(line, each.attname) for each in line._meta.concrete_fields},
            "invoice_id": pk,
            "kind": values.pop("line_kind", line.kind),
        }
    ).save(force_insert=True)
    TaxSummary(
        invoice_id=pk,
        tax_code=tax.tax_code,
        organisation_id=of.organisation_id,
        rate=tax.rate,
        net=tax.net,
        tax=tax.tax,
    ).save(force_insert=True)
    columns = {each.attname: getattr(of, each.attname) for each in of._meta.concrete_fields}
    Invoice(**{**columns, "id": pk, "public_id": uuid4(), "number": of.number + 1, **values}).save(
        force_insert=True
    )


@pytest.mark.unsound_books
def test_the_database_refuses_a_spot_invoice_of_no_order(issued: Invoice) -> None:
    for operation, refusal in (
        (uuid4(), "is not what a paid order"),
        (None, "is not what a paid order|invoice_of_spot_order_names_it"),
        (issued.operation, "invoice_once_an_operation"),
    ):
        with pytest.raises(IntegrityError, match=refusal), transaction.atomic():
            put(issued, operation=operation)


@pytest.mark.unsound_books
def test_the_database_refuses_a_spot_invoice_of_an_order_that_is_not_paid(issued: Invoice) -> None:
    root = issued.organisation.memberships.get()
    waiting = spots.placed(root, accounts=200, months=3)

    with pytest.raises(IntegrityError, match="is not what a paid order"), transaction.atomic():
        put(issued, operation=waiting.public_id)

    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER billing_invoice_bills_its_order ON {INVOICES}")
    number = store.take_numbers(InvoiceKind.SPOT, 1)
    put(issued, operation=waiting.public_id, number=number)
    assert Invoice.objects.filter(kind=InvoiceKind.SPOT).count() == 2


@pytest.mark.unsound_books
def test_the_database_refuses_other_lines_and_other_amounts_than_the_order(issued: Invoice) -> None:
    root = issued.organisation.memberships.get()
    same = spots.paid(root, accounts=200, months=3)
    other = spots.paid(root, accounts=100, months=3)

    for values, refusal in (
        ({"operation": other.public_id}, "is not what a paid order"),
        ({"operation": same.public_id, "line_kind": "fee"}, "bills something else"),
    ):
        with pytest.raises(IntegrityError, match=refusal), transaction.atomic():
            put(issued, **values)


def test_the_currency_stays_once_a_spot_invoice_is_issued(issued: Invoice) -> None:
    organisation = issued.organisation
    organisation.currency = "USD"

    with pytest.raises(IntegrityError, match="it has one currency"), transaction.atomic():
        organisation.save(update_fields=["currency"])


@pytest.mark.django_db(transaction=True)
def test_two_at_once_issue_one_invoice() -> None:
    order = spots.paid(spots.customer())

    made = at_once([order.pk, order.pk])

    assert len(set(made)) == 1
    assert Invoice.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_many_at_once_are_numbered_without_a_gap() -> None:
    orders = [spots.paid(spots.customer()) for _ in range(4)]

    at_once([order.pk for order in orders])

    issued = Invoice.objects.order_by("number")
    assert [number_of(each) for each in issued.select_related("vendor")] == [
        f"KC-SP-0000000{each}" for each in range(1, 5)
    ]


def at_once(order_ids: Sequence[int]) -> list[int]:
    """Issue invoices side by side; return their ids."""
    made: list[int] = []
    start = Barrier(len(order_ids))

    def issue(order_id: int) -> None:
        try:
            start.wait()
            made.append(services.issue(order_id=order_id, actor=spots.ACTOR, now=NOW).pk)
        finally:
            connection.close()

    threads = [Thread(target=issue, args=[order_id]) for order_id in order_ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == len(order_ids)
    return made


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("KC-SP-00000012", Typed(12, InvoiceKind.SPOT)),
        ("sp-12", Typed(12, InvoiceKind.SPOT)),
        ("KC-CN-00000012", Typed(12, InvoiceKind.CREDIT_NOTE)),
        ("cn-12", Typed(12, InvoiceKind.CREDIT_NOTE)),
        ("KC-00000012", Typed(12, InvoiceKind.MONTHLY)),
        ("12", Typed(12, None)),
        ("SP-261122-ABCDEF", None),
        ("SP-CN-12", None),
        ("SP-", None),
    ],
)
def test_a_typed_number_tells_its_kind(typed: str, meant: Typed | None) -> None:
    assert numbers.parse(typed, "KC-") == meant


def test_the_month_end_knows_nothing_of_spot_invoices(issued: Invoice) -> None:
    """Rule: B-01, R11. Neither the bill of the month in which one is issued nor what is usual sees it."""
    organisation = issued.organisation
    months.bill(BillingMonth(2026, 11), now=spots.at(2026, 12, 2))
    december = spots.invoice(spots.paid(organisation.memberships.get(), now=spots.at(2026, 12, 5)))
    months.bill(BillingMonth(2026, 12), now=spots.at(2027, 1, 2))

    (bound,) = customers([organisation.pk], BillingMonth(2027, 1))
    monthly = Invoice.objects.get(kind=InvoiceKind.MONTHLY)

    # November's own bill is nothing: the contract began after its first instant.
    assert bound.recent == [monthly.gross] == [5_500]
    assert (monthly.month, december.kind) == (date(2026, 12, 1), InvoiceKind.SPOT)
    assert [line.kind for line in monthly.lines.all()] == ["fee"]


def test_the_month_shows_its_own_bill_and_no_spot_invoice(issued: Invoice) -> None:
    organisation = issued.organisation
    months.bill(BillingMonth(2026, 11), now=spots.at(2026, 12, 2))

    view = month_view(
        organisation, BillingMonth(2026, 11), now=spots.at(2026, 12, 2), vendor=plans.vendor()
    )

    assert (view.invoice, view.gross, view.lines) == (None, 0, ())

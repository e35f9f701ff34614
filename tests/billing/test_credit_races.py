"""Credit notes side by side, beside a month end, and what the database itself refuses. Rule: B-11."""

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from billing.models import BilledMonth, Invoice, InvoiceLine, NumberSeries, TaxSummary
from billing.queries import credits as queries
from billing.rules.tax import tax_within
from billing.services import correct
from core.models import AuditEntry
from core.money import Rounding
from tests.billing import books
from tests.billing.books import NOW, OCTOBER
from tests.billing.crashes import crash_at
from tests.billing.test_credit import amounts, credit


def at_once(*what: Callable[[], Any]) -> list[Any]:
    """Do things in a thread each at the same moment; return what came of each, refusals too."""
    start = threading.Barrier(len(what))
    results: list[Any] = [None] * len(what)

    def run(place: int, do: Callable[[], Any]) -> None:
        try:
            start.wait()
            results[place] = do()
        except (correct.NothingLeft, correct.MoreThanLeft) as fault:
            results[place] = fault
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(what)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def issued() -> Invoice:
    books.customer(books.starter(), calls=150_000)
    books.bill()
    return Invoice.objects.get()


@pytest.mark.django_db(transaction=True)
def test_eight_who_credit_the_whole_at_once_make_one_note() -> None:
    invoice = issued()

    results = at_once(*[lambda: credit(invoice)] * 8)

    assert sum(isinstance(each, Invoice) for each in results) == 1
    assert sum(isinstance(each, correct.NothingLeft) for each in results) == 7
    assert queries.credited(invoice) == 6_050
    assert NumberSeries.objects.get(kind="credit_note").next == 2


@pytest.mark.django_db(transaction=True)
def test_eight_who_credit_parts_at_once_never_give_back_more() -> None:
    """Six times 1,000 of 6,050; for two there are only 50 left. 6,000 hold 545 of the 550."""
    invoice = issued()

    results = at_once(*[lambda: credit(invoice, 1_000)] * 8)

    assert sum(isinstance(each, Invoice) for each in results) == 6
    assert sum(isinstance(each, correct.MoreThanLeft) for each in results) == 2
    assert amounts(credit(invoice)) == (45, 5, 50)
    assert sum(note.tax for note in queries.credit_notes_of(invoice)) == 550


@pytest.mark.django_db(transaction=True)
def test_one_operation_eight_times_at_once_is_one_note() -> None:
    invoice, operation = issued(), uuid4()

    results = at_once(*[lambda: credit(invoice, 1_000, operation=operation)] * 8)

    assert len({each.pk for each in results}) == 1
    assert queries.credited(invoice) == 1_000


@pytest.mark.django_db(transaction=True)
def test_a_credit_beside_the_month_end_disturbs_neither() -> None:
    version = books.starter()
    customers = [books.customer(version, calls=150_000) for _ in range(20)]
    books.bill()
    invoice = Invoice.objects.get(organisation=customers[7])
    later = NOW.replace(month=12)

    page, note, other = at_once(
        lambda: books.bill(OCTOBER.next, now=later),
        lambda: credit(invoice, 1_000),
        lambda: credit(invoice, 2_000),
    )

    assert page.invoiced == 20
    assert page.parked == 0
    assert {note.gross, other.gross} == {1_000, 2_000}
    assert BilledMonth.objects.filter(month=OCTOBER.next.first_day).count() == 20
    numbers = Invoice.objects.filter(kind="monthly").order_by("number")
    assert list(numbers.values_list("number", flat=True)) == list(range(1, 41))


@pytest.mark.django_db(transaction=True)
def test_a_crash_at_any_point_leaves_a_credit_note_complete_or_not_begun() -> None:
    invoice, operation = issued(), uuid4()
    entries = AuditEntry.objects.count()
    before_commit = 0

    for point in range(1, 200):
        assert crash_at(point, lambda: credit(invoice, 1_000, operation=operation))
        if Invoice.objects.filter(corrects=invoice).exists():
            break
        before_commit += 1
        assert AuditEntry.objects.count() == entries
        assert not NumberSeries.objects.filter(kind="credit_note").exists()

    # Before and after each of its statements, and before the commit.
    assert before_commit >= 31
    assert AuditEntry.objects.count() == entries + 1
    note = credit(invoice, 1_000, operation=operation)
    assert (note.number, queries.credited(invoice)) == (1, 1_000)


@pytest.mark.django_db
@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("rate", ["0", "0.08", "0.1", "0.2550"])
def test_the_database_finds_the_same_tax_within_a_gross(rounding: Rounding, rate: str) -> None:
    amounts = [*range(400), *range(10**15, 10**15 + 400)]

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT billing_tax_within(gross, %s, %s) FROM unnest(%s::numeric[]) gross",
            [Decimal(rate), rounding.value, amounts],
        )
        found = [int(tax) for (tax,) in cursor.fetchall()]

    assert found == [tax_within(gross, Decimal(rate), rounding) for gross in amounts]


# What the portal itself would never store, drawn up as rows.
REFUSED = "billing_invoice_credits_its_original"


def draw_up(invoice: Invoice, *, net: int, tax: int, **given: Any) -> None:
    """Store a credit note of one rate by hand, and what is wrong with it."""
    values = {"rate": "0.1", "code": "JP10", "corrects": invoice, "number": 1, **given}
    with transaction.atomic():
        InvoiceLine.objects.create(
            invoice_id=900,
            position=1,
            organisation_id=invoice.organisation_id,
            kind="credit",
            month=invoice.month,
            name_ja="返還",
            name_en="Credit",
            quantity=1,
            net=net,
            tax_code=values["code"],
            explanation={},
        )
        TaxSummary.objects.create(
            invoice_id=900,
            organisation_id=invoice.organisation_id,
            tax_code=values["code"],
            rate=values["rate"],
            net=net,
            tax=tax,
        )
        Invoice.objects.create(
            pk=900,
            organisation=values.get("organisation", invoice.organisation),
            kind=values.get("kind", "credit_note"),
            number=values["number"],
            month=values.get("month", invoice.month),
            issued_on=invoice.issued_on,
            issued_at=invoice.issued_at,
            due_on=invoice.issued_on,
            language=invoice.language,
            currency=values.get("currency", invoice.currency),
            net=net,
            tax=tax,
            gross=net + tax,
            tax_rounding=values.get("tax_rounding", invoice.tax_rounding),
            line_count=1,
            vendor=invoice.vendor,
            recipient=invoice.recipient,
            digest=b"",
            corrects=values["corrects"],
            operation=values.get("operation", uuid4()),
        )


def drop(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(statement)
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


@pytest.mark.django_db
@pytest.mark.unsound_books
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        pytest.param({"net": 909, "tax": 91}, "gives back more, or other tax", id="other tax"),
        pytest.param({"net": 6_000, "tax": 600}, "gives back more, or other tax", id="more"),
        pytest.param(
            {"net": 100, "tax": 8, "rate": "0.08", "code": "JP8R"},
            "gives back more, or other tax",
            id="a rate that was not billed",
        ),
        pytest.param(
            {"net": 910, "tax": 90, "currency": "USD"}, "no invoice like itself", id="currency"
        ),
        pytest.param(
            {"net": 910, "tax": 90, "month": OCTOBER.next.first_day},
            "no invoice like itself",
            id="month",
        ),
        pytest.param(
            {"net": 910, "tax": 90, "tax_rounding": "up"}, "no invoice like itself", id="rounding"
        ),
    ],
)
def test_a_credit_note_that_does_not_follow_its_invoice_is_refused(
    wrong: dict[str, Any], said: str
) -> None:
    invoice = issued()

    with pytest.raises(IntegrityError, match=said):
        draw_up(invoice, **wrong)
    assert Invoice.objects.count() == 1

    drop(f"DROP TRIGGER {REFUSED} ON billing_invoice")
    draw_up(invoice, **wrong)
    assert Invoice.objects.count() == 2


@pytest.mark.django_db
@pytest.mark.unsound_books
def test_a_credit_note_is_held_against_the_notes_before_it() -> None:
    """1,000 holds 90 as the first note, and 91 as the second."""
    invoice = issued()
    credit(invoice, 1_000)

    with pytest.raises(IntegrityError, match="other tax"):
        draw_up(invoice, net=910, tax=90, number=2)
    draw_up(invoice, net=909, tax=91, number=2)
    NumberSeries.objects.filter(kind="credit_note").update(next=3)

    assert queries.credited(invoice) == 2_000


@pytest.mark.django_db
@pytest.mark.unsound_books
@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"corrects": None}, id="a credit note of nothing"),
        pytest.param({"kind": "monthly", "number": 2}, id="an invoice that corrects"),
        pytest.param({"operation": None}, id="a credit note that nobody asked for"),
    ],
)
def test_a_credit_note_and_nothing_else_corrects(given: dict[str, Any]) -> None:
    invoice = issued()
    drop(f"DROP TRIGGER {REFUSED} ON billing_invoice")
    drop("DROP INDEX invoice_one_a_month")

    with pytest.raises(IntegrityError, match="invoice_corrects_iff_credit_note"):
        draw_up(invoice, net=910, tax=91, **given)

    drop("ALTER TABLE billing_invoice DROP CONSTRAINT invoice_corrects_iff_credit_note")
    draw_up(invoice, net=910, tax=91, **given)
    assert Invoice.objects.count() == 2


@pytest.mark.django_db
@pytest.mark.unsound_books
def test_an_operation_makes_one_document() -> None:
    invoice, operation = issued(), uuid4()
    credit(invoice, 1_000, operation=operation)

    with pytest.raises(IntegrityError, match="invoice_once_an_operation"):
        draw_up(invoice, net=909, tax=91, number=2, operation=operation)


@pytest.mark.django_db
@pytest.mark.unsound_books
def test_a_credit_note_belongs_to_the_organisation_of_its_invoice() -> None:
    invoice = issued()
    other = books.customer(None)
    drop(f"DROP TRIGGER {REFUSED} ON billing_invoice")

    with pytest.raises(IntegrityError, match="corrects_of_its_organisation"):
        draw_up(invoice, net=910, tax=90, organisation=other)

"""Credit notes are issued: each outcome, each refusal, twice, and side by side. Rule: B-11."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from accounts.models import Organisation
from billing import jobs
from billing.enums import InvoiceKind, LineKind
from billing.models import Invoice, NumberSeries
from billing.queries import credits as queries
from billing.rules import explanations
from billing.rules.explanations import LineBackWhy
from billing.services import correct
from core.models import AuditEntry, Work
from plans.models import Meter
from tests import make
from tests.billing import books
from tests.billing.books import NOW, OCTOBER
from usage.models import DailyUsage, UsageRevision

TODAY = date(2026, 11, 22)
STAFF = "user:7"


def credit(
    invoice: Invoice,
    gross: int | None = None,
    *,
    reason: str = "Outage on 5 October",
    operation: UUID | None = None,
    organisation: Organisation | None = None,
) -> Invoice:
    return correct.credit(
        organisation_id=organisation.pk if organisation else invoice.organisation_id,
        invoice_id=invoice.pk,
        gross=gross,
        reason=reason,
        actor=STAFF,
        operation=operation or uuid4(),
        now=NOW,
    )


def amounts(note: Invoice) -> tuple[int, int, int]:
    return note.net, note.tax, note.gross


@pytest.fixture
def invoice(db: None) -> Invoice:
    """5,000 for Starter and 500 for 50,000 calls: 5,500, 550 and 6,050."""
    books.customer(books.starter(), calls=150_000)
    books.bill()
    return Invoice.objects.get()


def test_credit_in_whole_gives_back_each_line(invoice: Invoice) -> None:
    note = credit(invoice)

    assert amounts(note) == (5_500, 550, 6_050)
    assert (note.kind, note.number, note.corrects) == (InvoiceKind.CREDIT_NOTE, 1, invoice)
    assert (note.month, note.issued_on, note.due_on) == (invoice.month, TODAY, TODAY)
    lines = note.lines.order_by("position")
    assert [(line.kind, line.name_en, line.net) for line in lines] == [
        (LineKind.CREDIT, "Starter 100", 5_000),
        (LineKind.CREDIT, "Api calls", 500),
    ]
    assert explanations.parse(lines[1].explanation) == LineBackWhy(2, "Outage on 5 October")


def test_credit_in_part_follows_the_tax_of_the_invoice(invoice: Invoice) -> None:
    """1,000 holds 90.9; 2,000 holds 181.8; the rest is what is left of 550."""
    notes = [credit(invoice, 1_000), credit(invoice, 1_000), credit(invoice)]

    assert [amounts(note) for note in notes] == [
        (910, 90, 1_000),
        (909, 91, 1_000),
        (3_681, 369, 4_050),
    ]
    assert [note.number for note in notes] == [1, 2, 3]
    assert queries.credited(invoice) == 6_050
    assert list(queries.credit_notes_of(invoice)) == notes


def test_credit_names_the_customer_as_it_is_and_keeps_the_rest_of_the_invoice(
    invoice: Invoice,
) -> None:
    organisation = invoice.organisation
    organisation.billing_name = "Aoba Holdings"
    organisation.language = "en"
    organisation.save(update_fields=["billing_name", "language"])
    newer = make.vendor(tax_rounding="up", number=2)

    note = credit(invoice, 1_000)

    assert note.recipient == {**invoice.recipient, "billing_name": "Aoba Holdings"}
    assert (note.vendor, note.language, note.tax_rounding) == (newer, "ja", "down")
    assert amounts(note) == (910, 90, 1_000)


def test_credit_leaves_the_invoice_as_it_is(invoice: Invoice) -> None:
    before = Invoice.objects.filter(pk=invoice.pk).values().get()

    credit(invoice, 1_000)

    assert Invoice.objects.filter(pk=invoice.pk).values().get() == before


def test_credit_writes_who_and_why_and_asks_for_its_document(invoice: Invoice) -> None:
    note = credit(invoice, 1_000, reason="  Outage\non 5 October ")

    entry = AuditEntry.objects.filter(chain=invoice.organisation_id).latest("seq")
    assert (entry.actor, entry.action, entry.subject) == (
        STAFF,
        "credit_note.issued",
        f"invoice:{note.pk}",
    )
    assert entry.details == {
        "corrects": invoice.pk,
        "currency": "JPY",
        "gross": 1_000,
        "reason": "Outage on 5 October",
    }
    work = Work.objects.get(kind=jobs.MAKE_DOCUMENTS.kind, key=f"{jobs.ALONE}{note.pk}")
    assert work.payload == {"invoice_ids": [note.pk]}


def test_credit_of_the_same_operation_is_the_same_note(invoice: Invoice) -> None:
    operation = uuid4()
    first = credit(invoice, 1_000, operation=operation)
    credit(invoice, 1_000)

    assert credit(invoice, 1_000, operation=operation) == first
    assert queries.credited(invoice) == 2_000


def test_credit_of_the_rest_asked_for_twice_is_the_same_note(invoice: Invoice) -> None:
    operation = uuid4()
    credit(invoice, 1_000)
    first = credit(invoice, operation=operation)

    assert credit(invoice, operation=operation) == first
    assert credit(invoice, 5_050, operation=operation) == first


@pytest.mark.parametrize(
    "again",
    [
        pytest.param({"gross": 1_001}, id="another amount"),
        pytest.param({"gross": None}, id="the whole"),
        pytest.param({"gross": 1_000, "reason": "Goodwill"}, id="another reason"),
    ],
)
def test_credit_refuses_an_operation_that_made_another_note(
    invoice: Invoice, again: dict[str, Any]
) -> None:
    operation = uuid4()
    credit(invoice, 1_000, operation=operation)

    with pytest.raises(correct.OperationTaken):
        credit(invoice, operation=operation, **again)

    assert queries.credited(invoice) == 1_000


def test_credit_refuses_an_operation_of_another_invoice(invoice: Invoice) -> None:
    operation = uuid4()
    credit(invoice, operation=operation)
    books.customer(invoice.lines.all()[0].plan_version)
    books.bill()
    other = Invoice.objects.exclude(organisation=invoice.organisation).get()

    with pytest.raises(correct.OperationTaken):
        credit(other, operation=operation)

    assert queries.credited(other) == 0


@pytest.mark.parametrize(
    ("gross", "refusal"),
    [
        pytest.param(6_051, correct.MoreThanLeft, id="more than was billed"),
        pytest.param(0, correct.NotAnAmount, id="nothing"),
        pytest.param(-1, correct.NotAnAmount, id="less than nothing"),
    ],
)
def test_credit_refuses_an_amount_and_burns_no_number(
    invoice: Invoice, gross: int, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        credit(invoice, gross)

    assert Invoice.objects.count() == 1
    assert not NumberSeries.objects.filter(kind=InvoiceKind.CREDIT_NOTE).exists()


def test_credit_refuses_when_nothing_is_left(invoice: Invoice) -> None:
    credit(invoice)

    with pytest.raises(correct.NothingLeft):
        credit(invoice)
    with pytest.raises(correct.NothingLeft):
        credit(invoice, 1)

    assert Invoice.objects.count() == 2


def test_credit_refuses_a_credit_note(invoice: Invoice) -> None:
    with pytest.raises(correct.NotCreditable):
        credit(credit(invoice))


def test_credit_refuses_an_invoice_of_nothing(invoice: Invoice) -> None:
    """50,000 calls of October, 500 yen, did not happen; November costs the 500 of Cheap."""
    cheap = make.plan_version("cheap", prices={"JPY": 500})
    calls = Meter.objects.get(code="api_calls")
    make.meter_price(cheap, calls, included=100_000, tiers=[(None, "0.01")])
    customer = books.customer(cheap, calls=150_000)
    books.bill()
    DailyUsage.objects.filter(organisation=customer).update(quantity=100_000)
    UsageRevision.objects.create(organisation=customer, month=OCTOBER.first_day, revision=1)
    books.bill(OCTOBER.next, now=NOW + timedelta(days=20))
    nothing = Invoice.objects.get(organisation=customer, month=OCTOBER.next.first_day)
    assert (nothing.line_count, nothing.gross) == (3, 0)

    with pytest.raises(correct.NotCreditable):
        credit(nothing)


@pytest.mark.parametrize("reason", ["", " \n"])
def test_credit_refuses_to_say_nothing(invoice: Invoice, reason: str) -> None:
    with pytest.raises(correct.ReasonMissing):
        credit(invoice, reason=reason)

    assert Invoice.objects.count() == 1


def test_credit_finds_no_other_organisations_invoice(invoice: Invoice) -> None:
    with pytest.raises(Invoice.DoesNotExist):
        credit(invoice, organisation=make.organisation())

    assert Invoice.objects.count() == 1

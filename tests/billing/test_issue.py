from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.enums import MonthOutcome, ParkReason
from billing.models import (
    BilledMonth,
    Invoice,
    InvoiceLine,
    NumberSeries,
    ParkedOrganisation,
    TaxSummary,
)
from billing.services import issue, park
from billing.services.issue import Outcome
from core.models import AuditEntry, Work
from core.months import BillingMonth
from tests import make
from tests.billing import books
from tests.billing.books import NOW, OCTOBER

WRITTEN = (
    "billing_invoice",
    "billing_invoiceline",
    "billing_taxsummary",
    "billing_billedmonth",
    "billing_numberseries",
    "billing_ratedrevision",
    "billing_parkedorganisation",
    "core_auditentry",
    "core_work",
)

pytestmark = pytest.mark.django_db


def test_bill_page_issues_an_invoice_that_says_all_it_was_made_from() -> None:
    version = books.starter()
    organisation = books.customer(version, calls=Decimal("120000.5"))

    outcome = books.bill()

    # 120,000.5 calls, 100,000 included, 0.01 each: 200.005, so 200 (B-04); 10 % of 5,200.
    assert outcome == Outcome(invoiced=1)
    invoice = Invoice.objects.get()
    assert (invoice.organisation_id, invoice.number, invoice.kind) == (
        organisation.pk,
        1,
        "monthly",
    )
    assert (invoice.net, invoice.tax, invoice.gross) == (5_200, 520, 5_720)
    assert (invoice.month, invoice.issued_on) == (date(2026, 10, 1), date(2026, 11, 22))
    assert (invoice.due_on, invoice.issued_at) == (date(2026, 12, 6), NOW)
    assert invoice.recipient == {
        "reference": organisation.reference,
        "billing_name": "Aoba Devices",
        "billing_postal_code": "980-0811",
        "billing_address": "宮城県仙台市青葉区一番町1-2-3",
        "country": "JP",
        "payment_terms": "none",
    }
    lines = InvoiceLine.objects.order_by("position")
    assert [(line.position, line.kind, line.quantity, line.net) for line in lines] == [
        (1, "fee", 1, 5_000),
        (2, "usage", Decimal("120000.5"), 200),
    ]
    tax = TaxSummary.objects.get()
    assert (tax.tax_code, tax.rate, tax.net, tax.tax) == ("JP10", Decimal("0.1"), 5_200, 520)
    month = BilledMonth.objects.get()
    assert (month.outcome, month.invoice_id) == (MonthOutcome.INVOICED, invoice.pk)
    assert month.facts["used"] == {"api_calls": "120000.5"}


def test_bill_page_dates_an_invoice_by_the_day_in_the_billing_time_zone() -> None:
    books.customer(books.starter())

    books.bill(now=datetime(2026, 11, 22, 15, 0, tzinfo=UTC))

    assert Invoice.objects.get().issued_on == date(2026, 11, 23)


def test_bill_page_keeps_a_record_and_no_invoice_where_nothing_is_to_bill() -> None:
    books.starter()
    organisation = books.customer(None)

    outcome = books.bill()

    assert outcome == Outcome(nothing=1)
    month = BilledMonth.objects.get()
    assert (month.organisation_id, month.outcome, month.invoice_id) == (
        organisation.pk,
        MonthOutcome.NOTHING,
        None,
    )
    assert not Invoice.objects.exists()
    assert not NumberSeries.objects.exists()


def test_bill_page_run_twice_writes_nothing_and_burns_no_number() -> None:
    version = books.starter()
    for _ in range(3):
        books.customer(version)
    books.bill()
    before = books.rows_of(WRITTEN)

    again = books.bill()

    assert again == Outcome()
    assert books.rows_of(WRITTEN) == before
    assert NumberSeries.objects.get().next == 4
    assert books.numbers() == [1, 2, 3]


def test_bill_page_writes_one_audit_entry_for_each_organisation_in_its_chain() -> None:
    organisation = books.customer(books.starter())

    books.bill()

    invoice = Invoice.objects.get()
    created, issued = AuditEntry.objects.filter(chain=organisation.pk).order_by("seq")
    assert (issued.seq, issued.action, issued.subject) == (
        2,
        "invoice.issued",
        f"invoice:{invoice.pk}",
    )
    assert issued.details == {"month": "2026-10", "currency": "JPY", "gross": 5_500}
    assert bytes(issued.prev) == bytes(created.digest)


def test_bill_page_asks_for_the_documents_ten_at_a_time() -> None:
    version = books.starter()
    for _ in range(11):
        books.customer(version)

    books.bill()

    ids = list(Invoice.objects.order_by("pk").values_list("pk", flat=True))
    asked = Work.objects.filter(kind="billing.make_documents").order_by("pk")
    assert [work.payload for work in asked] == [
        {"invoice_ids": ids[:10]},
        {"invoice_ids": ids[10:]},
    ]
    assert {work.queue for work in asked} == {"pdf"}


@pytest.mark.parametrize(
    ("since", "closed_on", "billed"),
    [
        pytest.param(date(2026, 10, 1), None, True, id="from the first day of the month"),
        pytest.param(date(2026, 10, 31), None, True, id="from its last day"),
        pytest.param(date(2026, 11, 1), None, False, id="from the month after"),
        pytest.param(date(2026, 9, 30), None, False, id="an earlier month is not billed yet"),
        pytest.param(date(2026, 10, 1), date(2026, 10, 2), True, id="closed within the month"),
    ],
)
def test_bill_page_bills_who_was_a_customer_and_is_owed_no_earlier_month(
    since: date, closed_on: date | None, billed: bool
) -> None:
    organisation = books.customer(books.starter(), since=since)
    organisation.closed_on = closed_on
    organisation.save()

    books.bill()

    assert BilledMonth.objects.exists() is billed


def test_bill_page_bills_no_month_after_the_last_one() -> None:
    organisation = books.customer(books.starter())
    books.bill()
    organisation.closed_on = date(2026, 11, 1)
    organisation.save()

    outcome = books.bill(OCTOBER.next, now=datetime(2026, 12, 5, tzinfo=UTC))

    assert outcome == Outcome()


def test_bill_page_asks_the_same_number_of_statements_for_one_and_for_thirty() -> None:
    version = books.starter()
    books.customer(version, calls=5)
    books.bill()
    counts = []
    for customers in (1, 30):
        for _ in range(customers):
            books.customer(version, calls=5)
        with CaptureQueriesContext(connection) as captured:
            books.bill()
        counts.append(len(captured))

    # Vendor; savepoint, lock, customers, six of the facts, ids, four COPYs, work, numbers, the
    # invoices' COPY, release.
    assert counts == [20, 20]


def test_one_organisation_with_corrupt_data_is_parked_and_the_others_are_billed() -> None:
    version = books.starter()
    unpriced = make.plan_version("unpriced", prices={"USD": 5_000})
    good = [books.customer(version) for _ in range(7)]
    bad = books.customer(unpriced)
    good += [books.customer(version) for _ in range(6)]

    outcome = books.bill()

    assert outcome == Outcome(invoiced=13, parked=1)
    assert books.numbers() == list(range(1, 14))
    parked = ParkedOrganisation.objects.get()
    assert (parked.organisation_id, parked.reason) == (bad.pk, ParkReason.FAILED)
    assert parked.detail.startswith("NotPriced(")
    assert parked.owner
    billed = set(BilledMonth.objects.values_list("organisation_id", flat=True))
    assert billed == {organisation.pk for organisation in good}


def test_a_parked_organisation_is_left_alone_until_it_is_released() -> None:
    unpriced = make.plan_version("unpriced", prices={"USD": 5_000})
    books.starter()
    bad = books.customer(unpriced)
    books.bill()
    bad.currency = "USD"
    bad.save()

    untouched = books.bill()
    park.release(organisation_id=bad.pk, actor="user:1", reason="Pays in dollars", now=NOW)
    billed = books.bill()

    assert untouched == Outcome()
    assert billed == Outcome(invoiced=1)
    assert books.grosses(bad) == [("2026-10", 5_500)]


def test_what_cannot_be_stored_is_parked_alone() -> None:
    version = books.starter()
    good = books.customer(version)
    bad = books.customer(version, calls=Decimal(10) ** 23)

    outcome = books.bill()

    assert outcome == Outcome(invoiced=1, parked=1)
    assert books.grosses(good) == [("2026-10", 5_500)]
    assert ParkedOrganisation.objects.get().organisation_id == bad.pk


def test_a_bill_far_above_the_usual_waits_until_staff_let_it_pass() -> None:
    version = books.starter()
    organisation = books.customer(version, since=date(2026, 7, 1))
    for month in (7, 8, 9):
        books.bill(BillingMonth(2026, month))
    # 11,500,001 calls over cost 115,000; three months at 5,500 make twenty times 110,000.
    books.use(organisation, date(2026, 10, 5), 11_600_001)

    held = books.bill()
    park.release(organisation_id=organisation.pk, actor="user:1", reason="They asked", now=NOW)
    passed = books.bill()

    assert held == Outcome(parked=1)
    assert ParkedOrganisation.objects.get().reason == ParkReason.FAR_ABOVE_USUAL
    assert passed == Outcome(invoiced=1)
    assert books.grosses(organisation)[-1] == ("2026-10", 132_000)


def test_release_needs_a_reason_and_something_parked() -> None:
    organisation = books.customer(books.starter())

    with pytest.raises(park.NothingParked):
        park.release(organisation_id=organisation.pk, actor="user:1", reason="So", now=NOW)
    with pytest.raises(park.ReasonMissing):
        park.release(organisation_id=organisation.pk, actor="user:1", reason="  ", now=NOW)


def test_a_fault_that_is_nobodys_data_parks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issue, "_FEW", 2)
    unpriced = make.plan_version("unpriced", prices={"USD": 5_000})
    books.starter()
    for _ in range(4):
        books.customer(unpriced)

    with pytest.raises(issue.TooManyFail):
        books.bill()

    assert not ParkedOrganisation.objects.exists()

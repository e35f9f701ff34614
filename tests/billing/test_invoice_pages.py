import csv
import io
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.enums import Language, Role
from accounts.models import Organisation
from billing.enums import DocumentState
from billing.models import Invoice, InvoiceDocument, InvoiceLine
from billing.queries import invoices as queries
from billing.queries import lines
from billing.rules import rating
from billing.services import documents
from core import clock, work
from core.models import Work
from plans.enums import Aggregation
from tests import make
from tests.billing import kernel, paper
from usage.models import DailyUsage

# These papers are made by hand: no month stands behind them.
pytestmark = pytest.mark.unsound_books

NOW = make.NOW
PAGES_OF_AN_INVOICE = ("invoice", "invoice_csv", "invoice_document", "invoice_pdf")
PAGES_OF_A_LINE = ("invoice_line", "invoice_tiers_csv", "invoice_days_csv")
PAGES_OF_A_DAY = ("invoice_day", "invoice_day_csv")


@pytest.fixture(autouse=True)
def _vendor(db: None) -> None:
    make.vendor()


@pytest.fixture
def organisation() -> Organisation:
    return make.organisation(language=Language.EN)


@pytest.fixture
def root(client: Client, organisation: Organisation) -> Client:
    client.force_login(make.member(organisation).user)
    client.cookies["django_language"] = "en"
    return client


def address(
    name: str, organisation: Organisation, invoice: Invoice | None = None, **more: object
) -> str:
    kwargs: dict[str, object] = {"organisation": organisation.public_id, **more}
    if invoice:
        kwargs["invoice"] = invoice.public_id
    return reverse(name, kwargs=kwargs)


def addresses(organisation: Organisation, invoice: Invoice) -> list[str]:
    """Every page of an invoice; its third line is of usage."""
    return [
        address("invoices", organisation),
        *(address(name, organisation, invoice) for name in PAGES_OF_AN_INVOICE),
        *(address(name, organisation, invoice, position=3) for name in PAGES_OF_A_LINE),
        *(
            address(name, organisation, invoice, position=3, day="2026-10-03")
            for name in PAGES_OF_A_DAY
        ),
    ]


def content_of(response: object) -> bytes:
    assert isinstance(response, HttpResponse | StreamingHttpResponse)
    return response.getvalue()


def body(response: object) -> str:
    """Return what a reader reads, with single blanks."""
    return " ".join(content_of(response).decode().split())


def rows_of(response: object) -> list[list[str]]:
    text = content_of(response).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


def test_every_page_opens_to_the_root_alone(client: Client, organisation: Organisation) -> None:
    root = make.member(organisation)
    manager = make.member(organisation, role=Role.MANAGER)
    member = make.member(organisation, role=Role.MEMBER)
    invoice = paper.invoice(organisation)

    for person, allowed in ((root, {200, 302}), (manager, {403}), (member, {403})):
        client.force_login(person.user)
        for page in addresses(organisation, invoice):
            assert client.get(page).status_code in allowed, page
    assert client.post(address("invoice_document", organisation, invoice)).status_code == 403
    client.logout()
    for page in addresses(organisation, invoice):
        assert client.get(page).status_code == 302
        assert client.get(page)["Location"].startswith("/account/login/")


def test_another_organisations_invoice_is_not_there(
    root: Client, organisation: Organisation
) -> None:
    foreign = make.organisation()
    theirs = paper.invoice(foreign)

    for page in addresses(organisation, theirs)[1:]:
        assert root.get(page).status_code == 404, page
    for page in addresses(foreign, theirs):
        assert root.get(page).status_code == 404, page
    assert root.post(address("invoice_document", organisation, theirs)).status_code == 404
    assert not Work.objects.exists()


def test_what_does_not_exist_is_not_there(root: Client, organisation: Organisation) -> None:
    invoice = paper.invoice(organisation)
    unknown = uuid.UUID(int=1)

    for page in (
        reverse("invoice", kwargs={"organisation": organisation.public_id, "invoice": unknown}),
        address("invoice_line", organisation, invoice, position=9),
        address("invoice_tiers_csv", organisation, invoice, position=1),
        address("invoice_days_csv", organisation, invoice, position=1),
        address("invoice_day", organisation, invoice, position=1, day="2026-10-01"),
        address("invoice_day", organisation, invoice, position=3, day="2026-09-30"),
        address("invoice_day", organisation, invoice, position=3, day="2026-11-01"),
        address("invoice_day", organisation, invoice, position=3, day="2026-10-32"),
        address("invoice_day", organisation, invoice, position=3, day="20261001"),
    ):
        assert root.get(page).status_code == 404, page


@pytest.mark.django_db(transaction=True)
def test_pdf_is_a_file_with_a_japanese_name_that_runs_nothing(root: Client) -> None:
    organisation = make.organisation()
    root.force_login(make.member(organisation).user)
    invoice = paper.invoice(organisation)
    made = documents.make_document(invoice_id=invoice.pk, now=NOW)

    response = root.get(address("invoice_pdf", organisation, invoice))

    assert response.content == bytes(made.pdf)
    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Disposition"] == (
        "attachment; filename*=utf-8''%E8%AB%8B%E6%B1%82%E6%9B%B8_KC-00000001.pdf"
    )
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert response["Cache-Control"] == "no-store, private"
    assert response["X-Content-Type-Options"] == "nosniff"


def test_pdf_that_is_not_made_leads_to_the_page_that_says_so(
    root: Client, organisation: Organisation
) -> None:
    invoice = paper.invoice(organisation)

    response = root.get(address("invoice_pdf", organisation, invoice), follow=True)

    assert response.redirect_chain == [(address("invoice_document", organisation, invoice), 302)]
    assert "Make the PDF now" in body(response)
    assert not Work.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_pdf_is_asked_for_once_and_the_page_sees_it_through(
    root: Client, organisation: Organisation
) -> None:
    invoice = paper.invoice(organisation)
    page = address("invoice_document", organisation, invoice)

    asked = [root.post(page) for _ in range(2)]
    waiting = root.get(page)
    fragment = root.get(page, headers={"HX-Request": "true"})
    with clock.fixed_at(clock.now() + timedelta(seconds=1)):
        work.run_due([work.PDF_QUEUE])
    made = root.get(page)

    assert [response["Location"] for response in asked] == [page, page]
    assert Work.objects.filter(kind="billing.make_documents").count() == 1
    assert "The PDF is being made." in body(waiting)
    assert "Look again" in body(waiting)
    assert body(fragment).startswith('<div class="actions" id="document"')
    assert "Download invoice KC-00000001 as PDF" in body(made)
    assert "every 2s" not in body(made)
    assert InvoiceDocument.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_pdf_that_cannot_be_made_is_said_so(root: Client) -> None:
    organisation = make.organisation(name="\U0010fffd", language=Language.EN)
    root.force_login(make.member(organisation).user)
    invoice = paper.invoice(organisation)
    page = address("invoice_document", organisation, invoice)
    root.post(page)
    with clock.fixed_at(clock.now() + timedelta(seconds=1)):
        work.run_due([work.PDF_QUEUE])

    assert queries.document_state(invoice) == DocumentState.STUCK
    assert "The PDF could not be made." in body(root.get(page))
    assert root.post(page).status_code == 302
    assert queries.document_state(invoice) == DocumentState.STUCK


def test_line_of_usage_explains_its_amount_to_the_printed_yen(
    root: Client, organisation: Organisation
) -> None:
    invoice = paper.invoice(organisation)

    response = root.get(address("invoice_line", organisation, invoice, position=3))

    page = body(response)
    for part in (
        "120,000.5",
        "above 0, up to 10,000",
        "× ¥0.01",
        "¥100",
        "above 10,000",
        "× ¥0.004",
        "¥40.002",
        "¥140.002",
        "Rounded down once",
        "The month is the sum of its days.",
        "Days are days in Asia/Tokyo.",
    ):
        assert part in page
    why = response.context["line"].why
    assert sum((tier.amount for tier in why.tiers), Decimal(0)) == why.exact == Decimal("140.002")
    assert int(why.exact) == InvoiceLine.objects.get(invoice=invoice, position=3).net == 140


def test_line_of_a_fee_explains_steps_and_day(root: Client, organisation: Organisation) -> None:
    invoice = paper.invoice(organisation)

    page = body(root.get(address("invoice_line", organisation, invoice, position=1)))

    assert "× 2" in page
    assert "¥10,000" in page
    assert "the plan in force when the month begins: 1 October 2026, 0:00" in page
    assert "Days are days" not in page


def test_line_names_the_version_and_since_when(root: Client, organisation: Organisation) -> None:
    version = make.plan_version()
    make.selection(organisation, version, datetime(2026, 3, 31, 15, tzinfo=UTC))
    terms = kernel.terms(5_000, kernel.calls(), version_id=version.pk)
    bill = rating.rate(kernel.facts(licence=terms, used={"calls": Decimal(1)}))
    invoice = paper.invoice(organisation, bill, with_versions=True)

    page = body(root.get(address("invoice_line", organisation, invoice, position=2)))

    assert "Prices of Starter, version 1, on sale from 1 January 2020" in page
    assert "Yours since 1 April 2026, 00:00 JST" in page
    assert "The usage stays within what the plan includes" in page


def test_lines_of_an_adjustment_and_its_credit_are_explained(
    root: Client, organisation: Organisation
) -> None:
    licence = kernel.terms(100, kernel.calls())
    late = kernel.late(
        licence=licence,
        used={"calls": Decimal("120003.5")},
        rated={"calls": Decimal(100_000)},
        billed={"calls": 0},
    )
    invoice = paper.invoice(organisation, rating.rate(kernel.facts(licence=licence, late=(late,))))

    page = body(root.get(address("invoice_line", organisation, invoice, position=3)))

    assert "Adjustment for September 2026" in page
    assert "As billed before" in page
    assert "120,003.5" in page
    assert "¥140.014" in page


def test_days_of_a_line_stand_under_it_and_as_csv(root: Client, organisation: Organisation) -> None:
    invoice = paper.invoice(organisation)
    for day, used in ((1, "100000"), (31, "20000.5")):
        DailyUsage.objects.create(
            organisation=organisation,
            day=date(2026, 10, day),
            meter_id=kernel.CALLS.id,
            quantity=Decimal(used),
            events=day,
        )

    page = root.get(address("invoice_line", organisation, invoice, position=3))
    table = rows_of(root.get(address("invoice_days_csv", organisation, invoice, position=3)))

    assert page.context["days"].total == Decimal("120000.5")
    assert not page.context["days"].differs
    assert "days/2026-10-31/" in body(page)
    assert "days/2026-10-02/" not in body(page)
    assert table[0] == ["Day", "Used", "Events"]
    assert table[1] == ["2026-10-01", "100000", "1"]
    assert len(table) == 32
    assert sum(Decimal(row[1]) for row in table[1:]) == Decimal("120000.5")


def test_days_that_no_longer_make_the_line_are_pointed_out(
    root: Client, organisation: Organisation
) -> None:
    invoice = paper.invoice(organisation)
    DailyUsage.objects.create(
        organisation=organisation,
        day=date(2026, 10, 1),
        meter_id=kernel.CALLS.id,
        quantity=Decimal("120000.6"),
        events=1,
    )

    page = body(root.get(address("invoice_line", organisation, invoice, position=3)))

    assert "More usage has come in since this line was computed." in page


@pytest.mark.parametrize(
    ("aggregation", "total"),
    [(Aggregation.SUM, "9"), (Aggregation.MAX, "5"), (Aggregation.LAST, "1")],
)
def test_month_total_is_what_the_meter_makes_of_its_days(
    aggregation: Aggregation, total: str
) -> None:
    days = [Decimal(3), Decimal(5), Decimal(1)]

    assert lines.month_total(aggregation, days) == Decimal(total)
    assert lines.month_total(aggregation, []) == 0


def test_computation_can_be_saved_as_csv(root: Client, organisation: Organisation) -> None:
    invoice = paper.invoice(organisation)

    lines = rows_of(root.get(address("invoice_csv", organisation, invoice)))
    tiers = rows_of(root.get(address("invoice_tiers_csv", organisation, invoice, position=3)))

    assert lines[1:] == [
        ["Starter 200", "2", "", "10000", "JP10"],
        ["Silver", "1", "", "105", "JP10"],
        ["Calls", "120000.5", "calls", "140", "JP10"],
    ]
    assert tiers[1:] == [
        ["0", "10000", "10000", "0.01", "100"],
        ["10000", "", "10000.5", "0.004", "40.002"],
    ]
    assert sum(Decimal(row[4]) for row in tiers[1:]) == Decimal("140.002")


def test_the_csv_of_an_invoice_holds_also_a_meter_that_was_not_used(
    root: Client, organisation: Organisation
) -> None:
    invoice = paper.invoice(organisation, paper.bill(used="0"))

    lines = rows_of(root.get(address("invoice_csv", organisation, invoice)))

    assert lines[3] == ["Calls", "0", "calls", "0", "JP10"]


@pytest.mark.django_db(transaction=True)
def test_stored_pdf_is_handed_out_with_three_statements(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    organisation = make.organisation()
    client.force_login(make.member(organisation).user)
    invoice = paper.invoice(organisation)
    documents.make_document(invoice_id=invoice.pk, now=NOW)
    page = address("invoice_pdf", organisation, invoice)
    client.get(page)

    with django_assert_num_queries(4):
        client.get(page)

"""The list of invoices and credit notes, and an invoice's page. Rule: design.md 7, japan.md."""

from datetime import date
from decimal import Decimal

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.enums import Language
from accounts.models import Organisation
from billing.models import Invoice
from billing.rules import rating
from billing.rules.facts import Bill
from core.months import BillingMonth
from tests import make
from tests.billing import kernel, paper

# These papers are made by hand: no month stands behind them.
pytestmark = pytest.mark.unsound_books


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


def body(response: object) -> str:
    """Return what a reader reads, with single blanks."""
    assert isinstance(response, HttpResponse)
    return " ".join(response.getvalue().decode().split())


def address(
    name: str, organisation: Organisation, invoice: Invoice | None = None, **more: object
) -> str:
    kwargs: dict[str, object] = {"organisation": organisation.public_id, **more}
    if invoice:
        kwargs["invoice"] = invoice.public_id
    return reverse(name, kwargs=kwargs)


def test_list_is_empty_with_a_way_on(root: Client, organisation: Organisation) -> None:
    page = body(root.get(address("invoices", organisation)))

    assert "No invoice yet" in page
    assert reverse("usage", kwargs={"organisation": organisation.public_id}) in page


def test_list_shows_invoices_with_their_sum(root: Client, organisation: Organisation) -> None:
    paper.invoice(organisation)
    paper.invoice(make.organisation())

    page = body(root.get(address("invoices", organisation)))

    assert "KC-00000001" in page
    assert "KC-00000002" not in page
    assert "October 2026" in page
    assert "1 document found, in total" in page
    assert page.count("¥11,269") == 2


@pytest.mark.parametrize("invoices", [1, 3])
def test_list_asks_the_same_few_statements(
    root: Client,
    organisation: Organisation,
    invoices: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(invoices):
        paper.invoice(organisation, month_of(9 - number))
    root.get(address("invoices", organisation))

    with django_assert_num_queries(8):
        root.get(address("invoices", organisation))


def month_of(month: int, used: str = "0") -> Bill:
    """5,000 plus what is used over 100,000 at 0.01, and 10 %."""
    return rating.rate(
        kernel.facts(
            licence=kernel.terms(5_000, kernel.calls(kernel.FLAT)),
            used={"calls": Decimal(used)},
            month=BillingMonth(2026, month),
        )
    )


def issued_each_month(organisation: Organisation) -> None:
    """KC-1 of July 5,500 on 1 Aug; KC-2 of August 6,600 on 1 Sep; KC-3 of September 7,700 on 1 Oct."""
    for month, used in ((7, "0"), (8, "200000"), (9, "300000")):
        paper.invoice(organisation, month_of(month, used), issued_on=date(2026, month + 1, 1))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [3, 2, 1]),
        ({"issued_from": "2026-09-01"}, [3, 2]),
        ({"issued_to": "2026-09-01"}, [2, 1]),
        ({"issued_from": "2026-08-02", "issued_to": "2026-09-30"}, [2]),
        ({"gross_from": "6600"}, [3, 2]),
        ({"gross_to": "6599"}, [1]),
        ({"gross_from": "5500", "gross_to": "6600"}, [2, 1]),
        ({"number": "KC-00000002"}, [2]),
        ({"number": "3"}, [3]),
        ({"issued_from": "2026-09-01", "gross_to": "7000"}, [2]),
        ({"issued_to": "2026-09-30", "gross_from": "7000"}, []),
        ({"issued_from": "2026-08-01", "gross_from": "1", "number": "1"}, [1]),
        ({"number": "99"}, []),
    ],
)
def test_search_finds_by_each_condition_and_by_all_together(
    root: Client, organisation: Organisation, query: dict[str, str], found: list[int]
) -> None:
    issued_each_month(organisation)

    response = root.get(address("invoices", organisation), query)

    assert [row.invoice.number for row in response.context["rows"]] == found
    assert sum(total.count for total in response.context["totals"]) == len(found)


def test_search_that_finds_nothing_says_what_to_do(
    root: Client, organisation: Organisation
) -> None:
    issued_each_month(organisation)

    assert "No document fits" in body(root.get(address("invoices", organisation), {"number": "99"}))


@pytest.mark.parametrize(
    ("query", "error"),
    [
        (
            {"number": "abc"},
            "An invoice number looks like KC-00000012 or KC-SP-00000012, a credit note",
        ),
        ({"gross_from": "1.5"}, "This currency has fewer decimals."),
        ({"gross_from": "999999999999999999999"}, "Ensure that there are no more than 18 digits"),
        ({"issued_from": "2026-13-01"}, "Enter a valid date."),
        (
            {"issued_from": "2026-09-02", "issued_to": "2026-09-01"},
            "The end lies before the beginning.",
        ),
        ({"gross_from": "2", "gross_to": "1"}, "The end lies before the beginning."),
    ],
)
def test_search_refuses_what_it_cannot_read(
    root: Client, organisation: Organisation, query: dict[str, str], error: str
) -> None:
    issued_each_month(organisation)

    response = root.get(address("invoices", organisation), query)

    assert response.status_code == 200
    assert error in body(response)
    assert response.context["rows"] == []


def test_search_amounts_are_in_the_currency_of_the_organisation(client: Client) -> None:
    abroad = make.organisation(country="DE", currency="USD")
    client.force_login(make.member(abroad).user)
    paper.invoice(abroad)  # $102.45

    found = client.get(address("invoices", abroad), {"gross_from": "102.45", "gross_to": "102.45"})
    missed = client.get(address("invoices", abroad), {"gross_from": "102.46"})

    assert (len(found.context["rows"]), len(missed.context["rows"])) == (1, 0)


def test_list_is_paged_and_keeps_the_search(root: Client, organisation: Organisation) -> None:
    for month in range(1, 10):
        for year in range(2020, 2026):
            bill = rating.rate(
                kernel.facts(licence=kernel.terms(5_000), month=BillingMonth(year, month))
            )
            paper.invoice(organisation, bill)

    first = root.get(address("invoices", organisation), {"gross_from": "1"})
    second = root.get(address("invoices", organisation), {"gross_from": "1", "page": "2"})

    assert (len(first.context["rows"]), len(second.context["rows"])) == (50, 4)
    assert "gross_from=1&amp;page=2" in body(first)
    assert "54 documents found, in total" in body(second)


def test_invoice_opens_with_what_is_owed_and_adds_up(
    root: Client, organisation: Organisation
) -> None:
    page = body(root.get(address("invoice", organisation, paper.invoice(organisation))))

    assert page.index("¥11,269") < page.index("Due by 15 November 2026") < page.index("Starter 200")
    for part in (
        "for October 2026, issued on 1 November 2026",
        "Monthly fee ¥5,000 × 2",
        "¥10,000",
        "¥105",
        "20,000.5 over the 100,000 included",
        "¥140",
        "Consumption tax 10%: on ¥10,245",
        "¥1,024",
    ):
        assert part in page


def test_invoice_is_read_in_the_language_of_the_reader(
    root: Client, organisation: Organisation
) -> None:
    invoice = paper.invoice(organisation)
    root.cookies["django_language"] = "ja"

    page = body(root.get(address("invoice", organisation, invoice)))

    assert "スターター 200" in page
    assert "月額 ¥5,000 × 2口" in page


@pytest.mark.parametrize("usage_lines", [1, 3])
def test_invoice_asks_the_same_few_statements(
    root: Client,
    organisation: Organisation,
    usage_lines: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    meters = tuple(kernel.meter(f"m{each}", meter_id=each) for each in range(1, usage_lines + 1))
    bill = rating.rate(
        kernel.facts(
            licence=kernel.terms(5_000),
            meters=meters,
            used={meter.code: Decimal(1) for meter in meters},
        )
    )
    invoice = paper.invoice(organisation, bill)
    root.get(address("invoice", organisation, invoice))

    with django_assert_num_queries(11):
        root.get(address("invoice", organisation, invoice))

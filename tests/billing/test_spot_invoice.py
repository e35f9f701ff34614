"""The own invoice of a paid spot order: domain.md 3.3 to the yen, once, numbered by itself. Rule: B-13."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection

from accounts.enums import PaymentTerms
from billing import jobs
from billing.enums import InvoiceKind, LineKind
from billing.models import BilledMonth, Invoice, NumberSeries
from billing.queries.invoices import number_of
from billing.rules import explanations
from billing.rules.explanations import SpotWhy
from billing.services import spot as services
from core.models import AuditEntry, Work
from core.months import BillingMonth
from spot_orders import services as orders
from spot_orders.models import SpotOrder
from tests import make
from tests.billing import books, sound, spots
from tests.billing.spots import NOW, TOKYO

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("steps", "term", "accounts", "months", "net", "tax", "gross"),
    [
        pytest.param(1, 12, 100, 1, 5_000, 500, 5_500, id="Starter 100 yearly, 100 for 1"),
        pytest.param(1, 1, 100, 1, 5_000, 500, 5_500, id="Starter 100 monthly, 100 for 1"),
        pytest.param(1, 12, 200, 3, 30_000, 3_000, 33_000, id="Starter 100, 200 for 3"),
        pytest.param(2, 12, 100, 1, 5_000, 500, 5_500, id="Starter 200, 100 for 1"),
    ],
)
def test_invoice_comes_to_what_the_rule_book_says(
    steps: int, term: int, accounts: int, months: int, net: int, tax: int, gross: int
) -> None:
    root = spots.customer(steps=steps, months=term)
    first_on = date(2026, 11, 1) if term == 1 else date(2026, 12, 10)
    now = spots.at(2026, 11, 1) if term == 1 else NOW
    order = spots.paid(root, accounts=accounts, first_on=first_on, months=months, now=now)

    issued = spots.invoice(order, now=now)

    assert spots.amounts(issued) == (net, tax, gross) == (order.net, order.tax, order.gross)


def test_invoice_prices_each_month_by_the_contract_that_holds_on_its_first_day() -> None:
    root = spots.customer(months=1)
    dearer = make.plan_version(number=2, prices={"JPY": 6_000})
    spots.renewed_at(root.organisation, dearer, now=spots.at(2026, 11, 1))
    order = spots.paid(root, first_on=date(2026, 11, 1), months=2, now=spots.at(2026, 11, 1, 13))

    issued = spots.invoice(order, now=spots.at(2026, 11, 1, 13))

    assert spots.amounts(issued) == (11_000, 1_100, 12_100)
    assert spots.told(issued) == [
        (
            "Spot contract: Starter +100 accounts, 1 November 2026 – 30 November 2026",
            Decimal(1),
            5_000,
        ),
        (
            "Spot contract: Starter +100 accounts, 1 December 2026 – 31 December 2026",
            Decimal(1),
            6_000,
        ),
    ]


def test_invoice_says_how_its_line_came_about() -> None:
    order = spots.paid(spots.customer(), accounts=200, months=3)

    (line,) = spots.invoice(order).lines.all()

    assert (line.kind, line.month, line.quantity, line.net) == (
        LineKind.SPOT,
        date(2026, 12, 1),
        Decimal(3),
        30_000,
    )
    assert (
        line.name_ja == "スポット契約: starterプラン +200アカウント、2026年12月10日〜2027年3月9日"
    )
    assert explanations.parse(line.explanation) == SpotWhy(
        order=order.number,
        plan="starter",
        version=1,
        accounts=200,
        steps=2,
        unit_net=5_000,
        months=3,
        first_on=date(2026, 12, 10),
        end_on=date(2027, 3, 10),
    )


def test_invoice_is_dated_and_addressed_today_and_due_at_once() -> None:
    """The order is of 30 November; paid at 0:30 of 1 December in Tokyo, it is December's."""
    root = spots.customer()
    order = spots.placed(root, now=spots.at(2026, 11, 30))
    organisation = root.organisation
    organisation.language = "en"
    organisation.save(update_fields=["language"])
    now = spots.at(2026, 12, 1, 0)
    orders.mark_paid(order_id=order.pk, actor=spots.ACTOR, now=now)

    issued = spots.invoice(order, now=now)

    today = date(2026, 12, 1)
    assert now.astimezone(TOKYO).date() == today
    assert (issued.kind, issued.month, issued.issued_on, issued.due_on, issued.language) == (
        InvoiceKind.SPOT,
        today,
        today,
        today,
        "en",
    )
    assert issued.operation == order.public_id


def test_invoice_abroad_bears_no_tax() -> None:
    order = spots.paid(spots.customer(country="DE", currency="USD"))

    issued = spots.invoice(order)

    assert (issued.currency, *spots.amounts(issued)) == ("USD", 5_000, 0, 5_000)
    assert [tax.tax_code for tax in issued.tax_summaries.all()] == ["OUT_OF_SCOPE"]


def test_invoice_names_how_it_was_paid_where_that_is_not_how_months_are() -> None:
    root = spots.customer()
    orders = [spots.paid(root), spots.paid(root)]

    plain = spots.invoice(orders[0])
    other = services.issue(
        order_id=orders[1].pk, actor=spots.ACTOR, now=NOW, paid_with=PaymentTerms.PAYPAL
    )

    assert plain.recipient["payment_terms"] == "none"
    assert other.recipient == {**plain.recipient, "payment_terms": "paypal"}


def test_issue_twice_is_one_invoice() -> None:
    order = spots.paid(spots.customer())

    first, again = spots.invoice(order), spots.invoice(order, now=spots.at(2027, 1, 5))

    assert first == again
    assert Invoice.objects.count() == 1


def test_issue_writes_who_and_asks_for_the_document() -> None:
    order = spots.paid(spots.customer())

    issued = spots.invoice(order)

    entry = AuditEntry.objects.filter(chain=issued.organisation_id).latest("seq")
    assert (entry.actor, entry.action, entry.subject) == (
        spots.ACTOR,
        "spot_invoice.issued",
        f"invoice:{issued.pk}",
    )
    assert entry.details == {"order": order.number, "currency": "JPY", "gross": 5_500}
    work = Work.objects.get(kind=jobs.MAKE_DOCUMENTS.kind, key=f"{jobs.ALONE}{issued.pk}")
    assert work.payload == {"invoice_ids": [issued.pk]}


def test_issue_refuses_an_order_that_is_not_paid() -> None:
    order = spots.placed(spots.customer())

    with pytest.raises(services.NotPaid):
        spots.invoice(order)

    assert not Invoice.objects.exists()


@pytest.mark.unsound_books
def test_issue_refuses_an_order_that_its_months_do_not_come_to() -> None:
    order = spots.paid(spots.customer())
    sound.run(["ALTER TABLE spot_orders_spotorder DISABLE TRIGGER USER"])
    SpotOrder.objects.filter(pk=order.pk).update(net=5_001, gross=5_501)

    with pytest.raises(services.DiffersFromOrder):
        spots.invoice(order)

    assert not Invoice.objects.exists()
    assert not NumberSeries.objects.filter(kind="spot").exists()


def test_numbers_follow_each_other_with_monthly_invoices_between() -> None:
    root = spots.customer()
    issued = [spots.invoice(spots.paid(root))]
    december = spots.at(2026, 12, 2)
    books.bill(BillingMonth(2026, 11), now=december)
    issued.append(spots.invoice(spots.paid(root, now=december), now=december))
    january = spots.at(2027, 1, 2)
    books.bill(BillingMonth(2026, 12), now=january)
    issued.append(
        spots.invoice(spots.paid(root, first_on=date(2027, 1, 10), now=january), now=january)
    )

    assert [number_of(each) for each in issued] == [
        "KC-SP-00000001",
        "KC-SP-00000002",
        "KC-SP-00000003",
    ]
    monthly = Invoice.objects.filter(kind=InvoiceKind.MONTHLY).order_by("number")
    assert [number_of(each) for each in monthly] == ["KC-00000001"]
    assert BilledMonth.objects.filter(organisation=root.organisation).count() == 2


def test_what_an_issue_left_undone_leaves_no_gap() -> None:
    root = spots.customer()
    spots.invoice(spots.paid(root))
    order = spots.paid(root)
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT before")
        spots.invoice(order)
        cursor.execute("ROLLBACK TO SAVEPOINT before")

    assert number_of(spots.invoice(order)) == "KC-SP-00000002"

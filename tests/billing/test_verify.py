import io
from datetime import date

import pytest
from django.core.management import CommandError, call_command

from billing.models import Invoice, RatedRevision
from billing.queries import verify
from billing.queries.verify import Difference
from core.months import BillingMonth
from tests.billing import sound
from tests.billing.sound import SEPTEMBER, Books
from usage.models import DailyUsage, UsageRevision

pytestmark = [pytest.mark.django_db, pytest.mark.unsound_books]

LINES, INVOICES, MONTHS = "billing_invoiceline", "billing_invoice", "billing_billedmonth"
UNGUARDED = [f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in (LINES, INVOICES, MONTHS)]


@pytest.fixture
def kept() -> Books:
    return sound.books()


def differences(month: BillingMonth | None = None) -> list[Difference]:
    return [each for month_ in verify.verified(month=month) for each in month_.differences]


def what() -> set[str]:
    return {each.what for each in differences()}


def test_verified_finds_every_month_as_it_was_issued(kept: Books) -> None:
    """Six months of two customers: July without an invoice, August and September with one each."""
    assert verify.count() == 6
    assert len(list(verify.verified())) == 6
    assert differences() == []
    assert Invoice.objects.filter(month=SEPTEMBER.first_day).first() is not None


def test_verified_finds_an_adjusted_month_as_it_was_issued(kept: Books) -> None:
    """Rule: B-08. What came late is in the facts of the month that adjusted it."""
    for organisation in (kept.aoba, kept.hato):
        DailyUsage.objects.filter(organisation=organisation, meter=kept.calls).update(quantity=170)
        UsageRevision.objects.create(organisation=organisation, month=date(2026, 9, 1), revision=1)
    sound.bill(kept.aoba, kept.hato, until=BillingMonth(2026, 10))

    assert Invoice.objects.filter(month=date(2026, 10, 1), net=5_005).count() == 2
    assert differences() == []


def test_verified_finds_late_usage_that_was_noted_as_billed_and_was_not(kept: Books) -> None:
    """Rule: B-08. Nobody else would: the day's usage is what was noted."""
    RatedRevision.objects.create(
        organisation=kept.aoba,
        month=date(2026, 9, 1),
        revision=1,
        quantities={"calls": "170", "devices": "7"},
    )

    (found,) = differences()

    # 60 and 70 calls over: 50 at 1 yen, 10 and 20 at half a yen.
    assert (found.what, found.issued, found.rated) == (
        "usage that came late",
        "{'calls': 55}",
        "{'calls': 60}",
    )


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        pytest.param(
            f"UPDATE {LINES} SET net = net + 1 WHERE position = 2 AND net > 0",
            {"line 2: net", "digest of the invoice"},
            id="a line's amount",
        ),
        pytest.param(
            f"UPDATE {INVOICES} SET tax = tax + 1, gross = gross + 1",
            {"tax", "gross", "digest of the invoice"},
            id="one yen of tax",
        ),
        pytest.param(
            f"UPDATE {MONTHS} SET credit = '{{\"JP10\": 1}}'", {"credit left over"}, id="credit"
        ),
        pytest.param(
            f"UPDATE {MONTHS} SET facts = jsonb_set(facts, '{{tax_rounding}}', '\"up\"')",
            {"digest of the facts", "tax", "gross", "taxes"},
            id="facts of another rounding",
        ),
        pytest.param(
            f"UPDATE {MONTHS} SET facts = jsonb_set(facts, '{{licence}}', '[999999, 1]')",
            {"digest of the facts", "facts"},
            id="facts that name no version",
        ),
        pytest.param(
            "UPDATE billing_taxsummary SET rate = 0.0800",
            {"taxes", "digest of the invoice"},
            id="a rate",
        ),
        pytest.param(
            "UPDATE plans_planprice SET net = 5001",
            {"net", "gross", "taxes", "line 1: net", "line 1: explanation"},
            id="a price behind the catalogue's back",
        ),
    ],
)
def test_verified_names_what_differs(kept: Books, statement: str, found: set[str]) -> None:
    sound.run(
        [
            *UNGUARDED,
            "ALTER TABLE billing_taxsummary DISABLE TRIGGER USER",
            "ALTER TABLE plans_planprice DISABLE TRIGGER USER",
            statement,
        ]
    )

    assert what() == found


def test_verified_lets_a_name_be_corrected(kept: Books) -> None:
    sound.run(
        ["UPDATE plans_plan SET name_en = 'Beginner'", "UPDATE plans_meter SET name_en = 'X'"]
    )

    assert differences() == []


def test_verify_invoices_counts_what_it_verified(kept: Books) -> None:
    out = io.StringIO()

    call_command("verify_invoices", "--month", "2026-09", stdout=out, stderr=io.StringIO())
    call_command("verify_invoices", "--since", "2026-08", stdout=out, stderr=io.StringIO())

    assert out.getvalue().splitlines() == [
        "2 billed months are as they were issued.",
        "4 billed months are as they were issued.",
    ]


def test_verify_invoices_ends_with_one_and_names_the_line(kept: Books) -> None:
    sound.run([*UNGUARDED, f"UPDATE {LINES} SET net = 56 WHERE net = 55"])
    out, errors = io.StringIO(), io.StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("verify_invoices", "--month", "2026-09", stdout=out, stderr=errors)

    assert ended.value.code == 1
    assert out.getvalue().splitlines()[1] == (
        f"organisation {kept.aoba.pk}, 2026-09, invoice 3: line 2: net: issued 56, rated 55"
    )
    assert errors.getvalue().splitlines()[-1] == "2 of 2 billed months differ."


def test_verify_invoices_refuses_what_is_no_month() -> None:
    with pytest.raises(CommandError, match="write YYYY-MM"):
        call_command("verify_invoices", "--month", "2026-13")

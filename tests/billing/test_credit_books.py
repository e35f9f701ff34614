"""Credit notes in the books: sound as the portal keeps them, and each fault is found. Rule: B-11, I09."""

import io
from datetime import date, timedelta
from uuid import uuid4

import pytest
from django.core.management import call_command

from billing.models import Invoice
from billing.queries import verify, verify_credits
from billing.services import correct
from core import books
from core.months import BillingMonth
from tests.billing import sound
from tests.billing.sound import BILLED_AT, SEPTEMBER, Books

pytestmark = [pytest.mark.django_db, pytest.mark.unsound_books]

INVOICES, LINES, TAXES = "billing_invoice", "billing_invoiceline", "billing_taxsummary"
TABLES = (INVOICES, LINES, TAXES, "core_auditentry", "billing_numberseries")
UNGUARDED = [f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in TABLES]
STRANGE = (
    "I09 a credit note names no invoice of its organisation, month, currency, language and rounding"
)
NOTES = f"SELECT id FROM {INVOICES} WHERE kind = 'credit_note'"


def credit(invoice: Invoice, gross: int | None) -> Invoice:
    return correct.credit(
        organisation_id=invoice.organisation_id,
        invoice_id=invoice.pk,
        gross=gross,
        reason="Outage",
        actor="user:7",
        operation=uuid4(),
        now=BILLED_AT + timedelta(days=1),
    )


@pytest.fixture
def kept() -> Books:
    """September, 5,055 and 505 of tax: Aoba's credited by 1,000 and in whole, Hato's at once."""
    kept = sound.books()
    aoba, hato = (
        Invoice.objects.get(organisation=each, month=SEPTEMBER.first_day)
        for each in (kept.aoba, kept.hato)
    )
    credit(aoba, 1_000)
    credit(aoba, None)
    credit(hato, None)
    return kept


def broken() -> set[str]:
    return {f"{breach.invariant} {breach.what}" for breach in books.breaches()}


def test_breaches_finds_none_in_books_with_credit_notes(kept: Books) -> None:
    assert books.breaches(now=BILLED_AT) == []
    assert books.breaches(since=SEPTEMBER) == []
    assert [(note.net, note.tax) for note in Invoice.objects.filter(kind="credit_note")] == [
        (910, 90),
        (4_145, 415),
        (5_055, 505),
    ]


@pytest.mark.parametrize(
    ("invariant", "statement"),
    [
        pytest.param(
            "I01 the invoice's amounts are not the sums of its lines and taxes",
            f"UPDATE {LINES} SET net = net + 1 WHERE kind = 'credit'",
            id="a line's amount",
        ),
        pytest.param(
            "I03 numbers do not follow each other, or do not rise with the time of issue",
            f"UPDATE {INVOICES} SET number = 4 WHERE kind = 'credit_note' AND number = 3",
            id="a number left out",
        ),
        pytest.param(
            "I03 the next number of a series does not follow the last one given",
            "UPDATE billing_numberseries SET next = 3 WHERE kind = 'credit_note'",
            id="the counter of the series",
        ),
        pytest.param(
            "I04 an issued invoice is not what its digest says",
            f"UPDATE {INVOICES} n SET corrects_id = (SELECT id FROM {INVOICES} i"
            " WHERE i.organisation_id = n.organisation_id AND i.month = '2026-08-01')"
            " WHERE kind = 'credit_note' AND number = 3",
            id="another invoice",
        ),
        pytest.param(
            STRANGE,
            f"UPDATE {INVOICES} SET corrects_id = id WHERE kind = 'credit_note'",
            id="itself",
        ),
        pytest.param(
            STRANGE,
            f"UPDATE {INVOICES} SET month = '2026-08-01' WHERE kind = 'credit_note'",
            id="another month",
        ),
        pytest.param(
            STRANGE,
            f"UPDATE {INVOICES} SET tax_rounding = 'up' WHERE kind = 'credit_note'",
            id="another rounding",
        ),
        pytest.param(
            "I09 credit notes give back more of a rate than their invoice billed",
            f"UPDATE {TAXES} SET net = net + 1 WHERE invoice_id IN ({NOTES})",
            id="one yen more",
        ),
        pytest.param(
            "I09 credit notes give back more of a rate than their invoice billed",
            f"UPDATE {TAXES} SET tax_code = 'JP8R' WHERE invoice_id IN ({NOTES})",
            id="a rate that was not billed",
        ),
        pytest.param(
            "I09 the tax of a credit note does not follow its invoice",
            f"UPDATE {TAXES} SET tax = 91, net = 909 WHERE tax = 90",
            id="one yen of tax",
        ),
        pytest.param(
            "I09 the tax of a credit note does not follow its invoice",
            f"UPDATE {TAXES} SET rate = 0.08 WHERE invoice_id IN ({NOTES})",
            id="another rate",
        ),
        pytest.param(
            "I19 the issue of an invoice is not in its organisation's audit trail",
            "UPDATE core_auditentry SET action = 'invoice.issued'"
            " WHERE action = 'credit_note.issued'",
            id="an issue without entry",
        ),
    ],
)
def test_breaches_reports_a_fault_of_a_credit_note(
    kept: Books, invariant: str, statement: str
) -> None:
    sound.run([*UNGUARDED, "ALTER TABLE billing_invoice DISABLE TRIGGER ALL", statement])

    assert invariant in broken()


def test_breaches_reports_a_credit_note_of_anothers_invoice(kept: Books) -> None:
    others = f"SELECT id FROM {INVOICES} i WHERE i.organisation_id <> n.organisation_id LIMIT 1"
    sound.run(
        [
            *UNGUARDED,
            f"ALTER TABLE {INVOICES} DROP CONSTRAINT {INVOICES}_corrects_of_its_organisation",
            f"UPDATE {INVOICES} n SET corrects_id = ({others}) WHERE kind = 'credit_note'",
        ]
    )

    assert {
        "I18 a row belongs to another organisation than what it refers to",
        STRANGE,
    } <= broken()


def what() -> set[str]:
    return {each.what for note in verify_credits.verified() for each in note.differences}


def test_verified_decides_every_credit_note_as_it_was_issued(kept: Books) -> None:
    assert verify_credits.count() == len(list(verify_credits.verified())) == 3
    assert verify_credits.count(month=BillingMonth(2026, 8)) == 0
    assert what() == set()
    assert [each for month in verify.verified() for each in month.differences] == []


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        pytest.param(
            f"UPDATE {LINES} SET net = net + 1 WHERE kind = 'credit' AND net = 910",
            {"digest of the credit note", "line 1"},
            id="a line's amount",
        ),
        pytest.param(
            f"UPDATE {TAXES} SET tax = 91, net = 909 WHERE tax = 90",
            {"digest of the credit note", "taxes"},
            id="one yen of tax",
        ),
        pytest.param(
            f"UPDATE {INVOICES} SET gross = 6000, net = 5495 WHERE kind = 'credit_note'"
            " AND number = 3",
            {"digest of the credit note", "the invoice"},
            id="more than was billed",
        ),
        pytest.param(
            f"UPDATE {LINES} SET explanation = '{{}}' WHERE kind = 'credit' AND net = 910",
            {"digest of the credit note", "the invoice"},
            id="no reason",
        ),
        pytest.param(
            f"UPDATE {LINES} SET net = 56 WHERE kind = 'usage' AND net = 55",
            {"line 2"},
            id="the invoice behind it",
        ),
    ],
)
def test_verified_names_what_differs_on_a_credit_note(
    kept: Books, statement: str, found: set[str]
) -> None:
    sound.run([*UNGUARDED, statement])

    assert what() == found


def test_verify_invoices_counts_credit_notes_too(kept: Books) -> None:
    out = io.StringIO()

    call_command("verify_invoices", stdout=out, stderr=io.StringIO())
    call_command("verify_invoices", "--month", "2026-08", stdout=out, stderr=io.StringIO())

    assert out.getvalue().splitlines() == [
        "6 billed months are as they were issued.",
        "3 credit notes are as they were issued.",
        "2 billed months are as they were issued.",
    ]


def test_verify_invoices_ends_with_one_and_names_the_credit_note(kept: Books) -> None:
    sound.run([*UNGUARDED, f"UPDATE {INVOICES} SET due_on = due_on + 1 WHERE number = 3"])
    out, errors = io.StringIO(), io.StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("verify_invoices", stdout=out, stderr=errors)

    assert ended.value.code == 1
    assert (
        f"organisation {kept.hato.pk}, 2026-09, credit note 3: digest of the credit note:"
        " issued altered, rated as issued"
    ) in out.getvalue().splitlines()
    assert errors.getvalue().splitlines()[-1] == "1 of 3 credit notes differ."


def test_the_next_month_is_billed_as_if_nothing_was_credited(kept: Books) -> None:
    """The usual of an organisation, its late usage and its months are those of its invoices."""
    sound.bill(kept.aoba, kept.hato, until=BillingMonth(2026, 10))

    october = Invoice.objects.filter(month=date(2026, 10, 1))
    assert [(each.kind, each.gross) for each in october] == [("monthly", 5_500)] * 2
    assert broken() == set()

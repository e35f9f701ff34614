import io
from datetime import UTC, date, datetime, timedelta

import orjson
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts import services as accounts
from accounts.models import Organisation
from billing.enums import ParkReason, RunState
from billing.models import Invoice, MonthRun
from billing.services import park
from core import books, clock
from core.months import BillingMonth
from tests.billing import sound
from tests.billing.sound import BILLED_AT, SEPTEMBER, Books

pytestmark = [pytest.mark.django_db, pytest.mark.unsound_books]

NO_GUARDS = "ALTER TABLE {0} DISABLE TRIGGER USER"


@pytest.fixture
def kept() -> Books:
    return sound.books()


def broken(since: BillingMonth | None = None, now: datetime | None = None) -> set[str]:
    return {f"{breach.invariant} {breach.what}" for breach in books.breaches(since=since, now=now)}


def unguarded(*tables: str) -> list[str]:
    return [NO_GUARDS.format(table) for table in tables]


def test_breaches_finds_none_in_books_that_the_portal_kept(kept: Books) -> None:
    assert books.breaches(now=BILLED_AT) == []
    assert Invoice.objects.count() == 4


LINES, TAXES, MONTHS = "billing_invoiceline", "billing_taxsummary", "billing_billedmonth"
INVOICES = "billing_invoice"


@pytest.mark.parametrize(
    ("invariant", "statements"),
    [
        pytest.param(
            "I01 the invoice's amounts are not the sums of its lines and taxes",
            [*unguarded(LINES), f"UPDATE {LINES} SET net = net + 1 WHERE position = 1"],
            id="a line's amount",
        ),
        pytest.param(
            "I01 the invoice's amounts are not the sums of its lines and taxes",
            [*unguarded(LINES), f"DELETE FROM {LINES} WHERE position = 2"],
            id="a line gone",
        ),
        pytest.param(
            "I01 the tax of a rate is not the sum of its lines, rounded once",
            [*unguarded(TAXES), f"UPDATE {TAXES} SET tax = tax + 1"],
            id="one yen of tax",
        ),
        pytest.param(
            "I01 the credit left over from the month before is not what was brought",
            [
                *unguarded(MONTHS),
                f"""UPDATE {MONTHS} SET credit = '{{"JP10": 40}}' WHERE month = '2026-08-01'""",
            ],
            id="credit lost",
        ),
        pytest.param(
            "I01 the credit kept for the next month is not what the bill left over",
            [
                *unguarded(MONTHS),
                f"""UPDATE {MONTHS} SET credit = '{{"JP10": 40}}' WHERE month = '2026-09-01'""",
            ],
            id="credit invented",
        ),
        pytest.param(
            "I02 an organisation has more than one invoice for a month",
            [
                *unguarded(INVOICES),
                "DROP INDEX invoice_one_a_month",
                f"UPDATE {INVOICES} SET month = '2026-09-01'",
            ],
            id="two invoices of a month",
        ),
        pytest.param(
            "I02 an invoice has no record of its month",
            [*unguarded(MONTHS), f"DELETE FROM {MONTHS} WHERE month = '2026-09-01'"],
            id="no record",
        ),
        pytest.param(
            "I02 a billed month names no invoice of its organisation and month",
            [
                *unguarded(MONTHS, INVOICES),
                f"ALTER TABLE {MONTHS} DROP CONSTRAINT {MONTHS}_of_its_organisation",
                f"UPDATE {MONTHS} SET invoice_id = 0 - organisation_id WHERE month = '2026-09-01'",
            ],
            id="no invoice",
        ),
        pytest.param(
            "I02 a month was left out between the first and the last that are billed",
            [*unguarded(MONTHS), f"DELETE FROM {MONTHS} WHERE month = '2026-08-01'"],
            id="a gap",
        ),
        pytest.param(
            "I02 a month's run is done, and an organisation was neither billed nor parked",
            [
                """
                INSERT INTO billing_monthrun (month, state, started_at, finished_at)
                VALUES ('2026-10-01', 'done', '2099-01-01', '2099-01-01')
                """
            ],
            id="left out of a run",
        ),
        pytest.param(
            "I03 numbers do not follow each other, or do not rise with the time of issue",
            [
                *unguarded(INVOICES, LINES, TAXES, MONTHS),
                f"UPDATE {INVOICES} SET number = number + 1 WHERE number = 4",
            ],
            id="a number left out",
        ),
        pytest.param(
            "I03 numbers do not follow each other, or do not rise with the time of issue",
            [
                *unguarded(INVOICES),
                f"UPDATE {INVOICES} SET issued_at = issued_at - interval '2 days' WHERE number = 3",
            ],
            id="issued before its number",
        ),
        pytest.param(
            "I03 the next number of a series does not follow the last one given",
            [*unguarded("billing_numberseries"), "UPDATE billing_numberseries SET next = next + 1"],
            id="a number burnt",
        ),
        pytest.param(
            "I04 an issued invoice is not what its digest says",
            [*unguarded(INVOICES), f"UPDATE {INVOICES} SET due_on = due_on + 1"],
            id="another due date",
        ),
        pytest.param(
            "I04 an issued invoice is not what its digest says",
            [*unguarded(LINES), f"UPDATE {LINES} SET name_en = 'Something else'"],
            id="another name on a line",
        ),
        pytest.param(
            "I04 the facts of a billed month are not what their digest says",
            [
                *unguarded(MONTHS),
                f"""UPDATE {MONTHS} SET facts = jsonb_set(facts, '{{country}}', '"DE"')""",
            ],
            id="other facts",
        ),
        pytest.param(
            "I04 the archived PDF of an invoice is not what its hash says",
            [
                """
                INSERT INTO billing_invoicedocument (invoice_id, pdf, sha256, made_at)
                SELECT id, 'altered', sha256('original'), issued_at FROM billing_invoice
                """
            ],
            id="another PDF",
        ),
        pytest.param(
            "I15 a day's usage is not what its events come to",
            ["UPDATE usage_dailyusage SET quantity = quantity + 1"],
            id="a day's sum",
        ),
        pytest.param(
            "I15 a day's usage is not what its events come to",
            ["DELETE FROM usage_event"],
            id="events gone",
        ),
        pytest.param(
            "I15 a day's usage is not what its events come to",
            ["DELETE FROM usage_dailyusage"],
            id="a day gone",
        ),
        pytest.param(
            "I15 an event is counted on a day that is not its own",
            ["UPDATE usage_event SET occurred_at = occurred_at + interval '12 hours'"],
            id="midnight in Tokyo",
        ),
        pytest.param(
            "I15 a month's usage is not what was rated, and nothing is noted as late",
            ["UPDATE usage_dailyusage SET quantity = 161 WHERE quantity = 160"],
            id="late and not noted",
        ),
        pytest.param(
            "I15 an invoice's usage is not what was rated",
            [*unguarded(LINES), f"UPDATE {LINES} SET quantity = 159 WHERE kind = 'usage'"],
            id="another quantity",
        ),
        pytest.param(
            "I18 a row belongs to another organisation than what it refers to",
            [
                *unguarded(LINES),
                f"ALTER TABLE {LINES} DROP CONSTRAINT {LINES}_of_its_organisation",
                f"""
                UPDATE {LINES} SET organisation_id = (SELECT max(id) FROM accounts_organisation)
                WHERE organisation_id = (SELECT min(id) FROM accounts_organisation)
                """,
            ],
            id="a line of another's invoice",
        ),
        pytest.param(
            "I18 a row belongs to another organisation than what it refers to",
            ["UPDATE usage_event SET organisation_id = 0 - organisation_id"],
            id="an organisation that is not there",
        ),
        pytest.param(
            "I19 the audit chain is broken at this entry",
            [
                *unguarded("core_auditentry"),
                "UPDATE core_auditentry SET actor = 'user:1' WHERE action = 'invoice.issued'",
            ],
            id="another actor",
        ),
        pytest.param(
            "I19 the audit chain is broken at this entry",
            [*unguarded("core_auditentry"), "DELETE FROM core_auditentry WHERE seq = 2"],
            id="an entry gone",
        ),
        pytest.param(
            "I16 a billed month's fee is not that of the selection in force when it began",
            ["UPDATE plans_selection SET steps = steps + 1"],
            id="other steps in the past",
        ),
        pytest.param(
            "I16 a billed month's fee is not that of the selection in force when it began",
            ["DELETE FROM plans_selection"],
            id="a fee of nothing",
        ),
        pytest.param(
            "I19 the issue of an invoice is not in its organisation's audit trail",
            [
                *unguarded("core_auditentry"),
                "DELETE FROM core_auditentry WHERE action = 'invoice.issued'",
            ],
            id="an issue without entry",
        ),
    ],
)
def test_breaches_reports_what_is_broken(
    kept: Books, invariant: str, statements: list[str]
) -> None:
    sound.run(statements)

    assert invariant in broken()


def test_breaches_reports_a_month_that_nobody_billed(kept: Books) -> None:
    """Rule: I02. October is over since the 1st; three days are left for it to be billed."""
    made = datetime(2026, 7, 1, tzinfo=UTC)
    for organisation in (kept.aoba, kept.hato):
        type(organisation).objects.filter(pk=organisation.pk).update(created_at=made)
    overdue = "I02 a month has been over for three days, and was neither billed nor parked"

    assert overdue not in broken(now=datetime(2026, 11, 3, 23, tzinfo=sound.TOKYO))
    assert overdue in broken(now=datetime(2026, 11, 4, 1, tzinfo=sound.TOKYO))

    for organisation in (kept.aoba, kept.hato):
        park.park(
            organisation_id=organisation.pk,
            month=BillingMonth(2026, 10),
            reason=ParkReason.FAILED,
            detail="",
            now=BILLED_AT,
        )
    assert overdue not in broken(now=datetime(2026, 11, 4, 1, tzinfo=sound.TOKYO))


def test_breaches_asks_no_bill_of_whose_invoicing_is_off_nor_at_once_of_who_is_taken_up_again(
    kept: Books,
) -> None:
    """Rule: I02, R11. The month end passes them by, and then bills month after month."""
    made, now = datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 11, 20, tzinfo=UTC)
    Organisation.objects.update(created_at=made, auto_invoicing_off=True)
    MonthRun.objects.create(
        month=date(2026, 10, 1), state=RunState.DONE, started_at=BILLED_AT, finished_at=BILLED_AT
    )

    def unbilled(at: datetime) -> set[str]:
        return {what for what in broken(now=at) if what.startswith("I02")}

    assert unbilled(now) == set()

    for organisation in (kept.aoba, kept.hato):
        accounts.switch_auto_invoicing(
            organisation_id=organisation.pk, is_off=False, actor="user:1", reason="agreed", now=now
        )
    assert unbilled(now + timedelta(hours=23)) == set()
    assert unbilled(now + timedelta(hours=25)) == {
        "I02 a month has been over for three days, and was neither billed nor parked"
    }


WORK = """
    INSERT INTO core_work (kind, key, queue, payload, state, due_at, lease_until, again, attempts,
        reason, owner, created_at)
    VALUES ('t', 'k', 'default', '{{}}', '{state}', '{due}', {lease}, false, 0, '', '', '{due}')
"""


@pytest.mark.parametrize(
    ("invariant", "statements"),
    [
        pytest.param(
            "I20 the lease of a piece of work ran out more than ten minutes ago",
            [WORK.format(state="due", due="2026-09-30T12:00Z", lease="'2026-10-01T02:49Z'")],
            id="lease",
        ),
        pytest.param(
            "I20 a piece of work has been due for more than a day",
            [WORK.format(state="due", due="2026-09-30T02:00Z", lease="NULL")],
            id="due",
        ),
        pytest.param(
            "I20 parked work has no reason or nobody who looks",
            [
                "ALTER TABLE core_work DROP CONSTRAINT work_parked_has_reason_and_owner",
                "ALTER TABLE core_work DROP CONSTRAINT work_ended_at_iff_ended",
                WORK.format(state="parked", due="2026-10-01T02:00Z", lease="NULL"),
            ],
            id="nobody looks",
        ),
        pytest.param(
            "I20 a parked organisation has no reason or nobody who looks",
            [
                """
                INSERT INTO billing_parkedorganisation
                    (organisation_id, month, reason, detail, owner, parked_at)
                SELECT id, '2026-10-01', '', '', '', created_at FROM accounts_organisation
                """
            ],
            id="parked without a reason",
        ),
        pytest.param(
            "I20 a parked organisation's month is billed",
            [
                """
                INSERT INTO billing_parkedorganisation
                    (organisation_id, month, reason, detail, owner, parked_at)
                SELECT id, '2026-09-01', 'failed', '', 'staff', created_at FROM accounts_organisation
                """
            ],
            id="parked and billed",
        ),
    ],
)
def test_breaches_reports_what_is_stuck(kept: Books, invariant: str, statements: list[str]) -> None:
    sound.run(statements)

    assert broken(now=BILLED_AT) == {invariant}


def test_breaches_covers_a_table_that_is_made_tomorrow(kept: Books) -> None:
    """Rule: I18. Its key is read from the database's catalogue."""
    sound.run(
        [
            """
            CREATE TABLE tomorrow
                (id int, organisation_id bigint, invoice_id bigint REFERENCES billing_invoice (id))
            """,
            f"""
            INSERT INTO tomorrow
            SELECT 1, {kept.hato.pk}, id FROM billing_invoice
            WHERE organisation_id = {kept.aoba.pk} LIMIT 1
            """,
        ]
    )

    (breach,) = books.breaches()

    assert breach.invariant == "I18"
    assert breach.ids["table"] == "tomorrow"
    assert breach.ids["organisation"] == str(kept.hato.pk)
    assert breach.ids["of_organisation"] == str(kept.aoba.pk)


def test_breaches_leaves_out_the_months_before(kept: Books) -> None:
    sound.run([*unguarded(INVOICES), f"UPDATE {INVOICES} SET due_on = due_on + 1"])

    assert broken(since=SEPTEMBER) == {"I04 an issued invoice is not what its digest says"}
    assert broken(since=BillingMonth(2026, 10)) == set()


def test_audit_books_says_that_the_books_are_sound(kept: Books) -> None:
    out = io.StringIO()

    with clock.fixed_at(BILLED_AT + timedelta(minutes=1)):
        call_command("audit_books", stdout=out, stderr=io.StringIO())

    assert out.getvalue() == "The books are sound.\n"


def test_audit_books_ends_with_one_and_names_each_row(kept: Books) -> None:
    sound.run([*unguarded(INVOICES), f"UPDATE {INVOICES} SET due_on = due_on + 1"])
    lines, json = io.StringIO(), io.StringIO()

    with clock.fixed_at(BILLED_AT), pytest.raises(SystemExit) as ended:
        call_command("audit_books", stdout=lines, stderr=io.StringIO())
    with clock.fixed_at(BILLED_AT), pytest.raises(SystemExit):
        call_command("audit_books", "--json", stdout=json, stderr=io.StringIO())

    assert ended.value.code == 1
    invoice = Invoice.objects.get(number=1)
    assert lines.getvalue().splitlines()[0] == (
        f"I04 an issued invoice is not what its digest says: invoice={invoice.pk} number=1"
    )
    assert orjson.loads(json.getvalue())[0] == {
        "invariant": "I04",
        "what": "an issued invoice is not what its digest says",
        "ids": {"invoice": str(invoice.pk), "number": "1"},
    }


def test_audit_books_refuses_what_is_no_month() -> None:
    with pytest.raises(CommandError, match="write YYYY-MM"):
        call_command("audit_books", "--since", "October")


@pytest.mark.django_db(transaction=True)
def test_breaches_reads_one_snapshot_and_can_write_nothing() -> None:
    seen: list[tuple[str, ...]] = []

    def look(check: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('transaction_isolation'),"
                " current_setting('transaction_read_only')"
            )
            seen.append(cursor.fetchone())

    books.breaches(progress=look)

    assert set(seen) == {("repeatable read", "on")}

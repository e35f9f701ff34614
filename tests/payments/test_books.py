"""Each invariant of payments, broken on purpose past its guard, is found, and nothing else is."""

import dataclasses
from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest
from django.conf import settings as portal
from pytest_django import Settings

from core import books, clock, work
from core.models import AuditEntry, Mail, Work
from gateway_sandbox import Sandbox
from payments.enums import ChargeState, Initiator, NoticeState
from payments.gateways import registry
from payments.models import Charge, ChargingStop, Difference, Payable, StoredNotice
from payments.queries import audit
from payments.services import charges, checking, refunds, stops
from tests import make
from tests.billing import sound
from tests.payments import collected

pytestmark = [pytest.mark.django_db, pytest.mark.unsound_books]

NOW = make.NOW
AFTER_DAYS = NOW + timedelta(days=4)


@pytest.fixture(autouse=True)
def _at_now() -> Iterator[None]:
    with clock.fixed_at(NOW):
        yield


@pytest.fixture
def kept(sandbox: Sandbox) -> Charge:
    """5,500 yen captured, of which the bank took 500 back."""
    _, charge = collected.paid(sandbox)
    refunds.record_reversal(
        charge_id=charge.pk, reference="REVERSAL1", amount=500, code="T1201", now=NOW
    )
    return charge


@pytest.fixture
def fixed(sandbox: Sandbox) -> Charge:
    return collected.paid_by_invoice(sandbox)


def broken(checks: Sequence[books.Check] = audit.CHECKS) -> set[str]:
    return {f"{each.invariant} {each.what}" for each in books.breaches(among=checks)}


def late(invariant: str) -> set[str]:
    """Return what an audit four days later says of one invariant."""
    checks = [check for check in audit.CHECKS if check.invariant == invariant]
    return {each.what for each in books.breaches(now=AFTER_DAYS, among=checks)}


def unguarded(*statements: str) -> None:
    sound.run(
        [
            "SET session_replication_role = replica",
            *statements,
            "SET session_replication_role = origin",
        ]
    )


def test_the_books_that_the_portal_keeps_are_sound(kept: Charge) -> None:
    assert books.breaches(among=[c for c in books.checks() if c.invariant != "I15"]) == []
    assert set(audit.CHECKS) <= set(books.checks())


SUMS = "I07 a payable's sums are not those of its captures, refunds and credit notes"


@pytest.mark.parametrize(
    ("found", "statements"),
    [
        pytest.param(
            {"I05 captured money is of another organisation or currency than what it pays"},
            ["UPDATE payments_charge SET number = 'KC-99'"],
            id="of another document",
        ),
        pytest.param(
            {"I05 the same captured money is booked twice, or has no name at the provider"},
            [
                "ALTER TABLE payments_charge DROP CONSTRAINT charge_succeeded_has_capture",
                "UPDATE payments_charge SET capture = ''",
            ],
            id="a capture without a name",
        ),
        pytest.param(
            {"I05 what is collected for an invoice is not what was invoiced"},
            ["UPDATE payments_payable SET due_on = due_on + 1"],
            id="another due date",
        ),
        pytest.param(
            {SUMS}, ["UPDATE payments_payable SET refunded = 400"], id="a refund not counted"
        ),
        pytest.param(
            {"I07 a payable is not in the state that its balance says"},
            [
                "ALTER TABLE payments_payable DROP CONSTRAINT payable_open_iff_owed",
                "UPDATE payments_payable SET state = 'paid', closed_at = created_at",
            ],
            id="paid although owed",
        ),
        pytest.param(
            {"I06 an attempt was sent before its intent was stored"},
            ["UPDATE payments_charge SET sent_at = created_at - interval '1 second'"],
            id="sent too early",
        ),
        pytest.param(
            {"I09 more is given back than was captured", SUMS},
            ["UPDATE payments_refund SET amount = 6000"],
            id="more than captured",
        ),
        pytest.param(
            {
                (
                    "I09 a refund names a credit note of another document, or gives back more than it"
                    " credits"
                )
            },
            [
                "UPDATE payments_refund SET credit_note_id = (SELECT id FROM billing_invoice LIMIT 1)"
            ],
            id="an invoice for a credit note",
        ),
        pytest.param(
            {"I10 the history of a charge is not one of allowed moves up to its state"},
            [
                (
                    "UPDATE payments_transition SET after = 'declined'"
                    " WHERE subject = 'charge' AND after = 'succeeded'"
                )
            ],
            id="another last state",
        ),
        pytest.param(
            {"I10 the history of a charge is not one of allowed moves up to its state"},
            ["DELETE FROM payments_transition WHERE subject = 'charge' AND after = 'sent'"],
            id="a move left out",
        ),
        pytest.param(
            {"I10 the history of a charge is not one of allowed moves up to its state"},
            [
                (
                    "UPDATE payments_transition SET after = 'cancelled'"
                    " WHERE subject = 'charge' AND after = 'sent'"
                ),
                (
                    "UPDATE payments_transition SET before = 'cancelled'"
                    " WHERE subject = 'charge' AND before = 'sent'"
                ),
            ],
            id="out of a last state",
        ),
        pytest.param(
            {"I10 the history of a refund is not one of allowed moves up to its state"},
            ["DELETE FROM payments_transition WHERE subject = 'refund'"],
            id="a refund without a history",
        ),
        pytest.param(
            {"I10 the history of a method is not one of allowed moves up to its state"},
            ["UPDATE payments_paymentmethod SET state = 'broken'"],
            id="a method's state by hand",
        ),
    ],
)
def test_breaches_says_what_is_broken(kept: Charge, found: set[str], statements: list[str]) -> None:
    assert broken() == set()

    unguarded(*statements)

    assert broken() == found


def test_breaches_finds_two_attempts_under_way(kept: Charge) -> None:
    Payable.objects.update(hold="")
    for _ in range(2):
        charges.prepare(
            payable_id=kept.payable_id, initiator=Initiator.STAFF, actor="user:7", now=NOW
        )
        unguarded("DROP INDEX IF EXISTS charge_one_live")
        unguarded(
            "UPDATE payments_charge SET state = 'declined', decided_at = created_at"
            " WHERE state = 'prepared'"
        )
    unguarded(
        "UPDATE payments_charge SET state = 'prepared', decided_at = NULL WHERE state = 'declined'"
    )

    assert broken() == {"I06 more than one attempt is under way for the same payable"}


def test_breaches_finds_one_capture_booked_twice(kept: Charge) -> None:
    Payable.objects.update(hold="")
    other = charges.prepare(
        payable_id=kept.payable_id, initiator=Initiator.STAFF, actor="user:7", now=NOW
    )
    unguarded(
        "DROP INDEX charge_capture",
        f"UPDATE payments_charge SET capture = '{kept.capture}', state = 'succeeded',"
        f" sent_at = created_at, decided_at = created_at WHERE id = {other.pk}",
        "UPDATE payments_payable SET captured = 6000, state = 'paid', closed_at = created_at",
    )

    assert "I05 the same captured money is booked twice, or has no name at the provider" in broken()


def test_breaches_finds_an_attempt_that_nobody_looks_at(sandbox: Sandbox) -> None:
    customer = collected.customer(sandbox)
    sandbox.faults.lose_reply("POST /v2/checkout/orders")
    charge = collected.charge(customer.payable)
    assert charge.state == ChargeState.UNDECIDED

    assert late("I06") == {
        "an attempt has been under way for more than three days, and nobody looks"
    }
    with clock.fixed_at(AFTER_DAYS - timedelta(minutes=1)):
        work.plan(AFTER_DAYS - timedelta(minutes=1))
    assert late("I06") == set()


def test_breaches_finds_a_surplus_that_nobody_gives_back(kept: Charge) -> None:
    unguarded("UPDATE payments_payable SET credited = 5500, state = 'void', closed_at = created_at")

    assert late("I06") == {"more is kept than is owed, and nothing gives it back"}


def test_breaches_finds_a_difference_that_nobody_settles(kept: Charge) -> None:
    assert Difference.objects.filter(resolved_at=None).count() == 1

    assert late("I08") == {
        "a difference to a provider's books has been open for more than three days"
    }
    Difference.objects.update(resolved_at=NOW)
    assert late("I08") == set()


def notice(event_id: str, state: NoticeState) -> None:
    StoredNotice.objects.create(
        gateway="paypal", event_id=event_id, body_digest=b"x" * 32, state=state, received_at=NOW
    )


def test_breaches_finds_notices_and_mails_that_wait(kept: Charge) -> None:
    notice("WH-1", NoticeState.RECEIVED)
    assert Mail.objects.filter(sent_at=None).exists()

    assert late("I17") == {
        "a notice has waited for more than a quarter of an hour",
        "a mail has waited for more than a quarter of an hour",
    }
    Mail.objects.update(sent_at=NOW)
    stored = StoredNotice.objects.get()
    Work.objects.create(
        kind="payments.process_notice",
        key=str(stored.pk),
        queue="gateway",
        state="parked",
        due_at=NOW,
        created_at=NOW,
        ended_at=NOW,
        reason="x",
        owner="x",
    )
    assert late("I17") == set()


def test_breaches_finds_an_event_that_is_there_twice(kept: Charge) -> None:
    unguarded("DROP INDEX notice_once")
    notice("WH-1", NoticeState.RECEIVED)
    notice("WH-1", NoticeState.RECEIVED)

    assert broken() == {
        "I17 a provider's event is in the inbox more than once, or is not marked as it was left"
    }


@pytest.mark.parametrize(
    ("found", "statements"),
    [
        pytest.param(
            {
                (
                    "I21 a key at Paid stands for more than one attempt, or the money has another name"
                    " than it"
                )
            },
            ["UPDATE payments_charge SET capture = 'other'"],
            id="another name",
        ),
        pytest.param(
            {"I21 Paid bills a buyer for what was not invoiced before"},
            ["UPDATE payments_charge SET decided_at = '2026-10-01'"],
            id="before the invoice",
        ),
        pytest.param(
            {"I21 Paid bills a buyer for more than was owed", SUMS},
            ["UPDATE payments_charge SET amount = 6000"],
            id="more than owed",
        ),
        pytest.param(
            {
                "I21 a transaction at Paid was both fixed and cancelled",
                "I10 the history of a charge is not one of allowed moves up to its state",
            },
            [
                (
                    "UPDATE payments_transition SET after = 'cancelled' WHERE subject = 'charge'"
                    " AND after = 'started'"
                )
            ],
            id="fixed and cancelled",
        ),
    ],
)
def test_breaches_says_what_is_broken_at_paid(
    fixed: Charge, found: set[str], statements: list[str]
) -> None:
    assert broken() == set()

    unguarded(*statements)

    assert broken() == found


def test_breaches_names_what_is_under_way_with_another_account(
    kept: Charge, settings: Settings
) -> None:
    assert portal.PAYPAL is not None
    settings.PAYPAL = dataclasses.replace(portal.PAYPAL, merchant="SOMEBODYELSE")
    registry.forget()

    found = books.breaches(among=audit.CHECKS)

    assert {each.invariant for each in found} == {"R17"}
    assert [each.ids["what"] for each in found] == ["method"]


@pytest.mark.parametrize(
    "table", ["payments_charge", "payments_refund", "payments_payable", "payments_difference"]
)
def test_breaches_finds_rows_that_point_across_organisations(kept: Charge, table: str) -> None:
    other = make.organisation(name="Hato")
    unguarded(f"UPDATE {table} SET organisation_id = {other.pk}")

    found = books.breaches(among=[c for c in books.checks() if c.invariant == "I18"])

    assert table in {each.ids["table"] for each in found}


# --- the nightly act ---


def test_check_books_stops_whose_money_is_unsound(kept: Charge, sandbox: Sandbox) -> None:
    Difference.objects.update(resolved_at=NOW)
    other, _ = collected.paid(sandbox, name="Hato")
    unguarded(
        f"UPDATE payments_payable SET refunded = 400 WHERE organisation_id = {kept.organisation_id}"
    )

    found = checking.check_books(now=NOW)
    again = checking.check_books(now=NOW)

    assert {each.invariant for each in found} == {"I07"} == {each.invariant for each in again}
    stop = ChargingStop.objects.get()
    assert stop.scope == stops.of_organisation(kept.organisation_id)
    assert stop.reason.startswith("I07 a payable's sums")
    assert stops.is_stopped(organisation_id=other.organisation.pk, gateway="paypal") == ""
    assert AuditEntry.objects.filter(action="charging.stopped").count() == 1


def test_check_books_leaves_sound_books_alone(kept: Charge) -> None:
    assert checking.check_books(now=NOW) == ()
    assert ChargingStop.objects.count() == 0


def test_the_books_are_checked_once_a_day(kept: Charge) -> None:
    for minutes in (0, 1, 2):
        at = NOW + timedelta(minutes=minutes)
        with clock.fixed_at(at):
            checking.plan(at)
            work.run_due(["default"], limit=20)
    assert Work.objects.filter(kind="payments.check_books", state="done").count() == 1
    checking.plan(NOW + timedelta(days=1))
    assert Work.objects.filter(kind="payments.check_books").count() == 2

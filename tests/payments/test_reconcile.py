"""Our books held against the sandbox's own ledger, over HTTP. Rule: I08, F19, F37."""

import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from django.core.management import CommandError, call_command, execute_from_command_line

from accounts.enums import Role
from core import clock, work
from core.models import AuditEntry, Mail, Work
from core.work import ReasonMissing
from gateway_sandbox import Sandbox
from payments.enums import ChargeState, DifferenceKind, PayableState, RefundKind
from payments.gateways.base import GatewayUnreachable
from payments.models import Charge, ChargingStop, Difference, Payable, Reconciliation, Refund
from payments.queries.reconciling import Window
from payments.services import reconcile, restoring, stops
from tests import make
from tests.billing import sound
from tests.payments import collected

pytestmark = pytest.mark.django_db

NOW = make.NOW
LATER = NOW + timedelta(hours=5)
TOMORROW = NOW + timedelta(days=1)
SINCE = NOW - timedelta(days=1)


@pytest.fixture(autouse=True)
def _at_now() -> Iterator[None]:
    with clock.fixed_at(NOW):
        yield


def compare(*, since: datetime = SINCE, now: datetime = LATER) -> reconcile.Reconciled:
    return reconcile.reconcile(slug="paypal", since=since, until=now, now=now)


def unguarded(*statements: str) -> None:
    """Do to rows what only a restore or a hand in the database does."""
    sound.run(
        [
            "SET session_replication_role = replica",
            *statements,
            "SET session_replication_role = origin",
        ]
    )


def forget_charge() -> None:
    """Make it as a backup of before the charge has it."""
    unguarded(
        "DELETE FROM payments_transition WHERE subject = 'charge'",
        "DELETE FROM payments_charge",
        "UPDATE payments_payable SET captured = 0, state = 'open', closed_at = NULL",
    )


def test_what_agrees_is_counted_and_nothing_else_is_stored(sandbox: Sandbox) -> None:
    collected.paid(sandbox)

    done = compare()

    run = Reconciliation.objects.get()
    assert (run.gateway, run.environment, run.matched, run.different) == ("paypal", "local", 1, 0)
    assert (run.since, run.until, run.source) == (SINCE, LATER - timedelta(hours=4), "api")
    assert (done.found, done.new, done.resolved, done.strangers) == ((), 0, 0, 0)
    assert AuditEntry.objects.filter(action="reconciliation.done").count() == 1


def test_a_lost_answer_is_settled_by_the_providers_books(sandbox: Sandbox) -> None:
    customer = collected.customer(sandbox)
    sandbox.faults.lose_reply("POST /v2/checkout/orders")
    charge = collected.charge(customer.payable)
    assert charge.state == ChargeState.UNDECIDED

    done = compare()

    charge.refresh_from_db()
    assert charge.state == ChargeState.SUCCEEDED
    assert (done.run.matched, done.found) == (1, ())
    assert Payable.objects.get().state == PayableState.PAID


def test_an_attempt_that_a_backup_only_intends_is_settled(sandbox: Sandbox) -> None:
    _, charge = collected.paid(sandbox)
    unguarded(
        "UPDATE payments_charge SET state = 'prepared', step = '', capture = '', reference = '',"
        " decided_at = NULL, sent_at = NULL, called_at = NULL",
        "DELETE FROM payments_transition WHERE subject = 'charge' AND before <> ''",
        "UPDATE payments_payable SET captured = 0, state = 'open', closed_at = NULL",
    )

    done = compare()

    again = Charge.objects.get()
    assert (again.state, again.capture) == (ChargeState.SUCCEEDED, charge.capture)
    assert (done.run.matched, done.found) == (1, ())
    assert sandbox.ledger.taken("JPY") == 5_500


@pytest.mark.unsound_books
def test_a_capture_that_a_backup_does_not_know_stops_its_organisation(sandbox: Sandbox) -> None:
    customer, charge = collected.paid(sandbox)
    make.member(customer.organisation, role=Role.MANAGER)
    forget_charge()

    done = compare()

    found = Difference.objects.get()
    assert done.found == (found,)
    assert (found.kind, found.reference, found.owner) == (
        DifferenceKind.MISSING_HERE,
        charge.capture,
        "finance",
    )
    assert (found.organisation, found.charge) == (customer.organisation, None)
    assert found.detail["theirs"]["amount"] == 5_500
    scope = stops.of_organisation(customer.organisation.pk)
    assert ChargingStop.objects.get(scope=scope).actor == "system:reconciliation"


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        pytest.param(
            "UPDATE payments_charge SET amount = amount + 1", DifferenceKind.AMOUNT, id="amount"
        ),
        pytest.param(
            "UPDATE payments_charge SET currency = 'USD'", DifferenceKind.AMOUNT, id="currency"
        ),
        pytest.param(
            "UPDATE payments_charge SET state = 'declined'", DifferenceKind.STATE, id="state"
        ),
        pytest.param(
            "UPDATE payments_charge SET capture = 'NOWHERE', key = 'z' || substr(key, 2)",
            DifferenceKind.MISSING_THERE,
            id="not there",
        ),
    ],
)
@pytest.mark.unsound_books
def test_what_differs_is_a_row_with_an_owner(
    sandbox: Sandbox, statement: str, kind: DifferenceKind
) -> None:
    customer, charge = collected.paid(sandbox)
    unguarded(statement)

    compare()

    found = Difference.objects.get(kind=kind)
    assert (found.organisation, found.charge_id, found.owner) == (
        customer.organisation,
        charge.pk,
        "finance",
    )
    assert found.detail["ours"] is not None


@pytest.mark.unsound_books
@pytest.mark.parametrize(
    ("statement", "is_stopped"),
    [
        pytest.param("UPDATE payments_charge SET state = 'declined'", True, id="declined here"),
        pytest.param("UPDATE payments_charge SET state = 'cancelled'", True, id="given up here"),
        pytest.param("UPDATE payments_charge SET amount = amount + 1", False, id="another amount"),
    ],
)
def test_whose_money_came_in_unknown_to_us_is_charged_no_more(
    sandbox: Sandbox, statement: str, is_stopped: bool
) -> None:
    customer, _ = collected.paid(sandbox)
    unguarded(statement)

    compare()

    scope = stops.of_organisation(customer.organisation.pk)
    assert ChargingStop.objects.filter(scope=scope).exists() is is_stopped


@pytest.mark.unsound_books
def test_a_second_run_finds_the_same_difference_and_adds_none(sandbox: Sandbox) -> None:
    collected.paid(sandbox)
    unguarded("UPDATE payments_charge SET amount = amount + 1")

    first, second = compare(), compare(now=LATER + timedelta(hours=1))

    assert (first.new, second.new) == (1, 0)
    assert second.found == first.found == (Difference.objects.get(),)
    assert Mail.objects.filter(subject__contains="difference").count() <= 1


@pytest.mark.unsound_books
def test_a_difference_that_vanishes_is_resolved_with_a_note(sandbox: Sandbox) -> None:
    collected.paid(sandbox)
    unguarded("UPDATE payments_charge SET amount = amount + 1")
    compare()
    unguarded("UPDATE payments_charge SET amount = amount - 1")

    done = compare(now=LATER + timedelta(hours=1))

    found = Difference.objects.get()
    assert (done.resolved, done.found) == (1, ())
    assert (found.resolved_by, found.resolution) == (
        "system:reconciliation",
        "Both sides agree at a later comparison.",
    )


@pytest.mark.unsound_books
def test_what_staff_have_settled_is_not_asked_again(sandbox: Sandbox) -> None:
    collected.paid(sandbox)
    unguarded("UPDATE payments_charge SET amount = amount + 1")
    compare()
    found = Difference.objects.get()

    assert reconcile.resolve(
        difference_id=found.pk, resolution="One yen of rounding.", actor="user:7", now=LATER
    )
    assert not reconcile.resolve(
        difference_id=found.pk, resolution="Again.", actor="user:8", now=LATER
    )

    assert compare().found == ()
    found.refresh_from_db()
    assert (found.resolved_by, found.resolution) == ("user:7", "One yen of rounding.")
    assert AuditEntry.objects.filter(action="difference.resolved").count() == 1
    unguarded("UPDATE payments_charge SET amount = amount + 1")
    assert compare().new == 1


@pytest.mark.unsound_books
def test_resolve_wants_a_reason(sandbox: Sandbox) -> None:
    collected.paid(sandbox)
    unguarded("UPDATE payments_charge SET amount = amount + 1")
    compare()
    found = Difference.objects.get()

    with pytest.raises(ReasonMissing):
        reconcile.resolve(difference_id=found.pk, resolution=" ", actor="user:7", now=LATER)

    assert Difference.objects.get().resolved_at is None


def test_a_chargeback_is_booked_from_the_providers_books(sandbox: Sandbox) -> None:
    _, charge = collected.paid(sandbox)
    sandbox.paypal.chargeback(charge.capture)

    done = compare()

    refund = Refund.objects.get()
    assert (refund.charge, refund.amount, refund.kind) == (charge, 5_500, RefundKind.REVERSAL)
    assert (done.run.matched, done.new) == (2, 0)
    assert Payable.objects.get().balance == 5_500


def test_what_is_too_young_for_a_report_is_not_judged(sandbox: Sandbox) -> None:
    collected.paid(sandbox)
    sandbox.paypal.reporting_delay = timedelta(hours=3)

    with pytest.raises(reconcile.NothingToCompare):
        compare(since=NOW, now=NOW + timedelta(hours=4))
    done = compare(now=NOW + timedelta(hours=2))

    assert done.found == ()


def test_a_provider_that_is_away_leaves_nothing(sandbox: Sandbox) -> None:
    collected.paid(sandbox)
    sandbox.stop_listening()

    with pytest.raises(GatewayUnreachable):
        compare()

    assert Reconciliation.objects.count() == 0


# --- nightly ---


def test_plan_asks_once_for_the_days_that_are_over(sandbox: Sandbox) -> None:
    collected.paid(sandbox)

    # 2026-11-23 03:59 in Tokyo: the 22nd is over, but its report may not be complete.
    reconcile.plan(datetime(2026, 11, 22, 18, 59, tzinfo=UTC))
    assert not Work.objects.filter(kind="payments.reconcile").exists()
    for _ in range(2):
        reconcile.plan(datetime(2026, 11, 22, 19, 0, tzinfo=UTC))

    asked = Work.objects.get(kind="payments.reconcile")
    assert asked.payload == {"gateway": "paypal", "since": "2026-11-22", "until": "2026-11-23"}


def test_a_night_that_was_missed_is_made_up_for(sandbox: Sandbox) -> None:
    collected.paid(sandbox)
    reconcile.reconcile_days(
        slug="paypal", since=date(2026, 11, 20), until=date(2026, 11, 22), now=LATER
    )

    reconcile.plan(NOW + timedelta(days=3))

    asked = Work.objects.get(kind="payments.reconcile")
    assert asked.payload == {"gateway": "paypal", "since": "2026-11-22", "until": "2026-11-25"}


def test_the_nightly_work_compares(sandbox: Sandbox) -> None:
    collected.paid(sandbox)
    with clock.fixed_at(TOMORROW):
        reconcile.plan(TOMORROW)
        work.run_due([work.GATEWAY_QUEUE])

    assert Reconciliation.objects.get().matched == 1
    assert (
        reconcile.reconcile_days(
            slug="paid", since=date(2026, 11, 20), until=date(2026, 11, 22), now=LATER
        )
        is None
    )


# --- Paid, by file ---


def test_a_settlement_file_notes_what_was_paid_out(sandbox: Sandbox, tmp_path: Path) -> None:
    charge = collected.paid_by_invoice(sandbox)
    sandbox.paid.settle(on=date(2026, 12, 28))
    file = tmp_path / "paid-2026-11.csv"
    file.write_bytes(sandbox.paid.settlement_csv("2026-11"))

    out = io.StringIO()
    call_command("reconcile", "--gateway", "paid", "--file", str(file), stdout=out)

    charge.refresh_from_db()
    assert charge.settled_on == date(2026, 12, 28)
    run = Reconciliation.objects.get()
    assert (run.source, run.matched, run.different) == ("paid-2026-11.csv", 1, 0)
    assert "1 agree, 0 differ" in out.getvalue()


def test_a_settlement_file_of_another_price_differs(sandbox: Sandbox) -> None:
    charge = collected.paid_by_invoice(sandbox)
    head = "b2bCreditId,b2bMemberId,price,fixedAt,settledAt\r\n"
    file = f"{head}{charge.key},x,5499,2026/11/22,\r\n".encode()

    done = reconcile.reconcile_file(slug="paid", name="f.csv", file=file, now=LATER)

    assert [each.kind for each in done.found] == [DifferenceKind.AMOUNT]


def test_a_settlement_file_without_a_charge_of_its_time_differs(sandbox: Sandbox) -> None:
    collected.paid_by_invoice(sandbox)
    file = b"b2bCreditId,b2bMemberId,price,fixedAt,settledAt\r\n"

    done = reconcile.reconcile_file(
        slug="paid", name="f.csv", file=file, window=Window(SINCE, TOMORROW), now=TOMORROW
    )

    assert [each.kind for each in done.found] == [DifferenceKind.MISSING_THERE]


# --- commands ---


def test_the_command_tells_what_agrees(sandbox: Sandbox) -> None:
    collected.paid(sandbox)
    out, errors = io.StringIO(), io.StringIO()

    with clock.fixed_at(TOMORROW):
        call_command("reconcile", stdout=out, stderr=errors)

    assert out.getvalue() == (
        "paypal, 2026-11-22 14:00 to 2026-11-23 10:00 (api): 1 agree, 0 differ (0 new),"
        " 0 settled by themselves, 0 are none of ours.\n"
    )
    assert errors.getvalue() == "paid: Paid's records come by file.\n"


@pytest.mark.unsound_books
def test_the_command_ends_with_one_where_books_differ(sandbox: Sandbox) -> None:
    _, charge = collected.paid(sandbox)
    unguarded("UPDATE payments_charge SET amount = amount + 1")
    out = io.StringIO()

    with clock.fixed_at(TOMORROW), pytest.raises(SystemExit) as ended:
        call_command("reconcile", "--gateway", "paypal", "--json", stdout=out)

    assert ended.value.code == 1
    [told] = orjson.loads(out.getvalue())
    assert [each["reference"] for each in told["differences"]] == [charge.capture]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--gateway", "stripe"], "no gateway stripe", id="an unknown gateway"),
        pytest.param(["--file", "x.csv"], "--gateway", id="a file of nobody"),
        pytest.param(["--since", "October"], "2026-11-22", id="no day"),
        pytest.param(
            ["--gateway", "paid", "--file", "/nowhere.csv"], "cannot be read", id="no file"
        ),
    ],
)
def test_the_command_refuses(sandbox: Sandbox, arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("reconcile", *arguments)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        pytest.param(["reconcile", "--since=2026-13-01"], "'2026-13-01' is no day", id="reconcile"),
        pytest.param(["run_month", "2026-13"], "'2026-13' is no month", id="run_month"),
    ],
)
def test_what_is_no_day_is_said_without_a_traceback(
    capsys: pytest.CaptureFixture[str], command: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        execute_from_command_line(["manage.py", *command])

    assert ended.value.code == 2
    assert said in capsys.readouterr().err


# --- restore mode ---


def test_restore_mode_stops_and_goes_on_after_a_clean_comparison(sandbox: Sandbox) -> None:
    collected.paid(sandbox)
    with clock.fixed_at(NOW + timedelta(minutes=1)):
        call_command(
            "restore_mode", "on", "--reason", "Restored last night's backup.", stdout=io.StringIO()
        )
    assert stops.is_stopped(organisation_id=1, gateway="paypal") == "Restored last night's backup."

    with pytest.raises(CommandError, match="PayPal"):
        call_command("restore_mode", "off", "--reason", "Compared.")
    # This one does not reach to the stop.
    compare(now=NOW + timedelta(hours=4))
    with pytest.raises(CommandError, match="PayPal"):
        call_command("restore_mode", "off", "--reason", "Compared.")
    compare()
    call_command("restore_mode", "off", "--reason", "Compared.", stdout=io.StringIO())

    assert stops.is_stopped(organisation_id=1, gateway="paypal") == ""


@pytest.mark.unsound_books
def test_restore_mode_stays_while_anything_differs(sandbox: Sandbox) -> None:
    collected.paid(sandbox)
    forget_charge()
    restoring.enter(reason="Restored.", actor="user:7", now=NOW)
    compare()

    with pytest.raises(restoring.NotReconciled, match="PayPal"):
        restoring.leave(reason="Compared.", actor="user:7", now=LATER)
    reconcile.resolve(
        difference_id=Difference.objects.get().pk,
        resolution="Given back by hand at PayPal.",
        actor="user:7",
        now=LATER,
    )
    assert restoring.leave(reason="Compared.", actor="user:7", now=LATER)


def test_restore_mode_goes_by_force_and_says_so(sandbox: Sandbox) -> None:
    collected.paid(sandbox)
    restoring.enter(reason="Restored.", actor="user:7", now=NOW)

    assert restoring.leave(reason="By telephone.", actor="user:7", now=LATER, force=True)

    said = AuditEntry.objects.get(action="charging.resumed").details["reason"]
    assert said == "By telephone. (by force, not reconciled: PayPal)"


def test_restore_mode_wants_a_reason(sandbox: Sandbox) -> None:
    with pytest.raises(CommandError, match="--reason"):
        call_command("restore_mode", "on")
    assert ChargingStop.objects.count() == 0

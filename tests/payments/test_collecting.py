"""From an issued invoice to its money, without anybody's doing. Rule: B-10, B-14, R1."""

import threading
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from django.db import connection
from pytest_django import Settings

from accounts.enums import PaymentTerms
from core import clock, work
from core.models import Mail
from gateway_sandbox import Sandbox
from payments.enums import ChargeState, Hold, Initiator, PayableState
from payments.gateways import registry
from payments.models import Charge, Payable
from payments.queries import payables
from payments.services import charges, collecting, stops
from tests import make
from tests.payments import collected

pytestmark = pytest.mark.django_db

NOW = make.NOW


def tick(now: datetime, sandbox: Sandbox) -> None:
    """Do all that is due at `now`, at the sandbox's side too."""
    sandbox.set_time(now)
    with clock.fixed_at(now):
        work.plan(now)
        work.run_due()


def states(payable: Payable) -> list[tuple[str, str]]:
    return [(each.state, each.code) for each in payable.charges.order_by("id")]


def test_an_invoice_is_charged_once_on_the_day_it_is_issued(sandbox: Sandbox) -> None:
    customer = collected.customer(sandbox)

    for minute in range(3):
        tick(NOW + timedelta(minutes=minute), sandbox)

    customer.payable.refresh_from_db()
    assert customer.payable.state == PayableState.PAID
    assert customer.payable.balance == 0
    assert states(customer.payable) == [("succeeded", "")]
    assert [(row.amount, row.currency) for row in sandbox.ledger.captures] == [(5_500, "JPY")]


def test_an_invoice_without_a_method_waits_and_is_charged_once_there_is_one(
    sandbox: Sandbox,
) -> None:
    organisation, root = collected.billed("Aoba")
    tick(NOW, sandbox)
    payable = Payable.objects.get(organisation=organisation)
    assert (payable.hold, payable.next_charge_at) == (Hold.NO_METHOD, None)
    assert sandbox.ledger.captures == []

    collected.paypal_method(organisation, root, sandbox)
    tick(NOW + timedelta(minutes=1), sandbox)

    payable.refresh_from_db()
    assert (payable.state, payable.hold) == (PayableState.PAID, Hold.NOTHING)
    assert [row.amount for row in sandbox.ledger.captures] == [5_500]


def test_a_declined_month_is_tried_again_after_1_3_and_7_days_and_is_then_overdue(
    sandbox: Sandbox,
) -> None:
    customer = collected.customer(sandbox, email="poor@example.com")
    sandbox.paypal.decline("poor@example.com")
    tried: list[datetime] = []

    for hours in range(0, 24 * 9, 6):
        at = NOW + timedelta(hours=hours)
        before = customer.payable.charges.count()
        tick(at, sandbox)
        if customer.payable.charges.count() > before:
            tried.append(at)

    customer.payable.refresh_from_db()
    assert [at - NOW for at in tried] == [timedelta(days=days) for days in (0, 1, 3, 7)]
    assert states(customer.payable) == [("declined", "INSTRUMENT_DECLINED")] * 4
    assert customer.payable.hold == Hold.DECLINED
    assert customer.payable.overdue_at == NOW + timedelta(days=7)
    assert payables.is_overdue(customer.organisation.pk)
    assert sandbox.ledger.taken("JPY") == 0


def test_what_is_declined_to_the_end_is_overdue_on_the_day_after_it_is_due(
    sandbox: Sandbox,
) -> None:
    organisation, root = collected.billed("Aoba", terms=PaymentTerms.PAID)
    payable = Payable.objects.get(organisation=organisation)
    assert payable.due_on == date(2026, 12, 31)
    collected.paypal_method(organisation, root, sandbox, email="poor@example.com")
    sandbox.paypal.decline("poor@example.com")

    for hours in range(0, 24 * 8, 6):
        tick(NOW + timedelta(hours=hours), sandbox)

    payable.refresh_from_db()
    assert states(payable) == [("declined", "INSTRUMENT_DECLINED")] * 4
    assert (payable.hold, payable.overdue_at) == (Hold.DECLINED, None)
    assert not payables.is_overdue(organisation.pk)
    subjects = Mail.objects.values_list("subject", flat=True)
    assert sum("お支払いを確認できませんでした：" in each for each in subjects) == 4

    tick(datetime(2026, 12, 31, 23, 59, tzinfo=collected.TOKYO), sandbox)
    assert not payables.is_overdue(organisation.pk)
    tick(datetime(2027, 1, 1, 0, 1, tzinfo=collected.TOKYO), sandbox)
    assert payables.is_overdue(organisation.pk)


def test_a_declined_month_recovers_by_itself(sandbox: Sandbox) -> None:
    customer = collected.customer(sandbox, email="late@example.com")
    sandbox.paypal.decline("late@example.com")
    tick(NOW, sandbox)
    sandbox.paypal.accept("late@example.com")

    tick(NOW + timedelta(hours=23), sandbox)
    assert customer.payable.charges.count() == 1
    tick(NOW + timedelta(days=1), sandbox)

    customer.payable.refresh_from_db()
    assert states(customer.payable) == [("declined", "INSTRUMENT_DECLINED"), ("succeeded", "")]
    assert (customer.payable.state, customer.payable.overdue_at) == (PayableState.PAID, None)
    assert sandbox.ledger.taken("JPY") == 5_500


def test_a_provider_away_for_three_days_uses_up_no_try(sandbox: Sandbox) -> None:
    """F04: nothing was sent, so to try again is safe, and nothing is declined."""
    customer = collected.customer(sandbox)
    sandbox.stop_listening()
    for hours in range(0, 72, 4):
        tick(NOW + timedelta(hours=hours), sandbox)
    customer.payable.refresh_from_db()
    assert (customer.payable.declines, customer.payable.overdue_at) == (0, None)
    assert [state for state, _ in states(customer.payable)] == ["prepared"]

    sandbox.listen_again()
    tick(NOW + timedelta(hours=73), sandbox)

    customer.payable.refresh_from_db()
    assert customer.payable.state == PayableState.PAID
    assert [state for state, _ in states(customer.payable)] == ["succeeded"]
    assert len(sandbox.ledger.captures) == 1


@pytest.mark.parametrize(
    "scope", ["all", "gateway:paypal", "organisation"], ids=["everywhere", "provider", "customer"]
)
def test_nothing_is_charged_while_charging_is_stopped(sandbox: Sandbox, scope: str) -> None:
    customer = collected.customer(sandbox)
    scope = f"organisation:{customer.organisation.pk}" if scope == "organisation" else scope
    stops.stop(scope=scope, reason="restored from a backup", actor=make.ACTOR, now=NOW)

    tick(NOW, sandbox)
    assert sandbox.ledger.requests_to("POST /v2/checkout/orders") == []
    stops.lift(scope=scope, reason="reconciled", actor=make.ACTOR, now=NOW)
    tick(NOW + timedelta(minutes=1), sandbox)

    assert states(customer.payable) == [("succeeded", "")]


def test_a_provider_that_refuses_us_stops_charging_and_declines_nobody(sandbox: Sandbox) -> None:
    first = collected.customer(sandbox, name="Aoba")
    second = collected.customer(sandbox, name="Wakaba", email="other@example.com")
    sandbox.faults.status("POST /v2/checkout/orders", 403, issue="PERMISSION_DENIED", times=None)

    tick(NOW, sandbox)

    assert stops.is_stopped(organisation_id=first.organisation.pk, gateway="paypal") != ""
    assert len(sandbox.ledger.requests_to("POST /v2/checkout/orders")) == 1
    for customer in (first, second):
        customer.payable.refresh_from_db()
        assert (customer.payable.declines, customer.payable.state) == (0, PayableState.OPEN)
    assert Mail.objects.filter(subject__contains="paypal").count() == 1

    sandbox.faults.clear()
    stops.lift(scope="gateway:paypal", reason="keys mended", actor=make.ACTOR, now=NOW)
    tick(NOW + timedelta(minutes=5), sandbox)
    assert [row.amount for row in sandbox.ledger.captures] == [5_500, 5_500]


@pytest.mark.parametrize("says", ["declined", "accepted"])
def test_what_a_customer_asks_for_uses_up_no_try(sandbox: Sandbox, says: str) -> None:
    customer = collected.customer(sandbox, email="poor@example.com")
    if says == "declined":
        sandbox.paypal.decline("poor@example.com")
    charge = charges.prepare(
        payable_id=customer.payable.pk,
        initiator=Initiator.CUSTOMER,
        actor=f"user:{customer.root.pk}",
        now=NOW,
    )
    charges.carry_out(charge_id=charge.pk, now=NOW)

    customer.payable.refresh_from_db()
    assert customer.payable.declines == 0
    assert customer.payable.state == (
        PayableState.OPEN if says == "declined" else PayableState.PAID
    )


def test_one_attempt_is_live_at_a_time(sandbox: Sandbox) -> None:
    customer = collected.customer(sandbox)
    charges.prepare(
        payable_id=customer.payable.pk, initiator=Initiator.SCHEDULE, actor=make.ACTOR, now=NOW
    )

    with pytest.raises(charges.AttemptUnderWay):
        charges.prepare_once(
            payable_id=customer.payable.pk, gateway="paypal", actor=make.ACTOR, now=NOW
        )

    assert customer.payable.charges.count() == 1


def test_an_attempt_of_another_account_is_not_carried_out(
    sandbox: Sandbox, settings: Settings
) -> None:
    """F40: keys were exchanged under data that are not theirs."""
    customer = collected.customer(sandbox)
    charge = charges.prepare(
        payable_id=customer.payable.pk, initiator=Initiator.SCHEDULE, actor=make.ACTOR, now=NOW
    )
    settings.PAYPAL = replace(settings.PAYPAL, merchant="ANOTHERMERCHANT")
    registry.forget()

    with pytest.raises(charges.AccountDiffers):
        charges.carry_out(charge_id=charge.pk, now=NOW)

    charge.refresh_from_db()
    assert charge.state == ChargeState.PREPARED
    assert sandbox.ledger.requests_to("POST /v2/checkout/orders") == []


@pytest.mark.django_db(transaction=True)
def test_two_planners_at_once_take_up_an_invoice_once(sandbox: Sandbox) -> None:
    collected.billed("Aoba", take_up=False)
    barrier = threading.Barrier(2)
    faults: list[BaseException] = []

    def take_up() -> None:
        try:
            barrier.wait(10)
            collecting.take_up(NOW)
        except BaseException as fault:  # noqa: BLE001  told below
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=take_up) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert faults == []
    assert Payable.objects.count() == 1


def test_take_up_leaves_nothing_to_a_second_run(sandbox: Sandbox) -> None:
    collected.billed("Aoba", take_up=False)
    collected.billed("Wakaba", take_up=False)

    assert [collecting.take_up(NOW), collecting.take_up(NOW)] == [2, 0]
    assert Payable.objects.count() == 2
    assert Charge.objects.count() == 0

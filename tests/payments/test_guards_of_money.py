"""Guards taken away, one at a time: what they keep out then happens, and the audit sees it. Rule: T3."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from core import books
from core.ids import new_key
from gateway_sandbox import Sandbox
from payments.enums import ChargeState, PayableState
from payments.models import Charge, Payable, Refund
from payments.services import charges, moves
from payments.services.charges import results
from tests import make
from tests.payments import backs, collected
from tests.payments.collected import Customer
from tests.payments.farside import booked, taken

pytestmark = [pytest.mark.django_db, pytest.mark.unsound_books]

NOW = make.NOW
LATER = NOW + timedelta(minutes=1)


@pytest.fixture
def aoba(sandbox: Sandbox) -> Customer:
    return collected.customer(sandbox)


def sql(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def breaches() -> set[str]:
    """Return the invariants that the audit finds broken."""
    return {breach.invariant for breach in books.breaches(now=LATER)}


def is_refused(do: Callable[[], object]) -> bool:
    """Return whether the database refuses it; nothing has changed then."""
    try:
        with transaction.atomic():
            do()
    except IntegrityError:
        return True
    return False


def another(charge: Charge, **changes: Any) -> Charge:
    """Store one more attempt, like another one, past every service."""
    values = {
        field.attname: getattr(charge, field.attname)
        for field in Charge._meta.concrete_fields
        if field.attname not in {"id", "public_id"}
    }
    made = Charge.objects.create(**(values | {"key": new_key()} | changes))
    moves.note_new(made, actor=make.ACTOR, now=NOW)
    return made


def test_t3_without_one_live_attempt_two_are_under_way(aoba: Customer) -> None:
    first = charges.prepare_once(
        payable_id=aoba.payable.pk, gateway="paypal", actor=make.ACTOR, now=NOW
    )
    assert is_refused(lambda: another(first))
    assert "I06" not in breaches()

    sql("DROP INDEX charge_one_live")
    another(first)

    assert "I06" in breaches()


def test_t3_without_one_name_for_money_the_same_capture_is_booked_twice(
    aoba: Customer, sandbox: Sandbox
) -> None:
    first = collected.charge(aoba.payable)
    assert is_refused(lambda: another(first))
    assert "I05" not in breaches()

    sql("DROP INDEX charge_capture")
    another(first)

    assert "I05" in breaches()
    assert booked() != taken(sandbox)


def test_t3_without_the_sum_of_refunds_more_goes_back_than_came_in(
    aoba: Customer, sandbox: Sandbox
) -> None:
    charge = collected.charge(aoba.payable)
    backs.credit(aoba.payable, 5_500)
    refund = Refund.objects.get()

    def once_more() -> None:
        Refund.objects.create(
            organisation_id=refund.organisation_id,
            charge=charge,
            operation=uuid4(),
            key="another-refund",
            amount=1,
            currency="JPY",
            reason="again",
            requested_by=make.ACTOR,
            created_at=NOW,
        )

    assert is_refused(once_more)
    assert "I09" not in breaches()

    sql("DROP TRIGGER payments_refund_within_charge ON payments_refund")
    once_more()

    assert "I09" in breaches()


def test_t3_without_the_moves_a_decided_attempt_moves_again(aoba: Customer) -> None:
    charge = collected.charge(aoba.payable)

    def undo() -> None:
        Charge.objects.filter(pk=charge.pk).update(state=ChargeState.UNDECIDED, decided_at=None)

    assert is_refused(undo)
    assert "I10" not in breaches()

    sql("DROP TRIGGER payments_charge_moves ON payments_charge")
    undo()

    assert "I10" in breaches()


def test_t3_without_the_comparison_money_that_differs_is_booked(
    aoba: Customer, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "is_meant", lambda *_: True)
    sandbox.paypal.wrong_amount(-1)

    collected.charge(aoba.payable)

    assert Payable.objects.get().state == PayableState.PAID
    assert booked() != taken(sandbox)


def test_t3_without_the_intent_before_the_call_a_sent_attempt_was_never_stored(
    aoba: Customer,
) -> None:
    charge = collected.charge(aoba.payable)
    assert not {"I06", "I10"} & breaches()

    sql(
        "DROP TRIGGER payments_transition_append_only ON payments_transition",
        f"DELETE FROM payments_transition WHERE subject = 'charge' AND subject_id = {charge.pk}"
        " AND after = 'prepared'",
    )

    assert {"I06", "I10"} <= breaches()


def test_t3_without_its_organisation_a_charge_pays_for_another(
    aoba: Customer, sandbox: Sandbox
) -> None:
    other = collected.customer(sandbox, name="Wakaba", email="other@example.com")
    charge = collected.charge(aoba.payable)

    def stray() -> None:
        Charge.objects.filter(pk=charge.pk).update(payable=other.payable)
        sql("SET CONSTRAINTS ALL IMMEDIATE")

    sql("DROP TRIGGER payments_charge_frozen ON payments_charge")
    assert is_refused(stray)

    sql(
        "SET CONSTRAINTS ALL IMMEDIATE",
        "ALTER TABLE payments_charge DROP CONSTRAINT payments_charge_same_organisation",
    )
    stray()

    assert {"I05", "I07"} <= breaches()

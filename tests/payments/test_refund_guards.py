"""What the database itself refuses of refunds and corrections, whatever asks for it. Rule: I09, I10."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from core.ids import new_key
from gateway_sandbox import Sandbox
from payments.enums import REFUND_MOVES, CorrectionState, RefundState
from payments.models import Charge, Correction, Refund
from tests.payments import collected
from tests.payments.backs import HANAKO, NOW, TARO, credit

pytestmark = [pytest.mark.django_db, pytest.mark.unsound_books]


@pytest.fixture
def charge(sandbox: Sandbox) -> Charge:
    """5,500 yen, captured."""
    return collected.paid(sandbox)[1]


def refund(charge: Charge, amount: int, **values: Any) -> Refund:
    return Refund.objects.create(
        **{
            "organisation_id": charge.organisation_id,
            "charge": charge,
            "operation": uuid4(),
            "key": new_key(),
            "amount": amount,
            "currency": charge.currency,
            "reason": "x",
            "requested_by": HANAKO,
            "created_at": NOW,
            **values,
        }
    )


def failed(charge: Charge, amount: int) -> Refund:
    made = refund(charge, amount)
    for state in (RefundState.SENT, RefundState.FAILED):
        Refund.objects.filter(pk=made.pk).update(state=state, decided_at=NOW)
    return made


def test_refunds_never_come_to_more_than_was_captured(charge: Charge) -> None:
    refund(charge, 5_000)
    refund(charge, 500)

    with pytest.raises(IntegrityError, match="refunds of charge"), transaction.atomic():
        refund(charge, 1)


def test_a_refund_is_in_the_currency_of_its_charge(charge: Charge) -> None:
    with pytest.raises(IntegrityError, match="refunds of charge"), transaction.atomic():
        refund(charge, 1, currency="USD")


def test_what_stands_for_a_failed_refund_comes_to_no_more_than_it(charge: Charge) -> None:
    lost = failed(charge, 1_000)
    refund(charge, 600, instead_of=lost)

    with pytest.raises(IntegrityError, match="cannot stand for"), transaction.atomic():
        refund(charge, 401, instead_of=lost)
    refund(charge, 400, instead_of=lost)


def test_only_what_failed_is_made_good(charge: Charge) -> None:
    under_way = refund(charge, 1_000)

    with pytest.raises(IntegrityError, match="cannot stand for"), transaction.atomic():
        refund(charge, 1_000, instead_of=under_way)


@pytest.mark.parametrize(
    ("column", "value"),
    [("amount", 1), ("kind", "reversal"), ("reason", "another"), ("is_by_hand", True)],
)
def test_what_a_refund_is_about_never_changes(column: str, value: object, charge: Charge) -> None:
    made = refund(charge, 500)

    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        Refund.objects.filter(pk=made.pk).update(**{column: value})


@pytest.mark.parametrize("before", list(RefundState))
def test_a_refund_moves_as_the_table_says(before: RefundState, charge: Charge) -> None:
    for after in RefundState:
        made = refund(charge, 10)
        _put(made, before)
        change = Refund.objects.filter(pk=made.pk)
        if after in REFUND_MOVES[before] or after == before:
            with transaction.atomic():
                assert change.update(state=after) == 1
        else:
            with pytest.raises(IntegrityError, match="does not become"), transaction.atomic():
                change.update(state=after)


def _put(made: Refund, state: RefundState) -> None:
    """Write a state past the triggers."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "UPDATE payments_refund SET state = %s WHERE id = %s", [state.value, made.pk]
        )
        cursor.execute("SET session_replication_role = origin")


def test_a_decided_correction_never_changes(charge: Charge) -> None:
    done = credit(charge.payable, 1_000).correction

    for change in ({"state": CorrectionState.REJECTED}, {"decided_by": TARO}):
        with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
            Correction.objects.filter(pk=done.pk).update(**change)


@pytest.mark.parametrize("table", ["payments_refund", "payments_correction"])
def test_neither_is_ever_deleted(table: str, charge: Charge) -> None:
    credit(charge.payable, 1_000)

    with (
        pytest.raises(IntegrityError),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"DELETE FROM {table}")


def test_a_correction_is_of_one_organisation(charge: Charge, sandbox: Sandbox) -> None:
    other = collected.customer(sandbox, name="Other", email="other@example.com")

    with pytest.raises(IntegrityError, match="same_organisation"), transaction.atomic():
        Correction.objects.create(
            organisation=other.organisation,
            payable=charge.payable,
            kind="write_off",
            state=CorrectionState.WAITING,
            operation=uuid4(),
            gross=1,
            currency="JPY",
            reason="x",
            is_alone=False,
            requested_by=HANAKO,
            requested_at=NOW,
        )

"""Money that Paid collected is given back by people: Paid takes no call for it. Rule: gateways.md 3.3."""

import pytest

from core.models import AuditEntry, Mail
from gateway_sandbox import Sandbox
from payments.enums import ChargeState, Initiator, PayableState
from payments.gateways import registry
from payments.gateways.base import Intent
from payments.models import Charge, Payable
from payments.queries import refunds as queries
from payments.services import charges, moves, refunds
from tests.payments import collected
from tests.payments.backs import HANAKO, NOW, TARO, credit, paid_method, parked, states, sums, tick

pytestmark = pytest.mark.django_db


@pytest.fixture
def charge(sandbox: Sandbox) -> Charge:
    """5,500 yen, fixed at Paid."""
    customer = collected.customer(sandbox)
    paid_method(customer.organisation, customer.root, sandbox)
    made = collected.charge(customer.payable)
    assert (made.gateway, made.state) == ("paid", ChargeState.SUCCEEDED)
    return made


def test_what_paid_collected_is_made_good_by_hand(charge: Charge, sandbox: Sandbox) -> None:
    payable = Payable.objects.get()
    (first,) = credit(payable, 2_000).refunds
    (second,) = credit(payable, 1_000).refunds
    tick()

    assert [state for _, state in states()] == ["failed", "failed"]
    assert ([row.status for row in sandbox.ledger.trades], parked()) == (["fixed"], [])
    assert [row.pk for row in queries.for_staff(NOW)] == [first.pk, second.pk]
    assert Mail.objects.filter(text__contains=first.key).count() == 1

    made = refunds.record_by_hand(
        charge_id=charge.pk,
        amount=2_000,
        reference="FURIKOMI-1",
        reason="bank transfer",
        actor=TARO,
        now=NOW,
    )
    with pytest.raises(refunds.MoreThanFailed):
        refunds.record_by_hand(
            charge_id=charge.pk,
            amount=1_001,
            reference="FURIKOMI-2",
            reason="bank transfer",
            actor=TARO,
            now=NOW,
        )

    assert (made.instead_of_id, made.is_by_hand, made.credit_note) == (
        first.pk,
        True,
        first.credit_note,
    )
    assert [row.pk for row in queries.for_staff(NOW)] == [second.pk]
    assert sums(payable) == (PayableState.PAID, 3_000, 5_500, 2_000)
    entry = AuditEntry.objects.get(action="refund.succeeded")
    assert (entry.actor, entry.details["reason"]) == (TARO, "bank transfer")


def test_a_credit_lets_the_credit_go_that_was_reserved_at_paid(sandbox: Sandbox) -> None:
    """Reserved and not fixed: nothing was taken yet, and another amount is owed now."""
    customer = collected.customer(sandbox)
    method = paid_method(customer.organisation, customer.root, sandbox)
    reserved = charges.prepare(
        payable_id=customer.payable.pk, initiator=Initiator.SCHEDULE, actor=HANAKO, now=NOW
    )
    registry.gateway("paid").start(
        Intent(
            key=reserved.key,
            number=reserved.number,
            amount=reserved.amount,
            currency="JPY",
            description=reserved.description,
            on=reserved.on,
            payer=method.payer,
        ),
        return_url="",
        cancel_url="",
    )
    for state in (ChargeState.SENT, ChargeState.STARTED):
        moves.move_charge(reserved, state, now=NOW, step="start", called_at=NOW, sent_at=NOW)

    credit(customer.payable, 2_000)
    again = collected.charge(customer.payable)

    reserved.refresh_from_db()
    assert reserved.state == ChargeState.CANCELLED
    assert [(row.price, row.status) for row in sandbox.ledger.trades] == [
        (5_500, "cancelled"),
        (3_500, "fixed"),
    ]
    assert sums(customer.payable) == (PayableState.PAID, 2_000, 3_500, 0)
    assert again.amount == 3_500


def test_nothing_is_credited_while_paid_cannot_be_told(sandbox: Sandbox) -> None:
    customer = collected.customer(sandbox)
    paid_method(customer.organisation, customer.root, sandbox)
    reserved = charges.prepare(
        payable_id=customer.payable.pk, initiator=Initiator.SCHEDULE, actor=HANAKO, now=NOW
    )
    for state in (ChargeState.SENT, ChargeState.STARTED):
        moves.move_charge(reserved, state, now=NOW, step="start", called_at=NOW, sent_at=NOW)
    sandbox.stop_listening()

    with pytest.raises(charges.NotNow):
        credit(customer.payable)

    assert sums(customer.payable) == (PayableState.OPEN, 0, 0, 0)
    reserved.refresh_from_db()
    assert reserved.state == ChargeState.STARTED

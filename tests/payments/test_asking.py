"""What staff have done at once: refused where there is nothing to do, and then nothing is stored."""

import pytest

from core.models import AuditEntry, Work
from core.work import ReasonMissing
from gateway_sandbox import Sandbox
from payments import jobs
from payments.enums import ChargeState, Hold, RefundState
from payments.models import Charge, Payable, Refund
from payments.services import asking, charges, methods
from tests.payments import backs, collected, offices
from tests.payments.backs import HANAKO, NOW, REASON

pytestmark = pytest.mark.django_db


def asked() -> list[str]:
    """Return what was written into the trail, and what work there is, about asking at once."""
    kinds = [jobs.LOOK.kind, jobs.LOOK_AT_METHOD.kind]
    return [
        *AuditEntry.objects.filter(action__endswith="asked_about").values_list("action", flat=True),
        *Work.objects.filter(kind__in=kinds).values_list("kind", flat=True),
    ]


def test_nobody_is_asked_about_what_is_decided_or_was_never_sent(sandbox: Sandbox) -> None:
    owing, paid = collected.paid(sandbox)
    prepared = offices.charge(
        collected.customer(sandbox, name="Beta", email="b@example.com").payable,
        ChargeState.PREPARED,
    )
    (refund,) = backs.credit(owing.payable, 2_000).refunds
    methods.detach(method_id=owing.method.pk, reason=REASON, actor=HANAKO, now=NOW)

    for charge in (paid, prepared):
        with pytest.raises(asking.NothingToAsk):
            asking.about_charge(charge_id=charge.pk, reason=REASON, actor=HANAKO, now=NOW)
    with pytest.raises(asking.NothingToAsk):
        asking.about_refund(refund_id=refund.pk, reason=REASON, actor=HANAKO, now=NOW)
    with pytest.raises(asking.NothingToAsk):
        asking.about_method(method_id=owing.method.pk, reason=REASON, actor=HANAKO, now=NOW)

    assert asked() == []


def test_without_a_reason_nothing_is_asked_or_charged(sandbox: Sandbox) -> None:
    owing = collected.customer(sandbox)
    charge = offices.charge(owing.payable, ChargeState.UNDECIDED)
    other = collected.customer(sandbox, name="Beta", email="b@example.com")

    with pytest.raises(ReasonMissing):
        asking.about_charge(charge_id=charge.pk, reason=" ", actor=HANAKO, now=NOW)
    with pytest.raises(ReasonMissing):
        asking.about_method(method_id=owing.method.pk, reason=" ", actor=HANAKO, now=NOW)
    with pytest.raises(ReasonMissing):
        asking.close_not_taken(charge_id=charge.pk, reason=" ", actor=HANAKO, now=NOW)
    with pytest.raises(ReasonMissing):
        asking.charge_now(payable_id=other.payable.pk, reason=" ", actor=HANAKO, now=NOW)

    assert asked() == []
    assert list(Charge.objects.values_list("state", flat=True)) == ["undecided"]


def test_a_refund_that_nobody_knows_of_is_looked_up_at_once(sandbox: Sandbox) -> None:
    owing, _ = collected.paid(sandbox)
    sandbox.faults.lose_reply(backs.REFUND_CALL)
    backs.credit(owing.payable, 2_000)
    backs.tick()
    undecided = Refund.objects.get(state=RefundState.UNDECIDED)

    asking.about_refund(refund_id=undecided.pk, reason=REASON, actor=HANAKO, now=NOW)
    backs.tick()

    assert backs.states() == [(2_000, RefundState.SUCCEEDED)]
    assert offices.trail("refund.asked_about") == {"reason": REASON}


def test_a_document_is_charged_at_once_only_where_a_charge_may_be(sandbox: Sandbox) -> None:
    owing = collected.customer(sandbox)
    payable_id = owing.payable.pk

    Payable.objects.update(hold=Hold.REVERSED, next_charge_at=None)
    with pytest.raises(asking.Held):
        asking.charge_now(payable_id=payable_id, reason=REASON, actor=HANAKO, now=NOW)
    Payable.objects.update(hold=Hold.NOTHING)

    asking.charge_now(payable_id=payable_id, reason=REASON, actor=HANAKO, now=NOW)
    with pytest.raises(charges.AttemptUnderWay):
        asking.charge_now(payable_id=payable_id, reason=REASON, actor=HANAKO, now=NOW)
    backs.tick()
    with pytest.raises(charges.NotOwed):
        asking.charge_now(payable_id=payable_id, reason=REASON, actor=HANAKO, now=NOW)

    assert AuditEntry.objects.filter(action="payable.charged_now").count() == 1
    assert Charge.objects.count() == 1


def test_a_stop_keeps_staff_too_from_charging_and_leaves_no_attempt(sandbox: Sandbox) -> None:
    owing = collected.customer(sandbox)
    offices.stop_everything("After a restore")

    with pytest.raises(charges.Stopped):
        asking.charge_now(payable_id=owing.payable.pk, reason=REASON, actor=HANAKO, now=NOW)

    assert not Charge.objects.exists()

"""Money given back through PayPal: each answer, each fault, over real HTTP. Rule: R6, I09, F10, F18."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from pytest_django import Settings

from core import books, clock
from core.models import AuditEntry, Mail, Work
from gateway_sandbox import Sandbox
from payments.enums import DifferenceKind, PayableState, RefundState
from payments.gateways import registry
from payments.models import (
    Charge,
    ChargingStop,
    Difference,
    Payable,
    PaymentMethod,
    Refund,
    Transition,
)
from payments.queries import refunds as queries
from payments.services import collecting, methods, refunds, stops
from payments.services.moves import move_refund
from tests.payments import collected
from tests.payments.backs import (
    HANAKO,
    NOW,
    REFUND_CALL,
    TARO,
    assert_books_agree,
    credit,
    paid_method,
    parked,
    states,
    sums,
    tick,
)
from tests.payments.collected import Customer

pytestmark = pytest.mark.django_db
MINUTES, HOURS, DAYS = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def paid(sandbox: Sandbox) -> Customer:
    """5,500 yen, captured."""
    customer, _ = collected.paid(sandbox)
    return customer


@pytest.fixture
def owed_back(paid: Customer) -> Refund:
    """2,000 of 5,500 credited, their refund prepared and not sent."""
    (refund,) = credit(paid.payable, 2_000).refunds
    return refund


def now_of(refund: Refund) -> Refund:
    return Refund.objects.select_related("charge__payable").get(pk=refund.pk)


def steps_of(refund: Refund) -> list[str]:
    rows = Transition.objects.filter(subject="refund", subject_id=refund.pk).order_by("id")
    return list(rows.values_list("after", flat=True))


def test_a_refund_goes_from_intent_to_money(
    paid: Customer, owed_back: Refund, sandbox: Sandbox
) -> None:
    tick()

    refund = now_of(owed_back)
    (there,) = sandbox.ledger.refunds
    assert (refund.state, refund.reference, refund.decided_at) == ("succeeded", there.id, NOW)
    assert (there.amount, there.custom_id, there.note) == (2_000, refund.key, "Outage on 5 October")
    assert sums(refund.charge.payable) == (PayableState.PAID, 2_000, 5_500, 2_000)
    assert steps_of(refund) == ["prepared", "sent", "succeeded"]
    assert AuditEntry.objects.filter(action="refund.succeeded").count() == 1
    assert Mail.objects.filter(text__contains="2,000", to=[paid.root.email]).count() == 1
    assert_books_agree(sandbox)


def test_a_refund_that_is_made_is_not_made_again(owed_back: Refund, sandbox: Sandbox) -> None:
    tick()

    refunds.carry_out(refund_id=owed_back.pk, now=NOW)
    refunds.look(refund_id=owed_back.pk, now=NOW + DAYS)
    tick(NOW + DAYS)

    assert len(sandbox.ledger.requests_to(REFUND_CALL)) == 1
    assert_books_agree(sandbox)


@pytest.mark.parametrize("fault", ["lose_reply", "cut_reply", "empty_200", "invalid_json"])
def test_an_answer_that_is_lost_gives_the_money_back_once(
    fault: str, owed_back: Refund, sandbox: Sandbox
) -> None:
    getattr(sandbox.faults, fault)(REFUND_CALL)

    tick()
    assert now_of(owed_back).state == RefundState.UNDECIDED
    assert sums(owed_back.charge.payable) == (PayableState.PAID, 2_000, 5_500, 0)

    tick(NOW + 5 * MINUTES)
    assert now_of(owed_back).state == RefundState.SUCCEEDED
    assert [row.amount for row in sandbox.ledger.refunds] == [2_000]
    assert_books_agree(sandbox)


def test_a_request_that_is_lost_is_made_again_with_the_same_key(
    owed_back: Refund, sandbox: Sandbox
) -> None:
    sandbox.faults.lose_request(REFUND_CALL)

    tick()
    tick(NOW + 5 * MINUTES)

    assert now_of(owed_back).state == RefundState.SUCCEEDED
    keys = {
        row.headers.get("PayPal-Request-Id") or row.headers.get("paypal-request-id")
        for row in sandbox.ledger.requests_to(REFUND_CALL)
    }
    assert keys == {owed_back.key}
    assert_books_agree(sandbox)


def test_a_provider_that_is_away_for_days_is_tried_again_until_it_is_back(
    owed_back: Refund, sandbox: Sandbox
) -> None:
    sandbox.stop_listening()
    for hour in range(73):
        tick(NOW + hour * HOURS)
    waiting = now_of(owed_back)
    assert (waiting.state, waiting.sent_at) == (RefundState.PREPARED, None)
    assert waiting.next_look_at is not None
    assert waiting.code.startswith("unreachable")
    assert not parked()

    sandbox.listen_again()
    tick(NOW + 74 * HOURS)

    assert now_of(owed_back).state == RefundState.SUCCEEDED
    assert len(sandbox.ledger.requests_to(REFUND_CALL)) == 1
    assert_books_agree(sandbox)


def test_a_provider_that_refuses_us_stops_and_goes_on_when_the_stop_is_lifted(
    owed_back: Refund, sandbox: Sandbox
) -> None:
    refusal = sandbox.faults.status(REFUND_CALL, 403, issue="PERMISSION_DENIED", times=None)

    tick()
    assert now_of(owed_back).state == RefundState.PREPARED
    assert list(ChargingStop.objects.values_list("scope", flat=True)) == ["gateway:paypal"]
    tick(NOW + DAYS)
    assert refusal.hits == 1

    refusal.remove()
    stops.lift(scope="gateway:paypal", reason="rights are given", actor=HANAKO, now=NOW + DAYS)
    tick(NOW + 2 * DAYS)
    assert now_of(owed_back).state == RefundState.SUCCEEDED
    assert_books_agree(sandbox)


@pytest.mark.parametrize("scope", ["all", "gateway:paypal", "organisation"])
def test_nothing_is_sent_while_charging_is_stopped(
    scope: str, owed_back: Refund, sandbox: Sandbox
) -> None:
    if scope == "organisation":
        scope = stops.of_organisation(owed_back.organisation_id)
    stops.stop(scope=scope, reason="restored from a backup", actor=HANAKO, now=NOW)

    tick()
    refunds.carry_out(refund_id=owed_back.pk, now=NOW)

    assert now_of(owed_back).state == RefundState.PREPARED
    assert sandbox.ledger.requests_to(REFUND_CALL) == []


def test_a_pending_refund_is_looked_up_until_it_is_made(
    owed_back: Refund, sandbox: Sandbox
) -> None:
    sandbox.paypal.pending_refunds()
    tick()
    assert now_of(owed_back).state == RefundState.PENDING
    (there,) = sandbox.ledger.refunds
    tick(NOW + 5 * MINUTES)
    assert now_of(owed_back).state == RefundState.PENDING
    assert sums(owed_back.charge.payable)[3] == 0

    sandbox.paypal.complete_refund(there.id)
    tick(NOW + 2 * HOURS)

    assert steps_of(owed_back) == ["prepared", "sent", "pending", "succeeded"]
    assert len(sandbox.ledger.requests_to(REFUND_CALL)) == 1
    assert_books_agree(sandbox)


def test_a_pending_refund_that_fails_waits_for_staff(owed_back: Refund, sandbox: Sandbox) -> None:
    sandbox.paypal.pending_refunds()
    tick()
    sandbox.paypal.fail_refund(sandbox.ledger.refunds[0].id)

    tick(NOW + 5 * MINUTES)
    tick(NOW + DAYS)

    assert states() == [(2_000, RefundState.FAILED)]
    assert [row.pk for row in queries.for_staff(NOW)] == [owed_back.pk]
    assert Mail.objects.filter(text__contains=owed_back.key).count() == 1
    assert sums(owed_back.charge.payable) == (PayableState.PAID, 2_000, 5_500, 0)


def test_what_the_provider_refuses_is_made_good_by_hand(
    owed_back: Refund, sandbox: Sandbox
) -> None:
    sandbox.faults.status(REFUND_CALL, 422, issue="REFUND_FAILED_INSUFFICIENT_FUNDS")
    tick()
    assert now_of(owed_back).state == RefundState.FAILED

    with pytest.raises(refunds.MoreThanFailed):
        by_hand(owed_back, 2_001, "TR-1")
    part = by_hand(owed_back, 1_500, "TR-1")
    assert by_hand(owed_back, 1_500, "TR-1") == part
    with pytest.raises(refunds.ReferenceTaken):
        by_hand(owed_back, 500, "TR-1")
    by_hand(owed_back, 500, "TR-2")
    with pytest.raises(refunds.NotFailed):
        by_hand(owed_back, 1, "TR-3")

    assert states() == [(2_000, "failed"), (1_500, "succeeded"), (500, "succeeded")]
    assert sums(owed_back.charge.payable) == (PayableState.PAID, 2_000, 5_500, 2_000)
    assert not queries.for_staff(NOW).exists()
    assert refunds.return_surplus(payable_id=owed_back.charge.payable_id, now=NOW) == ()


def test_what_is_recorded_by_hand_says_why_and_by_which_name(owed_back: Refund) -> None:
    with pytest.raises(refunds.NotFailed):
        by_hand(owed_back, 2_000, "TR-1")
    with pytest.raises(refunds.ReferenceMissing):
        by_hand(owed_back, 2_000, " ")
    with pytest.raises(refunds.ReasonMissing):
        by_hand(owed_back, 2_000, "TR-1", reason=" ")

    assert states() == [(2_000, RefundState.PREPARED)]


def by_hand(
    refund: Refund, amount: int, reference: str, *, reason: str = "bank transfer"
) -> Refund:
    return refunds.record_by_hand(
        refund_id=refund.pk,
        amount=amount,
        reference=reference,
        reason=reason,
        actor=TARO,
        now=NOW,
    )


def test_what_failed_is_tried_again_with_a_new_key(owed_back: Refund, sandbox: Sandbox) -> None:
    sandbox.faults.status(REFUND_CALL, 422, issue="REFUND_FAILED_INSUFFICIENT_FUNDS")
    tick()

    again = refunds.try_again(refund_id=owed_back.pk, reason="funded", actor=TARO, now=NOW)
    with pytest.raises(refunds.NotFailed):
        refunds.try_again(refund_id=owed_back.pk, reason="funded", actor=TARO, now=NOW)
    tick()

    assert again.key != owed_back.key
    assert states() == [(2_000, "failed"), (2_000, "succeeded")]
    assert sums(owed_back.charge.payable) == (PayableState.PAID, 2_000, 5_500, 2_000)
    assert_books_agree(sandbox)


def test_an_answer_of_another_amount_books_nothing(owed_back: Refund, sandbox: Sandbox) -> None:
    def less(answer: dict[str, object]) -> dict[str, object]:
        return answer | {"amount": {"currency_code": "JPY", "value": "1999"}}

    sandbox.faults.change(REFUND_CALL, less)
    tick()
    tick(NOW + DAYS)

    refund = now_of(owed_back)
    assert (refund.state, refund.code) == (RefundState.UNDECIDED, "differs")
    assert sums(refund.charge.payable)[3] == 0
    difference = Difference.objects.get()
    assert (difference.kind, difference.detail["amount"]) == (DifferenceKind.AMOUNT, 1_999)
    assert [row.pk for row in queries.for_staff(NOW)] == [refund.pk]


def test_staff_cannot_say_that_a_refund_was_not_made_while_the_provider_does_not_answer(
    owed_back: Refund, sandbox: Sandbox
) -> None:
    later = NOW + 46 * DAYS  # the key is dead by then, so that PayPal itself is asked
    sandbox.faults.lose_reply(REFUND_CALL)
    tick()
    sandbox.set_time(later)
    sandbox.faults.status("GET /*", 503, times=None)

    with clock.fixed_at(later), pytest.raises(refunds.NotAnswered):
        refunds.decide_not_made(refund_id=owed_back.pk, reason="no trace", actor=TARO, now=later)

    assert now_of(owed_back).state == RefundState.UNDECIDED


def test_staff_name_an_undecided_refund_and_the_provider_is_believed(
    owed_back: Refund, sandbox: Sandbox
) -> None:
    sandbox.faults.lose_reply(REFUND_CALL)
    tick()
    (there,) = sandbox.ledger.refunds

    with pytest.raises(refunds.NotKnownThere):
        refunds.decide_made(
            refund_id=owed_back.pk, reference="NOSUCH", reason="seen", actor=TARO, now=NOW
        )
    assert now_of(owed_back).reference == ""
    refunds.decide_made(
        refund_id=owed_back.pk, reference=there.id, reason="seen at PayPal", actor=TARO, now=NOW
    )

    assert now_of(owed_back).state == RefundState.SUCCEEDED
    assert_books_agree(sandbox)


def test_staff_decide_that_a_refund_was_not_made_only_after_the_portal_has_asked_for_days(
    owed_back: Refund, sandbox: Sandbox
) -> None:
    sandbox.faults.lose_request(REFUND_CALL, times=None)
    tick()
    with pytest.raises(refunds.StillAsked):
        refunds.decide_not_made(refund_id=owed_back.pk, reason="no trace", actor=TARO, now=NOW)

    for day in range(1, 5):
        tick(NOW + day * DAYS)
    assert Difference.objects.filter(refund=owed_back, resolved_at=None).count() == 1
    refunds.decide_not_made(
        refund_id=owed_back.pk, reason="no trace", actor=TARO, now=NOW + 5 * DAYS
    )

    assert states() == [(2_000, RefundState.FAILED)]
    assert not Difference.objects.filter(resolved_at=None).exists()
    assert sandbox.ledger.refunds == []


def test_a_call_that_never_came_back_is_asked_about(owed_back: Refund, sandbox: Sandbox) -> None:
    """A process that ended in the call left SENT behind."""
    move_refund(owed_back, RefundState.SENT, now=NOW, called_at=NOW, sent_at=NOW)

    tick(NOW + 2 * MINUTES)
    assert now_of(owed_back).state == RefundState.SENT
    tick(NOW + 3 * MINUTES)

    assert now_of(owed_back).state == RefundState.SUCCEEDED
    assert_books_agree(sandbox)


def test_a_refund_of_another_account_is_never_sent(
    owed_back: Refund, sandbox: Sandbox, settings: Settings
) -> None:
    settings.PAYPAL = replace(settings.PAYPAL, merchant="ANOTHER")
    registry.forget()

    tick()

    assert now_of(owed_back).code == "account_differs"
    assert now_of(owed_back).state == RefundState.FAILED
    assert sandbox.ledger.refunds == []


# --- captured twice ---


@pytest.fixture
def twice(sandbox: Sandbox) -> tuple[Charge, Charge]:
    """5,500 yen fixed at Paid and, as if that had not been known, captured by PayPal the day after."""
    customer = collected.customer(sandbox)
    paid_method(customer.organisation, customer.root, sandbox)
    first = collected.charge(customer.payable)
    payables = Payable.objects.filter(pk=customer.payable.pk)
    payables.update(state=PayableState.OPEN, captured=0, closed_at=None)
    for method in PaymentMethod.objects.filter(state="active"):
        methods.detach(method_id=method.pk, reason="changed", actor=HANAKO, now=NOW)
    collected.paypal_method(customer.organisation, customer.root, sandbox)
    second = collected.charge(customer.payable, now=NOW + DAYS)
    payables.update(captured=11_000)
    return first, second


def test_what_was_captured_twice_is_found_and_given_back_once(
    twice: tuple[Charge, Charge], sandbox: Sandbox
) -> None:
    for _ in range(2):
        collecting.plan(NOW)
        tick()

    (refund,) = Refund.objects.all()
    assert (refund.charge, refund.amount, refund.state) == (twice[1], 5_500, "succeeded")
    assert refund.credit_note is None
    assert sums(twice[0].payable) == (PayableState.PAID, 0, 11_000, 5_500)
    assert [row.amount for row in sandbox.ledger.refunds] == [5_500]


def test_a_surplus_is_returned_once_and_staff_are_told_once(twice: tuple[Charge, Charge]) -> None:
    payable_id = twice[0].payable_id

    first = refunds.return_surplus(payable_id=payable_id, now=NOW)
    again = refunds.return_surplus(payable_id=payable_id, now=NOW)

    assert ([each.amount for each in first], again) == ([5_500], ())
    assert Mail.objects.filter(text__contains=twice[1].capture).count() == 1


def test_what_two_charges_paid_is_given_back_of_both(
    twice: tuple[Charge, Charge], sandbox: Sandbox
) -> None:
    """11,000 were captured of 5,500; credited in whole, all of it goes back, of Paid's by hand."""
    outcome = credit(twice[0].payable)
    tick()

    rows = Refund.objects.order_by("id").values_list("charge", "amount", "credit_note", "state")
    assert list(rows) == [
        (twice[1].pk, 5_500, None, "succeeded"),
        (twice[0].pk, 5_500, outcome.credit_note and outcome.credit_note.pk, "failed"),
    ]
    assert [each.charge_id for each in outcome.refunds] == [twice[0].pk]
    assert sums(twice[0].payable) == (PayableState.VOID, 5_500, 11_000, 5_500)
    assert refunds.return_surplus(payable_id=twice[0].payable_id, now=NOW) == ()


# --- what the audit of the books says of it ---


def test_the_books_are_sound_while_staff_make_good_in_parts(
    owed_back: Refund, sandbox: Sandbox
) -> None:
    sandbox.faults.status(REFUND_CALL, 422, issue="REFUND_FAILED_INSUFFICIENT_FUNDS")
    tick()
    by_hand(owed_back, 1_500, "TR-1")

    assert about_refunds(NOW + 10 * DAYS) == []


@pytest.mark.unsound_books
def test_a_refund_that_nobody_looks_after_is_a_breach(owed_back: Refund) -> None:
    assert about_refunds(NOW + 2 * DAYS) == []

    (breach,) = about_refunds(NOW + 4 * DAYS)

    assert breach.startswith("I06 a refund has been under way for more than three days")


def about_refunds(now: datetime) -> list[str]:
    """Return the breaches that the audit finds of attempts and refunds, with time gone by."""
    Work.objects.all().delete()
    among = [check for check in books.checks() if check.invariant in {"I06", "I07", "I09"}]
    return [str(breach) for breach in books.breaches(now=now, among=among)]

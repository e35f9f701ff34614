"""What staff decide about what is owed: each outcome, each refusal, twice. Rule: B-11, ASVS 2.3.5."""

from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from pytest_django import Settings

from billing.models import Invoice
from core.models import AuditEntry, Mail
from gateway_sandbox import Sandbox
from payments.enums import (
    ChargeState,
    CorrectionState,
    Hold,
    Initiator,
    PayableState,
)
from payments.models import Charge, Correction, Difference, Payable, Refund
from payments.queries import refunds as queries
from payments.rules.refunds import Share
from payments.services import charges, collecting, corrections, refunds
from payments.services.moves import move_charge
from tests.billing import books
from tests.payments import collected
from tests.payments.backs import (
    HANAKO,
    NOW,
    TARO,
    assert_books_agree,
    credit,
    states,
    sums,
    tick,
)
from tests.payments.collected import Customer

pytestmark = pytest.mark.django_db
OPEN, PAID, VOID, WRITTEN_OFF = (
    PayableState.OPEN,
    PayableState.PAID,
    PayableState.VOID,
    PayableState.WRITTEN_OFF,
)


@pytest.fixture
def owing(sandbox: Sandbox) -> Customer:
    """5,500 yen are owed and nothing was charged."""
    return collected.customer(sandbox)


@pytest.fixture
def paid(sandbox: Sandbox) -> Customer:
    """5,500 yen, captured."""
    return collected.paid(sandbox)[0]


def row(customer: Customer) -> Payable:
    return Payable.objects.get(pk=customer.payable.pk)


def notes() -> list[tuple[int, int, int]]:
    found = Invoice.objects.filter(kind="credit_note").order_by("number")
    return list(found.values_list("net", "tax", "gross"))


def prepared(customer: Customer) -> Charge:
    return charges.prepare(
        payable_id=customer.payable.pk, initiator=Initiator.SCHEDULE, actor=HANAKO, now=NOW
    )


# --- a credit of what is paid ---


def test_a_whole_credit_gives_all_back(paid: Customer, sandbox: Sandbox) -> None:
    outcome = credit(paid.payable)
    assert sums(paid.payable) == (VOID, 5_500, 5_500, 0)
    tick()

    assert notes() == [(5_000, 500, 5_500)]
    assert outcome.credit_note is not None
    assert [(row.amount, row.credit_note) for row in outcome.refunds] == [
        (5_500, outcome.credit_note)
    ]
    assert sums(paid.payable) == (VOID, 5_500, 5_500, 5_500)
    assert_books_agree(sandbox)


def test_parts_are_credited_until_nothing_is_left(paid: Customer, sandbox: Sandbox) -> None:
    """1,000 of 5,500 holds 90.9 of tax; note and refund agree to the yen each time."""
    for _ in range(5):
        credit(paid.payable, 1_000)
        tick()
    with pytest.raises(corrections.MoreThanLeft):
        credit(paid.payable, 501)
    credit(paid.payable)
    tick()

    assert states() == [(1_000, "succeeded")] * 5 + [(500, "succeeded")]
    pairs = Refund.objects.order_by("id").values_list("amount", "credit_note__gross")
    assert all(amount == gross for amount, gross in pairs)
    assert sum(tax for _, tax, _ in notes()) == 500
    assert sums(paid.payable) == (VOID, 5_500, 5_500, 5_500)
    with pytest.raises(corrections.NothingLeft):
        credit(paid.payable)
    assert_books_agree(sandbox)


def test_the_same_form_again_is_the_same_outcome(paid: Customer) -> None:
    operation = uuid4()

    first = credit(paid.payable, 1_000, operation=operation)
    again = credit(paid.payable, 1_000, operation=operation)

    assert (again.correction, again.refunds) == (first.correction, first.refunds)
    assert len(notes()) == 1
    with pytest.raises(corrections.OperationTaken):
        credit(paid.payable, 1_001, operation=operation)
    with pytest.raises(corrections.OperationTaken):
        credit(paid.payable, 1_000, operation=operation, reason="another")


@pytest.mark.parametrize(
    ("gross", "reason", "refusal"),
    [
        pytest.param(0, "x", corrections.NotAnAmount, id="nothing"),
        pytest.param(-1, "x", corrections.NotAnAmount, id="below nothing"),
        pytest.param(5_501, "x", corrections.MoreThanLeft, id="more than the invoice"),
        pytest.param(1_000, " \n", corrections.ReasonMissing, id="no reason"),
    ],
)
def test_a_refused_credit_changes_nothing(
    gross: int, reason: str, refusal: type[Exception], paid: Customer
) -> None:
    with pytest.raises(refusal):
        credit(paid.payable, gross, reason=reason)

    assert (notes(), states(), Correction.objects.count()) == ([], [], 0)
    assert sums(paid.payable) == (PAID, 0, 5_500, 0)


def test_a_credit_note_is_not_credited(paid: Customer) -> None:
    note = credit(paid.payable, 1_000).credit_note
    assert note is not None

    with pytest.raises(corrections.NotCreditable):
        corrections.credit_and_refund(
            invoice_id=note.pk,
            gross=None,
            reason="x",
            operation=uuid4(),
            actor=HANAKO,
            now=NOW,
        )


def test_a_failed_refund_is_not_asked_for_again_by_the_next_credit(
    paid: Customer, sandbox: Sandbox
) -> None:
    sandbox.faults.status("POST /v2/payments/captures/*/refund", 422, issue="REFUND_NOT_ALLOWED")
    credit(paid.payable, 1_000)
    tick()

    outcome = credit(paid.payable, 2_000)
    tick()

    assert [each.amount for each in outcome.refunds] == [2_000]
    assert states() == [(1_000, "failed"), (2_000, "succeeded")]
    assert sums(paid.payable) == (PAID, 3_000, 5_500, 2_000)
    assert_books_agree(sandbox)


# --- a credit of what is not paid ---


def test_a_credit_of_what_is_not_paid_lowers_what_is_collected(
    owing: Customer, sandbox: Sandbox
) -> None:
    outcome = credit(owing.payable, 2_000)
    assert (outcome.refunds, sums(owing.payable)) == ((), (OPEN, 2_000, 0, 0))

    charge = collected.charge(owing.payable)

    assert (charge.amount, charge.state) == (3_500, ChargeState.SUCCEEDED)
    assert sums(owing.payable) == (PAID, 2_000, 3_500, 0)
    credit(owing.payable, 1_000)
    tick()
    assert sums(owing.payable) == (PAID, 3_000, 3_500, 1_000)
    assert_books_agree(sandbox)


def test_a_whole_credit_of_what_is_not_paid_voids_it_and_the_charge_prepared_for_it(
    owing: Customer, sandbox: Sandbox
) -> None:
    charge = prepared(owing)

    credit(owing.payable)

    charge.refresh_from_db()
    assert charge.state == ChargeState.CANCELLED
    assert sums(owing.payable) == (VOID, 5_500, 0, 0)
    assert row(owing).next_charge_at is None
    assert sandbox.ledger.captures == []


@pytest.mark.parametrize("state", [ChargeState.SENT, ChargeState.PENDING, ChargeState.UNDECIDED])
def test_nothing_is_credited_while_a_charge_is_not_decided(
    state: ChargeState, owing: Customer
) -> None:
    charge = prepared(owing)
    move_charge(charge, ChargeState.SENT, now=NOW, step="capture", called_at=NOW, sent_at=NOW)
    if state != ChargeState.SENT:
        move_charge(charge, state, now=NOW)

    with pytest.raises(corrections.ChargeUnderWay):
        credit(owing.payable, 1_000)

    assert (notes(), Correction.objects.count()) == ([], 0)
    assert sums(owing.payable) == (OPEN, 0, 0, 0)


def test_a_capture_that_is_pending_is_credited_once_it_is_decided(
    owing: Customer, sandbox: Sandbox
) -> None:
    sandbox.paypal.pending()
    charge = collected.charge(owing.payable)
    with pytest.raises(corrections.ChargeUnderWay):
        credit(owing.payable)
    sandbox.paypal.complete(sandbox.ledger.captures[0].id)
    charges.look(charge_id=charge.pk, now=NOW)

    credit(owing.payable)
    tick()

    assert sums(owing.payable) == (VOID, 5_500, 5_500, 5_500)
    assert_books_agree(sandbox)


def test_an_invoice_that_collecting_has_not_taken_up_is_credited(db: None) -> None:
    books.customer(books.starter(), calls=150_000)
    books.bill()
    invoice = Invoice.objects.get()
    assert queries.preview(invoice_id=invoice.pk, gross=50).still_owed == 6_000

    corrections.credit_and_refund(
        invoice_id=invoice.pk, gross=50, reason="x", operation=uuid4(), actor=HANAKO, now=NOW
    )

    assert sums(Payable.objects.get(invoice=invoice)) == (OPEN, 50, 0, 0)


# --- the second person ---


@pytest.fixture
def limit(settings: Settings) -> int:
    settings.REFUND_ALONE_UP_TO = 2_000
    return 2_000


def test_above_the_limit_nothing_happens_before_a_second_person_approves(
    paid: Customer, limit: int, sandbox: Sandbox
) -> None:
    asked = credit(paid.payable, limit + 1)
    assert asked.is_waiting
    assert (notes(), states(), sums(paid.payable)) == ([], [], (PAID, 0, 5_500, 0))
    assert Mail.objects.filter(text__contains="Outage on 5 October").exists()

    with pytest.raises(corrections.SamePerson):
        corrections.approve(correction_id=asked.correction.pk, actor=HANAKO, now=NOW)
    assert notes() == []

    done = corrections.approve(correction_id=asked.correction.pk, actor=TARO, now=NOW)
    again = corrections.approve(correction_id=asked.correction.pk, actor=TARO, now=NOW)
    tick()

    assert done.refunds == again.refunds
    (refund,) = Refund.objects.all()
    assert (refund.requested_by, refund.approved_by, refund.amount) == (HANAKO, TARO, 2_001)
    assert sums(paid.payable) == (PAID, 2_001, 5_500, 2_001)
    actions = AuditEntry.objects.filter(action__startswith="correction.").order_by("id")
    assert list(actions.values_list("action", "actor")) == [
        ("correction.requested", HANAKO),
        ("correction.done", TARO),
    ]
    assert_books_agree(sandbox)


def test_parts_do_not_get_round_the_limit(paid: Customer, limit: int) -> None:
    assert not credit(paid.payable, limit).is_waiting
    assert credit(paid.payable, 1, actor=TARO).is_waiting


def test_only_one_correction_of_a_document_waits(paid: Customer, limit: int) -> None:
    operation = uuid4()
    asked = credit(paid.payable, operation=operation)

    assert credit(paid.payable, operation=operation).correction == asked.correction
    with pytest.raises(corrections.OtherWaits):
        credit(paid.payable)


def test_what_is_rejected_is_never_done(paid: Customer, limit: int) -> None:
    asked = credit(paid.payable).correction
    with pytest.raises(corrections.ReasonMissing):
        corrections.reject(correction_id=asked.pk, reason="", actor=TARO, now=NOW)

    corrections.reject(correction_id=asked.pk, reason="not agreed", actor=TARO, now=NOW)

    with pytest.raises(corrections.AlreadyDecided):
        corrections.approve(correction_id=asked.pk, actor=TARO, now=NOW)
    with pytest.raises(corrections.AlreadyDecided):
        corrections.reject(correction_id=asked.pk, reason="again", actor=TARO, now=NOW)
    assert (notes(), states()) == ([], [])
    assert credit(paid.payable).is_waiting


def test_what_is_not_left_any_more_is_not_approved(paid: Customer, limit: int) -> None:
    asked = credit(paid.payable).correction
    assert not credit(paid.payable, 1_000, actor=TARO).is_waiting

    with pytest.raises(corrections.MoreThanLeft):
        corrections.approve(correction_id=asked.pk, actor=TARO, now=NOW)

    asked.refresh_from_db()
    assert asked.state == CorrectionState.WAITING
    assert notes() == [(910, 90, 1_000)]


def test_the_database_too_wants_a_second_person(paid: Customer, limit: int) -> None:
    asked = credit(paid.payable).correction

    with pytest.raises(IntegrityError, match="correction_second_person"), transaction.atomic():
        Correction.objects.filter(pk=asked.pk).update(
            state=CorrectionState.DONE,
            decided_by=HANAKO,
            decided_at=NOW,
            credit_note=paid.payable.invoice,
        )
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        Correction.objects.filter(pk=asked.pk).update(gross=1)


# --- what is given up, and taken up again ---


def give_up(customer: Customer, *, actor: str = HANAKO) -> corrections.Outcome:
    return corrections.write_off(
        payable_id=customer.payable.pk, reason="bankrupt", operation=uuid4(), actor=actor, now=NOW
    )


def test_what_is_written_off_is_not_charged_until_it_is_reopened(owing: Customer) -> None:
    assert not give_up(owing).is_waiting
    assert sums(owing.payable)[0] == WRITTEN_OFF
    assert row(owing).next_charge_at is None
    with pytest.raises(charges.NotOwed):
        prepared(owing)
    with pytest.raises(corrections.NotOpen):
        give_up(owing)

    corrections.reopen(payable_id=owing.payable.pk, reason="it can pay", actor=TARO, now=NOW)

    assert (row(owing).state, row(owing).next_charge_at) == (OPEN, NOW)
    with pytest.raises(corrections.NotWrittenOff):
        corrections.reopen(payable_id=owing.payable.pk, reason="again", actor=TARO, now=NOW)


def test_a_write_off_above_the_limit_waits_for_a_second_person(owing: Customer, limit: int) -> None:
    asked = give_up(owing).correction
    assert sums(owing.payable)[0] == OPEN
    with pytest.raises(corrections.SamePerson):
        corrections.approve(correction_id=asked.pk, actor=HANAKO, now=NOW)

    corrections.approve(correction_id=asked.pk, actor=TARO, now=NOW)

    assert sums(owing.payable)[0] == WRITTEN_OFF


def test_a_write_off_of_another_amount_than_was_asked_for_is_refused(
    owing: Customer, limit: int
) -> None:
    asked = give_up(owing).correction
    credit(owing.payable, 1_000)

    with pytest.raises(corrections.NotOpen):
        corrections.approve(correction_id=asked.pk, actor=TARO, now=NOW)

    assert sums(owing.payable) == (OPEN, 1_000, 0, 0)


# --- what the provider took back by itself ---


def reverse(
    charge: Charge, reference: str, amount: int = 5_500, code: str = "CHARGEBACK"
) -> Refund | None:
    return refunds.record_reversal(
        charge_id=charge.pk, reference=reference, amount=amount, code=code, now=NOW
    )


def test_a_chargeback_opens_what_was_paid_and_charges_nobody(
    paid: Customer, sandbox: Sandbox
) -> None:
    charge = Charge.objects.get()
    there = sandbox.paypal.chargeback(charge.capture)
    before = Invoice.objects.values().get()

    made = reverse(charge, there.id)
    again = reverse(charge, there.id)

    assert made is not None
    assert again == made
    assert sums(paid.payable) == (OPEN, 0, 5_500, 5_500)
    assert (row(paid).hold, row(paid).next_charge_at) == (Hold.REVERSED, None)
    assert Invoice.objects.values().get() == before
    assert Mail.objects.filter(text__contains="CHARGEBACK").count() == 1
    assert_books_agree(sandbox)


def test_a_method_that_works_again_does_not_charge_what_was_reversed(
    paid: Customer, sandbox: Sandbox
) -> None:
    charge = Charge.objects.get()
    reverse(charge, sandbox.paypal.chargeback(charge.capture).id)

    collecting.resume(organisation_id=paid.organisation.pk, now=NOW)
    assert row(paid).next_charge_at is None
    corrections.release_hold(payable_id=paid.payable.pk, reason="settled", actor=TARO, now=NOW)

    assert (row(paid).hold, row(paid).next_charge_at) == (Hold.NOTHING, NOW)
    assert not Difference.objects.filter(resolved_at=None).exists()
    with pytest.raises(corrections.NotHeld):
        corrections.release_hold(payable_id=paid.payable.pk, reason="x", actor=TARO, now=NOW)


def test_what_was_reversed_is_written_off_and_staff_have_nothing_left_to_do(
    paid: Customer, sandbox: Sandbox
) -> None:
    charge = Charge.objects.get()
    reverse(charge, sandbox.paypal.chargeback(charge.capture).id)
    assert Difference.objects.filter(resolved_at=None).count() == 1

    give_up(paid)

    assert sums(paid.payable) == (WRITTEN_OFF, 0, 5_500, 5_500)
    assert not Difference.objects.filter(resolved_at=None).exists()
    assert_books_agree(sandbox)


def test_a_reversal_drops_the_refund_that_was_not_sent(paid: Customer, sandbox: Sandbox) -> None:
    credit(paid.payable, 2_000)
    charge = Charge.objects.get()

    reverse(charge, sandbox.paypal.chargeback(charge.capture).id)
    tick()

    assert states() == [(2_000, "rejected"), (5_500, "succeeded")]
    assert sums(paid.payable) == (OPEN, 2_000, 5_500, 5_500)
    assert_books_agree(sandbox)


def test_a_reversal_of_more_than_is_left_is_noted_and_not_booked(
    paid: Customer, sandbox: Sandbox
) -> None:
    credit(paid.payable, 2_000)
    tick()
    charge = Charge.objects.get()

    assert reverse(charge, "R-1", 5_500) is None
    assert reverse(charge, "R-1", 5_500) is None

    assert sums(paid.payable) == (PAID, 2_000, 5_500, 2_000)
    assert Mail.objects.filter(text__contains="R-1").count() == 1
    made = reverse(charge, "R-2", 3_500)
    assert made is not None
    assert sums(paid.payable) == (OPEN, 2_000, 5_500, 5_500)


def test_a_refund_made_at_the_providers_pages_is_credited_without_a_second(
    paid: Customer, sandbox: Sandbox
) -> None:
    charge = Charge.objects.get()
    there = sandbox.paypal.reverse(charge.capture, 2_000)
    reverse(charge, there.id, 2_000, "refunded_there")

    credit(paid.payable, 2_000)
    tick()

    assert states() == [(2_000, "succeeded")]
    assert sums(paid.payable) == (PAID, 2_000, 5_500, 2_000)
    assert_books_agree(sandbox)


# --- what staff see before they confirm ---


def test_the_preview_says_what_the_credit_then_does(paid: Customer, limit: int) -> None:
    charge = Charge.objects.get()
    invoice_id = paid.payable.invoice_id or 0

    seen = queries.preview(invoice_id=invoice_id, gross=2_001)

    assert (seen.left, seen.gross, seen.refund, seen.still_owed) == (5_500, 2_001, 2_001, 0)
    assert seen.shares == (Share(charge.pk, 2_001),)
    assert (seen.needs_second, seen.waiting, seen.charge_under_way) == (True, None, None)
    assert queries.preview(invoice_id=invoice_id, gross=2_000).needs_second is False
    assert queries.preview(invoice_id=invoice_id).gross == 5_500

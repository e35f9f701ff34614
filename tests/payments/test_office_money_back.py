"""Staff credit, write off and give back: what would come of it is shown before it is done."""

from uuid import uuid4

import pytest
from pytest_django import Settings

from billing.models import Invoice
from core.models import AuditEntry
from gateway_sandbox import Sandbox
from payments.enums import CorrectionState, Hold, PayableState, RefundState
from payments.models import Charge, Correction, Payable, Refund
from payments.services import collecting
from tests.payments import backs, collected, offices

pytestmark = pytest.mark.django_db

MAY_CREDIT, MAY_DECIDE = "change_invoice", "change_correction"
MAY_COLLECT, MAY_REFUND = "change_payable", "change_refund"


@pytest.fixture
def paid(sandbox: Sandbox) -> Payable:
    """5,500 yen, charged and captured."""
    return collected.paid(sandbox)[0].payable


@pytest.fixture
def failed(sandbox: Sandbox, paid: Payable) -> Refund:
    """2,000 yen that PayPal would not give back."""
    sandbox.faults.status(backs.REFUND_CALL, 422, issue="REFUND_FAILED_INSUFFICIENT_FUNDS")
    backs.credit(paid, 2_000)
    backs.tick()
    return Refund.objects.get(state=RefundState.FAILED)


def invoice_of(payable: Payable) -> Invoice:
    return Invoice.objects.get(payable=payable)


def test_the_form_of_a_credit_shows_what_is_left_and_captured(paid: Payable) -> None:
    client, _ = offices.staff(MAY_CREDIT)
    backs.credit(paid, 500)

    answer = client.get(offices.act(invoice_of(paid), "credit"))

    assert 'value="Show what would come of it"' in offices.text(answer)
    assert dict(answer.context["facts"]) == {
        "Invoice": "¥5,500",
        "Left to be credited": "¥5,000",
        "Captured": "¥5,500",
        "Given back so far": "¥0",
    }


def test_staff_see_what_a_credit_brings_about_and_only_then_it_is_made(paid: Payable) -> None:
    client, user = offices.staff(MAY_CREDIT)
    invoice, operation = invoice_of(paid), str(uuid4())

    seen = offices.do(client, invoice, "credit", gross="2000", operation=operation)

    assert dict(seen.context["facts"]) == {
        "Credited": "¥2,000",
        "Given back": "¥2,000",
        "Still owed afterwards": "¥0",
        "Reason on the credit note": offices.ASKED,
        "A second person is needed": "no",
    }
    assert 'value="Credit"' in offices.text(seen)
    assert not Correction.objects.exists()

    for _ in range(2):
        answer = offices.do(
            client, invoice, "credit", gross="2000", operation=operation, sure="yes"
        )
        assert "The invoice is credited" in offices.text(answer)

    assert [(row.gross, row.requested_by) for row in Correction.objects.all()] == [
        (2_000, f"user:{user.pk}")
    ]
    assert backs.states() == [(2_000, RefundState.PREPARED)]
    assert offices.trail("correction.done")["reason"] == offices.ASKED


def test_an_empty_amount_credits_all_that_is_left(paid: Payable) -> None:
    client, _ = offices.staff(MAY_CREDIT)

    offices.do(client, invoice_of(paid), "credit", operation=str(uuid4()), sure="yes")

    assert backs.sums(paid) == (PayableState.VOID, 5_500, 5_500, 0)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        pytest.param({"gross": "5501"}, "more than is left", id="more than the invoice"),
        pytest.param({"gross": "0"}, "above zero", id="nothing"),
        pytest.param({"gross": "10.5"}, "no such decimals", id="half a yen"),
        pytest.param({"gross": "-1"}, "greater than or equal to 0", id="below zero"),
        pytest.param({"gross": "1", "reason": " "}, "This field is required.", id="no reason"),
        pytest.param({"gross": "1", "operation": "x"}, "valid UUID", id="no form of ours"),
    ],
)
def test_a_credit_that_cannot_be_is_refused_in_words(
    paid: Payable, typed: dict[str, str], said: str
) -> None:
    client, _ = offices.staff(MAY_CREDIT)

    for more in ({}, {"sure": "yes"}):
        answer = offices.do(
            client, invoice_of(paid), "credit", **{"operation": str(uuid4()), **typed, **more}
        )
        assert said in offices.text(answer)
    assert not Correction.objects.exists()


def test_a_forged_form_of_staff_who_may_only_look_credits_nothing(paid: Payable) -> None:
    client, _ = offices.staff(MAY_COLLECT, MAY_DECIDE, MAY_REFUND)

    answer = offices.do(client, invoice_of(paid), "credit", operation=str(uuid4()), sure="yes")

    assert answer.status_code == 403
    assert not Correction.objects.exists()


def test_a_second_person_approves_what_one_may_not_do_alone(
    paid: Payable, settings: Settings
) -> None:
    settings.REFUND_ALONE_UP_TO = 1_000
    hanako, asked_by = offices.staff(MAY_CREDIT, MAY_DECIDE)
    taro, approved_by = offices.staff(MAY_DECIDE)
    typed = {"gross": "2000", "operation": str(uuid4())}

    seen = offices.do(hanako, invoice_of(paid), "credit", **typed)
    assert dict(seen.context["facts"])["A second person is needed"] == "yes"
    answer = offices.do(hanako, invoice_of(paid), "credit", **typed, sure="yes")
    assert "It waits for a second person." in offices.text(answer)
    waiting = Correction.objects.get()

    refused = offices.do(hanako, waiting, "approve")
    assert "You asked for it yourself" in offices.text(refused)
    assert Correction.objects.get().state == CorrectionState.WAITING

    facts = dict(taro.get(offices.act(waiting, "approve")).context["facts"])
    assert (facts["Asked for by"], facts["Given back"]) == (asked_by.email, "¥2,000")
    assert "approved and done" in offices.text(offices.do(taro, waiting, "approve"))

    done = Correction.objects.get()
    assert (done.state, done.decided_by, done.decision) == (
        CorrectionState.DONE,
        f"user:{approved_by.pk}",
        offices.ASKED,
    )
    assert backs.states() == [(2_000, RefundState.PREPARED)]


def test_who_asked_withdraws_a_correction_and_a_forged_approval_does_nothing(
    paid: Payable, settings: Settings
) -> None:
    settings.REFUND_ALONE_UP_TO = 0
    client, _ = offices.staff(MAY_CREDIT, MAY_DECIDE)
    offices.do(client, invoice_of(paid), "credit", operation=str(uuid4()), sure="yes")
    waiting = Correction.objects.get()

    assert offices.do(offices.staff(MAY_CREDIT)[0], waiting, "approve").status_code == 403
    assert "This field is required." in offices.text(
        offices.do(client, waiting, "reject", reason="")
    )
    assert "It is not done." in offices.text(offices.do(client, waiting, "reject"))

    assert Correction.objects.get().state == CorrectionState.REJECTED
    assert "cannot be done any more" in offices.text(offices.do(client, waiting, "approve"))
    assert backs.sums(paid) == (PayableState.PAID, 0, 5_500, 0)


def test_what_is_open_is_written_off_and_opened_again(sandbox: Sandbox) -> None:
    payable = collected.customer(sandbox).payable
    client, _ = offices.staff(MAY_COLLECT)
    operation = str(uuid4())

    seen = offices.do(client, payable, "write-off", operation=operation)
    assert dict(seen.context["facts"])["Given up"] == "¥5,500"
    assert Payable.objects.get().state == PayableState.OPEN

    offices.do(client, payable, "write-off", operation=operation, sure="yes")
    assert Payable.objects.get().state == PayableState.WRITTEN_OFF

    assert "This field is required." in offices.text(
        offices.do(client, payable, "reopen", reason="")
    )
    offices.do(client, payable, "reopen")

    assert Payable.objects.get().state == PayableState.OPEN
    assert offices.trail("payable.reopened")["reason"] == offices.ASKED


def test_staff_have_a_document_charged_at_once(sandbox: Sandbox) -> None:
    payable = collected.customer(sandbox).payable
    Payable.objects.update(hold=Hold.DECLINED, next_charge_at=None, declines=4)
    client, user = offices.staff(MAY_COLLECT)

    answer = offices.do(client, payable, "charge")
    assert "It is being charged now." in offices.text(answer)
    backs.tick()

    charge = Charge.objects.get()
    assert (charge.initiator, charge.state) == ("staff", "succeeded")
    assert backs.sums(payable) == (PayableState.PAID, 0, 5_500, 0)
    entry = AuditEntry.objects.get(action="payable.charged_now")
    assert (entry.actor, entry.details) == (f"user:{user.pk}", {"reason": offices.ASKED})


def test_a_declined_try_of_staff_uses_up_none_of_the_portals(sandbox: Sandbox) -> None:
    payable = collected.customer(sandbox).payable
    sandbox.paypal.decline("payer@example.com")
    client, _ = offices.staff(MAY_COLLECT)
    before = Payable.objects.get()

    offices.do(client, payable, "charge")
    backs.tick()

    after = Payable.objects.get()
    assert Charge.objects.get().state == "declined"
    assert (after.declines, after.hold, after.next_charge_at) == (
        before.declines,
        before.hold,
        before.next_charge_at,
    )


def test_nothing_is_charged_at_once_while_charging_is_stopped(sandbox: Sandbox) -> None:
    payable = collected.customer(sandbox).payable
    offices.stop_everything("After a restore")
    client, _ = offices.staff(MAY_COLLECT)

    answer = offices.do(client, payable, "charge")

    assert "Charging is stopped: After a restore" in offices.text(answer)
    assert not Charge.objects.exists()


@pytest.mark.parametrize("name", ["charge", "write-off", "release"])
def test_a_forged_form_of_staff_who_may_only_look_does_nothing_to_a_document(
    sandbox: Sandbox, name: str
) -> None:
    payable = collected.customer(sandbox).payable
    client, _ = offices.staff(MAY_CREDIT)

    answer = offices.do(client, payable, name, operation=str(uuid4()), sure="yes")

    assert answer.status_code == 403
    assert not Charge.objects.exists()
    assert not Correction.objects.exists()


def test_what_is_held_for_staff_is_released_with_a_reason(sandbox: Sandbox) -> None:
    payable = collected.customer(sandbox).payable
    Payable.objects.update(hold=Hold.DIFFERS, next_charge_at=None)
    client, _ = offices.staff(MAY_COLLECT)

    assert "Charge now" not in offices.text(client.get(offices.page(payable)))
    assert "This field is required." in offices.text(
        offices.do(client, payable, "release", reason=" ")
    )
    assert Payable.objects.get().hold == Hold.DIFFERS

    offices.do(client, payable, "release")

    assert Payable.objects.get().hold == Hold.NOTHING
    assert offices.trail("payable.released")["reason"] == offices.ASKED


def test_overdue_documents_are_found(sandbox: Sandbox) -> None:
    owing = collected.customer(sandbox)
    other = collected.customer(sandbox, name="Beta", email="b@example.com")
    Payable.objects.filter(pk=owing.payable.pk).update(hold=Hold.DECLINED, next_charge_at=None)
    collecting.mark_overdue(payable_id=owing.payable.pk, now=backs.NOW)
    client, _ = offices.staff()

    shown = offices.text(client.get(offices.listing(Payable, "waits=overdue")))

    assert owing.payable.number in shown
    assert other.payable.number not in shown


def test_staff_record_what_they_gave_back_by_hand(failed: Refund) -> None:
    client, user = offices.staff(MAY_REFUND)

    too_much = offices.do(client, failed, "by-hand", amount="2001", reference="FURIKOMI-1")
    assert "No more than ¥2,000 of it waits" in offices.text(too_much)
    for lacking in ({"reference": ""}, {"reason": ""}):
        typed = {"amount": "2000", "reference": "FURIKOMI-1", **lacking}
        assert "This field is required." in offices.text(
            offices.do(client, failed, "by-hand", **typed)
        )
    assert Refund.objects.count() == 1

    offices.do(client, failed, "by-hand", amount="2000", reference="FURIKOMI-1")

    made = Refund.objects.get(is_by_hand=True)
    assert (made.amount, made.reference, made.requested_by) == (
        2_000,
        "FURIKOMI-1",
        f"user:{user.pk}",
    )
    assert "cannot be done any more" in offices.text(offices.do(client, failed, "again"))


def test_a_failed_refund_is_tried_again_and_the_page_tells_its_history(
    failed: Refund, sandbox: Sandbox
) -> None:
    client, _ = offices.staff(MAY_REFUND)

    offices.do(client, failed, "again")
    sandbox.faults.clear()
    backs.tick()

    assert backs.states() == [(2_000, "failed"), (2_000, "succeeded")]
    shown = offices.text(client.get(offices.page(failed)))
    for said in ("REFUND_FAILED_INSUFFICIENT_FUNDS", "refund.prepared", "failed", backs.REASON):
        assert said in shown


def test_a_forged_form_of_staff_who_may_only_look_gives_nothing_back(failed: Refund) -> None:
    client, _ = offices.staff(MAY_CREDIT, MAY_COLLECT, MAY_DECIDE)

    for name in ("by-hand", "again"):
        answer = offices.do(client, failed, name, amount="2000", reference="FURIKOMI-1")
        assert answer.status_code == 403
    assert Refund.objects.count() == 1


def test_what_nobody_knows_of_is_looked_up_by_the_name_staff_found(
    paid: Payable, sandbox: Sandbox
) -> None:
    sandbox.faults.lose_reply(backs.REFUND_CALL)
    backs.credit(paid, 2_000)
    backs.tick()
    undecided = Refund.objects.get(state=RefundState.UNDECIDED)
    client, _ = offices.staff(MAY_REFUND)

    unknown = offices.do(client, undecided, "known-as", reference="NOBODY")
    assert "no refund of this name" in offices.text(unknown)
    early = offices.do(client, undecided, "not-made")
    assert "still finding out" in offices.text(early)
    offices.do(client, undecided, "known-as", reference=sandbox.ledger.refunds[0].id)

    assert backs.states() == [(2_000, RefundState.SUCCEEDED)]


def test_the_page_of_a_document_leads_to_its_charges_refunds_and_corrections(
    failed: Refund,
) -> None:
    client, _ = offices.staff()
    payable = Payable.objects.get()

    shown = offices.text(client.get(offices.page(payable)))

    for row in (failed, failed.charge, Correction.objects.get(), payable.organisation):
        assert f'href="{offices.page(row)}"' in shown
    assert f'href="{offices.act(invoice_of(payable), "credit")}"' in shown

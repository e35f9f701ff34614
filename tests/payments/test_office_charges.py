"""Charges in the back office: what waits first, each with its history, and the three safe acts."""

import uuid
from datetime import timedelta

import pytest
from django.test import Client

from core import clock, work
from core.enums import WorkState
from core.models import AuditEntry, Work
from gateway_sandbox import Sandbox
from payments import jobs
from payments.enums import ChargeState, Initiator
from payments.models import Charge, Payable
from payments.services import charges, moves
from tests.make import NOW
from tests.payments import collected, offices

pytestmark = pytest.mark.django_db

SEE_AND_DO = "change_charge"


@pytest.fixture
def undecided(sandbox: Sandbox) -> Charge:
    """An attempt of which nobody knows whether it took 5,500 yen."""
    return offices.charge(collected.customer(sandbox).payable, ChargeState.UNDECIDED)


def state_of(charge: Charge) -> str:
    return Charge.objects.get(pk=charge.pk).state


def test_the_list_shows_what_nobody_knows_first(sandbox: Sandbox) -> None:
    paid = collected.paid(sandbox)[1]
    prepared = offices.charge(
        collected.customer(sandbox, name="Beta", email="b@example.com").payable,
        ChargeState.PREPARED,
    )
    undecided = offices.charge(
        collected.customer(sandbox, name="Gamma", email="g@example.com").payable,
        ChargeState.UNDECIDED,
    )
    client, _ = offices.staff()

    shown = offices.text(client.get(offices.listing(Charge)))

    places = [shown.index(each.number) for each in (undecided, prepared, paid)]
    assert places == sorted(places)
    assert "¥5,500" in shown


@pytest.mark.parametrize(
    ("waits", "state", "age"),
    [
        pytest.param("undecided", ChargeState.UNDECIDED, timedelta(), id="undecided"),
        pytest.param("lost", ChargeState.SENT, timedelta(minutes=3), id="its answer is lost"),
        pytest.param("pending", ChargeState.PENDING, timedelta(days=1), id="processed for long"),
    ],
)
def test_the_list_is_filtered_by_what_waits(
    sandbox: Sandbox, waits: str, state: ChargeState, age: timedelta
) -> None:
    waiting = offices.charge(collected.customer(sandbox).payable, state, at=NOW - age)
    just_sent = offices.charge(
        collected.customer(sandbox, name="Beta", email="b@example.com").payable, ChargeState.SENT
    )
    client, _ = offices.staff()

    with clock.fixed_at(NOW):
        shown = offices.text(client.get(offices.listing(Charge, f"waits={waits}")))

    assert waiting.number in shown
    assert just_sent.number not in shown


def test_a_charge_is_found_by_the_names_it_has(sandbox: Sandbox) -> None:
    owing, charge = collected.paid(sandbox)
    client, _ = offices.staff()

    for name in (charge.number, charge.key, charge.capture, owing.organisation.reference):
        assert charge.number in offices.text(client.get(offices.listing(Charge, f"q={name}")))
    assert charge.number not in offices.text(client.get(offices.listing(Charge, "q=nobody")))


def test_the_page_tells_how_a_charge_came_to_its_state(sandbox: Sandbox) -> None:
    owing, charge = collected.paid(sandbox)
    client, _ = offices.staff()

    shown = offices.text(client.get(offices.page(charge)))

    for said in ("¥5,500", charge.key, charge.capture, "charge.succeeded", "prepared", "sent"):
        assert said in shown
    assert owing.method.label in shown
    assert owing.method.payer not in shown


def test_staff_have_the_provider_asked_at_once(undecided: Charge) -> None:
    client, user = offices.staff(SEE_AND_DO)

    with clock.fixed_at(NOW):
        answer = offices.do(client, undecided, "look")

    assert "The provider is asked now" in offices.text(answer)
    row = Work.objects.get(kind=jobs.LOOK.kind)
    assert (row.key, row.due_at, row.payload) == (
        str(undecided.pk),
        NOW,
        {"charge_id": undecided.pk},
    )
    entry = AuditEntry.objects.get(action="charge.asked_about")
    assert (entry.actor, entry.details) == (f"user:{user.pk}", {"reason": offices.ASKED})


def test_work_about_a_charge_that_was_parked_goes_on(undecided: Charge) -> None:
    Work.objects.create(
        kind=jobs.LOOK.kind,
        key=str(undecided.pk),
        queue=jobs.LOOK.queue,
        payload={"charge_id": undecided.pk},
        state=WorkState.PARKED,
        due_at=NOW,
        created_at=NOW,
        ended_at=NOW,
        reason="nobody can say",
        owner="finance",
    )
    client, _ = offices.staff(SEE_AND_DO)

    offices.do(client, undecided, "look")

    assert Work.objects.get(kind=jobs.LOOK.kind).state == WorkState.DUE
    assert offices.trail("work.released")["reason"] == offices.ASKED


def test_staff_close_an_attempt_that_took_nothing(undecided: Charge) -> None:
    client, user = offices.staff(SEE_AND_DO)

    answer = offices.do(client, undecided, "nothing-taken")

    assert "It took nothing." in offices.text(answer)
    assert state_of(undecided) == ChargeState.CANCELLED
    entry = AuditEntry.objects.get(action="charge.cancelled")
    assert (entry.actor, entry.details["reason"]) == (f"user:{user.pk}", offices.ASKED)


def test_an_attempt_of_which_the_provider_cannot_be_asked_is_not_closed(
    sandbox: Sandbox, undecided: Charge
) -> None:
    client, _ = offices.staff(SEE_AND_DO)
    Charge.objects.update(reference="ORDER")
    sandbox.stop_listening()

    answer = offices.do(client, undecided, "nothing-taken")

    assert "The provider cannot be reached now." in offices.text(answer)
    assert state_of(undecided) == ChargeState.UNDECIDED


def test_an_attempt_that_the_provider_knows_of_is_not_closed(sandbox: Sandbox) -> None:
    sandbox.faults.lose_reply("POST /v2/checkout/orders")
    undecided = collected.charge(collected.customer(sandbox).payable)
    assert undecided.state == ChargeState.UNDECIDED
    client, _ = offices.staff(SEE_AND_DO)
    client.now = NOW + timedelta(hours=73)
    sandbox.set_time(client.now)

    answer = offices.do(client, undecided, "nothing-taken")

    assert "knows of it" in offices.text(answer)
    assert state_of(undecided) == ChargeState.SUCCEEDED


def test_an_attempt_that_the_portal_still_asks_about_is_not_closed(sandbox: Sandbox) -> None:
    """The money is taken, and its name is lost with the answer: only time finds it."""
    sandbox.faults.lose_reply("POST /v2/checkout/orders")
    undecided = collected.charge(collected.customer(sandbox).payable)
    client, _ = offices.staff(SEE_AND_DO)

    answer = offices.do(client, undecided, "nothing-taken")

    assert "still finding out by itself" in offices.text(answer)
    assert state_of(undecided) == ChargeState.UNDECIDED


def test_money_of_another_name_is_booked_when_staff_say_that_it_is_this_payment(
    sandbox: Sandbox,
) -> None:
    sandbox.paypal.other_custom_id()
    differs = collected.charge(collected.customer(sandbox).payable)
    assert (differs.state, differs.code) == (ChargeState.UNDECIDED, "differs")
    client, _ = offices.staff(SEE_AND_DO)
    assert offices.do(offices.staff()[0], differs, "this-payment").status_code == 403
    assert "This field is required." in offices.text(
        offices.do(client, differs, "this-payment", reason="")
    )

    answer = offices.do(client, differs, "this-payment")

    assert "The money is booked" in offices.text(answer)
    assert state_of(differs) == ChargeState.SUCCEEDED


def test_money_of_another_amount_is_not_booked(sandbox: Sandbox) -> None:
    sandbox.paypal.wrong_amount()
    differs = collected.charge(collected.customer(sandbox).payable)
    client, _ = offices.staff(SEE_AND_DO)

    answer = offices.do(client, differs, "this-payment")

    assert "it cannot be this payment" in offices.text(answer)
    assert state_of(differs) == ChargeState.UNDECIDED


def test_staff_give_up_an_attempt_of_which_nothing_was_sent(sandbox: Sandbox) -> None:
    prepared = offices.charge(collected.customer(sandbox).payable, ChargeState.PREPARED)
    client, _ = offices.staff(SEE_AND_DO)

    answer = offices.do(client, prepared, "give-up")

    assert "It was given up." in offices.text(answer)
    assert state_of(prepared) == ChargeState.CANCELLED
    assert offices.trail("charge.cancelled")["reason"] == offices.ASKED


@pytest.mark.parametrize(
    ("name", "code"), [("give-up", "given_up"), ("nothing-taken", "not_taken")]
)
def test_a_long_reason_is_kept_whole_and_is_no_code(name: str, code: str, sandbox: Sandbox) -> None:
    if name == "give-up":
        row = offices.charge(collected.customer(sandbox).payable, ChargeState.PREPARED)
    else:
        row = offices.charge(collected.customer(sandbox).payable, ChargeState.UNDECIDED)
        Charge.objects.filter(pk=row.pk).update(next_look_at=None)
    client, _ = offices.staff(SEE_AND_DO)
    reason = "They sent us a letter. " * 11

    offices.do(client, row, name, reason=reason, sure="yes")

    row.refresh_from_db()
    assert (row.state, row.code) == (ChargeState.CANCELLED, code)
    assert offices.trail("charge.cancelled")["reason"] == reason.strip()
    assert reason.strip() in offices.text(client.get(offices.page(row)))


@pytest.mark.parametrize("name", ["give-up", "write-off"])
def test_what_a_provider_that_refuses_us_still_has_is_not_withdrawn(
    sandbox: Sandbox, name: str
) -> None:
    organisation, root = collected.billed("Aoba")
    collected.paid_method(organisation, root, sandbox)
    reserved = charges.prepare(
        payable_id=Payable.objects.get().pk,
        initiator=Initiator.SCHEDULE,
        actor="system:collection",
        now=NOW,
    )
    for state in (ChargeState.SENT, ChargeState.STARTED):
        moves.move_charge(reserved, state, now=NOW, step="start", called_at=NOW, sent_at=NOW)
    sandbox.faults.paid_error("*", codes=["A02"])
    client, _ = offices.staff(SEE_AND_DO, "change_payable")

    row = reserved if name == "give-up" else reserved.payable
    answer = offices.do(client, row, name, operation=str(uuid.uuid4()), sure="yes")

    assert "refuses us" in offices.text(answer)
    assert state_of(reserved) == ChargeState.STARTED


@pytest.mark.parametrize(
    "name", ["look", "nothing-taken", pytest.param("give-up", id="give-up, not offered")]
)
def test_a_forged_form_of_staff_who_may_only_look_does_nothing(
    undecided: Charge, name: str
) -> None:
    client, _ = offices.staff()

    answer = offices.do(client, undecided, name)

    assert answer.status_code == 403
    assert state_of(undecided) == ChargeState.UNDECIDED
    assert not Work.objects.filter(kind=jobs.LOOK.kind).exists()
    assert "Ask the provider again" not in offices.text(client.get(offices.page(undecided)))


@pytest.mark.parametrize("name", ["look", "nothing-taken"])
def test_nothing_is_done_about_a_charge_without_a_reason(undecided: Charge, name: str) -> None:
    client, _ = offices.staff(SEE_AND_DO)

    answer = offices.do(client, undecided, name, reason="  ")

    assert "This field is required." in offices.text(answer)
    assert state_of(undecided) == ChargeState.UNDECIDED
    assert not AuditEntry.objects.filter(action="charge.asked_about").exists()


def test_what_is_not_offered_in_a_state_is_refused(sandbox: Sandbox) -> None:
    charge = collected.paid(sandbox)[1]
    client, _ = offices.staff(SEE_AND_DO)

    for name in ("look", "nothing-taken", "give-up"):
        assert "cannot be done any more" in offices.text(offices.do(client, charge, name))
    assert client.get(offices.act(charge, "pay-twice")).status_code == 404
    assert state_of(charge) == ChargeState.SUCCEEDED


def test_a_customer_does_not_come_in(undecided: Charge) -> None:
    client = Client()
    client.force_login(undecided.payable.organisation.memberships.get().user)

    assert client.get(offices.listing(Charge)).status_code == 403
    assert client.get(offices.page(undecided)).status_code == 403


def test_the_work_that_was_asked_for_settles_the_charge(sandbox: Sandbox) -> None:
    sandbox.faults.lose_reply("POST /v2/checkout/orders")
    undecided = collected.charge(collected.customer(sandbox).payable)
    client, _ = offices.staff(SEE_AND_DO)

    with clock.fixed_at(NOW):
        offices.do(client, undecided, "look")
        work.run_due([work.GATEWAY_QUEUE])

    assert state_of(undecided) == ChargeState.SUCCEEDED

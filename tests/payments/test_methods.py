"""One active method, changed by Support alone, replaced at once when it is broken. Rule: S1-03…S1-06."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from django.test import Client

from accounts.models import Organisation
from core import clock
from core.enums import WorkState
from core.models import AuditEntry, Mail, Work
from core.work import ReasonMissing
from gateway_sandbox import Sandbox
from payments import jobs
from payments.enums import (
    ChargeState,
    Hold,
    Initiator,
    MethodState,
)
from payments.models import Charge, Payable, PaymentMethod, SupportRequest
from payments.services import charges, methods, moves, support
from payments.services.charges import AccountDiffers
from tests import make
from tests.payments import owing, visits

pytestmark = pytest.mark.django_db

STAFF = "user:900"


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with clock.fixed_at(make.NOW):
        yield


@pytest.fixture
def aoba() -> Organisation:
    make.vendor()
    return make.organisation()


@pytest.fixture
def root(aoba: Organisation) -> Client:
    return visits.client_of(visits.root_of(aoba))


def _page(client: Client, organisation: Organisation) -> str:
    return client.get(visits.url("plan", organisation)).content.decode()


def _owed(organisation: Organisation, *, hold: Hold = Hold.NOTHING) -> Payable:
    return owing.owed(
        organisation,
        net=5_000,
        due_on=date(2026, 12, 6),
        hold=hold,
        next_charge_at=None if hold else make.NOW,
    )


def _charge(payable: Payable, state: ChargeState) -> Charge:
    """Charge the active method, as far as `state`."""
    charge = charges.prepare(
        payable_id=payable.pk, initiator=Initiator.SCHEDULE, actor="system:test", now=make.NOW
    )
    if state is not ChargeState.PREPARED:
        moves.move_charge(
            charge, ChargeState.SENT, now=make.NOW, called_at=make.NOW, sent_at=make.NOW
        )
    if state not in {ChargeState.PREPARED, ChargeState.SENT}:
        moves.move_charge(charge, state, now=make.NOW)
    return charge


def _is_gone(sandbox: Sandbox, payer: str) -> bool:
    return sandbox.ledger.payment_token(payer).deleted_at is not None


def _mails_to(address: str) -> list[Mail]:
    return list(Mail.objects.filter(to=[address]).order_by("pk"))


# --- one active method ---


def test_a_second_method_is_refused_on_the_server(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    visits.register_paypal(root, aoba, sandbox)
    asked = len(sandbox.ledger.requests)
    add = visits.url("payment_method_add", aoba)
    form = visits.url("payment_method_form", aoba, gateway="paid")

    answers = [
        root.get(add, follow=True),
        root.post(add, {"gateway": "paypal"}, follow=True),
        root.post(add, {"gateway": "paid"}, follow=True),
        root.get(form, follow=True),
        root.post(form, visits.COMPANY, follow=True),
    ]

    for answer in answers:
        assert "A payment method is already registered." in answer.content.decode()
    assert PaymentMethod.objects.count() == 1
    assert len(sandbox.ledger.requests) == asked


def test_an_active_method_has_no_button_to_change_or_delete_it(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    visits.register_paypal(root, aoba, sandbox)

    page = _page(root, aoba).partition("<main")[2].partition("</main>")[0]
    text = page.rpartition("<section")[2]

    assert "Ask Support to change it" in text
    assert "<form" not in text
    assert "<button" not in text
    assert text.count('class="button') == 1


def test_an_activation_charges_what_is_open(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    payable = _owed(aoba, hold=Hold.NO_METHOD)

    visits.register_paypal(root, aoba, sandbox)

    payable.refresh_from_db()
    assert (payable.hold, payable.next_charge_at) == ("", make.NOW)


# --- Support changes it ---


def test_a_root_asks_support_once_and_sees_how_it_stands(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    method = visits.register_paypal(root, aoba, sandbox)
    ask = visits.url("payment_method_support", aoba)

    asked = root.post(ask, {"message": "Another card, please."}, follow=True).content.decode()
    again = root.post(ask, {"message": "Hello?"}, follow=True).content.decode()
    page = root.get(ask).content.decode()

    assert "Support has your request and answers by mail and here." in asked
    assert "You asked on 22 November 2026" in asked
    assert "Ask Support to change it" not in asked
    assert "Your earlier request is still with Support." in again
    assert "<textarea" not in page
    request = SupportRequest.objects.get()
    assert (request.message, request.method, request.user) == (
        "Another card, please.",
        method,
        visits.root_of(aoba),
    )
    (mail,) = _mails_to("billing@localhost")
    assert "Another card, please." in mail.text


def test_an_answer_of_support_is_mailed_and_stands_on_the_page(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    visits.register_paypal(root, aoba, sandbox)
    root.post(visits.url("payment_method_support", aoba), {"message": ""})
    request = SupportRequest.objects.get()
    told = len(_mails_to(visits.root_of(aoba).email))

    support.answer_request(
        request_id=request.pk, answer="The card is <b>released</b>.", actor=STAFF, now=make.NOW
    )

    text = _page(root, aoba)
    assert "Support answered on 22 November 2026" in text
    assert "The card is &lt;b&gt;released&lt;/b&gt;." in text
    assert "Ask Support to change it" in text
    assert len(_mails_to(visits.root_of(aoba).email)) == told + 1
    entry = AuditEntry.objects.get(action="support_request.answered")
    assert (entry.actor, entry.chain) == (STAFF, aoba.pk)
    with pytest.raises(support.AnsweredBefore):
        support.answer_request(request_id=request.pk, answer="Again.", actor=STAFF, now=make.NOW)


def test_a_request_is_answered_in_words(root: Client, aoba: Organisation, sandbox: Sandbox) -> None:
    visits.register_paypal(root, aoba, sandbox)
    root.post(visits.url("payment_method_support", aoba), {"message": ""})
    request = SupportRequest.objects.get()

    with pytest.raises(support.AnswerMissing):
        support.answer_request(request_id=request.pk, answer=" ", actor=STAFF, now=make.NOW)

    request.refresh_from_db()
    assert request.handled_at is None


def test_without_a_method_support_is_not_asked(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    ask = visits.url("payment_method_support", aoba)

    page = root.get(ask).content.decode()
    forged = root.post(ask, {"message": "?"}, follow=True).content.decode()

    assert "There is no payment method to change" in page
    assert "You can add one here." in forged
    assert not SupportRequest.objects.exists()
    assert not Mail.objects.exists()


def test_a_message_that_is_too_long_is_kept_and_told(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    visits.register_paypal(root, aoba, sandbox)

    answer = root.post(visits.url("payment_method_support", aoba), {"message": "x" * 2001})

    assert answer.status_code == 400
    assert "At most 2,000 characters." in answer.content.decode()
    assert "x" * 2001 in answer.content.decode()
    assert not SupportRequest.objects.exists()


def test_staff_detach_a_method_and_add_is_back(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    method = visits.register_paypal(root, aoba, sandbox)
    payable = _owed(aoba)

    methods.detach(method_id=method.pk, reason="Ticket 7", actor=STAFF, now=make.NOW)

    assert "Add payment method" in _page(root, aoba)
    method.refresh_from_db()
    assert (method.state, method.code) == ("detached", "by_staff")
    payable.refresh_from_db()
    assert (payable.hold, payable.next_charge_at) == ("no_method", None)
    aoba.refresh_from_db()
    assert aoba.payment_terms == "none"
    entry = AuditEntry.objects.get(action="payment_method.detached")
    assert (entry.actor, entry.chain) == (STAFF, aoba.pk)
    assert entry.details == {"gateway": "paypal", "reason": "Ticket 7"}
    assert len(_mails_to(visits.root_of(aoba).email)) == 2
    assert not _is_gone(sandbox, method.payer)
    visits.work_until_done()
    assert _is_gone(sandbox, method.payer)
    assert visits.register_paypal(root, aoba, sandbox).pk != method.pk


def test_detaching_needs_a_reason_and_happens_once(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    method = visits.register_paypal(root, aoba, sandbox)

    with pytest.raises(ReasonMissing):
        methods.detach(method_id=method.pk, reason=" ", actor=STAFF, now=make.NOW)
    method.refresh_from_db()
    assert method.state == MethodState.ACTIVE
    methods.detach(method_id=method.pk, reason="Ticket 7", actor=STAFF, now=make.NOW)
    with pytest.raises(methods.NoSuchMethod):
        methods.detach(method_id=method.pk, reason="Ticket 7", actor=STAFF, now=make.NOW)
    with pytest.raises(methods.NoSuchMethod):
        methods.detach(method_id=0, reason="Ticket 7", actor=STAFF, now=make.NOW)


@pytest.mark.parametrize("state", ["prepared", "sent", "started", "pending", "undecided"])
def test_a_method_is_not_detached_while_a_charge_is_live(
    root: Client, aoba: Organisation, sandbox: Sandbox, state: str
) -> None:
    method = visits.register_paypal(root, aoba, sandbox)
    _charge(_owed(aoba), ChargeState(state))

    with pytest.raises(methods.ChargeUnderWay):
        methods.detach(method_id=method.pk, reason="Ticket 7", actor=STAFF, now=make.NOW)

    method.refresh_from_db()
    assert method.state == MethodState.ACTIVE
    assert not Work.objects.filter(kind=jobs.FORGET_PAYER.kind).exists()


# --- broken ---


def test_a_broken_method_says_why_and_is_replaced_at_once(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    old = visits.register_paypal(root, aoba, sandbox)
    payable = _owed(aoba)
    sandbox.paypal.delete_agreement(old.payer)
    methods.look_at(method_id=old.pk, now=make.NOW)
    broken = _page(root, aoba)
    payable.refresh_from_db()
    held = (payable.hold, payable.next_charge_at)

    back = sandbox.paypal.approve(visits.set_out(root, aoba), email="new@example.com")
    old.refresh_from_db()
    before = old.state
    root.get(visits.path_of(back))

    assert "Your payment method no longer works" in broken
    assert "The agreement by which we charge you was ended at PayPal." in broken
    assert "Register again" in broken
    assert held == ("method_broken", None)
    assert before == MethodState.BROKEN
    states = [(row.state, row.label) for row in PaymentMethod.objects.order_by("pk")]
    assert states == [("detached", "p•••@example.com"), ("active", "n•••@example.com")]
    payable.refresh_from_db()
    assert (payable.hold, payable.next_charge_at) == ("", make.NOW)
    assert len(_mails_to(visits.root_of(aoba).email)) == 3


def test_a_broken_method_stays_when_its_successor_is_cancelled(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    old = visits.register_paypal(root, aoba, sandbox)
    methods.break_method(method_id=old.pk, code="CARD_EXPIRED", now=make.NOW, actor=STAFF)

    root.get(visits.path_of(sandbox.paypal.cancel(visits.set_out(root, aoba))))

    text = _page(root, aoba)
    assert "The card or the agreement at PayPal has expired." in text
    assert not _is_gone(sandbox, old.payer)
    old.refresh_from_db()
    assert old.state == MethodState.BROKEN


def test_a_broken_method_is_let_go_when_a_review_ends_well_and_not_before(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    old = visits.register_paypal(root, aoba, sandbox)
    methods.break_method(method_id=old.pk, code="CARD_EXPIRED", now=make.NOW, actor=STAFF)
    new = visits.register_paid(root, aoba)
    old.refresh_from_db()
    during = old.state

    sandbox.paid.approve(new.key)
    methods.look_at(method_id=new.pk, now=make.NOW)

    old.refresh_from_db()
    new.refresh_from_db()
    assert (during, old.state, new.state) == ("broken", "detached", "active")
    visits.work_until_done()
    assert _is_gone(sandbox, old.payer)


def test_breaking_twice_tells_once(root: Client, aoba: Organisation, sandbox: Sandbox) -> None:
    method = visits.register_paypal(root, aoba, sandbox)

    broke = [
        methods.break_method(method_id=method.pk, code="TOKEN_EXPIRED", now=make.NOW, actor=STAFF)
        for _ in range(2)
    ]

    assert broke == [True, False]
    assert len(_mails_to(visits.root_of(aoba).email)) == 2


def test_a_broken_wallet_is_not_taken_up_by_a_look(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    method = visits.register_paypal(root, aoba, sandbox)
    methods.break_method(
        method_id=method.pk, code="PAYER_ACTION_REQUIRED", now=make.NOW, actor=STAFF
    )

    methods.look_at(method_id=method.pk, now=make.NOW)

    method.refresh_from_db()
    assert (method.state, method.next_look_at) == ("broken", None)


# --- the provider forgets ---


def test_a_payer_is_forgotten_only_after_its_charges_are_decided(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    old = visits.register_paypal(root, aoba, sandbox)
    charge = _charge(_owed(aoba), ChargeState.PENDING)
    methods.break_method(method_id=old.pk, code="CARD_EXPIRED", now=make.NOW, actor=STAFF)
    visits.register_paypal(root, aoba, sandbox)

    visits.work_until_done()
    kept = not _is_gone(sandbox, old.payer)
    moves.move_charge(charge, ChargeState.CANCELLED, now=make.NOW)
    with clock.fixed_at(make.NOW + timedelta(hours=1)):
        visits.work_until_done()

    assert kept
    assert _is_gone(sandbox, old.payer)


def test_forgetting_goes_on_when_the_provider_is_back(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    method = visits.register_paypal(root, aoba, sandbox)
    methods.detach(method_id=method.pk, reason="Ticket 7", actor=STAFF, now=make.NOW)
    sandbox.stop_listening()

    visits.work_until_done()
    waiting = Work.objects.get(kind=jobs.FORGET_PAYER.kind).state
    sandbox.listen_again()
    with clock.fixed_at(make.NOW + timedelta(hours=1)):
        visits.work_until_done()

    assert waiting == WorkState.DUE
    assert _is_gone(sandbox, method.payer)
    assert Work.objects.get(kind=jobs.FORGET_PAYER.kind).state == WorkState.DONE


def test_another_account_of_ours_asks_nobody(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    method = visits.register_paypal(root, aoba, sandbox)
    other = PaymentMethod.objects.create(
        organisation=aoba,
        gateway="paypal",
        environment="live",
        merchant=method.merchant,
        key="of-live",
        payer=method.payer,
        state=MethodState.DETACHED,
        registered_by=visits.root_of(aoba),
        created_at=make.NOW,
        state_at=make.NOW,
    )
    moves.note_new(other, actor="system:test", now=make.NOW)
    asked = len(sandbox.ledger.requests)

    with pytest.raises(AccountDiffers):
        methods.forget_payer(method_id=other.pk, now=make.NOW)

    assert len(sandbox.ledger.requests) == asked
    assert not _is_gone(sandbox, method.payer)

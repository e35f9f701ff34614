"""Paid by Invoice: the form, the review, and what comes of it. Rule: S1-05, S1-16, S1-17, S1-18."""

import json
from collections.abc import Iterator
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.models import Organisation
from core import clock, work
from core.enums import WorkState
from core.models import AuditEntry, Mail, Work
from gateway_sandbox import Sandbox
from payments import jobs
from payments.enums import MethodState
from payments.gateways.paid.form import PROFILE
from payments.models import PaymentMethod, Transition
from payments.services import methods
from tests import make
from tests.payments import visits

pytestmark = pytest.mark.django_db

REGISTER = "POST /y/coop/member/register/*"
CHECK = "POST /y/coop/member/check/*"


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


def _form(organisation: Organisation) -> str:
    return visits.url("payment_method_form", organisation, gateway="paid")


def _page(client: Client, organisation: Organisation) -> str:
    return client.get(visits.url("plan", organisation)).content.decode()


def _at(later: timedelta) -> Any:
    return clock.fixed_at(make.NOW + later)


def _mails_to_root(organisation: Organisation) -> list[str]:
    mails = Mail.objects.filter(to=[visits.root_of(organisation).email]).order_by("pk")
    return [mail.subject for mail in mails]


def test_the_form_asks_what_paid_asks_and_holds_what_is_known(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    chosen = root.post(visits.url("payment_method_add", aoba), {"gateway": "paid"})
    text = root.get(chosen.headers["Location"]).content.decode()

    assert chosen.headers["Location"] == _form(aoba)
    for field in PROFILE:
        assert f'name="{field.name}"' in text
    assert 'value="980-0811"' in text
    assert 'value="Aoba Devices"' in text
    assert f'value="{visits.root_of(aoba).email}"' in text
    assert 'autocomplete="cc-' not in text
    assert not PaymentMethod.objects.exists()


def test_a_registration_is_under_review_then_active_by_polling(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    method = visits.register_paid(root, aoba)
    reviewed = _page(root, aoba)

    assert method.state == MethodState.UNDER_REVIEW
    assert "under review" in reviewed
    assert "青葉デバイス株式会社" in reviewed
    assert "Choose another way to pay" in reviewed
    assert [member.id for member in sandbox.ledger.members] == [method.key]

    sandbox.paid.approve(method.key)
    with _at(timedelta(minutes=4)):
        visits.work_until_done()
        assert "under review" in _page(root, aoba)
    with _at(timedelta(minutes=5)):
        visits.work_until_done()
        active = _page(root, aoba)

    assert "since 22 November 2026" in active
    assert "Paid then bills you" in active
    assert "Add payment method" not in active
    assert method.key not in active
    method.refresh_from_db()
    assert (method.state, method.active_since) == ("active", make.NOW + timedelta(minutes=5))
    aoba.refresh_from_db()
    assert aoba.payment_terms == "paid"
    assert len(_mails_to_root(aoba)) == 2
    moved = Transition.objects.filter(subject="method").order_by("pk").values_list("after", "actor")
    user = f"user:{visits.root_of(aoba).pk}"
    assert list(moved) == [
        ("registering", user),
        ("under_review", user),
        ("active", "system:review"),
    ]


def test_a_rejection_is_shown_and_mailed_and_another_way_is_open(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    method = visits.register_paid(root, aoba)
    sandbox.paid.reject(method.key)

    with _at(timedelta(minutes=5)):
        visits.work_until_done()
    text = _page(root, aoba)

    assert "Paid did not accept the registration after its review" in text
    assert "Add payment method" in text
    assert len(_mails_to_root(aoba)) == 2
    assert visits.register_paypal(root, aoba, sandbox).state == MethodState.ACTIVE
    assert "did not accept" not in _page(root, aoba)


def test_another_gateway_may_be_chosen_during_the_review_and_the_first_active_one_is_kept(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    waiting = visits.register_paid(root, aoba)
    choice = root.get(visits.url("payment_method_add", aoba)).content.decode()
    active = visits.register_paypal(root, aoba, sandbox)
    sandbox.paid.approve(waiting.key)

    with _at(timedelta(minutes=5)):
        visits.work_until_done()

    assert "Pay by Credit Card (PayPal)" in choice
    assert "Paid by Invoice (Paid)" not in choice
    waiting.refresh_from_db()
    active.refresh_from_db()
    assert (waiting.state, active.state) == ("detached", "active")
    aoba.refresh_from_db()
    assert aoba.payment_terms == "paypal"


def test_a_review_that_ends_while_paypal_is_open_keeps_the_first_active_one(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    waiting = visits.register_paid(root, aoba)
    back = sandbox.paypal.approve(visits.set_out(root, aoba))
    sandbox.paid.approve(waiting.key)
    methods.look_at(method_id=waiting.pk, now=make.NOW)

    text = root.get(visits.path_of(back), follow=True).content.decode()

    assert "nothing was registered" in text
    assert [(row.gateway, row.state) for row in PaymentMethod.objects.all()] == [("paid", "active")]
    assert sandbox.ledger.payment_tokens == []


@pytest.mark.parametrize("field", PROFILE, ids=lambda field: field.name)
def test_each_limit_has_its_error_at_the_field_and_the_input_is_kept(
    root: Client, aoba: Organisation, sandbox: Sandbox, field: Any
) -> None:
    filler = {"zipCode": "9", "tel": "0", "fax": "0", "mobile": "0", "email": "a", "url1": "u"}
    typed = filler.get(field.name, "ア") * (field.max_length + 1)

    answer = root.post(_form(aoba), visits.COMPANY | {field.name: typed})

    text = answer.content.decode()
    assert answer.status_code == 400
    told = answer.context["form"].errors
    assert list(told) == [field.name]
    if not field.choices:
        assert f"At most {field.max_length} characters" in text
        assert typed in text
    assert 'aria-invalid="true"' in text
    assert visits.COMPANY["representativeSei"] in text or field.name == "representativeSei"
    assert f'href="#id_{field.name}"' in text
    assert not PaymentMethod.objects.exists()
    assert sandbox.ledger.requests_to(REGISTER) == []


@pytest.mark.parametrize(
    "field", [field for field in PROFILE if field.required], ids=lambda f: f.name
)
def test_each_field_that_is_required_says_so(
    root: Client, aoba: Organisation, sandbox: Sandbox, field: Any
) -> None:
    answer = root.post(_form(aoba), visits.COMPANY | {field.name: "  "})

    assert answer.status_code == 400
    assert list(answer.context["form"].errors) == [field.name]
    assert sandbox.ledger.requests_to(REGISTER) == []


@pytest.mark.parametrize(
    ("field", "typed", "told"),
    [
        ("zipCode", "98-08", "A postal code looks like 100-0001."),
        ("companyNameKana", "Aoba", "Write it in katakana."),
        ("tel", "03123", "A telephone number begins with 0 and has hyphens: 03-1234-5678."),
        ("email", "nobody", "An e-mail address looks like name@example.co.jp."),
        ("url1", "aoba.example", "A web address begins with https:// or http://."),
        ("prefecture", "Kanto", "Choose one from the list."),
        ("address1", "a\x07b", "This contains a character that cannot be used."),
    ],
)
def test_what_is_written_wrongly_is_told_in_words(
    root: Client, aoba: Organisation, sandbox: Sandbox, field: str, typed: str, told: str
) -> None:
    answer = root.post(_form(aoba), visits.COMPANY | {field: typed})

    assert answer.status_code == 400
    assert answer.context["form"].errors == {field: [told]}
    assert sandbox.ledger.requests_to(REGISTER) == []


def test_widths_and_kana_are_written_as_paid_wants_them(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    visits.register_paid(
        root,
        aoba,
        zipCode="９８００８１１",
        companyNameKana="あおばﾃﾞﾊﾞｲｽ",
        tel="０２２ー１２３ー４５６７",
    )

    sent = json.loads(sandbox.ledger.requests_to(REGISTER)[0].body)["body"]["memberData"]
    assert sent["zipCode"] == "980-0811"
    assert sent["companyNameKana"] == "アオバデバイス"
    assert sent["tel"] == "022-123-4567"


def test_an_address_that_is_with_paid_already_gets_words_of_its_own(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    sandbox.faults.paid_error(REGISTER, "CLIENT_ERROR", ["B45"])

    answer = root.post(_form(aoba), visits.COMPANY)

    assert answer.status_code == 400
    (told,) = answer.context["form"].errors["email"]
    assert told.startswith("This address is already registered with Paid. Sign in to Paid")
    assert "keiri@aoba.example" in answer.content.decode()
    refused = PaymentMethod.objects.get()
    assert (refused.state, refused.code) == ("detached", "B45")
    again = visits.register_paid(root, aoba, email="other@aoba.example")
    assert again.key != refused.key
    assert again.state == MethodState.UNDER_REVIEW


def test_a_field_that_paid_refuses_is_named(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    sandbox.faults.paid_error(REGISTER, "CLIENT_ERROR", ["B04", "B18"])

    answer = root.post(_form(aoba), visits.COMPANY)

    told = answer.context["form"].errors
    assert set(told) == {"companyName", "zipCode"}
    assert told["zipCode"] == ["Paid does not accept this. Check it and send it again."]


@pytest.mark.parametrize("fault", ["lose_reply", "empty_200", "invalid_json", "wrong_types"])
def test_a_lost_answer_is_asked_after_and_registers_nobody_twice(
    root: Client, aoba: Organisation, sandbox: Sandbox, fault: str
) -> None:
    getattr(sandbox.faults, fault)(REGISTER)

    answer = root.post(_form(aoba), visits.COMPANY, follow=True)

    assert "Paid has not answered yet. Nothing is lost" in answer.content.decode()
    assert "being registered" in answer.content.decode()
    again = root.post(_form(aoba), visits.COMPANY, follow=True)
    assert "Paid already has your registration." in again.content.decode()
    method = PaymentMethod.objects.get()
    assert method.state == MethodState.REGISTERING

    if not sandbox.ledger.members:
        return
    with _at(timedelta(minutes=5)):
        visits.work_until_done()
    method.refresh_from_db()
    assert method.state == MethodState.UNDER_REVIEW
    assert [member.id for member in sandbox.ledger.members] == [method.key]
    sandbox.paid.approve(method.key)
    with _at(timedelta(hours=2)):
        visits.work_until_done()
    method.refresh_from_db()
    assert (method.state, method.label) == ("active", "Aoba Devices")


def test_a_registration_that_never_arrived_is_said_to_the_root(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    sandbox.faults.lose_request(REGISTER)
    root.post(_form(aoba), visits.COMPANY)

    with _at(timedelta(minutes=5)):
        visits.work_until_done()

    assert "Paid did not receive your registration. Send it again." in _page(root, aoba)
    assert len(_mails_to_root(aoba)) == 1
    assert visits.register_paid(root, aoba).state == MethodState.UNDER_REVIEW


@pytest.mark.parametrize("fault", ["refuse", "secret"])
def test_a_provider_that_cannot_be_reached_gets_the_form_back_as_it_was_typed(
    root: Client, aoba: Organisation, sandbox: Sandbox, fault: str
) -> None:
    if fault == "refuse":
        sandbox.stop_listening()
    else:
        sandbox.faults.paid_error(REGISTER, "CLIENT_ERROR", ["A02"])

    answer = root.post(_form(aoba), visits.COMPANY)

    text = answer.content.decode()
    assert answer.status_code == 503
    assert "We could not reach Paid, and nothing was sent." in text
    for typed in visits.COMPANY.values():
        assert typed in text
    assert PaymentMethod.objects.get().state == MethodState.DETACHED
    assert Mail.objects.get().to == ["billing@localhost"]
    assert "No payment method yet" in _page(root, aoba)


def test_a_review_is_polled_for_thirty_days_and_then_given_to_a_person(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    method = visits.register_paid(root, aoba)
    asked = []

    for hours in [*range(25), *range(25, 33 * 24, 24)]:
        with _at(timedelta(hours=hours, minutes=6)):
            methods.plan(clock.now())
            work.run_due(["gateway"])
        asked.append(len(sandbox.ledger.requests_to(CHECK)))

    assert asked[23] == 24
    assert asked[-1] == asked[-2]
    parked = Work.objects.get(kind=jobs.LOOK_AT_METHOD.kind, key=str(method.pk))
    assert parked.state == WorkState.PARKED
    assert parked.reason.startswith("under review for 30 days")
    method.refresh_from_db()
    assert (method.state, method.next_look_at) == ("under_review", None)
    assert "Paid has not decided for a long time. Support is asking there" in _page(
        visits.client_of(visits.root_of(aoba)), aoba
    )

    sandbox.paid.approve(method.key)
    with _at(timedelta(days=34)):
        work.release(parked.pk, actor="user:1", reason="Asked Paid.", now=clock.now())
        visits.work_until_done()
    method.refresh_from_db()
    assert method.state == MethodState.ACTIVE


def test_a_provider_that_is_away_is_asked_again_later(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    method = visits.register_paid(root, aoba)
    sandbox.stop_listening()

    with _at(timedelta(minutes=5)):
        visits.work_until_done()

    method.refresh_from_db()
    assert method.state == MethodState.UNDER_REVIEW
    assert method.next_look_at == make.NOW + timedelta(hours=1, minutes=5)
    sandbox.listen_again()
    sandbox.paid.approve(method.key)
    with _at(timedelta(hours=1, minutes=5)):
        visits.work_until_done()
    method.refresh_from_db()
    assert method.state == MethodState.ACTIVE


def test_a_blocked_member_is_broken_and_taken_up_again_when_paid_lets_it_buy(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    method = visits.register_paid(root, aoba)
    sandbox.paid.approve(method.key)
    methods.look_at(method_id=method.pk, now=make.NOW)
    sandbox.paid.block(method.key)

    methods.look_at(method_id=method.pk, now=make.NOW)

    text = _page(root, aoba)
    assert "Your payment method no longer works" in text
    assert "Paid does not accept purchases by your company at present." in text
    assert "Register again" in text
    aoba.refresh_from_db()
    assert aoba.payment_terms == "none"

    sandbox.paid.approve(method.key)
    with _at(timedelta(days=1)):
        visits.work_until_done()
    method.refresh_from_db()
    assert method.state == MethodState.ACTIVE
    aoba.refresh_from_db()
    assert aoba.payment_terms == "paid"


def test_a_second_sending_is_refused(root: Client, aoba: Organisation, sandbox: Sandbox) -> None:
    visits.register_paid(root, aoba)

    again = root.post(_form(aoba), visits.COMPANY, follow=True)

    assert "Paid already has your registration." in again.content.decode()
    assert PaymentMethod.objects.count() == 1
    assert len(sandbox.ledger.requests_to(REGISTER)) == 1


@pytest.mark.django_db(transaction=True)
def test_two_sendings_at_once_register_one(sandbox: Sandbox) -> None:
    make.vendor()
    aoba = make.organisation()
    user = visits.root_of(aoba)
    both = Barrier(2)
    came: list[str] = []

    def send() -> None:
        both.wait()
        try:
            methods.register(
                organisation_id=aoba.pk,
                user_id=user.pk,
                gateway="paid",
                profile=visits.COMPANY,
                now=make.NOW,
            )
            came.append("registered")
        except methods.UnderReview:
            came.append("refused")
        connection.close()

    threads = [Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(came) == ["refused", "registered"]
    assert PaymentMethod.objects.count() == 1
    assert len(sandbox.ledger.members) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("refusal", [[], ["B45"]], ids=["accepted", "refused"])
def test_a_form_whose_answer_comes_after_paypal_was_registered_is_let_go(
    sandbox: Sandbox, refusal: list[str]
) -> None:
    make.vendor()
    aoba = make.organisation()
    root = visits.client_of(visits.root_of(aoba))
    if refusal:
        sandbox.faults.paid_error(REGISTER, "CLIENT_ERROR", refusal)
    held = sandbox.faults.hold(REGISTER)
    came: list[int] = []

    def send() -> None:
        client = Client()
        client.cookies = root.cookies.copy()  # type: ignore[assignment]  # the same browser
        came.append(client.post(_form(aoba), visits.COMPANY).status_code)
        connection.close()

    sending = Thread(target=send)
    sending.start()
    assert held.reached.wait(5)
    visits.register_paypal(root, aoba, sandbox)
    held.release()
    sending.join()

    assert came == [400 if refusal else 302]
    standing = {row.gateway: row.state for row in PaymentMethod.objects.all()}
    assert standing == {"paid": "detached", "paypal": "active"}


@pytest.mark.django_db(transaction=True)
def test_a_form_that_nobody_waits_for_any_more_is_followed_by_the_sweeper(
    sandbox: Sandbox,
) -> None:
    make.vendor()
    aoba = make.organisation()
    root = visits.client_of(visits.root_of(aoba))
    held = sandbox.faults.hold(REGISTER)

    def send() -> None:
        root.post(_form(aoba), visits.COMPANY)
        connection.close()

    sending = Thread(target=send)
    sending.start()
    assert held.reached.wait(5)

    with _at(timedelta(minutes=5)):
        visits.work_until_done()
    swept = PaymentMethod.objects.get().state
    held.release()
    sending.join()

    assert swept == MethodState.UNDER_REVIEW
    assert PaymentMethod.objects.get().state == MethodState.UNDER_REVIEW
    assert len(sandbox.ledger.members) == 1


@pytest.mark.parametrize(("country", "currency"), [("US", "USD"), ("US", "JPY"), ("JP", "USD")])
def test_outside_japan_paid_is_not_offered_and_a_forged_post_is_refused(
    sandbox: Sandbox, country: str, currency: str
) -> None:
    make.vendor()
    abroad = make.organisation(country=country, currency=currency)
    root = visits.client_of(visits.root_of(abroad))
    add = visits.url("payment_method_add", abroad)

    choice = root.get(add).content.decode()
    forged = root.post(add, {"gateway": "paid"})
    form = root.post(_form(abroad), visits.COMPANY)

    assert "Paid by Invoice" not in choice
    assert "Pay by Credit Card (PayPal)" in choice
    assert forged.status_code == 400
    assert "This way to pay is not offered to your organisation." in forged.content.decode()
    assert (form.status_code, root.get(_form(abroad)).status_code) == (404, 404)
    with pytest.raises(methods.NotOffered):
        methods.register(
            organisation_id=abroad.pk,
            user_id=visits.root_of(abroad).pk,
            gateway="paid",
            profile=visits.COMPANY,
            now=make.NOW,
        )
    assert not PaymentMethod.objects.exists()
    assert sandbox.ledger.requests == []


def test_what_was_typed_for_paid_is_kept_nowhere(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    visits.register_paid(root, aoba, representativeMei="カナリア")

    with connection.cursor() as cursor:
        cursor.execute("SELECT to_jsonb(m)::text FROM payments_paymentmethod m")
        rows = str(cursor.fetchall())
    kept = rows + str(list(AuditEntry.objects.values_list("details", flat=True)))
    assert "カナリア" not in kept
    assert "keiri@aoba.example" not in kept

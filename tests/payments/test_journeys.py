"""To the provider's pages and back: once, for who set out, and for nobody else. Rule: S1-15, F20."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection
from django.test import Client

from accounts.enums import Role
from accounts.models import Organisation
from core import clock, work
from core.enums import WorkState
from core.models import Mail, Work
from gateway_sandbox import Sandbox
from payments import jobs
from payments.enums import JourneyPurpose, JourneyState, MethodState
from payments.gateways import registry
from payments.gateways.base import Approval
from payments.models import Journey, PaymentMethod
from payments.services import journeys, methods
from tests import make
from tests.payments import visits

pytestmark = pytest.mark.django_db

SETUP = "POST /v3/vault/setup-tokens"
KEEP = "POST /v3/vault/payment-tokens"


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


def _told(client: Client, path: str) -> str:
    """Open a way back; return the page that it ends on."""
    return client.get(path, follow=True).content.decode()


def _state_in(back: str) -> str:
    return visits.path_of(back).partition("/return/")[2].partition("/")[0]


def _traveller(client: Client, organisation: Organisation) -> journeys.Traveller:
    return journeys.Traveller(
        organisation.pk, visits.root_of(organisation).pk, client.session.session_key or ""
    )


def _returned(client: Client, organisation: Organisation, sandbox: Sandbox) -> Journey:
    """Come back with an approval, and have nobody finish it: as a crash leaves it."""
    back = sandbox.paypal.approve(visits.set_out(client, organisation))
    return journeys.come_back(
        traveller=_traveller(client, organisation),
        state=_state_in(back),
        purpose=JourneyPurpose.METHOD,
        now=make.NOW,
    )


def test_a_root_adds_a_card_at_paypal_and_sees_it(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    approve_at = visits.set_out(root, aoba)
    back = sandbox.paypal.approve(approve_at, email="payer@example.com")
    text = _told(root, visits.path_of(back))

    assert approve_at.startswith(f"{sandbox.url}/")
    assert "PayPal is registered as your payment method." in text
    assert "p•••@example.com" in text
    assert "since 22 November 2026" in text
    assert "Add payment method" not in text
    method = PaymentMethod.objects.get()
    assert (method.state, method.gateway, method.active_since) == ("active", "paypal", make.NOW)
    assert [method.payer] == [token.id for token in sandbox.ledger.payment_tokens]
    assert method.payer not in text
    aoba.refresh_from_db()
    assert aoba.payment_terms == "paypal"
    assert Mail.objects.filter(to=[visits.root_of(aoba).email]).count() == 1


def test_the_way_back_is_one_time_and_only_its_digest_is_kept(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    state = _state_in(sandbox.paypal.approve(visits.set_out(root, aoba)))

    journey = Journey.objects.get()
    assert len(state) == 43  # 32 random bytes
    assert bytes(journey.state_digest) == hashlib.sha256(state.encode()).digest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_jsonb(j)::text FROM payments_journey j")
        (row,) = cursor.fetchone() or ("",)
    assert state not in row
    assert (root.session.session_key or "none") not in row
    assert journey.expires_at == make.NOW + timedelta(hours=2)


def test_who_turns_back_at_paypal_has_no_method_and_may_start_again(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    approve_at = visits.set_out(root, aoba)
    text = _told(root, visits.path_of(sandbox.paypal.cancel(approve_at)))

    assert "You turned back at PayPal. Nothing was registered." in text
    assert "Add payment method" in text
    assert Journey.objects.get().state == JourneyState.CANCELLED
    assert not PaymentMethod.objects.exists()
    assert visits.register_paypal(root, aoba, sandbox).state == MethodState.ACTIVE


def test_an_old_return_says_nothing_of_a_method_that_was_removed_since(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    back = visits.path_of(sandbox.paypal.approve(visits.set_out(root, aoba)))
    assert "PayPal is registered" in _told(root, back)
    methods.detach(
        method_id=PaymentMethod.objects.get().pk, reason="He asked.", actor="user:900", now=make.NOW
    )

    again = _told(root, back)

    assert "The payment method that it registered was removed." in again
    assert "is registered as" not in again


def test_a_way_back_that_was_cancelled_registers_nothing_any_more(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    approve_at = visits.set_out(root, aoba)
    back = visits.path_of(sandbox.paypal.approve(approve_at))
    root.get(back.replace("/return/", "/cancel/"))

    assert "You turned back at PayPal" in _told(root, back)
    assert not PaymentMethod.objects.exists()
    assert sandbox.ledger.payment_tokens == []


def test_a_second_return_registers_nothing_more(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    back = visits.path_of(sandbox.paypal.approve(visits.set_out(root, aoba)))
    root.get(back)
    again = _told(root, back)

    assert "PayPal is registered as your payment method." in again
    assert PaymentMethod.objects.count() == 1
    assert len(sandbox.ledger.payment_tokens) == 1
    assert len(sandbox.ledger.requests_to(KEEP)) == 1


def test_a_return_without_an_approval_registers_nothing(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    visits.set_out(root, aoba)
    back = sandbox.ledger.setup_tokens[0].return_url
    text = _told(root, visits.path_of(back))

    assert "Nothing was approved at PayPal, so nothing was registered." in text
    assert Journey.objects.get().state == JourneyState.REFUSED
    assert not PaymentMethod.objects.exists()


def test_a_return_that_comes_too_late_registers_nothing(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    back = visits.path_of(sandbox.paypal.approve(visits.set_out(root, aoba)))

    with clock.fixed_at(make.NOW + timedelta(minutes=20)):
        root.get(visits.url("plan", aoba))
    with clock.fixed_at(make.NOW + timedelta(minutes=45)):
        root.get(visits.url("plan", aoba))
    Journey.objects.update(expires_at=make.NOW + timedelta(minutes=50))
    with clock.fixed_at(make.NOW + timedelta(minutes=50)):
        text = _told(root, back)
        journeys.expire(clock.now())

    assert "You came back too late, so nothing was registered." in text
    assert Journey.objects.get().state == JourneyState.EXPIRED
    assert not PaymentMethod.objects.exists()


def test_a_forged_state_is_a_page_that_says_so(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    visits.set_out(root, aoba)

    for name in ("payment_method_return", "payment_method_cancel"):
        answer = root.get(visits.url(name, aoba, state="A" * 43))

        assert answer.status_code == 404
        assert "Nothing was registered or charged." in answer.content.decode()
    assert Journey.objects.get().state == JourneyState.OPEN


def test_the_query_that_a_provider_adds_is_not_believed(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    visits.set_out(root, aoba)
    other = visits.set_out(root, aoba)
    sandbox.paypal.approve(other)
    mine = sandbox.ledger.setup_tokens[0]
    token = sandbox.ledger.setup_tokens[1].id
    path = visits.path_of(mine.return_url)

    text = _told(root, f"{path}?approval_token_id={token}&token={token}")

    assert "Nothing was approved at PayPal" in text
    assert not PaymentMethod.objects.exists()


def test_a_return_belongs_to_who_set_out_and_to_the_organisation(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    hokuto = make.organisation(name="Hokuto Sensors")
    other_root = visits.client_of(visits.root_of(hokuto))
    manager = visits.client_of(make.member(aoba, role=Role.MANAGER).user)
    back = sandbox.paypal.approve(visits.set_out(root, aoba))
    path = visits.path_of(back)
    at_theirs = path.replace(str(aoba.public_id), str(hokuto.public_id))

    assert other_root.get(path).status_code == 404
    assert other_root.get(at_theirs).status_code == 404
    assert manager.get(path).status_code == 403
    assert not PaymentMethod.objects.exists()
    assert "PayPal is registered" in _told(root, path)


def test_a_root_of_two_organisations_brings_a_method_to_the_one_it_set_out_from(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    hokuto = make.organisation(name="Hokuto Sensors")
    make.member(hokuto, email=visits.root_of(aoba).email)
    path = visits.path_of(sandbox.paypal.approve(visits.set_out(root, aoba)))

    answer = root.get(path.replace(str(aoba.public_id), str(hokuto.public_id)))

    assert answer.status_code == 404
    assert not PaymentMethod.objects.exists()


def test_who_signed_out_in_between_is_told_to_start_again(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    path = visits.path_of(sandbox.paypal.approve(visits.set_out(root, aoba)))
    root.logout()

    signed_out = root.get(path)
    root.force_login(visits.root_of(aoba))
    text = _told(root, path)

    assert signed_out.status_code == 302
    assert signed_out.headers["Location"].startswith("/account/login/?next=")
    assert "You signed in again in the meantime, so nothing was registered." in text
    assert not PaymentMethod.objects.exists()
    assert sandbox.ledger.payment_tokens == []


def test_another_session_of_the_same_root_does_not_use_the_way_back_up(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    elsewhere = visits.client_of(visits.root_of(aoba))
    path = visits.path_of(sandbox.paypal.approve(visits.set_out(root, aoba)))

    assert "You signed in again" in _told(elsewhere, path)
    elsewhere.get(path.replace("/return/", "/cancel/"))
    assert "PayPal is registered" in _told(root, path)


@pytest.mark.parametrize("method", ["head", "post"])
def test_only_a_get_comes_back(
    root: Client, aoba: Organisation, sandbox: Sandbox, method: str
) -> None:
    path = visits.path_of(sandbox.paypal.approve(visits.set_out(root, aoba)))

    assert getattr(root, method)(path).status_code == 405
    assert Journey.objects.get().state == JourneyState.OPEN


@pytest.mark.parametrize("fault", ["status", "lose_reply", "empty_200", "refuse"])
def test_a_provider_that_cannot_be_reached_leaves_nothing_and_staff_know(
    root: Client, aoba: Organisation, sandbox: Sandbox, fault: str
) -> None:
    if fault == "refuse":
        sandbox.stop_listening()
    elif fault == "status":
        sandbox.faults.status(SETUP, 503, times=None)
    else:
        getattr(sandbox.faults, fault)(SETUP, times=None)

    answer = root.post(visits.url("payment_method_add", aoba), {"gateway": "paypal"}, follow=True)

    assert "We could not reach PayPal. Nothing was registered" in answer.content.decode()
    assert Journey.objects.get().state == JourneyState.REFUSED
    assert not PaymentMethod.objects.exists()
    assert Mail.objects.get().to == ["billing@localhost"]


def test_a_payer_is_sent_to_no_address_that_the_settings_do_not_name(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    def elsewhere(answer: dict[str, object]) -> dict[str, object]:
        links = [{"rel": "approve", "href": "http://127.0.0.1:1/approve/X", "method": "GET"}]
        return answer | {"links": links}

    sandbox.faults.change(SETUP, elsewhere)

    answer = root.post(visits.url("payment_method_add", aoba), {"gateway": "paypal"})

    assert answer.status_code == 302
    assert answer.headers["Location"] == visits.url("payment_method_add", aoba)
    assert Journey.objects.get().state == JourneyState.REFUSED
    assert Mail.objects.count() == 1


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:1/approve/X",
        "https://paypal.example/approve/X",
        "{url}.example/approve/X",
        "{url}@paypal.example/approve/X",
        "//paypal.example/approve/X",
        "javascript:alert(1)",
        "",
    ],
)
def test_an_approval_elsewhere_is_refused_loudly(
    root: Client, aoba: Organisation, sandbox: Sandbox, address: str
) -> None:
    journey, _ = journeys.set_out(
        traveller=_traveller(root, aoba),
        purpose=JourneyPurpose.METHOD,
        gateway="paypal",
        now=make.NOW,
    )

    with pytest.raises(journeys.ApprovalElsewhere):
        journeys.lead_to(
            journey_id=journey.pk,
            approval=Approval("SETUP", address.format(url=sandbox.url)),
            now=make.NOW,
        )

    journey.refresh_from_db()
    assert (journey.state, journey.reference) == (JourneyState.REFUSED, "")
    assert Mail.objects.count() == 1


def test_another_user_has_no_journey_even_in_the_same_session(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    state = _state_in(sandbox.paypal.approve(visits.set_out(root, aoba)))
    other = replace(_traveller(root, aoba), user_id=make.member(aoba).user_id)

    with pytest.raises(journeys.NoJourney):
        journeys.come_back(
            traveller=other, state=state, purpose=JourneyPurpose.METHOD, now=make.NOW
        )
    with pytest.raises(journeys.NoJourney):
        journeys.come_back(
            traveller=_traveller(root, aoba),
            state=state,
            purpose=JourneyPurpose.PAYMENT,
            now=make.NOW,
        )

    assert Journey.objects.get().state == JourneyState.OPEN


def test_a_lost_answer_is_asked_after_until_it_is_known(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    path = visits.path_of(sandbox.paypal.approve(visits.set_out(root, aoba)))
    sandbox.faults.lose_reply(KEEP, times=None)

    text = _told(root, path)

    assert "PayPal has not answered yet" in text
    assert "Nothing is lost" in text
    assert "PayPal has not answered yet" in _told(root, path)
    assert Journey.objects.get().state == JourneyState.RETURNED
    assert not PaymentMethod.objects.exists()

    sandbox.faults.clear()
    with clock.fixed_at(make.NOW + timedelta(minutes=2)):
        visits.work_until_done()
    assert PaymentMethod.objects.get().state == MethodState.ACTIVE
    assert len(sandbox.ledger.payment_tokens) == 1
    assert "PayPal has not answered yet" not in _told(root, visits.url("plan", aoba))


def test_a_return_that_nobody_finished_is_finished_by_the_sweeper(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    _returned(root, aoba, sandbox)

    with clock.fixed_at(make.NOW + timedelta(minutes=2)):
        visits.work_until_done()

    assert PaymentMethod.objects.get().state == MethodState.ACTIVE


def test_a_provider_that_is_away_for_a_day_is_a_persons_matter(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    journey = _returned(root, aoba, sandbox)
    sandbox.stop_listening()
    tries = 0

    for minutes in [2, 7, 12, 60, 120, 24 * 60]:
        with clock.fixed_at(make.NOW + timedelta(minutes=minutes)):
            tries += work.run_due(["gateway"])

    parked = Work.objects.get(kind=jobs.FINISH_JOURNEY.kind, key=str(journey.pk))
    assert (parked.state, tries) == (WorkState.PARKED, 6)
    journey.refresh_from_db()
    assert journey.state == JourneyState.RETURNED
    with clock.fixed_at(make.NOW + timedelta(days=1)):
        again = visits.client_of(visits.root_of(aoba))
        text = again.get(visits.url("plan", aoba)).content.decode()
    assert "Support is finding out what you approved there." in text
    assert "Add payment method" in text

    sandbox.listen_again()
    with clock.fixed_at(make.NOW + timedelta(days=1)):
        work.release(parked.pk, actor="user:1", reason="PayPal is back.", now=clock.now())
        work.run_due(["gateway"])
    assert PaymentMethod.objects.get().state == MethodState.ACTIVE


def test_two_tabs_bring_one_method(root: Client, aoba: Organisation, sandbox: Sandbox) -> None:
    first, second = visits.set_out(root, aoba), visits.set_out(root, aoba)
    root.get(visits.path_of(sandbox.paypal.approve(first)))
    text = _told(root, visits.path_of(sandbox.paypal.approve(second)))

    assert PaymentMethod.objects.count() == 1
    assert len(sandbox.ledger.payment_tokens) == 1
    assert "nothing was registered" in text


def test_a_payer_who_comes_second_is_forgotten_at_the_provider(
    root: Client, aoba: Organisation, sandbox: Sandbox
) -> None:
    late = _returned(root, aoba, sandbox)
    payer = registry.gateway("paypal").finish_registration(key=late.key, reference=late.reference)
    assert payer is not None
    active = visits.register_paypal(root, aoba, sandbox)

    assert methods.add_approved(journey_id=late.pk, payer=payer, now=make.NOW) is None

    visits.work_until_done()
    standing = {row.payer: row.state for row in PaymentMethod.objects.all()}
    assert standing == {active.payer: "active", payer.reference: "detached"}
    gone = {token.id: token.deleted_at is not None for token in sandbox.ledger.payment_tokens}
    assert gone == {active.payer: False, payer.reference: True}


@pytest.mark.django_db(transaction=True)
def test_a_return_in_two_tabs_at_once_registers_once(sandbox: Sandbox) -> None:
    make.vendor()
    aoba = make.organisation()
    root = visits.client_of(visits.root_of(aoba))
    path = visits.path_of(sandbox.paypal.approve(visits.set_out(root, aoba)))
    both = Barrier(2)
    statuses: list[int] = []

    def come_back() -> None:
        client = Client()
        client.cookies = root.cookies.copy()  # type: ignore[assignment]  # the same browser
        both.wait()
        statuses.append(client.get(path).status_code)
        connection.close()

    threads = [Thread(target=come_back) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statuses == [302, 302]
    assert PaymentMethod.objects.count() == 1
    assert len(sandbox.ledger.payment_tokens) == 1
    assert len(sandbox.ledger.requests_to(KEEP)) == 1

"""The inbox of notices: over HTTP, with the signatures of a PayPal of our own. Rule: R8, F12–F17, I17."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from core import clock, work
from core.models import Work
from gateway_sandbox import Sandbox
from gateway_sandbox.notices import Forgery
from gateway_sandbox.rows import Notice
from payments.enums import ChargeState, DifferenceKind, MethodState, NoticeState
from payments.models import Charge, Difference, PaymentMethod, StoredNotice
from payments.services import notices
from tests import make
from tests.payments import collected

URL = "/notices/paypal/"
NOW = make.NOW


@pytest.fixture(autouse=True)
def _at_now() -> Iterator[None]:
    with clock.fixed_at(NOW):
        yield


def post(headers: dict[str, str], body: bytes, url: str = URL) -> Any:
    return Client().post(
        url,
        data=body,
        content_type="application/json",
        headers={name: value for name, value in headers.items() if name != "Content-Type"},
    )


def deliver(sandbox: Sandbox, notice: Notice, *, forge: Forgery = "") -> int:
    headers, body = sandbox.signed(notice, forge=forge)
    status: int = post(headers, body).status_code
    return status


@pytest.mark.django_db
def test_a_notice_is_stored_and_answered_and_nothing_else_happens_yet(sandbox: Sandbox) -> None:
    _, charge = collected.paid(sandbox)
    [completed] = sandbox.notices_of("PAYMENT.CAPTURE.COMPLETED")
    asked = len(sandbox.ledger.requests)

    headers, body = sandbox.signed(completed)
    response = post(headers, body)

    assert (response.status_code, response.content) == (200, b"")
    assert response.cookies == {}
    stored = StoredNotice.objects.get()
    assert (stored.gateway, stored.event_id, stored.state) == ("paypal", completed.id, "received")
    assert {charge.key, charge.capture, charge.reference} <= set(stored.references)
    # The certificate is all that was fetched.
    assert [request.path for request in sandbox.ledger.requests[asked:]] == [
        sandbox.certificate_url.removeprefix(sandbox.url)
    ]
    assert Work.objects.get(kind="payments.process_notice").payload == {"notice_id": stored.pk}


@pytest.mark.django_db
def test_the_same_notice_again_is_answered_and_stored_once(sandbox: Sandbox) -> None:
    collected.paid(sandbox)
    [completed] = sandbox.notices_of("PAYMENT.CAPTURE.COMPLETED")

    assert [deliver(sandbox, completed) for _ in range(3)] == [200, 200, 200]

    assert StoredNotice.objects.count() == 1
    assert Work.objects.filter(kind="payments.process_notice").count() == 1


@pytest.mark.django_db
def test_a_kind_that_we_do_not_know_is_kept_and_ignored(sandbox: Sandbox) -> None:
    body = b'{"id": "WH-77", "event_type": "BILLING.PLAN.CREATED", "resource": {"id": "P-1"}}'
    notice = Notice("WH-77", "BILLING.PLAN.CREATED", "P-1", body.decode(), NOW)

    assert deliver(sandbox, notice) == 200

    stored = StoredNotice.objects.get()
    assert (stored.state, stored.kind, stored.references) == (
        NoticeState.IGNORED,
        "BILLING.PLAN.CREATED",
        [],
    )
    assert not Work.objects.filter(kind="payments.process_notice").exists()


FORGERIES: list[Forgery] = ["key", "body", "webhook_id", "algorithm", "unsigned", "host"]


@pytest.mark.django_db
@pytest.mark.parametrize("forge", FORGERIES)
def test_a_forged_notice_leaves_a_digest_and_the_reason(sandbox: Sandbox, forge: Forgery) -> None:
    collected.paid(sandbox)
    [completed] = sandbox.notices_of("PAYMENT.CAPTURE.COMPLETED")
    asked = len(sandbox.ledger.requests_to("/v*/checkout/*"))

    assert deliver(sandbox, completed, forge=forge) == 400

    stored = StoredNotice.objects.get()
    assert (stored.state, stored.event_id, stored.references) == (NoticeState.FORGED, "", [])
    assert stored.reason
    assert len(stored.body_digest) == 32
    assert len(sandbox.ledger.requests_to("/v*/checkout/*")) == asked
    assert not Work.objects.filter(kind="payments.process_notice").exists()


@pytest.mark.django_db
def test_a_forged_notice_does_not_keep_the_true_one_out(sandbox: Sandbox) -> None:
    collected.paid(sandbox)
    [completed] = sandbox.notices_of("PAYMENT.CAPTURE.COMPLETED")

    assert deliver(sandbox, completed, forge="key") == 400
    assert deliver(sandbox, completed) == 200

    assert sorted(StoredNotice.objects.values_list("state", flat=True)) == ["forged", "received"]


@pytest.mark.django_db
def test_a_replay_of_an_old_notice_is_refused(sandbox: Sandbox) -> None:
    collected.paid(sandbox)
    [completed] = sandbox.notices_of("PAYMENT.CAPTURE.COMPLETED")

    headers, body = sandbox.signed(completed, at=NOW - timedelta(days=4))

    assert post(headers, body).status_code == 400


@pytest.mark.django_db
def test_a_flood_of_forged_notices_is_not_listened_to(sandbox: Sandbox) -> None:
    collected.paid(sandbox)
    [completed] = sandbox.notices_of("PAYMENT.CAPTURE.COMPLETED")
    many = notices.BAD_PER_ADDRESS

    statuses = [deliver(sandbox, completed, forge="unsigned") for _ in range(many + 5)]

    assert statuses == [400] * many + [429] * 5
    assert StoredNotice.objects.filter(state=NoticeState.FORGED).count() == many
    refused = post(*sandbox.signed(completed))
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 600
    with clock.fixed_at(NOW + timedelta(minutes=10)):
        assert deliver(sandbox, completed) == 200


@pytest.mark.django_db
def test_another_address_is_listened_to_during_a_flood(sandbox: Sandbox) -> None:
    collected.paid(sandbox)
    [completed] = sandbox.notices_of("PAYMENT.CAPTURE.COMPLETED")
    for _ in range(notices.BAD_PER_ADDRESS):
        deliver(sandbox, completed, forge="unsigned")

    headers, body = sandbox.signed(completed)
    response = Client(REMOTE_ADDR="192.0.2.7").post(
        URL, data=body, content_type="application/json", headers=headers
    )

    assert response.status_code == 200


@pytest.mark.django_db
def test_forged_notices_of_many_addresses_fill_no_table(sandbox: Sandbox) -> None:
    for number in range(notices.FORGED_KEPT + 10):
        address = f"192.0.{2 + number // 250}.{number % 250}"
        response = Client(REMOTE_ADDR=address).post(URL, data=b"{}", content_type="text/plain")
        assert response.status_code == 400

    assert StoredNotice.objects.count() == notices.FORGED_KEPT


@pytest.mark.django_db
def test_a_notice_that_cannot_be_checked_is_asked_for_again(sandbox: Sandbox) -> None:
    collected.paid(sandbox)
    [completed] = sandbox.notices_of("PAYMENT.CAPTURE.COMPLETED")
    headers, body = sandbox.signed(completed)
    sandbox.stop_listening()

    response = post(headers, body)

    assert response.status_code == 503
    assert StoredNotice.objects.count() == 0


@pytest.mark.django_db
def test_only_post_and_only_known_companies(sandbox: Sandbox) -> None:
    assert Client().get(URL).status_code == 405
    assert Client().post("/notices/stripe/").status_code == 404
    # A redirect would lose the body.
    assert Client().post("/notices/paypal").status_code == 404


@pytest.mark.django_db
def test_a_notice_needs_no_cookie_and_leaves_none(sandbox: Sandbox) -> None:
    client = Client(enforce_csrf_checks=True)

    response = client.post(URL, data=b"{}", content_type="application/json")

    assert response.status_code == 400
    assert response.cookies == {}


@pytest.mark.django_db
def test_a_body_beyond_the_limit_is_refused_unread(sandbox: Sandbox) -> None:
    response = Client().post(URL, data=b"x" * (256 * 1024 + 1), content_type="text/plain")

    assert response.status_code == 413
    assert StoredNotice.objects.count() == 0


# --- working off ---


@pytest.mark.django_db
def test_process_settles_a_pending_charge_by_what_the_provider_says(sandbox: Sandbox) -> None:
    customer = collected.customer(sandbox)
    sandbox.paypal.pending()
    charge = collected.charge(customer.payable)
    assert charge.state == ChargeState.PENDING
    sandbox.paypal.complete(charge.capture or sandbox.ledger.captures[0])
    [completed] = sandbox.notices_of("PAYMENT.CAPTURE.COMPLETED")
    deliver(sandbox, completed)

    work.run_due()

    charge.refresh_from_db()
    assert charge.state == ChargeState.SUCCEEDED
    assert StoredNotice.objects.get().state == NoticeState.PROCESSED


@pytest.mark.django_db
def test_process_believes_no_content(sandbox: Sandbox) -> None:
    customer = collected.customer(sandbox)
    sandbox.paypal.pending()
    charge = collected.charge(customer.payable)
    [pending] = sandbox.notices_of("PAYMENT.CAPTURE.PENDING")
    lie = pending.body.replace("PAYMENT.CAPTURE.PENDING", "PAYMENT.CAPTURE.COMPLETED").replace(
        '"status": "PENDING"', '"status": "COMPLETED"'
    )
    assert lie != pending.body
    deliver(sandbox, Notice("WH-1", "PAYMENT.CAPTURE.COMPLETED", "x", lie, NOW))

    work.run_due()

    charge.refresh_from_db()
    assert charge.state == ChargeState.PENDING
    assert StoredNotice.objects.get().state == NoticeState.PROCESSED


@pytest.mark.django_db
def test_process_breaks_a_method_whose_payer_has_gone(sandbox: Sandbox) -> None:
    customer = collected.customer(sandbox)
    sandbox.paypal.delete_agreement(customer.method.payer)
    [deleted] = sandbox.notices_of("VAULT.PAYMENT-TOKEN.DELETED")
    deliver(sandbox, deleted)

    work.run_due()

    assert PaymentMethod.objects.get().state == MethodState.BROKEN
    assert StoredNotice.objects.get(event_id=deleted.id).state == NoticeState.PROCESSED


@pytest.mark.django_db
def test_process_ignores_what_is_none_of_ours(sandbox: Sandbox) -> None:
    collected.paid(sandbox)
    [completed] = sandbox.notices_of("PAYMENT.CAPTURE.COMPLETED")
    charge = Charge.objects.get()
    body = completed.body
    for name in (charge.key, charge.capture, charge.reference):
        body = body.replace(name, "SOMEBODY-ELSES")
    deliver(sandbox, Notice("WH-2", completed.kind, "x", body, NOW))

    work.run_due()

    assert StoredNotice.objects.get().state == NoticeState.IGNORED
    assert Difference.objects.count() == 0


@pytest.mark.django_db
def test_process_has_staff_look_into_a_capture_with_a_key_of_ours(sandbox: Sandbox) -> None:
    collected.paid(sandbox)
    [completed] = sandbox.notices_of("PAYMENT.CAPTURE.COMPLETED")
    charge = Charge.objects.get()
    body = completed.body.replace(charge.key, "a" * 20)
    for name in (charge.capture, charge.reference):
        body = body.replace(name, f"Z-{name}")
    deliver(sandbox, Notice("WH-2", completed.kind, "x", body, NOW))

    work.run_due()
    deliver(sandbox, Notice("WH-3", completed.kind, "x", body, NOW))
    work.run_due()

    found = Difference.objects.get()
    assert (found.kind, found.reference) == (
        DifferenceKind.MISSING_HERE,
        f"Z-{charge.capture}",
    )
    assert found.charge is None


@pytest.mark.django_db
def test_process_has_staff_look_into_a_second_capture_of_one_attempt(sandbox: Sandbox) -> None:
    _, charge = collected.paid(sandbox)
    [completed] = sandbox.notices_of("PAYMENT.CAPTURE.COMPLETED")
    body = completed.body
    for name in (charge.capture, charge.reference):
        body = body.replace(name, f"Z-{name}")
    deliver(sandbox, Notice("WH-2", completed.kind, "x", body, NOW))

    work.run_due()

    found = Difference.objects.get()
    assert (found.kind, found.charge_id) == (DifferenceKind.MISSING_HERE, charge.pk)


@pytest.mark.django_db
def test_process_has_staff_look_into_money_that_others_gave_back(sandbox: Sandbox) -> None:
    _, charge = collected.paid(sandbox)
    sandbox.paypal.chargeback(charge.capture)
    [reversed_] = sandbox.notices_of("PAYMENT.CAPTURE.REVERSED")
    deliver(sandbox, reversed_)

    work.run_due()

    found = Difference.objects.get()
    assert (found.kind, found.charge_id) == (DifferenceKind.MISSING_HERE, charge.pk)


@pytest.mark.django_db
def test_a_notice_whose_work_was_lost_is_found_after_a_minute(sandbox: Sandbox) -> None:
    collected.paid(sandbox)
    [completed] = sandbox.notices_of("PAYMENT.CAPTURE.COMPLETED")
    deliver(sandbox, completed)
    Work.objects.filter(kind="payments.process_notice").delete()

    work.plan(NOW + timedelta(seconds=59))
    assert not Work.objects.filter(kind="payments.process_notice").exists()
    work.plan(NOW + timedelta(seconds=61))

    assert Work.objects.filter(kind="payments.process_notice").count() == 1


@pytest.mark.django_db
def test_forged_notices_are_forgotten_after_a_month(sandbox: Sandbox) -> None:
    post({}, b"{}")

    notices.forget_forged(NOW + timedelta(days=30))
    assert StoredNotice.objects.count() == 1
    notices.forget_forged(NOW + timedelta(days=31))

    assert StoredNotice.objects.count() == 0


# --- over the wire ---


@pytest.mark.django_db(transaction=True)
def test_ten_at_once_have_one_effect(sandbox: Sandbox, live_server: LiveServer) -> None:
    _, charge = collected.paid(sandbox)
    [completed] = sandbox.notices_of("PAYMENT.CAPTURE.COMPLETED")
    statuses: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: statuses.extend(sandbox.deliver(completed, to=f"{live_server.url}{URL}"))
        )
        for _ in range(10)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    work.run_due()

    assert statuses == [200] * 10
    assert StoredNotice.objects.get().state == NoticeState.PROCESSED
    assert Charge.objects.get().state == ChargeState.SUCCEEDED
    assert sandbox.ledger.taken("JPY") == charge.amount == 5_500

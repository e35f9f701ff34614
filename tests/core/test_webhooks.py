"""Events leave signed, at least once, for days, and only to where they may. Rule: R2, R8, docs/api.md."""

import hashlib
import hmac
import json
import logging
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client

from accounts.models import User
from core import calls, clock, sealed, webhooks, work
from core.calls import Limits
from core.enums import WorkState
from core.models import AuditEntry, WebhookDelivery, WebhookEndpoint, Work
from core.webhooks import Event
from tests import make
from tests.core import receiver as far
from tests.core.receiver import Receiver

pytestmark = pytest.mark.django_db

NOW = make.NOW
CHANGED = Event("entitlements.changed", "aoba", "plan", 7)
STRICT, LOOSE = Limits(is_strict=True, seconds=1), Limits(is_strict=False, seconds=5)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with far.running() as running:
        yield running


def opened(receiver: Receiver) -> str:
    _, secret = webhooks.create(label="product", url=receiver.url, actor=make.ACTOR, now=NOW)
    return secret


def announce(*events: Event, now: datetime = NOW) -> None:
    with transaction.atomic():
        webhooks.announce(events or [CHANGED], now)


def work_at(now: datetime) -> None:
    with clock.fixed_at(now):
        work.run_due([work.GATEWAY_QUEUE])


def due_at() -> datetime:
    return Work.objects.get(kind="core.deliver_webhook", state=WorkState.DUE).due_at


def test_an_event_arrives_signed_and_says_what_to_ask_about(receiver: Receiver) -> None:
    secret = opened(receiver)
    announce()

    work_at(NOW)

    [got] = receiver.received
    [delivery] = WebhookDelivery.objects.all()
    assert json.loads(got.body) == {
        "id": delivery.event_id,
        "event": "entitlements.changed",
        "organisation": "aoba",
        "at": "2026-11-22T05:00:00+00:00",
        "reason": "plan",
    }
    assert got.path == "/hooks?for=portal"
    assert got.headers["Content-Type"] == "application/json"
    # As docs/api.md tells a receiver to check it.
    timestamp = got.headers["Webhook-Timestamp"]
    proof = hmac.new(secret.encode(), timestamp.encode() + b"." + got.body, hashlib.sha256)
    assert got.headers["Webhook-Signature"] == f"v1={proof.hexdigest()}"
    assert timestamp == "1795323600"
    assert (delivery.status, delivery.tries, delivery.delivered_at) == (200, 1, NOW)


def test_the_check_that_the_manual_shows_holds(receiver: Receiver) -> None:
    secret = opened(receiver)
    announce()
    sent_at = clock.now()
    work_at(sent_at)
    [got] = receiver.received
    manual = (settings.BASE_DIR / "docs" / "api.md").read_text()
    shown: dict[str, Any] = {}
    exec(manual.partition("```python\n")[2].partition("```")[0], shown)  # noqa: S102  # our own

    assert shown["is_genuine"](secret, got.headers, got.body)
    assert not shown["is_genuine"](secret, got.headers, got.body + b" ")
    assert not shown["is_genuine"]("whsec_other", got.headers, got.body)
    old = {**got.headers, "Webhook-Timestamp": str(int(sent_at.timestamp()) - 301)}
    assert not shown["is_genuine"](secret, old, got.body)


def test_every_open_endpoint_gets_the_event_under_one_id_and_its_own_secret(
    receiver: Receiver,
) -> None:
    with far.running() as other, far.running() as closed:
        opened(receiver)
        opened(other)
        opened(closed)
        webhooks.close(
            endpoint_id=WebhookEndpoint.objects.get(url=closed.url).pk,
            actor=make.ACTOR,
            reason="moved",
            now=NOW,
        )
        announce()

        work_at(NOW)

        [one], [two] = receiver.received, other.received
        assert one.body == two.body
        assert one.headers["Webhook-Signature"] != two.headers["Webhook-Signature"]
        assert closed.received == []


def test_without_an_endpoint_an_event_is_nothing(db: None) -> None:
    announce()

    assert not WebhookDelivery.objects.exists()
    assert not Work.objects.exists()


def test_an_event_is_told_with_its_transaction_or_not_at_all(receiver: Receiver) -> None:
    opened(receiver)

    with transaction.atomic():
        webhooks.announce([CHANGED], NOW)
        transaction.set_rollback(True)

    work_at(NOW)
    assert receiver.received == []


@pytest.mark.django_db(transaction=True)
def test_an_event_outside_a_transaction_is_refused() -> None:
    with pytest.raises(work.OutsideTransaction):
        webhooks.announce([CHANGED], NOW)


def test_what_is_answered_500_comes_again_with_the_same_id_and_then_no_more(
    receiver: Receiver,
) -> None:
    opened(receiver)
    receiver.answers = [far.status(500), far.status(503)]
    announce()

    work_at(NOW)
    first = due_at()
    work_at(first - timedelta(seconds=1))
    work_at(first)
    second = due_at()
    work_at(second)
    work_at(second + timedelta(days=9))

    assert (first - NOW, second - first) == (timedelta(seconds=30), timedelta(minutes=1))
    assert len(receiver.received) == 3
    assert len({got.body for got in receiver.received}) == 1
    assert len({got.headers["Webhook-Signature"] for got in receiver.received}) == 3
    assert WebhookDelivery.objects.get().delivered_at == second


def test_a_lost_answer_is_a_retry_under_the_same_id(receiver: Receiver) -> None:
    opened(receiver)
    receiver.answers = [far.lost]
    announce()

    work_at(NOW)
    reason = WebhookDelivery.objects.get().reason
    work_at(due_at())

    assert reason == "no answer (RemoteDisconnected)"
    assert [json.loads(got.body)["id"] for got in receiver.received] == [
        WebhookDelivery.objects.get().event_id
    ] * 2
    assert WebhookEndpoint.objects.get().misses == 0


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, code: int) -> None:
    with far.running() as elsewhere:
        opened(receiver)
        receiver.answers = [far.status(code, Location=elsewhere.url)]
        announce()

        work_at(NOW)

        assert elsewhere.received == []
    delivery = WebhookDelivery.objects.get()
    assert delivery.delivered_at is None
    assert delivery.reason == f"answered {code}, which is not followed: give the final address"


def test_a_call_ends_in_time_although_bytes_keep_coming(receiver: Receiver) -> None:
    receiver.answers = [far.dripping(receiver.stopping)]

    with pytest.raises(calls.NoAnswer, match="TimeoutError"):
        calls.post(receiver.url, b"{}", {}, Limits(is_strict=False, seconds=0.4))


@pytest.mark.parametrize(
    ("name", "trusted", "fault"),
    [
        pytest.param("localhost", True, None, id="trusted, and for this name"),
        pytest.param("localhost", False, "SSLCertVerificationError", id="not trusted"),
        pytest.param("other.example", True, "SSLCertVerificationError", id="for another name"),
    ],
)
def test_a_call_by_https_checks_who_answers(
    name: str, trusted: bool, fault: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with far.encrypted(tmp_path, name) as receiver:
        if trusted:
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))

        if fault is None:
            assert calls.post(receiver.url, b"{}", {}, LOOSE) == 200
        else:
            with pytest.raises(calls.NoAnswer, match=fault):
                calls.post(receiver.url, b"{}", {}, LOOSE)

        assert [got.body for got in receiver.received] == ([b"{}"] if fault is None else [])


def test_staff_see_what_was_given_up_and_no_secret(receiver: Receiver) -> None:
    secret = opened(receiver)
    receiver.answers = [far.status(500)]
    announce()
    work_at(NOW + timedelta(days=3))
    staff = User.objects.create_superuser("staff@example.com", make.PASSWORD, registered_at=NOW)
    client = Client()
    client.force_login(staff)
    delivery, endpoint = WebhookDelivery.objects.get(), WebhookEndpoint.objects.get()

    pages = {
        page: client.get(f"/back-office/core/{page}").content.decode()
        for page in (
            "webhookdelivery/?given_up_at__isempty=0",
            f"webhookdelivery/{delivery.pk}/change/",
            "webhookendpoint/",
            f"webhookendpoint/{endpoint.pk}/change/",
        )
    }

    assert "answered 500" in pages["webhookdelivery/?given_up_at__isempty=0"]
    assert endpoint.label in pages["webhookendpoint/"]
    sealed_secret = bytes(endpoint.sealed_secret).decode()
    assert [page for page, text in pages.items() if secret in text or sealed_secret in text] == []
    assert [page for page, text in pages.items() if "</html>" not in text] == []


def test_who_does_not_answer_is_left_alone_for_a_while(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "SECONDS", 0.2)
    opened(receiver)
    receiver.answers = [far.dripping(receiver.stopping)] * 2
    announce(*[CHANGED] * 3)

    work_at(NOW)

    assert len(receiver.received) == 1  # two wait without a call of their own
    assert WebhookEndpoint.objects.get().away_until == NOW + timedelta(seconds=30)

    work_at(NOW + timedelta(seconds=30))

    assert len(receiver.received) == 2
    assert WebhookEndpoint.objects.get().away_until == NOW + timedelta(seconds=90)

    work_at(NOW + timedelta(seconds=90))

    ids = [json.loads(got.body)["id"] for got in receiver.received]
    assert len(set(ids)) == 3
    assert not WebhookDelivery.objects.filter(delivered_at=None).exists()
    assert WebhookEndpoint.objects.get().away_until is None


def test_it_is_tried_for_three_days_and_then_parked_and_shown(receiver: Receiver) -> None:
    opened(receiver)
    receiver.answers = [far.status(500)] * 200
    announce()

    at = NOW
    while Work.objects.filter(state=WorkState.DUE).exists():
        at = due_at()
        work_at(at)

    delivery, [parked] = WebhookDelivery.objects.get(), Work.objects.all()
    assert at == delivery.given_up_at == NOW + timedelta(days=3)
    # 30 s doubled seven times is more than an hour: 7 tries in the first 63.5 minutes, then hourly.
    assert delivery.tries == len(receiver.received) == 79
    assert (parked.state, parked.organisation_id) == (WorkState.PARKED, 7)
    assert parked.reason == "The webhook's endpoint did not take it for days: answered 500"


def test_what_was_given_up_can_be_released_and_is_tried_once(receiver: Receiver) -> None:
    opened(receiver)
    receiver.answers = [far.status(500), far.status(500)]
    announce()
    late = NOW + timedelta(days=4)
    for _ in range(2):
        work_at(late)
        [parked] = Work.objects.filter(state=WorkState.PARKED)
        work.release(parked.pk, actor=make.ACTOR, reason="they mended it", now=late)

    work_at(late)

    delivery = WebhookDelivery.objects.get()
    assert (delivery.delivered_at, delivery.given_up_at, delivery.tries) == (late, None, 3)


def test_closing_an_endpoint_ends_what_waits_for_it(receiver: Receiver) -> None:
    opened(receiver)
    announce()
    endpoint = WebhookEndpoint.objects.get()

    closed = [
        webhooks.close(endpoint_id=endpoint.pk, actor=make.ACTOR, reason="gone", now=NOW)
        for _ in range(2)
    ]
    work_at(NOW)

    assert closed == [True, False]
    assert receiver.received == []
    assert Work.objects.get().state == WorkState.DONE


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.com/", "it does not begin with https://"),
        ("ftp://example.com/", "it is no http or https address"),
        ("https://", "it is no http or https address"),
        ("https://user:word@example.com/", "it holds a user name"),
        ("https://example.com/#part", "it names a fragment, or port 0"),
        ("https://example.com:0/", "it names a fragment, or port 0"),
        ("https://example.com:x/", "it is no address"),
        ("https://example.com/\r\nX: y", "it holds characters that no address has"),
        ("https://[::1", "it is no address"),
    ],
)
def test_an_address_that_is_none_is_refused(url: str, reason: str, settings: Any) -> None:
    settings.WEBHOOKS_ARE_STRICT = True

    with pytest.raises(calls.NotAllowed, match=reason):
        webhooks.create(label="product", url=url, actor=make.ACTOR, now=NOW)

    assert not WebhookEndpoint.objects.exists()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104  # refused, not bound
        "224.0.0.1",
        "[::1]",
        "[fe80::1]",
        "[fd00::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "localhost",
        "2130706433",
        "0x7f.1",
    ],
)
def test_an_address_inside_is_never_called(host: str) -> None:
    with pytest.raises(calls.NotAllowed, match="not public"):
        calls.post(f"https://{host}/", b"", {}, STRICT)


def test_a_name_with_one_address_inside_is_never_called(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))
        for address in ("93.184.216.34", "127.0.0.1")
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    with pytest.raises(calls.NotAllowed, match="not public"):
        calls.post("https://rebinding.example/", b"", {}, STRICT)


def test_an_address_that_leads_inside_is_told_to_staff(receiver: Receiver, settings: Any) -> None:
    opened(receiver)
    announce()
    settings.WEBHOOKS_ARE_STRICT = True
    WebhookEndpoint.objects.update(url="https://127.0.0.1/")

    work_at(NOW)

    delivery = WebhookDelivery.objects.get()
    assert (
        delivery.reason == "its address is not allowed: it leads to an address that is not public"
    )
    assert receiver.received == []


def test_the_secret_is_shown_once_and_written_down_nowhere(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said, noted = StringIO(), StringIO()
    with clock.fixed_at(NOW):
        call_command("create_webhook", "product", receiver.url, stdout=said, stderr=noted)
    secret = said.getvalue().strip()
    receiver.answers = [far.status(500), far.lost]
    announce()
    work_at(NOW)
    work_at(due_at())
    work_at(due_at())

    endpoint = WebhookEndpoint.objects.get()
    assert secret.startswith("whsec_")
    assert sealed.unseal(endpoint.sealed_secret) == secret
    kept = [
        bytes(endpoint.sealed_secret).decode(),
        noted.getvalue(),
        caplog.text,
        *(str(entry.details) for entry in AuditEntry.objects.all()),
        *(f"{each.payload}{each.reason}" for each in Work.objects.all()),
        *(f"{each.body}{each.reason}" for each in WebhookDelivery.objects.all()),
        *(f"{got.path}{got.headers}{got.body!r}" for got in receiver.received),
    ]
    assert len(receiver.received) == 3
    assert [text for text in kept if secret in text or secret.removeprefix("whsec_") in text] == []
    assert "for=portal" not in caplog.text


def test_a_sealed_secret_outlives_an_exchange_of_the_key(settings: Any) -> None:
    kept = sealed.seal("secret")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"

    assert sealed.unseal(kept) == "secret"

    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(sealed.Unreadable):
        sealed.unseal(kept)


def test_the_commands_say_what_is_wrong(receiver: Receiver, settings: Any) -> None:
    settings.WEBHOOKS_ARE_STRICT = True

    with pytest.raises(CommandError, match="does not begin with https"):
        call_command("create_webhook", "product", receiver.url)
    with pytest.raises(CommandError, match="no open webhook 7"):
        call_command("close_webhook", "7", "--reason", "gone")


def test_what_was_delivered_long_ago_is_forgotten(receiver: Receiver) -> None:
    opened(receiver)
    announce()
    work_at(NOW)
    announce(now=NOW + timedelta(days=1))

    webhooks.forget_delivered(NOW + timedelta(days=30, seconds=1))

    assert WebhookDelivery.objects.get().delivered_at is None

import smtplib
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from pytest_django.fixtures import Settings

from core import mail, work
from core.enums import WorkState
from core.models import Mail, Work
from tests import make


def _message() -> EmailMultiAlternatives:
    message = EmailMultiAlternatives("件名", "本文", "billing@example.com", ["hanako@example.com"])
    message.attach_alternative("<p>本文</p>", "text/html")
    return message


@pytest.mark.django_db(transaction=True)
def test_a_mail_is_sent_once_after_its_transaction(settings: Settings, tmp_path: Path) -> None:
    settings.EMAIL_BACKEND = "core.mail.OutboxBackend"
    settings.DELIVERY_EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path)

    _message().send()
    assert list(tmp_path.iterdir()) == []
    work.run_due()
    Work.objects.update(state="due", ended_at=None)
    work.run_due()

    (sent,) = tmp_path.iterdir()
    kept = Mail.objects.get()
    assert kept.sent_at is not None
    assert sent.read_text().count("Message-ID: " + kept.message_id) == 1


@pytest.mark.django_db(transaction=True)
def test_a_mail_of_a_transaction_that_fails_is_never_sent(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "core.mail.OutboxBackend"

    with transaction.atomic():
        _message().send()
        transaction.set_rollback(True)

    assert (Mail.objects.count(), Work.objects.count()) == (0, 0)


class Refusing:
    """A mail server's client, at the edge of the network, that fails as it is told."""

    fault: OSError

    def __init__(self, **_options: object) -> None:
        pass

    def send_messages(self, _messages: object) -> int:
        raise self.fault


def _parked(code: int) -> smtplib.SMTPRecipientsRefused:
    return smtplib.SMTPRecipientsRefused({"hanako@example.com": (code, b"no")})


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fault", "state"),
    [
        pytest.param(ConnectionRefusedError(111, "refused"), WorkState.DUE, id="away"),
        pytest.param(smtplib.SMTPServerDisconnected("gone"), WorkState.DUE, id="broke off"),
        pytest.param(smtplib.SMTPConnectError(554, b"full"), WorkState.DUE, id="takes nobody now"),
        pytest.param(smtplib.SMTPDataError(451, b"later"), WorkState.DUE, id="later"),
        pytest.param(_parked(450), WorkState.DUE, id="grey-listed"),
        pytest.param(_parked(550), WorkState.PARKED, id="no such address"),
        pytest.param(smtplib.SMTPDataError(554, b"no"), WorkState.PARKED, id="refused"),
    ],
)
def test_a_mail_waits_for_a_server_that_is_away_and_is_parked_where_it_is_refused(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fault: OSError,
    state: WorkState,
) -> None:
    settings.EMAIL_BACKEND = "core.mail.OutboxBackend"
    settings.DELIVERY_EMAIL_BACKEND = f"{__name__}.Refusing"
    monkeypatch.setattr(Refusing, "fault", fault, raising=False)

    _message().send()
    work.run_due()

    assert Work.objects.get().state == state
    assert Mail.objects.get().sent_at is None
    assert "hanako" not in caplog.text + Work.objects.get().reason


@pytest.mark.django_db
def test_a_mail_is_forgotten_thirty_days_after_it_was_sent_and_never_before_it_is() -> None:
    def stored(message_id: str, sent_at: datetime | None) -> None:
        Mail.objects.create(
            message_id=message_id, to=["a@example.com"], created_at=make.NOW, sent_at=sent_at
        )

    stored("old", make.NOW - timedelta(days=31))
    stored("new", make.NOW - timedelta(days=29))
    stored("waits", None)

    mail.forget_sent(make.NOW)

    assert set(Mail.objects.values_list("message_id", flat=True)) == {"new", "waits"}

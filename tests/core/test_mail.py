from pathlib import Path

import pytest
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from pytest_django.fixtures import Settings

from core import work
from core.models import Mail, Work


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
    mail = Mail.objects.get()
    assert mail.sent_at is not None
    assert sent.read_text().count("Message-ID: " + mail.message_id) == 1


@pytest.mark.django_db(transaction=True)
def test_a_mail_of_a_transaction_that_fails_is_never_sent(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "core.mail.OutboxBackend"

    with transaction.atomic():
        _message().send()
        transaction.set_rollback(True)

    assert (Mail.objects.count(), Work.objects.count()) == (0, 0)

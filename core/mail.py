"""Mail leaves through the outbox: written in the transaction that it tells of, sent later. Rule: R2."""

import smtplib
from collections.abc import Sequence
from datetime import datetime, timedelta
from email.utils import make_msgid

from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction

from core import clock
from core.models import Mail
from core.work import Job

SEND_MAIL = Job("core.send_mail")

KEEP_SENT = timedelta(days=30)
_PERMANENT = 500


class ServerAway(Exception):
    """The mail server cannot be reached, or says that it will take the mail later."""


class Refused(Exception):
    """The mail server will never take this mail."""


class OutboxBackend(BaseEmailBackend):
    """Django's mail backend that stores a message and asks for its delivery."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Store the messages in the present transaction (or one of their own); return how many."""
        with transaction.atomic():
            for message in email_messages:
                _store(message)
        return len(email_messages)


def deliver(*, mail_id: int, now: datetime) -> None:
    """Hand a stored mail to the mail server, once unless the answer is lost.

    A repeated mail carries the same Message-ID. Raises ServerAway, or Refused where trying again
    would not help.
    """
    mail = Mail.objects.get(pk=mail_id)
    if mail.sent_at:
        return
    message = EmailMultiAlternatives(
        subject=mail.subject,
        body=mail.text,
        from_email=mail.from_address,
        to=mail.to,
        headers={"Message-ID": mail.message_id},
        connection=get_connection(settings.DELIVERY_EMAIL_BACKEND),
    )
    if mail.html:
        message.attach_alternative(mail.html, "text/html")
    try:
        message.send()
    except OSError as fault:
        raise (Refused if _is_final(fault) else ServerAway)(_told(fault)) from None
    Mail.objects.filter(pk=mail_id).update(sent_at=now)


def forget_sent(now: datetime) -> None:
    """Delete mails that were sent long ago: they hold addresses and links that sign somebody in."""
    Mail.objects.filter(sent_at__lt=now - KEEP_SENT).delete()


def _is_final(fault: OSError) -> bool:
    """Whether the server refuses the mail itself: with a code from 500 on (RFC 5321, 4.2.1)."""
    if isinstance(fault, smtplib.SMTPRecipientsRefused):
        return all(code >= _PERMANENT for code, _ in fault.recipients.values())
    if isinstance(fault, smtplib.SMTPServerDisconnected | smtplib.SMTPConnectError):
        return False
    if isinstance(fault, smtplib.SMTPResponseException):
        return fault.smtp_code >= _PERMANENT
    return isinstance(fault, smtplib.SMTPException)


def _told(fault: OSError) -> str:
    """Return what happened, without the addresses that the client's own words may hold."""
    codes: list[int] = []
    if isinstance(fault, smtplib.SMTPRecipientsRefused):
        codes = sorted({code for code, _ in fault.recipients.values()})
    elif isinstance(fault, smtplib.SMTPResponseException):
        codes = [fault.smtp_code]
    return " ".join([type(fault).__name__, *map(str, codes)])


def _store(message: EmailMessage) -> None:
    now = clock.now()
    html = next(
        (str(part[0]) for part in getattr(message, "alternatives", []) if part[1] == "text/html"),
        "",
    )
    stored = Mail.objects.create(
        message_id=make_msgid(domain=settings.MAIL_DOMAIN),
        from_address=message.from_email,
        to=list(message.recipients()),
        subject=str(message.subject),
        text=str(message.body),
        html=html,
        created_at=now,
    )
    SEND_MAIL.enqueue(key=str(stored.pk), due_at=now, payload={"mail_id": stored.pk})

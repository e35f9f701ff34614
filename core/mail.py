"""Mail leaves through the outbox: written in the transaction that it tells of, sent later. Rule: R2."""

import smtplib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime, make_msgid

from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection, transaction

from core import clock
from core.models import Mail
from core.work import Job, OutsideTransaction, Piece

SEND_MAIL = Job("core.send_mail")

KEEP_SENT = timedelta(days=30)
_PERMANENT = 500
_SUBJECT_LENGTH = 500


class ServerAway(Exception):
    """The mail server cannot be reached, or says that it will take the mail later."""


class Refused(Exception):
    """The mail server will never take this mail."""


@dataclass(frozen=True, slots=True)
class Message:
    """What one mail says, and to whom. Without `reply_to` an answer goes to the sender."""

    to: tuple[str, ...]
    subject: str
    text: str
    html: str = ""
    reply_to: str = ""
    from_address: str = ""


class OutboxBackend(BaseEmailBackend):
    """Django's mail backend that stores a message and asks for its delivery."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Store the messages in the present transaction (or one of their own); return how many."""
        with transaction.atomic():
            post([_message(each) for each in email_messages], clock.now())
        return len(email_messages)


def post(messages: Sequence[Message], now: datetime) -> None:
    """Store mails in the caller's transaction and ask for their delivery, in two statements.

    Raises OutsideTransaction. Rule: R2.
    """
    if not connection.in_atomic_block:
        raise OutsideTransaction(SEND_MAIL.kind)
    if not messages:
        return
    stored = Mail.objects.bulk_create(
        Mail(
            message_id=make_msgid(domain=settings.MAIL_DOMAIN),
            from_address=message.from_address or settings.DEFAULT_FROM_EMAIL,
            to=list(message.to),
            reply_to=message.reply_to,
            subject=message.subject[:_SUBJECT_LENGTH],
            text=message.text,
            html=message.html,
            created_at=now,
        )
        for message in messages
    )
    SEND_MAIL.enqueue_all(
        [Piece(str(mail.pk), {"mail_id": mail.pk}) for mail in stored], due_at=now
    )


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
        reply_to=[mail.reply_to] if mail.reply_to else None,
        headers={
            "Message-ID": mail.message_id,
            "Date": format_datetime(mail.created_at),
            # No machine answers a machine (RFC 3834).
            "Auto-Submitted": "auto-generated",
        },
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


def _message(message: EmailMessage) -> Message:
    html = next(
        (str(part[0]) for part in getattr(message, "alternatives", []) if part[1] == "text/html"),
        "",
    )
    return Message(
        to=tuple(message.recipients()),
        subject=str(message.subject),
        text=str(message.body),
        html=html,
        reply_to=next(iter(message.reply_to), ""),
        from_address=message.from_email,
    )

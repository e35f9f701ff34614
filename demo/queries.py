"""What the reader of mails shows, where there is no mail server to send them. Rule: F76."""

import enum

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from core import mail
from core.enums import WorkState
from core.models import Mail, Work

PAGE = 50


class MailState(enum.Enum):
    """How far a mail is: its label, and the kind of its badge."""

    SENT = (_("sent"), "good")
    WAITING = (_("waits to be sent"), "")
    REFUSED = (_("not sent"), "bad")


def mails() -> QuerySet[Mail]:
    """Return the mails of the outbox, the newest first, without what they say."""
    return Mail.objects.defer("text", "html").order_by("-pk")


def states(found: list[Mail]) -> list[MailState]:
    """Return how far each mail is, in one statement."""
    waiting = [str(each.pk) for each in found if each.sent_at is None]
    parked = set(
        Work.objects.filter(
            kind=mail.SEND_MAIL.kind, key__in=waiting, state=WorkState.PARKED
        ).values_list("key", flat=True)
    )
    return [_state(each, str(each.pk) in parked) for each in found]


def _state(found: Mail, is_parked: bool) -> MailState:
    if found.sent_at:
        return MailState.SENT
    return MailState.REFUSED if is_parked else MailState.WAITING

"""What a root asks Support for: to change a registered method. Rule: S1-06."""

from datetime import datetime

from django.db import transaction

from accounts import services as accounts
from core import audit
from payments.enums import MethodState
from payments.models import PaymentMethod, SupportRequest
from payments.services import letters


class NothingToChange(Exception):
    """There is no registered method: the root adds one without Support."""


class AskedBefore(Exception):
    """A request of this organisation is open; Support has it."""


class AnsweredBefore(Exception):
    """The request was answered already."""


class AnswerMissing(ValueError):
    """A request is answered in words."""


@transaction.atomic
def ask(*, organisation_id: int, user_id: int, message: str, now: datetime) -> SupportRequest:
    """Store that a root wants the method changed, and mail it to Support; one at a time.

    Raises NothingToChange, AskedBefore. Rule: S1-06.
    """
    organisation = accounts.lock(organisation_id)
    method = PaymentMethod.objects.filter(
        organisation=organisation, state__in=[MethodState.ACTIVE, MethodState.BROKEN]
    ).first()
    if method is None:
        raise NothingToChange
    if SupportRequest.objects.filter(organisation=organisation, handled_at=None).exists():
        raise AskedBefore
    request = SupportRequest.objects.create(
        organisation=organisation,
        user_id=user_id,
        method=method,
        message=message.strip(),
        created_at=now,
    )
    audit.record(
        actor=f"user:{user_id}",
        action="support_request.asked",
        subject=f"support_request:{request.pk}",
        organisation_id=organisation.pk,
        at=now,
        details={"method": method.pk},
    )
    letters.support_requested(request, now)
    return request


@transaction.atomic
def answer_request(*, request_id: int, answer: str, actor: str, now: datetime) -> SupportRequest:
    """Close a request with an answer that its root reads on the page and by mail.

    Raises AnswerMissing, AnsweredBefore. Rule: S1-06.
    """
    if not answer.strip():
        raise AnswerMissing
    found = SupportRequest.objects.get(pk=request_id)
    accounts.lock(found.organisation_id)
    closed = SupportRequest.objects.filter(pk=request_id, handled_at=None).update(
        handled_at=now, handled_by=actor, answer=answer.strip()[:2000]
    )
    if not closed:
        raise AnsweredBefore
    request = SupportRequest.objects.get(pk=request_id)
    audit.record(
        actor=actor,
        action="support_request.answered",
        subject=f"support_request:{request.pk}",
        organisation_id=request.organisation_id,
        at=now,
        details={"answer": request.answer},
    )
    letters.support_answered(request, now)
    return request

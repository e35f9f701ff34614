"""A cancellation is withdrawn by its customer, or staff set another last day. Rule: S1-29."""

from datetime import date, datetime, timedelta

from django.db import transaction

from accounts import services as accounts
from accounts.enums import Changed
from accounts.models import Organisation
from cancellation.models import Cancellation, LastDayChange
from cancellation.queries import standing
from cancellation.rules import ending
from cancellation.services import letters
from cancellation.services.roots import check_root
from core import audit
from core.work import ReasonMissing
from plans import queries as plans


class NothingToWithdraw(Exception):
    """No cancellation stands."""


class TooLate(Exception):
    """The last day is over."""


@transaction.atomic
def withdraw(*, organisation_id: int, user_id: int, now: datetime) -> Cancellation:
    """Withdraw a cancellation until the end of its last day; everything is as if it had not been.

    Raises NothingToWithdraw, TooLate, NotTheRoot, and has then changed nothing. Rule: S1-29.
    """
    organisation = accounts.lock(organisation_id)
    check_root(organisation, user_id)
    cancellation = standing.of(organisation)
    if cancellation is None:
        raise NothingToWithdraw
    _check_not_over(organisation, cancellation, now)
    actor = f"user:{user_id}"
    cancellation.withdrawn_at, cancellation.withdrawn_by = now, actor
    cancellation.save(update_fields=["withdrawn_at", "withdrawn_by"])
    accounts.close_on(organisation_id=organisation.pk, on=None, actor=actor, now=now)
    audit.record(
        actor=actor,
        action="cancellation.withdrawn",
        subject=f"cancellation:{cancellation.pk}",
        organisation_id=organisation.pk,
        at=now,
        details={"cancellation": str(cancellation.public_id)},
    )
    accounts.tell_entitlements_changed([organisation], reason=Changed.CLOSED, now=now)
    letters.withdrawn(cancellation, now)
    return cancellation


def _check_not_over(organisation: Organisation, cancellation: Cancellation, now: datetime) -> None:
    """Refuse once the last day is over. Raises TooLate.

    Who read the clock just before, and was given the lock after the accounts had left, is too late as
    well. Rule: F53.
    """
    has_ended = organisation.accounts_ended_on == cancellation.end_on
    if has_ended or not standing.can_be_withdrawn(cancellation, now):
        raise TooLate(cancellation.end_on)


@transaction.atomic
def move_last_day(
    *, cancellation_id: int, last_on: date, reason: str, actor: str, now: datetime
) -> Cancellation:
    """Set another last day, as staff, before the present one is over. The root is told.

    Data may be taken along for as long after it as was shown. The same day again changes nothing.
    Raises ReasonMissing, NothingToWithdraw, TooLate, NotALastDay, and has then changed nothing.
    Rule: S1-29.
    """
    if not reason.strip():
        raise ReasonMissing
    organisation_id = Cancellation.objects.values_list("organisation_id", flat=True).get(
        pk=cancellation_id
    )
    organisation = accounts.lock(organisation_id)
    cancellation = standing.of(organisation)
    if cancellation is None or cancellation.pk != cancellation_id:
        raise NothingToWithdraw
    _check_not_over(organisation, cancellation, now)
    ending.check_last_day(last_on, today=now.astimezone(plans.vendor_zone()).date())
    before_on, after_on = cancellation.end_on, last_on + timedelta(days=1)
    if before_on == after_on:
        return cancellation
    cancellation.data_until_on += after_on - before_on
    cancellation.end_on = after_on
    cancellation.save(update_fields=["end_on", "data_until_on"])
    LastDayChange.objects.create(
        cancellation=cancellation,
        before_on=before_on,
        after_on=after_on,
        reason=reason.strip(),
        at=now,
        by=actor,
    )
    accounts.close_on(organisation_id=organisation.pk, on=after_on, actor=actor, now=now)
    audit.record(
        actor=actor,
        action="cancellation.last_day_moved",
        subject=f"cancellation:{cancellation.pk}",
        organisation_id=organisation.pk,
        at=now,
        details={
            "before": before_on.isoformat(),
            "after": after_on.isoformat(),
            "reason": reason.strip(),
        },
    )
    accounts.tell_entitlements_changed([organisation], reason=Changed.CLOSED, now=now)
    letters.last_day_moved(cancellation, before_on, now)
    return cancellation

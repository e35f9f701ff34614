"""A customer who left comes back, with the history kept. Rule: S1-29."""

from datetime import datetime

from django.db import transaction

from accounts import services as accounts
from accounts.enums import Changed
from accounts.models import Absence
from cancellation.models import Cancellation
from cancellation.queries import standing
from cancellation.services.closing import close
from core import audit
from core.months import start_of_day
from plans import queries as plans
from plans import services as plan_services


class NothingToReopen(Exception):
    """No contract of the organisation has ended by a cancellation."""


class NoFreePlan(Exception):
    """There is no free plan in the organisation's currency to begin with; staff put one on sale first."""


@transaction.atomic
def reopen(*, organisation_id: int, actor: str, now: datetime, reason: str = "") -> Cancellation:
    """Have an organisation whose last day is over be a customer again, on the free plan, from now on.

    Its reference, invoices and accounts are kept; deactivated ones stay so. The months between are
    recorded with nothing to bill. Main contract and payment method are taken out anew. `reason`: of
    staff who do it. Raises NothingToReopen or NoFreePlan, and has then changed nothing.
    Rule: S1-29, B-01.
    """
    organisation = accounts.lock(organisation_id)
    cancellation = standing.of(organisation)
    if cancellation is None:
        raise NothingToReopen
    # At the very instant of the end, what ended and what begins would be one plan going on.
    if now <= start_of_day(cancellation.end_on, plans.vendor_zone()):
        raise NothingToReopen
    free = plans.timeline(organisation, now=now).free
    if free is None:
        raise NoFreePlan
    close(cancellation_id=cancellation.pk, now=now)
    cancellation.refresh_from_db()
    Absence.objects.create(
        organisation=organisation, left_on=cancellation.end_on, back_at=now, recorded_by=actor
    )
    cancellation.reopened_at, cancellation.reopened_by = now, actor
    cancellation.save(update_fields=["reopened_at", "reopened_by"])
    accounts.close_on(organisation_id=organisation.pk, on=None, actor=actor, now=now)
    audit.record(
        actor=actor,
        action="cancellation.reopened",
        subject=f"cancellation:{cancellation.pk}",
        organisation_id=organisation.pk,
        at=now,
        details={
            "cancellation": str(cancellation.public_id),
            **({"reason": reason.strip()} if reason.strip() else {}),
        },
    )
    plan_services.select_plan(
        organisation_id=organisation.pk,
        version_id=free.version_id,
        steps=1,
        from_at=now,
        actor=actor,
        now=now,
    )
    accounts.tell_entitlements_changed([organisation], reason=Changed.CLOSED, now=now)
    return cancellation

"""An organisation whose month waits for a person, and how it goes on. Rule: R11, R12."""

import logging
from datetime import datetime

from django.db import transaction

from accounts import services as accounts
from billing import jobs
from billing.enums import ParkReason
from billing.models import BilledMonth, ParkedOrganisation
from core import audit
from core.months import BillingMonth

log = logging.getLogger(__name__)

OWNER = "billing operations"
_DETAIL = 4000


class NothingParked(LookupError):
    """No month of this organisation waits for a person."""


class ReasonMissing(ValueError):
    """What staff do to a parked organisation needs a reason that can be read later."""


@transaction.atomic
def park(
    *, organisation_id: int, month: BillingMonth, reason: ParkReason, detail: str, now: datetime
) -> bool:
    """Set an organisation aside; return False where its month is billed or parked already."""
    accounts.lock(organisation_id)
    of_month = {"organisation_id": organisation_id, "month": month.first_day}
    if (
        BilledMonth.objects.filter(**of_month).exists()
        or ParkedOrganisation.objects.filter(**of_month, released_at=None).exists()
    ):
        return False
    ParkedOrganisation.objects.create(
        **of_month, reason=reason, detail=detail[:_DETAIL], owner=OWNER, parked_at=now
    )
    audit.record(
        actor="system:month-end",
        action="month.parked",
        subject=f"month:{month}",
        organisation_id=organisation_id,
        at=now,
        details={"reason": reason.value},
    )
    log.error("BILLING_PARKED org=%s reason=%s month=%s", organisation_id, reason.value, month)
    return True


@transaction.atomic
def release(*, organisation_id: int, actor: str, reason: str, now: datetime) -> BillingMonth:
    """Let a parked organisation be billed again, and ask for it at once; return its month.

    What was far above the usual is thereby accepted; what failed may fail and be parked again.
    Raises NothingParked, ReasonMissing. Rule: R12.
    """
    if not reason.strip():
        raise ReasonMissing
    accounts.lock(organisation_id)
    parked = ParkedOrganisation.objects.filter(
        organisation_id=organisation_id, released_at=None
    ).first()
    if parked is None:
        raise NothingParked(organisation_id)
    month = BillingMonth.of_day(parked.month)
    ParkedOrganisation.objects.filter(pk=parked.pk).update(released_at=now)
    audit.record(
        actor=actor,
        action="month.released",
        subject=f"month:{month}",
        organisation_id=organisation_id,
        at=now,
        details={"parked_as": parked.reason, "reason": reason.strip()},
    )
    jobs.BILL_PAGE.enqueue(
        key=f"{month}:{organisation_id}-{organisation_id}",
        due_at=now,
        payload={
            "month": str(month),
            "first_id": organisation_id,
            "last_id": organisation_id,
        },
    )
    return month

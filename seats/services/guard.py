"""Ends that have come are carried out before a request or a sign-in is decided. Rule: S2-20, F53.

A process remembers for the rest of a billing day which organisations had an end to carry out when it
first looked: where there is none, as almost always, a request costs no statement. An end that comes
in the course of a day (a contract cut by staff) is carried out by whoever brings it about, and by the
due work. Tests, and whoever moves days about by hand, `forget`.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import InterfaceError, OperationalError

from accounts.models import Membership, User
from core.months import start_of_day
from plans import queries as plans
from seats.queries import access, due
from seats.services import settling

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Day:
    """A billing day, and the organisations with an end to carry out on it."""

    begins_at: datetime
    ends_at: datetime
    waiting: set[UUID]


_day: _Day | None = None


def settle_for(user: User, now: datetime) -> bool:
    """Carry out the ends that have come for a user's organisations; return whether the user stays in one.

    True also where nothing was due. One that cannot be settled (its data are at fault) keeps out who
    would leave; its root goes on.
    """
    waiting = _waiting(now)
    if not waiting:
        return True
    places = list(
        Membership.objects.select_related("organisation").filter(
            user=user, deactivated_at=None, organisation__public_id__in=waiting
        )
    )
    if not places:
        return True
    kept_out = [each for each in places if not _settle(each, now)]
    return access.may_enter(user) and not kept_out


def forget() -> None:
    """Look again at the next request."""
    global _day
    _day = None


def _settle(membership: Membership, now: datetime) -> bool:
    """Settle an organisation; return False where that fails and the account would not stay."""
    try:
        settling.settle_if_due(membership.organisation, now)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("not settled", extra={"organisation": membership.organisation_id})
        return access.stays(membership, now)
    _waiting(now).discard(membership.organisation.public_id)
    return True


def _waiting(now: datetime) -> set[UUID]:
    """Return the organisations with an end to carry out today, as first seen."""
    global _day
    if _day is None or not _day.begins_at <= now < _day.ends_at:
        try:
            zone = plans.zone_for_pages()
        except plans.NoVendor:
            return set()
        today = now.astimezone(zone).date()
        _day = _Day(
            start_of_day(today, zone),
            start_of_day(today + timedelta(days=1), zone),
            set(due.public_ids(today)),
        )
    return _day.waiting

"""What was, is and will be allowed and in use, read from contracts and accounts. Rule: design.md 6.4."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db import connection

from accounts.models import Organisation
from core.months import start_of_day
from plans import queries as plans
from seats.queries.capacity import capacity as capacity_of
from seats.rules import seat_timeline
from seats.rules.capacity import Capacity
from seats.rules.seat_timeline import InUse, Segment

# When an account was deactivated and came back, its row says neither: the trail does.
REACTIVATED = "membership.reactivated"

_COUNT = """
    SELECT count(*) FROM accounts_membership WHERE organisation_id = %s AND deactivated_at IS NULL
"""
_CHANGES = """
    SELECT (registered_at AT TIME ZONE %(zone)s)::date, count(*)
    FROM accounts_membership WHERE organisation_id = %(organisation)s AND registered_at >= %(since)s
    GROUP BY 1
    UNION ALL
    SELECT (deactivated_at AT TIME ZONE %(zone)s)::date, -count(*)
    FROM accounts_membership WHERE organisation_id = %(organisation)s AND deactivated_at >= %(since)s
    GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """The seat timeline of an organisation, as of `today` in the billing time zone."""

    segments: tuple[Segment, ...]
    capacity: Capacity
    today: date
    zone: ZoneInfo


def shown(organisation: Organisation, *, now: datetime, capacity: Capacity | None = None) -> Shown:
    """Return the last month and all that is contracted ahead. `capacity`: with what is only wished for."""
    zone = plans.vendor_zone()
    today = now.astimezone(zone).date()
    found = capacity_of(organisation) if capacity is None else capacity
    first_on, end_on = seat_timeline.span(found, today, zone)
    since = start_of_day(first_on, zone)
    segments = seat_timeline.segments(
        found,
        in_use(organisation, since=since, zone=zone),
        first_on=first_on,
        end_on=end_on,
        today=today,
        zone=zone,
    )
    return Shown(segments, found, today, zone)


def in_use(organisation: Organisation, *, since: datetime, zone: ZoneInfo) -> InUse:
    """Return how many accounts are in use, and by how many that changed on each day since an instant."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [organisation.pk])
        (count,) = cursor.fetchone()
        cursor.execute(
            _CHANGES, {"organisation": organisation.pk, "since": since, "zone": zone.key}
        )
        changes: Counter[date] = Counter()
        for day, change in cursor.fetchall():
            changes[day] += change
    return InUse(count, {day: change for day, change in changes.items() if change})

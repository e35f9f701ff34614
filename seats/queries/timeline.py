"""What was, is and will be allowed and in use, read from contracts and accounts. Rule: design.md 6.4."""

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db import connection

from accounts import queries as accounts
from accounts.models import Organisation
from core.months import start_of_day
from plans import queries as plans
from seats.queries.capacity import capacity as capacity_of
from seats.rules import seat_timeline
from seats.rules.capacity import Capacity
from seats.rules.seat_timeline import InUse, Segment

# What a row no longer tells stands in the trail: that an account was away for some time, or that it was.
_CHANGES = """
    SELECT (at AT TIME ZONE %(zone)s)::date, sum(change) FROM (
        SELECT registered_at, 1 FROM accounts_membership WHERE organisation_id = %(organisation)s
        UNION ALL
        SELECT deactivated_at, -1 FROM accounts_membership WHERE organisation_id = %(organisation)s
        UNION ALL
        SELECT c.at, c.change
        FROM core_auditentry e CROSS JOIN LATERAL (VALUES
            ((e.details ->> 'registered_at')::timestamptz,
                CASE WHEN e.action = 'membership.deleted' THEN 1 END),
            ((e.details ->> 'deactivated_at')::timestamptz, -1),
            (e.at, CASE WHEN e.action = 'membership.reactivated' THEN 1
                WHEN e.details ->> 'deactivated_at' IS NULL THEN -1 END)
        ) c (at, change)
        WHERE e.chain = %(organisation)s AND e.at >= %(since)s
          AND e.action IN ('membership.reactivated', 'membership.deleted')
    ) known (at, change)
    WHERE at >= %(since)s AND at <= %(now)s AND change IS NOT NULL
    GROUP BY 1 HAVING sum(change) <> 0
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
        in_use(organisation, since=since, now=now, zone=zone),
        first_on=first_on,
        end_on=end_on,
        today=today,
        zone=zone,
    )
    return Shown(segments, found, today, zone)


def in_use(organisation: Organisation, *, since: datetime, now: datetime, zone: ZoneInfo) -> InUse:
    """Return how many accounts are in use, and by how many that changed on each day since an instant.

    Who was deactivated and came back was not in use meanwhile; who was deleted was until then.
    """
    values: dict[str, int | str | datetime] = {
        "organisation": organisation.pk,
        "since": since,
        "now": now,
        "zone": zone.key,
    }
    with connection.cursor() as cursor:
        cursor.execute(_CHANGES, values)
        changes = {day: int(change) for day, change in cursor.fetchall()}
    return InUse(accounts.accounts_in_use(organisation.pk), changes)

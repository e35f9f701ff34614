"""What was used: by month, by day, and down to the events."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db import connection

from core.ids import array
from core.months import BillingMonth
from plans.enums import Aggregation
from plans.rules import Meter
from usage.models import DailyUsage

EVENTS_ON_A_PAGE = 100


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it was taken. One with `replaced_by` counts no more."""

    event_id: str
    occurred_at: datetime
    quantity: Decimal
    corrects: str | None
    replaced_by: str | None


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some of a day's events, by time and event id; `following`: whether there are more."""

    events: Sequence[Event]
    following: bool

    @property
    def last(self) -> tuple[datetime, str] | None:
        """Where the next page begins."""
        return (self.events[-1].occurred_at, self.events[-1].event_id) if self.events else None


def monthly_usage(
    organisation_ids: list[int], month: BillingMonth, meters: Sequence[Meter]
) -> dict[int, dict[str, Decimal]]:
    """Return what organisations used in a month, by id and meter code, in one statement.

    A meter without usage in the month is not in it. One pass for each way to aggregate: an ordered
    aggregate beside the sums would sort every day of every organisation. Rule: B-05.
    """
    used: dict[int, dict[str, Decimal]] = defaultdict(dict)
    codes = {meter.id: meter.code for meter in meters}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT organisation_id, meter_id, sum(quantity)
            FROM usage_dailyusage
            WHERE organisation_id = ANY(%(ids)s::bigint[]) AND day >= %(first)s AND day < %(end)s
              AND meter_id = ANY(%(sum)s)
            GROUP BY 1, 2
            UNION ALL
            SELECT organisation_id, meter_id, max(quantity)
            FROM usage_dailyusage
            WHERE organisation_id = ANY(%(ids)s::bigint[]) AND day >= %(first)s AND day < %(end)s
              AND meter_id = ANY(%(max)s)
            GROUP BY 1, 2
            UNION ALL
            (SELECT DISTINCT ON (organisation_id, meter_id) organisation_id, meter_id, quantity
             FROM usage_dailyusage
             WHERE organisation_id = ANY(%(ids)s::bigint[]) AND day >= %(first)s AND day < %(end)s
               AND meter_id = ANY(%(last)s)
             ORDER BY organisation_id, meter_id, day DESC)
            """,
            {
                "ids": array(organisation_ids),
                "first": month.first_day,
                "end": month.next.first_day,
                **{
                    how.value: [meter.id for meter in meters if meter.aggregation == how]
                    for how in Aggregation
                },
            },
        )
        for organisation_id, meter_id, quantity in cursor.fetchall():
            used[organisation_id][codes[meter_id]] = quantity
    return used


def daily(organisation_id: int, first_day: date, end: date) -> list[DailyUsage]:
    """Return an organisation's days from `first_day` up to, not including, `end`; by day and meter."""
    return list(
        DailyUsage.objects.filter(
            organisation_id=organisation_id, day__gte=first_day, day__lt=end
        ).order_by("day", "meter_id")
    )


def events_of(
    organisation_id: int,
    day: date,
    meter_id: int,
    *,
    after: tuple[datetime, str] | None = None,
    limit: int = EVENTS_ON_A_PAGE,
) -> EventPage:
    """Return a page of the events that make a day's usage of a meter, in the order of their times.

    `after`: the `last` of the page before.
    """
    at, event_id = after or (None, None)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT e.event_id, e.occurred_at, e.quantity, e.corrects, c.event_id
            FROM usage_event e
            LEFT JOIN usage_event c ON c.organisation_id = e.organisation_id
                AND c.corrects = e.event_id AND c.day = %(day)s AND c.corrects IS NOT NULL
            WHERE e.organisation_id = %(organisation_id)s AND e.day = %(day)s
              AND e.meter_id = %(meter_id)s
              AND (%(at)s::timestamptz IS NULL
                   OR (e.occurred_at, e.event_id) > (%(at)s, %(event_id)s))
            ORDER BY e.occurred_at, e.event_id LIMIT %(limit)s
            """,
            {
                "organisation_id": organisation_id,
                "day": day,
                "meter_id": meter_id,
                "at": at,
                "event_id": event_id,
                "limit": limit + 1,
            },
        )
        events = [Event(*row) for row in cursor.fetchall()]
    return EventPage(events[:limit], len(events) > limit)

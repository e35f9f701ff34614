"""What was used: by month, by day, and down to the events."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db import connection

from core.months import BillingMonth
from usage.models import DailyUsage

EVENTS_ON_A_PAGE = 100

# By (organisation id, month), then by meter code.
MonthlyUsage = dict[tuple[int, BillingMonth], dict[str, Decimal]]


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


def monthly_usage(organisation_ids: Iterable[int], months: Iterable[BillingMonth]) -> MonthlyUsage:
    """Return what organisations used in months, as each meter aggregates, in one statement.

    A meter without usage in a month is not in it. Rule: B-05.
    """
    used: MonthlyUsage = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT d.organisation_id, w.month, m.code, CASE m.aggregation
                WHEN 'sum' THEN sum(d.quantity)
                WHEN 'max' THEN max(d.quantity)
                ELSE (array_agg(d.quantity ORDER BY d.day DESC) FILTER (
                    WHERE m.aggregation = 'last'))[1]
                END
            FROM unnest(%(months)s::date[]) w (month)
            JOIN usage_dailyusage d ON d.organisation_id = ANY(%(organisations)s)
                AND d.day >= w.month AND d.day < (w.month + interval '1 month')::date
            JOIN plans_meter m ON m.id = d.meter_id
            GROUP BY d.organisation_id, w.month, m.id
            """,
            {
                "organisations": list(organisation_ids),
                "months": sorted({month.first_day for month in months}),
            },
        )
        for organisation_id, first_day, code, quantity in cursor.fetchall():
            used[organisation_id, BillingMonth.of_day(first_day)][code] = quantity
    return dict(used)


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

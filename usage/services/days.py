"""The days' sums, brought up to date in the transaction that stores their events. Rule: B-05."""

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import NamedTuple

from django.db.backends.utils import CursorWrapper

from core.months import BillingMonth
from usage.services.staging import Staged

# Organisations share locks: a batch of all of them fits the server's table of locks.
_LOCKS = 32


class Sums(NamedTuple):
    """What a batch adds to one day: a text for each row of an organisation and a meter.

    `times`, `event_ids`: of the event that the quantity comes from, for meters that keep the last.
    """

    organisation_ids: Sequence[str]
    meter_ids: Sequence[str]
    quantities: Sequence[str]
    events: Sequence[str]
    times: Sequence[str] = ()
    event_ids: Sequence[str] = ()


def add_staged(cursor: CursorWrapper, staged: Staged) -> None:
    """Bring the days up to date with the staged events, which were stored."""
    cursor.execute(
        "SELECT array_agg(DISTINCT organisation_id %% %s) FROM usage_staged WHERE fault IS NULL",
        [_LOCKS],
    )
    _lock(cursor, cursor.fetchone()[0])
    cursor.execute(_ADD.format(sums=_STAGED))
    if staged.has_last:
        cursor.execute(_ADD_LAST.format(last=_STAGED_LAST))
    if staged.corrections:
        _sum_again(cursor, staged)


def add(
    cursor: CursorWrapper, day: date, sums: Sums, last: Sums, largest_ids: Collection[str]
) -> None:
    """Bring a day up to date.

    `last`: what it has of meters that keep the last; `largest_ids`: meters that keep the largest.
    """
    _lock(cursor, {int(one) % _LOCKS for one in {*sums.organisation_ids, *last.organisation_ids}})
    if sums.quantities:
        given = _arrays(day, sums) | {"largest_ids": _array(largest_ids)}
        cursor.execute(_ADD_TO_KEPT, given)
        if cursor.rowcount < len(sums.quantities):
            cursor.execute(_ADD_NEW, given)
    if last.quantities:
        cursor.execute(_ADD_LAST.format(last=_GIVEN_LAST), _arrays(day, last))


def _arrays(day: date, sums: Sums) -> dict[str, str]:
    # All but the event ids are numbers and times; no event id holds the end of a line.
    arrays = {name: _array(texts) for name, texts in sums._asdict().items()}
    return {**arrays, "event_ids": "\n".join(sums.event_ids), "day": str(day)}


def _array(texts: Iterable[str]) -> str:
    return "{" + ",".join(texts) + "}"


def _lock(cursor: CursorWrapper, slots: Sequence[int] | set[int]) -> None:
    # Two batches add to the same days in whatever order the planner likes: one after the other.
    cursor.execute(
        "SELECT pg_advisory_xact_lock(hashtext('usage_dailyusage'), slot) FROM unnest(%s::int[]) slot",
        [sorted(slots)],
    )


_STAGED = """
    SELECT organisation_id, day, meter_id, aggregation = 'max' AS is_max,
           CASE aggregation WHEN 'sum' THEN sum(quantity) ELSE max(quantity) END AS quantity,
           count(*) AS events
    FROM usage_staged WHERE fault IS NULL AND aggregation <> 'last'
    GROUP BY organisation_id, day, meter_id, aggregation
    ORDER BY organisation_id, day, meter_id"""
_GIVEN = """unnest(%(organisation_ids)s::bigint[], %(meter_ids)s::smallint[],
    %(quantities)s::numeric[], %(events)s::bigint[])
    AS g (organisation_id, meter_id, quantity, events)"""
# Nobody makes or changes rows of these organisations while their lock is held.
_ADD_TO_KEPT = f"""
UPDATE usage_dailyusage d SET events = d.events + g.events,
    quantity = CASE WHEN d.meter_id = ANY(%(largest_ids)s::smallint[])
        THEN GREATEST(d.quantity, g.quantity) ELSE d.quantity + g.quantity END
FROM {_GIVEN}
WHERE d.organisation_id = g.organisation_id AND d.day = %(day)s AND d.meter_id = g.meter_id
"""  # noqa: S608  # ours
_ADD_NEW = f"""
INSERT INTO usage_dailyusage (organisation_id, day, meter_id, quantity, events)
SELECT organisation_id, %(day)s, meter_id, quantity, events FROM {_GIVEN}
WHERE NOT EXISTS (SELECT FROM usage_dailyusage d WHERE d.organisation_id = g.organisation_id
                  AND d.day = %(day)s AND d.meter_id = g.meter_id)
"""  # noqa: S608  # ours
# Most days of most meters are there already: a plain update costs half of ON CONFLICT's, which
# locks each row first. Both go through the rows in the order of their key.
_ADD = """
WITH sums AS MATERIALIZED ({sums}
), added AS (
    UPDATE usage_dailyusage d SET events = d.events + s.events,
        quantity = CASE WHEN s.is_max THEN GREATEST(d.quantity, s.quantity)
                        ELSE d.quantity + s.quantity END
    FROM sums s
    WHERE d.organisation_id = s.organisation_id AND d.day = s.day AND d.meter_id = s.meter_id
    RETURNING d.organisation_id, d.day, d.meter_id
)
INSERT INTO usage_dailyusage AS d (organisation_id, day, meter_id, quantity, events)
SELECT s.organisation_id, s.day, s.meter_id, s.quantity, s.events
FROM sums s LEFT JOIN added a USING (organisation_id, day, meter_id)
WHERE a.day IS NULL
ORDER BY organisation_id, day, meter_id
ON CONFLICT (organisation_id, day, meter_id) DO UPDATE SET
    events = d.events + EXCLUDED.events,
    quantity = CASE (SELECT aggregation FROM plans_meter WHERE id = d.meter_id)
        WHEN 'sum' THEN d.quantity + EXCLUDED.quantity
        ELSE GREATEST(d.quantity, EXCLUDED.quantity) END
"""
_STAGED_LAST = """
    SELECT DISTINCT ON (organisation_id, day, meter_id) organisation_id, day, meter_id, quantity,
           count(*) OVER (PARTITION BY organisation_id, day, meter_id), occurred_at, event_id
    FROM usage_staged WHERE fault IS NULL AND aggregation = 'last'
    ORDER BY organisation_id, day, meter_id, occurred_at DESC, event_id DESC"""
_GIVEN_LAST = """
    SELECT organisation_id, %(day)s::date, meter_id, quantity, events, at, event_id
    FROM unnest(%(organisation_ids)s::bigint[], %(meter_ids)s::smallint[],
                %(quantities)s::numeric[], %(events)s::bigint[], %(times)s::timestamptz[],
                string_to_array(%(event_ids)s, chr(10)))
         g (organisation_id, meter_id, quantity, events, at, event_id)
    ORDER BY organisation_id, meter_id"""
_ADD_LAST = """
INSERT INTO usage_dailyusage AS d
    (organisation_id, day, meter_id, quantity, events, last_at, last_event_id)
{last}
ON CONFLICT (organisation_id, day, meter_id) DO UPDATE SET
    events = d.events + EXCLUDED.events,
    (quantity, last_at, last_event_id) = (
        SELECT n.quantity, n.at, n.id FROM (VALUES
            (d.quantity, d.last_at, d.last_event_id),
            (EXCLUDED.quantity, EXCLUDED.last_at, EXCLUDED.last_event_id)
        ) n (quantity, at, id)
        ORDER BY n.at DESC, n.id COLLATE "C" DESC LIMIT 1)
"""


def _sum_again(cursor: CursorWrapper, staged: Staged) -> None:
    """Work out from their events the days that a correction touched.

    The rows are locked since `add_staged` wrote them: an event that others are storing meanwhile is
    added by them, when we have committed.
    """
    cursor.execute(
        """
        UPDATE usage_dailyusage d SET quantity = k.quantity,
            last_at = CASE WHEN g.aggregation = 'last' THEN k.occurred_at END,
            last_event_id = CASE WHEN g.aggregation = 'last' THEN k.event_id END
        FROM (SELECT DISTINCT organisation_id, day, meter_id, aggregation FROM usage_staged
              WHERE fault IS NULL AND corrects IS NOT NULL) g
        CROSS JOIN LATERAL (
            SELECT e.quantity, e.occurred_at, e.event_id FROM usage_event e
            WHERE e.organisation_id = g.organisation_id AND e.day = g.day
              AND e.meter_id = g.meter_id AND e.day = ANY(%(days)s)
              AND NOT EXISTS (
                  SELECT FROM usage_event c WHERE c.organisation_id = e.organisation_id
                    AND c.day = e.day AND c.corrects = e.event_id AND c.day = ANY(%(days)s))
            ORDER BY CASE WHEN g.aggregation = 'max' THEN e.quantity END DESC,
                     e.occurred_at DESC, e.event_id DESC
            LIMIT 1) k
        WHERE d.organisation_id = g.organisation_id AND d.day = g.day AND d.meter_id = g.meter_id
        """,
        {"days": list(staged.days)},
    )


def mark_staged_late(cursor: CursorWrapper, staged: Staged, running: BillingMonth) -> None:
    """Note that months which are over have new usage; the month end bills the difference. Rule: B-08."""
    if staged.days[0] < running.first_day:
        cursor.execute(
            _MARK.format(
                late="SELECT DISTINCT organisation_id, date_trunc('month', day)::date, 1"
                " FROM usage_staged WHERE fault IS NULL AND day < %s"
            ),
            [running.first_day],
        )


def mark_late(
    cursor: CursorWrapper, day: date, organisation_ids: Iterable[int], running: BillingMonth
) -> None:
    """Note that a day's month, if it is over, has new usage of these organisations. Rule: B-08."""
    if day < running.first_day:
        cursor.execute(
            _MARK.format(
                late="SELECT unnest(%s::bigint[]), date_trunc('month', %s::date)::date, 1"
            ),
            [sorted(organisation_ids), day],
        )


_MARK = """
INSERT INTO usage_usagerevision AS r (organisation_id, month, revision)
{late}
ORDER BY 1, 2
ON CONFLICT (organisation_id, month) DO UPDATE SET revision = r.revision + 1
"""

"""Taking events: each is stored once, with its day's sum, or refused with a reason."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db import DataError, IntegrityError, OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg.errors import DeadlockDetected, UniqueViolation

from core.months import BillingMonth
from plans import queries as plans
from usage import rules
from usage.rules import Refused
from usage.services import corrections, partitions, staging
from usage.services.batches import Batch
from usage.services.staging import Staged, Window

_TRIES = 5
# Organisations share locks: a batch of all of them fits the server's table of locks.
_LOCKS = 32


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a batch: every event of it is counted in exactly one of the four."""

    accepted: int
    duplicates: int
    conflicts: list[Refused]
    rejected: list[Refused]


class _PartitionsMissing(Exception):
    def __init__(self, days: Sequence[date]) -> None:
        super().__init__(days)
        self.days = days


@dataclass(slots=True)
class _Found:
    duplicates: int = 0
    conflicts: list[Refused] = field(default_factory=list)
    rejected: list[Refused] = field(default_factory=list)

    def add(self, refused: Refused) -> None:
        found = self.conflicts if refused.code in rules.CONFLICTS else self.rejected
        found.append(refused)


def ingest(
    batch: Batch, *, now: datetime, window: Window, organisation_id: int | None = None
) -> Report:
    """Store a batch's events and their days' sums in one transaction; say what became of each.

    The same event with the same body counts once, for ever; with another body it is a conflict. A
    row that is refused changes nothing for the others. `organisation_id`: the only one that the
    sender may write for. Raises plans.queries.NoVendor. Rule: B-05, B-15, R16.
    """
    zone = plans.vendor_zone()
    last_try = _TRIES - 1
    for attempt in range(_TRIES):
        try:
            return _take(batch, now, window, zone, organisation_id)
        except (staging.NotCanonical, DataError):
            if not batch.canonical:
                raise
            # A row to refuse or to correct another, a time like February 30: look closely.
            batch = replace(batch, canonical=False)
        except _PartitionsMissing as missing:
            # In a transaction of its own: a batch that fails later leaves them for the next.
            partitions.create(missing.days)
        except OperationalError as fault:
            # Inside the caller's transaction there is nothing left to try again in.
            deadlock = isinstance(fault.__cause__, DeadlockDetected)
            if not deadlock or connection.in_atomic_block or attempt == last_try:
                raise
    raise RuntimeError("partitions of the event table vanish while events arrive")


@transaction.atomic
def _take(
    batch: Batch, now: datetime, window: Window, zone: ZoneInfo, organisation_id: int | None
) -> Report:
    with connection.cursor() as cursor:
        staged = staging.stage(
            cursor,
            batch,
            window=window,
            zone=zone,
            today=now.astimezone(zone).date(),
            organisation_id=organisation_id,
        )
        if staged.missing:
            raise _PartitionsMissing(staged.missing)
        rejected = staging.faults(cursor) if staged.faults else []
        if staged.rows == staged.faults:
            return Report(0, 0, [], rejected)
        found = _store(cursor, staged)
        accepted = (
            staged.rows
            - staged.faults
            - found.duplicates
            - len(found.conflicts)
            - len(found.rejected)
        )
        if accepted:
            _sum_up(cursor, staged)
            _mark_late(cursor, staged, BillingMonth.containing(now, zone))
    return Report(
        accepted, found.duplicates, sorted(found.conflicts), sorted(rejected + found.rejected)
    )


def _store(cursor: CursorWrapper, staged: Staged) -> _Found:
    """Store the staged events; leave staged only those that were. The unique indexes are the judge."""
    if not staged.corrections and not _first_is_stored(cursor, staged) and _insert(cursor):
        return _Found()
    for _ in range(_TRIES):
        try:
            with transaction.atomic():
                found = _sort_out(cursor, staged)
                _insert_sorted(cursor)
                return found
        except IntegrityError as error:
            if not isinstance(error.__cause__, UniqueViolation):
                raise
    raise RuntimeError("other senders store the same events again and again")


def _first_is_stored(cursor: CursorWrapper, staged: Staged) -> bool:
    """Return whether one of the staged events is stored: a batch that is sent again mostly is so."""
    cursor.execute(
        """
        SELECT EXISTS (SELECT FROM usage_event e WHERE e.organisation_id = s.organisation_id
                       AND e.event_id = s.event_id AND e.day = s.day AND e.day = ANY(%s))
        FROM usage_staged s WHERE s.fault IS NULL LIMIT 1
        """,
        [list(staged.days)],
    )
    return bool(cursor.fetchone()[0])


def _insert(cursor: CursorWrapper) -> bool:
    """Store the staged events if all of them are new, and say whether they are."""
    try:
        with transaction.atomic():
            _insert_sorted(cursor)
    except IntegrityError as error:
        if not isinstance(error.__cause__, UniqueViolation):
            raise
        return False
    return True


def _insert_sorted(cursor: CursorWrapper) -> None:
    # Sorted: two batches with the same events wait for each other, and never in a circle.
    cursor.execute(
        """
        INSERT INTO usage_event
            (organisation_id, occurred_at, day, meter_id, event_id, quantity, corrects)
        SELECT organisation_id, occurred_at, day, meter_id, event_id, quantity, corrects
        FROM usage_staged WHERE fault IS NULL
        ORDER BY day, organisation_id, event_id
        """
    )


def _sort_out(cursor: CursorWrapper, staged: Staged) -> _Found:
    """Take what is not new out of the staged events, and say what it is."""
    found = _Found()
    left = staged.rows - staged.faults
    if _all_stored(cursor, staged):
        return _Found(duplicates=left)
    left -= _take_out(cursor, _STORED_BEFORE, "another_body", found, days=list(staged.days))
    if left:
        left -= _take_out(cursor, _TWICE_IN_BATCH, "another_body_in_batch", found)
    if left and staged.corrections:
        refused = corrections.refused(cursor, staged.days)
        for refusal in refused:
            found.add(refusal)
        if refused:
            rows = [refusal.row for refusal in refused]
            cursor.execute("DELETE FROM usage_staged WHERE row = ANY(%s)", [rows])
    return found


def _all_stored(cursor: CursorWrapper, staged: Staged) -> bool:
    """Return whether every staged event is stored with the same body; if so, none is staged any more."""
    cursor.execute(_COUNT_STORED, {"days": list(staged.days)})
    if cursor.fetchone()[0] < staged.rows - staged.faults:
        return False
    cursor.execute("TRUNCATE usage_staged")
    return True


_OTHER_FIELDS = """concat_ws(', ',
    CASE WHEN k.meter_id <> s.meter_id THEN 'meter' END,
    CASE WHEN k.occurred_at <> s.occurred_at THEN 'occurred_at' END,
    CASE WHEN k.quantity <> s.quantity THEN 'quantity' END,
    CASE WHEN k.corrects IS DISTINCT FROM s.corrects THEN 'corrects' END)"""
_TAKE_OUT = """
WITH gone AS (
    DELETE FROM usage_staged s USING ({known}) k WHERE s.row = k.row AND s.fault IS NULL
    RETURNING s.row, {others} AS others)
SELECT count(*), count(*) FILTER (WHERE others = ''),
       array_agg(row ORDER BY row) FILTER (WHERE others <> ''),
       array_agg(others ORDER BY row) FILTER (WHERE others <> '')
FROM gone
"""
# LATERAL with a LIMIT looks events up one by one, however many are stored; the list of days
# spares the planner the other partitions.
_STORED_BEFORE = _TAKE_OUT.format(
    others=_OTHER_FIELDS,
    known="""
    SELECT n.row, e.* FROM usage_staged n CROSS JOIN LATERAL (
        SELECT e.meter_id, e.occurred_at, e.quantity, e.corrects FROM usage_event e
        WHERE e.organisation_id = n.organisation_id AND e.event_id = n.event_id AND e.day = n.day
          AND e.day = ANY(%(days)s) LIMIT 1) e
    WHERE n.fault IS NULL""",
)
_COUNT_STORED = """
SELECT count(*) FROM usage_staged n CROSS JOIN LATERAL (
    SELECT e.meter_id, e.occurred_at, e.quantity, e.corrects FROM usage_event e
    WHERE e.organisation_id = n.organisation_id AND e.event_id = n.event_id AND e.day = n.day
      AND e.day = ANY(%(days)s) LIMIT 1) e
WHERE n.fault IS NULL AND e.meter_id = n.meter_id AND e.occurred_at = n.occurred_at
  AND e.quantity = n.quantity AND e.corrects IS NOT DISTINCT FROM n.corrects
"""
_TWICE_IN_BATCH = _TAKE_OUT.format(
    others=_OTHER_FIELDS,
    known="""
    SELECT n.row, f.meter_id, f.occurred_at, f.quantity, f.corrects
    FROM (SELECT row, first_value(row) OVER (
              PARTITION BY organisation_id, event_id, day ORDER BY row) AS first_row
          FROM usage_staged WHERE fault IS NULL) n
    JOIN usage_staged f ON f.row = n.first_row
    WHERE n.row <> n.first_row""",
)


def _take_out(
    cursor: CursorWrapper,
    statement: str,
    code: str,
    found: _Found,
    **parameters: list[date],
) -> int:
    cursor.execute(statement, parameters)
    gone, duplicates, rows, others = cursor.fetchone()
    found.duplicates += duplicates
    for row, other in zip(rows or [], others or [], strict=True):
        found.add(rules.refused(row, code, other))
    return int(gone)


def _sum_up(cursor: CursorWrapper, staged: Staged) -> None:
    """Bring the days' usage up to date with the events that were stored. Rule: B-05."""
    # Two batches add to the same days in whatever order the planner likes: one after the other.
    cursor.execute(
        """
        SELECT pg_advisory_xact_lock(hashtext('usage_dailyusage'), slot) FROM (
            SELECT DISTINCT (organisation_id %% %s)::int AS slot FROM usage_staged
            WHERE fault IS NULL ORDER BY slot) s
        """,
        [_LOCKS],
    )
    cursor.execute(_ADD)
    if staged.has_last:
        cursor.execute(
            """
            INSERT INTO usage_dailyusage AS d
                (organisation_id, day, meter_id, quantity, events, last_at, last_event_id)
            SELECT DISTINCT ON (organisation_id, day, meter_id) organisation_id, day, meter_id,
                   quantity, count(*) OVER (PARTITION BY organisation_id, day, meter_id),
                   occurred_at, event_id
            FROM usage_staged WHERE fault IS NULL AND aggregation = 'last'
            ORDER BY organisation_id, day, meter_id, occurred_at DESC, event_id DESC
            ON CONFLICT (organisation_id, day, meter_id) DO UPDATE SET
                events = d.events + EXCLUDED.events,
                (quantity, last_at, last_event_id) = (
                    SELECT n.quantity, n.at, n.id FROM (VALUES
                        (d.quantity, d.last_at, d.last_event_id),
                        (EXCLUDED.quantity, EXCLUDED.last_at, EXCLUDED.last_event_id)
                    ) n (quantity, at, id)
                    ORDER BY n.at DESC, n.id COLLATE "C" DESC LIMIT 1)
            """
        )
    if staged.corrections:
        _sum_again(cursor, staged)


# Most days of most meters are there already: a plain update costs half of ON CONFLICT's, which
# locks each row first. Both go through the rows in the order of their key.
_ADD = """
WITH sums AS MATERIALIZED (
    SELECT organisation_id, day, meter_id, aggregation = 'max' AS is_max,
           CASE aggregation WHEN 'sum' THEN sum(quantity) ELSE max(quantity) END AS quantity,
           count(*) AS events
    FROM usage_staged WHERE fault IS NULL AND aggregation <> 'last'
    GROUP BY organisation_id, day, meter_id, aggregation
    ORDER BY organisation_id, day, meter_id
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


def _sum_again(cursor: CursorWrapper, staged: Staged) -> None:
    """Work out from their events the days that a correction touched.

    The rows are locked since `_sum_up` wrote them: an event that others are storing meanwhile is
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


def _mark_late(cursor: CursorWrapper, staged: Staged, running: BillingMonth) -> None:
    """Note that months which are over have new usage; the month end bills the difference. Rule: B-08."""
    if staged.days[0] >= running.first_day:
        return
    cursor.execute(
        """
        INSERT INTO usage_usagerevision AS r (organisation_id, month, revision)
        SELECT DISTINCT organisation_id, date_trunc('month', day)::date, 1
        FROM usage_staged WHERE fault IS NULL AND day < %s
        ORDER BY 1, 2
        ON CONFLICT (organisation_id, month) DO UPDATE SET revision = r.revision + 1
        """,
        [running.first_day],
    )

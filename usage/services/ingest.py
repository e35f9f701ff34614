"""Taking events: each is stored once, with its day's sum, or refused with a reason."""

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
from usage.services import corrections, days, partitions, staging, straight
from usage.services.batches import Batch
from usage.services.staging import Staged, Window

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a batch: every event of it is counted in exactly one of the four."""

    accepted: int
    duplicates: int
    conflicts: list[Refused]
    rejected: list[Refused]


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
    is_straight = batch.canonical
    for attempt in range(_TRIES):
        try:
            if is_straight:
                accepted, duplicates = straight.take(batch, now, window, zone, organisation_id)
                return Report(accepted, duplicates, [], [])
            return _take(batch, now, window, zone, organisation_id)
        except (straight.NotStraight, staging.NotCanonical, DataError, IntegrityError):
            if not batch.canonical:
                raise
            # Two steps: several days or a conflict; then a row to refuse or to correct another,
            # or a time like February 30.
            batch = replace(batch, canonical=is_straight)
            is_straight = False
        except partitions.Missing as missing:
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
            raise partitions.Missing(staged.missing)
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
            days.add_staged(cursor, staged)
            days.mark_staged_late(cursor, staged, BillingMonth.containing(now, zone))
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

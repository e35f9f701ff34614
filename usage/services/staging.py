"""Looking at a batch: every event becomes typed values or a fault, in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db.backends.utils import CursorWrapper

from core.months import start_of_day
from usage import rules
from usage.rules import Refused
from usage.services.batches import Batch

_TABLES = """
CREATE TEMP TABLE IF NOT EXISTS usage_raw (
    number int, organisation text, event_id text, meter text, occurred_at text, quantity text,
    corrects text
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS usage_staged (
    row int, organisation_id bigint, occurred_at timestamptz, day date, meter_id smallint,
    event_id text COLLATE "C", quantity numeric, corrects text COLLATE "C", aggregation text,
    fault text, given text
) ON COMMIT DELETE ROWS;
TRUNCATE usage_raw, usage_staged
"""

# In Postgres a regular expression costs by its states: a repetition {0,62} takes 13 µs, this 0.4.
_EVENT_ID = r"^[!-~]+( +[!-~]+)*$"
_QUANTITY = r"^[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,2})?$"
_TIME = (
    r"^(19|2[0-9])[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[T ]"
    r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?"
)
_ZONE = r"(Z|[-+](0[0-9]|1[0-4]):[0-5][0-9])$"

# The casts stand behind the checks of form: OFFSET 0 keeps the planner from moving them, and from
# working them out once for each place that uses them.
_STAGE_CLOSELY = """
    INSERT INTO usage_staged
    SELECT r.row, o.id, v.at, v.day, m.id,
           CASE WHEN c.fault IS NULL THEN r.event_id END,
           v.quantity,
           CASE WHEN c.fault IS NULL THEN r.corrects END,
           m.aggregation, c.fault,
           CASE WHEN c.fault IS NOT NULL THEN left(CASE split_part(c.fault, '_', 1)
               WHEN 'organisation' THEN r.organisation WHEN 'event' THEN r.event_id
               WHEN 'meter' THEN r.meter WHEN 'occurred' THEN r.occurred_at
               WHEN 'quantity' THEN r.quantity ELSE r.corrects END, %(shown)s) END
    FROM (SELECT {number} AS row, organisation, event_id, meter, occurred_at, quantity, corrects
          FROM usage_raw) r
    LEFT JOIN plans_meter m ON m.code = r.meter
    LEFT JOIN accounts_organisation o ON {organisation}
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN o.id IS NOT NULL AND m.id IS NOT NULL
             {also}
             AND {well_formed}
            THEN NULL
            WHEN o.id IS NULL AND r.organisation IS NULL THEN 'organisation_missing'
            WHEN o.id IS NULL THEN 'organisation_unknown'
            {not_yours}
            WHEN r.event_id IS NULL OR r.event_id = '' THEN 'event_id_missing'
            WHEN length(r.event_id) > 64 OR r.event_id COLLATE "C" !~ %(event_id)s
            THEN 'event_id_wrong'
            WHEN r.meter IS NULL OR r.meter = '' THEN 'meter_missing'
            WHEN m.id IS NULL THEN 'meter_unknown'
            WHEN r.occurred_at IS NULL OR r.occurred_at = '' THEN 'occurred_at_missing'
            WHEN r.occurred_at COLLATE "C" ~ %(time_alone)s THEN 'occurred_at_without_zone'
            WHEN r.occurred_at COLLATE "C" !~ %(time_and_zone)s THEN 'occurred_at_wrong'
            WHEN NOT {day_exists} THEN 'occurred_at_wrong'
            WHEN r.quantity IS NULL OR r.quantity = '' THEN 'quantity_missing'
            WHEN length(r.quantity) > 64 AND r.quantity COLLATE "C" ~ '^[-+]?[0-9]+$'
            THEN 'quantity_too_large'
            WHEN r.quantity COLLATE "C" !~ %(quantity)s OR length(r.quantity) > 64
            THEN 'quantity_wrong'
            WHEN length(r.corrects) > 64 OR r.corrects COLLATE "C" !~ %(event_id)s
            THEN 'corrects_wrong' END AS fault
        OFFSET 0) f
    CROSS JOIN LATERAL (
        SELECT t.at, t.quantity, (t.at AT TIME ZONE %(zone)s)::date AS day
        FROM (SELECT CASE WHEN f.fault IS NULL THEN r.occurred_at::timestamptz END AS at,
                     CASE WHEN f.fault IS NULL THEN r.quantity::numeric END AS quantity
              OFFSET 0) t
        OFFSET 0) v
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN f.fault IS NOT NULL THEN f.fault
            WHEN v.at > %(latest)s THEN 'occurred_at_ahead'
            WHEN v.day < o.customer_since THEN 'occurred_at_before_customer'
            WHEN v.day >= o.closed_on THEN 'occurred_at_after_end'
            WHEN v.at < %(oldest)s THEN 'occurred_at_too_old'
            WHEN abs(v.quantity) >= 1e15 THEN 'quantity_too_large'
            WHEN scale(v.quantity) > 15 AND scale(trim_scale(v.quantity)) > 15
            THEN 'quantity_too_fine'
            WHEN m.aggregation <> 'sum' AND v.quantity < 0 THEN 'quantity_negative'
            WHEN m.aggregation = 'sum' AND r.corrects IS NOT NULL THEN 'corrects_a_sum'
            END AS fault
        OFFSET 0) c
"""
_WELL_FORMED = """length(r.event_id) <= 64 AND r.event_id COLLATE "C" ~ %(event_id)s
    AND length(r.quantity) <= 64 AND r.quantity COLLATE "C" ~ %(quantity)s
    AND r.occurred_at COLLATE "C" ~ %(time_and_zone)s
    AND (substr(r.occurred_at, 9, 2) < '29' OR {day_exists})
    AND (r.corrects IS NULL OR (length(r.corrects) <= 64
                                AND r.corrects COLLATE "C" ~ %(event_id)s))"""
# The regular expression let through days 01 to 31 of months 01 to 12.
_DAY_EXISTS = """(substr(r.occurred_at, 9, 2)::int <= extract(day FROM
    make_date(substr(r.occurred_at, 1, 4)::int, substr(r.occurred_at, 6, 2)::int, 1)
    + interval '1 month - 1 day'))"""

# For a canonical batch: no regular expression, and each row is all right or not. A day that does
# not exist stops the statement; 24 o'clock and a 61st second would not.
_STAGE_CANONICAL = """
    INSERT INTO usage_staged (row, organisation_id, occurred_at, day, meter_id, event_id, quantity,
                              aggregation, fault)
    SELECT r.row, o.id, v.at, {day}, m.id, r.event_id, v.quantity, m.aggregation,
           CASE WHEN v.at <= %(latest)s {not_too_old} {also}
                 AND {day} >= o.customer_since
                 AND (o.closed_on IS NULL OR {day} < o.closed_on)
                 AND m.id IS NOT NULL AND r.corrects IS NULL
                 AND octet_length(r.event_id) BETWEEN 1 AND 64 AND r.event_id NOT LIKE '%% %%'
                 AND substr(r.occurred_at, 12, 2) COLLATE "C" < '24'
                 AND substr(r.occurred_at, 18, 1) COLLATE "C" < '6'
                 AND scale(v.quantity) <= 15 AND v.quantity < 1e15
                 AND v.quantity > CASE m.aggregation WHEN 'sum' THEN -1e15 ELSE -1e-16 END
           THEN NULL ELSE 'unclear' END
    FROM (SELECT {number} AS row, organisation, event_id, meter, occurred_at, quantity, corrects
          FROM usage_raw) r
    LEFT JOIN plans_meter m ON m.code = r.meter
    LEFT JOIN accounts_organisation o ON {organisation}
    CROSS JOIN LATERAL (
        SELECT r.occurred_at::timestamptz AS at, r.quantity::numeric AS quantity OFFSET 0) v
"""
_DAY = """CASE WHEN v.at >= %(today_from)s AND v.at < %(today_until)s THEN %(today)s::date
    ELSE (v.at AT TIME ZONE %(zone)s)::date END"""
_SUMMARY = """
SELECT count(*), count(fault), count(corrects) FILTER (WHERE fault IS NULL),
       coalesce(bool_or(aggregation = 'last') FILTER (WHERE fault IS NULL), false),
       min(day) FILTER (WHERE fault IS NULL), max(day) FILTER (WHERE fault IS NULL)
FROM usage_staged
"""
_DAYS = """
SELECT array_agg(day ORDER BY day), array_agg(day ORDER BY day) FILTER (
    WHERE to_regclass('usage_event_' || to_char(day, 'YYYYMMDD')) IS NULL)
FROM (SELECT DISTINCT day FROM usage_staged WHERE fault IS NULL AND %(many)s
      UNION SELECT %(day)s) d
"""


class NotCanonical(ValueError):
    """A batch that said it was canonical holds a row that wants a closer look."""


@dataclass(frozen=True, slots=True)
class Window:
    """Between which instants, both included, an event may lie. `oldest` None: no limit of ours."""

    latest: datetime
    oldest: datetime | None = None


class Staged(NamedTuple):
    """What a batch holds. `days`: of the events without fault; `missing`: those without a partition."""

    rows: int
    faults: int
    corrections: int
    has_last: bool
    days: Sequence[date]
    missing: Sequence[date]


def stage(
    cursor: CursorWrapper,
    batch: Batch,
    *,
    window: Window,
    zone: ZoneInfo,
    today: date,
    organisation_id: int | None,
) -> Staged:
    """Lay a batch's events, typed and with their faults, into the temporary table usage_staged.

    Raises NotCanonical, or DataError, for a canonical batch that wants a closer look.
    """
    cursor.execute(_TABLES)
    with cursor.copy(f"COPY usage_raw ({', '.join(batch.columns)}) FROM STDIN") as copy:
        copy.write(batch.text)
    bound = organisation_id is not None
    statement = (_STAGE_CANONICAL if batch.canonical else _STAGE_CLOSELY).format(
        number="number" if "number" in batch.columns else "row_number() OVER ()",
        organisation="o.id = %(organisation_id)s" if bound else "o.reference = r.organisation",
        also="AND (r.organisation IS NULL OR r.organisation = o.reference)" if bound else "",
        not_yours="WHEN r.organisation <> o.reference THEN 'organisation_not_yours'"
        if bound
        else "",
        not_too_old="AND v.at >= %(oldest)s" if window.oldest is not None else "",
        day=_DAY,
        day_exists=_DAY_EXISTS,
        well_formed=_WELL_FORMED.format(day_exists=_DAY_EXISTS),
    )
    cursor.execute(
        statement,
        {
            "organisation_id": organisation_id,
            "event_id": _EVENT_ID,
            "quantity": _QUANTITY,
            "time_and_zone": _TIME + _ZONE,
            "time_alone": _TIME + "$",
            "zone": zone.key,
            "today": today,
            "today_from": start_of_day(today, zone),
            "today_until": start_of_day(today + timedelta(days=1), zone),
            "latest": window.latest,
            "oldest": window.oldest,
            "shown": rules.GIVEN_SHOWN + 1,
        },
    )
    cursor.execute(_SUMMARY)
    rows, faults, corrections, has_last, first_day, last_day = cursor.fetchone()
    if batch.canonical and faults:
        raise NotCanonical
    if first_day is None:
        return Staged(rows, faults, corrections, has_last, (), ())
    cursor.execute(_DAYS, {"many": first_day != last_day, "day": first_day})
    days, missing = cursor.fetchone()
    return Staged(rows, faults, corrections, has_last, days, missing or ())


def faults(cursor: CursorWrapper) -> list[Refused]:
    """Return the staged events that have a fault, and why, in the sender's order."""
    cursor.execute(
        "SELECT row, fault, given FROM usage_staged WHERE fault IS NOT NULL ORDER BY row"
    )
    return [rules.refused(row, fault, given) for row, fault, given in cursor.fetchall()]

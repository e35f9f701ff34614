"""The short way for a batch as most are: new, right, of one day. It goes into that day's partition.

Nothing is staged: the sender's columns are checked a column at a time, the database resolves the
names, and what COPY stores is summed up here meanwhile. Whatever is unusual in any event is left to
the careful way, which has the same outcome and can say what is wrong.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Context, Decimal, Inexact, localcontext
from itertools import repeat
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg.errors import UndefinedTable, UniqueViolation

from core.months import BillingMonth
from plans.enums import Aggregation
from usage.services import days, partitions
from usage.services.batches import Batch
from usage.services.days import Sums
from usage.services.staging import Window

_QUANTITIES = re.compile(r"(?>-?[0-9]{1,15}(?:\.[0-9]{1,15})?\n)*+")
_EXACT = Context(prec=100, traps=[Inexact])
# Organisations' ids with zeros before them sort as texts as they do as numbers.
_WIDTH = 12
_COLUMNS = "organisation_id, event_id, meter_id, occurred_at, quantity, day"
_FIELDS = 5  # of a line: those columns but the day


class NotStraight(Exception):
    """The batch wants a closer look; nothing of it was stored."""


class _Meters(NamedTuple):
    """The catalogue's meters: their ids by code, and the ids of those that are not summed up."""

    ids: Mapping[str, str]
    largest_ids: frozenset[str]
    last_ids: frozenset[str]


@transaction.atomic
def take(
    batch: Batch, now: datetime, window: Window, zone: ZoneInfo, organisation_id: int | None
) -> tuple[int, int]:
    """Store a canonical batch's events and their day's sums; return how many are new, and how many not.

    Raises NotStraight, DataError, IntegrityError, or partitions.Missing, and has then stored nothing.
    Rule: B-05, B-15.
    """
    values = batch.values
    day = _day(values, window, zone)
    _check_ids(values)
    _check_quantities(values)
    with connection.cursor() as cursor:
        meters = _meters(cursor)
        lines = _lines(cursor, values, meters, day, organisation_id)
        partition = partitions.name_of(day)
        try:
            is_sent_again = _is_stored(cursor, partition, lines[0])
        except ProgrammingError as error:
            if isinstance(error.__cause__, UndefinedTable):
                raise partitions.Missing([day]) from error
            raise
        duplicates = 0
        stored = None if is_sent_again else _store_new(cursor, partition, day, lines, meters)
        if stored is None:
            known = _stored(cursor, partition, lines)
            lines = [line for place, line in enumerate(lines, 1) if place not in known]
            duplicates = len(known)
            if not lines:
                return 0, duplicates
            stored = _store(cursor, partition, day, lines, meters)
        sums, last = stored
        days.add(cursor, day, sums, last, meters.largest_ids)
        organisation_ids = {int(one) for one in (*sums.organisation_ids, *last.organisation_ids)}
        days.mark_late(cursor, day, organisation_ids, BillingMonth.containing(now, zone))
    return len(lines), duplicates


def _day(values: Mapping[str, Sequence[str]], window: Window, zone: ZoneInfo) -> date:
    """Return the day of all the events. All times must be written alike: as texts they then sort."""
    times = values.get("occurred_at", ())
    text = "\n".join([*times, ""])
    if len(set(map(len, times))) != 1 or len(times) not in (
        text.count("Z\n"),
        text.count("+00:00\n"),
    ):
        raise NotStraight
    # The database would take both, as instants of the next minute and day.
    if ":60" in text or "T24" in text:
        raise NotStraight
    try:
        first, last = (datetime.fromisoformat(time) for time in (min(times), max(times)))
    except ValueError as error:
        raise NotStraight from error
    day = first.astimezone(zone).date()
    too_old = window.oldest is not None and first < window.oldest
    if too_old or last > window.latest or last.astimezone(zone).date() != day:
        raise NotStraight
    return day


def _check_ids(values: Mapping[str, Sequence[str]]) -> None:
    ids = values.get("event_id", ())
    text = "".join(ids)
    if (
        not ids
        or " " in text
        or "\\" in text
        or not 1 <= min(map(len, ids)) <= max(map(len, ids)) <= 64
    ):
        raise NotStraight
    if set(values.get("corrects", ())) - {r"\N"}:
        raise NotStraight


def _check_quantities(values: Mapping[str, Sequence[str]]) -> None:
    if not _QUANTITIES.fullmatch("\n".join([*values.get("quantity", ("none",)), ""])):
        raise NotStraight


def _meters(cursor: CursorWrapper) -> _Meters:
    cursor.execute("SELECT code, id::text, aggregation FROM plans_meter")
    meters = cursor.fetchall()
    return _Meters(
        {code: pk for code, pk, _ in meters},
        frozenset(pk for _, pk, aggregation in meters if aggregation == Aggregation.MAX),
        frozenset(pk for _, pk, aggregation in meters if aggregation == Aggregation.LAST),
    )


def _lines(
    cursor: CursorWrapper,
    values: Mapping[str, Sequence[str]],
    meters: _Meters,
    day: date,
    organisation_id: int | None,
) -> list[str]:
    """Return the events as sorted lines with ids for names: _FIELDS in each."""
    references = set(values.get("organisation", ()))
    codes = set(values.get("meter", ()))
    organisations = _organisations(cursor, references, day, organisation_id)
    # A backslash may be the sign for none.
    if "\\" in "".join(references | codes) or not codes <= meters.ids.keys():
        raise NotStraight
    can_fall = meters.largest_ids.isdisjoint(map(meters.ids.__getitem__, codes)) and (
        meters.last_ids.isdisjoint(map(meters.ids.__getitem__, codes))
    )
    if not can_fall and "-" in "".join(values["quantity"]):
        raise NotStraight
    return sorted(
        map(
            "\t".join,
            zip(
                map(organisations.__getitem__, values["organisation"])
                if references
                else repeat(next(iter(organisations.values()))),
                values["event_id"],
                map(meters.ids.__getitem__, values["meter"]),
                values["occurred_at"],
                values["quantity"],
                strict=False,
            ),
        )
    )


def _organisations(
    cursor: CursorWrapper, references: set[str], day: date, organisation_id: int | None
) -> dict[str, str]:
    """Return the ids of organisations by reference. All must be customers on the day."""
    bound = organisation_id is not None
    which = "id = %s" if bound else "reference = ANY(string_to_array(%s, chr(10)))"
    cursor.execute(
        f"SELECT reference, lpad(id::text, {_WIDTH}, '0') FROM accounts_organisation"  # noqa: S608  # ours
        f" WHERE {which} AND customer_since <= %s AND (closed_on IS NULL OR closed_on > %s)",
        [organisation_id if bound else "\n".join(references), day, day],
    )
    organisations = dict(cursor.fetchall())
    if not organisations or not references <= organisations.keys() or not (bound or references):
        raise NotStraight
    return organisations


def _is_stored(cursor: CursorWrapper, partition: str, line: str) -> bool:
    """Return whether an event's id is stored. A batch whose first event is was mostly sent before."""
    organisation_id, event_id, *_ = line.split("\t")
    cursor.execute(
        f"SELECT EXISTS (SELECT FROM {partition} e"  # noqa: S608  # a name of ours
        " WHERE e.organisation_id = %s::bigint AND e.event_id = %s)",
        [organisation_id, event_id],
    )
    return bool(cursor.fetchone()[0])


def _store_new(
    cursor: CursorWrapper, partition: str, day: date, lines: Sequence[str], meters: _Meters
) -> tuple[Sums, Sums] | None:
    """Store the events if all of them are new. The unique index is the judge."""
    try:
        with transaction.atomic():
            return _store(cursor, partition, day, lines, meters)
    except IntegrityError as error:
        if not isinstance(error.__cause__, UniqueViolation):
            raise
        return None


def _store(
    cursor: CursorWrapper, partition: str, day: date, lines: Sequence[str], meters: _Meters
) -> tuple[Sums, Sums]:
    """Store the events; return their sums, which are worked out while the database stores."""
    end = f"\t{day}\n"
    into = f"COPY {partition} ({_COLUMNS}) FROM STDIN"
    with connection.wrap_database_errors, cursor.copy(into) as copy:
        copy.write(end.join([*lines, ""]))
        return _sums(lines, meters)


def _stored(cursor: CursorWrapper, partition: str, lines: Sequence[str]) -> set[int]:
    """Return the places, from 1, of lines that are stored. Raises NotStraight if one differs."""
    columns = _columns(lines)
    organisation_ids, _, meter_ids, times, quantities = (
        "{" + ",".join(column) + "}" for column in columns
    )
    cursor.execute(
        f"""
        SELECT array_agg(n.place), bool_and(e.meter_id = n.meter_id AND e.quantity = n.quantity
               AND e.occurred_at = n.occurred_at AND e.corrects IS NULL)
        FROM unnest(%s::bigint[], string_to_array(%s, chr(10)), %s::smallint[], %s::timestamptz[],
                    %s::numeric[])
             WITH ORDINALITY n (organisation_id, event_id, meter_id, occurred_at, quantity, place)
        CROSS JOIN LATERAL (
            SELECT e.meter_id, e.occurred_at, e.quantity, e.corrects FROM {partition} e
            WHERE e.organisation_id = n.organisation_id AND e.event_id = n.event_id LIMIT 1) e
        """,  # noqa: S608  # a name of ours
        [organisation_ids, "\n".join(columns[1]), meter_ids, times, quantities],
    )
    places, are_equal = cursor.fetchone()
    if are_equal is False:
        raise NotStraight
    return set(places or ())


def _columns(lines: Sequence[str]) -> list[Sequence[str]]:
    fields = "\t".join(lines).split("\t")
    return [fields[place::_FIELDS] for place in range(_FIELDS)]


def _sums(lines: Sequence[str], meters: _Meters) -> tuple[Sums, Sums]:
    """Return what the events add to their day, apart for meters that keep the last."""
    organisation_ids, event_ids, meter_ids, times, quantities = _columns(lines)
    # Texts, not tuples, as keys: ten thousand tuples would set the garbage collector going.
    keys = list(map("\t".join, zip(organisation_ids, meter_ids, strict=True)))
    events = Counter(keys)
    last: dict[str, tuple[str, str, str]] = {}
    if not meters.last_ids.isdisjoint(meter_ids):
        bodies = zip(times, event_ids, quantities, strict=True)
        for key, meter_id, body in zip(keys, meter_ids, bodies, strict=True):
            if meter_id in meters.last_ids and (key not in last or body > last[key]):
                last[key] = body

    sums: dict[str, Decimal] = {}
    largest_ids = meters.largest_ids
    with localcontext(_EXACT):
        for key, meter_id, quantity in zip(keys, meter_ids, map(Decimal, quantities), strict=True):
            if key not in sums:
                sums[key] = quantity
            elif meter_id not in largest_ids:
                sums[key] += quantity
            elif quantity > sums[key]:
                sums[key] = quantity
    for key in last:
        del sums[key]
    return (
        Sums(*_ids(sums), list(map(str, sums.values())), [str(events[key]) for key in sums]),
        Sums(
            *_ids(last),
            [quantity for _, _, quantity in last.values()],
            [str(events[key]) for key in last],
            [time for time, _, _ in last.values()],
            [event_id for _, event_id, _ in last.values()],
        ),
    )


def _ids(keys: Collection[str]) -> tuple[list[str], list[str]]:
    ids = "\t".join(keys).split("\t") if keys else []
    return ids[::2], ids[1::2]

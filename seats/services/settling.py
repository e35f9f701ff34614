"""The end of a contract, carried out: who is beyond the capacity left is deactivated.

For each border (seats.queries.due) the capacity is computed as of its first instant, and those stay who
come first in `seats.rules.leaving.staying_order`. Nothing else changes an account before the borders
that have come are carried out, so that a late run deactivates whom a punctual one would have.
Rule: domain.md 3.5, S2-10, S2-11, I11, I14.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import zip_longest
from uuid import uuid4
from zoneinfo import ZoneInfo

from django.db import InterfaceError, OperationalError, ProgrammingError, connection, transaction
from django.db.models import F

from accounts import services as accounts
from accounts.enums import Changed
from accounts.models import Organisation
from core import audit, statements, webhooks
from core.audit import Act
from core.ids import array
from core.work import Piece
from plans import queries as plans
from seats import jobs
from seats.enums import Cause
from seats.queries import capacity, due
from seats.queries.due import Border
from seats.queries.endings import Ending, endings_of
from seats.rules.capacity import Capacity

log = logging.getLogger(__name__)

ACTOR = "system:settlement"
# How many organisations are settled in one transaction (performance.md, spot expiry).
PAGE = 1000
# More failures than this, and more than successes, are no matter of an organisation's data.
_FEW = 50

# The order is that of seats.rules.leaving.staying_order, the root first: with room for one, it stays.
# The account that leaves does so from the border on; one that came after the border of a contract that
# was cut afterwards, from when it came. Sessions of whoever has no account left end here too: all parts
# of the statement see what was before it, so that is who had as many active accounts as are gone.
_DEACTIVATE = """
    WITH ended AS (
        SELECT * FROM unnest(%(organisations)s::bigint[], %(capacities)s::bigint[], %(ids)s::bigint[],
            %(due)s::timestamptz[], %(windows)s::timestamptz[])
            AS e (organisation_id, capacity, deactivation_id, due_at, window_from)
    ), gone AS (
        UPDATE accounts_membership m
        SET deactivated_at = GREATEST(e.due_at, m.registered_at), deactivation_id = e.deactivation_id
        FROM ended e CROSS JOIN LATERAL (
            SELECT z.id FROM accounts_membership z
            WHERE z.organisation_id = e.organisation_id AND z.deactivated_at IS NULL
            ORDER BY z.role = 'root' DESC, z.is_protected DESC, z.leave_order DESC NULLS FIRST,
                z.registered_at, z.id
            OFFSET e.capacity) v
        WHERE m.id = v.id AND m.role <> 'root'
        RETURNING m.id, m.user_id, m.organisation_id,
            e.window_from IS NULL OR m.registered_at < e.window_from AS is_flagged
    ), held AS (
        SELECT s.session_key, s.user_id, count(*) AS places
        FROM accounts_session s JOIN gone g ON g.user_id = s.user_id GROUP BY s.session_key
    ), signed_out AS (
        DELETE FROM accounts_session s WHERE s.session_key IN (
            SELECT h.session_key FROM held h
            WHERE NOT (SELECT u.is_staff FROM accounts_user u WHERE u.id = h.user_id)
              AND h.places = (SELECT count(*) FROM accounts_membership o
                  WHERE o.user_id = h.user_id AND o.deactivated_at IS NULL))
    )
    SELECT organisation_id, count(*), count(*) FILTER (WHERE is_flagged) FROM gone GROUP BY 1
"""


_ROWS = """
    seats_deactivation (id, public_id, organisation_id, cause, spot_order_id, main_contract_id, due_at, at,
        capacity, in_use, count, flagged, window_from)
"""
# The accounts of a page that leave are kept in memory between the parts of the statement.
_MEMORY = "SET LOCAL work_mem = '64MB'"


class TooManyFail(Exception):
    """So many organisations of a page fail that the fault lies elsewhere."""


@dataclass(slots=True)
class Outcome:
    """What became of a page: organisations settled and set aside, accounts deactivated."""

    settled: int = 0
    aside: int = 0
    deactivated: int = 0


@dataclass(frozen=True, slots=True)
class _Left:
    """How many left by a border, which number its row has, and how many of them are flagged."""

    pk: int
    ending: Ending
    count: int
    flagged: int


def plan(now: datetime) -> None:
    """Ask for the settlement of all organisations with a border that has come. Rule: R1."""
    waiting = due.organisations(_today(now))
    if not waiting:
        return
    pages = [waiting[start : start + PAGE] for start in range(0, len(waiting), PAGE)]
    with transaction.atomic():
        jobs.SETTLE.enqueue_all(
            [
                Piece(f"{page[0]}-{page[-1]}", {"first_id": page[0], "last_id": page[-1]})
                for page in pages
            ],
            due_at=now,
        )


def settle_range(*, first_id: int, last_id: int, now: datetime) -> Outcome:
    """Settle the organisations of a range of ids that have a border that has come.

    One transaction stores the page. Should it fail, halves are tried, so that an organisation whose
    data are at fault is set aside, to be tried alone and parked, while the others go on. Who is locked by
    somebody else is left for the next time. A second run changes nothing. Raises TooManyFail, NoVendor,
    and what passes: OperationalError. Rule: S2-10, R12, F57.
    """
    waiting = due.organisations(_today(now), first_id=first_id, last_id=last_id)
    outcome = Outcome()
    for start in range(0, len(waiting), PAGE):
        _settle_page(waiting[start : start + PAGE], now, outcome)
    return outcome


@transaction.atomic
def settle(*, organisation_id: int, now: datetime) -> bool:
    """Carry out the borders of an organisation that have come; return whether there were any.

    In the caller's transaction, should there be one, which may hold the organisation's lock already.
    """
    accounts.lock(organisation_id)
    return bool(_carry_out([organisation_id], now).settled)


def settle_if_due(organisation: Organisation, now: datetime) -> bool:
    """Settle an organisation should a border of it have come; otherwise nothing is locked."""
    if not due.borders([organisation.pk], _today(now)):
        return False
    return settle(organisation_id=organisation.pk, now=now)


def _settle_page(ids: Sequence[int], now: datetime, outcome: Outcome) -> None:
    if not ids:
        return
    try:
        stored = _settle_at_once(ids, now)
    except (OperationalError, InterfaceError, ProgrammingError, plans.NoVendor):
        # The database is away, or its schema is another release's: nobody's data are at fault.
        raise
    except Exception as fault:  # noqa: BLE001 (set aside with its trace: R12)
        log.warning("not settled: %r", fault, extra={"first": ids[0], "last": ids[-1]})
        if len(ids) == 1:
            _set_aside(ids[0], now, outcome, fault)
            return
        middle = len(ids) // 2
        _settle_page(ids[:middle], now, outcome)
        _settle_page(ids[middle:], now, outcome)
    else:
        outcome.settled += stored.settled
        outcome.deactivated += stored.deactivated


@transaction.atomic
def _settle_at_once(ids: Sequence[int], now: datetime) -> Outcome:
    return _carry_out(_lock(ids), now)


def _lock(ids: Sequence[int]) -> list[int]:
    """Lock organisations in order of their ids, save those that somebody else has. Rule: R5."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id FROM accounts_organisation WHERE id = ANY(%s::bigint[])
            ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
            """,
            [array(ids)],
        )
        return [row[0] for row in cursor.fetchall()]


@transaction.atomic
def _set_aside(organisation_id: int, now: datetime, outcome: Outcome, fault: Exception) -> None:
    outcome.aside += 1
    if outcome.aside > _FEW and outcome.aside > outcome.settled:
        raise TooManyFail(f"{outcome.aside} organisations; the last one: {fault!r}") from fault
    jobs.SETTLE_ALONE.enqueue(
        key=str(organisation_id),
        due_at=now,
        payload={"organisation_id": organisation_id},
        organisation_id=organisation_id,
    )


def _carry_out(ids: Sequence[int], now: datetime) -> Outcome:
    """Carry out the borders of organisations that are locked. What is read here was committed before."""
    zone = plans.vendor_zone()
    borders = due.borders(ids, now.astimezone(zone).date())
    if not borders:
        return Outcome()
    known = capacity.capacities(borders)
    outcome = Outcome(settled=len(borders))
    for endings in _rounds(borders, known, zone):
        outcome.deactivated += _deactivate(endings, now)
    _mark(borders, now)
    if webhooks.is_listened_to():
        accounts.tell_entitlements_changed(
            Organisation.objects.filter(pk__in=list(borders)).order_by("pk"),
            reason=Changed.ACCOUNTS,
            now=now,
        )
    return outcome


def _rounds(
    borders: Mapping[int, Sequence[Border]], known: Mapping[int, Capacity], zone: ZoneInfo
) -> Iterator[list[Ending]]:
    """Yield what is due in rounds, the first ending of each organisation in the first."""
    for together in zip_longest(
        *(list(endings_of(each, borders[each], known[each], zone)) for each in sorted(borders))
    ):
        yield [ending for ending in together if ending is not None]


def _deactivate(endings: Sequence[Ending], now: datetime) -> int:
    """Deactivate who is beyond capacity, one border an organisation; return how many accounts."""
    ids = _new_ids(len(endings))
    counts = _leave(endings, ids)
    left = [
        _Left(pk, ending, *counts[ending.organisation_id])
        for pk, ending in zip(ids, endings, strict=True)
        if ending.organisation_id in counts
    ]
    statements.copy(_ROWS, [_row(each, now) for each in left])
    audit.record_all([_act(each) for each in left], actor=ACTOR, at=now)
    return sum(each.count for each in left)


def _leave(endings: Sequence[Ending], ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Return how many left, and how many of them are flagged, by organisation."""
    with connection.cursor() as cursor:
        cursor.execute(_MEMORY)
        cursor.execute(
            _DEACTIVATE,
            {
                "organisations": array(each.organisation_id for each in endings),
                "capacities": array(each.capacity for each in endings),
                "ids": array(ids),
                "due": _instants(each.due_at for each in endings),
                "windows": _instants(each.window_from for each in endings),
            },
        )
        return {row[0]: (row[1], row[2]) for row in cursor.fetchall()}


def _instants(instants: Iterable[datetime | None]) -> str:
    """Return instants as a database array's text: element by element the driver takes its time."""
    return f"{{{','.join(each.isoformat() if each else 'NULL' for each in instants)}}}"


def _new_ids(count: int) -> list[int]:
    """Return ids for rows that may be stored: how many are, only the update can tell."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('seats_deactivation', 'id'))"
            " FROM generate_series(1, %s)",
            [count],
        )
        return [row[0] for row in cursor.fetchall()]


def _row(left: _Left, now: datetime) -> tuple[object, ...]:
    ending = left.ending
    return (
        left.pk,
        uuid4(),
        ending.organisation_id,
        str(ending.cause),
        ending.spot_id,
        ending.contract_id,
        ending.due_at,
        max(now, ending.due_at),
        ending.capacity,
        ending.capacity + left.count,
        left.count,
        0 if ending.cause is Cause.CLOSED else left.flagged,
        ending.window_from,
    )


def _act(left: _Left) -> Act:
    ending = left.ending
    return Act(
        ending.organisation_id,
        "accounts.deactivated_by_end",
        f"deactivation:{left.pk}",
        {
            "cause": str(ending.cause),
            "due_at": ending.due_at.isoformat(),
            "capacity": ending.capacity,
            "count": left.count,
            "spot_order": ending.spot_id,
            "main_contract": ending.contract_id,
        },
    )


def _mark(borders: Mapping[int, Sequence[Border]], now: datetime) -> None:
    """Note that these borders are carried out."""
    spots = [pk for each in borders.values() for border in each for pk in border.spot_ids]
    contracts = [pk for each in borders.values() for border in each for pk in border.contract_ids]
    closed = [pk for pk, each in borders.items() if any(border.is_closing for border in each)]
    with connection.cursor() as cursor:
        for table, ended in (("spot_orders_spotorder", spots), ("plans_maincontract", contracts)):
            if ended:
                cursor.execute(
                    f"UPDATE {table} SET ended_at = %s WHERE id = ANY(%s::bigint[])",  # noqa: S608
                    [now, array(ended)],
                )
    if closed:
        Organisation.objects.filter(pk__in=closed).update(accounts_ended_on=F("closed_on"))


def _today(now: datetime) -> date:
    return now.astimezone(plans.vendor_zone()).date()

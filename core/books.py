"""Whether the books are sound: rooms name their checks, which are asked over one snapshot.

    from core import books                          # billing/books.py, found when the portal starts

    books.register(*audit.CHECKS)

A check is a question after rows that break an invariant of docs/rules.md. It reads, and mends nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from django.db import connection, transaction

from core.months import BillingMonth

BEGINNING = date(1, 1, 1)


@dataclass(frozen=True, slots=True)
class Breach:
    """A row that breaks an invariant. `ids` name it: column and value, as text."""

    invariant: str
    what: str
    ids: Mapping[str, str]

    def __str__(self) -> str:
        ids = " ".join(f"{name}={value}" for name, value in self.ids.items())
        return f"{self.invariant} {self.what}: {ids}"


@dataclass(frozen=True, slots=True)
class Scope:
    """What is looked at: months and entries from `since` on; None: everything.

    `now`: by which due things should be done; None: what is due is not judged.
    """

    since: BillingMonth | None = None
    now: datetime | None = None

    @property
    def first_day(self) -> date:
        return self.since.first_day if self.since else BEGINNING

    @property
    def first_instant(self) -> datetime:
        return datetime.combine(self.first_day, datetime.min.time(), UTC)


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant's question. `find` yields what breaks it."""

    invariant: str
    what: str
    find: Callable[[Scope], Iterator[Mapping[str, object]]]

    def breaches(self, scope: Scope) -> Iterator[Breach]:
        for found in self.find(scope):
            ids = {name: _plain(value) for name, value in found.items()}
            yield Breach(self.invariant, self.what, ids)


_checks: list[Check] = []


def register(*found: Check) -> None:
    """Have these asked whenever the books are audited."""
    _checks.extend(found)


def checks() -> tuple[Check, ...]:
    """Return the checks of every room, lower rooms first."""
    return tuple(_checks)


def breaches(
    *,
    since: BillingMonth | None = None,
    now: datetime | None = None,
    among: Sequence[Check] | None = None,
    progress: Callable[[Check], None] | None = None,
) -> list[Breach]:
    """Return every breach of the invariants, all seen at one instant.

    `since`: only of months from then on. `now`: by which what is due should be done; without it
    that is not judged. `among`: these checks alone. Inside a transaction of the caller's, its
    snapshot is used.
    """
    scope = Scope(since, now)
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        found: list[Breach] = []
        for check in checks() if among is None else among:
            if progress:
                progress(check)
            found.extend(check.breaches(scope))
    return found


def by_sql(invariant: str, what: str, statement: str, *, timed: bool = False) -> Check:
    """Return the check that a statement makes: each row that it finds is a breach.

    It may use %(since)s, a date. `timed`: it also uses %(now)s, and is left out without one.
    """

    def find(scope: Scope) -> Iterator[Mapping[str, object]]:
        if timed and scope.now is None:
            return
        yield from rows(statement, {"since": scope.first_day, "now": scope.now})

    return Check(invariant, what, find)


def rows(
    statement: str, parameters: Mapping[str, date | datetime | None]
) -> list[dict[str, object]]:
    """Return what a statement finds, by column name."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)

"""The event table's partitions: one a day, made before an event of that day is stored."""

from collections.abc import Iterable, Sequence
from datetime import date

from django.db import connection, transaction

# Each partition is a lock until the commit; the server's table of locks is finite.
_AT_ONCE = 32


class Missing(Exception):
    """Events of these days have no partition yet."""

    def __init__(self, days: Sequence[date]) -> None:
        super().__init__(days)
        self.days = days


def name_of(day: date) -> str:
    """Return the name of the partition that holds a day's events."""
    return f"usage_event_{day:%Y%m%d}"


def create(days: Iterable[date]) -> int:
    """Have a partition for each of these days; return how many were made.

    Any number of processes may ask at once, while others store events: attaching a table that was
    made beside the parent, with a check that spares the scan, waits for no reader and no writer.
    """
    wanted = sorted(set(days))
    return sum(
        _create(wanted[start : start + _AT_ONCE]) for start in range(0, len(wanted), _AT_ONCE)
    )


@transaction.atomic
def _create(days: list[date]) -> int:
    made = 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('usage_event'), 1)")
        for day in days:
            name = name_of(day)
            cursor.execute("SELECT to_regclass(%s) IS NULL", [name])
            if cursor.fetchone() != (True,):
                continue
            # Names and dates made here, of digits alone; a statement that defines takes no parameters.
            cursor.execute(
                f"CREATE TABLE {name} (LIKE usage_event INCLUDING ALL,"
                f" CONSTRAINT {name}_day CHECK (day = DATE '{day:%Y-%m-%d}'))"
            )
            cursor.execute(
                f"ALTER TABLE usage_event ATTACH PARTITION {name} FOR VALUES IN ('{day:%Y-%m-%d}')"
            )
            cursor.execute(f"ALTER TABLE {name} DROP CONSTRAINT {name}_day")
            made += 1
    return made

"""Statements that the database plans once a connection and not with every page, and rows by the thousand."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import psycopg
from django.db import connection
from django.db.backends.utils import CursorWrapper
from psycopg.rows import TupleRow


class _PreparedCursor(psycopg.Cursor[TupleRow]):
    def execute(self, query: Any, params: Any = None, **how: Any) -> Self:
        return super().execute(query, params, **{"prepare": True, **how})


@contextmanager
def prepared() -> Iterator[CursorWrapper]:
    """Return a cursor whose statements are prepared: for one long SQL text that is asked often.

    Its values travel beside the text and not in it, so a NULL that stands alone needs a cast.
    """
    connection.ensure_connection()
    cursor: Any = _PreparedCursor(connection.connection)
    wrap = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    with wrap(cursor) as wrapped:
        yield wrapped


def copy(into: str, rows: Iterable[Sequence[object]]) -> None:
    """Store many rows at once: for thousands, of which objects would cost more than their storing.

    `into`: a table and its columns, `table (a, b)`, in the order of the values; JSON is given as text.
    """
    with connection.cursor() as cursor:
        driver: Any = cursor.cursor
        with driver.copy(f"COPY {into} FROM STDIN") as copied:
            for row in rows:
                copied.write_row(row)

"""Statements that the database plans once a connection and not with every page."""

from collections.abc import Iterator
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

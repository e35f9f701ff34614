"""A process that dies in the middle of what it does, at a chosen place."""

import os
from collections.abc import Callable
from typing import Any

import psycopg
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

_KILLED = 9


def crash_at(point: int, do: Callable[[], object]) -> bool:
    """Do something in a process that dies at its `point`-th boundary; return whether it did.

    A boundary is before and after each statement, each piece of a COPY, and each commit.
    """
    connection.close()
    child = os.fork()
    if child == 0:
        try:
            _die_at(point)
            do()
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == _KILLED


def _die_at(point: int) -> None:
    passed = 0

    def boundary() -> None:
        nonlocal passed
        passed += 1
        if passed == point:
            os._exit(_KILLED)

    def around(do: Callable[..., Any]) -> Callable[..., Any]:
        def bounded(*args: Any, **kwargs: Any) -> Any:
            boundary()
            try:
                return do(*args, **kwargs)
            finally:
                boundary()

        return bounded

    psycopg.Cursor.execute = around(psycopg.Cursor.execute)  # type: ignore[method-assign]
    psycopg.Copy.write = around(psycopg.Copy.write)  # type: ignore[method-assign]
    BaseDatabaseWrapper._commit = around(BaseDatabaseWrapper._commit)  # type: ignore[attr-defined]

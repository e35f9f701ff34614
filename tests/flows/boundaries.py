"""Processes that die between two commits or around a call to another company. Rule: T5."""

import os
import traceback
from collections.abc import Callable
from typing import Any

import requests
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from payments.gateways import registry

_KILLED = 9


def dies_at(point: int, story: Callable[[], object]) -> bool:
    """Run a story in a process that ends at its boundary number `point`; return whether it did.

    A boundary is before and after each commit, and before and after each HTTP request is sent.
    """

    def tell() -> None:
        _die_at(point)
        story()

    code = _in_a_process(tell)
    if code not in {0, _KILLED}:
        raise AssertionError(f"the story failed at boundary {point}")
    return code == _KILLED


def afresh(do: Callable[[], object]) -> None:
    """Do something in a process that remembers nothing: no connection, no access token."""
    if _in_a_process(do) != 0:
        raise AssertionError("it failed in its process")


def _in_a_process(do: Callable[[], object]) -> int:
    connection.close()
    child = os.fork()
    if child == 0:
        try:
            registry.forget()
            do()
            os._exit(0)
        except Exception:  # noqa: BLE001  its parent fails by the code it ends with
            traceback.print_exc()
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _die_at(point: int) -> None:
    passed = 0

    def boundary() -> None:
        nonlocal passed
        passed += 1
        if passed == point:
            os._exit(_KILLED)

    def around(owner: Any, name: str, counts: Callable[..., bool] = lambda *_: True) -> None:
        do = getattr(owner, name)

        def bounded(*args: Any, **kwargs: Any) -> Any:
            if not counts(*args):
                return do(*args, **kwargs)
            boundary()
            result = do(*args, **kwargs)
            boundary()
            return result

        setattr(owner, name, bounded)

    def commits_by_itself(cursor: CursorWrapper, sql: Any, *_: Any) -> bool:
        return not cursor.db.in_atomic_block and not str(sql).lstrip().startswith("SELECT")

    around(BaseDatabaseWrapper, "_commit")
    around(CursorWrapper, "execute", commits_by_itself)
    around(requests.Session, "send")

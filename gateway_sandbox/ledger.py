"""What the stand-ins know: rows in memory, and written through to SQLite where a file is given.

A row is a dataclass with an `id`. Who changes rows holds `Ledger.change()`: it is the one lock of
a sandbox, and what was put inside it is in the file, whole, before it is left.
"""

import contextlib
import dataclasses
import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from gateway_sandbox.rows import (
    Capture,
    Keep,
    Key,
    Member,
    Notice,
    Order,
    Payer,
    PaymentToken,
    Refund,
    Request,
    Reversal,
    Row,
    SetupToken,
    Trade,
    read_row,
)

R = TypeVar("R", bound=Row)

_KINDS: tuple[type[Row], ...] = (
    SetupToken,
    PaymentToken,
    Payer,
    Order,
    Capture,
    Refund,
    Reversal,
    Key,
    Member,
    Trade,
    Notice,
    Keep,
)
# What rows are looked for by, besides their id. Such a column never changes.
_LOOKED_FOR_BY: dict[type[Row], str] = {
    Capture: "invoice_id",
    Refund: "capture",
    Reversal: "capture",
    Trade: "member",
}
KEPT_REQUESTS = 20_000


class Ledger:
    """The rows of both companies, and every request that came in."""

    def __init__(self, file: Path | None = None) -> None:
        self._lock = threading.RLock()
        self._rows: dict[type[Row], dict[str, Row]] = {kind: {} for kind in _KINDS}
        self._found_by: dict[tuple[type[Row], str], list[Row]] = {}
        self._requests: list[Request] = []
        self._dirty: dict[tuple[type[Row], str], Row | None] = {}
        self._depth = 0
        self._database = _open(file) if file else None
        if self._database:
            self._load(self._database)

    # --- for the servers: the rows themselves, inside `change` ---

    @contextlib.contextmanager
    def change(self) -> Iterator[None]:
        """Hold the ledger; at the end of the outermost one, what was put is stored."""
        with self._lock:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._store()

    def put(self, row: R) -> R:
        """Add a row, or note that it was changed."""
        self._keep(row)
        self._dirty[type(row), row.id] = row
        return row

    def _keep(self, row: Row) -> None:
        rows, kind = self._rows[type(row)], type(row)
        if row.id not in rows and (column := _LOOKED_FOR_BY.get(kind)):
            self._found_by.setdefault((kind, getattr(row, column)), []).append(row)
        rows[row.id] = row

    def drop(self, kind: type[Row], row_id: str) -> None:
        """Forget a row."""
        if self._rows[kind].pop(row_id, None) is not None:
            self._dirty[kind, row_id] = None

    def find(self, kind: type[R], row_id: str) -> R | None:
        """Return the row itself, or None."""
        row = self._rows[kind].get(row_id)
        return row if isinstance(row, kind) else None

    def every(self, kind: type[R]) -> list[R]:
        """Return the rows of a kind themselves, oldest first."""
        with self._lock:
            return [row for row in self._rows[kind].values() if isinstance(row, kind)]

    def of(self, kind: type[R], value: str) -> list[R]:
        """Return the rows of a kind that are looked for by this value, oldest first."""
        with self._lock:
            return [row for row in self._found_by.get((kind, value), ()) if isinstance(row, kind)]

    def count(self, kind: type[Row]) -> int:
        """Return how many rows of a kind there are."""
        return len(self._rows[kind])

    def note(self, request: Request) -> None:
        """Add a request that came in; its status is filled in when it is answered."""
        with self._lock:
            self._requests.append(request)
            del self._requests[:-KEPT_REQUESTS]

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._database:
                self._store()
                self._database.close()
                self._database = None

    # --- for tests and pages: copies ---

    def _copies(self, kind: type[R]) -> list[R]:
        with self._lock:
            return [dataclasses.replace(row) for row in self.every(kind)]

    def _copy(self, kind: type[R], row_id: str) -> R:
        with self._lock:
            row = self.find(kind, row_id)
            if row is None:
                raise KeyError(row_id)
            return dataclasses.replace(row)

    @property
    def setup_tokens(self) -> list[SetupToken]:
        return self._copies(SetupToken)

    @property
    def payment_tokens(self) -> list[PaymentToken]:
        return self._copies(PaymentToken)

    @property
    def payers(self) -> list[Payer]:
        return self._copies(Payer)

    @property
    def orders(self) -> list[Order]:
        return self._copies(Order)

    @property
    def captures(self) -> list[Capture]:
        return self._copies(Capture)

    @property
    def refunds(self) -> list[Refund]:
        return self._copies(Refund)

    @property
    def reversals(self) -> list[Reversal]:
        return self._copies(Reversal)

    @property
    def members(self) -> list[Member]:
        return self._copies(Member)

    @property
    def trades(self) -> list[Trade]:
        return self._copies(Trade)

    @property
    def requests(self) -> list[Request]:
        with self._lock:
            return list(self._requests)

    def requests_to(self, pattern: str) -> list[Request]:
        """Return the requests that match "METHOD /path" or "/path", * matching anything."""
        return [request for request in self.requests if request.matches(pattern)]

    def setup_token(self, token_id: str) -> SetupToken:
        return self._copy(SetupToken, token_id)

    def payment_token(self, token_id: str) -> PaymentToken:
        return self._copy(PaymentToken, token_id)

    def order(self, order_id: str) -> Order:
        return self._copy(Order, order_id)

    def capture(self, capture_id: str) -> Capture:
        return self._copy(Capture, capture_id)

    def refund(self, refund_id: str) -> Refund:
        return self._copy(Refund, refund_id)

    def member(self, member_id: str) -> Member:
        return self._copy(Member, member_id)

    def trade(self, credit_id: str) -> Trade:
        return self._copy(Trade, credit_id)

    def captures_of(self, invoice_id: str) -> list[Capture]:
        """Return the captures that name our document."""
        return [capture for capture in self.captures if capture.invoice_id == invoice_id]

    def taken(self, currency: str) -> int:
        """Return what completed captures took less what went back, in minor units."""
        with self._lock:
            return (
                sum(row.amount for row in self.captures if row.is_in and row.currency == currency)
                - sum(
                    row.amount
                    for row in self.refunds
                    if row.status == "COMPLETED" and row.currency == currency
                )
                - sum(row.amount for row in self.reversals if row.currency == currency)
            )

    # --- the file ---

    def _store(self) -> None:
        dirty, self._dirty = self._dirty, {}
        if self._database is None or not dirty:
            return
        with self._database:
            for (kind, row_id), row in dirty.items():
                if row is None:
                    self._database.execute(
                        "DELETE FROM row WHERE kind = ? AND id = ?", (kind.__name__, row_id)
                    )
                else:
                    self._database.execute(
                        "INSERT INTO row (kind, id, body) VALUES (?, ?, ?)"
                        " ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                        (kind.__name__, row_id, json.dumps(dataclasses.asdict(row), default=str)),
                    )

    def _load(self, database: sqlite3.Connection) -> None:
        kinds = {kind.__name__: kind for kind in _KINDS}
        for name, body in database.execute("SELECT kind, body FROM row ORDER BY number"):
            if kind := kinds.get(name):
                columns: dict[str, Any] = json.loads(body)
                row = read_row(kind, columns)
                self._keep(row)


def _open(file: Path) -> sqlite3.Connection:
    database = sqlite3.connect(file, check_same_thread=False)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute(
        "CREATE TABLE IF NOT EXISTS row (number INTEGER PRIMARY KEY, kind TEXT NOT NULL,"
        " id TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (kind, id))"
    )
    database.commit()
    return database

"""Batches of events as they arrive: text, not yet looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from django.db.backends.utils import CursorWrapper

MOST_EVENTS = 10_000
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class Row(NamedTuple):
    """One event as text. `number`: the sender's count, of rows from 1 or of a file's lines."""

    number: int
    organisation: str | None
    event_id: str | None
    meter: str | None
    occurred_at: str | None
    quantity: str | None
    corrects: str | None


class Batch(Protocol):
    """Something that can lay its events before the database."""

    def source(self, cursor: CursorWrapper) -> tuple[str, dict[str, str]]:
        """Return a FROM item called r with a Row's columns, all text, and its parameters."""


class TooManyEvents(ValueError):
    """A batch holds more events than are taken in one transaction."""


@dataclass(frozen=True, slots=True)
class CopyText:
    """Events as COPY reads them: a Row a line, tabs between, backslashes escaped, \\N for none."""

    text: bytes

    def source(self, cursor: CursorWrapper) -> tuple[str, dict[str, str]]:
        cursor.execute(
            "CREATE TEMP TABLE IF NOT EXISTS usage_raw (row int, organisation text, event_id text,"
            " meter text, occurred_at text, quantity text, corrects text) ON COMMIT DELETE ROWS;"
            "TRUNCATE usage_raw"
        )
        with cursor.copy("COPY usage_raw FROM STDIN") as copy:
            copy.write(self.text)
        return "usage_raw r", {}


def of_rows(rows: Sequence[Row]) -> CopyText:
    """Return rows as a batch. They hold no NUL and no lone surrogate. Raises TooManyEvents."""
    if len(rows) > MOST_EVENTS:
        raise TooManyEvents(f"a batch holds at most {MOST_EVENTS} events, not {len(rows)}")
    return CopyText("".join([_line(row) for row in rows]).encode())


def _line(row: Row) -> str:
    number, *fields = row
    written = ["\\N" if text is None else text.translate(_ESCAPED) for text in fields]
    return f"{number}\t" + "\t".join(written) + "\n"

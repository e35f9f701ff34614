"""Batches of events as they arrive: text, not yet looked at."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

MOST_EVENTS = 10_000
CANONICAL_TIMES = frozenset(
    "0000-00-00T00:00:00" + fraction + zone
    for fraction in ("", ".000", ".000000")
    for zone in ("Z", "+00:00", "-00:00")
)
_DIGITS_TO_0 = str.maketrans("123456789", "000000000")
_QUANTITIES = re.compile(r"-?0+(?:\.0+)?(?:\n-?0+(?:\.0+)?)*")
_UNPRINTABLE = re.compile(r"[^ -~\t\n]|\\[tnr]")
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


class TooManyEvents(ValueError):
    """A batch holds more events than are taken in one transaction."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Events as they were given: as lines for COPY, or as one list of texts for each column.

    Lines have tabs between, backslashes escaped, \\N for none. `columns`: a Row's fields in the
    order given; without `number` the events are counted from 1. `canonical`: the sender has made
    sure that all of it is printable ASCII without a tab, that every time has the shape of
    CANONICAL_TIMES, and every quantity is digits, with a sign or a point at most. It spares the
    database a look at every character; only such a batch may be given as columns, and such columns
    hold no backslash.
    """

    given: bytes | Sequence[Sequence[str]]
    columns: tuple[str, ...] = Row._fields
    canonical: bool = False

    @property
    def text(self) -> bytes:
        """The events as lines."""
        if isinstance(self.given, bytes):
            return self.given
        return "".join(
            [f"{line}\n" for line in map("\t".join, zip(*self.given, strict=True))]
        ).encode()

    @property
    def values(self) -> dict[str, Sequence[str]]:
        """A canonical batch's events by column."""
        if not isinstance(self.given, bytes):
            return dict(zip(self.columns, self.given, strict=True))
        fields = self.given.decode().replace("\n", "\t").split("\t")[:-1]
        width = len(self.columns)
        return {name: fields[place::width] for place, name in enumerate(self.columns)}


def of_rows(rows: Sequence[Row]) -> Batch:
    """Return rows as a batch. They hold no NUL and no lone surrogate. Raises TooManyEvents."""
    if len(rows) > MOST_EVENTS:
        raise TooManyEvents(f"a batch holds at most {MOST_EVENTS} events, not {len(rows)}")
    text = "".join([_line(row) for row in rows])
    return Batch(
        text.encode(),
        canonical=text.isascii()
        and not _UNPRINTABLE.search(text)
        and has_canonical_times([row.occurred_at or "" for row in rows])
        and has_canonical_quantities([row.quantity or "" for row in rows]),
    )


def has_canonical_times(times: Sequence[str]) -> bool:
    """Return whether every time is written as in 2026-11-30T23:59:59.999999Z.

    The calendar is not looked at. Shapes that few senders use are left out: they cost more, and
    are taken all the same.
    """
    return set("\n".join(times).translate(_DIGITS_TO_0).split("\n")) <= CANONICAL_TIMES


def has_canonical_quantities(quantities: Sequence[str]) -> bool:
    """Return whether every quantity is a decimal number without an exponent."""
    text = "\n".join(quantities).translate(_DIGITS_TO_0)
    return _QUANTITIES.fullmatch(text) is not None


def _line(row: Row) -> str:
    number, *fields = row
    written = ["\\N" if text is None else text.translate(_ESCAPED) for text in fields]
    return f"{number}\t" + "\t".join(written) + "\n"

"""Which of our movements of money is which of the provider's, and where they differ. Rule: I08.

Neither side's order matters, and each entry of both sides is in exactly one finding.
"""

import enum
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime

from payments.enums import DifferenceKind

OUR_KEY = re.compile(r"[a-z2-7]{20}")


class Way(enum.Enum):
    """IN: captured. OUT: given back, or taken back by the provider."""

    IN = "in"
    OUT = "out"


class Standing(enum.Enum):
    """MOVED: the money did. OPEN: nobody says yet whether it does. NOTHING: it did and will not."""

    NOTHING = 0
    OPEN = 1
    MOVED = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement as one side's books have it. `amount` in minor units, not negative.

    `name`: ours alone, as charge:7. `reference`: the provider's name for it, "" while we do not
    know it; `parent`: of money that went back, that of the capture. `key` and `number` are ours.
    `is_expected`: ours alone, whether the provider's books have to show it.
    """

    way: Way
    standing: Standing
    amount: int
    currency: str
    reference: str
    key: str
    at: datetime
    number: str = ""
    parent: str = ""
    name: str = ""
    is_expected: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """What belongs together. `kind`: how it differs; None: it does not.

    `theirs`: the same movement, told once or more often; the first is the one that counts.
    """

    kind: DifferenceKind | None
    ours: Entry | None
    theirs: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides beside each other. `strangers`: what the provider moved for somebody else."""

    matched: tuple[Finding, ...]
    different: tuple[Finding, ...]
    strangers: tuple[Finding, ...]


def compare(ours: Collection[Entry], theirs: Collection[Entry], *, prefix: str) -> Comparison:
    """Return what is found on both sides, where they differ, and what is none of ours. Rule: I08.

    Matched by the provider's reference, then by our key, then what went back by capture and amount.
    `prefix`: what our documents' numbers begin with.
    """
    movements = _movements(theirs)
    rows = sorted(ours, key=_order)
    paired: list[Finding] = []
    for name_of in (_by_reference, _by_key, _by_capture):
        rows, movements, found = _paired(rows, movements, name_of)
        paired.extend(Finding(_difference(row, told[0]), row, told) for row, told in found)
    alone = [Finding(_missing_there(row), row) for row in rows]
    captures = {row.reference for row in ours if row.way is Way.IN and row.reference}
    unknown, strangers = [], []
    for told in movements:
        if is_ours(told[0], prefix=prefix, captures=captures):
            unknown.append(Finding(_missing_here(told[0]), None, told))
        else:
            strangers.append(Finding(None, None, told))
    found_all = [*paired, *alone, *unknown]
    return Comparison(
        matched=tuple(each for each in found_all if each.kind is None),
        different=tuple(each for each in found_all if each.kind is not None),
        strangers=tuple(strangers),
    )


def is_ours(told: Entry, *, prefix: str, captures: Collection[str] = ()) -> bool:
    """Return whether a movement at the provider looks like one of ours: by key, number or capture.

    A vendor's account with the provider may serve other shops as well.
    """
    return (
        is_our_key(told.key)
        or bool(prefix and told.number.startswith(prefix))
        or bool(told.parent and told.parent in captures)
    )


def is_our_key(name: str) -> bool:
    """Return whether a name is one that we give: 20 characters a–z and 2–7."""
    return OUR_KEY.fullmatch(name) is not None


def _movements(theirs: Iterable[Entry]) -> list[tuple[Entry, ...]]:
    """Return the provider's movements; of one that is told more than once, the last word first."""
    told: dict[Hashable, list[Entry]] = defaultdict(list)
    for entry in theirs:
        told[(entry.way, entry.reference) if entry.reference else entry].append(entry)
    return sorted(
        (tuple(sorted(each, key=_last_word, reverse=True)) for each in told.values()),
        key=lambda each: _order(each[0]),
    )


def _paired(
    rows: list[Entry],
    movements: list[tuple[Entry, ...]],
    name_of: Callable[[Entry], Hashable | None],
) -> tuple[list[Entry], list[tuple[Entry, ...]], list[tuple[Entry, tuple[Entry, ...]]]]:
    """Return the rows and movements that stay alone, and those that share a name, in their order."""
    by_name: dict[Hashable, list[tuple[Entry, ...]]] = defaultdict(list)
    nameless: list[tuple[Entry, ...]] = []
    for told in movements:
        name = name_of(told[0])
        (nameless if name is None else by_name[name]).append(told)
    alone, found = [], []
    for row in rows:
        name = name_of(row)
        if name is not None and by_name.get(name):
            found.append((row, by_name[name].pop(0)))
        else:
            alone.append(row)
    left = [*nameless, *(told for each in by_name.values() for told in each)]
    return alone, sorted(left, key=lambda each: _order(each[0])), found


def _by_reference(entry: Entry) -> Hashable | None:
    return (entry.way, entry.reference) if entry.reference else None


def _by_key(entry: Entry) -> Hashable | None:
    return (entry.way, entry.key) if entry.key else None


def _by_capture(entry: Entry) -> Hashable | None:
    if entry.way is Way.IN or not entry.parent or entry.standing is Standing.NOTHING:
        return None
    return (entry.parent, entry.amount, entry.currency)


def _difference(row: Entry, told: Entry) -> DifferenceKind | None:
    if row.standing is not told.standing:
        return DifferenceKind.STATE
    if row.standing is Standing.NOTHING:
        return None
    is_same = (row.amount, row.currency) == (told.amount, told.currency)
    return None if is_same else DifferenceKind.AMOUNT


def _missing_there(row: Entry) -> DifferenceKind | None:
    is_missing = row.is_expected and row.standing is Standing.MOVED
    return DifferenceKind.MISSING_THERE if is_missing else None


def _missing_here(told: Entry) -> DifferenceKind | None:
    return None if told.standing is Standing.NOTHING else DifferenceKind.MISSING_HERE


def _order(entry: Entry) -> tuple[object, ...]:
    """Sort money that moved before what did not, then by time; the rest makes the order whole."""
    return (
        -entry.standing.value,
        entry.at,
        entry.reference,
        entry.name,
        entry.key,
        entry.amount,
        entry.currency,
        entry.parent,
        entry.number,
        entry.way.value,
    )


def _last_word(entry: Entry) -> tuple[object, ...]:
    return (entry.standing.value, entry.at, *_order(entry)[2:])

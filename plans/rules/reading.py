"""Typed values out of a TOML table; whatever is wrong is noted with its line, and reading goes on."""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import TypeVar

from plans.rules.catalogue import Problem
from plans.rules.toml_lines import Lines, Path

# 27 digits at most: Python's decimals keep 28.
_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,12})?")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
LARGEST_WHOLE = 10**9
A_DAY = date(2000, 1, 1)


E = TypeVar("E", bound=Enum)


class Notes:
    """The problems found so far in one file."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self.problems: list[Problem] = []

    def line(self, path: Path) -> int:
        return self._lines.of(path)

    def add(self, path: Path, reason: str) -> None:
        self.problems.append(Problem(self.line(path), f"{written(path)}: {reason}"))


class Table:
    """One table of the file. A wrong value is noted, and a harmless one of its type is returned."""

    def __init__(self, values: Mapping[str, object], path: Path, notes: Notes) -> None:
        self._values = values
        self._asked: set[str] = set()
        self.path = path
        self.notes = notes

    @property
    def line(self) -> int:
        return self.notes.line(self.path)

    def has(self, key: str) -> bool:
        return key in self._values

    @property
    def names(self) -> list[str]:
        return list(self._values)

    def wrong(self, key: str, reason: str) -> None:
        self.notes.add((*self.path, key), reason)

    def finish(self) -> None:
        """Note every key that nobody asked for."""
        for key in self._values:
            if key not in self._asked:
                known = ", ".join(sorted(self._asked))
                self.wrong(key, f"unknown key; known here: {known}")

    def text(self, key: str, longest: int, *, default: str | None = None) -> str:
        value = self._get(key, required=default is None)
        if value is None:
            return default or ""
        if not isinstance(value, str):
            self.wrong(key, f"expected text in quotes, not {_kind(value)}")
            return ""
        if not value.strip() and default is None:
            self.wrong(key, "must not be empty")
        if _CONTROL.search(value):
            self.wrong(key, "holds a control character")
        if len(value) > longest:
            self.wrong(key, f"has {len(value)} characters, at most {longest} are kept")
        return value

    def matching(
        self,
        key: str,
        longest: int,
        fits: Callable[[str], bool],
        wanted: str,
        *,
        default: str | None = None,
    ) -> str:
        """Return a text that `fits`; `wanted` says in words what would."""
        before = len(self.notes.problems)
        value = self.text(key, longest, default=default)
        if value and len(self.notes.problems) == before and not fits(value):
            self.wrong(key, f"{value!r} is not {wanted}")
        return value

    def choice(self, key: str, choices: type[E], *, default: E | None = None) -> E:
        """Return the choice whose value is written; the default, or the first one, if none is."""
        values = [str(choice.value) for choice in choices]
        wanted = f"one of {', '.join(values)}"
        value = self.matching(
            key, 40, values.__contains__, wanted, default=None if default is None else default.value
        )
        return choices(value) if value in values else next(iter(choices))

    def whole(self, key: str, *, least: int) -> int:
        value = self._get(key)
        if value is None:
            return least
        if isinstance(value, bool) or not isinstance(value, int):
            self.wrong(key, f"expected a whole number, not {_kind(value)}")
            return least
        if not least <= value <= LARGEST_WHOLE:
            self.wrong(key, f"{value} is not between {least} and {LARGEST_WHOLE}")
        return value

    def whole_or_none(self, key: str, *, least: int) -> int | None:
        self._asked.add(key)
        return self.whole(key, least=least) if self.has(key) else None

    def truth(self, key: str, *, default: bool = False) -> bool:
        value = self._get(key, required=False)
        if value is not None and not isinstance(value, bool):
            self.wrong(key, f"expected true or false, not {_kind(value)}")
        return default if value is None else value is True

    def day(self, key: str) -> date:
        return self.day_or_none(key, required=True) or A_DAY

    def day_or_none(self, key: str, *, required: bool = False) -> date | None:
        value = self._get(key, required=required)
        if value is None:
            return None
        if isinstance(value, datetime) or not isinstance(value, date):
            self.wrong(
                key, f"expected a date such as 2026-04-01 without quotes, not {_kind(value)}"
            )
            return None
        return value

    def number(self, key: str) -> Decimal:
        """Return a number that is not negative, written whole or in quotes: never as a float."""
        value = self._get(key)
        if value is None:
            return Decimal(0)
        if isinstance(value, float):
            self.wrong(key, f'a float is not exact: put the number in quotes, as in "{value}"')
            return Decimal(0)
        if isinstance(value, bool) or not isinstance(value, int | str):
            self.wrong(key, f"expected a number, whole or in quotes, not {_kind(value)}")
            return Decimal(0)
        if not _NUMBER.fullmatch(str(value)):
            self.wrong(
                key,
                f"{str(value)[:40]!r} is not a number of at most 15 digits before and 12 after the point, "
                "from 0 upwards",
            )
            return Decimal(0)
        return Decimal(str(value))

    def number_or_none(self, key: str) -> Decimal | None:
        self._asked.add(key)
        return self.number(key) if self.has(key) else None

    def both(self, key: str, longest: int, *, optional: bool = False) -> tuple[str, str]:
        """Return a text in Japanese and in English."""
        if optional and not self.has(key):
            self._asked.add(key)
            return "", ""
        table = self.table(key)
        japanese, english = table.text("ja", longest), table.text("en", longest)
        table.finish()
        return japanese, english

    def table(self, key: str) -> "Table":
        value = self._get(key)
        if value is not None and not isinstance(value, dict):
            self.wrong(key, f"expected a table, not {_kind(value)}")
        return Table(
            value if isinstance(value, dict) else _Anything(), (*self.path, key), self.notes
        )

    def tables(self, key: str) -> list["Table"]:
        """Return the tables of an array; none where the key is missing."""
        value = self._get(key, required=False)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.wrong(key, f"expected tables, each opened by [[{key}]], not {_kind(value)}")
            return []
        return [
            Table(item, (*self.path, key, index), self.notes) for index, item in enumerate(value)
        ]

    def texts(self, key: str) -> list[str]:
        value = self._get(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.wrong(key, "expected a list of texts in quotes")
            return []
        if not value:
            self.wrong(key, "must not be empty")
        return value

    def _get(self, key: str, *, required: bool = True) -> object | None:
        self._asked.add(key)
        if key not in self._values:
            if required and not isinstance(self._values, _Anything):
                self.wrong(key, "is missing")
            return None
        return self._values[key]


class _Anything(dict[str, object]):
    """Stands for a table that is missing or none: its own keys are not reported as missing too."""


def written(path: Path) -> str:
    """Return a key path as a person writes it: plan[2].version[1].price.JPY, items from 1."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _kind(value: object) -> str:
    kinds: dict[type, str] = {
        bool: "true or false",
        int: "a whole number",
        float: "a float",
        str: "text",
        list: "a list",
        dict: "a table",
        datetime: "a time",
        date: "a date",
    }
    return kinds.get(type(value), type(value).__name__)

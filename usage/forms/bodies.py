"""Bodies of requests become batches: fast where they are as programs write them, exact in any case."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from usage import rules
from usage.rules import Refused
from usage.services import batches
from usage.services.batches import Batch, Row

_FIELDS = Row._fields[1:]
# Printable ASCII but the two characters that JSON makes something of.
_PLAIN = r"[ !#-\[\]-~]*"
_VALUES = {"occurred_at": r"[-+.:0-9TZ]*", "quantity": r"[-.0-9]*"}
_QUANTITIES = re.compile(r"(?>-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?\n)*+")


class NotJson(ValueError):
    """The body is not JSON, or not an array of events; the message says where."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """The events of a body, and those that are none, with their numbers in the body, from 1."""

    batch: Batch
    refused: Sequence[Refused]


class _Number(str):
    """A number as it was written: no digit of it is lost."""

    __slots__ = ()


class _Object(list[tuple[str, Any]]):
    """An object's keys and values, with every key that comes twice."""


def events(body: bytes, *, lines: bool) -> Parsed:
    """Return the events in a body: a JSON array, or (`lines`) one object a line.

    A line that is not JSON is a refused event. Raises NotJson, or TooManyEvents.
    """
    return events_at_once(body, lines=lines) or events_one_by_one(body, lines=lines)


def events_at_once(body: bytes, *, lines: bool) -> Parsed | None:
    """Return the events of a body without looking at each, if all are written alike; else None.

    Such a body is the first event's keys in the same order over and over, with plain values in
    between. The events are found by a pattern of the first one; that they are as long together as
    the body proves that nothing stands between them.
    """
    if not body.isascii():
        return None
    text = body.decode().strip()
    first = _first_event(text, lines=lines)
    if first is None:
        return None
    before = text[: text.find("}") + 1]
    comma = ", " if '", "' in before else ","
    separator = comma if not lines else "\r\n" if "\r\n" in text else "\n"
    colon = ": " if '": ' in before else ":"

    quotes = ['"' if not isinstance(value, _Number) else "" for _, value in first]
    opened = [f'"{key}"{colon}{quote}' for (key, _), quote in zip(first, quotes, strict=True)]
    fields = zip(first, opened, quotes, strict=True)
    pattern = comma.join(
        f"{opening}({_VALUES.get(key, _PLAIN)}){quote}" for (key, _), opening, quote in fields
    )
    values = re.findall(
        "{" + pattern + "}" + separator,
        text[0 if lines else 1 : len(text) - (not lines)] + separator,
    )
    if len(values) > batches.MOST_EVENTS:
        raise batches.TooManyEvents(_too_many(len(values)))
    if not values:
        return None
    around = len("{}" + separator) + sum(map(len, opened + quotes)) + len(comma) * (len(first) - 1)
    keys = tuple(key for key, _ in first)
    columns = dict(zip(keys, zip(*values, strict=True), strict=True))
    found = around * len(values) + sum(sum(map(len, column)) for column in columns.values())
    if found != len(text) + len(separator) - (0 if lines else len("[]")):
        return None
    if not batches.has_canonical_times(columns["occurred_at"]):
        return None
    if not _QUANTITIES.fullmatch("\n".join([*columns["quantity"], ""])):
        return None
    return Parsed(Batch(list(columns.values()), columns=keys, canonical=True), ())


def _first_event(text: str, *, lines: bool) -> _Object | None:
    """Return the keys and values of the first event, if they are as most senders write them."""
    end = text.find("}")
    if end < 0 or not (lines or (text.startswith("[{") and text.endswith("}]"))):
        return None
    try:
        first = loads(text[0 if lines else 1 : end + 1])
    except NotJson:
        return None
    if not isinstance(first, _Object):
        return None
    keys = {key for key, _ in first}
    if len(keys) != len(first) or not {"occurred_at", "quantity"} <= keys <= set(_FIELDS):
        return None
    if any(not isinstance(value, str) for _, value in first):
        return None
    if any(isinstance(value, _Number) for key, value in first if key != "quantity"):
        return None
    return first


def events_one_by_one(body: bytes, *, lines: bool) -> Parsed:
    """Return the events in a body, each looked at by itself. Raises NotJson, or TooManyEvents."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise NotJson(f"The body is not UTF-8, at byte {error.start}.") from error
    rows: list[Row] = []
    refused: list[Refused] = []
    for number, event in _each_line(text) if lines else _each_element(text):
        checked = row_of(number, event)
        if isinstance(checked, Row):
            rows.append(checked)
        else:
            refused.append(checked)
    return Parsed(batches.of_rows(rows), refused)


def _each_line(text: str) -> Iterable[tuple[int, object]]:
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if len(lines) > batches.MOST_EVENTS:
        raise batches.TooManyEvents(_too_many(len(lines)))
    for number, line in lines:
        try:
            yield number, loads(line)
        except NotJson as error:
            yield number, error


def _each_element(text: str) -> Iterable[tuple[int, object]]:
    events = loads(text)
    if not isinstance(events, list) or isinstance(events, _Object):
        raise NotJson("The body is not an array of events.")
    if len(events) > batches.MOST_EVENTS:
        raise batches.TooManyEvents(_too_many(len(events)))
    return enumerate(events, 1)


def _too_many(count: int) -> str:
    return f"A request holds at most {batches.MOST_EVENTS} events, not {count}."


def _no_such_number(written: str) -> NoReturn:
    raise NotJson(f"{written} is not a JSON number.")


def loads(text: str) -> Any:
    """Return JSON with its numbers as they were written. Raises NotJson."""
    try:
        return json.loads(
            text,
            object_pairs_hook=_Object,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_no_such_number,
        )
    except json.JSONDecodeError as error:
        raise NotJson(
            f"This is not JSON: {error.msg}, line {error.lineno}, column {error.colno}."
        ) from error
    except RecursionError as error:
        raise NotJson("This is not an event: it is nested too deeply.") from error


def row_of(number: int, event: object) -> Row | Refused:
    """Return the event that `loads` read, or why it is none."""
    if isinstance(event, NotJson):
        return rules.refused(number, "row_not_json", str(event))
    if not isinstance(event, _Object):
        return rules.refused(number, "row_wrong")
    fields: dict[str, str | None] = {}
    for key, value in event:
        if key not in _FIELDS:
            return rules.refused(number, "key_unknown", key)
        if key in fields:
            return rules.refused(number, "key_twice", key)
        may_be_number = key == "quantity"
        if value is not None and not isinstance(value, str):
            return rules.refused(number, "type_wrong", key)
        if isinstance(value, _Number) and not may_be_number:
            return rules.refused(number, "type_wrong", key)
        if value is not None and not is_storable(value):
            return rules.refused(number, "text_wrong", key)
        fields[key] = value
    return Row(number, *(fields.get(name) for name in _FIELDS))


def is_storable(text: str) -> bool:
    """Return whether the database can hold a text: no NUL, no half of a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)

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
_PRINTABLE = bytes(range(0x20, 0x7F))
_PLAIN = _PRINTABLE.replace(b"\\", b"") + b"\n"
_TIMES = tuple(f'"occurred_at":"{shape}"'.encode() for shape in batches.CANONICAL_TIMES)
_QUANTITY = re.compile(rb'"quantity":("?)-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?\1[,}]')
_MARKS = bytes(range(1, len(_FIELDS)))
_MARKS_TO_TABS = bytes.maketrans(_MARKS, b"\t" * len(_MARKS))


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
    between. Replacing what stands between the values by a mark for each place, and finding nothing
    but the marks of whole events in their order, proves that it is. Nothing is escaped, so that a
    quotation mark is never part of a value.
    """
    text = body.strip().replace(b'": ', b'":').replace(b', "', b',"')
    text = text.replace(b"\r\n" if lines else b"}, {", b"\n" if lines else b"},{")
    if text.translate(None, _PLAIN) or (not lines and b"\n" in text):
        return None
    if lines:
        text = b"[" + text.replace(b"}\n{", b"},{") + b"]"
    first = _first_event(text)
    if first is None:
        return None
    count = text.count(b"},{") + 1
    if count > batches.MOST_EVENTS:
        raise batches.TooManyEvents(_too_many(count))
    times = text.translate(batches.DIGITS_TO_0)
    if sum(times.count(time) for time in _TIMES) != count:
        return None
    if len(_QUANTITY.findall(text)) != count:
        return None

    keys = [key for key, _ in first]
    quotes = [b"" if isinstance(value, _Number) else b'"' for _, value in first]
    opened = [b'"' + key.encode() + b'":' + quote for key, quote in zip(keys, quotes, strict=True)]
    text = text[len(b"[{") + len(opened[0]) : -len(quotes[-1] + b"}]")]
    text = text.replace(quotes[-1] + b"},{" + opened[0], b"\n")
    for mark, (before, opening) in enumerate(zip(quotes[:-1], opened[1:], strict=True), 1):
        text = text.replace(before + b"," + opening, bytes([mark]))
    marks = _MARKS[: len(keys) - 1] + b"\n"
    if b'"' in text or text.translate(None, _PRINTABLE) != (marks * count)[:-1]:
        return None
    return Parsed(
        Batch(text.translate(_MARKS_TO_TABS) + b"\n", columns=tuple(keys), canonical=True), ()
    )


def _first_event(text: bytes) -> _Object | None:
    """Return the keys and values of the first event, if they are as most senders write them."""
    end = text.find(b"}")
    if not text.startswith(b"[{") or not text.endswith(b"}]") or end < 0:
        return None
    try:
        first = loads(text[1 : end + 1].decode())
    except NotJson:
        return None
    keys = {key for key, _ in first}
    if len(keys) != len(first) or not {"occurred_at", "quantity"} <= keys <= set(_FIELDS):
        return None
    if any(not isinstance(value, str) for _, value in first):
        return None
    if any(isinstance(value, _Number) for key, value in first if key != "quantity"):
        return None
    return first if isinstance(first, _Object) else None


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

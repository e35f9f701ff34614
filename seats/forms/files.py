"""A file of accounts, as a spreadsheet program writes it: read in memory and kept nowhere."""

import csv
import io
from collections.abc import Iterator

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from seats.rules import import_rows
from seats.rules.import_rows import Row
from seats.services import groups

LARGEST = 1024 * 1024

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_DELIMITERS = ",\t;"


class WrongFile(ValueError):
    """The file as a whole cannot be taken."""


class TooLarge(WrongFile):
    """It is larger than 1 MB."""


class NotText(WrongFile):
    """It is neither UTF-8 nor Shift_JIS (nor what Excel calls Unicode)."""


class NotCsv(WrongFile):
    """Its quotes do not close, or a cell has no end."""


class NoHeading(WrongFile):
    """Its first line names no column of addresses."""


class HeadingTwice(WrongFile):
    """Its first line names a column twice."""


class NoRows(WrongFile):
    """Nothing stands under its first line."""


class TooManyRows(WrongFile):
    """It has more than 10,000 rows."""


def rows(content: bytes) -> list[Row]:
    """Return the rows of a file, right and wrong ones. Raises WrongFile where there are none to show."""
    if len(content) > LARGEST:
        raise TooLarge
    text = _decoded(content)
    lines = _records(text)
    try:
        _, heading = next(lines)
        places = import_rows.columns(heading)
    except (StopIteration, import_rows.NoHeading):
        raise NoHeading from None
    except import_rows.HeadingTwice as fault:
        raise HeadingTwice from fault
    try:
        found = import_rows.rows(
            lines,
            places,
            width=len(heading),
            is_address=_is_address,
            is_reserved=groups.is_reserved,
        )
    except import_rows.TooManyRows as fault:
        raise TooManyRows from fault
    if not found:
        raise NoRows
    return found


def _decoded(content: bytes) -> str:
    # What Excel in Japan calls Shift_JIS is Windows' code page 932.
    encodings = ["utf-16"] if content.startswith(_UTF_16) else ["utf-8-sig", "cp932"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise NotText


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    first = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for record in reader:
            yield reader.line_num, record
    except csv.Error as fault:
        raise NotCsv from fault


def _is_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return len(text) <= 254

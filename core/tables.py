"""Tables that leave the portal as CSV, and that a spreadsheet program opens without running them."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TypeAlias

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

Cell: TypeAlias = str | int | Decimal | date | datetime | None

BOM = "\ufeff"
# What a spreadsheet program takes for the beginning of a formula, full width as well.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")


class _Line:
    """Where the csv module writes: it hands back what it was given."""

    def write(self, line: str) -> str:
        return line


def csv_lines(
    header: Sequence[str], rows: Iterable[Sequence[Cell]], *, bom: bool = False
) -> Iterator[str]:
    """Yield a table as lines of CSV (RFC 4180), one at a time.

    Text that could be read as a formula begins with an apostrophe; numbers and dates stay what
    they are: 1234.5, 2026-10-01. With `bom`, spreadsheet programs see that it is UTF-8. Rule: F75.
    """
    writer = csv.writer(_Line())
    if bom:
        yield BOM
    yield _written(writer.writerow([_cell(each) for each in header]))
    for row in rows:
        yield _written(writer.writerow([_cell(each) for each in row]))


def csv_response(
    filename: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]
) -> StreamingHttpResponse:
    """Return a table as a CSV file to be saved, streamed, for spreadsheet programs."""
    response = StreamingHttpResponse(
        csv_lines(header, rows, bom=True), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = content_disposition_header(True, filename) or "attachment"
    return response


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def _written(line: object) -> str:
    return str(line)

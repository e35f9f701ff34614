"""CSV that a spreadsheet opens as it is meant: text stays text, Japanese stays readable. Rule: F75."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import TypeAlias

Cell: TypeAlias = "str | int | Decimal | date | None"

# Excel takes a file for UTF-8 by this mark alone.
BYTE_ORDER_MARK = "\ufeff"
_FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")


def written(rows: Iterable[Sequence[Cell]]) -> str:
    """Return rows as CSV (RFC 4180). Text that a spreadsheet would take for a formula is quoted."""
    out = io.StringIO()
    out.write(BYTE_ORDER_MARK)
    csv.writer(out).writerows([_cell(cell) for cell in row] for row in rows)
    return out.getvalue()


def _cell(cell: Cell) -> str:
    if isinstance(cell, Decimal):
        text = f"{cell:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(cell, str) and cell.startswith(_FORMULA_BEGINS):
        return "'" + cell.replace("\0", "")
    return "" if cell is None else str(cell)

"""Paid's settlement file: what it took over and paid out, as CSV. Rule: I08, gateways.md 3.3."""

import csv
import io
import re
from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from payments.gateways.base import Record, RecordKind, RecordState

COLUMNS = ("b2bCreditId", "b2bMemberId", "price", "fixedAt", "settledAt")
_LARGEST = 20 * 1024 * 1024
_ID = re.compile(r"[A-Za-z0-9._-]{1,20}")
_PRICE = re.compile(r"[1-9][0-9]{0,11}")
_DAY = re.compile(r"[0-9]{4}/[0-9]{2}/[0-9]{2}")
_JAPAN = ZoneInfo("Asia/Tokyo")


def records_in(file: bytes) -> list[Record]:
    """Return the file's rows: UTF-8, with or without a mark, or CP932; columns in any order.

    What is fixed is captured: `at` is that day's 00:00 in Japan, and a row without a day of settlement
    is COMPLETED too, for Paid owes it already. Raises ValueError that names the row, and then nothing
    of the file counts.
    """
    if len(file) > _LARGEST:
        raise ValueError(f"The file has more than {_LARGEST} bytes.")
    reader = csv.DictReader(io.StringIO(_decoded(file), newline=""), strict=True)
    records: list[Record] = []
    try:
        names = list(reader.fieldnames or [])
        wrong = [name for name in COLUMNS if names.count(name) != 1]
        if wrong:
            raise ValueError(f"row 1: not one column each of {', '.join(wrong)}")
        for row in reader:
            records.append(_record(row, len(records) + 2))
    except csv.Error as error:
        raise ValueError(f"row {len(records) + 2}: {error}") from None
    return records


def _decoded(file: bytes) -> str:
    for encoding in ("utf-8-sig", "cp932"):
        try:
            return file.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ValueError("The file is neither UTF-8 nor CP932.")


def _record(row: Mapping[str | None, str | None], number: int) -> Record:
    if None in row or None in row.values():
        raise ValueError(f"row {number}: it has not as many fields as the first")
    key = _cell(row, "b2bCreditId", _ID, number)
    _cell(row, "b2bMemberId", _ID, number)
    price = int(_cell(row, "price", _PRICE, number))
    fixed_at = _day(row, "fixedAt", number)
    settled_at = _day(row, "settledAt", number) if row["settledAt"] else None
    if settled_at and settled_at < fixed_at:
        raise ValueError(f"row {number}: settledAt lies before fixedAt")
    return Record(
        kind=RecordKind.CAPTURE,
        state=RecordState.COMPLETED,
        reference=key,
        amount=price,
        currency="JPY",
        at=fixed_at,
        key=key,
        paid_out_on=settled_at.date() if settled_at else None,
    )


def _cell(
    row: Mapping[str | None, str | None], name: str, form: re.Pattern[str], number: int
) -> str:
    value = row[name] or ""
    if not form.fullmatch(value):
        raise ValueError(f"row {number}: {name} cannot be read")
    return value


def _day(row: Mapping[str | None, str | None], name: str, number: int) -> datetime:
    value = _cell(row, name, _DAY, number)
    try:
        return datetime.strptime(value, "%Y/%m/%d").replace(tzinfo=_JAPAN)
    except ValueError:
        raise ValueError(f"row {number}: {name} is no day") from None

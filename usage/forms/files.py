"""Files of usage, row by row: CSV, NDJSON, FOCUS."""

import csv
from collections.abc import Iterator, Mapping
from typing import TextIO

from usage import rules
from usage.forms import bodies
from usage.rules import Refused
from usage.services.batches import Row

CSV_COLUMNS = ("organisation", "event_id", "meter", "occurred_at", "quantity", "corrects")
FOCUS_COLUMNS = (
    "ChargeCategory",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "Id",
    "SubAccountId",
    "SubAccountName",
)
_NO_VALUE = frozenset({"", "NULL"})
_LONGEST_FIELD = 16 * 1024 * 1024


class WrongFile(ValueError):
    """The file is not of the format that was named; the message says where."""


class NotUsage:
    """A row of a FOCUS file that is no usage: a credit, an adjustment, a charge without quantity."""


NOT_USAGE = NotUsage()


def csv_rows(file: TextIO) -> Iterator[Row | Refused]:
    """Return the events of a CSV file; their number is the line on which they end. Raises WrongFile."""
    for line, fields in _records(file, CSV_COLUMNS, optional={"corrects"}):
        if fields is None:
            yield rules.refused(line, "row_cut")
            continue
        values = [fields.get(name) or None for name in CSV_COLUMNS]
        yield _storable(Row(line, *values))


def ndjson_rows(file: TextIO) -> Iterator[Row | Refused]:
    """Return the events of a file with a JSON object on each line; blank lines are passed over."""
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            yield bodies.row_of(number, bodies.loads(line))
        except bodies.NotJson as error:
            yield rules.refused(number, "row_not_json", str(error))


def focus_rows(file: TextIO, meters: Mapping[str, str]) -> Iterator[Row | Refused | NotUsage]:
    """Return the events of a FOCUS file. `meters`: the code of the meter for each consumed unit.

    The sub-account's name is the organisation (one customer may have an account with each of
    several providers; where there is no name, the id is), the start of the charge period (UTC) the
    time, and the quantity is taken to the last decimal. Raises WrongFile.
    """
    for line, fields in _records(file, FOCUS_COLUMNS):
        if fields is None:
            yield rules.refused(line, "row_cut")
            continue
        quantity = _value(fields["ConsumedQuantity"])
        if fields["ChargeCategory"] != "Usage" or quantity is None:
            yield NOT_USAGE
            continue
        unit = _value(fields["ConsumedUnit"])
        meter = meters.get(unit) if unit is not None else None
        if meter is None:
            yield rules.refused(line, "unit_unknown", unit)
            continue
        yield _storable(
            Row(
                number=line,
                organisation=_sub_account(fields),
                event_id=_value(fields["Id"]),
                meter=meter,
                occurred_at=_utc(_value(fields["ChargePeriodStart"])),
                quantity=quantity,
                corrects=None,
            )
        )


def focus_accounts(file: TextIO) -> list[str]:
    """Return the sub-accounts that a FOCUS file has usage of, each once, in the file's order."""
    found: dict[str, None] = {}
    for _, fields in _records(file, FOCUS_COLUMNS):
        if fields is not None and fields["ChargeCategory"] == "Usage":
            account = _sub_account(fields)
            if account is not None and bodies.is_storable(account):
                found.setdefault(account)
    return list(found)


def _sub_account(fields: Mapping[str, str]) -> str | None:
    return _value(fields["SubAccountName"]) or _value(fields["SubAccountId"])


def _records(
    file: TextIO, columns: tuple[str, ...], optional: frozenset[str] | set[str] = frozenset()
) -> Iterator[tuple[int, dict[str, str] | None]]:
    """Return each record's last line and its fields by name; None where their number is wrong."""
    csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.reader(file)
    try:
        header = next(reader, [])
        missing = [name for name in columns if name not in header and name not in optional]
        if missing:
            raise WrongFile(f"line 1: the header has no column {', '.join(missing)}")
        for record in reader:
            if record:
                whole = len(record) == len(header)
                yield (
                    reader.line_num,
                    dict(zip(header, record, strict=True)) if whole else None,
                )
    except csv.Error as error:
        raise WrongFile(f"line {reader.line_num}: {error}") from error


def _value(text: str) -> str | None:
    return None if text in _NO_VALUE else text


def _utc(text: str | None) -> str | None:
    """FOCUS times are UTC; some writers leave the zone away."""
    if text is None or text.endswith("Z") or "+" in text:
        return text
    return text + "Z"


def _storable(row: Row) -> Row | Refused:
    for name, text in zip(Row._fields[1:], row[1:], strict=True):
        if isinstance(text, str) and not bodies.is_storable(text):
            return rules.refused(row.number, "text_wrong", name)
    return row

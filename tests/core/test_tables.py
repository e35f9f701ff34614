import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from core import tables


def read(lines: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(lines, newline="")))


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\0", "＝1+1", "＋1", "－1", "＠x"],
)
def test_csv_disarms_text_that_a_spreadsheet_would_run(text: str) -> None:
    assert read("".join(tables.csv_lines(["a"], [[text]])))[1] == [f"'{text}"]


def test_csv_leaves_numbers_dates_and_plain_text_as_they_are() -> None:
    row: list[tables.Cell] = [
        -40,
        Decimal("-0.000000000000001"),
        Decimal("1E+3"),
        date(2026, 10, 1),
        datetime(2026, 10, 1, 1, tzinfo=UTC),
        None,
        'a "quoted", one\nname',
        "髙﨑㈱",
    ]

    (_, read_back) = read("".join(tables.csv_lines(["x"] * 8, [row])))

    assert read_back == [
        "-40",
        "-0.000000000000001",
        "1000",
        "2026-10-01",
        "2026-10-01T01:00:00+00:00",
        "",
        'a "quoted", one\nname',
        "髙﨑㈱",
    ]


def test_csv_may_say_that_it_is_utf_8() -> None:
    assert next(iter(tables.csv_lines(["a"], [], bom=True))) == "\ufeff"
    assert next(iter(tables.csv_lines(["a"], []))) == "a\r\n"


def test_csv_response_is_a_file_with_a_japanese_name() -> None:
    response = tables.csv_response("請求書.csv", ["a"], [["b"]])

    assert response["Content-Disposition"] == (
        "attachment; filename*=utf-8''%E8%AB%8B%E6%B1%82%E6%9B%B8.csv"
    )
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response.getvalue() == "\ufeffa\r\nb\r\n".encode()

"""Paid's settlement file: how it may be written, and what is wrong with it by its row."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from payments.gateways.base import Record, RecordKind, RecordState
from payments.gateways.paid import Paid, settlement
from tests.payments import canned

HEAD = "b2bCreditId,b2bMemberId,price,fixedAt,settledAt\r\n"
ROW = "c1,org-7,5500,2026/11/01,2026/12/28\r\n"
RECORD = Record(
    kind=RecordKind.CAPTURE,
    state=RecordState.COMPLETED,
    reference="c1",
    amount=5500,
    currency="JPY",
    at=datetime(2026, 10, 31, 15, tzinfo=UTC),  # 00:00 of 1 November in Japan
    key="c1",
    paid_out_on=date(2026, 12, 28),
)


@pytest.mark.parametrize(
    "file",
    [
        pytest.param((HEAD + ROW).encode(), id="UTF-8"),
        pytest.param((HEAD + ROW).encode("utf-8-sig"), id="with a mark"),
        pytest.param((HEAD + ROW).replace("\r\n", "\n").encode(), id="lines end otherwise"),
        pytest.param((HEAD + ROW).strip().encode(), id="no end of the last line"),
        pytest.param(
            "備考,settledAt,price,b2bMemberId,fixedAt,b2bCreditId\r\n"
            "月末締め,2026/12/28,5500,org-7,2026/11/01,c1\r\n".encode("cp932"),
            id="CP932, in another order, with a column more",
        ),
        pytest.param(
            b'"b2bCreditId","b2bMemberId","price","fixedAt","settledAt"\r\n'
            b'"c1","org-7","5500","2026/11/01","2026/12/28"\r\n',
            id="quoted",
        ),
    ],
)
def test_a_file_is_read_however_it_is_written(file: bytes) -> None:
    assert settlement.records_in(file) == [RECORD]


def test_what_is_fixed_is_captured_before_it_is_paid_out() -> None:
    file = (HEAD + ROW.replace("2026/12/28", "")).encode()

    assert settlement.records_in(file) == [replace(RECORD, paid_out_on=None)]


def test_a_file_without_rows_has_no_records() -> None:
    assert settlement.records_in(HEAD.encode()) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param("", "row 1: not one column each of b2bCreditId", id="empty"),
        pytest.param(
            "b2bCreditId,price\r\n",
            "row 1: not one column each of b2bMemberId, fixedAt",
            id="columns",
        ),
        pytest.param("price," + HEAD, "row 1: not one column each of price", id="one twice"),
        pytest.param(HEAD + ROW + "c2,org-7,,2026/11/01,\r\n", "row 3: price", id="no price"),
        pytest.param(HEAD + "c2,org-7,-5500,2026/11/01,\r\n", "row 2: price", id="below zero"),
        pytest.param(HEAD + "c2,org-7,0,2026/11/01,\r\n", "row 2: price", id="zero"),
        pytest.param(HEAD + "c2,org-7,55.5,2026/11/01,\r\n", "row 2: price", id="a fraction"),
        pytest.param(HEAD + "c2,org-7,¥5500,2026/11/01,\r\n", "row 2: price", id="a sign"),
        pytest.param(HEAD + "c2,org-7,５５,2026/11/01,\r\n", "row 2: price", id="full-width"),
        pytest.param(HEAD + 'c2,org-7,"5,500",2026/11/01,\r\n', "row 2: price", id="a comma"),
        pytest.param(HEAD + "c 2,org-7,5500,2026/11/01,\r\n", "row 2: b2bCreditId", id="a key"),
        pytest.param(HEAD + ",org-7,5500,2026/11/01,\r\n", "row 2: b2bCreditId", id="no key"),
        pytest.param(HEAD + "c2,,5500,2026/11/01,\r\n", "row 2: b2bMemberId", id="no member"),
        pytest.param(HEAD + "c2,org-7,5500,2026-11-01,\r\n", "row 2: fixedAt", id="another form"),
        pytest.param(HEAD + "c2,org-7,5500,2026/02/30,\r\n", "row 2: fixedAt", id="no such day"),
        pytest.param(HEAD + "c2,org-7,5500,,\r\n", "row 2: fixedAt", id="no day"),
        pytest.param(HEAD + "c2,org-7,5500,2026/11/01,soon\r\n", "row 2: settledAt", id="a word"),
        pytest.param(
            HEAD + "c2,org-7,5500,2026/11/02,2026/11/01\r\n",
            "row 2: settledAt lies before",
            id="order",
        ),
        pytest.param(
            HEAD + "c2,org-7,5500,2026/11/01\r\n", "row 2: it has not", id="a field short"
        ),
        pytest.param(HEAD + "c2,org-7,5500,2026/11/01,,x\r\n", "row 2: it has not", id="one more"),
        pytest.param(HEAD + 'c2,org-7,"5500,2026/11/01,\r\n', "row 2: ", id="an open quote"),
    ],
)
def test_a_file_that_is_wrong_names_the_row(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        settlement.records_in(text.encode())


def test_a_file_of_no_known_letters_is_refused() -> None:
    with pytest.raises(ValueError, match="neither UTF-8 nor CP932"):
        settlement.records_in(b"\xff\xfe\x00\x81")


def test_a_file_that_is_wrong_gives_no_record_at_all() -> None:
    paid = Paid(canned.account("http://127.0.0.1:9"))

    with pytest.raises(ValueError, match="row 3"):
        paid.records_in((HEAD + ROW + "wrong\r\n").encode())

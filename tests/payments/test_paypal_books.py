"""PayPal's books: which movements are ours, page by page and span by span. Rule: I08."""

import urllib.parse
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from payments.gateways.base import AnswerLost, Record, RecordKind, RecordState
from payments.gateways.paypal import books
from payments.gateways.paypal.api import PayPalApi
from tests.payments import wire
from tests.payments.wire import Said, Wire, said

SINCE = datetime(2026, 10, 1, tzinfo=UTC)
AT = datetime(2026, 10, 5, 1, 2, 3, tzinfo=UTC)


def movement(**changes: str) -> dict[str, Any]:
    """Return a capture of 5,500 yen as Transaction Search tells it."""
    told = {
        "transaction_id": "CAP-1",
        "transaction_event_code": "T0003",
        "transaction_status": "S",
        "transaction_initiation_date": "2026-10-05T01:02:03+0000",
        "custom_field": "c-1",
        "invoice_id": "INV-1",
    } | changes
    amount = {"currency_code": "JPY", "value": told.pop("value", "5500")}
    return {"transaction_info": told | {"transaction_amount": amount}}


def page(*movements: object, pages: int = 1) -> Said:
    return said(200, {"transaction_details": list(movements), "total_pages": pages})


def told(answers: list[Said], *, days: int = 30) -> tuple[list[Record], list[dict[str, str]]]:
    """Return the records of a span, and the questions that were asked for them."""
    with Wire(answers) as paypal:
        api = PayPalApi(wire.account(paypal.url))
        records = list(books.records(api, SINCE, SINCE + timedelta(days=days)))
        asked = [dict(urllib.parse.parse_qsl(each.path.partition("?")[2])) for each in paypal.calls]
    return records, asked


CAPTURE = Record(
    RecordKind.CAPTURE, RecordState.COMPLETED, "CAP-1", 5_500, "JPY", AT, "c-1", "INV-1"
)


def test_a_capture_is_told_with_our_key_and_number() -> None:
    records, asked = told([page(movement())])

    assert records == [CAPTURE]
    assert asked == [
        {
            "start_date": "2026-10-01T00:00:00+0000",
            "end_date": "2026-10-31T00:00:00+0000",
            "fields": "transaction_info",
            "page_size": "500",
            "page": "1",
        }
    ]


def test_every_page_is_asked_for() -> None:
    first, second = movement(), movement(transaction_id="CAP-2")

    records, asked = told([page(first, pages=2), page(second, pages=2)])

    assert [each.reference for each in records] == ["CAP-1", "CAP-2"]
    assert [each["page"] for each in asked] == ["1", "2"]


def test_a_long_time_is_asked_for_in_spans_that_paypal_takes() -> None:
    _, asked = told([page()], days=61)

    assert [(each["start_date"][:10], each["end_date"][:10]) for each in asked] == [
        ("2026-10-01", "2026-10-31"),
        ("2026-10-31", "2026-11-30"),
        ("2026-11-30", "2026-12-01"),
    ]


def test_a_movement_between_two_spans_is_told_once() -> None:
    between = page(movement(transaction_initiation_date="2026-10-31T00:00:00+0000"))

    records, asked = told([between], days=60)

    assert [each.reference for each in records] == ["CAP-1"]
    assert len(asked) == 2


def test_a_movement_at_the_very_end_is_another_times() -> None:
    assert told([page(movement(transaction_initiation_date="2026-10-31T00:00:00Z"))])[0] == []


def test_a_span_of_too_many_pages_is_asked_for_in_halves() -> None:
    records, asked = told([page(movement(), pages=21), page(movement()), page()])

    assert records == [CAPTURE]
    assert [(each["start_date"][:10], each["end_date"][:10]) for each in asked] == [
        ("2026-10-01", "2026-10-31"),
        ("2026-10-01", "2026-10-16"),
        ("2026-10-16", "2026-10-31"),
    ]


@pytest.mark.parametrize(
    ("code", "value", "kind"),
    [
        ("T0000", "5500", RecordKind.CAPTURE),
        ("T0006", "5500", RecordKind.CAPTURE),
        ("T1107", "-5500", RecordKind.REFUND),
        ("T1106", "-5500", RecordKind.REVERSAL),
        ("T1201", "-5500", RecordKind.REVERSAL),
    ],
)
def test_a_movement_is_of_the_kind_that_its_code_says(
    code: str, value: str, kind: RecordKind
) -> None:
    moved = movement(transaction_event_code=code, value=value, paypal_reference_id="CAP-0")

    (record,) = told([page(moved)])[0]

    parent = "" if kind is RecordKind.CAPTURE else "CAP-0"
    assert (record.kind, record.amount, record.parent) == (kind, 5_500, parent)


@pytest.mark.parametrize(
    ("code", "value"),
    [
        pytest.param("T0400", "-5500", id="to the bank"),
        pytest.param("T0106", "-1600", id="a fee"),
        pytest.param("T1110", "-5500", id="held for a dispute"),
        pytest.param("T1111", "5500", id="held no more"),
        pytest.param("T1202", "5500", id="a chargeback given back"),
        pytest.param("T0006", "-5500", id="the account pays somebody else"),
        pytest.param("T9999", "5500", id="a code of tomorrow"),
    ],
)
def test_what_is_no_charge_of_ours_is_left_out(code: str, value: str) -> None:
    assert told([page(movement(transaction_event_code=code, value=value))])[0] == []


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("S", RecordState.COMPLETED),
        ("V", RecordState.COMPLETED),
        ("P", RecordState.PENDING),
        ("D", RecordState.REFUSED),
    ],
)
def test_a_movement_stands_as_its_letter_says(status: str, state: RecordState) -> None:
    (record,) = told([page(movement(transaction_status=status))])[0]

    assert record.state is state


@pytest.mark.parametrize(
    "changes",
    [{"value": "x"}, {"value": "5500.5"}, {"transaction_initiation_date": "today"}],
)
def test_books_that_cannot_be_read_are_not_read_halfway(changes: dict[str, str]) -> None:
    with pytest.raises(AnswerLost):
        told([page(movement(), movement(**changes))])


def test_a_page_that_is_lost_loses_the_books() -> None:
    with pytest.raises(AnswerLost):
        told([page(movement(), pages=2), said(503)])


def test_a_capture_is_found_by_our_key_before_its_number() -> None:
    other = movement(transaction_id="CAP-2", custom_field="c-0")
    refused = movement(transaction_id="CAP-3", transaction_status="D")
    unrelated = movement(transaction_id="CAP-4", custom_field="c-9", invoice_id="INV-9")

    assert found([other, refused, movement()]) == "CAP-1"
    assert found([unrelated, refused, other]) == "CAP-2"
    assert found([unrelated, refused]) == ""


def found(movements: list[dict[str, Any]]) -> str:
    """Return the capture that is found among these for our key and number."""
    with Wire([page(*movements)]) as paypal:
        record = books.capture_of(
            PayPalApi(wire.account(paypal.url)),
            key="c-1",
            number="INV-1",
            since=SINCE,
            until=SINCE + timedelta(days=10),
        )
    return record.reference if record else ""

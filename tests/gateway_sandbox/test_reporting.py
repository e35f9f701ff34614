"""PayPal's own books, as the transaction search tells them."""

from datetime import timedelta
from typing import Any

import pytest

from gateway_sandbox import Sandbox
from tests.gateway_sandbox.client import Merchant, issue

WAY = "/v1/reporting/transactions"


def asked(sandbox: Sandbox, merchant: Merchant, *, days: float = 1, more: str = "") -> Any:
    """Ask for the last `days` up to a minute from now."""
    until = sandbox.now() + timedelta(minutes=1)
    since = until - timedelta(days=days)
    form = "%Y-%m-%dT%H:%M:%SZ"
    span = f"start_date={since.strftime(form)}&end_date={until.strftime(form)}"
    return merchant.call("GET", f"{WAY}?{span}&fields=transaction_info{more}")


def test_captures_refunds_and_reversals_are_told(sandbox: Sandbox, merchant: Merchant) -> None:
    capture = merchant.captured()
    refund = merchant.refund(capture, "500").json()["id"]
    reversal = sandbox.paypal.reverse(capture, 100).id

    told = asked(sandbox, merchant).json()

    infos = [detail["transaction_info"] for detail in told["transaction_details"]]
    assert (told["total_items"], told["total_pages"], told["page"]) == (3, 1, 1)
    assert [info["transaction_id"] for info in infos] == [capture, refund, reversal]
    assert [info["transaction_event_code"] for info in infos] == ["T0003", "T1107", "T1106"]
    assert [info["transaction_amount"]["value"] for info in infos] == ["5500", "-500", "-100"]
    assert [info["transaction_status"] for info in infos] == ["V", "S", "S"]
    assert [info.get("paypal_reference_id") for info in infos] == [None, capture, capture]
    assert {(info["invoice_id"], info["custom_field"]) for info in infos} == {
        ("INV-1", "attempt-1")
    }


@pytest.mark.parametrize(
    ("days", "status"), [pytest.param(31, 200, id="31 days"), pytest.param(31.1, 400, id="more")]
)
def test_a_span_is_at_most_31_days(
    sandbox: Sandbox, merchant: Merchant, days: float, status: int
) -> None:
    assert asked(sandbox, merchant, days=days).status_code == status


def test_a_date_without_offset_is_refused(merchant: Merchant) -> None:
    span = "start_date=2026-11-01T00:00:00&end_date=2026-11-02T00:00:00Z"

    answer = merchant.call("GET", f"{WAY}?{span}")

    assert (answer.status_code, issue(answer)) == (400, "INVALID_REQUEST")


def test_pages_hold_what_is_asked(sandbox: Sandbox, merchant: Merchant) -> None:
    agreement = merchant.agreement()
    for number in range(5):
        merchant.order(agreement, invoice=f"INV-{number}", key=f"{number}")

    pages = [
        asked(sandbox, merchant, more=f"&page_size=2&page={page}").json() for page in (1, 2, 3, 4)
    ]

    assert [len(page["transaction_details"]) for page in pages] == [2, 2, 1, 0]
    assert {(page["total_items"], page["total_pages"]) for page in pages} == {(5, 3)}


def test_the_search_can_lag_behind(sandbox: Sandbox, merchant: Merchant) -> None:
    sandbox.paypal.reporting_delay = timedelta(hours=3)
    merchant.captured()
    at_once = asked(sandbox, merchant).json()["total_items"]
    sandbox.advance(hours=3)
    later = asked(sandbox, merchant).json()["total_items"]

    assert (at_once, later) == (0, 1)

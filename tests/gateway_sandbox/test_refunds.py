"""Money back: never more than was taken."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway_sandbox import Sandbox
from tests.gateway_sandbox.client import Merchant, issue


def test_parts_are_refunded_up_to_the_whole(sandbox: Sandbox, merchant: Merchant) -> None:
    capture = merchant.captured()
    first = merchant.refund(capture, "500", key="1")
    state_between = sandbox.ledger.capture(capture).status
    above = merchant.refund(capture, "5001", key="2")
    rest = merchant.refund(capture, key="3")
    more = merchant.refund(capture, "1", key="4")

    assert (first.status_code, rest.status_code) == (201, 201)
    assert state_between == "PARTIALLY_REFUNDED"
    assert (above.status_code, issue(above)) == (422, "REFUND_AMOUNT_EXCEEDED")
    assert issue(more) == "CAPTURE_FULLY_REFUNDED"
    assert [row.amount for row in sandbox.ledger.refunds] == [500, 5000]
    assert sandbox.ledger.capture(capture).status == "REFUNDED"
    assert sandbox.ledger.taken("JPY") == 0
    assert len(sandbox.notices_of("PAYMENT.CAPTURE.REFUNDED")) == 2


def test_ten_refunds_at_once_give_back_no_more_than_was_taken(
    sandbox: Sandbox, merchant: Merchant
) -> None:
    capture = merchant.captured()
    with ThreadPoolExecutor(10) as pool:
        answers = list(
            pool.map(lambda n: merchant.refund(capture, "1000", key=f"r{n}").status_code, range(10))
        )

    assert sorted(answers) == [201] * 5 + [422] * 5
    assert sandbox.ledger.taken("JPY") == 500


def test_a_refund_is_in_the_captures_currency(merchant: Merchant) -> None:
    refused = merchant.refund(merchant.captured(), "5.00", currency="USD")

    assert issue(refused) == "REFUND_CAPTURE_CURRENCY_MISMATCH"


def test_what_is_not_in_cannot_go_back(sandbox: Sandbox, merchant: Merchant) -> None:
    sandbox.paypal.pending()
    capture = merchant.captured()
    waiting = merchant.refund(capture, key="1")
    sandbox.paypal.deny(capture)
    denied = merchant.refund(capture, key="2")

    assert issue(waiting) == "PENDING_CAPTURE"
    assert issue(denied) == "REFUND_NOT_ALLOWED"
    assert sandbox.ledger.refunds == []


def test_a_refund_has_180_days(sandbox: Sandbox, merchant: Merchant) -> None:
    capture = merchant.captured()
    sandbox.advance(days=180.1)
    merchant.sign_in()

    assert issue(merchant.refund(capture)) == "REFUND_TIME_LIMIT_EXCEEDED"


def test_a_pending_refund_counts_at_once_and_fails_or_completes_later(
    sandbox: Sandbox, merchant: Merchant
) -> None:
    capture = merchant.captured()
    sandbox.paypal.pending_refunds(2)
    for key in ("1", "2"):
        merchant.refund(capture, "2000", key=key)
    above = merchant.refund(capture, "2000", key="3")
    first, second = sandbox.ledger.refunds
    before = sandbox.ledger.taken("JPY")
    sandbox.paypal.complete_refund(first)
    sandbox.paypal.fail_refund(second)

    assert issue(above) == "REFUND_AMOUNT_EXCEEDED"
    assert before == 5500
    assert [row.status for row in sandbox.ledger.refunds] == ["COMPLETED", "FAILED"]
    assert sandbox.ledger.taken("JPY") == 3500


@pytest.mark.parametrize("is_chargeback", [False, True])
def test_what_paypal_took_back_is_not_refunded_too(
    sandbox: Sandbox, merchant: Merchant, is_chargeback: bool
) -> None:
    capture = merchant.captured()
    if is_chargeback:
        sandbox.paypal.chargeback(capture)
    else:
        sandbox.paypal.reverse(capture, 500)

    refused = merchant.refund(capture)

    assert refused.status_code == 422
    assert sandbox.ledger.taken("JPY") == (0 if is_chargeback else 5000)
    assert [notice.kind for notice in sandbox.notices][-1] == "PAYMENT.CAPTURE.REVERSED"
    assert len(sandbox.notices_of("CUSTOMER.DISPUTE.CREATED")) == (1 if is_chargeback else 0)

"""PayPal-Request-Id: the same request again, within and after the life of its key."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway_sandbox import Sandbox
from tests.gateway_sandbox.client import Merchant, issue


def test_a_repeated_charge_shows_the_first_as_it_stands_now(
    sandbox: Sandbox, merchant: Merchant
) -> None:
    agreement = merchant.agreement()
    sandbox.paypal.pending()
    first = merchant.order(agreement)
    sandbox.paypal.complete(sandbox.ledger.captures[0])

    again = merchant.order(agreement)

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    captures = [
        answer.json()["purchase_units"][0]["payments"]["captures"][0] for answer in (first, again)
    ]
    assert [capture["status"] for capture in captures] == ["PENDING", "COMPLETED"]
    assert len(sandbox.ledger.captures) == 1


@pytest.mark.parametrize(
    ("hours", "status", "captures"),
    [pytest.param(5.99, 200, 1, id="5 h 59"), pytest.param(6, 201, 2, id="6 h")],
)
def test_the_key_of_an_order_lives_six_hours(
    sandbox: Sandbox, merchant: Merchant, hours: float, status: int, captures: int
) -> None:
    agreement = merchant.agreement()
    merchant.order(agreement, invoice="")
    sandbox.advance(hours=hours)

    assert merchant.order(agreement, invoice="").status_code == status
    assert len(sandbox.ledger.captures) == captures


@pytest.mark.parametrize(
    ("hours", "tokens"), [pytest.param(2.99, 1, id="2 h 59"), pytest.param(3, 2, id="3 h")]
)
def test_the_key_of_a_setup_token_lives_three_hours(
    sandbox: Sandbox, merchant: Merchant, hours: float, tokens: int
) -> None:
    merchant.setup()
    sandbox.advance(hours=hours)
    merchant.setup()

    assert len(sandbox.ledger.setup_tokens) == tokens


@pytest.mark.parametrize(
    ("days", "refunds"), [pytest.param(44.9, 1, id="44 days"), pytest.param(45, 2, id="45 days")]
)
def test_the_key_of_a_refund_lives_45_days(
    sandbox: Sandbox, merchant: Merchant, days: float, refunds: int
) -> None:
    capture = merchant.captured()
    merchant.refund(capture, "100")
    sandbox.advance(days=days)
    merchant.sign_in()
    merchant.refund(capture, "100")

    assert len(sandbox.ledger.refunds) == refunds


def test_keys_can_be_forgotten_at_once(sandbox: Sandbox, merchant: Merchant) -> None:
    agreement = merchant.agreement()
    merchant.order(agreement)
    sandbox.paypal.forget_keys()

    assert issue(merchant.order(agreement)) == "DUPLICATE_INVOICE_ID"


def test_a_refused_request_leaves_its_key_free(sandbox: Sandbox, merchant: Merchant) -> None:
    agreement = merchant.agreement()
    sandbox.paypal.decline()
    merchant.order(agreement)
    sandbox.paypal.accept()

    assert merchant.order(agreement).status_code == 201


def test_the_second_of_two_at_once_is_told_to_wait(sandbox: Sandbox, merchant: Merchant) -> None:
    agreement = merchant.agreement()
    held = sandbox.faults.hold("POST /v2/checkout/orders")
    first: list[int] = []
    call = threading.Thread(target=lambda: first.append(merchant.order(agreement).status_code))
    call.start()
    assert held.reached.wait(5)

    second = merchant.order(agreement)
    held.release()
    call.join()
    third = merchant.order(agreement)

    assert (second.status_code, issue(second)) == (409, "PREVIOUS_REQUEST_IN_PROGRESS")
    assert (first, third.status_code) == ([201], 200)
    assert len(sandbox.ledger.captures) == 1


def test_ten_at_once_with_one_key_charge_once(sandbox: Sandbox, merchant: Merchant) -> None:
    agreement = merchant.agreement()
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: merchant.order(agreement).status_code, range(10)))

    assert answers.count(201) == 1
    assert set(answers) <= {200, 201, 409}
    assert len(sandbox.ledger.captures) == 1


def test_ten_at_once_with_keys_of_their_own_charge_an_invoice_once(
    sandbox: Sandbox, merchant: Merchant
) -> None:
    agreement = merchant.agreement()
    with ThreadPoolExecutor(10) as pool:
        answers = list(
            pool.map(lambda n: merchant.order(agreement, key=f"k{n}").status_code, range(10))
        )

    assert sorted(answers) == [201] + [422] * 9
    assert sandbox.ledger.taken("JPY") == 5500


def test_a_key_is_at_most_108_long(sandbox: Sandbox, merchant: Merchant) -> None:
    answer = merchant.order(merchant.agreement(), key="k" * 109)

    assert (answer.status_code, issue(answer)) == (400, "INVALID_STRING_LENGTH")
    assert sandbox.ledger.captures == []

"""Each fault, as a merchant meets it, and what the ledger knows afterwards."""

import socket
import threading
from collections.abc import Callable

import pytest
import requests

from gateway_sandbox import Sandbox
from gateway_sandbox.faults import Faults
from tests.gateway_sandbox.client import PATIENCE, Merchant, issue

ORDERS = "POST /v2/checkout/orders"
Set = Callable[[Faults], object]


@pytest.mark.parametrize(
    ("fault", "taken"),
    [
        pytest.param(lambda faults: faults.lose_reply(ORDERS), 5500, id="reply lost"),
        pytest.param(lambda faults: faults.lose_request(ORDERS), 0, id="request lost"),
        pytest.param(lambda faults: faults.cut_reply(ORDERS, at=10), 5500, id="cut in the head"),
        pytest.param(lambda faults: faults.cut_reply(ORDERS, at=150), 5500, id="cut in the body"),
    ],
)
def test_a_connection_that_ends_early(
    sandbox: Sandbox, merchant: Merchant, fault: Set, taken: int
) -> None:
    agreement = merchant.agreement()
    fault(sandbox.faults)

    with pytest.raises(requests.RequestException):
        merchant.order(agreement)
    first = sandbox.ledger.taken("JPY")
    again = merchant.order(agreement)

    assert first == taken
    assert again.status_code == (200 if taken else 201)
    assert sandbox.ledger.taken("JPY") == 5500
    assert [request.status for request in sandbox.ledger.requests_to(ORDERS)] == [
        0,
        again.status_code,
    ]


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        pytest.param(lambda faults: faults.empty_200(ORDERS), 200, b"", id="empty"),
        pytest.param(lambda faults: faults.invalid_json(ORDERS), 200, b'{"id": "5O', id="half"),
        pytest.param(lambda faults: faults.html_error(ORDERS), 502, b"<html>", id="page"),
    ],
)
def test_an_answer_that_is_none_after_the_work(
    sandbox: Sandbox, merchant: Merchant, fault: Set, status: int, body: bytes
) -> None:
    agreement = merchant.agreement()
    fault(sandbox.faults)

    answer = merchant.order(agreement)

    assert (answer.status_code, answer.content[: len(body)]) == (status, body)
    assert sandbox.ledger.taken("JPY") == 5500


def test_a_burst_of_refusals_ends(sandbox: Sandbox, merchant: Merchant) -> None:
    agreement = merchant.agreement()
    burst = sandbox.faults.status(ORDERS, 503, headers={"Retry-After": "7"}, times=3)

    answers = [merchant.order(agreement) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [503, 503, 503, 201]
    assert answers[0].headers["Retry-After"] == "7"
    assert (burst.hits, burst.is_over) == (3, True)


def test_faults_wait_their_turn_and_are_used_one_by_one(
    sandbox: Sandbox, merchant: Merchant
) -> None:
    agreement = merchant.agreement()
    sandbox.faults.status(ORDERS, 500, after=1)
    sandbox.faults.status("POST /v2/*", 429)

    answers = [merchant.order(agreement).status_code for _ in range(3)]

    assert answers == [429, 500, 201]


def test_a_fault_can_be_taken_back(sandbox: Sandbox, merchant: Merchant) -> None:
    merchant.sign_in()
    fault = sandbox.faults.status("*", 500, times=None)
    first = merchant.setup()
    fault.remove()

    assert first["name"] == "INTERNAL_SERVER_ERROR"
    assert merchant.setup()["status"] == "PAYER_ACTION_REQUIRED"


def test_too_many_requests_a_minute_are_refused(sandbox: Sandbox, merchant: Merchant) -> None:
    merchant.sign_in()
    limit = sandbox.faults.limit("GET /v2/*", per_minute=3)
    answers = [merchant.call("GET", "/v2/payments/captures/X") for _ in range(5)]
    sandbox.advance(minutes=1)
    later = merchant.call("GET", "/v2/payments/captures/X")

    assert [answer.status_code for answer in answers] == [404, 404, 404, 429, 429]
    assert 1 <= int(answers[3].headers["Retry-After"]) <= 61
    assert later.status_code == 404
    assert (limit.hits, limit.refused) == (6, 2)


def test_a_black_hole_takes_nothing_and_does_not_hold_up_the_end(sandbox: Sandbox) -> None:
    merchant = Merchant(sandbox)
    agreement = merchant.agreement()
    hole = sandbox.faults.blackhole(ORDERS)
    ended: list[str] = []

    def call() -> None:
        try:
            merchant.order(agreement)
        except requests.RequestException as error:
            ended.append(type(error).__name__)

    thread = threading.Thread(target=call)
    thread.start()
    while not hole.hits:
        threading.Event().wait(0.01)
    sandbox.stop()
    thread.join(PATIENCE)

    assert ended == ["ConnectionError"]
    assert sandbox.ledger.captures == []


def test_connections_can_be_refused_and_taken_again(sandbox: Sandbox, merchant: Merchant) -> None:
    agreement = merchant.agreement()
    url = sandbox.url
    sandbox.stop_listening()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", sandbox.port), PATIENCE)
    sandbox.listen_again()

    assert merchant.order(agreement).status_code == 201
    assert sandbox.url == url


def test_an_answer_can_be_changed(sandbox: Sandbox, merchant: Merchant) -> None:
    sandbox.faults.change(ORDERS, lambda order: {**order, "status": "SURPRISE"})
    sandbox.faults.answer("GET /v2/*", 418, {"tea": 1}, headers={"X-Pot": "y"})

    assert merchant.order(merchant.agreement()).json()["status"] == "SURPRISE"
    canned = merchant.call("GET", "/v2/payments/captures/X")
    assert (canned.status_code, canned.json(), canned.headers["X-Pot"]) == (418, {"tea": 1}, "y")


def test_paypal_can_be_made_to_refuse(sandbox: Sandbox, merchant: Merchant) -> None:
    agreement = merchant.agreement()
    sandbox.faults.mock(ORDERS, "PAYEE_BLOCKED_TRANSACTION")

    assert issue(merchant.order(agreement)) == "PAYEE_BLOCKED_TRANSACTION"
    assert merchant.order(agreement).status_code == 201


def test_items_of_paid_fail_inside_a_success(sandbox: Sandbox, merchant: Merchant) -> None:
    merchant.member()
    sandbox.paid.approve("org-1")
    sandbox.faults.fail_items("/y/coop/Register/*", "CREDIT_NG")

    assert [merchant.trade("Register"), merchant.trade("Register")] == ["CREDIT_NG", "SUCCESS"]


def test_paid_can_say_error(sandbox: Sandbox, merchant: Merchant) -> None:
    sandbox.faults.paid_error("/y/coop/member/*", codes=["Z99"])
    answer = merchant.member()

    assert (answer["header"]["status"], answer["body"]["result"]["error"]) == ("ERROR", ["Z99"])
    assert sandbox.ledger.members == []


@pytest.mark.parametrize("shape", range(6))
def test_paid_can_answer_in_a_wrong_shape(sandbox: Sandbox, merchant: Merchant, shape: int) -> None:
    merchant.member()
    sandbox.faults.wrong_types("/y/coop/member/check/*", shape)
    asked = {"b2bMemberIds": ["org-1"]}

    assert merchant.paid("/member/check", asked) != merchant.paid("/member/check", asked)


def test_a_lost_register_answer_leaves_the_transaction(
    sandbox: Sandbox, merchant: Merchant
) -> None:
    merchant.member()
    sandbox.paid.approve("org-1")
    sandbox.faults.lose_reply("/y/coop/Register/*")
    with pytest.raises(requests.RequestException):
        merchant.trade("Register")

    assert merchant.trade("Register") == "DUPLICATED"
    assert sandbox.ledger.trade("c-1").price == 5500


def test_pages_for_people_are_spared(sandbox: Sandbox, merchant: Merchant) -> None:
    url = merchant.setup()["links"][0]["href"]
    sandbox.faults.status("*", 500, times=None)

    assert requests.get(url, timeout=PATIENCE).status_code == 200
    assert requests.get(f"{sandbox.url}/sandbox/", timeout=PATIENCE).status_code == 200

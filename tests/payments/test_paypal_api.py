"""The border to PayPal: each trap of gateways.md 4.7, by what was on the wire."""

import json
import logging
import socket
import threading
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from payments.gateways.base import AnswerLost, GatewayMisconfigured, GatewayUnreachable
from payments.gateways.paypal.answers import Answer
from payments.gateways.paypal.api import PayPalApi, Refusal
from tests.payments import certificates, wire
from tests.payments.wire import HANG_UP, SECRET, SILENCE, TOKEN, Said, Wire, said

NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
PATH = "/v2/checkout/orders"
DONE = said(201, {"id": "5O190127TN364715T"}, headers={"PayPal-Debug-Id": "debug-1"})
UNAUTHORISED = said(401, {"error": "invalid_token"})
HTML = {"Content-Type": "text/html"}


def api(url: str, *, patience: float = 5.0) -> PayPalApi:
    return PayPalApi(wire.account(url), timeout=(patience, patience), now=lambda: NOW)


def lost(answer: Said) -> tuple[str, timedelta | None]:
    """Return what is known of a payment that was answered so."""
    with Wire([answer]) as paypal, pytest.raises(AnswerLost) as caught:
        api(paypal.url).post(PATH, {"intent": "CAPTURE"})
    return caught.value.code, caught.value.retry_after


def test_an_answer_keeps_its_status_and_debug_id() -> None:
    with Wire([DONE]) as paypal:
        answer = api(paypal.url).post(PATH, {"intent": "CAPTURE"}, {"PayPal-Request-Id": "key-1"})

    assert answer == Answer(201, {"id": "5O190127TN364715T"}, "debug-1")
    (call,) = paypal.calls
    assert (call.method, call.path, json.loads(call.body)) == ("POST", PATH, {"intent": "CAPTURE"})
    assert call.headers["authorization"] == f"Bearer {TOKEN}"
    assert call.headers["paypal-request-id"] == "key-1"


def test_the_token_is_asked_for_as_a_form_and_without_the_calls_own_headers() -> None:
    with Wire([DONE]) as paypal:
        api(paypal.url).post(PATH, {}, {"PayPal-Request-Id": "key-1", "Prefer": "x"})

    (call,) = paypal.token_calls
    assert call.body == b"grant_type=client_credentials"
    assert call.headers["content-type"] == "application/x-www-form-urlencoded"
    assert call.headers["authorization"].startswith("Basic ")
    assert {"paypal-request-id", "prefer"}.isdisjoint(call.headers)


@pytest.mark.parametrize("method", ["get", "delete"])
def test_what_has_no_body_sends_none(method: str) -> None:
    with Wire([said(204)]) as paypal:
        answer = getattr(api(paypal.url), method)("/v3/vault/payment-tokens/8kk8451t")

    assert answer == Answer(204, {})
    assert [call.body for call in paypal.calls] == [b""]
    assert paypal.calls[0].headers.get("content-length", "0") == "0"


# --- tokens ---


def test_a_token_is_used_again() -> None:
    with Wire([DONE]) as paypal:
        client = api(paypal.url)
        for _ in range(3):
            client.post(PATH, {})

    assert (len(paypal.token_calls), len(paypal.calls)) == (1, 3)


def test_a_token_is_fetched_once_by_many_threads() -> None:
    with Wire([DONE]) as paypal:
        client = api(paypal.url)
        threads = [threading.Thread(target=client.post, args=[PATH, {}]) for _ in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

    assert (len(paypal.token_calls), len(paypal.calls)) == (1, 8)


def test_a_token_that_ends_within_a_minute_is_not_used_again() -> None:
    with Wire([DONE], tokens=[wire.token(seconds=59)]) as paypal:
        client = api(paypal.url)
        client.post(PATH, {})
        client.post(PATH, {})

    assert len(paypal.token_calls) == 2


def test_a_token_that_was_refused_is_replaced_and_the_request_repeated() -> None:
    with Wire([UNAUTHORISED, DONE]) as paypal:
        answer = api(paypal.url).post(PATH, {"intent": "CAPTURE"}, {"PayPal-Request-Id": "key-1"})

    assert answer.status == 201
    assert len(paypal.token_calls) == 2
    assert [call.headers["paypal-request-id"] for call in paypal.calls] == ["key-1", "key-1"]


def test_a_refusal_of_every_token_ends_after_two_tries() -> None:
    with Wire([UNAUTHORISED]) as paypal, pytest.raises(GatewayMisconfigured):
        api(paypal.url).post(PATH, {})

    assert (len(paypal.token_calls), len(paypal.calls)) == (2, 2)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(said(503, {"name": "SERVICE_UNAVAILABLE"}), id="503"),
        pytest.param(said(429, {"name": "RATE_LIMIT_REACHED"}), id="429"),
        pytest.param(said(200, b"<html>", headers=HTML), id="HTML"),
        pytest.param(said(200), id="nothing"),
        pytest.param(said(200, {"scope": "x"}), id="no token in it"),
        pytest.param(said(302, headers={"Location": "http://127.0.0.1:9/"}), id="redirect"),
        pytest.param(said(200, {"access_token": TOKEN}, cut=5), id="cut"),
        pytest.param(HANG_UP, id="hung up"),
        pytest.param(SILENCE, id="silence"),
    ],
)
def test_without_a_token_nothing_was_sent(answer: Said) -> None:
    with Wire([DONE], tokens=[answer]) as paypal, pytest.raises(GatewayUnreachable):
        api(paypal.url, patience=0.3).post(PATH, {})

    assert paypal.calls == []


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(said(401, {"error": "invalid_client"}), id="401"),
        pytest.param(said(400, {"error": "unsupported_grant_type"}), id="400"),
    ],
)
def test_a_client_id_that_paypal_refuses_is_our_fault(answer: Said) -> None:
    with Wire([DONE], tokens=[answer]) as paypal, pytest.raises(GatewayMisconfigured):
        api(paypal.url).post(PATH, {})

    assert (len(paypal.token_calls), len(paypal.calls)) == (1, 0)


# --- what cannot be known ---


def test_a_black_hole_ends_as_unknown() -> None:
    with Wire([SILENCE]) as paypal, pytest.raises(AnswerLost) as caught:
        api(paypal.url, patience=0.3).post(PATH, {})

    assert caught.value.code == "timeout"  # F03
    assert len(paypal.calls) == 1


def test_silence_in_the_middle_of_a_body_ends_as_unknown() -> None:
    half = said(201, {"id": "5O190127TN364715T"}, cut=10).content
    with Wire([Said(half, then_silence=True)]) as paypal, pytest.raises(AnswerLost) as caught:
        api(paypal.url, patience=0.3).post(PATH, {})

    assert caught.value.code == "timeout"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(said(201, {"id": "5O190127TN364715T"}, cut=10), "cut_answer", id="cut"),
        pytest.param(said(201, b'{"id": "5O19'), "unreadable_answer", id="half a JSON"),
        pytest.param(said(200, b"<html>", headers=HTML), "unreadable_answer", id="HTML"),
        pytest.param(said(200), "unreadable_answer", id="an empty 200"),
        pytest.param(said(200, [1]), "unreadable_answer", id="a list"),
        pytest.param(said(200, b"[" * 100_000), "unreadable_answer", id="a deep list"),
        pytest.param(said(200, b"x" * 9_000_000), "endless_answer", id="9 MB"),
        pytest.param(HANG_UP, "no_answer", id="hung up"),
        pytest.param(said(502, b"<html>", headers=HTML), "HTTP_502", id="a proxy's 502"),
        pytest.param(said(403, b"<html>", headers=HTML), "HTTP_403", id="a firewall's 403"),
        pytest.param(said(400, b"<html>", headers=HTML), "HTTP_400", id="an HTML 400"),
        pytest.param(said(500, {"name": "INTERNAL_ERROR"}), "INTERNAL_ERROR", id="500"),
        pytest.param(
            said(409, {"details": [{"issue": "PREVIOUS_REQUEST_IN_PROGRESS"}]}),
            "PREVIOUS_REQUEST_IN_PROGRESS",
            id="409",
        ),
    ],
)
def test_what_is_no_clear_answer_is_unknown(answer: Said, code: str) -> None:
    assert lost(answer) == (code, None)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with Wire([DONE]) as canary:
        target = {"Location": f"{canary.url}/elsewhere"}
        assert lost(said(status, headers=target)) == (f"HTTP_{status}", None)

    assert canary.asked == []


@pytest.mark.parametrize(
    ("told", "wait"),
    [
        pytest.param("7", timedelta(seconds=7), id="seconds"),
        pytest.param("Sun, 22 Nov 2026 05:02:00 GMT", timedelta(minutes=2), id="a moment"),
        pytest.param("Sun, 22 Nov 2026 04:00:00 GMT", timedelta(0), id="a moment gone by"),
        pytest.param("99999999", timedelta(days=1), id="years"),
        pytest.param("soon", None, id="a word"),
        pytest.param("-1", None, id="a negative number"),
    ],
)
def test_how_long_to_wait_is_told(told: str, wait: timedelta | None) -> None:
    answer = said(429, {"name": "RATE_LIMIT_REACHED"}, headers={"Retry-After": told})

    assert lost(answer) == ("RATE_LIMIT_REACHED", wait)


def test_only_what_was_surely_not_sent_is_unreachable() -> None:
    with pytest.raises(GatewayUnreachable) as caught:
        api(f"http://127.0.0.1:{wire.closed_port()}").post(PATH, {})

    assert str(caught.value) == "NewConnectionError"


def test_a_connection_refused_after_the_token_is_unreachable() -> None:
    with Wire([DONE]) as paypal:
        client = api(paypal.url)
        client.post(PATH, {})

    with pytest.raises(GatewayUnreachable):
        client.post(PATH, {})


def test_a_connection_that_never_comes_about_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        # Nobody accepts, and there is no room to wait.
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))

        with pytest.raises(GatewayUnreachable) as caught:
            api(f"http://127.0.0.1:{port}", patience=0.3).post(PATH, {})

        for each in waiting:
            each.close()
    assert str(caught.value) == "ConnectTimeoutError"


def test_a_paypal_whose_certificate_is_not_trusted_hears_nothing(tmp_path: Path) -> None:
    with Wire([DONE], tls=certificates.tls(tmp_path)) as paypal:
        with pytest.raises(GatewayUnreachable) as caught:
            api(f"https://127.0.0.1:{paypal.port}").post(PATH, {})

        assert str(caught.value) == "certificate refused"
        assert paypal.asked == []


def test_an_address_that_is_none_is_our_fault() -> None:
    with pytest.raises(GatewayMisconfigured):
        api("http://").post(PATH, {})


def test_an_answer_that_trickles_for_ever_is_given_up() -> None:
    whole = said(201, {"id": "5O190127TN364715T"}).content
    with Wire([Said(whole, then_silence=True)]) as paypal:
        client = PayPalApi(wire.account(paypal.url), timeout=(5.0, 5.0), longest=0.0)
        client.token_hash = {"token_type": "Bearer", "access_token": TOKEN}
        client._token_until = float("inf")
        with pytest.raises(AnswerLost) as caught:
            client.post(PATH, {})

    assert caught.value.code == "endless_answer"


# --- refusals ---


def test_a_refusal_tells_its_issues_and_debug_id() -> None:
    body = {
        "name": "UNPROCESSABLE_ENTITY",
        "details": [{"issue": "INSTRUMENT_DECLINED"}, {"issue": "OTHER"}, {"field": "x"}],
    }
    answer = said(422, body, headers={"PayPal-Debug-Id": "debug-2"})
    with Wire([answer]) as paypal, pytest.raises(Refusal) as caught:
        api(paypal.url).post(PATH, {})

    assert caught.value.status == 422
    assert caught.value.issues == ("INSTRUMENT_DECLINED", "OTHER", "UNPROCESSABLE_ENTITY")
    assert caught.value.code == "INSTRUMENT_DECLINED"
    assert caught.value.debug_id == "debug-2"


@pytest.mark.parametrize("status", [400, 403, 404, 410, 422])
def test_a_refusal_is_raised(status: int) -> None:
    with Wire([said(status, {"name": "X"})]) as paypal, pytest.raises(Refusal) as caught:
        api(paypal.url).get(f"{PATH}/1")

    assert (caught.value.status, caught.value.code) == (status, "X")


# --- secrets ---


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(DONE, id="done"),
        pytest.param(said(422, {"name": "X"}), id="refused"),
        pytest.param(UNAUTHORISED, id="401"),
        pytest.param(SILENCE, id="silence"),
        pytest.param(said(200, {}, cut=1), id="cut"),
        pytest.param(said(500), id="500"),
    ],
)
def test_no_secret_is_in_any_log_repr_or_exception(
    answer: Said, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said_of = []
    with Wire([answer]) as paypal:
        client = api(paypal.url, patience=0.3)
        said_of += [repr(client), repr(wire.account(paypal.url))]
        try:
            said_of.append(repr(client.post(PATH, {"intent": "CAPTURE"})))
        except (Refusal, AnswerLost, GatewayMisconfigured) as fact:
            said_of += [repr(fact), str(fact), "".join(traceback.format_exception(fact))]

    said_of += [record.getMessage() + str(record.__dict__) for record in caplog.records]
    told = "\n".join(said_of)
    for secret in (SECRET, TOKEN, client.basic_auth()):
        assert secret not in told

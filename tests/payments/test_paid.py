"""What the gateway makes of each thing that Paid may say. The whole story is in test_paid_story."""

import gzip
import json
import logging
import traceback
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from django.core.exceptions import ImproperlyConfigured

from payments.gateways.base import (
    Absent,
    Account,
    AnswerLost,
    BadNotice,
    Declined,
    GatewayMisconfigured,
    GatewayUnreachable,
    Intent,
    NotTold,
    Outcome,
    Payer,
    RefundFailed,
    RefundIntent,
    RequestRefused,
    Settled,
    Standing,
    Undecided,
    Waiting,
)
from payments.gateways.paid import EMAIL_IS_TAKEN, Paid
from payments.gateways.paid.client import Client
from tests.payments import certificates
from tests.payments.canned import SECRET, Canned, Reply, account
from tests.payments.test_paid_form import PROFILE_OF_A_COMPANY

MEMBER = "org-7"
INTENT = Intent(
    key="c1",
    number="INV-2026-000042",
    amount=5500,
    currency="JPY",
    description="INV-2026-000042",
    on=date(2026, 11, 1),
    payer=MEMBER,
)
WAITING = Waiting(reference="c1")
SETTLED = Settled(
    reference="c1",
    capture="c1",
    amount=5500,
    currency="JPY",
    key="c1",
    number="INV-2026-000042",
    account=Account("local", "local-paid"),
)
ACTIVE, BLOCKED, REJECTED = 2, 3, 4


def said(status: str, **body: object) -> dict[str, object]:
    return {"header": {"status": status, "path": "/some/path"}, "body": body}


def registered(key: str = MEMBER) -> dict[str, object]:
    return said("SUCCESS", result={"paidId": "P0001", "b2bMemberId": key})


def refused(*told: object, status: str = "CLIENT_ERROR") -> dict[str, object]:
    return said(status, result={"error": list(told)})


def standing(code: object, member: str = MEMBER) -> dict[str, object]:
    return said(
        "SUCCESS",
        results={"successes": [{"b2bMemberId": member, "memberStatusCode": code}], "errors": []},
    )


def no_member(error: object = "C02") -> dict[str, object]:
    return said(
        "CLIENT_ERROR",
        results={"successes": [], "errors": [{"b2bMemberId": MEMBER, "error": error}]},
    )


def item(word: object, status: str = "SUCCESS", **more: object) -> dict[str, object]:
    return said(status, detailResults={"detailResult": [{"status": word, **more}]})


def start(paid: Paid) -> object:
    return paid.start(INTENT, return_url="", cancel_url="")


# --- whom it serves ---


@pytest.mark.parametrize(
    ("country", "currency", "answer"),
    [("JP", "JPY", True), ("JP", "USD", False), ("US", "JPY", False), ("DE", "EUR", False)],
)
def test_it_serves_japan_and_yen_alone(country: str, currency: str, answer: bool) -> None:
    assert Paid(account("http://127.0.0.1:9")).serves(country, currency) is answer


@pytest.mark.parametrize(
    ("setting", "values"),
    [
        ("PAID_MEMBER_STATUS", {"member_status": {"1": "fine"}}),
        ("PAID_ITEM_STATUS", {"item_status": {"SUCCESS": "undecided"}}),
        ("PAID_PATHS", {"paths": {"regster": "/Register"}}),
        ("PAID_CLOSING_DAY", {"closing_day": "30"}),
        ("PAID_PAYMENT_METHOD", {"payment_method": "3"}),
    ],
)
def test_settings_that_say_nothing_stop_the_start(setting: str, values: dict[str, Any]) -> None:
    with pytest.raises(ImproperlyConfigured, match=setting):
        Paid(replace(account("http://127.0.0.1:9"), **values))


# --- a buyer registers ---


def test_register_sends_the_form_as_paid_wants_it() -> None:
    typed = PROFILE_OF_A_COMPANY | {"tel": "03(1234)5678", "fax": "", "clerkSeiKana": "やまだ"}
    with Canned(registered()) as server:
        payer = server.paid.register(key=MEMBER, profile=typed | {"csrf": "x"})

    assert payer == Payer(reference=MEMBER, label="株式会社あおぞら")
    written = PROFILE_OF_A_COMPANY | {
        "b2bMemberId": MEMBER,
        "closingDay": "31",
        "paymentMethod": "1",
    }
    written.pop("fax")
    assert [(sent.path, sent.body) for sent in server.sent] == [
        ("/member/register", {"memberData": written})
    ]
    assert server.sent[0].headers["Content-Type"] == "application/json; charset=UTF-8"
    assert SECRET in server.sent[0].text


def test_register_asks_nobody_when_the_form_is_wrong() -> None:
    with Canned(registered()) as server, pytest.raises(RequestRefused) as caught:
        server.paid.register(key=MEMBER, profile=PROFILE_OF_A_COMPANY | {"tel": "1", "zipCode": ""})

    assert (caught.value.code, caught.value.fields) == ("profile", ("zipCode", "tel"))
    assert server.sent == []


@pytest.mark.parametrize(
    ("told", "code", "fields"),
    [
        pytest.param(["B04"], "B04", ("companyName",), id="missing"),
        pytest.param(["B18", "B37"], "B18", ("zipCode", "tel"), id="two fields"),
        pytest.param(["B44", "B45"], EMAIL_IS_TAKEN, ("email",), id="known to Paid already"),
        pytest.param(["B58", "B03"], "B58", ("url1",), id="one that the form does not ask for too"),
    ],
)
def test_register_names_the_fields_that_paid_refuses(
    told: list[str], code: str, fields: tuple[str, ...]
) -> None:
    with Canned(refused(*told)) as server, pytest.raises(RequestRefused) as caught:
        server.paid.register(key=MEMBER, profile=PROFILE_OF_A_COMPANY)

    assert (caught.value.code, caught.value.fields) == (code, fields)


@pytest.mark.parametrize("code", ["A02", "B64", "B65"])
def test_register_tells_settings_that_paid_refuses(code: str) -> None:
    with Canned(refused(code)) as server, pytest.raises(GatewayMisconfigured, match=code):
        server.paid.register(key=MEMBER, profile=PROFILE_OF_A_COMPANY)


@pytest.mark.parametrize(
    ("answer", "code", "is_logged"),
    [
        pytest.param(refused("D01", status="ERROR"), "D01", False, id="a fault at Paid"),
        pytest.param(refused("A01"), "A01", True, id="unreadable"),
        pytest.param(refused("A03"), "A03", True, id="empty"),
        pytest.param(refused("A04"), "A04", True, id="too many"),
        pytest.param(refused("B02"), "B02", True, id="our own name for the member"),
        pytest.param(refused("B47"), "B47", True, id="a field that is not asked for"),
        pytest.param(refused("Z99"), "Z99", True, id="an unknown code"),
        pytest.param(refused(), "CLIENT_ERROR", True, id="no code"),
        pytest.param(refused(7), "wrong_shape error", True, id="a number for a code"),
        pytest.param(said("ERROR", result=["D01"]), "wrong_shape result", True, id="a list"),
        pytest.param(registered("other"), "wrong_shape b2bMemberId", True, id="another member"),
        pytest.param(
            said("SUCCESS", result={"b2bMemberId": 7}),
            "wrong_shape b2bMemberId",
            True,
            id="a number",
        ),
        pytest.param(said("SUCCESS"), "wrong_shape b2bMemberId", True, id="no result"),
    ],
)
def test_register_does_not_know_what_became_of_it(
    answer: object, code: str, is_logged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with Canned(answer) as server, pytest.raises(AnswerLost) as caught:
        server.paid.register(key=MEMBER, profile=PROFILE_OF_A_COMPANY)

    assert caught.value.code == code
    assert [r.levelname for r in caplog.records if r.levelno >= logging.ERROR] == (
        ["ERROR"] if is_logged else []
    )


def test_register_again_is_the_same_buyer() -> None:
    with Canned(refused("C01"), standing(1)) as server:
        payer = server.paid.register(key=MEMBER, profile=PROFILE_OF_A_COMPANY)

    assert payer == Payer(reference=MEMBER, label="株式会社あおぞら")
    assert server.sent[1].body == {"b2bMemberIds": [MEMBER]}


def test_register_believes_no_duplicate_that_paid_does_not_know() -> None:
    with Canned(refused("C01"), no_member()) as server, pytest.raises(AnswerLost) as caught:
        server.paid.register(key=MEMBER, profile=PROFILE_OF_A_COMPANY)

    assert caught.value.code == "C01"


@pytest.mark.parametrize("key", ["", "a" * 21, "org 7", "org/7", "組織"])
def test_register_refuses_a_key_that_paid_cannot_hold(key: str) -> None:
    with Canned(registered(key)) as server, pytest.raises(ValueError, match="key"):
        server.paid.register(key=key, profile=PROFILE_OF_A_COMPANY)

    assert server.sent == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(standing(1), Standing.UNDER_REVIEW, id="a number"),
        pytest.param(standing("2"), Standing.ACTIVE, id="a text"),
        pytest.param(standing(3), Standing.BLOCKED, id="blocked"),
        pytest.param(standing(4), Standing.REJECTED, id="rejected"),
        pytest.param(no_member(), Standing.UNKNOWN, id="nobody"),
        pytest.param(no_member(["C02"]), Standing.UNKNOWN, id="nobody, as a list"),
    ],
)
def test_standing_is_what_the_settings_say_of_the_code(answer: object, expected: Standing) -> None:
    with Canned(answer) as server:
        assert server.paid.standing(MEMBER) is expected


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(standing(5), "member_status 5", id="a code that the settings do not have"),
        pytest.param(standing(True), "wrong_shape memberStatusCode", id="a truth value"),
        pytest.param(standing(2.0), "wrong_shape memberStatusCode", id="a fraction"),
        pytest.param(standing(None), "wrong_shape memberStatusCode", id="nothing"),
        pytest.param(standing(2, "org-8"), "SUCCESS", id="another member alone"),
        pytest.param(no_member("D01"), "D01", id="a fault at Paid"),
        pytest.param(no_member("C03"), "C03", id="an unknown code"),
        pytest.param(
            said("SUCCESS", results={"successes": {}}), "wrong_shape successes", id="no list"
        ),
        pytest.param(
            said("SUCCESS", results={"successes": ["x"]}), "wrong_shape b2bMemberId", id="texts"
        ),
    ],
)
def test_standing_is_never_guessed(answer: object, code: str) -> None:
    with Canned(answer) as server, pytest.raises(AnswerLost) as caught:
        server.paid.standing(MEMBER)

    assert caught.value.code == code


def test_forget_calls_nobody() -> None:
    with Canned(said("SUCCESS")) as server:
        server.paid.forget(MEMBER)

    assert server.sent == []


def test_nobody_registers_on_pages_of_paid() -> None:
    paid = Paid(account("http://127.0.0.1:9"))

    with pytest.raises(NotImplementedError):
        paid.open_registration(key="k", customer="c", language="ja", return_url="", cancel_url="")
    with pytest.raises(NotImplementedError):
        paid.finish_registration(key="k", reference="r")


# --- money in ---


def test_start_reserves_the_amount_under_our_key() -> None:
    with Canned(item("SUCCESS")) as server:
        assert (
            server.paid.start(replace(INTENT, description="あ" * 60), return_url="", cancel_url="")
            == WAITING
        )

    credit = {
        "b2bMemberId": MEMBER,
        "b2bCreditId": "c1",
        "contents": "あ" * 50,
        "code": "INV-2026-000042",
        "price": "5500",
    }
    assert [(sent.path, sent.body) for sent in server.sent] == [
        ("/Register", {"credits": {"credit": [credit]}})
    ]


def test_capture_fixes_the_amount_on_its_day() -> None:
    with Canned(item("SUCCESS", b2bCreditId="c1")) as server:
        assert server.paid.capture(INTENT) == SETTLED

    credit = {
        "b2bMemberId": MEMBER,
        "b2bCreditId": "c1",
        "price": "5500",
        "fixedAt": "2026/11/01",
    }
    assert [(sent.path, sent.body) for sent in server.sent] == [
        ("/Fix", {"credits": {"credit": [credit]}})
    ]


@pytest.mark.parametrize(
    ("replies", "outcome"),
    [
        pytest.param([item("DUPLICATE")], WAITING, id="registered before"),
        pytest.param([item("FIXED")], WAITING, id="fixed before, which the fix will tell"),
        pytest.param([item("CANCELLED")], Undecided("CANCELLED", "c1"), id="cancelled before"),
        pytest.param([item("C01", "CLIENT_ERROR")], WAITING, id="a duplicate as the item's word"),
        pytest.param([refused("C01")], WAITING, id="a duplicate as a code"),
        pytest.param(
            [item("REFUSED"), standing(ACTIVE)], Declined("REFUSED", "c1"), id="over the limit"
        ),
        pytest.param(
            [item("REFUSED"), standing(BLOCKED)],
            Declined("REFUSED", "c1", is_method_broken=True),
            id="a blocked buyer",
        ),
        pytest.param(
            [item("REFUSED"), Reply(status=503)],
            Declined("REFUSED", "c1"),
            id="declined, and nobody knows how the buyer stands",
        ),
        pytest.param(
            [item("NOT_FOUND"), standing(REJECTED)],
            Declined("NOT_FOUND", "c1", is_method_broken=True),
            id="a rejected buyer",
        ),
        pytest.param(
            [refused("C02"), no_member()],
            Declined("C02", "c1", is_method_broken=True),
            id="no such buyer",
        ),
        pytest.param(
            [refused("C02"), standing(ACTIVE)], Undecided("C02", "c1"), id="two answers that differ"
        ),
        pytest.param([item("HM")], Undecided("HM", "c1"), id="an unknown word"),
        pytest.param([refused("D01")], Undecided("D01", "c1"), id="a fault at Paid"),
    ],
)
def test_start_reads_each_answer(replies: list[object], outcome: Outcome) -> None:
    with Canned(*replies) as server:
        assert start(server.paid) == outcome


@pytest.mark.parametrize(
    ("replies", "outcome"),
    [
        pytest.param([item("FIXED")], SETTLED, id="fixed before"),
        pytest.param([item("NOT_FOUND")], Undecided("NOT_FOUND", "c1"), id="not known"),
        pytest.param([item("DUPLICATE")], Undecided("DUPLICATE", "c1"), id="no word of a fix"),
        pytest.param(
            [item("CANCELLED")],
            Declined("CANCELLED", "c1", is_cancelled=True),
            id="cancelled before (F67)",
        ),
        pytest.param(
            [item("REFUSED"), standing(BLOCKED)],
            Declined("REFUSED", "c1", is_method_broken=True),
            id="blocked between reserve and fix (F66)",
        ),
        pytest.param(
            [item("REFUSED"), standing(ACTIVE)],
            Declined("REFUSED", "c1"),
            id="credit refused (F66)",
        ),
        pytest.param([refused("C02")], Undecided("C02", "c1"), id="no such buyer any more"),
        # F64: the batch says yes, the item does not.
        pytest.param([item("HM")], Undecided("HM", "c1"), id="an item of an unknown word"),
        pytest.param([item("D01")], Undecided("D01", "c1"), id="an item with Paid's fault"),
        pytest.param([item("SUCCESS", error="D01")], Undecided("D01", "c1"), id="yes, with a code"),
        # F65: headers, codes and types that were not agreed.
        pytest.param([item("SUCCESS", "ERROR")], Undecided("ERROR", "c1"), id="no, around a yes"),
        pytest.param([refused("D01", status="ERROR")], Undecided("D01", "c1"), id="ERROR"),
        pytest.param([refused("A01")], Undecided("A01", "c1"), id="unreadable"),
        pytest.param([refused("Z99")], Undecided("Z99", "c1"), id="an unknown code"),
        pytest.param([said("SUCCESS")], Undecided("SUCCESS", "c1"), id="no item"),
        pytest.param([item(True)], Undecided("wrong_shape status", "c1"), id="a truth value"),
        pytest.param([item(None)], Undecided("wrong_shape status", "c1"), id="nothing"),
        pytest.param([item(["SUCCESS"])], Undecided("wrong_shape status", "c1"), id="a list"),
        pytest.param(
            [item("SUCCESS", b2bCreditId="c2")],
            Undecided("wrong_shape b2bCreditId", "c1"),
            id="another transaction",
        ),
        pytest.param(
            [said("SUCCESS", detailResults={"detailResult": {"status": "SUCCESS"}})],
            Undecided("wrong_shape detailResult", "c1"),
            id="an object for a list",
        ),
        pytest.param(
            [said("SUCCESS", detailResults={"detailResult": [{"status": "SUCCESS"}] * 2})],
            Undecided("wrong_shape detailResult", "c1"),
            id="two items for one",
        ),
        pytest.param(
            [said("SUCCESS", detailResults={"detailResult": ["SUCCESS"]})],
            Undecided("wrong_shape error", "c1"),
            id="a text for an item",
        ),
    ],
)
def test_capture_reads_each_answer(replies: list[object], outcome: Outcome) -> None:
    with Canned(*replies) as server:
        assert server.paid.capture(INTENT) == outcome


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        pytest.param(Reply(b""), "no_json", id="200 with nothing"),
        pytest.param(Reply(b"<html>sorry</html>"), "no_json", id="a page"),
        pytest.param(Reply(b'{"header": {"sta'), "no_json", id="JSON cut in the middle"),
        pytest.param(Reply(b"[" * 200_000), "no_json", id="nested without end"),
        pytest.param(Reply(b"\xff\xfe"), "no_json", id="no UTF-8"),
        pytest.param(Reply([]), "wrong_shape header", id="a list"),
        pytest.param(Reply({"header": "SUCCESS"}), "wrong_shape header", id="a text for a header"),
        pytest.param(
            Reply({"header": {"status": 1}}), "wrong_shape status", id="a number for a status"
        ),
        pytest.param(Reply({"header": {}}), "wrong_shape status", id="no status"),
        pytest.param(Reply(said("OK")), "unknown_status", id="a status of its own"),
        pytest.param(
            Reply({"header": {"status": "SUCCESS"}, "body": []}), "wrong_shape body", id="list"
        ),
        pytest.param(
            Reply(item("SUCCESS"), cut=5), "ProtocolError", id="fewer bytes than announced"
        ),
        pytest.param(Reply(b" " * 300_000), "too_long", id="more than is read"),
        pytest.param(
            Reply(gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"}), "packed", id="packed"
        ),
        pytest.param(Reply(status=500), "http_500", id="500"),
        pytest.param(Reply(status=404), "http_404", id="404"),
        pytest.param(
            Reply(status=302, headers={"Location": "http://127.0.0.1:9/"}),
            "http_302",
            id="a redirect",
        ),
    ],
)
def test_an_answer_that_cannot_be_read_decides_nothing(reply: Reply, code: str) -> None:
    with Canned(reply) as server:
        assert server.paid.capture(INTENT) == Undecided(code, "c1")
        with pytest.raises(AnswerLost, match=code):
            server.paid.standing(MEMBER)

    assert len(server.sent) == 2


@pytest.mark.parametrize(
    ("told", "wait"),
    [
        ("7", timedelta(seconds=7)),
        ("999999", timedelta(days=1)),
        ("soon", None),
        ("-1", None),
        ("", None),
    ],
)
def test_paid_is_left_alone_as_long_as_it_asks(told: str, wait: timedelta | None) -> None:
    with Canned(Reply(status=503, headers={"Retry-After": told})) as server:
        assert server.paid.capture(INTENT) == Undecided("http_503", "c1", wait)


@pytest.mark.parametrize("reply", [Reply(status=401), Reply(status=403), Reply(refused("A02"))])
def test_a_refusal_of_us_stops_the_run(reply: Reply) -> None:
    with Canned(reply) as server:
        with pytest.raises(GatewayMisconfigured):
            start(server.paid)
        with pytest.raises(GatewayMisconfigured):
            server.paid.capture(INTENT)
        with pytest.raises(GatewayMisconfigured):
            server.paid.standing(MEMBER)


def test_a_server_that_is_not_there_was_sent_nothing() -> None:
    with Canned(b"") as server:
        paid = server.paid

    with pytest.raises(GatewayUnreachable):
        paid.capture(INTENT)
    with pytest.raises(GatewayUnreachable):
        paid.register(key=MEMBER, profile=PROFILE_OF_A_COMPANY)


def test_a_name_that_nobody_has_was_sent_nothing() -> None:
    with pytest.raises(GatewayUnreachable):
        Paid(account("http://paid.invalid")).capture(INTENT)


def test_a_server_that_proves_nothing_is_sent_nothing(tmp_path: Path) -> None:
    own = tmp_path / "own.pem"
    own.write_bytes(_own_certificate())
    with Canned(item("SUCCESS"), tls=own) as server, pytest.raises(GatewayUnreachable):
        server.paid.capture(INTENT)

    assert server.sent == []


def test_a_silent_server_is_given_up() -> None:
    with Canned(Reply(silent=True)) as server, pytest.raises(AnswerLost, match="ReadTimeout"):
        Client(server.account, read_seconds=0.1).post("check_member", {})

    assert len(server.sent) == 1


def test_a_server_that_drips_is_given_up() -> None:
    with (
        Canned(Reply(b" " * 10_000, drips=True)) as server,
        pytest.raises(AnswerLost, match="too_slow"),
    ):
        Client(server.account, read_seconds=0.1).post("check_member", {})


def test_an_answer_in_chunks_is_read_whole() -> None:
    text = json.dumps(item("SUCCESS")).encode()
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (text[:7], text[7:]))
    whole = Reply(chunks + b"0\r\n\r\n", headers={"Transfer-Encoding": "chunked"})
    with Canned(whole) as server:
        assert server.paid.capture(INTENT) == SETTLED


def test_look_up_says_that_the_same_call_may_be_repeated() -> None:
    with Canned(b"") as server:
        assert server.paid.look_up(INTENT) == Absent(may_repeat=True)

    assert server.sent == []


@pytest.mark.parametrize("word", ["SUCCESS", "NOT_FOUND", "CANCELLED"])
def test_cancel_lets_go(word: str) -> None:
    with Canned(item(word)) as server:
        server.paid.cancel(INTENT)

    credit = {"b2bMemberId": MEMBER, "b2bCreditId": "c1"}
    assert [(sent.path, sent.body) for sent in server.sent] == [
        ("/Cancel", {"credits": {"credit": [credit]}})
    ]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(item("REFUSED"), "REFUSED", id="refused"),
        pytest.param(item("FIXED"), "FIXED", id="fixed before: it is billed"),
        pytest.param(refused("D01"), "D01", id="a fault at Paid"),
        pytest.param(Reply(b""), "no_json", id="no answer"),
    ],
)
def test_cancel_does_not_hide_what_it_could_not_do(answer: object, code: str) -> None:
    with Canned(answer) as server, pytest.raises(AnswerLost) as caught:
        server.paid.cancel(INTENT)

    assert caught.value.code == code


@pytest.mark.parametrize(
    "intent",
    [
        replace(INTENT, currency="USD"),
        replace(INTENT, amount=0),
        replace(INTENT, amount=-1),
        replace(INTENT, payer=""),
        replace(INTENT, key="c" * 21),
    ],
)
def test_an_intent_that_paid_cannot_take_is_not_sent(intent: Intent) -> None:
    with Canned(item("SUCCESS")) as server:
        for call in (server.paid.capture, server.paid.cancel):
            with pytest.raises(ValueError, match="Paid"):
                call(intent)

    assert server.sent == []


# --- money back, and what Paid does not tell ---


def test_a_refund_is_done_by_hand() -> None:
    intent = RefundIntent(key="r1", capture="c1", amount=100, currency="JPY", note="")
    with Canned(b"") as server:
        assert server.paid.refund(intent) == RefundFailed("by_hand", "c1")
        assert server.paid.look_up_refund(intent) == RefundFailed("by_hand", "c1")

    assert server.sent == []


def test_paid_sends_no_notices_and_lists_no_records() -> None:
    paid = Paid(account("http://127.0.0.1:9"))

    with pytest.raises(BadNotice):
        paid.notice_in(b"{}", {})
    with pytest.raises(NotTold):
        paid.records(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))


# --- the secret (F68) ---


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(item(SECRET)), id="as an item's word"),
        pytest.param(Reply(refused(SECRET)), id="as a code"),
        pytest.param(Reply(refused("A01")), id="a fault of ours"),
        pytest.param(Reply(said(SECRET)), id="as a status"),
        pytest.param(Reply(SECRET.encode()), id="as a page"),
        pytest.param(Reply(status=500, body=SECRET.encode()), id="as an error page"),
        pytest.param(Reply(status=302, headers={"Location": f"http://x/{SECRET}"}), id="redirect"),
        pytest.param(Reply(item("SUCCESS"), cut=3), id="cut"),
        pytest.param(Reply(standing(SECRET)), id="as a status code of a member"),
    ],
)
def test_the_secret_is_in_no_log_exception_or_outcome(
    reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with Canned(reply) as server:
        paid = server.paid
        told = [repr(paid), repr(vars(paid)), repr(server.account), repr(paid.capture(INTENT))]
        for call in (
            lambda: paid.standing(MEMBER),
            lambda: paid.register(key=MEMBER, profile=PROFILE_OF_A_COMPANY),
            lambda: paid.cancel(INTENT),
        ):
            try:
                call()
            except Exception as error:  # noqa: BLE001 -- whatever it is, it is what is looked at
                told.append(_with_locals(error))

    told += [str(vars(record)) for record in caplog.records]
    assert SECRET in server.sent[0].text
    assert [text for text in told if SECRET in text] == []


def test_the_secret_is_in_no_trace_of_a_server_that_is_not_there() -> None:
    with pytest.raises(GatewayUnreachable) as caught:
        Paid(account("http://127.0.0.1:9")).capture(INTENT)

    assert SECRET not in _with_locals(caught.value)


def _own_certificate() -> bytes:
    """Return a key with a certificate that nobody vouches for."""
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    key = certificates.key("paypal").private_bytes(*form, serialization.NoEncryption())
    own = certificates.certificate(by="paypal", subject="127.0.0.1")
    return key + own.public_bytes(serialization.Encoding.PEM)


def _with_locals(error: BaseException) -> str:
    """Return an exception as a trace page shows it, with the values of the gateway's frames."""
    trace = error.__traceback__
    while trace and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    shown = traceback.TracebackException(type(error), error, trace, capture_locals=True)
    return "".join(shown.format())

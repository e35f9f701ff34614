import gzip
import io
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.test import Client, RequestFactory

from accounts import services as accounts
from accounts.models import ApiKey
from core import clock
from tests import make
from tests.usage import books
from usage import api
from usage.models import UsageEvent

URL = "/api/v1/usage/events"
NOW = books.NOW

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _clock() -> Any:
    with clock.fixed_at(NOW):
        yield


@pytest.fixture
def key() -> str:
    make.vendor()
    make.meter("api_calls")
    organisation = make.organisation(reference="aoba")
    _, presented = accounts.create_api_key(
        label="product", actor=make.ACTOR, now=NOW, organisation_id=organisation.pk
    )
    return presented


def event(event_id: str = "a", **changed: object) -> dict[str, object]:
    return {
        "event_id": event_id,
        "meter": "api_calls",
        "occurred_at": "2026-11-20T10:00:00Z",
        "quantity": 1.5,
        **changed,
    }


def send(key: str, body: object, kind: str = "application/json", **headers: str) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = Client().post(
        URL, data, content_type=kind, headers={"Authorization": f"Bearer {key}", **headers}
    )
    return response.status_code, response.json()


def code_of(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1]["error"]["code"]


def test_events_are_taken_and_reported(key: str) -> None:
    body = [event("a"), event("b", meter="nothing"), event("a"), event("a", quantity=2), 5]

    status, report = send(key, body)

    assert status == 200
    assert report == {
        "accepted": 1,
        "duplicates": 1,
        "conflicts": {
            "count": 1,
            "rows": [
                {
                    "row": 4,
                    "code": "another_body_in_batch",
                    "reason": "The event comes twice in this batch, with another quantity.",
                }
            ],
        },
        "rejected": {
            "count": 2,
            "rows": [
                {"row": 2, "code": "meter_unknown", "reason": "There is no meter 'nothing'."},
                {
                    "row": 5,
                    "code": "row_wrong",
                    "reason": "This is not an event: an event is an object.",
                },
            ],
        },
    }


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson"])
def test_events_come_as_array_or_lines_plain_or_zipped(key: str, kind: str, zipped: bool) -> None:
    events = [event("a"), event("b")]
    text = json.dumps(events) if kind.endswith("/json") else "\n".join(map(json.dumps, events))
    body = gzip.compress(text.encode()) if zipped else text.encode()
    headers = {"Content-Encoding": "gzip"} if zipped else {}

    status, report = send(key, body, kind, **headers)

    assert (status, report["accepted"]) == (200, 2)
    assert send(key, body, kind, **headers)[1]["duplicates"] == 2


def test_a_key_of_an_organisation_writes_for_no_other(key: str) -> None:
    make.organisation(reference="other")

    _, report = send(key, [event(organisation="other")])

    assert report["rejected"]["rows"][0]["code"] == "organisation_not_yours"
    assert not UsageEvent.objects.exists()


def test_a_key_of_the_vendor_names_the_organisation(key: str) -> None:
    _, vendor_key = accounts.create_api_key(label="all", actor=make.ACTOR, now=NOW)

    _, report = send(vendor_key, [event(), event(organisation="aoba")])

    assert report["accepted"] == 1
    assert report["rejected"]["rows"][0]["code"] == "organisation_missing"


def test_the_secret_of_a_key_is_not_kept(key: str) -> None:
    stored = ApiKey.objects.get()

    prefix, secret = key.split(".")
    assert stored.prefix == prefix
    assert secret.encode() not in bytes(stored.secret_digest)


@pytest.mark.parametrize(
    "wrong", ["", "x", "x.y", "{prefix}.", "{prefix}.wrong", "{prefix}", "\x00.a", "é.é", "." * 50]
)
def test_every_wrong_key_gets_the_same_answer(key: str, wrong: str) -> None:
    prefix = key.split(".", maxsplit=1)[0]

    answer = send(wrong.format(prefix=prefix), [event()])

    assert answer == (
        401,
        {
            "error": {
                "code": "key",
                "reason": "Send a valid key: Authorization: Bearer PREFIX.SECRET",
            }
        },
    )
    assert not UsageEvent.objects.exists()


def test_a_revoked_key_and_none_at_all_are_wrong_keys(key: str) -> None:
    ApiKey.objects.update(revoked_at=NOW)

    assert code_of(send(key, [event()])) == (401, "key")
    assert Client().post(URL, b"[]", content_type="application/json").status_code == 401
    basic = Client().post(URL, headers={"Authorization": f"Basic {key}"})
    assert (basic.status_code, basic.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_too_many_requests_wait_for_the_next_minute(key: str, settings: Any) -> None:
    settings.USAGE_REQUESTS_PER_MINUTE = 2
    answers = [send(key, [event()])[0] for _ in range(2)]

    response = Client().post(
        URL, b"[]", content_type="application/json", headers={"Authorization": f"Bearer {key}"}
    )

    assert answers == [200, 200]
    assert (response.status_code, response.headers["Retry-After"]) == (429, "60")
    with clock.fixed_at(NOW + timedelta(seconds=60)):
        assert send(key, [event()])[0] == 200


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch", "head"])
def test_only_post_is_answered(key: str, method: str) -> None:
    response = getattr(Client(), method)(URL)

    assert (response.status_code, response.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("body", "kind", "headers", "answer"),
    [
        (b"a=b", "application/x-www-form-urlencoded", {}, (415, "content_type")),
        (b"[]", "text/plain", {}, (415, "content_type")),
        (b"[]", "application/json", {"Content-Encoding": "br"}, (415, "content_encoding")),
        (b"[]", "application/json", {"Content-Encoding": "gzip"}, (400, "body")),
        (
            gzip.compress(b"[]", mtime=0)[:-4],
            "application/json",
            {"Content-Encoding": "gzip"},
            (400, "body"),
        ),
        (
            gzip.compress(b"[]", mtime=0) + b"x",
            "application/json",
            {"Content-Encoding": "gzip"},
            (400, "body"),
        ),
        (b" ", "application/json", {}, (400, "body")),
        (b"[{]", "application/json", {}, (400, "body")),
        (b"[" + b"1," * 10_000 + b"1]", "application/json", {}, (400, "body")),
    ],
)
def test_a_wrong_request_is_refused_whole(
    key: str, body: bytes, kind: str, headers: dict[str, str], answer: tuple[int, str]
) -> None:
    assert code_of(send(key, body, kind, **headers)) == answer


def test_a_large_body_is_refused_unread(key: str) -> None:
    class Unread(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise AssertionError("the body was read")

    request = RequestFactory().post(
        URL, content_type="application/json", headers={"Authorization": f"Bearer {key}"}
    )
    environ = {
        **request.environ,
        "CONTENT_LENGTH": str(100 * 1024 * 1024),
        "wsgi.input": Unread(),
    }

    response = api.events(WSGIRequest(environ))

    assert response.status_code == 413
    assert json.loads(response.content)["error"]["reason"] == (
        "The body is larger than 8388608 bytes (unpacked). Send the events in several requests."
    )


def test_a_length_that_is_no_number_is_refused(key: str) -> None:
    request = RequestFactory().post(
        URL, content_type="application/json", headers={"Authorization": f"Bearer {key}"}
    )

    response = api.events(WSGIRequest({**request.environ, "CONTENT_LENGTH": "abc"}))

    assert response.status_code == 400
    assert json.loads(response.content)["error"]["code"] == "content_length"


def test_a_gzip_bomb_is_unpacked_to_the_limit_alone(key: str) -> None:
    bomb = gzip.compress(b" " * 1024 * 1024 * 500, compresslevel=1)
    assert len(bomb) < 8 * 1024 * 1024

    answer = send(key, bomb, **{"Content-Encoding": "gzip"})

    assert code_of(answer) == (413, "too_large")


def test_what_lies_outside_the_window_is_rejected(key: str) -> None:
    old, ahead = NOW - timedelta(days=400), NOW + timedelta(hours=24)

    def sent(at: datetime) -> str:
        rejected = send(key, [event(occurred_at=at.isoformat())])[1]["rejected"]["rows"]
        return rejected[0]["code"] if rejected else "taken"

    assert sent(ahead) == "taken"
    assert sent(ahead + timedelta(microseconds=1)) == "occurred_at_ahead"
    assert sent(old - timedelta(microseconds=1)) == "occurred_at_before_customer"
    make.organisation(reference="old", customer_since=(NOW - timedelta(days=1000)).date())
    _, vendor_key = accounts.create_api_key(label="all", actor=make.ACTOR, now=NOW)
    answers = [
        send(vendor_key, [event(organisation="old", occurred_at=at.isoformat())])[1]
        for at in (old, old - timedelta(microseconds=1))
    ]
    assert answers[0]["accepted"] == 1
    assert answers[1]["rejected"]["rows"][0]["code"] == "occurred_at_too_old"


def test_the_report_lists_a_thousand_rows_and_counts_all(key: str) -> None:
    _, report = send(key, [event(str(n), meter="x") for n in range(1500)])

    assert (report["rejected"]["count"], len(report["rejected"]["rows"])) == (1500, 1000)


def test_without_a_catalogue_the_sender_is_asked_to_wait() -> None:
    _, presented = accounts.create_api_key(label="all", actor=make.ACTOR, now=NOW)

    assert code_of(send(presented, [event()])) == (503, "not_ready")

"""The description of the API says what the views do. Rule: docs/api.md."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from jsonschema import Draft202012Validator, FormatChecker

from accounts import services as accounts
from accounts.enums import Changed
from core import clock, webhooks
from core.models import WebhookDelivery
from plans.enums import Category
from tests import make
from usage.models import DailyUsage

pytestmark = pytest.mark.django_db

NOW = make.NOW
ENTITLEMENTS = "/api/v1/organisations/{reference}/entitlements"
ACCOUNT = "/api/v1/organisations/{reference}/accounts/{email}"
USAGE = "/api/v1/usage/events"


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with clock.fixed_at(NOW):
        yield


def description() -> dict[str, Any]:
    found: dict[str, Any] = Client().get("/api/v1/openapi.json").json()
    return found


def key(organisation_id: int | None = None) -> dict[str, str]:
    _, presented = accounts.create_api_key(
        label="product", actor=make.ACTOR, now=NOW, organisation_id=organisation_id
    )
    return {"Authorization": f"Bearer {presented}"}


def resolved(described: dict[str, Any], node: Any) -> Any:
    while "$ref" in node:
        found: Any = described
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def faults(described: dict[str, Any], schema: Any, value: object) -> list[str]:
    """Return what a schema of the description finds wrong with a value."""
    whole = {**schema, "components": described["components"]}
    checked = Draft202012Validator(whole, format_checker=FormatChecker())
    return [f"{fault.json_path}: {fault.message}" for fault in checked.iter_errors(value)]


def check(path: str, method: str, answer: Any) -> None:
    described = description()
    responses = described["paths"][path][method]["responses"]
    assert str(answer.status_code) in responses
    response = resolved(described, responses[str(answer.status_code)])
    for name, header in response.get("headers", {}).items():
        assert faults(described, header["schema"], answer.headers[name]) == []
    content = response.get("content")
    if content is None:
        assert answer.content == b""
    else:
        schema = content[answer.headers["Content-Type"]]["schema"]
        assert faults(described, schema, answer.json()) == []


def _routes(resolver: URLResolver, before: str = "") -> Iterator[str]:
    for entry in resolver.url_patterns:
        route = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _routes(entry, route)
        elif isinstance(entry, URLPattern):
            yield "/" + re.sub(r"<\w+:(\w+)>", r"{\1}", route)


def test_every_path_of_the_api_is_described_and_no_other() -> None:
    served = {route for route in _routes(get_resolver()) if route.startswith("/api/")}

    assert set(description()["paths"]) == served


def test_every_schema_is_one_and_every_reference_leads_somewhere() -> None:
    described = description()
    written = json.dumps(described)

    for schema in described["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for reference in re.findall(r'"\$ref": "([^"]+)"', written):
        assert resolved(described, {"$ref": reference})


@pytest.mark.parametrize("path", [ENTITLEMENTS, ACCOUNT, USAGE, "/api/v1/openapi.json"])
def test_a_method_that_is_not_described_is_refused(path: str) -> None:
    described = set(description()["paths"][path])
    taken = described | ({"head"} if "get" in described else set())

    for method in {"get", "post", "put", "patch", "delete", "options"} - taken:
        answer = Client().generic(
            method.upper(), path.format(reference="aoba", email="a@example.com")
        )

        assert (method, answer.status_code) == (method, 405)
        check(path, next(iter(described)), answer)


def test_entitlements_are_as_described() -> None:
    make.vendor()
    make.free_plan()
    aoba = make.organisation(reference="aoba")
    calls, _ = make.meter(), make.meter("devices", position=2)
    starter = make.plan_version()
    make.meter_price(starter, calls, included=1_000, tiers=[(None, "0.01")])
    empty = make.organisation(reference="empty")
    make.main_contract(aoba, starter, date(2026, 11, 1))
    make.selection(
        aoba,
        make.plan_version("gold", category=Category.SUPPORT),
        datetime(2026, 1, 1, tzinfo=UTC),
    )
    DailyUsage.objects.create(
        organisation=aoba, day=date(2026, 11, 3), meter=calls, quantity="-12.5", events=1
    )
    headers = key()

    full = ask(aoba.reference, headers)
    bare = ask(empty.reference, headers)
    known = ask(aoba.reference, {**headers, "If-None-Match": full.headers["ETag"]})
    answers = [full, bare, known, ask("nobody", headers), ask("aoba", {})]

    assert [answer.status_code for answer in answers] == [200, 200, 304, 404, 401]
    for answer in answers:
        check(ENTITLEMENTS, "get", answer)


def ask(reference: str, headers: dict[str, str]) -> Any:
    return Client().get(ENTITLEMENTS.format(reference=reference), headers=headers)


def test_what_stops_for_a_while_is_as_described(settings: Any) -> None:
    headers = key()
    not_ready = ask("aoba", headers)
    settings.ENTITLEMENTS_REQUESTS_PER_MINUTE = 1
    too_many = ask("aoba", headers)

    assert [not_ready.status_code, too_many.status_code] == [503, 429]
    check(ENTITLEMENTS, "get", not_ready)
    check(ENTITLEMENTS, "get", too_many)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ('[{"event_id": "a", "meter": "none", "occurred_at": "x", "quantity": 1}, 5]', "json", 200),
        ("[", "json", 400),
        ("[]", "xml", 415),
    ],
)
def test_usage_is_answered_as_described(body: str, kind: str, status: int) -> None:
    make.vendor()
    organisation = make.organisation()

    answer: Any = Client().post(
        USAGE, body, content_type=f"application/{kind}", headers=key(organisation.pk)
    )

    assert answer.status_code == status
    check(USAGE, "post", answer)


def test_an_event_that_is_sent_is_as_described() -> None:
    webhooks.create(label="product", url="http://127.0.0.1:9/", actor=make.ACTOR, now=NOW)
    with transaction.atomic():
        for reason in Changed:
            accounts.tell_entitlements_changed([make.organisation()], reason=reason, now=NOW)
    described = description()

    operation = described["webhooks"]["entitlements.changed"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    sent = [json.loads(delivery.body) for delivery in WebhookDelivery.objects.order_by("pk")]
    reasons = resolved(described, schema)["properties"]["reason"]["enum"]
    assert [faults(described, schema, body) for body in sent] == [[] for _ in Changed]
    assert [body["reason"] for body in sent] == reasons == list(Changed)
    headers = {each["name"] for each in operation["parameters"]}
    assert headers == {webhooks.TIMESTAMP, webhooks.SIGNATURE}


def test_the_description_is_open_to_anyone_and_names_no_customer() -> None:
    make.organisation(reference="aoba", name="Aoba Devices")

    answer = Client().get("/api/v1/openapi.json")

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert b"aoba" not in answer.content.lower()

"""PayPal's OpenAPI files, against which our requests and the sandbox's answers are held.

They lie beside the repository, in ../shared/paypal-openapi; where they do not, `is_there` is False.
Known differences from the live service are told to the validator here, and nowhere else.
"""

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "paypal-openapi"
FILES = ("checkout_orders_v2", "payments_payment_v2", "vault_payment_tokens_v3")
is_there = all((FOLDER / f"{name}.json").is_file() for name in FILES)

# Not in these files: OAuth and Transaction Search.
UNDESCRIBED = ("/v1/oauth2/token", "/v1/reporting/transactions")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int
    answer: bytes


def faults_of_request(exchange: Exchange) -> list[str]:
    """Return what PayPal's description finds wrong with a request."""
    found = _operation(exchange)
    if found is None:
        return []
    file, operation = found
    faults = [
        f"{exchange.method} {exchange.path}: no header {each['name']}"
        for each in _parameters(file, operation)
        if each["in"] == "header" and each.get("required") and each["name"] not in exchange.headers
    ]
    faults += [
        f"{each['name']}: longer than {each['schema']['maxLength']}"
        for each in _parameters(file, operation)
        if each["in"] == "header"
        and len(exchange.headers.get(each["name"], "")) > each["schema"].get("maxLength", 10**6)
    ]
    described = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if described is None:
        return faults + ([f"{exchange.path}: a body where none belongs"] if exchange.body else [])
    return faults + _faults(file, described["schema"], exchange.body, exchange)


def faults_of_answer(exchange: Exchange) -> list[str]:
    """Return what PayPal's description finds wrong with an answer."""
    found = _operation(exchange)
    if found is None:
        return []
    file, operation = found
    responses = operation["responses"]
    # A repeated request is answered 200, which is not said of refunds.
    status = "201" if exchange.status == 200 and "200" not in responses else str(exchange.status)
    response = responses.get(status) or responses.get("default")
    if response is None:
        return [f"{exchange.method} {exchange.path}: {exchange.status} is not described"]
    response = _resolved(file, response)
    described = response.get("content", {}).get("application/json")
    if described is None:
        return [f"{exchange.path}: a body where none belongs"] if exchange.answer else []
    return _faults(file, described["schema"], exchange.answer, exchange)


def _operation(exchange: Exchange) -> tuple[str, dict[str, Any]] | None:
    path = exchange.path.partition("?")[0]
    if path in UNDESCRIBED:
        return None
    for file in FILES:
        for template, methods in _document(file)["paths"].items():
            pattern = re.sub(r"\{\w+\}", "[^/]+", template)
            if re.fullmatch(pattern, path) and exchange.method.lower() in methods:
                return file, methods[exchange.method.lower()]
    raise AssertionError(f"PayPal describes no {exchange.method} {path}")


def _parameters(file: str, operation: dict[str, Any]) -> list[dict[str, Any]]:
    return [_resolved(file, each) for each in operation.get("parameters", [])]


def _faults(file: str, schema: dict[str, Any], body: bytes, exchange: Exchange) -> list[str]:
    validator = Draft4Validator(_rooted(file, schema), registry=_registry())
    return [
        f"{exchange.method} {exchange.path} {exchange.status}: {each.json_path}: {each.message}"
        for each in validator.iter_errors(json.loads(body))
    ]


def _resolved(file: str, value: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in value:
        return value
    found: Any = _document(file)
    for step in value["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return _resolved(file, found)


def _rooted(file: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema whose references lead into its file."""
    text = json.dumps(schema).replace('"$ref": "#', f'"$ref": "urn:{file}#')
    rooted: dict[str, Any] = json.loads(text)
    return rooted


@functools.cache
def _document(file: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / f"{file}.json").read_text())
    if file == "vault_payment_tokens_v3":
        # The live service takes this type too, and ids with small letters (README there).
        token = document["components"]["schemas"]["token_id_request"]["properties"]
        token["type"]["enum"].append("SETUP_TOKEN")
        token["id"]["pattern"] = "^[0-9a-zA-Z_-]+$"
    _forget_sentences(document)
    return document


def _forget_sentences(value: object) -> None:
    """Leave the codes of errors as they are listed, and their English sentences free."""
    if isinstance(value, dict):
        properties = value.get("properties")
        if isinstance(properties, dict) and "issue" in properties:
            properties.pop("description", None)
        for each in value.values():
            _forget_sentences(each)
    elif isinstance(value, list):
        for each in value:
            _forget_sentences(each)


@functools.cache
def _registry() -> "Registry[Any]":
    registry: Registry[Any] = Registry()
    for file in FILES:
        resource = Resource.from_contents(_document(file), default_specification=DRAFT4)
        registry = registry.with_resource(f"urn:{file}", resource)
    return registry

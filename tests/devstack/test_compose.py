"""No Docker runs here: the files are held against the format's schema and against the code."""

import ast
import json
import re
from importlib import resources
from typing import Any

import jsonschema
import pytest
import yaml

from devstack.places import ROOT

PORTAL = ("web", "worker", "beat", "migrate")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


@pytest.fixture(scope="module")
def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text().replace("\\\n", " ")


def test_the_compose_file_follows_the_compose_specification(compose: dict[str, Any]) -> None:
    vendored = resources.files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"

    jsonschema.validate(compose, json.loads(vendored.read_text()))


def test_the_portal_is_one_image_and_its_servers_are_others(compose: dict[str, Any]) -> None:
    images = {name: service["image"] for name, service in compose["services"].items()}

    assert images == {
        "db": "postgres:18",
        "broker": "valkey/valkey:9",
        **dict.fromkeys(PORTAL, "billing-portal"),
    }
    assert {compose["services"][name]["build"] for name in PORTAL} == {"."}


def test_the_processes_are_those_of_dev_run(compose: dict[str, Any], dockerfile: str) -> None:
    services = compose["services"]
    source = (ROOT / "devstack" / "commands.py").read_text()

    by_default = ast.literal_eval(re.findall(r"^CMD (\[.*\])$", dockerfile, re.MULTILINE)[0])
    assert "command" not in services["web"]
    assert by_default[0] == "gunicorn"
    assert by_default[-1] == "billing_portal.wsgi"
    assert services["worker"]["command"][:6] == [
        "celery",
        "-A",
        "billing_portal",
        "worker",
        "-c",
        "2",
    ]
    assert services["beat"]["command"][:4] == ["celery", "-A", "billing_portal", "beat"]
    assert services["migrate"]["command"][:3] == ["python", "manage.py", "migrate"]
    assert '"-Q", "default,pdf,gateway"' in source
    assert "default,pdf,gateway" in services["worker"]["command"]


def test_the_portal_starts_after_its_servers_and_the_migrations(compose: dict[str, Any]) -> None:
    for name in ("web", "worker", "beat"):
        waits = compose["services"][name]["depends_on"]
        assert {part: how["condition"] for part, how in waits.items()} == {
            "db": "service_healthy",
            "broker": "service_healthy",
            "migrate": "service_completed_successfully",
        }


def test_no_secret_has_a_value_and_only_the_web_server_is_published(
    compose: dict[str, Any],
) -> None:
    text = (ROOT / "docker-compose.yml").read_text()

    assert re.findall(r"(?:PASSWORD|SECRET|AUTH_CODE)\w*: (?!\$\{).+", text) == []
    assert {name for name, service in compose["services"].items() if "ports" in service} == {"web"}
    assert compose["services"]["web"]["ports"] == ["127.0.0.1:8000:8000"]


def test_the_settings_find_every_variable_they_need(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = (ROOT / "billing_portal" / "settings.py").read_text()
    required = set(re.findall(r'env\.(?:text|database)\("(\w+)"\)', settings))
    given = set(compose["services"]["web"]["environment"])

    assert required - given == set()


def test_the_payment_companies_find_every_variable_but_a_stand_ins(compose: dict[str, Any]) -> None:
    source = (ROOT / "billing_portal" / "gateways.py").read_text()
    read = set(re.findall(r'"((?:PAYPAL|PAID)_\w+)"', source))

    # PayPal's own addresses are known; only the sandbox's has to be told, and not in production.
    assert read - set(compose["services"]["web"]["environment"]) == {"PAYPAL_ENDPOINT"}


def test_the_image_runs_as_an_account_without_rights(dockerfile: str) -> None:
    last_stage = dockerfile.rsplit("\nFROM ", 1)[1]

    assert re.findall(r"^USER (\w+)$", last_stage, re.MULTILINE) == ["portal"]
    assert last_stage.index("USER portal") < last_stage.index("\nCMD ")


def test_the_image_installs_the_production_lock_and_what_dev_names(dockerfile: str) -> None:
    dev = (ROOT / "dev").read_text()

    assert "--require-hashes -r requirements/prod.txt" in dockerfile
    for package in re.findall(
        r"(?:lib|fonts-)[a-z0-9.-]+\b(?= )", dockerfile.split("install -y")[1]
    ):
        assert f'"{package}"' in dev


def test_everything_the_portal_consists_of_goes_into_the_image() -> None:
    kept = {
        line[1:].split("/")[0]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    rooms = {file.parent.name for file in ROOT.glob("*/__init__.py")} - {
        "benchmarks",
        "devstack",
        "gateway_sandbox",
        "tests",
    }

    assert kept == rooms | {"locale", "manage.py", "requirements", "static", "templates"}

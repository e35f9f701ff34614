"""Which payment companies a command talks to: the sandbox, nobody, or the user's own."""

import os
import socket
import stat

import pytest

from devstack import environment, gateways
from devstack.places import State
from gateway_sandbox import Sandbox


@pytest.fixture(autouse=True)
def bare_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell in which no account is set."""
    for name in list(os.environ):
        if name.startswith(("PAYPAL_", "PAID_")):
            monkeypatch.delenv(name)


def portal_environment(accounts: dict[str, str]) -> dict[str, str]:
    return environment.portal_environment(
        "development",
        database_url="d",
        redis_url="r",
        secret_key="s",
        origin="http://localhost:8000",
        gateways=accounts,
    )


def test_the_portal_is_led_to_the_sandbox(state: State) -> None:
    variables = portal_environment(gateways.sandbox(state, 8001))

    assert variables["PAYPAL_ENVIRONMENT"] == variables["PAID_ENVIRONMENT"] == "local"
    assert variables["PAYPAL_ENDPOINT"] == "http://127.0.0.1:8001"
    assert variables["PAID_ENDPOINT"] == "http://127.0.0.1:8001/y/coop"


def test_the_variables_are_those_that_the_sandbox_names(state: State) -> None:
    with Sandbox() as sandbox:
        named = sandbox.environment()

        assert set(gateways.sandbox(state, sandbox.port)) == set(named)
        assert set(gateways.nobody()) == set(named)


def test_secrets_are_made_once_and_are_nobody_elses(state: State) -> None:
    first, again = gateways.sandbox(state, 8001), gateways.sandbox(state, 8001)

    assert first == again
    assert first["PAYPAL_SECRET"] != first["PAID_AUTH_CODE"]
    assert min(len(first["PAYPAL_SECRET"]), len(first["PAID_AUTH_CODE"])) >= 48
    for file in state.folder.glob("sandbox-*"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_account_of_the_users_own_stays_whole(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYPAL_CLIENT_ID", "mine")
    monkeypatch.setenv("PAYPAL_SECRET", "my-secret")

    variables = portal_environment(gateways.sandbox(state, 8001))

    paypal = {name: value for name, value in variables.items() if name.startswith("PAYPAL_")}
    assert paypal == {"PAYPAL_CLIENT_ID": "mine", "PAYPAL_SECRET": "my-secret"}
    assert variables["PAID_ENVIRONMENT"] == "local"


def test_the_sandbox_comes_back_to_its_port(state: State) -> None:
    first = gateways.choose_port(state, 8000)

    assert first > 8000
    assert gateways.choose_port(state, 9000) == first
    assert gateways.kept_port(state) == first


def test_a_port_that_is_taken_is_given_up(state: State) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        kept: int = taken.getsockname()[1]
        (state.folder / "sandbox-port").write_text(str(kept))

        chosen = gateways.choose_port(state, 8000)

    assert chosen != kept
    assert gateways.choose_port(state, chosen) != chosen

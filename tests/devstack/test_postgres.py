import os
import signal
from pathlib import Path

import psycopg
import pytest

from devstack import places, processes
from devstack.places import State
from devstack.postgres import Postgres
from devstack.supervisor import Supervisor


def _ask(server: Postgres, statement: str) -> str:
    with psycopg.connect(server.url()) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return str(row[0])


def _data(state: State) -> Path:
    return state.servers / "postgres" / "data"


def _pid(state: State) -> int:
    return int((_data(state) / "postmaster.pid").read_text().splitlines()[0])


def test_an_initdb_that_was_cut_short_is_done_again(state: State) -> None:
    half_done = places.make_folder(state.servers / "postgres", state.account) / "data.new"
    half_done.mkdir()
    (half_done / "PG_VERSION").write_text("18\n")
    server = Postgres(state, durable=False)

    try:
        server.start()

        assert _ask(server, "SELECT current_database()") == "billing_portal"
        assert not half_done.exists()
    finally:
        server.stop()


def test_a_running_cluster_is_adopted_and_left_running(state: State) -> None:
    owner, guest = Postgres(state, durable=False), Postgres(state, durable=False)
    try:
        started, adopted = owner.start(), not guest.start()
        guest.stop()

        assert (started, adopted) == (True, True)
        assert guest.port == owner.port
        assert owner.is_alive()
        assert guest.is_alive()
    finally:
        owner.stop()
    assert not guest.is_alive()


def test_a_killed_server_is_started_again_on_its_port_with_its_data(state: State) -> None:
    server = Postgres(state, durable=True)
    try:
        server.start()
        port = server.port
        with psycopg.connect(server.url()) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        supervisor = Supervisor([server])

        os.kill(_pid(state), signal.SIGKILL)
        while server.is_alive():
            pass
        supervisor.look_after()

        assert server.port == port
        assert _ask(server, "SELECT answer FROM kept") == "42"
    finally:
        server.stop()


def test_an_adopted_server_that_stops_is_replaced_on_its_port(state: State) -> None:
    owner, guest = Postgres(state, durable=False), Postgres(state, durable=False)
    try:
        owner.start()
        guest.start()
        owner.stop()

        Supervisor([guest]).look_after()

        assert guest.port == owner.port
        assert _ask(guest, "SELECT 1") == "1"
    finally:
        guest.stop()


def test_a_process_number_that_went_to_a_stranger_does_not_stop_the_start(state: State) -> None:
    server = Postgres(state, durable=False)
    server.start()
    left = (_data(state) / "postmaster.pid").read_text().splitlines()
    server.stop()
    left[0] = str(os.getpid())
    (_data(state) / "postmaster.pid").write_text("\n".join(left) + "\n")

    try:
        assert server.start()
    finally:
        server.stop()


def test_only_the_password_opens_the_server(state: State) -> None:
    server = Postgres(state, durable=False)
    try:
        server.start()
        wrong = server.url().replace(":", ":x", 2)

        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong.replace("postgresql:x//", "postgresql://"))

        secret = state.servers / "postgres.password"
        assert secret.stat().st_mode & 0o777 == 0o600
        assert secret.read_text() not in processes.command_line(_pid(state))
    finally:
        server.stop()

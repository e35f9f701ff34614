import os
import signal

import redis

from devstack import processes
from devstack.places import State
from devstack.supervisor import Supervisor
from devstack.valkey import Valkey


def _pid(server: Valkey) -> int:
    with redis.Redis.from_url(server.url()) as client:
        return int(client.info("server")["process_id"])


def test_a_running_server_is_adopted_and_left_running(state: State) -> None:
    owner, guest = Valkey(state, durable=False), Valkey(state, durable=False)
    try:
        started, adopted = owner.start(), not guest.start()
        guest.stop()

        assert (started, adopted) == (True, True)
        assert guest.url() == owner.url()
        assert owner.is_alive()
    finally:
        owner.stop()
    assert not guest.is_alive()


def test_a_killed_server_is_started_again_on_its_port_with_its_data(state: State) -> None:
    server = Valkey(state, durable=True)
    try:
        server.start()
        url = server.url()
        with redis.Redis.from_url(url) as client:
            client.set("kept", "42")
        supervisor = Supervisor([server])

        os.kill(_pid(server), signal.SIGKILL)
        while server.is_alive():
            pass
        supervisor.look_after()

        with redis.Redis.from_url(url) as client:
            assert client.get("kept") == b"42"
    finally:
        server.stop()


def test_the_password_is_not_in_the_command_line(state: State) -> None:
    server = Valkey(state, durable=False)
    try:
        server.start()

        secret = (state.servers / "valkey.password").read_text()
        assert secret not in processes.command_line(_pid(server))
    finally:
        server.stop()

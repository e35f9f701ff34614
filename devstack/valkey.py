"""A Valkey (or Redis) server for one checkout."""

import signal
import subprocess
import time
from pathlib import Path

import redis

from devstack import binaries, places, ports, processes
from devstack.console import DevError, tail
from devstack.places import State

START_PATIENCE = 30.0  # seconds
STOP_PATIENCE = 10.0


class Valkey:
    """One server: adopted when it already runs, restarted on its port."""

    name = "Valkey"

    def __init__(self, state: State, *, durable: bool) -> None:
        self._state = state
        self._durable = durable
        self._folder = state.servers / "valkey"
        self._password_file = state.servers / "valkey.password"
        self._port_file = state.servers / "valkey.port"
        self._program = binaries.valkey_server(state.account)
        self._process: subprocess.Popen[bytes] | None = None
        self.port: int | None = None

    @property
    def log(self) -> Path:
        """The file that the server writes to."""
        return self._state.log("valkey")

    def url(self) -> str:
        """Return the URL of the server, which must have been started."""
        return f"redis://:{self._password_file.read_text()}@127.0.0.1:{self.port}/0"

    def start(self) -> bool:
        """Have the server running. Returns False if it already ran and was adopted.

        Raises DevError.
        """
        password = places.kept_secret(self._password_file)
        if self._adopt():
            return False
        self.port = self.port or ports.free_port()
        places.make_folder(self._folder, self._state.account)
        # From standard input, because a command line can be read by everybody.
        configuration = (
            "bind 127.0.0.1\n"
            f"port {self.port}\n"
            f'dir "{self._folder}"\n'
            f"requirepass {password}\n"
            'save ""\n'
            f"appendonly {'yes' if self._durable else 'no'}\n"
            "maxmemory-policy noeviction\n"  # a queue is no cache: nothing is thrown out
        )
        self._process = processes.spawn(
            [str(self._program), "-"],
            log=self.log,
            dies_by=signal.SIGTERM,
            account=self._state.account,
            reads=configuration.encode(),
        )
        self._await_answer(self._process)
        places.write_secret(self._port_file, str(self.port))
        return True

    def is_alive(self) -> bool:
        """Return whether the server runs, be it started by us or adopted."""
        if self._process is not None:
            return self._process.poll() is None
        return self._answers()

    def stop(self) -> None:
        """Stop the server if it was us who started it."""
        if self._process is not None:
            processes.stop_all([self._process], by=signal.SIGTERM, patience=STOP_PATIENCE)
            self._process = None

    def _adopt(self) -> bool:
        if self._process is not None or not self._port_file.exists():
            return False
        before, self.port = self.port, int(self._port_file.read_text())
        if self._answers():
            return True
        self.port = before
        return False

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url(), socket_timeout=5) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def _await_answer(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_PATIENCE
        while not self._answers():
            if process.poll() is not None:
                self._process = None
                raise DevError(f"Valkey does not start:\n{tail(self.log)}")
            if time.monotonic() > deadline:
                raise DevError(f"Valkey does not answer:\n{tail(self.log)}")
            time.sleep(0.02)

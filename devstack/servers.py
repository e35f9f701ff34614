"""The database and the broker of one command: the user's own, or servers started here."""

import contextlib
import os
from collections.abc import Iterator
from urllib.parse import urlsplit

from devstack.console import say
from devstack.places import State, held_lock
from devstack.postgres import Postgres
from devstack.valkey import Valkey

Server = Postgres | Valkey


class Servers:
    """What a command needs served; `ours` are those that run here."""

    def __init__(self, state: State, *, durable: bool, external: bool = True) -> None:
        """Choose the servers; `external` allows DATABASE_URL and REDIS_URL to stand for one."""
        self._state = state
        self._urls: dict[str, str] = {}
        self._embedded: dict[str, Server] = {}
        for variable, kind in (("DATABASE_URL", Postgres), ("REDIS_URL", Valkey)):
            if external and (url := os.environ.get(variable)):
                self._urls[variable] = url
                say(f"{kind.name} of {variable}, at {_address(url)}")
            else:
                self._embedded[variable] = kind(state, durable=durable)
        self._started: list[Server] = []

    @property
    def ours(self) -> tuple[Server, ...]:
        """The servers that run here, started or adopted."""
        return tuple(self._embedded.values())

    @property
    def database_url(self) -> str:
        """The database; the servers must have been started."""
        return self._url("DATABASE_URL")

    @property
    def redis_url(self) -> str:
        """The broker; the servers must have been started."""
        return self._url("REDIS_URL")

    def _url(self, variable: str) -> str:
        return self._urls.get(variable) or self._embedded[variable].url()

    def start(self) -> None:
        """Start what does not run yet. Two commands that start at once do so one by one."""
        with held_lock(self._state.folder / "start.lock", wait=True):
            for server in self.ours:
                started = server.start()
                if started:
                    self._started.append(server)
                how = "" if started else ", which was up already"
                say(f"{server.name} on 127.0.0.1:{server.port}{how}")

    def stop(self) -> None:
        """Stop what was started here, the database last."""
        for server in reversed(self.ours):
            server.stop()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Have the servers up for a while, for this command alone."""
        try:
            self.start()
            yield
        finally:
            self.stop()

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Have the servers up for a while, together with other commands on the same data.

        Who started them waits, before stopping them, until the others have finished.
        """
        users = self._state.folder / "users.lock"
        try:
            with held_lock(users, shared=True, wait=True):
                self.start()
                yield
            if self._started:
                with held_lock(users) as last:
                    if not last:
                        say("waiting for another ./dev manage that uses the same servers")
                with held_lock(users, wait=True):
                    self.stop()
        finally:
            self.stop()


def _address(url: str) -> str:
    """Return host and port of a server's URL, without its password."""
    return urlsplit(url).netloc.rpartition("@")[2] or "its default address"

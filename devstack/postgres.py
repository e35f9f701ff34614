"""A PostgreSQL server for one checkout."""

import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from devstack import binaries, places, ports, processes
from devstack.console import DevError, tail
from devstack.places import State

USER = "billing"
DATABASE = "billing_portal"
START_PATIENCE = 60.0  # seconds; recovery after a crash in full write took half of one
STOP_PATIENCE = 15.0

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket's path is limited to 107 bytes; a checkout's is not
    "timezone": "UTC",
    "log_timezone": "UTC",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "wal_compression": "off",
    "jit": "off",
    "max_connections": "100",
}
# For data that nobody misses after a power cut, and for many test databases at once.
THROWAWAY_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
}
FIRST_WITH_BUILTIN_LOCALES = 17
READY_LINE = 7  # of postmaster.pid, counted from 0
PORT_LINE = 3


@dataclass(frozen=True, slots=True)
class _Running:
    pid: int
    port: int
    ready: bool


class Postgres:
    """One cluster: made when there is none, adopted when it already runs, restarted on its port."""

    name = "PostgreSQL"

    def __init__(self, state: State, *, durable: bool) -> None:
        self._state = state
        self._durable = durable
        self._folder = state.servers / "postgres"
        self._data = self._folder / "data"
        self._password_file = state.servers / "postgres.password"
        self._bin = binaries.postgres_bin(state.account)
        self._process: subprocess.Popen[bytes] | None = None
        self.port: int | None = None

    @property
    def log(self) -> Path:
        """The file that the server writes to."""
        return self._state.log("postgres")

    def url(self, database: str = DATABASE) -> str:
        """Return the URL of a database; the server must have been started."""
        password = self._password_file.read_text()
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> bool:
        """Have the server running and our database in it.

        Returns False if it already ran and was adopted. Raises DevError.
        """
        self._create_cluster()
        started = not self._adopt()
        if started:
            self._launch()
        self._create_database()
        return started

    def is_alive(self) -> bool:
        """Return whether the server runs, be it started by us or adopted."""
        if self._process is not None:
            return self._process.poll() is None
        return self._running() is not None

    def stop(self) -> None:
        """Stop the server if it was us who started it: at once, but with its data in order."""
        if self._process is not None:
            processes.stop_all([self._process], by=signal.SIGINT, patience=STOP_PATIENCE)
            self._process = None

    def _create_cluster(self) -> None:
        version = self._data / "PG_VERSION"
        if version.exists():
            self._check_version(version.read_text().strip())
            return
        # initdb works beside the final place: one that was cut short is not taken for a cluster.
        places.make_folder(self._folder, self._state.account)
        fresh = self._folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        password = places.kept_secret(self._password_file)
        handed_over = self._folder / "password"  # initdb reads it as the server's account
        handed_over.unlink(missing_ok=True)
        places.write_secret(handed_over, password)
        if self._state.account is not None:
            shutil.chown(handed_over, self._state.account.uid, self._state.account.gid)
        try:
            self._initdb(fresh, handed_over)
        finally:
            handed_over.unlink()
        fresh.rename(self._data)

    def _initdb(self, data: Path, password_file: Path) -> None:
        if self._major() >= FIRST_WITH_BUILTIN_LOCALES:
            locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        else:
            locale = ["--locale=C.UTF-8"]
        command = [
            str(self._bin / "initdb"),
            f"--pgdata={data}",
            f"--username={USER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            *locale,
            *([] if self._durable else ["--no-sync"]),
        ]
        with self.log.open("ab") as log:
            done = subprocess.run(
                command,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=False,
                **places.credentials(self._state.account),
            )
        if done.returncode != 0:
            raise DevError(f"PostgreSQL's initdb failed:\n{tail(self.log)}")

    def _major(self) -> int:
        answer = subprocess.run(
            [self._bin / "postgres", "--version"], capture_output=True, text=True, check=True
        )
        found = re.search(r"\d+", answer.stdout)
        if found is None:
            raise DevError(f"{self._bin / 'postgres'} --version says {answer.stdout!r}.")
        return int(found.group())

    def _check_version(self, of_data: str) -> None:
        ours = self._major()
        if of_data != str(ours):
            raise DevError(
                f"The data in {self._data} are PostgreSQL {of_data}'s, but the programs are {ours}.\n"
                f"Set PG_BINDIR to the programs of version {of_data}, or remove {self._folder}:\n"
                "the demo data are then made anew."
            )

    def _running(self) -> _Running | None:
        """Return what runs on our data, by its postmaster.pid; a stale one counts as nothing."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
            pid, port = int(lines[0]), int(lines[PORT_LINE])
        except (OSError, ValueError, IndexError):
            return None
        # After a reboot the number may be somebody else's.
        if str(self._data) not in processes.command_line(pid):
            return None
        ready = len(lines) > READY_LINE and lines[READY_LINE].strip() == "ready"
        return _Running(pid, port, ready)

    def _adopt(self) -> bool:
        """Take over a server that is up; one that is coming or going is waited for."""
        deadline = time.monotonic() + START_PATIENCE
        while (running := self._running()) is not None:
            if running.ready:
                self.port = running.port
                return True
            if time.monotonic() > deadline:
                raise DevError(
                    f"A PostgreSQL (process {running.pid}) has been starting or stopping on\n"
                    f"{self._data} for {START_PATIENCE:.0f} s. Its log:\n{tail(self.log)}"
                )
            time.sleep(0.05)
        return False

    def _launch(self) -> None:
        self.port = self.port or ports.free_port()
        self._drop_reused_pid()
        settings = SETTINGS | ({} if self._durable else THROWAWAY_SETTINGS)
        command = [str(self._bin / "postgres"), "-D", str(self._data), "-p", str(self.port)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        deadline = time.monotonic() + START_PATIENCE
        while not self._comes_up(command, deadline):
            time.sleep(0.2)

    def _comes_up(self, command: list[str], deadline: float) -> bool:
        """Start the server once; False says that the last one's backends are still leaving."""
        log_ended = self.log.stat().st_size if self.log.exists() else 0
        process = processes.spawn(
            command, log=self.log, dies_by=signal.SIGINT, account=self._state.account
        )
        while not ((running := self._running()) and running.ready):
            late = time.monotonic() > deadline
            if process.poll() is not None:
                said = self.log.read_bytes()[log_ended:]
                if b"is still in use" in said and not late:
                    return False
                raise DevError(f"PostgreSQL does not start:\n{tail(self.log)}")
            if late:
                processes.stop_all([process], by=signal.SIGINT, patience=STOP_PATIENCE)
                raise DevError(f"PostgreSQL is not ready after a minute:\n{tail(self.log)}")
            time.sleep(0.02)
        self._process = process
        return True

    def _drop_reused_pid(self) -> None:
        """Remove a postmaster.pid whose number now belongs to a stranger.

        postgres would take the stranger for a server on its data. In every other case the file
        stays: by it postgres sees backends that outlive a killed server, and waits for them.
        """
        file = self._data / "postmaster.pid"
        try:
            pid = int(file.read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return
        called = processes.command_line(pid)
        if called and str(self._data) not in called:
            file.unlink()

    def _create_database(self) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            known = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]
            ).fetchone()
            if known is None:
                statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE))
                connection.execute(statement)

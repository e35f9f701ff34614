"""The portal's own processes, for tests that end them."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from time import monotonic

from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 90.0


def environment(**changes: str) -> dict[str, str]:
    """Return what a process of the portal needs to work on this test's database and broker."""
    database = connection.settings_dict
    login = f"{database['USER']}:{database['PASSWORD']}"
    return {
        **os.environ,
        "PORTAL_MODE": "development",
        "DATABASE_URL": f"postgresql://{login}@{database['HOST']}:{database['PORT']}/{database['NAME']}",
        "REDIS_URL": broker_url(),
        "WORK_LEASE_SECONDS": "2",
        "BILLING_PAGE": "10",
        **changes,
    }


def broker_url() -> str:
    """Return a database of the test's broker that no other test process uses."""
    process = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return f"{settings.REDIS_URL.rpartition('/')[0]}/{1 + int(process)}"


def manage(*args: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a management command in a process of its own, to its end."""
    return subprocess.run(
        [sys.executable, "manage.py", *args],
        cwd=ROOT,
        env=dict(env),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def begin(*args: str, env: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Begin a management command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "manage.py", *args],
        cwd=ROOT,
        env=dict(env),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@contextmanager
def worker(
    env: Mapping[str, str], log: Path, *options: str, queues: str = "default"
) -> "Iterator[subprocess.Popen[bytes]]":
    """Have a real Celery worker of two processes run for the length of a block."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "celery", "-A", "billing_portal", "worker"),
                *("-Q", queues, "-c", "2", "-l", "INFO", "--without-gossip", "--without-mingle"),
                *options,
            ],
            cwd=ROOT,
            env=dict(env),
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        wait_until(lambda: b" ready." in log.read_bytes())
        yield process
    finally:
        kill(process)


def kill(process: "subprocess.Popen[bytes]") -> None:
    """End a process and all that it started, as a power cut would."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(happened: Callable[[], bool]) -> None:
    """Return when another process has brought something about. Raises TimeoutError."""
    ends = monotonic() + PATIENCE
    never = Event()
    while not happened():
        if monotonic() > ends:
            raise TimeoutError
        never.wait(0.05)

"""Where the files of this checkout's servers lie, and whom they belong to.

PostgreSQL refuses to run as root. Root therefore runs the servers as an account without rights,
which may be unable to enter the checkout (a clone under /root, say). Their data and binaries
then lie under /var/lib/billing-portal; opening somebody's home folder is not ours to do.
"""

import contextlib
import fcntl
import hashlib
import os
import pwd
import secrets
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypedDict

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local"
OUTSIDE = Path("/var/lib/billing-portal")


class Credentials(TypedDict, total=False):
    """What subprocess.Popen takes to start a process as somebody else."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the servers run as when we are root."""

    uid: int
    gid: int

    def can_enter(self, folder: Path) -> bool:
        """Return whether the account reaches what is in the folder, by the mode bits on the way."""
        for step in (folder, *folder.parents):
            if not step.exists():
                continue
            found = step.stat()
            if found.st_uid == self.uid:
                needed = stat.S_IXUSR
            elif found.st_gid == self.gid:
                needed = stat.S_IXGRP
            else:
                needed = stat.S_IXOTH
            if not found.st_mode & needed:
                return False
        return True


def server_account() -> Account | None:
    """Return the account to run servers as, or None if that is simply who we are."""
    if os.geteuid() != 0:
        return None
    # initdb wants an account that has a name.
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    raise LookupError("neither postgres nor nobody is an account here")


def credentials(account: Account | None) -> Credentials:
    """Return the arguments that make subprocess.Popen start a process as the account."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def make_folder(folder: Path, account: Account | None) -> Path:
    """Make a folder that only the account (or, without one, we) can read."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if account is not None:
        os.chown(folder, account.uid, account.gid)
    return folder


def make_open_folder(folder: Path) -> Path:
    """Make a folder below OUTSIDE that everybody can enter, whatever our umask."""
    folder.mkdir(parents=True, exist_ok=True)
    for made in (folder, *folder.parents):
        if made.is_relative_to(OUTSIDE):
            made.chmod(0o755)
    return folder


def write_secret(file: Path, content: str) -> None:
    """Write a file that only its owner can read; it is either absent or complete."""
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as output:  # noqa: PTH123
        output.write(content)
    fresh.replace(file)


def kept_secret(file: Path) -> str:
    """Return the secret in a file, made up and stored there the first time."""
    if not file.exists():
        write_secret(file, secrets.token_urlsafe(48))
    return file.read_text()


@dataclass(frozen=True, slots=True)
class State:
    """The files of one set of servers."""

    folder: Path  # logs, secrets, and what the portal itself writes
    servers: Path  # the servers' data, which their account can enter
    account: Account | None

    def log(self, name: str) -> Path:
        """Return the log file of a process."""
        return self.folder / f"{name}.log"


def outside_of(checkout: Path) -> Path:
    """Return this checkout's own folder under /var/lib."""
    return OUTSIDE / hashlib.sha256(str(checkout).encode()).hexdigest()[:12]


def kept_state(name: str, *, local: Path = LOCAL) -> State:
    """Return the files that stay from one command to the next."""
    account = server_account()
    folder = local / name
    folder.mkdir(parents=True, exist_ok=True)
    outside = outside_of(local.parent) / name
    # What once lay outside stays there, also if the way into the checkout was opened since.
    if account is not None and (outside.exists() or not account.can_enter(folder)):
        make_open_folder(outside)
        (outside_of(local.parent) / "checkout").write_text(f"{local.parent}\n")
        return State(folder, outside, account)
    return State(folder, folder, account)


@contextlib.contextmanager
def throwaway_state(name: str, *, local: Path = LOCAL) -> Iterator[State]:
    """Give files of its own to one command, and remove them after it.

    What a killed command left behind is removed by the next one: a folder in use is known by
    the lock that its user holds.
    """
    (local / name).mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as in_use:
        with held_lock(local / f"{name}.lock", wait=True):
            for left in (local / name).iterdir():
                with held_lock(left / "in-use") as free:
                    if free:
                        _remove(left, local)
            state = kept_state(f"{name}/{secrets.token_hex(4)}", local=local)
            in_use.enter_context(held_lock(state.folder / "in-use"))
        try:
            yield state
        finally:
            _remove(state.folder, local)


def _remove(folder: Path, local: Path) -> None:
    outside = outside_of(local.parent) / folder.relative_to(local)
    shutil.rmtree(outside, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def held_lock(file: Path, *, shared: bool = False, wait: bool = False) -> Iterator[bool]:
    """Hold a lock for a while; gives False if somebody else has it and we did not want to wait."""
    mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        lock = file.open("a")
    except FileNotFoundError:  # its folder was removed a moment ago
        yield False
        return
    with lock:
        yield _flock(lock, mode if wait else mode | fcntl.LOCK_NB)


def _flock(lock: IO[str], mode: int) -> bool:
    try:
        fcntl.flock(lock, mode)
    except BlockingIOError:
        return False
    return True

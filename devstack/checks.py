"""./dev check: everything a machine can say about the code without running its tests."""

import secrets
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from devstack import environment, places
from devstack.console import DevError, say
from devstack.places import ROOT
from devstack.servers import Servers

PYTHON_SOURCES = (".", "dev")  # the tools find *.py by themselves, but not a name without suffix
# What a production start must be given; the values only have to look right.
PRODUCTION = {
    "PORTAL_MODE": "production",
    "PORTAL_ORIGIN": "https://portal.example",
    "SECRET_KEY": secrets.token_urlsafe(64),
    "SMTP_HOST": "mail.example",
    # None of the accounts of a developer's shell: a local one would be refused, and rightly.
    "PAYPAL_CLIENT_ID": "",
    "PAID_AUTH_CODE": "",
}
AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to find out, by one command."""

    what: str
    call: tuple[str, ...]  # of the Python interpreter
    production: bool = False


CHECKS = (
    # The slowest first, so that it is not waited for at the end.
    Check("types", ("-m", "mypy", *PYTHON_SOURCES)),
    Check("format", ("-m", "ruff", "format", "--check", *PYTHON_SOURCES)),
    Check("lint", ("-m", "ruff", "check", *PYTHON_SOURCES)),
    Check("imports", ("-c", "from importlinter.cli import lint_imports_command as run; run()")),
    Check("templates", ("-m", "djlint", "--lint", "--quiet", "templates")),
    Check("migrations", ("manage.py", "makemigrations", "--check", "--dry-run")),
    Check(
        "production settings",
        ("manage.py", "check", "--deploy", "--fail-level", "WARNING"),
        production=True,
    ),
    Check("translations", ("-m", "devstack.translations")),
)
FIXES = (
    ("-m", "ruff", "check", "--fix", "--quiet", *PYTHON_SOURCES),
    ("-m", "ruff", "format", "--quiet", *PYTHON_SOURCES),
)


def run(arguments: Sequence[str]) -> int:
    """Run all checks, show the output of those that fail, and return 1 if any did."""
    if arguments not in ([], ["--fix"]):
        raise DevError("./dev check takes no arguments but --fix.")
    if arguments:
        for fix in FIXES:
            subprocess.run([sys.executable, *fix], cwd=ROOT, check=False)
    with places.throwaway_state("check") as state:
        servers = Servers(state, durable=False)
        with servers.running():
            variables = environment.portal_environment(
                "development",
                database_url=servers.database_url,
                redis_url=servers.redis_url,
                secret_key=environment.new_key(),
                origin=environment.origin_at(8000),
                gateways={},
            )
            with ThreadPoolExecutor(AT_ONCE) as pool:
                passed = list(pool.map(lambda check: _passes(check, variables), CHECKS))
    failed = [check.what for check, good in zip(CHECKS, passed, strict=True) if not good]
    say(f"failed: {', '.join(failed)}" if failed else f"all {len(CHECKS)} checks passed")
    return 1 if failed else 0


def _passes(check: Check, variables: Mapping[str, str]) -> bool:
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, *check.call],
        cwd=ROOT,
        env={**variables, **(PRODUCTION if check.production else {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - begin
    if done.returncode == 0:
        say(f"{check.what}: good ({seconds:.1f} s)")
        return True
    say(f"{check.what}: FAILED ({seconds:.1f} s)\n{done.stdout.rstrip()}\n")
    return False

"""What the developer reads: lines with the seconds since ./dev was called, and refusals."""

import os
import sys
import time
from pathlib import Path
from typing import TextIO

STARTED_AT = float(os.environ.get("DEV_STARTED_AT", time.time()))


class DevError(Exception):
    """Something the developer has to know or do; its text says what."""


def say(message: str, *, to: TextIO | None = None) -> None:
    """Print one line, with the seconds since ./dev was called.

    It goes to stderr: what ./dev manage prints on stdout may be meant for a file.
    """
    print(f"[{time.time() - STARTED_AT:6.1f}s] {message}", file=to or sys.stderr, flush=True)


def tail(log: Path, lines: int = 15) -> str:
    """Return the end of a log, indented, to be shown under a failure."""
    if not log.exists():
        return f"  (no {log})"
    last = log.read_text(errors="replace").splitlines()[-lines:]
    return "\n".join(f"  {line}" for line in last) + f"\n  (the end of {log})"

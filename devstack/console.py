"""What the developer reads: lines with the seconds since ./dev was called, and refusals."""

import os
import time
from pathlib import Path

STARTED_AT = float(os.environ.get("DEV_STARTED_AT", time.time()))


class DevError(Exception):
    """Something the developer has to know or do; its text says what."""


def say(message: str) -> None:
    """Print one line, with the seconds since ./dev was called."""
    print(f"[{time.time() - STARTED_AT:6.1f}s] {message}", flush=True)


def tail(log: Path, lines: int = 15) -> str:
    """Return the end of a log, indented, to be shown under a failure."""
    if not log.exists():
        return f"  (no {log})"
    last = log.read_text(errors="replace").splitlines()[-lines:]
    return "\n".join(f"  {line}" for line in last) + f"\n  (the end of {log})"

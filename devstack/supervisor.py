"""Keeping the parts of a running portal alive."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from devstack import processes
from devstack.console import DevError, say
from devstack.places import ROOT, State

WARM_UP = 30.0  # seconds; who lived longer is restarted at once, who did not after a pause
LONGEST_PAUSE = 30.0
STOP_PATIENCE = 10.0


class Part(Protocol):
    """Something that has to stay up."""

    name: str

    @property
    def log(self) -> Path:
        """The file that tells why it went down."""

    def start(self) -> bool:
        """Bring it up. Raises DevError."""

    def is_alive(self) -> bool:
        """Return whether it is up."""

    def stop(self) -> None:
        """Bring it down."""


class Program:
    """A process of the portal itself: web, worker or beat."""

    def __init__(
        self, name: str, module_call: Sequence[str], *, state: State, environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self._command = [sys.executable, "-W", "ignore", "-m", *module_call]
        self._state = state
        self._environment = environment
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """The file that the process writes to."""
        return self._state.log(self.name)

    def start(self) -> bool:
        """Start the process; whether it manages is seen later."""
        # If we are killed, the servers go too, and a polite signal would leave Celery waiting
        # for its broker for ever. What was unfinished is rows, and taken up at the next start.
        self.process = processes.spawn(
            self._command,
            log=self.log,
            dies_by=signal.SIGKILL,
            environment=self._environment,
            folder=ROOT,
        )
        return True

    def is_alive(self) -> bool:
        """Return whether the process runs."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """Let the process finish what it is at, but not for long."""
        stop_programs([self])


def stop_programs(
    programs: Sequence[Program], *, in_a_hurry: Callable[[], bool] = lambda: False
) -> None:
    """Let programs finish what they are at, all at once, but not for long."""
    running = {id(each.process): each for each in programs if each.process is not None}
    late = processes.stop_all(
        [each.process for each in programs if each.process is not None],
        by=signal.SIGTERM,
        patience=STOP_PATIENCE,
        in_a_hurry=in_a_hurry,
    )
    for process in late:
        say(f"{running[id(process)].name} did not stop in time and was killed")


@dataclass(slots=True)
class Pulse:
    """How a part has been doing, and when it may be started again."""

    started_at: float
    failures: int = 0  # in a row
    start_at: float | None = None  # it is down, and its turn comes then

    def went_down(self, now: float) -> float:
        """Note that the part is down; return the seconds to wait before starting it."""
        self.failures = 0 if now - self.started_at > WARM_UP else self.failures + 1
        pause = min(2.0 ** (self.failures - 1), LONGEST_PAUSE) if self.failures > 1 else 0.0
        self.start_at = now + pause
        return pause

    def is_tried(self, now: float) -> None:
        """Note that the part is being started."""
        self.started_at, self.start_at = now, None


class Supervisor:
    """Looks after parts that are up: one that goes down is started again."""

    def __init__(self, parts: Sequence[Part]) -> None:
        now = time.monotonic()
        self._pulses = [(part, Pulse(started_at=now)) for part in parts]

    def look_after(self) -> None:
        """Look at every part once, and start those whose turn has come."""
        for part, pulse in self._pulses:
            if pulse.start_at is None:
                if part.is_alive():
                    continue
                self._went_down(part, pulse, "has ended")
            if pulse.start_at is not None and time.monotonic() >= pulse.start_at:
                self._start(part, pulse)

    def _start(self, part: Part, pulse: Pulse) -> None:
        pulse.is_tried(time.monotonic())
        try:
            part.start()
        except DevError as error:
            say(str(error))
            self._went_down(part, pulse, "could not be started")
        else:
            say(f"{part.name} was started again")

    @staticmethod
    def _went_down(part: Part, pulse: Pulse, what: str) -> None:
        pause = pulse.went_down(time.monotonic())
        when = f"in {pause:.0f} s" if pause else "now"
        say(f"{part.name} {what} and is started again {when}; see {part.log}")

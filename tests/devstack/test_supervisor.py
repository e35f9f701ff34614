import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from devstack.console import DevError
from devstack.places import ROOT, State
from devstack.supervisor import Program, Pulse, Supervisor, stop_programs

SLEEPER = "import time; time.sleep(600)"
# Starts a process as ./dev run does, tells its number, and waits to be killed.
PARENT = f"""
import pathlib, signal, sys, time
from devstack import processes
child = processes.spawn(
    [sys.executable, "-c", {SLEEPER!r}], log=pathlib.Path(sys.argv[1]), dies_by=signal.SIGKILL
)
print(child.pid, flush=True)
time.sleep(600)
"""


@dataclass
class Part:
    name: str = "part"
    log: Path = Path("part.log")
    alive: bool = True
    can_start: bool = True
    starts: list[float] = field(default_factory=list)

    def start(self) -> bool:
        self.starts.append(time.monotonic())
        if not self.can_start:
            raise DevError("no")
        self.alive = True
        return True

    def is_alive(self) -> bool:
        return self.alive

    def stop(self) -> None:
        self.alive = False


def test_a_part_that_keeps_going_down_waits_longer_each_time_up_to_half_a_minute() -> None:
    pulse = Pulse(started_at=0.0)

    pauses = []
    for now in range(9):
        pauses.append(pulse.went_down(now))
        pulse.is_tried(now)

    assert pauses == [0.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0, 30.0]


def test_a_part_that_lived_long_is_started_at_once() -> None:
    pulse = Pulse(started_at=0.0, failures=7)

    assert pulse.went_down(31.0) == 0.0


def test_a_part_that_is_up_is_left_alone() -> None:
    part = Part()

    Supervisor([part]).look_after()

    assert part.starts == []


def test_a_part_that_went_down_is_started_again(capsys: pytest.CaptureFixture[str]) -> None:
    part = Part(alive=False)

    Supervisor([part]).look_after()

    assert part.alive
    assert "part has ended and is started again now; see part.log" in capsys.readouterr().err


def test_a_part_that_cannot_start_is_not_tried_without_a_pause() -> None:
    part, other = Part(alive=False, can_start=False), Part(name="other", alive=False)
    supervisor = Supervisor([part, other])

    for _ in range(5):
        supervisor.look_after()

    assert len(part.starts) == 1
    assert len(other.starts) == 1


def test_a_program_that_will_not_stop_is_killed_with_what_it_started(state: State) -> None:
    program = Program("stubborn", ["timeit"], state=state, environment=dict(os.environ))
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=1)"
    program._command = [sys.executable, "-c", f"{stubborn}; time.sleep(600)"]
    program.start()
    assert program.process is not None
    while not program.log.read_bytes():
        time.sleep(0.01)

    stop_programs([program], in_a_hurry=lambda: True)

    assert program.process.returncode == -signal.SIGKILL


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a process of its parent's end"
)
def test_what_was_started_dies_with_us_also_by_kill_9(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "log")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()

    deadline = time.monotonic() + 10
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False

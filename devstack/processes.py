"""Starting a process so that it never outlives us, and stopping it."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from devstack.places import Account, credentials

PR_SET_PDEATHSIG = 1


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    dies_by: signal.Signals,
    account: Account | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path = Path("/"),
    reads: bytes | None = None,
) -> subprocess.Popen[bytes]:
    """Start a process in the background, its output going to the end of a log.

    It is in a session of its own, so that a Ctrl-C reaches only us and we decide the order in
    which things stop. `dies_by` is what it gets if we are killed; `reads` is its whole input.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL if reads is None else subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=environment,
            start_new_session=True,
            preexec_fn=dying_with_us(dies_by),  # noqa: PLW1509 - we have one thread
            **credentials(account),
        )
    if process.stdin is not None and reads is not None:
        with contextlib.suppress(BrokenPipeError), process.stdin:  # it ended: its log says why
            process.stdin.write(reads)
    return process


def dying_with_us(dies_by: signal.Signals) -> Callable[[], None]:
    """Return what a new process calls to be sent a signal when we end, however we end (Linux)."""
    parent = os.getpid()

    def ask_the_kernel() -> None:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(dies_by))
            if os.getppid() != parent:  # we died before the kernel was asked
                os.kill(os.getpid(), signal.SIGKILL)

    return ask_the_kernel


def run_in_foreground(
    command: Sequence[str], *, environment: Mapping[str, str], folder: Path
) -> int:
    """Run a process on our terminal and return its exit code, as a shell counts it.

    Ctrl-C reaches the process by itself, and it decides what that means. SIGTERM is passed on.
    """
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=folder,
        preexec_fn=dying_with_us(signal.SIGTERM),  # noqa: PLW1509 - we have one thread
    )

    def pass_on(number: int, _frame: object) -> None:
        process.send_signal(number)

    before = signal.signal(signal.SIGINT, lambda *_: None), signal.signal(signal.SIGTERM, pass_on)
    try:
        code = process.wait()
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])
    return code if code >= 0 else 128 - code


def stop_all(
    processes: Sequence[subprocess.Popen[bytes]],
    *,
    by: signal.Signals,
    patience: float,
    in_a_hurry: Callable[[], bool] = lambda: False,
) -> list[subprocess.Popen[bytes]]:
    """Ask processes to stop, all at once; those that do not in time are killed, and returned.

    `patience` is in seconds for all of them together; `in_a_hurry` can cut it short.
    """
    for process in processes:
        if process.poll() is None:
            process.send_signal(by)
    deadline = time.monotonic() + patience
    while any(process.poll() is None for process in processes):
        if time.monotonic() > deadline or in_a_hurry():
            break
        time.sleep(0.02)
    late = [process for process in processes if process.poll() is None]
    for process in late:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return late


def command_line(pid: int) -> str:
    """Return how a process was called, or an empty text if there is none."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
        except OSError:
            return ""
    found = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return found.stdout.strip()

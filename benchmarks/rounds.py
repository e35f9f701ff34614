"""Floor and product in one run: interleaved rounds, medians, CPU time beside wall time.

    floor = Variant("raw COPY", run=copy, prepare=empty_floor)
    product = Variant("ingest", run=ingest, prepare=empty_product)
    taken = rounds.interleaved([floor, product], rounds=5, rows=200_000, backends=pids)
    rounds.report([at_least("G1", rounds.speed(taken, product, floor), 0.6)])

A machine that is shared and noisy leaves only ratios within one run worth anything, so a ratio is
the median of the ratios of the rounds, each of which ran floor and product one after the other.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_UTIME, _STIME = 11, 12  # of /proc/PID/stat, counted after the name in brackets


def _nothing(round_number: int) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to do the work. `run` is timed, `prepare` and `check` around it are not.

    Each of them is given the number of the round.
    """

    name: str
    run: Callable[[int], object]
    prepare: Callable[[int], None] = _nothing
    check: Callable[[int], None] = _nothing


@dataclass(frozen=True, slots=True)
class Taken:
    """What one run took, in seconds: by the clock, and of CPU in this process and its backends."""

    wall: float
    client: float
    server: float

    @property
    def cpu(self) -> float:
        return self.client + self.server


@dataclass(frozen=True, slots=True)
class Goal:
    """A ratio that was reached and the one to reach; `at_least` False: the smaller the better."""

    name: str
    ratio: float
    goal: float
    at_least: bool

    @property
    def margin(self) -> float:
        """How far it was reached: 1 exactly, above 1 with room to spare."""
        if self.at_least:
            return self.ratio / self.goal
        return self.goal / self.ratio if self.ratio else float("inf")

    def __str__(self) -> str:
        return f"ratio: {self.ratio:.2f} (goal {'≥' if self.at_least else '≤'} {self.goal:g})"


def at_least(name: str, ratio: float, goal: float) -> Goal:
    return Goal(name, ratio, goal, at_least=True)


def at_most(name: str, ratio: float, goal: float) -> Goal:
    return Goal(name, ratio, goal, at_least=False)


def measure(run: Callable[[], object], backends: Iterable[int] = ()) -> Taken:
    """Run once and return what it took; `backends`: process ids of the database's on this machine."""
    pids = list(backends)
    server = _server_cpu(pids)
    client = time.process_time()
    wall = time.perf_counter()
    run()
    wall = time.perf_counter() - wall
    client = time.process_time() - client
    return Taken(wall, client, _server_cpu(pids) - server)


def interleaved(
    variants: Sequence[Variant],
    *,
    rounds: int,
    rows: int,
    backends: Callable[[], Iterable[int]] = tuple,
    unit: str = "rows",
) -> dict[str, list[Taken]]:
    """Run every variant once a round, in turn, and print the medians; the first is the floor.

    `backends` is asked before each run: a variant may come with a connection of its own.
    """
    taken: dict[str, list[Taken]] = {variant.name: [] for variant in variants}
    for number in range(rounds):
        # The order turns, so that no variant always inherits the other's dirty pages.
        turn = number % len(variants)
        for variant in [*variants[turn:], *variants[:turn]]:
            variant.prepare(number)
            taken[variant.name].append(measure(partial(variant.run, number), backends()))
            variant.check(number)
    print_table(taken, rows=rows, unit=unit, floor=variants[0].name)
    return taken


def print_table(taken: Mapping[str, Sequence[Taken]], *, rows: int, unit: str, floor: str) -> None:
    """Print each variant's medians and its ratios to the floor."""
    print(
        f"{'':34} {'s':>8} {unit + '/s':>11} {'client µs':>10} {'server µs':>10}"
        f" {'× wall':>7} {'× CPU':>7}"
    )
    for name, runs in taken.items():
        wall = statistics.median(run.wall for run in runs)
        client = statistics.median(run.client for run in runs) / rows * 1e6
        server = statistics.median(run.server for run in runs) / rows * 1e6
        walls = speed(taken, name, floor)
        cpus = cpu_speed(taken, name, floor)
        print(
            f"{name:34} {wall:8.3f} {rows / wall:11,.0f} {client:10.2f} {server:10.2f}"
            f" {walls:7.2f} {cpus:7.2f}"
        )


def speed(taken: Mapping[str, Sequence[Taken]], product: str, floor: str) -> float:
    """Return how fast `product` is against `floor`: 1 is equal, above 1 is faster."""
    return statistics.median(
        theirs.wall / ours.wall for ours, theirs in zip(taken[product], taken[floor], strict=True)
    )


def slowness(taken: Mapping[str, Sequence[Taken]], product: str, floor: str) -> float:
    """Return how many times the floor's time `product` takes: 1 is equal, above 1 is slower."""
    return statistics.median(
        ours.wall / theirs.wall for ours, theirs in zip(taken[product], taken[floor], strict=True)
    )


def cpu_speed(taken: Mapping[str, Sequence[Taken]], product: str, floor: str) -> float:
    """Return `speed` by CPU time, which a noisy neighbour disturbs less."""
    return statistics.median(
        theirs.cpu / max(ours.cpu, 1e-9)
        for ours, theirs in zip(taken[product], taken[floor], strict=True)
    )


def report(goals: Sequence[Goal]) -> None:
    """Print every goal, and last the one that is furthest from being reached."""
    for goal in goals:
        print(f"{goal.name}: {goal}{'' if goal.margin >= 1 else '  NOT REACHED'}")
    print(min(goals, key=lambda goal: goal.margin))


def _server_cpu(pids: Sequence[int]) -> float:
    """Return the CPU seconds that these processes have used; 0 for one on another machine."""
    used = 0.0
    for pid in pids:
        path = Path(f"/proc/{pid}/stat")
        if path.exists():
            fields = path.read_text().rpartition(")")[2].split()
            used += (int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS
    return used

"""On which coming days accounts have to leave, how many, and because of what. Pure.

Who they are is told by their place in the order in which accounts stay (leaving.staying_order): at a
border, whoever stands beyond what is allowed leaves. Rule: domain.md 3.5, design.md 6.5.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from seats.rules.capacity import Capacity

# How many days before a border the root is told; the last is the day before. Rule: design.md 6.5.
STAGES = (30, 7, 1)


class Why(enum.StrEnum):
    """What ends at a border."""

    SPOT = "spot"
    CONTRACT = "contract"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Departure:
    """A coming border at which somebody leaves: `in_use` before it, `allowed` from it on."""

    at: datetime
    in_use: int
    allowed: int

    @property
    def count(self) -> int:
        return self.in_use - self.allowed


def departures(capacity: Capacity, in_use: int, now: datetime) -> tuple[Departure, ...]:
    """Return every border after `now` at which somebody leaves, as things stand."""
    found = []
    for border in capacity.borders():
        if border <= now:
            continue
        allowed = capacity.at(border)
        if allowed is not None and in_use > allowed:
            found.append(Departure(border, in_use, allowed))
            in_use = allowed
    return tuple(found)


def leaves_at(found: Sequence[Departure], place: int) -> datetime | None:
    """Return when the account at a place (1: the root) of the staying order leaves; None: it stays."""
    return next((each.at for each in found if each.allowed < place), None)


def least_allowed(found: Sequence[Departure]) -> int | None:
    """Return the last place of those who stay through it all; None where nobody leaves."""
    return found[-1].allowed if found else None


def reasons(capacity: Capacity, at: datetime) -> frozenset[Why]:
    """Return what ends at a border."""
    if capacity.closed_at is not None and capacity.closed_at <= at:
        return frozenset({Why.CLOSED})
    found = set()
    if any(each.until_at == at for each in capacity.spots):
        found.add(Why.SPOT)
    if any(each.until_at == at for each in capacity.main):
        found.add(Why.CONTRACT)
    return frozenset(found)


def stage_due(border_on: date, today: date, told: Mapping[date, int]) -> int | None:
    """Return the warning that a border calls for today: the most urgent that is reached, or None.

    `told`: the most urgent one that was given, by border. One that a late day has passed by is not given
    any more: the next replaces it.
    """
    days = (border_on - today).days
    reached = [stage for stage in STAGES if 0 < days <= stage]
    if not reached:
        return None
    stage = min(reached)
    given = told.get(border_on)
    return None if given is not None and given <= stage else stage

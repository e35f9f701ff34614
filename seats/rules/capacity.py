"""How many accounts an organisation may have at an instant, from its contracts alone. Pure.

Never a counter: whatever is asked is computed from the licence and the spot contracts.
Rule: domain.md 3.5, S2-08, S2-16, S2-19.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Main:
    """What the licence allows in a span of time (half open). `accounts` None: without limit."""

    accounts: int | None
    from_at: datetime
    until_at: datetime | None

    def covers(self, instant: datetime) -> bool:
        return self.from_at <= instant and (self.until_at is None or instant < self.until_at)


@dataclass(frozen=True, slots=True)
class Spot:
    """What a spot contract adds, from 00:00 of its first day to the end of its last (half open)."""

    order_id: int
    accounts: int
    from_at: datetime
    until_at: datetime

    def covers(self, instant: datetime) -> bool:
        return self.from_at <= instant < self.until_at


@dataclass(frozen=True, slots=True)
class Capacity:
    """What an organisation may have over time.

    `closed_at`: from when on it is no customer any more: then the root alone remains.
    """

    main: tuple[Main, ...] = ()
    spots: tuple[Spot, ...] = ()
    closed_at: datetime | None = None

    def at(self, instant: datetime) -> int | None:
        """Return how many accounts may be active at an instant, the root's too; None: any number.

        Where nothing is contracted, the root alone.
        """
        if self.is_closed(instant):
            return 1
        main = self.main_at(instant)
        if main is None:
            return None
        extra = sum(each.accounts for each in self.spots if each.covers(instant))
        return max(1, main + extra)

    def main_at(self, instant: datetime) -> int | None:
        """Return what the licence alone allows at an instant: 0 without one; None: any number."""
        main = next((each for each in self.main if each.covers(instant)), None)
        return 0 if main is None else main.accounts

    def has_licence(self, instant: datetime) -> bool:
        """Return whether anything is licensed at an instant, with a limit or without."""
        return any(each.covers(instant) for each in self.main)

    def main_before(self, instant: datetime) -> int | None:
        """Return what the licence alone allowed just before an instant."""
        ended = next(
            (
                each
                for each in self.main
                if each.from_at < instant and (each.until_at is None or instant <= each.until_at)
            ),
            None,
        )
        return 0 if ended is None else ended.accounts

    def is_closed(self, instant: datetime) -> bool:
        return self.closed_at is not None and instant >= self.closed_at

    def borders(self) -> tuple[datetime, ...]:
        """Return every instant at which the number may change, in order."""
        spans: list[Main | Spot] = [*self.main, *self.spots]
        found = {each.from_at for each in spans}
        found |= {each.until_at for each in spans if each.until_at is not None}
        return tuple(sorted(found | ({self.closed_at} if self.closed_at else set())))

    def next_fall(self, instant: datetime) -> tuple[datetime, int] | None:
        """Return when, after an instant, fewer accounts are allowed than just before, and how many then."""
        before = self.at(instant)
        for border in self.borders():
            if border <= instant:
                continue
            after = self.at(border)
            if after is not None and (before is None or after < before):
                return border, after
            before = after
        return None

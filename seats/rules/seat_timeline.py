"""What was, is and will be allowed, and how many accounts are in use, day by day. Pure.

A day says what holds at its end: what begins at noon is of that day, what ends at midnight is not.
Rule: design.md 6.4, domain.md 3.5.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from core.months import BillingMonth, start_of_day
from plans.rules.timeline import Timeline
from seats.rules.capacity import Capacity, Main, Spot
from spot_orders.rules.spot import Wish

# The order id of a spot contract that is only wished for.
WISHED = 0
_DAY = timedelta(days=1)
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class InUse:
    """How many accounts are in use now, and by how many the number changed on each day until today."""

    now: int
    changes: Mapping[date, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Segment:
    """Days on which all of it stays the same; `end_on` half open.

    `main`: what the licence allows, None without limit; then `spots` (order id, accounts) do not matter.
    `in_use`: counted up to today; afterwards (`is_planned`) today's accounts without those who leave.
    """

    first_on: date
    end_on: date
    main: int | None
    spots: tuple[tuple[int, int], ...]
    in_use: int
    is_planned: bool

    @property
    def spot_accounts(self) -> int:
        return sum(accounts for _, accounts in self.spots)

    @property
    def allowed(self) -> int | None:
        """How many accounts may be active on these days."""
        return None if self.main is None else self.main + self.spot_accounts


def segments(
    capacity: Capacity,
    in_use: InUse,
    *,
    first_on: date,
    end_on: date,
    today: date,
    zone: ZoneInfo,
) -> tuple[Segment, ...]:
    """Return the days from `first_on` until `end_on` (half open), in order and without a gap.

    `first_on` is not after `today`, `end_on` is. Whoever has no place at a border leaves then.
    """
    changed = {today + _DAY, *(day for day in in_use.changes if day <= today)}
    changed |= {_day_of(border, zone) for border in capacity.borders()}
    cuts = sorted(day for day in changed if first_on < day < end_on)
    found: list[Segment] = []
    for begins, ends in zip([first_on, *cuts], [*cuts, end_on], strict=True):
        instant = _end_of(begins, zone)
        allowed = capacity.at(instant)
        spots = _spots(capacity, instant, allowed)
        counted = _counted(in_use, begins, found, allowed, today)
        main = None if allowed is None else allowed - sum(accounts for _, accounts in spots)
        segment = Segment(begins, ends, main, spots, counted, is_planned=begins > today)
        if found and replace(segment, first_on=found[-1].first_on) == replace(
            found[-1], end_on=ends
        ):
            found[-1] = replace(found[-1], end_on=ends)
        else:
            found.append(segment)
    return tuple(found)


def span(capacity: Capacity, today: date, zone: ZoneInfo) -> tuple[date, date]:
    """Return the days worth showing, in whole months: the last one, and until all has ended (half open).

    At least three months ahead, at most eighteen.
    """
    month = BillingMonth.of_day(today)
    last = max((_day_of(each, zone) for each in capacity.borders()), default=today)
    shown = min(max(BillingMonth.of_day(last), month.plus(3)), month.plus(18))
    return month.previous.first_day, shown.next.first_day


def with_wish(capacity: Capacity, wish: Wish, zone: ZoneInfo) -> Capacity:
    """Return what would be allowed if a wished spot contract were paid."""
    wished = Spot(
        WISHED,
        wish.accounts,
        start_of_day(wish.first_on, zone),
        start_of_day(wish.end_on, zone),
    )
    return replace(capacity, spots=(*capacity.spots, wished))


def with_licence(capacity: Capacity, contracted: Timeline) -> Capacity:
    """Return what would be allowed if this were what is contracted of the licence."""
    main = tuple(Main(each.accounts, each.from_at, each.until_at) for each in contracted.licence)
    return replace(capacity, main=main)


def with_limit(capacity: Capacity, accounts: int, from_at: datetime) -> Capacity:
    """Return what would be allowed with a licence from an instant on that makes it so many accounts then.

    The spot contracts that run then are among them.
    """
    spots = sum(each.accounts for each in capacity.spots if each.covers(from_at))
    kept = [
        each
        if each.until_at is not None and each.until_at <= from_at
        else replace(each, until_at=from_at)
        for each in capacity.main
        if each.from_at < from_at
    ]
    return replace(capacity, main=(*kept, Main(max(0, accounts - spots), from_at, None)))


def _spots(
    capacity: Capacity, instant: datetime, allowed: int | None
) -> tuple[tuple[int, int], ...]:
    is_closed = capacity.closed_at is not None and instant >= capacity.closed_at
    if allowed is None or is_closed:
        return ()
    return tuple((each.order_id, each.accounts) for each in capacity.spots if each.covers(instant))


def _counted(
    in_use: InUse, day: date, before: list[Segment], allowed: int | None, today: date
) -> int:
    if day > today:
        last = before[-1].in_use if before else in_use.now
        return last if allowed is None else min(last, allowed)
    return in_use.now - sum(
        change for each, change in in_use.changes.items() if day < each <= today
    )


def _day_of(instant: datetime, zone: ZoneInfo) -> date:
    return instant.astimezone(zone).date()


def _end_of(day: date, zone: ZoneInfo) -> datetime:
    return start_of_day(day + _DAY, zone) - _INSTANT

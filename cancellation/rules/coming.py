"""What is going to change by itself, day by day, as things stand. Pure. Rule: S2-03, S2-13, S1-29."""

import enum
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from cancellation.rules.binding import BoundSpot
from core.months import start_of_day
from plans.enums import Category
from plans.rules import renewals
from plans.rules.timeline import Span, Timeline


class Kind(enum.StrEnum):
    """What happens on a day. RENEWS: the next term is ordered by itself, to begin later."""

    BEGINS = "begins"
    RENEWED = "renewed"
    RENEWS = "renews"
    FREE = "free"
    REPRICED = "repriced"
    SPOT_BEGINS = "spot_begins"
    SPOT_ENDS = "spot_ends"
    CLOSES = "closes"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that happens. `spot`: the spot contract that it is about."""

    kind: Kind
    spot: BoundSpot | None = None
    category: Category | None = None


@dataclass(frozen=True, slots=True)
class Coming:
    """A day and all that happens on it, at its first instant."""

    on: date
    items: tuple[Item, ...]


def coming(
    timeline: Timeline,
    spots: Iterable[BoundSpot],
    *,
    closed_on: date | None,
    now: datetime,
    zone: ZoneInfo,
) -> tuple[Coming, ...]:
    """Return what is to come, in the order of days; with a last day, nothing after it.

    `spots`: paid ones. `closed_on`: the day from which the organisation is no customer any more.
    """
    today = now.astimezone(zone).date()
    found: dict[date, list[Item]] = defaultdict(list)
    for on, item in _contracted(timeline, now, zone):
        found[on].append(item)
    for spot in spots:
        if spot.first_on > today:
            found[spot.first_on].append(Item(Kind.SPOT_BEGINS, spot))
        if spot.until_on > today:
            found[spot.until_on].append(Item(Kind.SPOT_ENDS, spot))
    last = timeline.last_term
    if timeline.renews and last is not None and last.end_on > today and closed_on is None:
        found[max(today, renewals.ordered_on(last))].append(Item(Kind.RENEWS))
    if closed_on is not None and closed_on > today:
        found[closed_on] = [Item(Kind.CLOSES)]
    return tuple(
        Coming(on, tuple(found[on])) for on in sorted(found) if closed_on is None or on <= closed_on
    )


def held_after(timeline: Timeline, on: date, zone: ZoneInfo) -> dict[Category, Span | None]:
    """Return what is contracted from the first instant of a day on."""
    instant = start_of_day(on, zone)
    return {category: timeline.at(category, instant) for category in Category}


def _contracted(timeline: Timeline, now: datetime, zone: ZoneInfo) -> Iterator[tuple[date, Item]]:
    """Yield what begins of plans and main contracts, and on which day."""
    renewed: set[date] = set()
    for category in Category:
        for span in timeline.of(category):
            if span.from_at > now:
                on = span.from_at.astimezone(zone).date()
                item = _of_span(span, category, on, timeline)
                if item.kind is Kind.RENEWED:
                    renewed.add(on)
                yield on, item
    for term in timeline.terms:
        # A renewal of the same plan changes nothing but the last day; it is still one to take back.
        is_ahead = term.first_on > now.astimezone(zone).date()
        if term.months_before and is_ahead and term.first_on not in renewed:
            yield term.first_on, Item(Kind.RENEWED)


def _of_span(span: Span, category: Category, on: date, timeline: Timeline) -> Item:
    if category is Category.LICENCE:
        if span.terms.is_free:
            return Item(Kind.FREE)
        for term in timeline.terms:
            if term.first_on == on:
                return Item(Kind.RENEWED if term.months_before else Kind.BEGINS)
    return Item(Kind.REPRICED, category=category)

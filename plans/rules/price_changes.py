"""A new version of a plan for everybody who has an older one, from the first of a month on. Pure.

A month's fee is that of its first instant, and a change at that very instant counts from the next month
(S1-26). For the month to be the first that is billed at the new price, the new version is in force from
the last instant before it. Rule: B-02.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from core.months import start_of_day
from plans.rules import timeline
from plans.rules.terms import PlanTerms
from plans.rules.timeline import Span, Timeline

# How long before customers are told.
NOTICE = timedelta(days=30)
# Until when it can be withdrawn: what was stored for everybody has to be stored back.
WITHDRAWN_BEFORE = timedelta(days=1)


def in_force_at(effective_on: date, zone: ZoneInfo) -> datetime:
    """Return the last instant before a month, from which a new version is in force."""
    return start_of_day(effective_on, zone) - datetime.resolution


def first_day(span: Span, zone: ZoneInfo) -> date:
    """Return the day on which a span begins for its reader: of a price change, the first of the month."""
    return (span.from_at + datetime.resolution).astimezone(zone).date()


def withdrawn_until(effective_on: date, zone: ZoneInfo) -> datetime:
    """Return the instant from which a price change can no longer be withdrawn."""
    return in_force_at(effective_on, zone) - WITHDRAWN_BEFORE


def repriced(
    contracted: Timeline, terms: PlanTerms, effective_on: date, zone: ZoneInfo
) -> Timeline:
    """Return the timeline with a new version for whoever has an older one when the month begins.

    Who leaves the plan at that instant pays the old price to the last.
    """
    return timeline.reprice(contracted, terms, _from(contracted, terms, effective_on, zone))


def replaced(
    contracted: Timeline, terms: PlanTerms, effective_on: date, zone: ZoneInfo
) -> tuple[Span, ...]:
    """Return what `repriced` takes away: older versions, from then on. Empty: nothing changes."""
    from_at = _from(contracted, terms, effective_on, zone)
    return tuple(
        replace(span, from_at=max(span.from_at, from_at))
        for span in contracted.of(terms.category)
        if timeline.is_older(span, terms) and (span.until_at is None or span.until_at > from_at)
    )


def taken_back(
    contracted: Timeline, terms: PlanTerms, had: Sequence[Span], now: datetime
) -> Timeline:
    """Return the timeline without a price change that was withdrawn: what it replaced is there again."""
    return timeline.take_back(contracted, terms, had, now)


def foreseen(
    contracted: Timeline, announced: Iterable[tuple[PlanTerms, date]], zone: ZoneInfo
) -> Timeline:
    """Return the timeline with the price changes that are announced and not stored for it yet."""
    for terms, effective_on in announced:
        contracted = repriced(contracted, terms, effective_on, zone)
    return contracted


def _from(contracted: Timeline, terms: PlanTerms, effective_on: date, zone: ZoneInfo) -> datetime:
    begins_at = start_of_day(effective_on, zone)
    present = contracted.at(terms.category, begins_at)
    if present is not None and timeline.is_older(present, terms):
        return in_force_at(effective_on, zone)
    return begins_at

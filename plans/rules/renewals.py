"""When a term that renews by itself is announced, and when the next one is ordered. Pure."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from core.months import start_of_day
from plans.rules.terms import PlanTerms
from plans.rules.timeline import MONTHLY, YEARLY, Refusal, Span, Term, Timeline, renew

ORDERED_BEFORE: Mapping[int, timedelta] = {
    YEARLY: timedelta(days=30),
    MONTHLY: timedelta(days=7),
}
# Time enough to switch it off: a month of a year's contract, a week of a month's.
TOLD_BEFORE: Mapping[int, timedelta] = {
    YEARLY: timedelta(days=60),
    MONTHLY: timedelta(days=14),
}


def ordered_on(term: Term) -> date:
    """Return the day on which the term after a term is ordered without anybody's doing. Rule: S2-13."""
    return term.end_on - ORDERED_BEFORE[term.months]


def told_on(term: Term) -> date:
    """Return the day on which the root is told that the term is going to be renewed."""
    return term.end_on - TOLD_BEFORE[term.months]


def paid_span(timeline: Timeline) -> Span | None:
    """Return the last paid span of the licence: what the last term ends with, and is renewed with."""
    paid = [span for span in timeline.licence if not span.terms.is_free]
    return paid[-1] if paid else None


def foreseen(
    timeline: Timeline,
    offers: Mapping[str, PlanTerms],
    *,
    until: date,
    now: datetime,
    zone: ZoneInfo,
) -> Timeline:
    """Return the timeline with the terms that automatic renewal is still to order, up to a day.

    `offers`: what is on sale by plan code; what is not on sale does not renew. Rule: S2-13.
    """
    today = now.astimezone(zone).date()
    while timeline.renews and (last := timeline.last_term) and today < last.end_on <= until:
        paid = paid_span(timeline)
        terms = offers.get(paid.terms.plan_code) if paid else None
        if paid is None or terms is None:
            break
        at = max(now, start_of_day(ordered_on(last), zone))
        try:
            timeline = renew(
                timeline, terms, steps=paid.steps, months=last.months, now=at, zone=zone
            )
        except Refusal:
            break
    return timeline

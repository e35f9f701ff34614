"""When a term that renews by itself is announced, and when the next one is ordered. Pure."""

from collections.abc import Mapping
from datetime import date, timedelta

from plans.rules.timeline import MONTHLY, YEARLY, Span, Term, Timeline

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

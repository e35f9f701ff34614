"""Main contracts without a database, for the rules of spot orders."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from core.months import add_months, start_of_day
from plans.rules import PlanTerms
from plans.rules.timeline import Span, Term, Timeline
from tests.plans.spans import FREE, TOKYO, day, local, terms

STARTER = terms("starter", 11, 5_000)
STARTER_DEARER = terms("starter", 12, 6_000, number=2)
FIFTIES = terms("fifties", 13, 3_000, accounts_per_step=50)
THIRTIES = terms("thirties", 14, 2_000, accounts_per_step=30)
BOUNDLESS = terms("boundless", 15, 90_000, accounts_per_step=None)

# Noon of the first day of what is contracted in most tests.
NOW = local(4, 1, 12)


@dataclass(frozen=True, slots=True)
class Part:
    """A main contract: so many months of a plan."""

    months: int = 12
    terms: PlanTerms = STARTER
    steps: int = 1


def contracted(
    first_on: str | date = "2026-04-01",
    parts: Sequence[Part] = (Part(),),
    *,
    begins_at: datetime | None = None,
) -> Timeline:
    """Return an unbroken chain of main contracts, the free plan before and after it."""
    anchor = day(first_on) if isinstance(first_on, str) else first_on
    found: list[Term] = []
    begins = begins_at or start_of_day(anchor, TOKYO)
    spans = [Span(FREE, 1, local(1, 1, year=2025), begins)]
    before = 0
    for part in parts:
        term = Term(anchor, before, part.months, id=len(found) + 1)
        found.append(term)
        ends = start_of_day(add_months(anchor, before + part.months), TOKYO)
        spans.append(Span(part.terms, part.steps, begins, ends))
        begins, before = ends, before + part.months
    spans.append(Span(FREE, 1, begins))
    return Timeline(licence=tuple(spans), terms=tuple(found), free=FREE)


def followed(first: Timeline, second: Timeline) -> Timeline:
    """Return two chains one after the other, with the free plan in the gap between them."""
    begins = second.licence[1].from_at
    *spans, last = first.licence
    return replace(
        first,
        licence=(*spans, replace(last, until_at=begins), *second.licence[1:]),
        terms=(*first.terms, *second.terms),
    )


def changed(timeline: Timeline, terms: PlanTerms, at: datetime) -> Timeline:
    """Return a timeline in which another plan holds from an instant on, to the end of what is paid for."""
    spans: list[Span] = []
    for span in timeline.licence:
        if span.terms.is_free or (span.until_at is not None and span.until_at <= at):
            spans.append(span)
        elif span.from_at >= at:
            spans.append(replace(span, terms=terms))
        else:
            spans += [replace(span, until_at=at), replace(span, from_at=at, terms=terms)]
    return replace(timeline, licence=tuple(spans))

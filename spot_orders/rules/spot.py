"""A spot order: extra accounts for whole months inside the main contract. Pure. Rule: S2-04…S2-13."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from core.months import add_months, start_of_day
from plans.enums import Category
from plans.rules.timeline import Refusal, Span, Term, Timeline

MOST_MONTHS = 12
MOST_STEPS = 100


class NoPaidPlan(Refusal):
    """Only the free plan is contracted, and nothing else is ordered. Rule: S2-12."""


class BeforePaidPlan(Refusal):
    """It would start before the paid plan does, on `first_on`. Rule: S2-12."""

    def __init__(self, first_on: date) -> None:
        super().__init__(f"the paid plan begins on {first_on}")
        self.first_on = first_on


class BeyondContract(Refusal):
    """It would run beyond the paid coverage, whose end (half open) is `end_on`. Rule: S2-06, S2-13.

    `months`: how many whole months still fit from the wished start on; 0 where not even one does.
    """

    def __init__(self, end_on: date, months: int) -> None:
        super().__init__(f"the paid plan ends before {end_on}, {months} months fit")
        self.end_on = end_on
        self.months = months


class SpotStartsInThePast(Refusal):
    """The first day is over."""


class NotWholeMonths(Refusal):
    """A spot contract has 1 to `most` whole months. Rule: S2-05."""

    def __init__(self, most: int = MOST_MONTHS) -> None:
        super().__init__(most)
        self.most = most


class NotInSteps(Refusal):
    """Accounts are added in steps of `per_step`, at most `most` accounts. Rule: S2-07."""

    def __init__(self, per_step: int) -> None:
        super().__init__(per_step)
        self.per_step = per_step
        self.most = per_step * MOST_STEPS


class NoLimit(Refusal):
    """The plan does not limit accounts: there is nothing to add."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a root asks for. `accounts`: how many more; `first_on`: in the billing time zone."""

    accounts: int
    first_on: date
    months: int

    @property
    def end_on(self) -> date:
        """The day after the last one. Rule: domain.md 3.2."""
        return add_months(self.first_on, self.months)


@dataclass(frozen=True, slots=True)
class SpotMonth:
    """One month of a spot contract, at the monthly list price of the licence that holds on its first day.

    `unit_net`: minor units, per step. Rule: S2-07, S2-13.
    """

    first_on: date
    version_id: int
    steps: int
    unit_net: int

    @property
    def net(self) -> int:
        return self.steps * self.unit_net


@dataclass(frozen=True, slots=True)
class Offer:
    """A wish that may be ordered, with what it costs month by month; net, minor units of `currency`."""

    wish: Wish
    currency: str
    months: tuple[SpotMonth, ...]
    spans: tuple[Span, ...]

    @property
    def net(self) -> int:
        return sum(month.net for month in self.months)


def offer(
    timeline: Timeline,
    wish: Wish,
    *,
    now: datetime,
    zone: ZoneInfo,
    may_span_renewal: bool = True,
) -> Offer:
    """Return what a wish costs, frozen from now on. Raises the refusals above. Rule: S2-04…S2-13.

    `may_span_renewal`: the vendor lets a spot contract run on into a renewal that is ordered.
    """
    today = now.astimezone(zone).date()
    if not 1 <= wish.months <= MOST_MONTHS:
        raise NotWholeMonths
    chain = coverage(timeline, wish.first_on, today)
    if wish.first_on < today:
        raise SpotStartsInThePast
    end_on = chain[-1].end_on
    if not may_span_renewal:
        end_on = next(term.end_on for term in chain if term.covers(wish.first_on))
    if wish.end_on > end_on:
        raise BeyondContract(end_on, months_that_fit(wish.first_on, end_on))
    spans = tuple(_priced_spans(timeline, wish, now, zone))
    months = tuple(
        SpotMonth(first_on, span.terms.version_id, _steps(wish.accounts, span), span.terms.net)
        for first_on, span in zip(month_starts(wish), spans, strict=True)
    )
    return Offer(wish, spans[0].terms.currency, months, spans)


def coverage(timeline: Timeline, day: date, today: date) -> tuple[Term, ...]:
    """Return the unbroken chain of main contracts, from the one that holds on `day` on. Rule: S2-13.

    Raises NoPaidPlan, BeforePaidPlan, BeyondContract (where `day` lies after all of it).
    """
    coming = [term for term in timeline.terms if term.end_on > today]
    if not coming:
        raise NoPaidPlan
    if day < coming[0].first_on:
        raise BeforePaidPlan(coming[0].first_on)
    chain: list[Term] = []
    for term in coming:
        if term.covers(day) or (chain and chain[-1].end_on == term.first_on):
            chain.append(term)
    if not chain:
        raise BeyondContract(coming[-1].end_on, 0)
    return tuple(chain)


def month_starts(wish: Wish) -> list[date]:
    """Return the first day of each month of a wish, counted from its start. Rule: domain.md 3.2."""
    return [wish.first_on] + [add_months(wish.first_on, each) for each in range(1, wish.months)]


def months_that_fit(first_on: date, end_on: date) -> int:
    """Return how many whole months from a day on end by another (half open); at most MOST_MONTHS."""
    return sum(1 for each in range(1, MOST_MONTHS + 1) if add_months(first_on, each) <= end_on)


def _priced_spans(timeline: Timeline, wish: Wish, now: datetime, zone: ZoneInfo) -> Iterator[Span]:
    for first_on in month_starts(wish):
        # What starts today is priced by what holds now: the main contract may have begun today too.
        span = timeline.at(Category.LICENCE, max(now, start_of_day(first_on, zone)))
        if span is None or span.terms.is_free:
            raise NoPaidPlan
        yield span


def _steps(accounts: int, span: Span) -> int:
    per_step = span.terms.accounts_per_step
    if per_step is None:
        raise NoLimit
    steps, rest = divmod(accounts, per_step)
    if rest or not 1 <= steps <= MOST_STEPS:
        raise NotInSteps(per_step)
    return steps

"""A spot order: extra accounts for whole months inside the main contract. Pure. Rule: S2-04…S2-13."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from math import lcm
from zoneinfo import ZoneInfo

from core.months import BillingMonth, NotAMonth, add_months, start_of_day
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
    """Accounts are added in steps of `per_step`, at most `most` accounts. Rule: S2-07.

    `steps`: accounts a step, of the plan of each month; what is added is in steps of every one of them.
    """

    def __init__(self, *steps: int) -> None:
        super().__init__(*steps)
        self.per_step = lcm(*steps)
        most = min(steps) * MOST_STEPS
        self.most = most - most % self.per_step


class NoLimit(Refusal):
    """The plan does not limit accounts, from `from_on` on if not now: there is nothing to add."""

    def __init__(self, from_on: date | None = None) -> None:
        super().__init__(from_on)
        self.from_on = from_on


@dataclass(frozen=True, slots=True)
class Wish:
    """What a root asks for. `accounts`: how many more; `first_on`: in the billing time zone."""

    accounts: int
    first_on: date
    months: int

    @property
    def end_on(self) -> date:
        """The day after the last one. Rule: domain.md 3.2.

        Without a month it ends as it begins, and past the calendar on its last day: nothing covers that.
        """
        if self.months < 1:
            return self.first_on
        try:
            return add_months(self.first_on, self.months)
        except NotAMonth:
            return date.max


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


@dataclass(frozen=True, slots=True)
class Window:
    """The days on which a spot contract may start, and the day before which it must have ended.

    `latest_on`: the last start from which one whole month fits. Rule: S2-22.
    """

    first_on: date
    latest_on: date
    end_on: date


def offer(
    timeline: Timeline,
    wish: Wish,
    *,
    now: datetime,
    zone: ZoneInfo,
    may_span_renewal: bool = True,
    closed_on: date | None = None,
) -> Offer:
    """Return what a wish costs, frozen from now on. Raises the refusals above. Rule: S2-04…S2-13.

    `may_span_renewal`: the vendor lets a spot contract run on into a renewal that is ordered.
    `closed_on`: from which day on the organisation is no customer any more; nothing is sold beyond.
    """
    if not 1 <= wish.months <= MOST_MONTHS:
        raise NotWholeMonths
    today = now.astimezone(zone).date()
    end_on = limit(
        timeline, wish.first_on, today, may_span_renewal=may_span_renewal, closed_on=closed_on
    )
    fit = months_that_fit(wish.first_on, end_on)
    if wish.months > fit:
        raise BeyondContract(end_on, fit)
    spans = tuple(_priced_spans(timeline, wish, now, zone))
    per_step = [span.terms.accounts_per_step or 0 for span in spans]
    months = tuple(
        SpotMonth(first_on, span.terms.version_id, steps, span.terms.net)
        for first_on, span, steps in zip(
            month_starts(wish), spans, _steps(wish.accounts, per_step), strict=True
        )
    )
    return Offer(wish, spans[0].terms.currency, months, spans)


def limit(
    timeline: Timeline,
    first_on: date,
    today: date,
    *,
    may_span_renewal: bool = True,
    closed_on: date | None = None,
) -> date:
    """Return the day before which what starts on a day must have ended. Rule: S2-06, S2-13.

    Raises NoPaidPlan, SpotStartsInThePast, BeforePaidPlan, BeyondContract.
    """
    chain = coverage(timeline, first_on, today)
    end_on = (chain[-1] if may_span_renewal else chain[0]).end_on
    return end_on if closed_on is None else min(end_on, closed_on)


def window(
    timeline: Timeline,
    *,
    now: datetime,
    zone: ZoneInfo,
    may_span_renewal: bool = True,
    closed_on: date | None = None,
) -> Window:
    """Return when a spot contract may start in the first unbroken coverage. Rule: S2-22.

    Raises NoPaidPlan, and BeyondContract where not one month fits any more.
    """
    today = now.astimezone(zone).date()
    coming = _coming(timeline, today)
    first_on = max(today, coming[0].first_on)
    chain = coverage(timeline, first_on, today)
    end_on = chain[-1].end_on if closed_on is None else min(chain[-1].end_on, closed_on)
    parts = [(chain[0].first_on, end_on)]
    if not may_span_renewal:
        parts = [(term.first_on, min(term.end_on, end_on)) for term in chain]
    starts = [
        latest
        for begins_on, ends_on in parts
        if (latest := latest_start(ends_on)) >= max(first_on, begins_on)
    ]
    if not starts:
        raise BeyondContract(end_on, 0)
    return Window(first_on, starts[-1], end_on)


def latest_start(end_on: date, months: int = 1) -> date:
    """Return the last day from which whole months end by a day (half open). Rule: S2-22, domain.md 3.2."""
    month = BillingMonth.of_day(end_on).plus(-months)
    return month.first_day.replace(day=min(end_on.day, month.last_day.day))


def coverage(timeline: Timeline, day: date, today: date) -> tuple[Term, ...]:
    """Return the unbroken chain of main contracts, from the one that holds on `day` on. Rule: S2-13.

    Raises NoPaidPlan, SpotStartsInThePast, BeforePaidPlan (also for a day between two chains),
    BeyondContract (where `day` lies after all of it).
    """
    coming = _coming(timeline, today)
    if day < today:
        raise SpotStartsInThePast
    for chain in chains(coming):
        if day < chain[0].first_on:
            raise BeforePaidPlan(chain[0].first_on)
        if day < chain[-1].end_on:
            return tuple(term for term in chain if term.end_on > day)
    raise BeyondContract(coming[-1].end_on, 0)


def chains(terms: Iterable[Term]) -> list[list[Term]]:
    """Return main contracts in as many pieces as there are gaps between them, and one. Rule: S2-13."""
    pieces: list[list[Term]] = []
    for term in terms:
        if pieces and pieces[-1][-1].end_on == term.first_on:
            pieces[-1].append(term)
        else:
            pieces.append([term])
    return pieces


def month_starts(wish: Wish) -> list[date]:
    """Return the first day of each month of a wish, counted from its start. Rule: domain.md 3.2."""
    return [wish.first_on] + [add_months(wish.first_on, each) for each in range(1, wish.months)]


def months_that_fit(first_on: date, end_on: date) -> int:
    """Return how many whole months from a day on end by another (half open); at most MOST_MONTHS."""
    fit = 0
    while fit < MOST_MONTHS and _ends_by(first_on, fit + 1, end_on):
        fit += 1
    return fit


def _ends_by(first_on: date, months: int, end_on: date) -> bool:
    try:
        return add_months(first_on, months) <= end_on
    except NotAMonth:
        # Past the calendar's last year, and so past every contract.
        return False


def _coming(timeline: Timeline, today: date) -> list[Term]:
    coming = [term for term in timeline.terms if term.end_on > today]
    if not coming:
        raise NoPaidPlan
    return coming


def _priced_spans(timeline: Timeline, wish: Wish, now: datetime, zone: ZoneInfo) -> Iterator[Span]:
    for first_on in month_starts(wish):
        span = priced_on(timeline, first_on, now, zone)
        if span is None:
            raise NoPaidPlan
        if span.terms.accounts_per_step is None:
            raise NoLimit(first_on)
        yield span


def priced_on(timeline: Timeline, day: date, now: datetime, zone: ZoneInfo) -> Span | None:
    """Return the paid licence that prices a month which begins on a day; None where there is none.

    Today's is what holds now: the main contract may have begun today too. Rule: S2-13.
    """
    span = timeline.at(Category.LICENCE, max(now, start_of_day(day, zone)))
    return None if span is None or span.terms.is_free else span


def _steps(accounts: int, per_step: Sequence[int]) -> list[int]:
    """Return how many steps of each month's plan some accounts are. Raises NotInSteps."""
    if any(accounts % each or not each <= accounts <= each * MOST_STEPS for each in per_step):
        raise NotInSteps(*per_step)
    return [accounts // each for each in per_step]

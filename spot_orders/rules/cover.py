"""The cheapest way to have more accounts from one day to another. Pure. Rule: S2-05…S2-13, S2-16, B-02.

*What is searched.* A set of spot orders covers the wish if on every day of it those that hold add up
to the people wanted. Each order is legal by `spot.offer`: whole months, within the unbroken paid
coverage, in steps of every month's plan, not before today. Starts may differ and orders may overlap.

An order's price is per step, so a set in which several orders share the people of a day is never
cheaper than one order after another that each carry them all: covering days by intervals is a
totally unimodular problem, whose best answer for n steps is n times the best one for a single step.
So the search is for a chain: orders for all people, each beginning on the day after the one before
ends, or earlier. (Where the steps differ between terms, each order carries the people rounded up to
steps of all its months; sets that lay smaller orders over each other there are not searched.)

*The starts that can matter.* Begin an order of a cover a day later: it covers as much of what is
still lacking, as long as it begins by the first day that lacks it. So one begins on that day, which
is the first of the wish or the one on which another order ends, unless a day later

- it would end beyond what it must end within: then on the last day from which its months fit; or
- one of its months would begin in another plan, price or term: then on the last day from which that
  month still begins before.

An earlier start may so be cheaper, may be the only one that ends within the contract, and may gain
days (a month from 31 January ends with February, and the next begins on 1 March). The last two kinds
are a few days for each length, whatever the wish; a shortest path over the days that lack people
does the rest.

Days on which the plan does not limit accounts need no order, and no month of one begins on them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from heapq import heappop, heappush
from math import lcm
from typing import NamedTuple
from zoneinfo import ZoneInfo

from core.months import BillingMonth, add_months, last_day, months_between, start_of_day
from plans.rules.timeline import Refusal, Span, Timeline, add_licences, fee_at
from spot_orders.rules import spot
from spot_orders.rules.spot import (
    MOST_MONTHS,
    MOST_STEPS,
    BeyondContract,
    NoLimit,
    NotInSteps,
    Offer,
    Wish,
)

_DAY = timedelta(days=1)


class NotASpan(Refusal):
    """The last day is before the first one."""


@dataclass(frozen=True, slots=True)
class Cover:
    """Spot orders that together carry the people, in order of their start; net in minor units."""

    offers: tuple[Offer, ...]

    @property
    def orders(self) -> tuple[Wish, ...]:
        return tuple(offer.wish for offer in self.offers)

    @property
    def net(self) -> int:
        return sum(offer.net for offer in self.offers)

    @property
    def months(self) -> int:
        """How many months are paid for, over all orders."""
        return sum(order.months for order in self.orders)

    @property
    def last_on(self) -> date:
        """The last day on which any of them holds."""
        return max(last_day(order.end_on) for order in self.orders)


@dataclass(frozen=True, slots=True)
class Licences:
    """Steps more of the main contract, from a day on and to its end; net in minor units, by month.

    `by_month`: what each month costs more, the first one after the day on which they are added, the
    last one that of the contract's end. Rule: S2-16, S1-26, B-02.
    """

    steps: int
    accounts: int
    from_on: date
    last_on: date
    by_month: tuple[tuple[BillingMonth, int], ...]

    @property
    def net(self) -> int:
        return sum(net for _, net in self.by_month)


class _Cost(NamedTuple):
    """What is compared: the price, then how many orders, then how many days before each is needed."""

    net: int
    orders: int
    early_days: int


_NOTHING = _Cost(0, 0, 0)


class _Order(NamedTuple):
    """An order that may be part of a cover; holds from `first_on` to before `end_on`."""

    first_on: date
    months: int
    end_on: date
    accounts: int
    net: int


@dataclass(frozen=True, slots=True)
class _Prices:
    """What a month costs that begins on a day: (accounts a step, net a step), where one may begin.

    `limits`: the day before which what begins on a day must have ended.
    """

    by_day: Mapping[date, tuple[int, int]]
    limits: Mapping[date, date]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """So many people more, on each of these days, both included."""

    people: int
    first_on: date
    last_on: date


def cheapest(
    timeline: Timeline,
    people: int,
    first_on: date,
    last_on: date,
    *,
    now: datetime,
    zone: ZoneInfo,
    may_span_renewal: bool = True,
    closed_on: date | None = None,
) -> Cover:
    """Return the cheapest legal spot orders that carry `people` more on each day, both days included.

    Of equally cheap ones the fewest orders, then those that begin latest.
    Raises what `spot.offer` refuses with, and NotASpan; BeyondContract says how many whole months fit
    from the first day, also where orders cannot reach the last. Rule: S2-05…S2-13.
    """
    today = now.astimezone(zone).date()
    if last_on < first_on:
        raise NotASpan
    end_on = spot.limit(timeline, first_on, today, closed_on=closed_on)
    if last_on >= end_on:
        raise BeyondContract(end_on, spot.months_that_fit(first_on, end_on))
    begins_on = max(today, _chain_begins(timeline, first_on), _a_year_before(first_on))
    prices = _prices(
        timeline, begins_on, end_on, now=now, zone=zone, may_span_renewal=may_span_renewal
    )
    if not any(day in prices.by_day for day in _days(first_on, last_on)):
        raise NoLimit(first_on)
    if people < 1:
        raise NotInSteps(*{per_step for per_step, _ in prices.by_day.values()})
    chain = _chain(prices, _Wanted(people, first_on, last_on))
    if chain is None:
        raise _why_none(prices, people, first_on, end_on)
    return Cover(
        tuple(
            spot.offer(
                timeline,
                Wish(order.accounts, order.first_on, order.months),
                now=now,
                zone=zone,
                may_span_renewal=may_span_renewal,
                closed_on=closed_on,
            )
            for order in chain
        )
    )


def licences(
    timeline: Timeline,
    people: int,
    first_on: date,
    last_on: date,
    *,
    now: datetime,
    zone: ZoneInfo,
    closed_on: date | None = None,
) -> Licences:
    """Return what it costs to add licences on the first day instead, to the end of the contract.

    They are added when they are needed, and cost from the month after on, in every month whose fee
    the contract carries, as far as it is ordered. Raises what `spot.offer` refuses a start on the
    first day with, NotASpan and NoLimit. Rule: S2-16, S1-26, B-02.
    """
    today = now.astimezone(zone).date()
    if last_on < first_on:
        raise NotASpan
    end_on = spot.limit(timeline, first_on, today, closed_on=closed_on)
    if last_on >= end_on:
        raise BeyondContract(end_on, 0)
    at = max(now, start_of_day(first_on, zone))
    spans = [
        span
        for span in timeline.licence
        if not span.terms.is_free
        and span.from_at < start_of_day(last_on + _DAY, zone)
        and (span.until_at is None or span.until_at > at)
    ]
    present = next((span for span in spans if span.covers(at)), None)
    per_step = present.terms.accounts_per_step if present else None
    if per_step is None:
        raise NoLimit(first_on)
    if people < 1:
        raise NotInSteps(per_step)
    steps = max(_steps(people, span) for span in spans)
    after = add_licences(timeline, steps, now=at, zone=zone)
    months = months_between(BillingMonth.of_day(first_on).next, BillingMonth.of_day(end_on))
    # Who has left is billed for no month that begins afterwards.
    months = [month for month in months if closed_on is None or month.first_day < closed_on]
    return Licences(
        steps=steps,
        accounts=steps * per_step,
        from_on=first_on,
        last_on=last_day(end_on),
        by_month=tuple(
            (month, more)
            for month in months
            if (more := _fee(after, month, zone) - _fee(timeline, month, zone))
        ),
    )


def _steps(people: int, span: Span) -> int:
    per_step = span.terms.accounts_per_step
    return 0 if per_step is None else -(-people // per_step)


def _fee(timeline: Timeline, month: BillingMonth, zone: ZoneInfo) -> int:
    span = fee_at(timeline.licence, month.starts_at(zone))
    return span.steps * span.terms.net if span else 0


def _chain_begins(timeline: Timeline, day: date) -> date:
    return next(
        chain[0].first_on for chain in spot.chains(timeline.terms) if day < chain[-1].end_on
    )


def _a_year_before(day: date) -> date:
    """Return a day early enough: an order from before it has ended by `day`."""
    return day - timedelta(days=31 * MOST_MONTHS)


def _days(first_on: date, last_on: date) -> Iterator[date]:
    day = first_on
    while day <= last_on:
        yield day
        day += _DAY


def _prices(
    timeline: Timeline,
    begins_on: date,
    end_on: date,
    *,
    now: datetime,
    zone: ZoneInfo,
    may_span_renewal: bool,
) -> _Prices:
    """Return what a month costs from each day on, and by when what begins then must have ended."""
    by_day: dict[date, tuple[int, int]] = {}
    limits: dict[date, date] = {}
    for day in _days(begins_on, end_on - _DAY):
        span = spot.priced_on(timeline, day, now, zone)
        if span is not None and span.terms.accounts_per_step is not None:
            by_day[day] = span.terms.accounts_per_step, span.terms.net
        term = timeline.term_on(day)
        limits[day] = end_on if may_span_renewal or term is None else min(end_on, term.end_on)
    return _Prices(by_day, limits)


def _why_none(prices: _Prices, people: int, first_on: date, end_on: date) -> Refusal:
    per_step = prices.by_day[first_on][0] if first_on in prices.by_day else 0
    if per_step and people > per_step * MOST_STEPS:
        return NotInSteps(per_step)
    return BeyondContract(end_on, spot.months_that_fit(first_on, end_on))


def _orders_from(prices: _Prices, day: date, wanted: _Wanted) -> Iterator[_Order]:
    """Yield the orders for all people that may begin on a day, up to one that reaches the last day."""
    steps, priced = 1, list[tuple[int, int]]()
    begins_on, limit = day, prices.limits.get(day, day)
    for months in range(1, MOST_MONTHS + 1):
        end_on = add_months(day, months)
        if begins_on not in prices.by_day or end_on > limit:
            return
        priced.append(prices.by_day[begins_on])
        steps = lcm(steps, priced[-1][0])
        accounts = -(-wanted.people // steps) * steps
        if all(accounts <= per_step * MOST_STEPS for per_step, _ in priced):
            net = sum(accounts // per_step * unit for per_step, unit in priced)
            yield _Order(day, months, end_on, accounts, net)
        if end_on > wanted.last_on:
            return
        begins_on = end_on


def _early_starts(prices: _Prices) -> Iterator[date]:
    """Yield the days on which an order may have to begin before a day that lacks people."""
    # Where it would end too late if it began later.
    for end_on in set(prices.limits.values()):
        for months in range(1, MOST_MONTHS + 1):
            yield spot.latest_start(end_on, months)
    # Where one of its months would begin in another plan, price or term.
    for day in prices.limits:
        before = day - _DAY
        if before in prices.limits and (
            prices.by_day.get(day) != prices.by_day.get(before)
            or prices.limits[day] != prices.limits[before]
        ):
            yield before
            for months in range(1, MOST_MONTHS):
                yield spot.latest_start(before, months)


def _chain(prices: _Prices, wanted: _Wanted) -> tuple[_Order, ...] | None:
    """Return the cheapest orders, one after another, that cover the days; None where none do.

    The shortest path from the first day that lacks people to the last, where an order leads from
    each day on which it holds to the day after its end.
    """
    early = [
        order
        for day in sorted(set(_early_starts(prices)))
        if day <= wanted.last_on
        for order in _orders_from(prices, day, wanted)
        if order.end_on > wanted.first_on
    ]
    begins_on = _next_lack(prices, wanted.first_on)
    reached: dict[date, tuple[_Order, date] | None] = {begins_on: None}
    costs = {begins_on: _NOTHING}
    heap, done = [(_NOTHING, begins_on)], set[date]()
    while heap:
        cost, day = heappop(heap)
        if day > wanted.last_on:
            return _followed(reached, day)
        if day in done:
            continue
        done.add(day)
        for order in (*_orders_from(prices, day, wanted), *early):
            if not order.first_on <= day < order.end_on:
                continue
            lacks = _next_lack(prices, min(order.end_on, wanted.last_on + _DAY))
            more = _Cost(
                cost.net + order.net,
                cost.orders + 1,
                cost.early_days + (day - order.first_on).days,
            )
            if lacks not in costs or more < costs[lacks]:
                costs[lacks], reached[lacks] = more, (order, day)
                heappush(heap, (more, lacks))
    return None


def _next_lack(prices: _Prices, day: date) -> date:
    """Return the first day, from one on, on which the plan limits accounts, or one past them all."""
    while day not in prices.by_day and day in prices.limits:
        day += _DAY
    return day


def _followed(reached: Mapping[date, tuple[_Order, date] | None], day: date) -> tuple[_Order, ...]:
    chain: list[_Order] = []
    step = reached[day]
    while step is not None:
        chain.append(step[0])
        step = reached[step[1]]
    return tuple(reversed(chain))

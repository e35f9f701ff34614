"""When an order that the contract allows is refused all the same. Pure. Rule: S1-24, S1-25, B-14."""

import enum
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from core.months import BillingMonth, last_day, start_of_day
from ordering.rules.acts import Act, AddLicences, ChangePlan, SetRenewal, WithdrawRenewal
from plans.enums import Category
from plans.rules.timeline import Refusal, Span, Timeline
from seats.rules.capacity import Capacity


@dataclass(frozen=True, slots=True)
class Dependent:
    """A spot order that holds, or would once it is paid, until a day (half open). Rule: S2-13."""

    number: str
    end_on: date
    is_paid: bool


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How an organisation stands. `reviewing`: the company that still reviews a registration, if any.

    `ends_on`: the day (half open) with which its contract with the vendor ends, where that is to come.
    `capacity`: its spot contracts add to what a licence allows while they run. Rule: domain.md 3.5.
    `spots`: the spot orders that need the main contracts beyond today. Rule: S2-13.
    """

    is_closed: bool
    has_method: bool
    reviewing: str
    is_overdue: bool
    accounts_in_use: int
    ends_on: date | None = None
    capacity: Capacity = field(default_factory=Capacity)
    spots: tuple[Dependent, ...] = ()


class Waiver(enum.StrEnum):
    """What staff may let pass for a customer: what keeps a bill from being paid, not what cannot be.

    SPOTS: a renewal is withdrawn that spot orders depend on; whoever lets it pass cuts and credits them.
    """

    METHOD = "method"
    OVERDUE = "overdue"
    SPOTS = "spots"


class Closed(Refusal):
    """The organisation is no customer any more."""


class Cancelled(Refusal):
    """The contract is cancelled, and ends with `last_on`: the cancellation is to be withdrawn first."""

    def __init__(self, last_on: date) -> None:
        super().__init__(last_on)
        self.last_on = last_on


class NoMethod(Refusal):
    """What is not free needs an active payment method. `reviewing`: a company that has one in review."""

    def __init__(self, reviewing: str) -> None:
        super().__init__(reviewing)
        self.reviewing = reviewing


class Overdue(Refusal):
    """Nothing that costs more, while an invoice is overdue."""


class TooManyAccounts(Refusal):
    """More accounts are in use than would be allowed from an instant on."""

    def __init__(self, in_use: int, allowed: int, from_at: datetime) -> None:
        super().__init__(f"{in_use} in use, {allowed} allowed from {from_at}")
        self.in_use = in_use
        self.allowed = allowed
        self.from_at = from_at


class SpotDependsOnRenewal(Refusal):
    """A renewal is not withdrawn that a spot order needs, which reaches to `end_on` (half open).

    Rule: S2-13.
    """

    def __init__(self, dependent: Dependent) -> None:
        super().__init__(f"{dependent.number} until {dependent.end_on}")
        self.number = dependent.number
        self.end_on = dependent.end_on
        self.is_paid = dependent.is_paid


def waived(circumstances: Circumstances, waivers: Collection[Waiver]) -> Circumstances:
    """Return how an organisation would stand without what is let pass."""
    return replace(
        circumstances,
        has_method=circumstances.has_method or Waiver.METHOD in waivers,
        is_overdue=circumstances.is_overdue and Waiver.OVERDUE not in waivers,
        spots=() if Waiver.SPOTS in waivers else circumstances.spots,
    )


def check(
    act: Act,
    before: Timeline,
    after: Timeline,
    circumstances: Circumstances,
    *,
    now: datetime,
    zone: ZoneInfo,
) -> None:
    """Refuse what may not be ordered as an organisation stands.

    Raises Closed, Cancelled, NoMethod, Overdue, SpotDependsOnRenewal, TooManyAccounts.
    Rule: S1-24, S1-25, S1-29, S2-13, B-14.
    """
    if circumstances.is_closed:
        raise Closed
    if circumstances.ends_on is not None:
        _check_cancelled(act, circumstances.ends_on, now.astimezone(zone).date())
    if not circumstances.has_method and _is_for_money(before, after, now):
        raise NoMethod(circumstances.reviewing)
    if circumstances.is_overdue and _costs_more(before, after, now):
        raise Overdue
    _check_spots(before, after, circumstances.spots)
    is_confirmed = getattr(act, "is_confirmed", False)
    _check_accounts(before, after, circumstances, now, is_confirmed=is_confirmed)
    if isinstance(act, SetRenewal) and not act.renews and not is_confirmed:
        _check_return(after, circumstances, now, zone)


def _check_spots(before: Timeline, after: Timeline, spots: Collection[Dependent]) -> None:
    """Refuse what ends the paid coverage before a spot order that it still carries. Rule: S2-13."""
    if before.last_term is None:
        return
    had = before.last_term.end_on
    ends_on = after.last_term.end_on if after.last_term else date.min
    for spot in sorted(spots, key=lambda each: each.end_on, reverse=True):
        if ends_on < spot.end_on <= had:
            raise SpotDependsOnRenewal(spot)


def _check_cancelled(act: Act, ends_on: date, today: date) -> None:
    """Refuse what would reach beyond the end of the contract, or cost nothing until then.

    Nothing is begun or renewed. What is used at once is paid from the next month on (S1-26): in the last
    month it would be free. What only gives something up goes on. Raises Cancelled.
    """
    gives_up = isinstance(act, WithdrawRenewal) or (isinstance(act, SetRenewal) and not act.renews)
    is_change = isinstance(act, ChangePlan | AddLicences)
    if not gives_up and not (is_change and is_paid_before(ends_on, today)):
        raise Cancelled(last_day(ends_on))


def is_paid_before(ends_on: date, today: date) -> bool:
    """Return whether what is changed today is on a bill before the contract ends. Rule: S1-26."""
    return BillingMonth.of_day(today).next.first_day < ends_on


def _is_for_money(before: Timeline, after: Timeline, now: datetime) -> bool:
    """Return whether something that is not free is contracted anew, at once or ahead of time."""
    if after.renews and not before.renews:
        return True
    return any(
        new is not None and not new.terms.is_free and not _is_same(old, new)
        for _, old, new in _instants(before, after, now)
    )


def _costs_more(before: Timeline, after: Timeline, now: datetime) -> bool:
    return any(_net(new) > _net(old) for _, old, new in _instants(before, after, now))


def _check_accounts(
    before: Timeline,
    after: Timeline,
    circumstances: Circumstances,
    now: datetime,
    *,
    is_confirmed: bool,
) -> None:
    """Refuse a licence that allows fewer accounts than are in use, where it allows fewer than before.

    What lies ahead may be confirmed: until then accounts can be given up, or are deactivated. So is
    whom a spot contract carries that ends later: that is no reason to refuse. Rule: S1-25, S2-10.
    """
    in_use = circumstances.accounts_in_use
    for at, old, new in _instants(before, after, now, (Category.LICENCE,)):
        allowed, had = _allowed(new, circumstances, at), _allowed(old, circumstances, at)
        if allowed is None or (had is not None and allowed >= had):
            continue
        if in_use > allowed and not (is_confirmed and at > now):
            raise TooManyAccounts(in_use, allowed, at)


def _check_return(
    after: Timeline, circumstances: Circumstances, now: datetime, zone: ZoneInfo
) -> None:
    """Refuse the return to the free plan, while it has too few accounts, until that is confirmed."""
    last = after.last_term
    if last is None:
        return
    ends_at = start_of_day(last.end_on, zone)
    allowed = _allowed(after.at(Category.LICENCE, ends_at), circumstances, ends_at)
    if allowed is not None and circumstances.accounts_in_use > allowed:
        raise TooManyAccounts(circumstances.accounts_in_use, allowed, ends_at)


def _instants(
    before: Timeline,
    after: Timeline,
    now: datetime,
    categories: tuple[Category, ...] = tuple(Category),
) -> Iterator[tuple[datetime, Span | None, Span | None]]:
    """Yield what held and what is to hold from each instant on at which either changes, from now on."""
    for category in categories:
        spans = (*before.of(category), *after.of(category))
        for at in sorted({now, *(span.from_at for span in spans if span.from_at > now)}):
            yield at, before.at(category, at), after.at(category, at)


def _is_same(old: Span | None, new: Span) -> bool:
    return (
        old is not None and old.terms.version_id == new.terms.version_id and new.steps <= old.steps
    )


def _net(span: Span | None) -> int:
    return span.terms.net * span.steps if span else 0


def _allowed(span: Span | None, circumstances: Circumstances, at: datetime) -> int | None:
    """Return how many accounts a licence allows at an instant, with the spot contracts that run then."""
    if span is None or span.accounts is None:
        return None
    return span.accounts + sum(
        each.accounts for each in circumstances.capacity.spots if each.covers(at)
    )

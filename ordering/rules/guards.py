"""When an order that the contract allows is refused all the same. Pure. Rule: S1-24, S1-25, B-14."""

import enum
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from core.months import start_of_day
from ordering.rules.acts import Act, SetRenewal
from plans.enums import Category
from plans.rules.timeline import Refusal, Span, Timeline


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How an organisation stands. `reviewing`: the company that still reviews a registration, if any."""

    is_closed: bool
    has_method: bool
    reviewing: str
    is_overdue: bool
    accounts_in_use: int


class Waiver(enum.StrEnum):
    """What staff may let pass for a customer: what keeps a bill from being paid, not what cannot be."""

    METHOD = "method"
    OVERDUE = "overdue"


class Closed(Refusal):
    """The organisation is no customer any more."""


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


def waived(circumstances: Circumstances, waivers: Collection[Waiver]) -> Circumstances:
    """Return how an organisation would stand without what is let pass."""
    return replace(
        circumstances,
        has_method=circumstances.has_method or Waiver.METHOD in waivers,
        is_overdue=circumstances.is_overdue and Waiver.OVERDUE not in waivers,
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

    Raises Closed, NoMethod, Overdue, TooManyAccounts. Rule: S1-24, S1-25, B-14.
    """
    if circumstances.is_closed:
        raise Closed
    if not circumstances.has_method and _is_for_money(before, after, now):
        raise NoMethod(circumstances.reviewing)
    if circumstances.is_overdue and _costs_more(before, after, now):
        raise Overdue
    in_use = circumstances.accounts_in_use
    is_confirmed = getattr(act, "is_confirmed", False)
    _check_accounts(before, after, in_use, now, is_confirmed=is_confirmed)
    if isinstance(act, SetRenewal) and not act.renews and not is_confirmed:
        _check_return(after, in_use, now, zone)


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
    before: Timeline, after: Timeline, in_use: int, now: datetime, *, is_confirmed: bool
) -> None:
    """Refuse a licence that allows fewer accounts than are in use, where it allows fewer than before.

    What lies ahead may be confirmed: until then accounts can be given up, or are deactivated.
    """
    for at, old, new in _instants(before, after, now, (Category.LICENCE,)):
        allowed, had = _allowed(new), _allowed(old)
        if allowed is None or (had is not None and allowed >= had):
            continue
        if in_use > allowed and not (is_confirmed and at > now):
            raise TooManyAccounts(in_use, allowed, at)


def _check_return(after: Timeline, in_use: int, now: datetime, zone: ZoneInfo) -> None:
    """Refuse the return to the free plan, while it has too few accounts, until that is confirmed."""
    last = after.last_term
    if last is None:
        return
    ends_at = start_of_day(last.end_on, zone)
    allowed = _allowed(after.at(Category.LICENCE, ends_at))
    if allowed is not None and in_use > allowed:
        raise TooManyAccounts(in_use, allowed, ends_at)


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


def _allowed(span: Span | None) -> int | None:
    return span.accounts if span else None

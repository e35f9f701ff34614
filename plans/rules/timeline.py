"""What an organisation has contracted over time, and what each act makes of it. Pure.

A review shows the bills of the timeline that an act leads to, and saving stores that timeline: there
is one way from an act to its effect. Rule: S1-25, S1-26, B-02, S2-12, S2-13.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from core.months import add_months, start_of_day
from plans.enums import Category
from plans.rules.terms import PlanTerms

MONTHLY, YEARLY = 1, 12


class Refusal(Exception):
    """An act that the contract does not allow; nothing is changed by it."""


class NothingChanges(Refusal):
    """It is so already."""


class NotFromHere(Refusal):
    """The free plan is left by starting a contract, and returned to at the end of one."""


class ContractUnderWay(Refusal):
    """A main contract runs, or is to begin."""


class NoContract(Refusal):
    """No main contract runs on this day."""


class StartsInThePast(Refusal):
    """The first day is over."""


class StartsTooLate(Refusal):
    """The first day lies further ahead than may be ordered."""


class NotATerm(Refusal):
    """A term has 1 or 12 months, and at least one step."""


class RenewedBefore(Refusal):
    """The next term is ordered already."""


class NothingToWithdraw(Refusal):
    """No term is ordered that has not begun."""


class ReturnsToFree(Refusal):
    """There is no free plan in this currency to return to."""


@dataclass(frozen=True, slots=True)
class Span:
    """A plan version, in one currency, and its steps, from an instant to another (half open)."""

    terms: PlanTerms
    steps: int
    from_at: datetime
    until_at: datetime | None = None

    def covers(self, instant: datetime) -> bool:
        return self.from_at <= instant and (self.until_at is None or self.until_at > instant)

    @property
    def accounts(self) -> int | None:
        """How many accounts it allows; None where the plan does not limit them."""
        per_step = self.terms.accounts_per_step
        return None if per_step is None else per_step * self.steps


@dataclass(frozen=True, slots=True)
class Term:
    """A main contract: whole months, counted from the first day of the whole chain. Rule: domain.md 3.2.

    `months_before`: of the chain's earlier terms. `id`: of the stored row, None for one proposed.
    `cut_on`: the day from which it no longer holds, where its customer left before its end.
    """

    anchor_on: date
    months_before: int
    months: int
    id: int | None = None
    cut_on: date | None = None

    @property
    def first_on(self) -> date:
        if self.months_before == 0:
            return self.anchor_on
        return add_months(self.anchor_on, self.months_before)

    @property
    def end_on(self) -> date:
        """The day after the last one."""
        if self.cut_on is not None:
            return self.cut_on
        return add_months(self.anchor_on, self.months_before + self.months)

    def covers(self, day: date) -> bool:
        return self.first_on <= day < self.end_on


@dataclass(frozen=True, slots=True)
class Timeline:
    """All that an organisation has contracted: past, present and ordered.

    `licence`, `support`: in order, never overlapping. `terms`: in order, none withdrawn. `renews`:
    whether the last term is followed by a next one without anybody's doing. `free`: what holds
    where no main contract is in force, if the vendor has a free plan in the currency.
    """

    licence: tuple[Span, ...] = ()
    support: tuple[Span, ...] = ()
    terms: tuple[Term, ...] = ()
    renews: bool = False
    free: PlanTerms | None = field(default=None)

    def of(self, category: Category) -> tuple[Span, ...]:
        return self.licence if category is Category.LICENCE else self.support

    def at(self, category: Category, instant: datetime) -> Span | None:
        """Return what may be used at an instant. Rule: S1-25."""
        return next((span for span in self.of(category) if span.covers(instant)), None)

    def term_on(self, day: date) -> Term | None:
        return next((term for term in self.terms if term.covers(day)), None)

    @property
    def last_term(self) -> Term | None:
        return self.terms[-1] if self.terms else None


def fee_at(spans: Iterable[Span], month_begins_at: datetime) -> Span | None:
    """Return the span whose fee the month carries that begins at an instant. Rule: S1-26, B-02.

    A change at that very instant counts from the next month; a span that ends then, followed by
    none, carries no fee.
    """
    ordered = sorted(spans, key=lambda span: span.from_at)
    follows = any(span.from_at == month_begins_at for span in ordered)
    for span in ordered:
        if span.from_at < month_begins_at and (
            span.until_at is None
            or span.until_at > month_begins_at
            or (span.until_at == month_begins_at and follows)
        ):
            return span
    return None


def change(timeline: Timeline, terms: PlanTerms, now: datetime) -> Timeline:
    """Return the timeline with a plan changed at once, for as long as it is paid for. Rule: S1-25.

    Steps stay; a term that is renewed already is renewed with the new plan. Raises NothingChanges,
    NotFromHere.
    """
    spans = timeline.of(terms.category)
    present = timeline.at(terms.category, now)
    if present is not None and present.terms.version_id == terms.version_id:
        raise NothingChanges
    if terms.category is Category.LICENCE:
        if terms.is_free and _is_bound(spans, now):
            raise NotFromHere
        if not terms.is_free and (present is None or present.terms.is_free):
            raise NotFromHere
    if present is None:
        return _with(timeline, terms.category, _put(spans, Span(terms, 1, now)))

    def changed(span: Span) -> Span:
        if span.terms.is_free and terms.category is Category.LICENCE and not present.terms.is_free:
            return span
        return replace(span, terms=terms)

    return _with(timeline, terms.category, _from(spans, now, changed))


def start(
    timeline: Timeline,
    terms: PlanTerms,
    *,
    steps: int,
    first_on: date,
    months: int,
    renews: bool,
    now: datetime,
    zone: ZoneInfo,
    latest_on: date | None = None,
) -> Timeline:
    """Return the timeline with a main contract that starts today (at once) or on a later day.

    Before and after it the free plan holds. Raises ContractUnderWay, StartsInThePast, StartsTooLate,
    NotATerm, NotFromHere, ReturnsToFree.
    """
    today = now.astimezone(zone).date()
    if any(term.end_on > today for term in timeline.terms):
        raise ContractUnderWay
    if terms.is_free or terms.category is not Category.LICENCE:
        raise NotFromHere
    if first_on < today:
        raise StartsInThePast
    if latest_on is not None and first_on > latest_on:
        raise StartsTooLate
    if months not in {MONTHLY, YEARLY} or steps < 1:
        raise NotATerm
    if timeline.free is None:
        raise ReturnsToFree
    term = Term(first_on, 0, months)
    from_at = now if first_on == today else start_of_day(first_on, zone)
    end_at = start_of_day(term.end_on, zone)
    spans = timeline.licence
    if timeline.at(Category.LICENCE, now) is None:
        spans = _put(spans, Span(timeline.free, 1, now))
    spans = _put(spans, Span(terms, steps, from_at, end_at))
    spans = _put(spans, Span(timeline.free, 1, end_at))
    return replace(timeline, licence=spans, terms=(*timeline.terms, term), renews=renews)


def add_licences(timeline: Timeline, steps: int, *, now: datetime, zone: ZoneInfo) -> Timeline:
    """Return the timeline with `steps` more, at once and until the end of what is contracted.

    Raises NoContract, NotATerm, NothingChanges where the plan does not limit accounts. Rule: S2-16.
    """
    present = timeline.at(Category.LICENCE, now)
    if present is None or timeline.term_on(now.astimezone(zone).date()) is None:
        raise NoContract
    if steps < 1:
        raise NotATerm
    if present.accounts is None:
        raise NothingChanges

    def more(span: Span) -> Span:
        return span if span.terms.is_free else replace(span, steps=span.steps + steps)

    return replace(timeline, licence=_from(timeline.licence, now, more))


def renew(
    timeline: Timeline, terms: PlanTerms, *, steps: int, months: int, now: datetime, zone: ZoneInfo
) -> Timeline:
    """Return the timeline with the next term, which begins when the last one ends. Rule: S2-13.

    `terms`: the version then on sale. Raises NoContract, RenewedBefore, NotATerm, NotFromHere,
    ReturnsToFree.
    """
    today = now.astimezone(zone).date()
    last = timeline.last_term
    if last is None or last.end_on <= today:
        raise NoContract
    if last.first_on > today and last.months_before > 0:
        raise RenewedBefore
    if months not in {MONTHLY, YEARLY} or steps < 1:
        raise NotATerm
    if terms.is_free or terms.category is not Category.LICENCE:
        raise NotFromHere
    if timeline.free is None:
        raise ReturnsToFree
    term = Term(last.anchor_on, last.months_before + last.months, months)
    begins_at, ends_at = start_of_day(term.first_on, zone), start_of_day(term.end_on, zone)
    spans = _put(timeline.licence, Span(terms, steps, begins_at, ends_at))
    spans = _put(spans, Span(timeline.free, 1, ends_at))
    return replace(timeline, licence=spans, terms=(*timeline.terms, term))


def withdraw_renewal(timeline: Timeline, *, now: datetime, zone: ZoneInfo) -> Timeline:
    """Return the timeline without the last term, which has not begun, and without automatic renewal.

    It may be a renewal, which would otherwise be ordered anew the same day, or a first term that was
    ordered ahead. Raises NothingToWithdraw, ReturnsToFree.
    """
    last = timeline.last_term
    today = now.astimezone(zone).date()
    if last is None or last.first_on <= today:
        raise NothingToWithdraw
    if timeline.free is None:
        raise ReturnsToFree
    begins_at = start_of_day(last.first_on, zone)
    spans = _put(timeline.licence, Span(timeline.free, 1, begins_at))
    return replace(timeline, licence=spans, terms=timeline.terms[:-1], renews=False)


def set_renewal(timeline: Timeline, renews: bool, *, now: datetime, zone: ZoneInfo) -> Timeline:
    """Return the timeline with automatic renewal on or off. Raises NothingChanges, NoContract."""
    last = timeline.last_term
    if last is None or last.end_on <= now.astimezone(zone).date():
        raise NoContract
    if timeline.renews is renews:
        raise NothingChanges
    return replace(timeline, renews=renews)


def reprice(timeline: Timeline, terms: PlanTerms, from_at: datetime) -> Timeline:
    """Return the timeline with a plan's new version from an instant on, wherever it has an older one."""

    def changed(span: Span) -> Span:
        return replace(span, terms=terms) if is_older(span, terms) else span

    return _with(timeline, terms.category, _from(timeline.of(terms.category), from_at, changed))


def is_older(span: Span, terms: PlanTerms) -> bool:
    """Return whether a span has an earlier version of the same plan."""
    return (
        span.terms.plan_code == terms.plan_code and span.terms.version_number < terms.version_number
    )


def take_back(
    timeline: Timeline, terms: PlanTerms, had: Iterable[Span], since: datetime
) -> Timeline:
    """Return the timeline with what a new version had replaced, wherever that version still is.

    `had`: the spans as they were; their steps do not matter. Nothing before `since` changes.
    """
    spans: list[Span] = []
    for span in timeline.of(terms.category):
        if span.terms.version_id == terms.version_id:
            spans += _as_before(span, list(had), since)
        else:
            spans.append(span)
    return _with(timeline, terms.category, _joined(spans, since))


def _as_before(span: Span, had: Sequence[Span], since: datetime) -> list[Span]:
    """Return a span in as many pieces as differ, each with the terms that it had before."""
    limits = {since} | {at for old in had for at in (old.from_at, old.until_at) if at is not None}
    cuts = sorted(
        at
        for at in limits
        if since <= at and span.from_at < at and (span.until_at is None or at < span.until_at)
    )
    edges: list[datetime | None] = [*cuts, span.until_at]
    pieces: list[Span] = []
    begins = span.from_at
    for ends in edges:
        piece = replace(span, from_at=begins, until_at=ends)
        old = next((each for each in had if begins >= since and each.covers(begins)), None)
        pieces.append(replace(piece, terms=old.terms) if old else piece)
        begins = ends or begins
    return pieces


def _with(timeline: Timeline, category: Category, spans: tuple[Span, ...]) -> Timeline:
    if category is Category.LICENCE:
        return replace(timeline, licence=spans)
    return replace(timeline, support=spans)


def _put(spans: Iterable[Span], new: Span) -> tuple[Span, ...]:
    """Return spans with `new` in place of all that was from its beginning on."""
    before = [
        span
        if span.until_at is not None and span.until_at <= new.from_at
        else replace(span, until_at=new.from_at)
        for span in spans
        if span.from_at < new.from_at
    ]
    return _joined((*before, new), new.from_at)


def _is_bound(spans: Iterable[Span], now: datetime) -> bool:
    """Return whether a plan is paid for until a day that is still to come."""
    return any(
        not span.terms.is_free and span.until_at is not None and span.until_at > now
        for span in spans
    )


def _from(spans: Iterable[Span], at: datetime, changed: Callable[[Span], Span]) -> tuple[Span, ...]:
    """Return spans changed from an instant on; the one that runs then is cut in two, if it differs."""
    result: list[Span] = []
    for span in spans:
        if span.until_at is not None and span.until_at <= at:
            result.append(span)
        elif span.from_at >= at:
            result.append(changed(span))
        else:
            new = changed(span)
            if new == span:
                result.append(span)
            else:
                result += [replace(span, until_at=at), replace(new, from_at=at)]
    return _joined(result, at)


def _joined(spans: Iterable[Span], since: datetime) -> tuple[Span, ...]:
    """Return spans with neighbours that say the same made one, where they meet from `since` on.

    What met earlier is the past, and stays as it is stored.
    """
    result: list[Span] = []
    for span in spans:
        last = result[-1] if result else None
        if (
            last is not None
            and span.from_at >= since
            and last.until_at == span.from_at
            and (last.terms, last.steps) == (span.terms, span.steps)
        ):
            result[-1] = replace(last, until_at=span.until_at)
        else:
            result.append(span)
    return tuple(result)

"""The bills to come of a timeline: the kernel over what is known and what is estimated. Pure.

Measured and estimated are two chains of bills, each with the credit that it hands on itself, so
that what is certain never rests on an estimate. Rule: design.md 6.1, S1-26, B-02.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from billing.enums import LineKind, Phase, TaxCode
from billing.rules import estimates, measured, rating
from billing.rules.estimates import MeterForecast, Past
from billing.rules.facts import Bill, Facts, Fee, Line
from billing.rules.measured import Daily
from core.months import BillingMonth, months_between
from plans.rules import PlanTerms, renewals
from plans.rules.timeline import Span, Timeline, fee_at

_ZERO = Decimal(0)

Usage = Mapping[BillingMonth, Mapping[str, Decimal]]


@dataclass(frozen=True, slots=True)
class Known:
    """What months to come are made of, besides the timeline.

    `facts`: of the first month that is not billed, with what came in late and the credit brought,
    without fee and usage. `past`: from that month or the look-back on, whichever is earlier.
    `final`: months billed already, with the facts they were billed from.
    """

    facts: Facts
    past: Past
    final: Mapping[BillingMonth, tuple[Facts, Bill]]
    now: datetime
    zone: ZoneInfo

    @property
    def this_month(self) -> BillingMonth:
        return BillingMonth.of_day(self.past.today)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a line stands on a bill; lines at the same place of two bills are about the same thing."""

    kind: int
    month: BillingMonth
    item: int = 0
    code: str = ""


@dataclass(frozen=True, slots=True)
class ForecastLine:
    """A line as measured so far and as expected. One is None where only the other bill has it."""

    place: Place
    measured: Line | None
    expected: Line | None

    @property
    def line(self) -> Line:
        """What it is called: the expected line, or the measured one where that alone is."""
        line = self.expected or self.measured
        if line is None:
            raise AssertionError("a line of neither bill")
        return line

    @property
    def net(self) -> int:
        """With the estimate, in minor units, tax excluded."""
        return self.expected.net if self.expected else 0

    @property
    def measured_net(self) -> int:
        """Of what is measured so far, in minor units, tax excluded."""
        return self.measured.net if self.measured else 0

    @property
    def is_estimated(self) -> bool:
        return self.net != self.measured_net


@dataclass(frozen=True, slots=True)
class MonthForecast:
    """The bill of a month. Final: the bill that was issued; `measured`, `expected` and `fixed` are it.

    `measured`: of what is measured so far; `expected`: with the estimate; `fixed`: of the fees
    alone, without usage, adjustments and credit. `supposes_renewal`: the licence fee is that of a
    term that automatic renewal is still to order, at the price that is on sale today.
    """

    month: BillingMonth
    phase: Phase
    licence: Fee | None
    support: Fee | None
    supposes_renewal: bool
    measured: Bill
    expected: Bill
    fixed: Bill
    lines: tuple[ForecastLine, ...]
    meters: tuple[MeterForecast, ...]

    @property
    def is_final(self) -> bool:
        return self.phase is Phase.FINAL

    @property
    def is_estimated(self) -> bool:
        """Whether any part of the bill is an estimate."""
        return any(meter.rest for meter in self.meters)


@dataclass(frozen=True, slots=True)
class LineChange:
    """A line before and after an act, side by side. One is None where only the other bill has it."""

    place: Place
    before: ForecastLine | None
    after: ForecastLine | None

    @property
    def difference(self) -> int:
        """How much more it costs, net, in minor units."""
        return (self.after.net if self.after else 0) - (self.before.net if self.before else 0)

    @property
    def is_changed(self) -> bool:
        """Whether anything of it differs, be it only its name."""
        if self.before is None or self.after is None:
            return True
        return (self.before.measured, self.before.expected) != (
            self.after.measured,
            self.after.expected,
        )


@dataclass(frozen=True, slots=True)
class MonthChange:
    """A month's bill before and after an act."""

    month: BillingMonth
    before: MonthForecast
    after: MonthForecast
    lines: tuple[LineChange, ...]

    @property
    def difference(self) -> int:
        """How much more it costs, gross, with the estimates, in minor units."""
        return self.after.expected.gross - self.before.expected.gross

    @property
    def is_changed(self) -> bool:
        return any(line.is_changed for line in self.lines)


def forecast(
    known: Known,
    timeline: Timeline,
    *,
    months: int,
    usage: Usage | None = None,
    offers: Mapping[str, PlanTerms] | None = None,
) -> tuple[MonthForecast, ...]:
    """Return the bills of every month not billed yet, and those of this month and the next ones.

    Oldest first, `months` of them from this one on; a month before the first as a customer is not
    among them. What came in late and the credit from before go to the first that is not billed.
    `usage`: what a month's usage is to be, by meter code, instead of what is known and estimated.
    `offers`: what is on sale by plan code: at these prices main contracts renew by themselves.
    Raises MixedCurrencies, NoTaxRate. Rule: B-02, B-03, B-08, S1-26, S2-13.
    """
    this = known.this_month
    first = known.facts.month
    found: list[MonthForecast] = []
    credit, days = known.facts.credit, _by_month(known.past.daily)
    last = this.plus(months - 1)
    renewed = renewals.foreseen(
        timeline, offers or {}, until=last.first_day, now=known.now, zone=known.zone
    )
    chain = _Chain(known, timeline, renewed, usage or {}, credit, credit, days)
    for month in months_between(min(first, this), last):
        if month in known.final:
            found.append(_final(month, *known.final[month]))
        elif month >= first:
            found.append(chain.next(month))
    return tuple(found)


def compare(
    before: Sequence[MonthForecast], after: Sequence[MonthForecast]
) -> tuple[MonthChange, ...]:
    """Return the same months before and after an act, line by line in the order of a bill."""
    return tuple(
        MonthChange(old.month, old, new, _changes(old.lines, new.lines))
        for old, new in zip(before, after, strict=True)
    )


def _changes(
    before: Sequence[ForecastLine], after: Sequence[ForecastLine]
) -> tuple[LineChange, ...]:
    old = {line.place: line for line in before}
    new = {line.place: line for line in after}
    return tuple(
        LineChange(place, old.get(place), new.get(place))
        for place in sorted(old.keys() | new.keys())
    )


@dataclass(slots=True)
class _Chain:
    """Months rated one after the other, each with the credit that the one before leaves."""

    known: Known
    contracted: Timeline
    renewed: Timeline
    usage: Usage
    measured_credit: Mapping[TaxCode, int]
    expected_credit: Mapping[TaxCode, int]
    days: Mapping[tuple[int, int], Mapping[int, Daily]]

    def next(self, month: BillingMonth) -> MonthForecast:
        known, given = self.known, self.usage.get(month)
        days = self.days.get((month.year, month.month), {})
        fees = replace(
            known.facts,
            month=month,
            licence=self._fee(self.renewed.licence, month),
            support=self._fee(self.renewed.support, month),
            late=(),
            credit={},
        )
        facts = replace(fees, late=known.facts.late if month == known.facts.month else ())
        meters = estimates.of_month(facts.meters, known.past, month, days, given)
        so_far = measured.used(facts.meters, days)
        if given is None:
            given = {
                each.meter.code: each.total
                for each in meters
                if each.rest or each.meter.code in so_far
            }
        certain = rating.rate(replace(facts, used=so_far, credit=self.measured_credit))
        expected = rating.rate(replace(facts, used=given, credit=self.expected_credit))
        self.measured_credit = certain.credit_carried
        self.expected_credit = expected.credit_carried
        return MonthForecast(
            month=month,
            phase=_phase(known, month),
            licence=facts.licence,
            support=facts.support,
            supposes_renewal=facts.licence != self._fee(self.contracted.licence, month),
            measured=certain,
            expected=expected,
            fixed=rating.rate(replace(fees, meters=())),
            lines=_lines(facts, certain, expected),
            meters=_concerned(meters, facts.licence),
        )

    def _fee(self, spans: Sequence[Span], month: BillingMonth) -> Fee | None:
        """Return the fee that a month carries: none of an organisation closed before. Rule: B-02."""
        closed_on = self.known.past.closed_on
        if closed_on is not None and closed_on <= month.first_day:
            return None
        span = fee_at(spans, month.starts_at(self.known.zone))
        return None if span is None else Fee(span.terms, span.steps)


def _phase(known: Known, month: BillingMonth) -> Phase:
    this = known.this_month
    if month < this:
        return Phase.OVER
    return Phase.RUNNING if month == this else Phase.AHEAD


def _final(month: BillingMonth, facts: Facts, bill: Bill) -> MonthForecast:
    meters = tuple(
        MeterForecast(meter, facts.used.get(meter.code, _ZERO), _ZERO, 0, None)
        for meter in facts.meters
    )
    return MonthForecast(
        month=month,
        phase=Phase.FINAL,
        licence=facts.licence,
        support=facts.support,
        supposes_renewal=False,
        measured=bill,
        expected=bill,
        fixed=bill,
        lines=_lines(facts, bill, bill),
        meters=_concerned(meters, facts.licence),
    )


def _lines(facts: Facts, so_far: Bill, expected: Bill) -> tuple[ForecastLine, ...]:
    places = {meter.id: number for number, meter in enumerate(facts.meters)}
    support = facts.support.terms.version_id if facts.support else None
    old = {_place(line, places, support): line for line in so_far.lines}
    new = {_place(line, places, support): line for line in expected.lines}
    return tuple(
        ForecastLine(place, old.get(place), new.get(place))
        for place in sorted(old.keys() | new.keys())
    )


_ORDER = {kind: number for number, kind in enumerate(LineKind)}


def _place(line: Line, meters: Mapping[int, int], support: int | None) -> Place:
    kind = _ORDER[line.kind]
    if line.kind == LineKind.FEE:
        return Place(kind, line.month, int(line.plan_version_id == support))
    if line.meter is not None:
        return Place(kind, line.month, meters.get(line.meter.id, len(meters) + line.meter.id))
    return Place(kind, line.month, code=line.tax_code.value)


def _concerned(meters: Sequence[MeterForecast], licence: Fee | None) -> tuple[MeterForecast, ...]:
    """Return the meters that the plan prices, and others with use: the rest are other customers'."""
    priced = {each.meter.id for each in licence.terms.meters} if licence else set()
    return tuple(each for each in meters if each.meter.id in priced or each.used or each.rest)


def _by_month(daily: Mapping[int, Daily]) -> dict[tuple[int, int], dict[int, dict[date, Decimal]]]:
    """Return the days of each meter by year and month."""
    found: dict[tuple[int, int], dict[int, dict[date, Decimal]]] = {}
    for meter_id, days in daily.items():
        for day, quantity in days.items():
            month = found.setdefault((day.year, day.month), {})
            month.setdefault(meter_id, {})[day] = quantity
    return found

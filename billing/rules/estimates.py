"""What a month's usage is estimated to come to, meter by meter, and what that rests on. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal

from billing.enums import BasisKind
from billing.rules import measured
from billing.rules.measured import Daily
from billing.rules.rating import EXACT
from core.months import BillingMonth
from plans.enums import Aggregation
from plans.rules import Meter

# Whole weeks, so that each day of the week counts as often as any other.
LOOKS_BACK = timedelta(days=28)
_ROUGH = Context(prec=60, rounding=ROUND_HALF_UP)
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Past:
    """What was measured of an organisation until today, by meter id, over the look-back and more."""

    daily: Mapping[int, Daily]
    customer_since: date
    closed_on: date | None
    today: date


@dataclass(frozen=True, slots=True)
class Basis:
    """What an estimate rests on: so many days, and what was measured in them.

    `measured`: the sum of the days for an average, else the value itself.
    """

    kind: BasisKind
    days: int = 0
    measured: Decimal = _ZERO

    @property
    def words(self) -> str:
        """Say it in the reader's language."""
        return str(self.kind.label % {"days": self.days} if self.days else self.kind.label)


@dataclass(frozen=True, slots=True)
class MeterForecast:
    """A meter's month: `used` so far and the estimated `rest`, for the `days_left` after today.

    `basis`: None where nothing is left to estimate.
    """

    meter: Meter
    used: Decimal
    rest: Decimal
    days_left: int
    basis: Basis | None

    @property
    def total(self) -> Decimal:
        return EXACT.add(self.used, self.rest)


def of_month(
    meters: Sequence[Meter],
    past: Past,
    month: BillingMonth,
    days: Mapping[int, Daily],
    given: Mapping[str, Decimal] | None = None,
) -> tuple[MeterForecast, ...]:
    """Return each meter's month: what its `days` come to so far, and the rest.

    `given`: what the month is to come to, by meter code, instead of an estimate. Rule: B-05.
    """
    left = [
        day
        for day in month.days()
        if day > past.today and (past.closed_on is None or day < past.closed_on)
    ]
    return tuple(
        _estimated(meter, past, days.get(meter.id, {}), len(left))
        if given is None
        else _given(meter, days.get(meter.id, {}), len(left), given)
        for meter in meters
    )


def _given(meter: Meter, days: Daily, left: int, given: Mapping[str, Decimal]) -> MeterForecast:
    so_far = measured.month_of(meter, days)
    rest = EXACT.subtract(given.get(meter.code, _ZERO), so_far)
    return MeterForecast(meter, so_far, rest, left, Basis(BasisKind.GIVEN))


def _estimated(meter: Meter, past: Past, days: Daily, left: int) -> MeterForecast:
    """Return a meter's month, its rest estimated as the meter aggregates. Rule: B-05."""
    so_far = measured.month_of(meter, days)
    if not left:
        return MeterForecast(meter, so_far, _ZERO, 0, None)
    daily = past.daily.get(meter.id, {})
    if meter.aggregation == Aggregation.SUM:
        rest, basis = _more(past, daily, left)
        return MeterForecast(meter, so_far, rest, left, basis)
    value, basis = _gauge(meter, past, daily)
    if meter.aggregation == Aggregation.LAST:
        rest = _ZERO if days else value
    else:
        rest = max(_ZERO, EXACT.subtract(value, so_far))
    return MeterForecast(meter, so_far, rest, left, basis)


def _more(past: Past, daily: Daily, left: int) -> tuple[Decimal, Basis]:
    """Return what `left` days bring at the average of the last full days. Today is not full."""
    first = max(past.today - LOOKS_BACK, past.customer_since)
    days = (past.today - first).days
    if days < 1:
        return _ZERO, Basis(BasisKind.TOO_NEW)
    full = {day: each for day, each in daily.items() if first <= day < past.today}
    total = _ZERO
    for quantity in full.values():
        total = EXACT.add(total, quantity)
    if total <= 0:
        return _ZERO, Basis(BasisKind.UNUSED, days)
    rest = _ROUGH.divide(_ROUGH.multiply(total, Decimal(left)), Decimal(days))
    return rest.quantize(_finest(full), context=_ROUGH), Basis(BasisKind.AVERAGE, days, total)


def _gauge(meter: Meter, past: Past, daily: Daily) -> tuple[Decimal, Basis]:
    """Return what a gauge is taken to show on: its highest, or its latest, of the last days."""
    first = max(past.today - LOOKS_BACK + timedelta(days=1), past.customer_since)
    days = max(1, (past.today - first).days + 1)
    recent = {day: each for day, each in daily.items() if day >= first}
    if not recent:
        return _ZERO, Basis(BasisKind.UNUSED, days)
    value = measured.month_of(meter, recent)
    highest = meter.aggregation == Aggregation.MAX
    return value, Basis(BasisKind.HIGHEST if highest else BasisKind.LATEST, days, value)


def _finest(daily: Daily) -> Decimal:
    """Return one unit of the finest digit measured: whole calls stay whole calls."""
    digits = min(
        (
            exponent
            for each in daily.values()
            if isinstance(exponent := each.normalize(_ROUGH).as_tuple().exponent, int)
        ),
        default=0,
    )
    return Decimal(1).scaleb(min(digits, 0))

"""The bills before and after an order, in words: month by month, line by line. Rule: design.md 6.1."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from billing.enums import LineKind, Phase
from billing.rules.estimates import MeterForecast
from billing.rules.forecast import ForecastLine, LineChange, MonthChange
from core import words
from core.money import MINUS, quantity_written, written
from core.templatetags.writing import month
from plans.rules import Meter

_NONE = "–"


@dataclass(frozen=True, slots=True)
class LineShown:
    """A line of a bill before and after, net. `details`: what is measured and what is estimated."""

    name: str
    details: Sequence[str]
    before: str
    after: str
    difference: str
    is_changed: bool


@dataclass(frozen=True, slots=True)
class SumShown:
    """A sum under the lines."""

    name: str
    before: str
    after: str
    difference: str


@dataclass(frozen=True, slots=True)
class MonthShown:
    """A month's bill before and after, tax included. `state` in words, its badge's kind beside it.

    `is_open`: its lines are shown without asking, of the first month that changes. `parts`: what of
    the total is certain and what is estimated; none where nothing is.
    """

    name: str
    anchor: str
    state: str
    badge: str
    before: str
    after: str
    difference: str
    is_open: bool
    lines: Sequence[LineShown]
    sums: Sequence[SumShown]
    parts: Sequence[SumShown]
    is_final: bool


def months(changes: Sequence[MonthChange], currency: str) -> list[MonthShown]:
    """Return the months of a quote as they are shown."""
    first = next((each.month for each in changes if each.is_changed), None)
    return [_month(each, currency, is_open=each.month == first) for each in changes]


def bases(changes: Sequence[MonthChange]) -> list[str]:
    """Say what the estimates rest on, a sentence a meter: of the first month that has any."""
    found: dict[int, str] = {}
    for change in changes:
        for each in change.after.meters:
            if each.basis is not None and each.meter.id not in found:
                found[each.meter.id] = _("%(meter)s: %(basis)s.") % {
                    "meter": _named(each.meter),
                    "basis": each.basis.words,
                }
    return list(found.values())


def _month(change: MonthChange, currency: str, *, is_open: bool) -> MonthShown:
    before, after = change.before.expected, change.after.expected
    state, badge = _state(change)
    meters = {each.meter.id: each for each in change.after.meters}
    return MonthShown(
        name=month(change.month),
        anchor=f"month-{change.month}",
        state=state,
        badge=badge,
        before=written(before.gross, currency),
        after=written(after.gross, currency),
        difference=_signed(after.gross - before.gross, currency),
        is_open=is_open,
        is_final=change.after.is_final,
        lines=[_line(each, meters, change.after.phase, currency) for each in change.lines],
        sums=[
            _sum(_("Net"), before.net, after.net, currency),
            _sum(_("Consumption tax"), before.tax, after.tax, currency),
            _sum(_("Total (tax included)"), before.gross, after.gross, currency),
        ],
        parts=_parts(change, currency),
    )


def _state(change: MonthChange) -> tuple[str, str]:
    after = change.after
    if after.is_final:
        return _("final"), "good"
    if after.is_estimated and after.phase is Phase.RUNNING:
        return _("partly estimated"), "accent"
    if after.is_estimated:
        return _("estimated"), "accent"
    if after.phase is Phase.RUNNING:
        return _("provisional"), "accent"
    return _("ahead"), ""


def _parts(change: MonthChange, currency: str) -> list[SumShown]:
    """Tell apart what is certain by now from what is estimated, tax included."""
    before, after = change.before, change.after
    if not (before.is_estimated or after.is_estimated):
        return []
    certain = (before.measured.gross, after.measured.gross)
    return [
        _sum(_("of it certain: fees, and usage measured so far"), *certain, currency),
        _sum(
            _("of it estimated"),
            before.expected.gross - certain[0],
            after.expected.gross - certain[1],
            currency,
        ),
    ]


def _line(
    change: LineChange, meters: Mapping[int, MeterForecast], phase: Phase, currency: str
) -> LineShown:
    old, new = change.before, change.after
    return LineShown(
        name=_name(change),
        details=_details(new or old, meters, phase, currency),
        before=written(old.net, currency) if old else _NONE,
        after=written(new.net, currency) if new else _NONE,
        difference=_signed(change.difference, currency),
        is_changed=change.is_changed,
    )


def _name(change: LineChange) -> str:
    names = [_words(each) for each in (change.before, change.after) if each is not None]
    if len(names) == 2 and names[0] != names[1]:
        return f"{names[0]} → {names[1]}"
    return names[-1]


def _words(each: ForecastLine) -> str:
    line = each.line
    named = line.name_ja if words.current().is_japanese else line.name_en
    if line.kind == LineKind.ADJUSTMENT:
        return _("%(name)s: adjustment for %(month)s") % {"name": named, "month": month(line.month)}
    return named


def _details(
    each: ForecastLine | None, meters: Mapping[int, MeterForecast], phase: Phase, currency: str
) -> list[str]:
    if each is None or each.line.kind != LineKind.USAGE or each.line.meter is None:
        return []
    meter = meters.get(each.line.meter.id)
    if meter is None:
        return []
    quantities = {"used": _quantity(meter.used, meter.meter)}
    if meter.basis is None:
        return [_("measured: %(used)s") % quantities]
    quantities |= {"rest": _quantity(meter.rest, meter.meter)}
    if phase is Phase.AHEAD:
        return [_("estimated %(rest)s") % quantities]
    found = [_("measured so far %(used)s, estimated for the rest %(rest)s") % quantities]
    if each.is_estimated:
        found.append(
            _("after the change, %(so_far)s for what is measured and %(rest)s estimated")
            % {
                "so_far": written(each.measured_net, currency),
                "rest": written(each.net - each.measured_net, currency),
            }
        )
    return found


def _quantity(quantity: Decimal, meter: Meter) -> str:
    unit = meter.unit_ja if words.current().is_japanese else meter.unit_en
    space = "" if words.current().is_japanese or not unit else " "
    return f"{quantity_written(quantity)}{space}{unit}"


def _named(meter: Meter) -> str:
    return meter.name_ja if words.current().is_japanese else meter.name_en


def _sum(name: str, before: int, after: int, currency: str) -> SumShown:
    return SumShown(
        name, written(before, currency), written(after, currency), _signed(after - before, currency)
    )


def _signed(amount: int, currency: str) -> str:
    if amount == 0:
        return "±0"
    text = written(amount, currency)
    return text if text.startswith(MINUS) else f"+{text}"

"""The kernel: what is known of a month becomes its bill. Pure, and the only place that prices.

Each line is made together with its explanation, whose shapes docs/rules.md lists.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import NamedTuple

from billing.enums import LineKind, TaxCode
from billing.rules.facts import Bill, Facts, Fee, LateMonth, Line, TaxLine, written
from billing.rules.tax import RATES, tax_code, tax_on
from core.canonical import Json
from core.months import BillingMonth
from plans.enums import TaxCategory
from plans.rules import Meter, MeterTerms, PlanTerms, Tier

# Quantities have up to 40 digits and prices as many again; the interpreter's 28 would round in
# silence. What even 200 cannot hold is an error, never a rounding.
EXACT = Context(prec=200, traps=[Inexact, InvalidOperation, Overflow])

_ZERO = Decimal(0)
_ONE = Decimal(1)
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


class MixedCurrencies(ValueError):
    """The facts of one bill are priced in more than one currency. Rule: B-12."""


class Priced(NamedTuple):
    """A month's usage of one meter, priced. `net` is `exact` rounded down; `tiers` explain it."""

    net: int
    over: Decimal
    exact: Decimal
    tiers: list[Json]


def rate(facts: Facts) -> Bill:
    """Return the bill of an organisation's month.

    Lines stand in the order licence, support, usage by meter, adjustments by month and meter,
    credit brought, credit carried. Raises MixedCurrencies, NoTaxRate.
    Rule: B-02, B-03, B-04, B-06, B-07, B-08, B-12.
    """
    lines = _own_lines(facts)
    for late in facts.late:
        lines += _adjustments(late, facts)
    sums: dict[TaxCode, int] = {}
    for line in lines:
        code = line.tax_code
        sums[code] = sums.get(code, 0) + line.net
    carried: Mapping[TaxCode, int] = {}
    if facts.credit or min(sums.values(), default=0) < 0:
        carried = _settle_credit(facts, lines, sums)
    taxes = tuple(
        TaxLine(code, RATES[code], net, tax_on(net, code, facts.tax_rounding))
        for code, net in sorted(sums.items())
    )
    net = sum(tax.net for tax in taxes)
    tax = sum(tax.tax for tax in taxes)
    return Bill(facts.month, facts.currency, tuple(lines), taxes, net, tax, net + tax, carried)


def usage_price(used: Decimal, terms: MeterTerms) -> Priced:
    """Return what a month's usage of a meter costs.

    Each unit over the included quantity costs what the tier it falls in says; the sum is exact and
    rounded down once. A month below zero, by corrections, has nothing over. Rule: B-03, B-04.
    """
    over = EXACT.subtract(used, terms.included)
    if over <= 0:
        return Priced(0, _ZERO, _ZERO, [])
    exact = _ZERO
    tiers: list[Json] = []
    for step in _steps(terms):
        if step.last_unit is not None and step.last_unit <= over:
            exact = EXACT.add(exact, step.whole)
            tiers.append(step.told_whole)
            if step.last_unit == over:
                break
            continue
        units = EXACT.subtract(over, step.above)
        amount = EXACT.multiply(units, step.unit_price)
        exact = EXACT.add(exact, amount)
        tiers.append({**step.told, "units": written(units), "amount": written(amount)})
        break
    return Priced(int(exact.to_integral_value(rounding=ROUND_DOWN)), over, exact, tiers)


# What is the same for every organisation of a month end is made once. It is found by the identity
# of its terms, since hashing them costs more than making a line: the catalogue hands out the same
# object again and again. The object is kept with what was made from it, so that its id is not
# given to another meanwhile. A month is compared, not hashed: a run has one.
_REMEMBERED = 10_000
_fee_lines: dict[tuple[int, int, str, str], tuple[PlanTerms, Line]] = {}
_frames: dict[tuple[int, str, str], "_Frame"] = {}
_tier_steps: dict[int, tuple[MeterTerms, list["_Step"]]] = {}


@dataclass(frozen=True, slots=True)
class _Step:
    """A tier with what it comes to when it is used up, and how an explanation tells it."""

    above: Decimal
    last_unit: Decimal | None
    unit_price: Decimal
    whole: Decimal
    told: dict[str, Json]
    told_whole: dict[str, Json]


@dataclass(frozen=True, slots=True)
class _Frame:
    """What all usage lines of a licence in a month have in common."""

    terms: PlanTerms | None
    month: BillingMonth
    code: TaxCode
    version_id: int | None
    meters: Mapping[str, MeterTerms]
    head: Mapping[str, Json]


def _own_lines(facts: Facts) -> list[Line]:
    lines = []
    if facts.licence is not None:
        lines.append(_fee_line(facts.licence, facts))
    if facts.support is not None:
        lines.append(_fee_line(facts.support, facts))
    frame = _frame(facts.licence.terms if facts.licence else None, facts.month, facts)
    for meter in facts.meters:
        used = facts.used.get(meter.code)
        if used is None:
            if meter.code not in frame.meters:
                continue
            used = _ZERO
        net, explanation = _usage(frame, meter, used)
        lines.append(
            Line(
                LineKind.USAGE,
                facts.month,
                meter.name_ja,
                meter.name_en,
                frame.version_id,
                meter,
                used,
                net,
                frame.code,
                explanation,
            )
        )
    return lines


def _fee_line(fee: Fee, facts: Facts) -> Line:
    terms = fee.terms
    key = (id(terms), fee.steps, facts.vendor_country, facts.country)
    kept = _fee_lines.get(key)
    if kept is None or kept[1].month != facts.month:
        if len(_fee_lines) >= _REMEMBERED:
            _fee_lines.clear()
        code = tax_code(facts.vendor_country, facts.country, terms.tax_category, facts.month)
        kept = _fee_lines[key] = (terms, _new_fee_line(fee, facts.month, code))
    if terms.currency != facts.currency:
        raise MixedCurrencies(f"{terms.plan_code} in {terms.currency}, not {facts.currency}")
    return kept[1]


def _new_fee_line(fee: Fee, month: BillingMonth, code: TaxCode) -> Line:
    terms = fee.terms
    accounts = terms.accounts_per_step * fee.steps if terms.accounts_per_step else None
    size = f" {accounts}" if accounts else ""
    return Line(
        LineKind.FEE,
        month,
        f"{terms.name_ja}{size}",
        f"{terms.name_en}{size}",
        terms.version_id,
        None,
        Decimal(fee.steps),
        terms.net * fee.steps,
        code,
        {
            "kind": "fee",
            "plan": terms.plan_code,
            "version": terms.version_number,
            "steps": str(fee.steps),
            "unit_net": str(terms.net),
            "accounts": str(accounts) if accounts else None,
            "in_force_at": month.first_day.isoformat(),
        },
    )


def _frame(terms: PlanTerms | None, month: BillingMonth, facts: Facts) -> _Frame:
    key = (id(terms), facts.vendor_country, facts.country)
    kept = _frames.get(key)
    if kept is None or kept.month != month:
        if len(_frames) >= _REMEMBERED:
            _frames.clear()
        kept = _frames[key] = _new_frame(terms, month, facts)
    return kept


def _new_frame(terms: PlanTerms | None, month: BillingMonth, facts: Facts) -> _Frame:
    category = terms.tax_category if terms else TaxCategory.STANDARD
    return _Frame(
        terms=terms,
        month=month,
        code=tax_code(facts.vendor_country, facts.country, category, month),
        version_id=terms.version_id if terms else None,
        meters={each.meter.code: each for each in terms.meters} if terms else {},
        head={
            "kind": "usage",
            "plan": terms.plan_code if terms else None,
            "version": terms.version_number if terms else None,
            "first_day": month.first_day.isoformat(),
            "last_day": month.last_day.isoformat(),
        },
    )


def _usage(frame: _Frame, meter: Meter, used: Decimal) -> tuple[int, dict[str, Json]]:
    """Return the net of a month's usage of a meter, and its explanation."""
    terms = frame.meters.get(meter.code)
    if terms is None:
        return 0, {
            **frame.head,
            "aggregation": meter.aggregation.value,
            "used": written(used),
            "included": None,
            "over": None,
            "tiers": [],
            "exact": "0",
            "charged": False,
            "why": "no_price" if frame.terms else "no_licence",
        }
    priced = usage_price(used, terms)
    return priced.net, {
        **frame.head,
        "aggregation": meter.aggregation.value,
        "used": written(used),
        "included": written(terms.included),
        "over": written(priced.over),
        "tiers": priced.tiers,
        "exact": written(priced.exact),
        "charged": True,
    }


def _steps(terms: MeterTerms) -> list[_Step]:
    kept = _tier_steps.get(id(terms))
    if kept is None:
        if len(_tier_steps) >= _REMEMBERED:
            _tier_steps.clear()
        begins = [_ZERO, *(tier.last_unit or _ZERO for tier in terms.tiers)]
        steps = [_step(tier, above) for tier, above in zip(terms.tiers, begins, strict=False)]
        kept = _tier_steps[id(terms)] = (terms, steps)
    return kept[1]


def _step(tier: Tier, above: Decimal) -> _Step:
    units = EXACT.subtract(tier.last_unit, above) if tier.last_unit is not None else _ZERO
    whole = EXACT.multiply(units, tier.unit_price)
    told: dict[str, Json] = {
        "above": written(above),
        "to": None if tier.last_unit is None else written(tier.last_unit),
        "unit_price": written(tier.unit_price),
    }
    return _Step(
        above=above,
        last_unit=tier.last_unit,
        unit_price=tier.unit_price,
        whole=whole,
        told=told,
        told_whole={**told, "units": written(units), "amount": written(whole)},
    )


def _adjustments(late: LateMonth, facts: Facts) -> Iterator[Line]:
    """Return a line per meter of an earlier month that now costs something else. Rule: B-08."""
    terms = late.licence
    if terms is not None and terms.currency != facts.currency:
        raise MixedCurrencies(f"{late.month} in {terms.currency}, not {facts.currency}")
    month = late.month
    frame = _new_frame(terms, month, facts)
    for meter in facts.meters:
        used_now = late.used.get(meter.code, _ZERO)
        net_now, now = _usage(frame, meter, used_now)
        net_before = late.billed.get(meter.code, 0)
        if net_now == net_before:
            continue
        used_before = late.rated.get(meter.code, _ZERO)
        yield Line(
            LineKind.ADJUSTMENT,
            month,
            f"{meter.name_ja}({month.year}年{month.month}月分の調整)",
            f"{meter.name_en} (adjustment for {MONTHS[month.month - 1]} {month.year})",
            terms.version_id if terms else None,
            meter,
            EXACT.subtract(used_now, used_before),
            net_now - net_before,
            late.tax_code,
            {
                "kind": "adjustment",
                "month": str(month),
                "used_before": written(used_before),
                "used_now": written(used_now),
                "net_before": str(net_before),
                "net_now": str(net_now),
                "now": now,
            },
        )


def _settle_credit(facts: Facts, lines: list[Line], sums: dict[TaxCode, int]) -> dict[TaxCode, int]:
    """Bring the credit of the month before, and return what is left over. Rule: B-08."""
    for code, credit in sorted(facts.credit.items()):
        if credit:
            lines.append(_credit_line(LineKind.CREDIT_BROUGHT, facts.month, code, -credit))
            sums[code] = sums.get(code, 0) - credit
    carried = {code: -net for code, net in sorted(sums.items()) if net < 0}
    for code, credit in carried.items():
        lines.append(_credit_line(LineKind.CREDIT_CARRIED, facts.month, code, credit))
        sums[code] = 0
    return carried


_CREDIT_NAMES = {
    LineKind.CREDIT_BROUGHT: ("前月からの繰越", "Credit brought forward"),
    LineKind.CREDIT_CARRIED: ("翌月への繰越", "Credit carried forward"),
}


def _credit_line(kind: LineKind, month: BillingMonth, code: TaxCode, net: int) -> Line:
    name_ja, name_en = _CREDIT_NAMES[kind]
    explanation: dict[str, Json] = {"kind": kind.value, "tax_code": code.value}
    return Line(kind, month, name_ja, name_en, None, None, _ONE, net, code, explanation)

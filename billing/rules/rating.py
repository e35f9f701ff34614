"""The kernel: what is known of a month becomes its bill. Pure, and the only place that prices.

Each line is made together with its explanation, whose shapes docs/rules.md lists.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Context, Decimal, Inexact, InvalidOperation, Overflow

from billing.enums import LineKind, TaxCode
from billing.rules.facts import Bill, Facts, Fee, LateMonth, Line, TaxLine, written
from billing.rules.tax import RATES, tax_code, tax_on
from core.canonical import Json
from core.months import BillingMonth
from plans.enums import TaxCategory
from plans.rules import Meter, MeterTerms, PlanTerms

# Quantities have up to 40 digits and prices as many again; the interpreter's 28 would round in
# silence. What even 200 cannot hold is an error, never a rounding.
EXACT = Context(prec=200, traps=[Inexact, InvalidOperation, Overflow])

_ZERO = Decimal(0)
_ONE = Decimal(1)
_MONTHS = (
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
_REMEMBERED = 10_000


class MixedCurrencies(ValueError):
    """The facts of one bill are priced in more than one currency. Rule: B-12."""


@dataclass(frozen=True, slots=True)
class Priced:
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
        sums[line.tax_code] = sums.get(line.tax_code, 0) + line.net
    carried = (
        _settle_credit(facts, lines, sums)
        if facts.credit or min(sums.values(), default=0) < 0
        else {}
    )
    taxes = tuple(
        TaxLine(code, RATES[code], net, tax_on(net, code, facts.tax_rounding))
        for code, net in (sorted(sums.items()) if len(sums) > 1 else sums.items())
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
    above = _ZERO
    tiers: list[Json] = []
    for tier in terms.tiers:
        upto = over if tier.last_unit is None or tier.last_unit > over else tier.last_unit
        units = EXACT.subtract(upto, above)
        amount = EXACT.multiply(units, tier.unit_price)
        exact = EXACT.add(exact, amount)
        tiers.append(
            {
                "above": written(above),
                "to": None if tier.last_unit is None else written(tier.last_unit),
                "units": written(units),
                "unit_price": written(tier.unit_price),
                "amount": written(amount),
            }
        )
        above = upto
        if above == over:
            break
    return Priced(int(exact.to_integral_value(rounding=ROUND_DOWN)), over, exact, tiers)


def _own_lines(facts: Facts) -> list[Line]:
    lines = [_fee_line(fee, facts) for fee in (facts.licence, facts.support) if fee is not None]
    terms = facts.licence.terms if facts.licence else None
    priced = _meters_of(terms)
    category = terms.tax_category if terms else TaxCategory.STANDARD
    code = tax_code(facts.vendor_country, facts.country, category, facts.month)
    for meter in facts.meters:
        used = facts.used.get(meter.code)
        if used is not None or meter.code in priced:
            used = used or _ZERO
            net, explanation = _usage(terms, meter, used, facts.month)
            lines.append(
                Line(
                    LineKind.USAGE,
                    facts.month,
                    meter.name_ja,
                    meter.name_en,
                    terms.version_id if terms else None,
                    meter,
                    used,
                    net,
                    code,
                    explanation,
                )
            )
    return lines


# Terms are remembered by identity, since hashing them costs more than the line does: the catalogue
# hands out the same object again and again. The object is kept with what was made from it, so that
# its id is not given to another meanwhile.
_fee_lines: dict[tuple[int, int, BillingMonth, TaxCode], tuple[PlanTerms, Line]] = {}
_meter_terms: dict[int, tuple[PlanTerms, Mapping[str, MeterTerms]]] = {}


def _fee_line(fee: Fee, facts: Facts) -> Line:
    terms = fee.terms
    if terms.currency != facts.currency:
        raise MixedCurrencies(f"{terms.plan_code} in {terms.currency}, not {facts.currency}")
    code = tax_code(facts.vendor_country, facts.country, terms.tax_category, facts.month)
    key = (id(terms), fee.steps, facts.month, code)
    kept = _fee_lines.get(key)
    if kept is None or kept[0] is not terms:
        if len(_fee_lines) >= _REMEMBERED:
            _fee_lines.clear()
        kept = _fee_lines[key] = (terms, _new_fee_line(fee, facts.month, code))
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


def _meters_of(terms: PlanTerms | None) -> Mapping[str, MeterTerms]:
    if terms is None:
        return {}
    kept = _meter_terms.get(id(terms))
    if kept is None or kept[0] is not terms:
        if len(_meter_terms) >= _REMEMBERED:
            _meter_terms.clear()
        kept = _meter_terms[id(terms)] = (terms, {each.meter.code: each for each in terms.meters})
    return kept[1]


def _usage(
    terms: PlanTerms | None, meter: Meter, used: Decimal, month: BillingMonth
) -> tuple[int, dict[str, Json]]:
    """Return the net of a month's usage of a meter, and its explanation."""
    meter_terms = _meters_of(terms).get(meter.code)
    explanation: dict[str, Json] = {
        "kind": "usage",
        "plan": terms.plan_code if terms else None,
        "version": terms.version_number if terms else None,
        "aggregation": meter.aggregation.value,
        "used": written(used),
        "first_day": month.first_day.isoformat(),
        "last_day": month.last_day.isoformat(),
        "charged": meter_terms is not None,
    }
    if meter_terms is None:
        explanation["why"] = "no_price" if terms else "no_licence"
        explanation |= {"included": None, "over": None, "tiers": [], "exact": "0"}
        return 0, explanation
    priced = usage_price(used, meter_terms)
    explanation["included"] = written(meter_terms.included)
    explanation["over"] = written(priced.over)
    explanation["tiers"] = priced.tiers
    explanation["exact"] = written(priced.exact)
    return priced.net, explanation


def _adjustments(late: LateMonth, facts: Facts) -> Iterator[Line]:
    """Return a line per meter of an earlier month that now costs something else. Rule: B-08."""
    terms = late.licence
    if terms is not None and terms.currency != facts.currency:
        raise MixedCurrencies(f"{late.month} in {terms.currency}, not {facts.currency}")
    month = late.month
    for meter in facts.meters:
        used_now = late.used.get(meter.code, _ZERO)
        net_now, now = _usage(terms, meter, used_now, month)
        net_before = late.billed.get(meter.code, 0)
        if net_now == net_before:
            continue
        used_before = late.rated.get(meter.code, _ZERO)
        yield Line(
            LineKind.ADJUSTMENT,
            month,
            f"{meter.name_ja}({month.year}年{month.month}月分の調整)",
            f"{meter.name_en} (adjustment for {_MONTHS[month.month - 1]} {month.year})",
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

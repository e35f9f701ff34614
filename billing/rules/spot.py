"""A spot order as an invoice: its lines from its frozen months, its tax once. Pure. Rule: B-06, B-13."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import Any

from billing.enums import LineKind, TaxCode
from billing.rules.facts import Line, TaxLine
from billing.rules.rating import MONTHS
from billing.rules.tax import RATES, tax_code, tax_on
from core.money import Rounding
from core.months import BillingMonth
from plans.rules import PlanTerms
from spot_orders.rules.spot import Offer, SpotMonth


class MixedTaxCodes(ValueError):
    """The months of one order bear different taxes: it cannot be ordered as one."""


class NotFrozenMonths(ValueError):
    """What an order keeps of its months is not in the form in which it was placed."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What an order comes to, in minor units of its currency; what is frozen when it is placed."""

    net: int
    tax: int
    gross: int
    code: TaxCode
    rate: Decimal
    rounding: Rounding


@dataclass(frozen=True, slots=True)
class Ordered:
    """A spot order as its invoice sees it. `months` as frozen; `end_on`: half open.

    `terms`: of each version in `months`, for its names alone; prices are those of the months.
    """

    number: str
    accounts: int
    end_on: date
    months: tuple[SpotMonth, ...]
    terms: Mapping[int, PlanTerms]
    code: TaxCode
    rounding: Rounding


def totals(
    offer: Offer, *, vendor_country: str, country: str, ordered_on: date, rounding: Rounding
) -> Totals:
    """Return net, tax and gross of an offer that is ordered on a day in the billing time zone.

    The tax is that of the day of the order, rounded once. Raises MixedTaxCodes, NoTaxRate.
    Rule: S2-07, B-06, B-07.
    """
    month = BillingMonth.of_day(ordered_on)
    codes = {
        tax_code(vendor_country, country, span.terms.tax_category, month) for span in offer.spans
    }
    if len(codes) != 1:
        raise MixedTaxCodes(sorted(codes))
    (code,) = codes
    net = offer.net
    tax = tax_on(net, code, rounding)
    return Totals(net, tax, net + tax, code, RATES[code], rounding)


def months_of(priced: Sequence[Sequence[Any]]) -> tuple[SpotMonth, ...]:
    """Return an order's months as it froze them: first day, version, steps, net a step.

    Raises NotFrozenMonths.
    """
    try:
        return tuple(
            SpotMonth(date.fromisoformat(first_on), int(version_id), int(steps), int(unit_net))
            for first_on, version_id, steps, unit_net in priced
        )
    except (TypeError, ValueError) as fault:
        raise NotFrozenMonths(repr(fault)) from fault


def lines(ordered: Ordered) -> tuple[Line, ...]:
    """Return a line for each run of months of one version at one price, in their order.

    Net is steps × unit price × months, and together they are the order's, to the yen. Rule: B-13.
    """
    runs = [list(run) for _, run in groupby(ordered.months, _alike)]
    ends = [run[0].first_on for run in runs[1:]] + [ordered.end_on]
    return tuple(_line(run, end_on, ordered) for run, end_on in zip(runs, ends, strict=True) if run)


def taxes(ordered: Ordered) -> tuple[TaxLine, ...]:
    """Return the order's tax, computed once on the sum of its lines. Rule: B-06."""
    net = sum(month.net for month in ordered.months)
    tax = tax_on(net, ordered.code, ordered.rounding)
    return (TaxLine(ordered.code, RATES[ordered.code], net, tax),)


def _alike(month: SpotMonth) -> tuple[int, int, int]:
    return month.version_id, month.steps, month.unit_net


def _line(run: Sequence[SpotMonth], end_on: date, ordered: Ordered) -> Line:
    first = run[0]
    terms = ordered.terms[first.version_id]
    last_on = date.fromordinal(end_on.toordinal() - 1)
    return Line(
        LineKind.SPOT,
        BillingMonth.of_day(first.first_on),
        f"スポット契約: {terms.name_ja} +{ordered.accounts}アカウント"
        f"、{_ja(first.first_on)}〜{_ja(last_on)}",
        f"Spot contract: {terms.name_en} +{ordered.accounts} accounts,"
        f" {_en(first.first_on)} – {_en(last_on)}",
        first.version_id,
        None,
        Decimal(len(run)),
        sum(month.net for month in run),
        ordered.code,
        {
            "kind": "spot",
            "order": ordered.number,
            "plan": terms.plan_code,
            "version": terms.version_number,
            "accounts": str(ordered.accounts),
            "steps": str(first.steps),
            "unit_net": str(first.unit_net),
            "months": str(len(run)),
            "first_on": first.first_on.isoformat(),
            "end_on": end_on.isoformat(),
        },
    )


def _ja(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


def _en(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"

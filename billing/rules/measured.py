"""What a month comes to from its days. Rule: B-05."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from billing.rules.rating import EXACT
from plans.enums import Aggregation
from plans.rules import Meter

Daily = Mapping[date, Decimal]


def month_of(meter: Meter, daily: Daily) -> Decimal:
    """Return the month of a meter from its days. Rule: B-05."""
    if not daily:
        return Decimal(0)
    if meter.aggregation == Aggregation.MAX:
        return max(daily.values())
    if meter.aggregation == Aggregation.LAST:
        return daily[max(daily)]
    total = Decimal(0)
    for quantity in daily.values():
        total = EXACT.add(total, quantity)
    return total


def used(meters: Sequence[Meter], daily: Mapping[int, Daily]) -> dict[str, Decimal]:
    """Return a month's usage by meter code from its days by meter id; a meter without any is left out."""
    return {meter.code: month_of(meter, daily[meter.id]) for meter in meters if daily.get(meter.id)}

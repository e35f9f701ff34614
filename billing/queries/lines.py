"""What stands behind a line of an issued document: the days of its usage, and whose prices it bears."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import reduce
from zoneinfo import ZoneInfo

from billing.queries.invoices import Line
from billing.rules import explanations
from billing.rules.explanations import SpotWhy
from billing.rules.rating import EXACT
from core.months import BillingMonth
from plans.enums import Aggregation
from plans.models import Selection
from usage.models import DailyUsage


@dataclass(frozen=True, slots=True)
class DayUsage:
    """A day of a line's month; without usage, zero of no events."""

    day: date
    quantity: Decimal
    events: int


@dataclass(frozen=True, slots=True)
class Days:
    """The days behind a line, as they are known now.

    `total`: what the meter makes of them; `differs`: more has come in since the line was rated.
    """

    days: tuple[DayUsage, ...]
    total: Decimal
    differs: bool


@dataclass(frozen=True, slots=True)
class Prices:
    """Which version's prices a line bears, and from when the organisation has had them."""

    plan_ja: str
    plan_en: str
    version: int
    on_sale_from: date
    selected_at: datetime | None


def days_of(line: Line) -> Days | None:
    """Return the days behind a usage or adjustment line; None for a line that has none."""
    usage, meter = explanations.usage_of(line.why), line.row.meter
    if usage is None or meter is None:
        return None
    rows = {
        row.day: row
        for row in DailyUsage.objects.filter(
            organisation_id=line.row.organisation_id,
            meter_id=meter.pk,
            day__gte=usage.first_day,
            day__lte=usage.last_day,
        )
    }
    used = [rows[day].quantity for day in sorted(rows)]
    total = month_total(Aggregation(meter.aggregation), used)
    return Days(
        days=tuple(
            DayUsage(day, rows[day].quantity, rows[day].events)
            if day in rows
            else DayUsage(day, Decimal(0), 0)
            for day in BillingMonth.of_day(usage.first_day).days()
        ),
        total=total,
        differs=total != usage.used,
    )


def month_total(aggregation: Aggregation, used: Sequence[Decimal]) -> Decimal:
    """Return what a meter makes of the days that have usage, in their order. Rule: B-05."""
    if not used:
        return Decimal(0)
    if aggregation is Aggregation.MAX:
        return max(used)
    if aggregation is Aggregation.LAST:
        return used[-1]
    return reduce(EXACT.add, used)


def prices_of(line: Line, zone: ZoneInfo) -> Prices | None:
    """Return whose prices a line bears; None where no plan was in force."""
    version = line.row.plan_version
    if version is None:
        return None
    if isinstance(line.why, SpotWhy):
        # Its plan may be that of a renewal which had yet to begin: then it was not had so far.
        begin = line.row.invoice.issued_at
    else:
        begin = BillingMonth.of_day(line.row.month).starts_at(zone)
    selection = (
        Selection.objects.filter(
            organisation_id=line.row.organisation_id, plan_version=version, from_at__lte=begin
        )
        .order_by("-from_at")
        .first()
    )
    return Prices(
        plan_ja=version.plan.name_ja,
        plan_en=version.plan.name_en,
        version=version.number,
        on_sale_from=version.on_sale_from,
        selected_at=selection.from_at if selection else None,
    )

"""An organisation's month as its usage page shows it. Rule: S1-08, S1-09, S1-10."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import accumulate
from zoneinfo import ZoneInfo

import orjson

from accounts.models import Organisation
from billing.enums import LineKind, MonthState
from billing.queries import month_rows
from billing.queries.facts import Late, late_facts, late_months, terms_of
from billing.queries.month_rows import IssuedAs, MonthRow
from billing.queries.stored import Reader, stored_lines, stored_taxes
from billing.rules import measured, rating
from billing.rules.facts import Bill, Facts, Fee, Line, TaxLine, facts_from_json
from billing.rules.rating import EXACT
from core.money import Rounding
from core.months import BillingMonth, last_day, months_between
from plans import queries as plans
from plans.enums import Aggregation, Category
from plans.models import VendorVersion
from plans.rules import Meter, PlanTerms


class MonthNotSelectable(LookupError):
    """The month is before the organisation was a customer, or has not begun. Rule: S1-08."""


@dataclass(frozen=True, slots=True)
class MeterView:
    """A meter's month. `included`, `over`: None where the licence has no price for the meter.

    `daily`: the days that have usage. `reached_on`: the day by whose end the included quantity was
    used up (sum meters only). `late`: what came in after the month was billed, and is settled by
    an adjustment of a later invoice (B-08). `used_before`: the month before.
    """

    meter: Meter
    included: Decimal | None
    used: Decimal
    over: Decimal | None
    net: int
    charged: bool
    daily: Mapping[date, Decimal]
    reached_on: date | None
    late: Decimal
    used_before: Decimal | None


@dataclass(frozen=True, slots=True)
class PreviousMonth:
    """The month before, to compare with. `used`: by meter code."""

    month: BillingMonth
    state: MonthState
    gross: int
    used: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class MonthView:
    """Amounts in minor units of `currency`. `as_of`: now for a provisional month, else when billed.

    `meters`: those that the plan prices, and those with usage in this month or the one before.
    `days`: the days of the month that have begun. `invoice`: None also for a final month that had
    nothing to bill. `months`: what can be chosen under "Date", oldest first.
    """

    month: BillingMonth
    state: MonthState
    as_of: datetime
    zone: ZoneInfo
    currency: str
    lines: tuple[Line, ...]
    taxes: tuple[TaxLine, ...]
    net: int
    tax: int
    gross: int
    meters: tuple[MeterView, ...]
    days: tuple[date, ...]
    previous: PreviousMonth | None
    invoice: IssuedAs | None
    months: tuple[BillingMonth, ...]


@dataclass(frozen=True, slots=True)
class _Usage:
    """The daily quantities of the month by meter id; what an open month before came to, by code."""

    daily: Mapping[int, Mapping[date, Decimal]]
    before: Mapping[str, Decimal]


def selectable_months(
    organisation: Organisation, now: datetime, zone: ZoneInfo
) -> tuple[BillingMonth, ...]:
    """Return the months that an organisation can look at, oldest first. Rule: S1-08."""
    last = BillingMonth.containing(now, zone)
    if organisation.closed_on is not None:
        last = min(last, BillingMonth.of_day(last_day(organisation.closed_on)))
    return tuple(months_between(BillingMonth.of_day(organisation.customer_since), last))


def month_view(
    organisation: Organisation, month: BillingMonth, *, now: datetime, vendor: VendorVersion
) -> MonthView:
    """Return a month as its organisation is shown it, in at most two statements.

    An open month is rated from what is known at `now`, by the kernel; a closed one is what was
    issued, whatever has come in since. Raises MonthNotSelectable. Rule: S1-09, S1-10.
    """
    zone = ZoneInfo(vendor.time_zone)
    months = selectable_months(organisation, now, zone)
    if month not in months:
        raise MonthNotSelectable(str(month))
    meters = plans.meters_for_pages()
    this, previous, before = month_rows.with_two_before(organisation, month, zone)
    usage = _usage(this, previous, meters)
    reader = Reader.for_pages()
    open_bills = _open_bills(organisation, vendor, meters, (this, previous, before), usage)
    bill = open_bills.get(month) or _closed_bill(this, reader)
    shown = None
    if month.previous in months:
        shown = _previous(previous, open_bills.get(month.previous), usage, reader)
    today = now.astimezone(zone).date()
    return MonthView(
        month=month,
        state=_state(this),
        as_of=this.billed_at or now,
        zone=zone,
        currency=bill.currency,
        lines=bill.lines,
        taxes=bill.taxes,
        net=bill.net,
        tax=bill.tax,
        gross=bill.gross,
        meters=tuple(filter(_concerns, (_meter(each, bill, usage, shown) for each in meters))),
        days=tuple(day for day in month.days() if day <= today),
        previous=shown,
        invoice=this.invoice,
        months=months,
    )


def _state(month: MonthRow) -> MonthState:
    return MonthState.PROVISIONAL if month.billed_at is None else MonthState.FINAL


def _open_bills(
    organisation: Organisation,
    vendor: VendorVersion,
    meters: tuple[Meter, ...],
    rows: tuple[MonthRow, MonthRow, MonthRow],
    usage: _Usage,
) -> dict[BillingMonth, Bill]:
    """Return the bills that this month and the one before would have, where they are still open.

    What came in late for closed months, and their credit, goes to the first open one.
    """
    this, previous, before = rows
    if this.billed_at is not None:
        return {}
    late: Sequence[Late] = ()
    if this.has_late:
        late = late_months([organisation.pk], this.month).get(organisation.pk, ())
    wanted = {(fee[0], organisation.currency) for row in rows for fee in row.fees.values()}
    wanted |= {each.licence for each in late if each.licence}
    terms = terms_of(wanted, plans.terms_for_pages)
    facts = Facts(
        organisation.pk,
        this.month,
        organisation.currency,
        organisation.country,
        vendor.country,
        Rounding(vendor.tax_rounding),
        _fee(this, Category.LICENCE, organisation, terms),
        _fee(this, Category.SUPPORT, organisation, terms),
        meters,
        measured.used(meters, usage.daily),
        tuple(late_facts(each, terms) for each in late),
        previous.credit,
    )
    begun = previous.month >= BillingMonth.of_day(organisation.customer_since)
    if previous.billed_at is not None or not begun:
        return {this.month: rating.rate(facts)}
    first = rating.rate(
        replace(
            facts,
            month=previous.month,
            licence=_fee(previous, Category.LICENCE, organisation, terms),
            support=_fee(previous, Category.SUPPORT, organisation, terms),
            used=usage.before,
            credit=before.credit,
        )
    )
    second = rating.rate(replace(facts, late=(), credit=first.credit_carried))
    return {previous.month: first, this.month: second}


def _fee(
    row: MonthRow,
    category: Category,
    organisation: Organisation,
    terms: Mapping[tuple[int, str], PlanTerms],
) -> Fee | None:
    fee = row.fees.get(category)
    if fee is None:
        return None
    return Fee(terms[fee[0], organisation.currency], fee[1])


def _closed_bill(row: MonthRow, reader: Reader) -> Bill:
    """Return what a closed month was billed: the invoice's own lines, or the facts' where none was."""
    if row.facts is None:
        raise MonthNotSelectable(str(row.month))
    facts = orjson.loads(row.facts)
    if row.lines is None or row.taxes is None:
        return rating.rate(facts_from_json(facts, reader.catalogue))
    taxes = stored_taxes(orjson.loads(row.taxes))
    net = sum(tax.net for tax in taxes)
    tax = sum(tax.tax for tax in taxes)
    return Bill(
        month=row.month,
        currency=facts["currency"],
        lines=stored_lines(orjson.loads(row.lines), reader),
        taxes=taxes,
        net=net,
        tax=tax,
        gross=net + tax,
        credit_carried=row.credit,
    )


def _previous(
    row: MonthRow, open_bill: Bill | None, usage: _Usage, reader: Reader
) -> PreviousMonth:
    if row.facts is not None:
        used = {
            code: Decimal(quantity) for code, quantity in orjson.loads(row.facts)["used"].items()
        }
        return PreviousMonth(row.month, MonthState.FINAL, row.gross, used)
    gross = open_bill.gross if open_bill else 0
    return PreviousMonth(row.month, MonthState.PROVISIONAL, gross, usage.before)


def _meter(meter: Meter, bill: Bill, usage: _Usage, previous: PreviousMonth | None) -> MeterView:
    line = next(
        (
            line
            for line in bill.lines
            if line.kind == LineKind.USAGE and line.meter and line.meter.id == meter.id
        ),
        None,
    )
    explanation = line.explanation if line else {}
    included, over = _decimal(explanation.get("included")), _decimal(explanation.get("over"))
    used = line.quantity if line else Decimal(0)
    daily = usage.daily.get(meter.id, {})
    return MeterView(
        meter=meter,
        included=included,
        used=used,
        over=over,
        net=line.net if line else 0,
        charged=included is not None,
        daily=daily,
        reached_on=_reached_on(meter, included, daily),
        late=EXACT.subtract(measured.month_of(meter, daily), used),
        used_before=previous.used.get(meter.code, Decimal(0)) if previous else None,
    )


def _concerns(meter: MeterView) -> bool:
    """Say whether a meter has a price here, even at zero, or use: others are other customers'."""
    return bool(meter.charged or meter.daily or meter.used or meter.used_before)


def _decimal(explained: object) -> Decimal | None:
    return Decimal(explained) if isinstance(explained, str) else None


def _reached_on(
    meter: Meter, included: Decimal | None, daily: Mapping[date, Decimal]
) -> date | None:
    if meter.aggregation != Aggregation.SUM or not included:
        return None
    days = sorted(daily)
    sums = accumulate((daily[day] for day in days), EXACT.add)
    return next((day for day, sum_ in zip(days, sums, strict=True) if sum_ >= included), None)


def _usage(month: MonthRow, previous: MonthRow, meters: Sequence[Meter]) -> _Usage:
    """Return the days of the month, and what an open month before came to."""
    return _Usage(month.daily, measured.used(meters, previous.daily))

"""An organisation's month as its usage page shows it. Rule: S1-08, S1-09, S1-10."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import accumulate
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from accounts.models import Organisation
from billing.enums import LineKind, MonthState, TaxCode
from billing.queries.facts import Late, late_facts, late_months, terms_of
from billing.queries.stored import Reader, stored_lines, stored_taxes
from billing.rules import rating
from billing.rules.facts import Bill, Facts, Fee, Line, TaxLine, facts_from_json
from billing.rules.rating import EXACT
from core import statements
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
class IssuedAs:
    """The invoice that made a month final."""

    public_id: UUID
    number: int
    issued_on: date


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
class _Month:
    """A month's row, billed or not. `lines`, `taxes` and `facts` as stored; `fees`: of an open month.

    `has_late`: usage of a month before it came in late and is not rated yet. `daily`: by meter id.
    """

    month: BillingMonth
    billed_at: datetime | None
    facts: str | None
    credit: Mapping[TaxCode, int]
    invoice: IssuedAs | None
    gross: int
    lines: str | None
    taxes: str | None
    fees: Mapping[Category, tuple[int, int]]
    has_late: bool
    daily: Mapping[int, Mapping[date, Decimal]]


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
    this, previous, before = _months(organisation, month, zone)
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


def _state(month: _Month) -> MonthState:
    return MonthState.PROVISIONAL if month.billed_at is None else MonthState.FINAL


def _open_bills(
    organisation: Organisation,
    vendor: VendorVersion,
    meters: tuple[Meter, ...],
    rows: tuple[_Month, _Month, _Month],
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
        _used(meters, usage.daily),
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
    row: _Month,
    category: Category,
    organisation: Organisation,
    terms: Mapping[tuple[int, str], PlanTerms],
) -> Fee | None:
    fee = row.fees.get(category)
    if fee is None:
        return None
    return Fee(terms[fee[0], organisation.currency], fee[1])


def _closed_bill(row: _Month, reader: Reader) -> Bill:
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


def _previous(row: _Month, open_bill: Bill | None, usage: _Usage, reader: Reader) -> PreviousMonth:
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
        late=EXACT.subtract(_month_of(meter, daily), used),
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


def _used(
    meters: Sequence[Meter], daily: Mapping[int, Mapping[date, Decimal]]
) -> dict[str, Decimal]:
    return {meter.code: _month_of(meter, daily[meter.id]) for meter in meters if meter.id in daily}


def _month_of(meter: Meter, daily: Mapping[date, Decimal]) -> Decimal:
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


def _months(
    organisation: Organisation, month: BillingMonth, zone: ZoneInfo
) -> tuple[_Month, _Month, _Month]:
    """Return the month and the two before it.

    Only the first comes with its lines. Its days come with it, and those of the second if it is open.
    """
    months = (month, month.previous, month.previous.previous)
    with statements.prepared() as cursor:
        cursor.execute(
            """
            SELECT b.billed_at, b.facts::text, b.credit::text,
                   v.public_id, v.number, v.issued_on, COALESCE(v.gross, 0),
                   (SELECT jsonb_agg(jsonb_build_array(i.kind, i.month, i.name_ja, i.name_en,
                               i.plan_version_id, i.meter_id, i.quantity::text, i.net, i.tax_code,
                               i.explanation) ORDER BY i.position)
                    FROM billing_invoiceline i
                    WHERE i.invoice_id = v.id AND m.month = %(month)s)::text,
                   (SELECT jsonb_agg(jsonb_build_array(t.tax_code, t.rate::text, t.net, t.tax)
                               ORDER BY t.tax_code)
                    FROM billing_taxsummary t
                    WHERE t.invoice_id = v.id AND m.month = %(month)s)::text,
                   (SELECT jsonb_agg(jsonb_build_array(s.category, s.plan_version_id, s.steps))
                    FROM plans_selection s
                    WHERE b.month IS NULL AND s.organisation_id = %(id)s AND s.from_at < m.at
                      AND m.month < COALESCE(%(closed)s::date, 'infinity')
                      AND (s.until_at IS NULL OR s.until_at > m.at
                           OR (s.until_at = m.at AND EXISTS (
                               SELECT 1 FROM plans_selection n
                               WHERE n.organisation_id = s.organisation_id
                                 AND n.category = s.category AND n.from_at = m.at))))::text,
                   b.month IS NULL AND EXISTS (
                       SELECT FROM usage_usagerevision u
                       LEFT JOIN billing_ratedrevision r USING (organisation_id, month)
                       WHERE u.organisation_id = %(id)s AND u.month < m.month
                         AND u.revision > COALESCE(r.revision, 0)),
                   (SELECT json_agg(json_build_array(d.meter_id, d.day, d.quantity::text))
                    FROM usage_dailyusage d
                    WHERE d.organisation_id = %(id)s
                      AND (m.month = %(month)s OR (m.month = %(previous)s AND b.month IS NULL))
                      AND d.day >= m.month AND d.day < (m.month + interval '1 month')::date)::text
            FROM (VALUES (%(month)s::date, %(month_at)s::timestamptz),
                         (%(previous)s, %(previous_at)s),
                         (%(before)s, %(before_at)s)) AS m(month, at)
            LEFT JOIN billing_billedmonth b ON b.organisation_id = %(id)s AND b.month = m.month
            LEFT JOIN billing_invoice v ON v.id = b.invoice_id
            ORDER BY m.month DESC
            """,
            {
                "id": organisation.pk,
                "closed": organisation.closed_on,
                "month": months[0].first_day,
                "month_at": months[0].starts_at(zone),
                "previous": months[1].first_day,
                "previous_at": months[1].starts_at(zone),
                "before": months[2].first_day,
                "before_at": months[2].starts_at(zone),
            },
        )
        this, previous, before = (
            _month(each, *row) for each, row in zip(months, cursor.fetchall(), strict=True)
        )
    return this, previous, before


def _month(
    month: BillingMonth,
    billed_at: datetime | None,
    facts: str | None,
    credit: str | None,
    public_id: UUID | None,
    number: int | None,
    issued_on: date | None,
    gross: int,
    lines: str | None,
    taxes: str | None,
    fees: str | None,
    has_late: bool,
    usage: str | None,
) -> _Month:
    daily: dict[int, dict[date, Decimal]] = {}
    for meter_id, day, quantity in orjson.loads(usage or "[]"):
        daily.setdefault(meter_id, {})[date.fromisoformat(day)] = Decimal(quantity)
    invoice = None
    if public_id is not None and number is not None and issued_on is not None:
        invoice = IssuedAs(public_id, number, issued_on)
    return _Month(
        month=month,
        billed_at=billed_at,
        facts=facts,
        credit={TaxCode(code): net for code, net in orjson.loads(credit or "{}").items()},
        invoice=invoice,
        gross=gross,
        lines=lines,
        taxes=taxes,
        fees={
            Category(category): (version_id, steps)
            for category, version_id, steps in orjson.loads(fees or "[]")
        },
        has_late=has_late,
        daily=daily,
    )


def _usage(month: _Month, previous: _Month, meters: Sequence[Meter]) -> _Usage:
    """Return the days of the month, and what an open month before came to."""
    return _Usage(month.daily, _used(meters, previous.daily))

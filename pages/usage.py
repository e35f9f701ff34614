"""A month's view as the usage page shows it: the kernel's values, written out in the reader's language.

Nothing is computed here that costs money.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from babel.dates import format_date, get_month_names
from django.urls import reverse
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.models import Organisation
from billing.enums import LineKind, MonthState
from billing.queries.month_view import MeterView, MonthView
from billing.rules.facts import Line, TaxLine
from core.money import MINUS, quantity_written
from core.money import written as money_written
from core.months import BillingMonth
from core.templatetags import writing
from pages import explanations, rows
from pages.charts import Series, figure
from pages.rows import NONE, MeterRow, OtherRow
from plans.enums import Aggregation
from plans.rules import Meter


@dataclass(frozen=True, slots=True)
class Step:
    """A link to another month."""

    url: str
    label: str


@dataclass(frozen=True, slots=True)
class Picker:
    """What can be chosen under "Date". Rule: S1-08."""

    years: SafeString
    months: SafeString
    earlier: Step | None
    later: Step | None


@dataclass(frozen=True, slots=True)
class Previous:
    """The month before, to compare with."""

    name: str
    url: str
    gross: str
    state: str


@dataclass(frozen=True, slots=True)
class UsagePage:
    """Everything that the template writes out, ready."""

    name: str
    is_final: bool
    has_invoice: bool
    invoice_url: str
    gross_in_text: str
    as_of: str
    billed_on: str
    is_being_billed: bool
    plans: str
    previous: Previous | None
    meters: SafeString
    others: SafeString
    foot: SafeString
    charts: SafeString
    day_heads: SafeString
    day_rows: SafeString
    csv_url: str


def picker(
    organisation: Organisation, chosen: BillingMonth, months: Sequence[BillingMonth]
) -> Picker:
    """Return what can be chosen, with `chosen` marked where it is among it. Rule: S1-08."""
    known = set(months)
    years = sorted({month.year for month in months}, reverse=True)
    year = chosen.year if chosen.year in years else years[0]
    names = get_month_names("wide", locale=get_language() or "en")
    return Picker(
        years=rows.options([(each, _year(each)) for each in years], chosen=year),
        months=rows.options(
            [(each.month, names[each.month]) for each in months if each.year == year],
            chosen=chosen.month if chosen in known else None,
        ),
        earlier=_step(organisation, chosen.previous) if chosen.previous in known else None,
        later=_step(organisation, chosen.next) if chosen.next in known else None,
    )


def _invoice_url(organisation: Organisation, view: MonthView) -> str:
    if view.invoice is None:
        return ""
    ids = {"organisation": organisation.public_id, "invoice": view.invoice.public_id}
    return reverse("invoice", kwargs=ids)


def page(
    organisation: Organisation,
    view: MonthView,
    *,
    grace: timedelta,
    now: datetime,
    may_see_invoices: bool,
) -> UsagePage:
    """Return a month ready to be shown. Rule: S1-09, S1-10."""
    currency = view.currency
    billed_at = view.month.ends_at(view.zone) + grace
    days = [escape(name) for name in _day_names(view.month)]
    drawn = [each for each in view.meters if each.daily] or view.meters
    columns = [_column([each.daily.get(day) for day in view.month.days()]) for each in drawn]
    previous = _previous(organisation, view)
    fees = [line for line in view.lines if line.kind == LineKind.FEE]
    return UsagePage(
        name=writing.month(view.month),
        is_final=view.state == MonthState.FINAL,
        has_invoice=view.invoice is not None,
        invoice_url=_invoice_url(organisation, view) if may_see_invoices else "",
        gross_in_text=writing.money_in_text(view.gross, currency),
        as_of=writing.moment(view.as_of, view.zone.key),
        billed_on=writing.day(billed_at.astimezone(view.zone).date()),
        is_being_billed=now >= billed_at,
        plans=" · ".join(_name(line) for line in fees),
        previous=previous,
        meters=rows.of_meters(
            [_meter_row(meter, view) for meter in view.meters], previous.name if previous else ""
        ),
        others=rows.of_others(
            [_other_row(line, currency) for line in view.lines if line.kind != LineKind.USAGE],
            columns=5 if previous else 4,
        ),
        foot=rows.foot(
            money_written(view.net, currency),
            [_tax_row(tax, currency) for tax in view.taxes],
            money_written(view.gross, currency),
            columns=5 if previous else 4,
        ),
        charts=rows.joined(
            _chart(meter, view, days, column)
            for meter, column in zip(drawn, columns, strict=True)
            if meter.daily
        ),
        day_heads=rows.heads([(_meter_name(each.meter), _unit(each.meter)) for each in drawn]),
        day_rows=rows.of_days(days[: len(view.days)], columns),
        csv_url=_url(organisation, view.month, "usage_csv"),
    )


def month_name(month: BillingMonth) -> str:
    """Return a month as a sentence names it."""
    return writing.month(month)


def _url(organisation: Organisation, month: BillingMonth, name: str = "usage") -> str:
    return f"{reverse(name, kwargs={'organisation': organisation.public_id})}?date={month}"


def _step(organisation: Organisation, month: BillingMonth) -> Step:
    return Step(_url(organisation, month), writing.month(month))


def _year(year: int) -> str:
    return f"{year}年" if get_language() == "ja" else str(year)


def _name(line: Line) -> str:
    return line.name_ja if get_language() == "ja" else line.name_en


def _meter_name(meter: Meter) -> str:
    return meter.name_ja if get_language() == "ja" else meter.name_en


def _unit(meter: Meter) -> str:
    return meter.unit_ja if get_language() == "ja" else meter.unit_en


def _previous(organisation: Organisation, view: MonthView) -> Previous | None:
    previous = view.previous
    if previous is None:
        return None
    return Previous(
        name=writing.month(previous.month),
        url=_url(organisation, previous.month),
        gross=money_written(previous.gross, view.currency),
        state=_("final") if previous.state == MonthState.FINAL else _("provisional"),
    )


def _meter_row(view: MeterView, month: MonthView) -> MeterRow:
    line = next(
        (
            line
            for line in month.lines
            if line.kind == LineKind.USAGE and line.meter and line.meter.id == view.meter.id
        ),
        None,
    )
    return MeterRow(
        name=_meter_name(view.meter),
        unit=_unit(view.meter),
        included=_quantity(view.included),
        used=quantity_written(view.used),
        over=_quantity(view.over or None),
        before=_quantity(view.used_before),
        amount=money_written(view.net, month.currency) if view.charged else _("not charged"),
        late=_signed(view.late) if view.late else "",
        steps=explanations.steps(line, month.currency) if line and view.over else (),
    )


def _other_row(line: Line, currency: str) -> OtherRow:
    return OtherRow(
        name=_name(line),
        amount=money_written(line.net, currency),
        steps=explanations.steps(line, currency),
    )


def _tax_row(tax: TaxLine, currency: str) -> tuple[str, str]:
    rate = quantity_written(tax.rate * 100)
    label = _("Consumption tax %(rate)s%%") % {"rate": rate} if tax.rate else _("Not taxed")
    return label, money_written(tax.tax, currency)


def _quantity(quantity: Decimal | None) -> str:
    return NONE if quantity is None else quantity_written(quantity)


def _signed(quantity: Decimal) -> str:
    written = quantity_written(quantity)
    return written if written.startswith(MINUS) else f"+{written}"


def _chart(
    view: MeterView, month: MonthView, days: Sequence[SafeString], column: Sequence[str]
) -> SafeString:
    name = _meter_name(view.meter)
    all_days = month.month.days()
    values = [view.daily.get(day, Decimal(0)) for day in all_days]
    level = view.included if view.meter.aggregation != Aggregation.SUM else None
    over_from = None
    note = ""
    if view.reached_on is not None:
        over_from = all_days.index(view.reached_on)
        note = _("included quantity reached on %(day)s") % {"day": days[over_from]}
    elif level:
        note = _("included: %(quantity)s") % {"quantity": quantity_written(level)}
    elif view.included:
        note = _("%(quantity)s a month included, not reached") % {
            "quantity": quantity_written(view.included)
        }
    title = _("%(meter)s by day") % {"meter": name}
    return figure(title, note, Series(title, days, values, column, level, over_from))


def _day_names(month: BillingMonth) -> list[str]:
    days = month.days()
    if get_language() == "ja":
        return [f"{month.month}月{day.day}日" for day in days]
    short = format_date(month.first_day, "MMM", locale="en")
    return [f"{day.day} {short}" for day in days]


def _column(quantities: Sequence[Decimal | None]) -> list[str]:
    """Return quantities as one column writes them: all with as many decimals as the longest has."""
    written = [NONE if each is None else quantity_written(each) for each in quantities]
    decimals = max((len(each.partition(".")[2]) for each in written), default=0)
    if not decimals:
        return written
    return [each if each == NONE else _padded(each, decimals) for each in written]


def _padded(written: str, decimals: int) -> str:
    whole, _point, fraction = written.partition(".")
    return f"{whole}.{fraction.ljust(decimals, '0')}"

"""A month's view as the usage page shows it: the kernel's values, written out in the reader's language.

Nothing is computed here that costs money.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from html import escape

from babel.dates import format_date, get_month_names
from django.urls import reverse
from django.utils.safestring import SafeString

from accounts.models import Organisation
from billing.enums import LineKind, MonthState
from billing.queries.month_view import MeterView, MonthView
from billing.rules.facts import Line, TaxLine
from core import words
from core.money import MINUS, quantity_written
from core.money import written as money_written
from core.months import BillingMonth
from core.templatetags import writing
from core.words import Words
from pages import explanations, rows
from pages.charts import Series, figure
from pages.rows import NONE, MeterRow, OtherRow
from plans.enums import Aggregation
from plans.rules import Meter

_ZERO = Decimal(0)


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
    paid: str
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


def picker(url: str, chosen: BillingMonth, months: Sequence[BillingMonth]) -> Picker:
    """Return what can be chosen, with `chosen` marked where it is among it.

    `url`: of the usage page. Rule: S1-08.
    """
    _ = words.current()
    known = set(months)
    years = sorted({month.year for month in months}, reverse=True)
    year = chosen.year if chosen.year in years else years[0]
    names = get_month_names("wide", locale="ja" if _.is_japanese else "en")
    return Picker(
        years=rows.options([(each, _year(each, _)) for each in years], chosen=year),
        months=rows.options(
            [(each.month, names[each.month]) for each in months if each.year == year],
            chosen=chosen.month if chosen in known else None,
        ),
        earlier=_step(url, chosen.previous) if chosen.previous in known else None,
        later=_step(url, chosen.next) if chosen.next in known else None,
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
    url: str,
    grace: timedelta,
    now: datetime,
    may_see_invoices: bool,
    paid: str = "",
) -> UsagePage:
    """Return a month ready to be shown. `url`: of the usage page. Rule: S1-09, S1-10.

    `paid`: how the invoice is paid, in a sentence, for who may know.
    """
    _ = words.current()
    currency = view.currency
    billed_at = view.month.ends_at(view.zone) + grace
    dates = view.month.days()
    days = _day_names(view.month.first_day, len(dates), _.is_japanese)
    drawn = [each for each in view.meters if each.daily] or view.meters
    columns = [_column([each.daily.get(day) for day in dates]) for each in drawn]
    previous = _previous(url, view, _)
    used = {
        line.meter.id: line for line in view.lines if line.kind == LineKind.USAGE and line.meter
    }
    return UsagePage(
        name=writing.month(view.month),
        is_final=view.state == MonthState.FINAL,
        has_invoice=view.invoice is not None,
        invoice_url=_invoice_url(organisation, view) if may_see_invoices else "",
        paid=paid,
        gross_in_text=writing.money_in_text(view.gross, currency),
        as_of=writing.moment(view.as_of, view.zone.key),
        billed_on=writing.day(billed_at.astimezone(view.zone).date()),
        is_being_billed=now >= billed_at,
        plans=" · ".join(_name(line, _) for line in view.lines if line.kind == LineKind.FEE),
        previous=previous,
        meters=rows.of_meters(
            [_meter_row(meter, used.get(meter.meter.id), currency, _) for meter in view.meters],
            previous.name if previous else "",
            _,
        ),
        others=rows.of_others(
            [_other_row(line, currency, _) for line in view.lines if line.kind != LineKind.USAGE],
            5 if previous else 4,
            _,
        ),
        foot=rows.foot(
            money_written(view.net, currency),
            [_tax_row(tax, currency, _) for tax in view.taxes],
            money_written(view.gross, currency),
            _,
            columns=5 if previous else 4,
        ),
        charts=rows.joined(
            _chart(meter, dates, days, column, _)
            for meter, column in zip(drawn, columns, strict=True)
            if meter.daily
        ),
        day_heads=rows.heads(
            [(_meter_name(each.meter, _), _unit(each.meter, _)) for each in drawn]
        ),
        day_rows=rows.of_days(days[: len(view.days)], columns),
        csv_url=_of_month(
            reverse("usage_csv", kwargs={"organisation": organisation.public_id}), view.month
        ),
    )


def month_name(month: BillingMonth) -> str:
    """Return a month as a sentence names it."""
    return writing.month(month)


def _of_month(url: str, month: BillingMonth) -> str:
    return f"{url}?date={month}"


def _step(url: str, month: BillingMonth) -> Step:
    return Step(_of_month(url, month), writing.month(month))


def _year(year: int, _: Words) -> str:
    return f"{year}年" if _.is_japanese else str(year)


def _name(line: Line, _: Words) -> str:
    return line.name_ja if _.is_japanese else line.name_en


def _meter_name(meter: Meter, _: Words) -> str:
    return meter.name_ja if _.is_japanese else meter.name_en


def _unit(meter: Meter, _: Words) -> str:
    return meter.unit_ja if _.is_japanese else meter.unit_en


def _previous(url: str, view: MonthView, _: Words) -> Previous | None:
    previous = view.previous
    if previous is None:
        return None
    return Previous(
        name=writing.month(previous.month),
        url=_of_month(url, previous.month),
        gross=money_written(previous.gross, view.currency),
        state=_("final") if previous.state == MonthState.FINAL else _("provisional"),
    )


def _meter_row(view: MeterView, line: Line | None, currency: str, _: Words) -> MeterRow:
    return MeterRow(
        name=_meter_name(view.meter, _),
        unit=_unit(view.meter, _),
        included=_quantity(view.included),
        used=quantity_written(view.used),
        over=_quantity(view.over or None),
        before=_quantity(view.used_before),
        amount=money_written(view.net, currency) if view.charged else _("not charged"),
        late=_signed(view.late) if view.late else "",
        steps=explanations.steps(line, currency, _) if line and view.over else (),
    )


def _other_row(line: Line, currency: str, _: Words) -> OtherRow:
    return OtherRow(
        name=_name(line, _),
        amount=money_written(line.net, currency),
        steps=explanations.steps(line, currency, _),
    )


def _tax_row(tax: TaxLine, currency: str, _: Words) -> tuple[str, str]:
    rate = quantity_written(tax.rate * 100)
    label = _("Consumption tax %(rate)s%%") % {"rate": rate} if tax.rate else _("Not taxed")
    return label, money_written(tax.tax, currency)


def _quantity(quantity: Decimal | None) -> str:
    return NONE if quantity is None else quantity_written(quantity)


def _signed(quantity: Decimal) -> str:
    written = quantity_written(quantity)
    return written if written.startswith(MINUS) else f"+{written}"


def _chart(
    view: MeterView, dates: Sequence[date], days: Sequence[str], column: Sequence[str], _: Words
) -> SafeString:
    name = _meter_name(view.meter, _)
    values = [view.daily.get(day, _ZERO) for day in dates]
    level = view.included if view.meter.aggregation != Aggregation.SUM else None
    over_from = None
    note = ""
    if view.reached_on is not None:
        over_from = dates.index(view.reached_on)
        note = _("included quantity reached on %(day)s") % {"day": days[over_from]}
    elif level:
        note = _("included: %(quantity)s") % {"quantity": quantity_written(level)}
    elif view.included:
        note = _("%(quantity)s a month included, not reached") % {
            "quantity": quantity_written(view.included)
        }
    title = _("%(meter)s by day") % {"meter": name}
    return figure(title, note, Series(title, days, values, column, level, over_from))


@lru_cache(maxsize=64)
def _day_names(first_day: date, days: int, ja: bool) -> Sequence[str]:
    """Return the days of a month as a column names them, escaped."""
    if ja:
        return [escape(f"{first_day.month}月{day}日") for day in range(1, days + 1)]
    short = format_date(first_day, "MMM", locale="en")
    return [escape(f"{day} {short}") for day in range(1, days + 1)]


def _column(quantities: Sequence[Decimal | None]) -> list[str]:
    """Return quantities as one column writes them: all with as many decimals as the longest has."""
    written = [NONE if each is None else quantity_written(each) for each in quantities]
    decimals = max([len(each) - each.find(".") - 1 for each in written if "." in each], default=0)
    if not decimals:
        return written
    return [each if each == NONE else _padded(each, decimals) for each in written]


def _padded(written: str, decimals: int) -> str:
    whole, _point, fraction = written.partition(".")
    return f"{whole}.{fraction.ljust(decimals, '0')}"

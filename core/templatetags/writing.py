"""How money, quantities, dates and months are written on a page, in the reader's language."""

from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel.dates import format_date
from django import template
from django.utils.translation import get_language, gettext

from core import money as amounts
from core.months import BillingMonth

register = template.Library()


@register.filter
def money(amount: int, currency: str) -> str:
    """¥18,420; with a true minus sign."""
    return amounts.written(amount, currency)


@register.filter
def money_in_text(amount: int, currency: str) -> str:
    """18,420円 in a Japanese sentence, else as in a table."""
    if get_language() == "ja" and currency == "JPY":
        return f"{amounts.quantity_written(Decimal(amount))}円"
    return amounts.written(amount, currency)


@register.filter
def unit_price(price: Decimal, currency: str) -> str:
    """¥0.01; a price or an exact amount in minor units with fractions."""
    return amounts.unit_price_written(price, currency)


@register.filter
def quantity(value: Decimal) -> str:
    """1,204,331.5"""
    return amounts.quantity_written(value)


@register.filter
def day(value: date) -> str:
    """2026年11月22日 or 22 November 2026"""
    return _day(value, get_language() == "ja")


@register.filter
def month(value: BillingMonth) -> str:
    """2026年11月 or November 2026"""
    return _month(value.first_day, get_language() == "ja")


@register.filter
def moment(value: datetime, zone: str) -> str:
    """An instant in the vendor's zone, which is named: 22 November 2026, 14:05 JST."""
    local = value.astimezone(ZoneInfo(zone))
    return gettext("%(day)s, %(time)s %(zone)s") % {
        "day": day(local.date()),
        "time": local.strftime("%H:%M"),
        "zone": local.tzname(),
    }


# Babel parses its pattern anew each time, which costs a page more than the rest of its dates.
@lru_cache(maxsize=4096)
def _day(value: date, ja: bool) -> str:
    return format_date(value, "y年M月d日" if ja else "d MMMM y", locale="ja" if ja else "en")


@lru_cache(maxsize=1024)
def _month(first_day: date, ja: bool) -> str:
    return format_date(first_day, "y年M月" if ja else "MMMM y", locale="ja" if ja else "en")

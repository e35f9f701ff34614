from django.http import QueryDict

from core.months import BillingMonth, NotAMonth

_NAMES = ("date", "year", "month")


def chosen_month(given: QueryDict, default: BillingMonth) -> BillingMonth:
    """Return the month asked for by `date=2026-11`, or by `year` and `month`; else `default`.

    Raises NotAMonth for what names no month, names it twice or in two ways. Rule: S1-08.
    """
    named = {name for name in _NAMES if name in given}
    if not named:
        return default
    if any(len(given.getlist(name)) > 1 for name in named):
        raise NotAMonth("named twice")
    if named == {"date"}:
        return BillingMonth.parse(str(given["date"]))
    if named == {"year", "month"}:
        return BillingMonth.parse(f"{given['year']}-{str(given['month']).rjust(2, '0')}")
    raise NotAMonth("named in two ways")

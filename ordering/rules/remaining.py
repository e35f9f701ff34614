"""How long a contract still runs, in whole months and days. Pure."""

from datetime import date, timedelta

from core.months import add_months


def remaining(today: date, end_on: date) -> tuple[int, int]:
    """Return the whole months and the days from today, which counts, to a half-open end.

    Months are counted as the contract counts them. (0, 0) from the end on. Rule: domain.md 3.2.
    """
    if end_on <= today:
        return 0, 0
    months = 0
    while add_months(today, months + 1) <= end_on:
        months += 1
    since = add_months(today, months) if months else today
    return months, (end_on - since) // timedelta(days=1)

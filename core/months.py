"""Months, days and terms as the contract and the law count them."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

_WRITTEN = re.compile(r"(\d{4})-(\d{2})")


class NotAMonth(ValueError):
    """What was given does not name a month as YYYY-MM."""


@dataclass(frozen=True, slots=True, order=True)
class BillingMonth:
    """A calendar month in the vendor's billing time zone. Rule: domain.md 1 and 3.1."""

    year: int
    month: int

    def __post_init__(self) -> None:
        if not (1 <= self.month <= 12 and 1 <= self.year <= 9998):
            raise NotAMonth(f"{self.year}-{self.month}")

    @classmethod
    def parse(cls, written: str) -> "BillingMonth":
        """Return the month written as YYYY-MM. Raises NotAMonth."""
        match = _WRITTEN.fullmatch(written)
        if match is None or not written.isascii():
            raise NotAMonth(written)
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of_day(cls, day: date) -> "BillingMonth":
        return cls(day.year, day.month)

    @classmethod
    def containing(cls, instant: datetime, zone: ZoneInfo) -> "BillingMonth":
        """Return the month in which `instant` falls in `zone`."""
        return cls.of_day(instant.astimezone(zone).date())

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    @property
    def first_day(self) -> date:
        return date(self.year, self.month, 1)

    @property
    def last_day(self) -> date:
        return date(self.year, self.month, monthrange(self.year, self.month)[1])

    @property
    def next(self) -> "BillingMonth":
        return self.plus(1)

    @property
    def previous(self) -> "BillingMonth":
        return self.plus(-1)

    def plus(self, months: int) -> "BillingMonth":
        years, month = divmod(self.year * 12 + self.month - 1 + months, 12)
        return BillingMonth(years, month + 1)

    def days(self) -> list[date]:
        """Return every day of the month, in order."""
        count = monthrange(self.year, self.month)[1]
        return [date(self.year, self.month, day) for day in range(1, count + 1)]

    def starts_at(self, zone: ZoneInfo) -> datetime:
        """Return the first instant of the month in `zone`, in UTC."""
        return start_of_day(self.first_day, zone)

    def ends_at(self, zone: ZoneInfo) -> datetime:
        """Return the first instant after the month in `zone`, in UTC."""
        return self.next.starts_at(zone)


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of `day` in `zone`, in UTC. Rule: domain.md 3.1."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def months_between(first: BillingMonth, last: BillingMonth) -> list[BillingMonth]:
    """Return the months from `first` to `last`, both included; none if `last` comes first."""
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    return [first.plus(offset) for offset in range(count)]


def add_months(start: date, months: int) -> date:
    """Return the day after a term of whole `months` that begins on `start` (half open).

    The term ends before the same day of the month; where the month lacks that day, it ends with
    the month. Successive terms are computed from the original start, never from the last end.
    Raises ValueError below one month. Rule: domain.md 3.2 (Civil Code, article 143).
    """
    if months < 1:
        raise ValueError(f"a term has at least one month, not {months}")
    target = BillingMonth.of_day(start).plus(months)
    if start.day > target.last_day.day:
        return target.next.first_day
    return date(target.year, target.month, start.day)


def last_day(end: date) -> date:
    """Return the last day of a span that ends, half open, on `end`: what a customer is shown."""
    return end - timedelta(days=1)

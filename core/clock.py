"""The only source of now.

Services and rules take `now` as a parameter; views, tasks and commands read it here, once, and
pass it down. Rule: R9.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

_fixed: datetime | None = None


def now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return _fixed or datetime.now(UTC)


def today(zone: ZoneInfo) -> date:
    """Return the present day in `zone`."""
    return now().astimezone(zone).date()


@contextmanager
def fixed_at(instant: datetime) -> Iterator[None]:
    """Hold this process's clock at `instant` (aware) for the length of a block."""
    global _fixed
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    before, _fixed = _fixed, instant.astimezone(UTC)
    try:
        yield
    finally:
        _fixed = before

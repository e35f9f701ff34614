"""When a provider is asked how its review of a payer stands. Rule: S1-17, gateways.md 3.5."""

from datetime import datetime, timedelta

# Some reviews are decided at once.
_FIRST = timedelta(minutes=5)
_HOURLY_FOR = timedelta(days=1)
# After so long a review is a person's matter.
GIVE_UP_AFTER = timedelta(days=30)


def next_look(since: datetime, looks: int, now: datetime) -> datetime | None:
    """Return when to ask next of a review that began at `since`; None when nobody is asked any more.

    `looks`: how often the provider was asked before `now`. Hourly on the first day, then daily.
    """
    if now - since >= GIVE_UP_AFTER:
        return None
    if looks == 0:
        return now + _FIRST
    return now + (timedelta(hours=1) if now - since < _HOURLY_FOR else timedelta(days=1))

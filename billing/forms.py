from datetime import UTC, date, datetime


def a_day(written: str) -> date | None:
    """Return the day written as YYYY-MM-DD, if it is one."""
    try:
        return date.fromisoformat(written) if len(written) == 10 else None
    except ValueError:
        return None


def place(written: str) -> tuple[datetime, str] | None:
    """Return the place in a day's events that `place_written` wrote, if it is one."""
    at, _comma, event_id = written.partition(",")
    try:
        instant = datetime.fromisoformat(at)
    except ValueError:
        return None
    if instant.tzinfo is None or not event_id or "\0" in event_id:
        return None
    return instant, event_id


def place_written(place: tuple[datetime, str]) -> str:
    """Return a place in a day's events as a link carries it."""
    return f"{place[0].astimezone(UTC).isoformat()},{place[1]}"

"""What the days must be, worked out from the stored events in plain Python. Rule: B-05."""

from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from plans.models import Meter
from usage.models import DailyUsage, UsageEvent
from usage.services import batches, ingest
from usage.services.batches import Row
from usage.services.ingest import Report
from usage.services.staging import Window

TOKYO = ZoneInfo("Asia/Tokyo")
NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
WINDOW = Window(latest=datetime(2026, 11, 23, 5, 0, tzinfo=UTC))

Day = tuple[int, date, int]
Sum = tuple[Decimal, int, datetime | None, str | None]


def take(
    *rows: Row, now: datetime = NOW, window: Window = WINDOW, only: int | None = None
) -> Report:
    return ingest.ingest(batches.of_rows(rows), now=now, window=window, organisation_id=only)


def row(
    number: int = 1,
    organisation: str | None = "aoba",
    event_id: str | None = "a",
    meter: str | None = "api_calls",
    occurred_at: str | None = "2026-11-20T10:00:00+09:00",
    quantity: str | None = "1",
    corrects: str | None = None,
) -> Row:
    return Row(number, organisation, event_id, meter, occurred_at, quantity, corrects)


def days() -> dict[Day, Sum]:
    """Return the daily usage that is kept."""
    return {
        (kept.organisation_id, kept.day, kept.meter_id): (
            kept.quantity,
            kept.events,
            kept.last_at,
            kept.last_event_id,
        )
        for kept in DailyUsage.objects.all()
    }


def days_from_events() -> dict[Day, Sum]:
    """Return the daily usage that the stored events make."""
    aggregations = dict(Meter.objects.values_list("pk", "aggregation"))
    stored: dict[Day, list[UsageEvent]] = defaultdict(list)
    for event in UsageEvent.objects.all():
        stored[event.organisation_id, event.day, event.meter_id].append(event)
    return {key: _sum(events, aggregations[key[2]]) for key, events in stored.items()}


def _sum(events: list[UsageEvent], aggregation: str) -> Sum:
    replaced = {event.corrects for event in events}
    kept = [event for event in events if event.event_id not in replaced]
    if aggregation == "sum":
        return sum((event.quantity for event in events), Decimal(0)), len(events), None, None
    if aggregation == "max":
        return max(event.quantity for event in kept), len(events), None, None
    last = max(kept, key=lambda event: (event.occurred_at, event.event_id))
    return last.quantity, len(events), last.occurred_at, last.event_id

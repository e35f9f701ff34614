from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from plans.enums import Aggregation
from tests import make
from usage.models import DailyUsage, UsageEvent, UsageRevision
from usage.rules import Refused
from usage.services import batches, ingest
from usage.services.batches import Row
from usage.services.ingest import Report
from usage.services.staging import Window

NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
WINDOW = Window(latest=datetime(2026, 11, 23, 5, 0, tzinfo=UTC))

pytestmark = pytest.mark.django_db


def take(*rows: Row, now: datetime = NOW, window: Window = WINDOW) -> Report:
    return ingest.ingest(batches.of_rows(rows), now=now, window=window)


def test_ingest_stores_events_and_their_days() -> None:
    make.vendor()
    organisation = make.organisation(reference="aoba")
    meter = make.meter("api_calls")

    report = take(
        Row(1, "aoba", "a", "api_calls", "2026-11-21T14:59:59.999999Z", "1.000000000000001", None),
        Row(2, "aoba", "b", "api_calls", "2026-11-22T00:00:00+09:00", "2", None),
        Row(3, "aoba", "c", "api_calls", "2026-11-21 15:00:00Z", "-0.5", None),
    )

    assert report == Report(3, 0, [], [])
    assert list(
        DailyUsage.objects.order_by("day").values_list("day", "meter", "quantity", "events")
    ) == [
        (date(2026, 11, 21), meter.pk, Decimal("1.000000000000001"), 1),
        (date(2026, 11, 22), meter.pk, Decimal("1.5"), 2),
    ]
    assert UsageEvent.objects.filter(organisation_id=organisation.pk).count() == 3
    assert not UsageRevision.objects.exists()

from datetime import datetime, timedelta

from core import work
from plans import queries as plans
from usage.services import partitions

_DAYS_AHEAD = 7


@work.plans_work
def keep_partitions_ahead(now: datetime) -> None:
    """Have a partition for yesterday and for the days to come, before their first events do."""
    try:
        today = now.astimezone(plans.vendor_zone()).date()
    except plans.NoVendor:
        return
    partitions.create(today + timedelta(days=ahead) for ahead in range(-1, _DAYS_AHEAD + 1))

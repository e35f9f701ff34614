from django.db import models

from accounts.models import Organisation
from plans.models import Meter


class DailyUsage(models.Model):
    """A day's usage of one meter, kept in the transaction of the events that make it. Rule: B-05.

    Only ingest writes these rows, from the rows that the keys name: looking them up again for each
    new day would cost as much as storing its events.
    `last_at`, `last_event_id`: the event that a `last` meter's quantity comes from.
    """

    pk = models.CompositePrimaryKey("organisation_id", "day", "meter_id")
    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, db_index=False, db_constraint=False
    )
    day = models.DateField()
    meter = models.ForeignKey(Meter, on_delete=models.PROTECT, db_index=False, db_constraint=False)
    quantity = models.DecimalField(max_digits=40, decimal_places=15)
    events = models.BigIntegerField()
    last_at = models.DateTimeField(null=True)
    last_event_id = models.CharField(max_length=64, null=True)

    class Meta:
        verbose_name_plural = "daily usage"

    def __str__(self) -> str:
        return f"{self.organisation_id} {self.day} {self.meter_id}"


class UsageEvent(models.Model):
    """One measurement, partitioned by day; its table is written out in a migration. Rule: B-15.

    The day is the day of `occurred_at` in the billing time zone; it is part of what makes an event
    the same event. `corrects` names the event of the same day that this one replaces.
    """

    pk = models.CompositePrimaryKey("organisation_id", "event_id", "day")
    organisation_id = models.BigIntegerField()
    event_id = models.CharField(max_length=64)
    day = models.DateField()
    meter_id = models.SmallIntegerField()
    occurred_at = models.DateTimeField()
    quantity = models.DecimalField(max_digits=30, decimal_places=15)
    corrects = models.CharField(max_length=64, null=True)

    class Meta:
        db_table = "usage_event"

    def __str__(self) -> str:
        return f"{self.organisation_id} {self.event_id} {self.day}"


class UsageRevision(models.Model):
    """That usage of a month came in after the month was over, and how often.

    Written with such events; the month end compares it with the revision it rated (B-08).
    """

    pk = models.CompositePrimaryKey("organisation_id", "month")
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, db_index=False)
    month = models.DateField()
    revision = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.organisation_id} {self.month}: {self.revision}"

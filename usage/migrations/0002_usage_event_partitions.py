from django.db import migrations

# The partitions, one a day, are made by usage.services.partitions: here is what they are like.
# Within a partition the day is the same everywhere; it is in the unique index because Postgres
# wants the partition key there, and last, because nothing is ever looked up by it alone.
# Byte order ("C") is what "then by event id" means (B-05), whatever the database's locale is.
FORWARD = """
CREATE TABLE usage_event (
    organisation_id bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    day date NOT NULL,
    meter_id smallint NOT NULL,
    event_id varchar(64) COLLATE "C" NOT NULL,
    quantity numeric(30, 15) NOT NULL,
    corrects varchar(64) COLLATE "C",
    CONSTRAINT usage_event_once UNIQUE (organisation_id, event_id, day)
) PARTITION BY LIST (day);
CREATE UNIQUE INDEX usage_event_corrected_once ON usage_event (organisation_id, corrects, day)
    WHERE corrects IS NOT NULL;
ALTER TABLE usage_dailyusage SET (fillfactor = 60);
"""
REVERSE = """
ALTER TABLE usage_dailyusage RESET (fillfactor);
DROP TABLE usage_event;
"""


class Migration(migrations.Migration):
    dependencies = [("usage", "0001_initial")]
    operations = [
        migrations.RunSQL(
            FORWARD,
            REVERSE,
            state_operations=[migrations.AlterModelOptions(name="usageevent", options={})],
        )
    ]

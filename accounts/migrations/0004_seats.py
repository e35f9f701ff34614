import uuid

from django.db import migrations, models

# Every row gets an id of its own at once: a default that the database computes for each.
ADD = """
ALTER TABLE accounts_membership
    ADD COLUMN public_id uuid NOT NULL DEFAULT gen_random_uuid() CONSTRAINT membership_public_id UNIQUE;
ALTER TABLE accounts_membership ALTER COLUMN public_id DROP DEFAULT;
"""
DROP = "ALTER TABLE accounts_membership DROP COLUMN public_id;"


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_auto_invoicing_off")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(ADD, DROP)],
            state_operations=[
                migrations.AddField(
                    model_name="membership",
                    name="public_id",
                    field=models.UUIDField(default=uuid.uuid4, editable=False, unique=True),
                ),
            ],
        ),
        migrations.AddField(
            model_name="membership",
            name="deactivation_id",
            field=models.BigIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="membership",
            name="is_protected",
            field=models.BooleanField(default=False, db_default=False),
        ),
        migrations.AddField(
            model_name="membership",
            name="leave_order",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.CheckConstraint(
                condition=models.Q(("deactivation_id", None), ("deactivated_at__isnull", False), _connector="OR"),
                name="membership_deactivation_of_deactivated",
            ),
        ),
    ]

from django.db import migrations, models

COLUMNS = (
    "organisation_id", "payable_id", "method_id", "gateway", "environment", "merchant", "key",
    "number", "amount", "currency", "initiator", "created_at",
)


def _frozen(columns):
    old, new = (", ".join(f"{row}.{column}" for column in columns) for row in ("OLD", "NEW"))
    return f"""
CREATE OR REPLACE FUNCTION payments_charge_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF ({old}) IS DISTINCT FROM ({new}) THEN
        RAISE EXCEPTION 'charge %: what it is about never changes', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0010_spot_orders_to_serve")]

    operations = [
        migrations.AddField(
            model_name="charge",
            name="turn",
            field=models.SmallIntegerField(db_default=1, default=1),
        ),
        migrations.RunSQL(_frozen((*COLUMNS, "turn")), _frozen(COLUMNS)),
    ]

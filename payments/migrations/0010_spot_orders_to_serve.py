from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("payments", "0009_spot_orders")]

    operations = [
        AddIndexConcurrently(
            model_name="payable",
            index=models.Index(
                condition=models.Q(
                    ("captured__gt", 0), ("invoice", None), ("kind", "spot_order")
                ),
                fields=["id"],
                name="payable_to_serve",
            ),
        ),
    ]

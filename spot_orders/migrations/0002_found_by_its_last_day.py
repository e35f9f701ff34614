from django.db import migrations, models
from django.db.models.functions import Coalesce


class Migration(migrations.Migration):
    dependencies = [("spot_orders", "0001_initial")]
    operations = [
        migrations.RemoveIndex(model_name="spotorder", name="spot_to_end"),
        migrations.AddIndex(
            model_name="spotorder",
            index=models.Index(
                Coalesce("cut_on", "end_on"),
                "organisation",
                condition=models.Q(("ended_at", None), ("state", "paid")),
                name="spot_to_end",
            ),
        ),
    ]

from django.db import migrations, models
from django.db.models.functions import Coalesce


class Migration(migrations.Migration):
    dependencies = [("plans", "0010_cancellation_terms_are_fixed")]
    operations = [
        migrations.RemoveIndex(model_name="maincontract", name="main_contract_to_end"),
        migrations.AddIndex(
            model_name="maincontract",
            index=models.Index(
                Coalesce("cut_on", "end_on"),
                "organisation",
                condition=models.Q(("ended_at", None), ("withdrawn_at", None)),
                name="main_contract_to_end",
            ),
        ),
    ]

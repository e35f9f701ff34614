from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("plans", "0007_price_changes")]
    operations = [
        migrations.AddField(
            model_name="vendorversion",
            name="spot_may_span_renewal",
            field=models.BooleanField(default=True, db_default=True),
        ),
        migrations.AddField(
            model_name="maincontract",
            name="ended_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddIndex(
            model_name="maincontract",
            index=models.Index(
                condition=models.Q(("ended_at", None), ("withdrawn_at", None)),
                fields=["end_on", "organisation"],
                name="main_contract_to_end",
            ),
        ),
    ]

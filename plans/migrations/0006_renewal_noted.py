from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("plans", "0005_main_contracts")]
    operations = [
        migrations.AddField(
            model_name="maincontract",
            name="renewal_told_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="maincontract",
            name="renewal_failed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0002_append_only_audit")]

    operations = [
        migrations.AddField(
            model_name="mail",
            name="reply_to",
            field=models.CharField(blank=True, db_default="", default="", max_length=320),
        ),
    ]

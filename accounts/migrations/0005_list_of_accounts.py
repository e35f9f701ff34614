from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0004_seats"),
    ]

    operations = [
        migrations.AddIndex(
            "membership",
            models.Index(
                fields=["organisation", "-registered_at", "-id"], name="membership_newest"
            ),
        ),
        migrations.AddConstraint(
            "membership",
            models.UniqueConstraint(
                fields=["organisation", "id"], name="membership_of_organisation"
            ),
        ),
    ]

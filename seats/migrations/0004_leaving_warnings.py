import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0005_list_of_accounts"),
        ("seats", "0003_group_members_of_one_organisation"),
    ]

    operations = [
        migrations.CreateModel(
            name="LeavingWarning",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("border_on", models.DateField()),
                ("stage", models.PositiveSmallIntegerField()),
                ("count", models.PositiveIntegerField()),
                ("told_at", models.DateTimeField()),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="leaving_warnings",
                        to="accounts.organisation",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=["organisation", "border_on", "stage"], name="leaving_warning_once"
                    ),
                    models.CheckConstraint(
                        condition=Q(stage__in=[30, 7, 1], count__gte=1), name="leaving_warning_of_somebody"
                    ),
                ],
            },
        ),
    ]

from django.contrib.postgres.operations import AddIndexConcurrently
import django.db.models.expressions
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('payments', '0007_receipts'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='charge',
            index=models.Index(models.expressions.OrderBy(models.F('decided_at'), descending=True, nulls_first=True), name='charge_newest'),
        ),
        AddIndexConcurrently(
            model_name='payable',
            index=models.Index(models.expressions.OrderBy(models.F('closed_at'), descending=True, nulls_first=True), name='payable_newest'),
        ),
    ]

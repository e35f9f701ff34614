import django.db.models.deletion
from django.db import migrations, models

# A document that was handed out never changes.
REFUSE_CHANGE = """
CREATE TRIGGER cancellation_receiptdocument_never_changes BEFORE UPDATE OR DELETE OR TRUNCATE
    ON cancellation_receiptdocument FOR EACH STATEMENT EXECUTE FUNCTION core_refuse_change();
"""
ALLOW_CHANGE = (
    "DROP TRIGGER cancellation_receiptdocument_never_changes ON cancellation_receiptdocument;"
)


class Migration(migrations.Migration):

    dependencies = [
        ('cancellation', '0002_guards'),
    ]

    operations = [
        migrations.CreateModel(
            name='ReceiptDocument',
            fields=[
                ('cancellation', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='receipt', serialize=False, to='cancellation.cancellation')),
                ('number', models.CharField(max_length=80, unique=True)),
                ('pdf', models.BinaryField()),
                ('sha256', models.BinaryField(max_length=32)),
                ('made_at', models.DateTimeField()),
            ],
        ),
        migrations.RunSQL(REFUSE_CHANGE, ALLOW_CHANGE),
    ]

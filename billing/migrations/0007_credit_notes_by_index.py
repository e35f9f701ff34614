from django.contrib.postgres.operations import AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models

# What takes long on many invoices is done while they can be issued: no lock keeps a month end out.
ONCE = """
CREATE UNIQUE INDEX CONCURRENTLY invoice_once_an_operation ON billing_invoice (operation)
    WHERE operation IS NOT NULL;
"""
OFTEN = "DROP INDEX CONCURRENTLY invoice_once_an_operation;"
VALIDATE = """
ALTER TABLE billing_invoice VALIDATE CONSTRAINT billing_invoice_corrects_of_its_organisation;
"""


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("billing", "0006_credit_notes")]
    operations = [
        AddIndexConcurrently(
            "invoice",
            models.Index(
                fields=["corrects"],
                condition=models.Q(corrects__isnull=False),
                name="invoice_corrects",
            ),
        ),
        migrations.RunSQL(
            ONCE,
            OFTEN,
            state_operations=[
                migrations.AddConstraint(
                    "invoice",
                    models.UniqueConstraint(
                        fields=["operation"],
                        condition=models.Q(operation__isnull=False),
                        name="invoice_once_an_operation",
                    ),
                )
            ],
        ),
        ValidateConstraint("invoice", "invoice_corrects_iff_credit_note"),
        migrations.RunSQL(VALIDATE, migrations.RunSQL.noop),
    ]

import django.db.models.deletion
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

# A credit note names an invoice of its own organisation; 0007 looks at the rows that were there.
SAME_ORGANISATION = """
ALTER TABLE billing_invoice ADD CONSTRAINT billing_invoice_corrects_of_its_organisation
    FOREIGN KEY (organisation_id, corrects_id) REFERENCES billing_invoice (organisation_id, id)
    NOT VALID;
"""
ANY_ORGANISATION = """
ALTER TABLE billing_invoice DROP CONSTRAINT billing_invoice_corrects_of_its_organisation;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0005_one_currency")]
    operations = [
        migrations.AddField(
            "invoice",
            "corrects",
            models.ForeignKey(
                to="billing.invoice",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="credit_notes",
                null=True,
                db_constraint=False,
                db_index=False,
            ),
        ),
        migrations.AddField("invoice", "operation", models.UUIDField(null=True)),
        migrations.AlterField(
            "invoice",
            "kind",
            models.CharField(
                choices=[("monthly", "invoice"), ("credit_note", "credit note")],
                default="monthly",
                max_length=12,
            ),
        ),
        migrations.AlterField(
            "invoiceline",
            "kind",
            models.CharField(
                choices=[
                    ("fee", "Fee"),
                    ("usage", "Usage"),
                    ("adjustment", "Adjustment"),
                    ("credit_brought", "Credit Brought"),
                    ("credit_carried", "Credit Carried"),
                    ("credit", "Credit"),
                ],
                max_length=16,
            ),
        ),
        AddConstraintNotValid(
            "invoice",
            models.CheckConstraint(
                condition=models.Q(
                    kind="credit_note", corrects__isnull=False, operation__isnull=False
                )
                | (~models.Q(kind="credit_note") & models.Q(corrects=None)),
                name="invoice_corrects_iff_credit_note",
            ),
        ),
        migrations.RunSQL(SAME_ORGANISATION, ANY_ORGANISATION),
    ]

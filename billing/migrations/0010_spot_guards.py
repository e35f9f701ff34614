from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models

# A spot invoice is that of a paid order of its organisation, and comes to what the order froze.
CHECK_SPOT = """
CREATE FUNCTION billing_check_spot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM spot_orders_spotorder o
        WHERE o.public_id = NEW.operation AND o.state = 'paid'
          AND (o.organisation_id, o.currency, o.net, o.tax, o.gross, o.tax_rounding)
            = (NEW.organisation_id, NEW.currency, NEW.net, NEW.tax, NEW.gross, NEW.tax_rounding))
    THEN
        RAISE EXCEPTION 'spot invoice % is not what a paid order of its organisation says', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (
        SELECT FROM billing_invoiceline l WHERE l.invoice_id = NEW.id AND l.kind <> 'spot')
    THEN
        RAISE EXCEPTION 'spot invoice % bills something else than a spot order', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER billing_invoice_bills_its_order AFTER INSERT ON billing_invoice
    FOR EACH ROW WHEN (NEW.kind = 'spot') EXECUTE FUNCTION billing_check_spot();
"""
NO_CHECK_SPOT = """
DROP TRIGGER billing_invoice_bills_its_order ON billing_invoice;
DROP FUNCTION billing_check_spot();
"""

# A spot invoice may be issued before the first month is billed: from then on the currency stays.
OTHER_CURRENCY = """
CREATE OR REPLACE FUNCTION billing_refuse_other_currency() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.currency IS DISTINCT FROM OLD.currency AND (EXISTS (
        SELECT FROM billing_billedmonth WHERE organisation_id = OLD.id)%(or_invoiced)s)
    THEN
        RAISE EXCEPTION 'organisation %% is billed in %%: it has one currency', OLD.id, OLD.currency
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'organisation_one_currency';
    END IF;
    RETURN NEW;
END $$;
"""
ONCE_INVOICED = OTHER_CURRENCY % {
    "or_invoiced": " OR EXISTS (\n        SELECT FROM billing_invoice WHERE organisation_id = OLD.id)"
}
ONCE_BILLED = OTHER_CURRENCY % {"or_invoiced": ""}


class Migration(migrations.Migration):
    dependencies = [("billing", "0009_spot_invoices"), ("spot_orders", "0001_initial")]
    operations = [
        AddConstraintNotValid(
            "invoice",
            models.CheckConstraint(
                condition=~models.Q(kind="spot") | models.Q(operation__isnull=False),
                name="invoice_of_spot_order_names_it",
            ),
        ),
        # No spot invoice is older than this: there is nothing that could take long.
        ValidateConstraint("invoice", "invoice_of_spot_order_names_it"),
        migrations.RunSQL(CHECK_SPOT, NO_CHECK_SPOT),
        migrations.RunSQL(ONCE_INVOICED, ONCE_BILLED),
    ]

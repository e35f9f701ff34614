from django.db import migrations

# What is carried, adjusted and compared from month to month is in minor units of one currency.
FORWARD = """
CREATE FUNCTION billing_refuse_other_currency() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.currency IS DISTINCT FROM OLD.currency AND EXISTS (
        SELECT FROM billing_billedmonth WHERE organisation_id = OLD.id)
    THEN
        RAISE EXCEPTION 'organisation % is billed in %: it has one currency', OLD.id, OLD.currency
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'organisation_one_currency';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER organisation_one_currency BEFORE UPDATE OF currency ON accounts_organisation
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_other_currency();
"""
REVERSE = """
DROP TRIGGER organisation_one_currency ON accounts_organisation;
DROP FUNCTION billing_refuse_other_currency();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0004_checks_by_range"),
        ("accounts", "0003_auto_invoicing_off"),
    ]
    operations = [migrations.RunSQL(FORWARD, REVERSE)]

from django.db import migrations

FORWARD = """
CREATE FUNCTION accounts_has_root() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    organisation bigint := COALESCE(NEW.organisation_id, OLD.organisation_id);
BEGIN
    IF EXISTS (SELECT 1 FROM accounts_membership WHERE organisation_id = organisation)
       AND NOT EXISTS (SELECT 1 FROM accounts_membership
                       WHERE organisation_id = organisation AND role = 'root') THEN
        RAISE EXCEPTION 'organisation % would have members and no root account', organisation
            USING ERRCODE = 'check_violation', CONSTRAINT = 'membership_has_root';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER membership_has_root
    AFTER INSERT OR UPDATE OR DELETE ON accounts_membership
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION accounts_has_root();
"""
REVERSE = """
DROP TRIGGER membership_has_root ON accounts_membership;
DROP FUNCTION accounts_has_root();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, REVERSE)]

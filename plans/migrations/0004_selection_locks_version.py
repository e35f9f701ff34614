from django.db import migrations

# Django's foreign keys are checked, and lock what they point at, only at the commit. Until then a
# price could still change under a selection that is being made.
FORWARD = """
CREATE FUNCTION plans_lock_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM plans_planversion WHERE id = NEW.plan_version_id FOR KEY SHARE;
    RETURN NEW;
END $$;
CREATE TRIGGER selection_locks_version BEFORE INSERT OR UPDATE OF plan_version_id ON plans_selection
    FOR EACH ROW EXECUTE FUNCTION plans_lock_version();
"""
REVERSE = """
DROP TRIGGER selection_locks_version ON plans_selection;
DROP FUNCTION plans_lock_version();
"""


class Migration(migrations.Migration):
    dependencies = [("plans", "0003_guards")]
    operations = [migrations.RunSQL(FORWARD, REVERSE)]

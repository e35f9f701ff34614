from django.db import migrations

# What customers agreed to when they left is as fixed as the terms of use.
FORWARD = """
CREATE TRIGGER cancellation_terms_are_fixed BEFORE UPDATE OR DELETE OR TRUNCATE ON plans_cancellationterms
    FOR EACH STATEMENT EXECUTE FUNCTION plans_refuse();
"""
REVERSE = "DROP TRIGGER cancellation_terms_are_fixed ON plans_cancellationterms;"


class Migration(migrations.Migration):
    dependencies = [("plans", "0009_cancellation_terms")]
    operations = [migrations.RunSQL(FORWARD, REVERSE)]

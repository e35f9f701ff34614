from django.db import migrations

# A page's invoices are few among many: reading all lines there are, as the planner may choose while
# its statistics are old, makes each page dearer than the one before.
FUNCTIONS = ("billing_check_totals", "billing_refuse_late_lines")
BY_INDEX = "".join(f"ALTER FUNCTION {each}() SET enable_seqscan = off;\n" for each in FUNCTIONS)
AS_PLANNED = "".join(f"ALTER FUNCTION {each}() RESET enable_seqscan;\n" for each in FUNCTIONS)


class Migration(migrations.Migration):
    dependencies = [("billing", "0002_guards")]
    operations = [migrations.RunSQL(BY_INDEX, AS_PLANNED)]

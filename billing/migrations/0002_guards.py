from django.db import migrations

IMMUTABLE = (
    "billing_invoice",
    "billing_invoiceline",
    "billing_taxsummary",
    "billing_billedmonth",
    "billing_invoicedocument",
)
OF_ONE_ORGANISATION = ("billing_invoiceline", "billing_taxsummary", "billing_billedmonth")

REFUSE_CHANGE = "".join(
    f"""
CREATE TRIGGER {table}_never_changes BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION core_refuse_change();
"""
    for table in IMMUTABLE
)
ALLOW_CHANGE = "".join(f"DROP TRIGGER {table}_never_changes ON {table};\n" for table in IMMUTABLE)

# Lines are written before their invoice (the invoice seals them), hence deferred.
SAME_ORGANISATION = "".join(
    f"""
ALTER TABLE {table} ADD CONSTRAINT {table}_of_its_organisation
    FOREIGN KEY (organisation_id, invoice_id) REFERENCES billing_invoice (organisation_id, id)
    DEFERRABLE INITIALLY DEFERRED;
"""
    for table in OF_ONE_ORGANISATION
)
ANY_ORGANISATION = "".join(
    f"ALTER TABLE {table} DROP CONSTRAINT {table}_of_its_organisation;\n"
    for table in OF_ONE_ORGANISATION
)

SEAL = """
CREATE FUNCTION billing_refuse_late_lines() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    sealed bigint;
BEGIN
    -- EXECUTE plans anew each time: a plan made while the tables were empty would stay for a
    -- worker's life.
    EXECUTE 'SELECT i.id FROM (SELECT DISTINCT invoice_id FROM added) a
             JOIN billing_invoice i ON i.id = a.invoice_id LIMIT 1' INTO sealed;
    IF sealed IS NOT NULL THEN
        RAISE EXCEPTION 'invoice % is issued: nothing is added to %', sealed, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER billing_invoiceline_before_invoice AFTER INSERT ON billing_invoiceline
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_late_lines();
CREATE TRIGGER billing_taxsummary_before_invoice AFTER INSERT ON billing_taxsummary
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_late_lines();

CREATE FUNCTION billing_check_totals() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong bigint;
BEGIN
    EXECUTE $query$
        WITH lines AS (
            SELECT l.invoice_id, l.tax_code, sum(l.net) AS net, count(*) AS lines
            FROM issued i JOIN billing_invoiceline l ON l.invoice_id = i.id GROUP BY 1, 2
        ), taxes AS (
            SELECT t.invoice_id, t.tax_code, t.net, t.tax, t.net * t.rate AS exact, i.tax_rounding
            FROM issued i JOIN billing_taxsummary t ON t.invoice_id = i.id
        ), sums AS (
            SELECT invoice_id, sum(t.net) AS net, sum(t.tax) AS tax, sum(l.lines) AS lines,
                bool_and(l.net IS NOT DISTINCT FROM t.net
                    AND t.tax IS NOT DISTINCT FROM CASE t.tax_rounding
                        WHEN 'down' THEN trunc(t.exact)
                        WHEN 'half_up' THEN round(t.exact)
                        WHEN 'up' THEN sign(t.exact) * ceil(abs(t.exact)) END) AS right_by_rate
            FROM lines l FULL JOIN taxes t USING (invoice_id, tax_code) GROUP BY 1
        )
        SELECT i.id FROM issued i LEFT JOIN sums s ON s.invoice_id = i.id
        WHERE (s.right_by_rate, s.net, s.tax, s.lines)
            IS DISTINCT FROM (true, i.net::numeric, i.tax::numeric, i.line_count::numeric)
        LIMIT 1 $query$ INTO wrong;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'invoice % does not add up', wrong USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER billing_invoice_adds_up AFTER INSERT ON billing_invoice
    REFERENCING NEW TABLE AS issued
    FOR EACH STATEMENT EXECUTE FUNCTION billing_check_totals();
"""
UNSEAL = """
DROP TRIGGER billing_invoice_adds_up ON billing_invoice;
DROP FUNCTION billing_check_totals();
DROP TRIGGER billing_taxsummary_before_invoice ON billing_taxsummary;
DROP TRIGGER billing_invoiceline_before_invoice ON billing_invoiceline;
DROP FUNCTION billing_refuse_late_lines();
"""

NUMBERS = """
CREATE FUNCTION billing_check_numbers() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    block record;
    before bigint;
BEGIN
    FOR block IN
        SELECT kind, min(number) AS low, max(number) AS high, count(*) AS given FROM issued GROUP BY 1
    LOOP
        SELECT max(number) INTO before FROM billing_invoice
            WHERE kind = block.kind AND number < block.low;
        IF block.high - block.low + 1 <> block.given OR block.low <> before + 1 OR EXISTS (
            SELECT FROM billing_invoice WHERE kind = block.kind AND number > block.high)
        THEN
            RAISE EXCEPTION 'numbers % to % of % do not follow %',
                block.low, block.high, block.kind, before USING ERRCODE = 'check_violation';
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER billing_invoice_numbers_rise AFTER INSERT ON billing_invoice
    REFERENCING NEW TABLE AS issued
    FOR EACH STATEMENT EXECUTE FUNCTION billing_check_numbers();

CREATE FUNCTION billing_check_series() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    upcoming bigint;
    last bigint;
BEGIN
    SELECT next INTO upcoming FROM billing_numberseries WHERE kind = NEW.kind;
    SELECT max(number) INTO last FROM billing_invoice WHERE kind = NEW.kind;
    IF upcoming <> last + 1 THEN
        RAISE EXCEPTION 'the next number of % would be %, the last one stored is %',
            NEW.kind, upcoming, last USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER billing_numberseries_is_what_is_stored
    AFTER INSERT OR UPDATE ON billing_numberseries DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION billing_check_series();
CREATE TRIGGER billing_numberseries_stays BEFORE DELETE OR TRUNCATE ON billing_numberseries
    FOR EACH STATEMENT EXECUTE FUNCTION core_refuse_change();
"""
NO_NUMBERS = """
DROP TRIGGER billing_numberseries_stays ON billing_numberseries;
DROP TRIGGER billing_numberseries_is_what_is_stored ON billing_numberseries;
DROP FUNCTION billing_check_series();
DROP TRIGGER billing_invoice_numbers_rise ON billing_invoice;
DROP FUNCTION billing_check_numbers();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial"), ("core", "0002_append_only_audit")]
    operations = [
        migrations.RunSQL(REFUSE_CHANGE, ALLOW_CHANGE),
        migrations.RunSQL(SAME_ORGANISATION, ANY_ORGANISATION),
        migrations.RunSQL(SEAL, UNSEAL),
        migrations.RunSQL(NUMBERS, NO_NUMBERS),
    ]

from django.db import migrations

# A page's ids follow each other, so what is stored for them is read as one range of an index: the
# cost is the page's, however full the tables and however old their statistics are. Other pages' ids
# may lie between; they are left out by name. Nothing is searched for with LIMIT 1: what should not
# exist is never found early, and a planner that hopes so compares each invoice with every other.
BY_RANGE = """
CREATE OR REPLACE FUNCTION billing_refuse_late_lines() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    low bigint;
    high bigint;
    sealed bigint;
BEGIN
    SELECT min(invoice_id), max(invoice_id) INTO low, high FROM added;
    EXECUTE 'SELECT min(i.id) FROM billing_invoice i WHERE i.id BETWEEN $1 AND $2
             AND i.id IN (SELECT invoice_id FROM added)' INTO sealed USING low, high;
    IF sealed IS NOT NULL THEN
        RAISE EXCEPTION 'invoice % is issued: nothing is added to %', sealed, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION billing_check_totals() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    low bigint;
    high bigint;
    wrong bigint;
BEGIN
    SELECT min(id), max(id) INTO low, high FROM issued;
    EXECUTE $query$
        WITH lines AS (
            SELECT invoice_id, tax_code, sum(net) AS net, count(*) AS lines
            FROM billing_invoiceline WHERE invoice_id BETWEEN $1 AND $2 GROUP BY 1, 2
        ), taxes AS (
            SELECT invoice_id, tax_code, net, tax, net * rate AS exact
            FROM billing_taxsummary WHERE invoice_id BETWEEN $1 AND $2
        ), rates AS (
            SELECT COALESCE(l.invoice_id, t.invoice_id) AS invoice_id, l.net AS line_net, l.lines,
                t.net, t.tax, t.exact
            FROM lines l FULL JOIN taxes t USING (invoice_id, tax_code)
        ), sums AS (
            SELECT i.id, i.net AS invoice_net, i.tax AS invoice_tax, i.line_count,
                sum(r.net) AS net, sum(r.tax) AS tax, sum(r.lines) AS lines,
                bool_and(r.line_net IS NOT DISTINCT FROM r.net
                    AND r.tax IS NOT DISTINCT FROM CASE i.tax_rounding
                        WHEN 'down' THEN trunc(r.exact)
                        WHEN 'half_up' THEN round(r.exact)
                        WHEN 'up' THEN sign(r.exact) * ceil(abs(r.exact)) END) AS right_by_rate
            FROM issued i LEFT JOIN rates r ON r.invoice_id = i.id
            GROUP BY i.id, i.net, i.tax, i.line_count
        )
        SELECT min(id) FROM sums
        WHERE (right_by_rate, net, tax, lines)
            IS DISTINCT FROM (true, invoice_net::numeric, invoice_tax::numeric, line_count::numeric)
        $query$ INTO wrong USING low, high;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'invoice % does not add up', wrong USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION billing_check_numbers() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    block record;
    before bigint;
    last bigint;
BEGIN
    FOR block IN
        SELECT kind, min(number) AS low, max(number) AS high, count(*) AS given FROM issued GROUP BY 1
    LOOP
        SELECT max(number) INTO before FROM billing_invoice
            WHERE kind = block.kind AND number < block.low;
        SELECT max(number) INTO last FROM billing_invoice WHERE kind = block.kind;
        IF block.high - block.low + 1 <> block.given OR block.low <> before + 1
            OR last <> block.high
        THEN
            RAISE EXCEPTION 'numbers % to % of % do not follow %',
                block.low, block.high, block.kind, before USING ERRCODE = 'check_violation';
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
"""
FUNCTIONS = (
    "billing_check_totals",
    "billing_refuse_late_lines",
    "billing_check_numbers",
    "billing_check_series",
)
BY_INDEX = "".join(f"ALTER FUNCTION {each}() SET enable_seqscan = off;\n" for each in FUNCTIONS)


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_seals_by_index")]
    operations = [
        # The checks refuse the same as before: older code runs with them, and nothing goes back.
        migrations.RunSQL(BY_RANGE, migrations.RunSQL.noop),
        migrations.RunSQL(BY_INDEX, migrations.RunSQL.noop),
    ]

from django.db import migrations

# gross × rate ÷ (1 + rate), rounded once; div() drops the fraction exactly, where ÷ would round.
TAX_WITHIN = """
CREATE FUNCTION billing_tax_within(gross numeric, rate numeric, rounding text) RETURNS numeric
    LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE rounding
        WHEN 'down' THEN div(gross * rate, 1 + rate)
        WHEN 'half_up' THEN div(2 * gross * rate + 1 + rate, 2 * (1 + rate))
        WHEN 'up' THEN div(gross * rate, 1 + rate)
            + (mod(gross * rate, 1 + rate) > 0)::int END
$$;
"""
NO_TAX_WITHIN = "DROP FUNCTION billing_tax_within(numeric, numeric, text);"

# A credit note's tax follows its invoice, not its own net: it is left to billing_check_credit.
CHECK_TOTALS = """
CREATE OR REPLACE FUNCTION billing_check_totals() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off AS $$
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
                    AND (%(of_another_kind)s r.tax IS NOT DISTINCT FROM CASE i.tax_rounding
                        WHEN 'down' THEN trunc(r.exact)
                        WHEN 'half_up' THEN round(r.exact)
                        WHEN 'up' THEN sign(r.exact) * ceil(abs(r.exact)) END)) AS right_by_rate
            FROM issued i LEFT JOIN rates r ON r.invoice_id = i.id
            GROUP BY i.id, i.net, i.tax, i.line_count
        )
        SELECT min(id) FROM sums
        WHERE (right_by_rate, net, tax, lines)
            IS DISTINCT FROM (true, invoice_net::numeric, invoice_tax::numeric, line_count::numeric)
        $query$ INTO wrong USING low, high;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'invoice %% does not add up', wrong USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
"""
BUT_CREDIT_NOTES = CHECK_TOTALS % {"of_another_kind": "i.kind = 'credit_note' OR"}
WITHOUT_EXCEPTION = CHECK_TOTALS % {"of_another_kind": ""}

CHECK_CREDIT = """
CREATE FUNCTION billing_check_credit() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off AS $$
DECLARE
    wrong text;
BEGIN
    IF NOT EXISTS (
        SELECT FROM billing_invoice i WHERE i.id = NEW.corrects_id AND i.kind <> NEW.kind
          AND (i.organisation_id, i.month, i.currency, i.language, i.tax_rounding)
            = (NEW.organisation_id, NEW.month, NEW.currency, NEW.language, NEW.tax_rounding))
    THEN
        RAISE EXCEPTION 'credit note % corrects no invoice like itself', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    EXECUTE $query$
        WITH given AS (
            SELECT t.tax_code, max(t.rate) FILTER (WHERE n.id = $1) AS rate,
                sum(t.tax) FILTER (WHERE n.id = $1) AS tax_now, sum(t.net) AS net,
                sum(t.tax) AS tax, sum(t.net + t.tax) AS gross,
                COALESCE(sum(t.net + t.tax) FILTER (WHERE n.id <> $1), 0) AS before
            FROM billing_invoice n JOIN billing_taxsummary t ON t.invoice_id = n.id
            WHERE n.corrects_id = $2 AND n.number <= $3 GROUP BY 1
        )
        SELECT min(g.tax_code) FROM given g
        LEFT JOIN billing_taxsummary o ON o.invoice_id = $2 AND o.tax_code = g.tax_code
        WHERE g.rate IS NOT NULL AND (o.rate IS DISTINCT FROM g.rate
            OR g.net > o.net OR g.tax > o.tax
            OR g.tax_now IS DISTINCT FROM billing_tax_within(g.gross, o.rate, $4)
                - billing_tax_within(g.before, o.rate, $4))
        $query$ INTO wrong USING NEW.id, NEW.corrects_id, NEW.number, NEW.tax_rounding;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'credit note % gives back more, or other tax, of % than invoice % billed',
            NEW.id, wrong, NEW.corrects_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER billing_invoice_credits_its_original AFTER INSERT ON billing_invoice
    FOR EACH ROW WHEN (NEW.kind = 'credit_note') EXECUTE FUNCTION billing_check_credit();
"""
NO_CHECK_CREDIT = """
DROP TRIGGER billing_invoice_credits_its_original ON billing_invoice;
DROP FUNCTION billing_check_credit();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0007_credit_notes_by_index")]
    operations = [
        migrations.RunSQL(TAX_WITHIN, NO_TAX_WITHIN),
        migrations.RunSQL(BUT_CREDIT_NOTES, WITHOUT_EXCEPTION),
        migrations.RunSQL(CHECK_CREDIT, NO_CHECK_CREDIT),
    ]

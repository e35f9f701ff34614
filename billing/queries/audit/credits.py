"""I09: what credit notes give back is of one invoice, never more than it billed, and at its tax."""

from core.books import by_sql

CREDITS = (
    by_sql(
        "I09",
        "a credit note names no invoice of its organisation, month, currency, language and rounding",
        """
        SELECT n.id AS credit_note, n.number, n.organisation_id AS organisation,
               n.corrects_id AS invoice
        FROM billing_invoice n
        LEFT JOIN billing_invoice i ON i.id = n.corrects_id AND i.kind <> 'credit_note'
            AND (i.organisation_id, i.month, i.currency, i.language, i.tax_rounding)
              = (n.organisation_id, n.month, n.currency, n.language, n.tax_rounding)
        WHERE (n.kind = 'credit_note' OR n.corrects_id IS NOT NULL) AND n.month >= %(since)s
          AND (i.id IS NULL OR n.kind <> 'credit_note')
        ORDER BY n.id
        """,
    ),
    by_sql(
        "I09",
        "credit notes give back more of a rate than their invoice billed",
        """
        SELECT n.corrects_id AS invoice, t.tax_code, sum(t.net) AS net_back, o.net AS net_billed,
               sum(t.tax) AS tax_back, o.tax AS tax_billed
        FROM billing_invoice n JOIN billing_taxsummary t ON t.invoice_id = n.id
        LEFT JOIN billing_taxsummary o ON o.invoice_id = n.corrects_id AND o.tax_code = t.tax_code
        WHERE n.kind = 'credit_note' AND n.month >= %(since)s
        GROUP BY 1, 2, o.net, o.tax
        HAVING o.net IS NULL OR sum(t.net) > o.net OR sum(t.tax) > o.tax
            OR min(t.net) < 0 OR min(t.tax) < 0
        ORDER BY 1, 2
        """,
    ),
    by_sql(
        "I09",
        "the tax of a credit note does not follow its invoice",
        """
        WITH given AS (
            SELECT n.id, n.number, n.corrects_id, n.tax_rounding, t.tax_code, t.rate, t.tax,
                   t.net + t.tax AS gross,
                   sum(t.net + t.tax) OVER (
                       PARTITION BY n.corrects_id, t.tax_code ORDER BY n.number) AS sofar
            FROM billing_invoice n JOIN billing_taxsummary t ON t.invoice_id = n.id
            WHERE n.kind = 'credit_note' AND n.month >= %(since)s
        )
        SELECT g.id AS credit_note, g.number, g.tax_code
        FROM given g
        LEFT JOIN billing_taxsummary o ON o.invoice_id = g.corrects_id AND o.tax_code = g.tax_code
        WHERE o.rate IS DISTINCT FROM g.rate OR g.tax IS DISTINCT FROM
            billing_tax_within(g.sofar, o.rate, g.tax_rounding)
            - billing_tax_within(g.sofar - g.gross, o.rate, g.tax_rounding)
        ORDER BY 1, 3
        """,
    ),
)

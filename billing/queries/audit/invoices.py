"""I01 to I03: amounts, one bill a month, numbers."""

from core.books import by_sql

AMOUNTS = (
    by_sql(
        "I01",
        "the invoice's amounts are not the sums of its lines and taxes",
        """
        WITH lines AS (
            SELECT invoice_id, sum(net) AS net, count(*) AS lines FROM billing_invoiceline GROUP BY 1
        ), taxes AS (
            SELECT invoice_id, sum(net) AS net, sum(tax) AS tax FROM billing_taxsummary GROUP BY 1
        )
        SELECT i.id AS invoice, i.number, i.organisation_id AS organisation
        FROM billing_invoice i
        LEFT JOIN lines l ON l.invoice_id = i.id
        LEFT JOIN taxes t ON t.invoice_id = i.id
        WHERE i.month >= %(since)s AND (
            (i.net, i.tax, i.gross, i.line_count) IS DISTINCT FROM
                (l.net, t.tax, l.net + t.tax, l.lines)
            OR t.net IS DISTINCT FROM l.net OR i.net < 0 OR i.tax < 0)
        ORDER BY i.id
        """,
    ),
    by_sql(
        "I01",
        "the tax of a rate is not the sum of its lines, rounded once",
        """
        WITH lines AS (
            SELECT l.invoice_id, l.tax_code, sum(l.net) AS net
            FROM billing_invoiceline l GROUP BY 1, 2
        )
        SELECT i.id AS invoice, i.number, COALESCE(t.tax_code, l.tax_code) AS tax_code
        FROM lines l
        FULL JOIN billing_taxsummary t USING (invoice_id, tax_code)
        JOIN billing_invoice i ON i.id = COALESCE(t.invoice_id, l.invoice_id)
        WHERE i.month >= %(since)s AND (l.net IS DISTINCT FROM t.net
            OR i.kind <> 'credit_note' AND t.tax IS DISTINCT FROM CASE i.tax_rounding
                WHEN 'down' THEN trunc(t.net * t.rate)
                WHEN 'half_up' THEN round(t.net * t.rate)
                WHEN 'up' THEN ceil(t.net * t.rate) END)
        ORDER BY i.id
        """,
    ),
    by_sql(
        "I01",
        "the credit left over from the month before is not what was brought",
        """
        SELECT b.organisation_id AS organisation, b.month, p.credit AS carried,
               b.facts -> 'credit' AS brought
        FROM billing_billedmonth b
        JOIN billing_billedmonth p ON p.organisation_id = b.organisation_id
            AND p.month = (b.month - interval '1 month')::date
        WHERE b.month >= %(since)s
          AND COALESCE(b.facts -> 'credit', '{}') <> COALESCE(p.credit, '{}')
        ORDER BY 1, 2
        """,
    ),
    by_sql(
        "I01",
        "the credit kept for the next month is not what the bill left over",
        """
        WITH months AS (
            SELECT * FROM billing_billedmonth WHERE month >= %(since)s
        ), kept AS (
            SELECT b.organisation_id, b.month, c.key AS tax_code, c.value::bigint AS net
            FROM months b, jsonb_each_text(b.credit) c
        ), left_over AS (
            SELECT b.organisation_id, b.month, l.tax_code, l.net
            FROM months b JOIN billing_invoiceline l ON l.invoice_id = b.invoice_id
            WHERE l.kind = 'credit_carried'
            UNION ALL
            SELECT b.organisation_id, b.month, c.key, c.value::bigint
            FROM months b, jsonb_each_text(COALESCE(b.facts -> 'credit', '{}')) c
            WHERE b.invoice_id IS NULL
        )
        SELECT organisation_id AS organisation, month, tax_code, k.net AS kept, l.net AS left_over
        FROM kept k FULL JOIN left_over l USING (organisation_id, month, tax_code)
        WHERE k.net IS DISTINCT FROM l.net
        ORDER BY 1, 2, 3
        """,
    ),
)

ONE_A_MONTH = (
    by_sql(
        "I02",
        "an organisation has more than one invoice for a month",
        """
        SELECT organisation_id AS organisation, month, array_agg(id ORDER BY id) AS invoices
        FROM billing_invoice
        WHERE kind = 'monthly' AND month >= %(since)s
        GROUP BY 1, 2 HAVING count(*) > 1 ORDER BY 1, 2
        """,
    ),
    by_sql(
        "I02",
        "an invoice has no record of its month",
        """
        SELECT i.id AS invoice, i.number, i.organisation_id AS organisation, i.month
        FROM billing_invoice i
        WHERE i.kind = 'monthly' AND i.month >= %(since)s AND NOT EXISTS (
            SELECT FROM billing_billedmonth b WHERE b.organisation_id = i.organisation_id
              AND b.month = i.month AND b.invoice_id = i.id)
        ORDER BY i.id
        """,
    ),
    by_sql(
        "I02",
        "a billed month names no invoice of its organisation and month",
        """
        SELECT b.organisation_id AS organisation, b.month, b.invoice_id AS invoice
        FROM billing_billedmonth b
        LEFT JOIN billing_invoice i ON i.id = b.invoice_id
            AND i.organisation_id = b.organisation_id AND i.month = b.month
            AND i.kind = 'monthly'
        WHERE b.month >= %(since)s AND (b.outcome = 'invoiced') <> (i.id IS NOT NULL)
        ORDER BY 1, 2
        """,
    ),
    by_sql(
        "I02",
        "a month was left out between the first and the last that are billed",
        """
        WITH billed AS (
            SELECT b.organisation_id, max(b.month) AS last, GREATEST(
                date_trunc('month', o.customer_since)::date, %(since)s::date) AS first
            FROM billing_billedmonth b JOIN accounts_organisation o ON o.id = b.organisation_id
            GROUP BY b.organisation_id, o.customer_since
        )
        SELECT t.organisation_id AS organisation, m.month::date AS month
        FROM billed t CROSS JOIN LATERAL
            generate_series(t.first::timestamp, t.last::timestamp, interval '1 month') m(month)
        WHERE NOT EXISTS (SELECT FROM billing_billedmonth b
            WHERE b.organisation_id = t.organisation_id AND b.month = m.month::date)
        ORDER BY 1, 2
        """,
    ),
    by_sql(
        "I02",
        "a month's run is done, and an organisation was neither billed nor parked",
        """
        SELECT o.id AS organisation, r.month
        FROM billing_monthrun r
        JOIN accounts_organisation o ON o.created_at < r.started_at
            AND o.customer_since < (r.month + interval '1 month')::date
            AND (o.closed_on IS NULL OR o.closed_on > r.month)
            AND NOT o.auto_invoicing_off
        WHERE r.state = 'done' AND r.month >= %(since)s
          AND NOT EXISTS (SELECT FROM billing_billedmonth b
              WHERE b.organisation_id = o.id AND b.month = r.month)
          AND NOT EXISTS (SELECT FROM billing_parkedorganisation p
              WHERE p.organisation_id = o.id AND p.month <= r.month
                AND (p.released_at IS NULL OR p.released_at > r.finished_at))
          AND NOT EXISTS (SELECT FROM core_auditentry e WHERE e.chain = o.id
              AND e.action = 'organisation.auto_invoicing_on' AND e.at > r.finished_at)
        ORDER BY 1, 2
        """,
    ),
    by_sql(
        "I02",
        "a month has been over for three days, and was neither billed nor parked",
        """
        WITH last AS (
            SELECT date_trunc('month', (%(now)s::timestamptz - interval '3 days')
                AT TIME ZONE v.time_zone)::date - 1 AS day
            FROM plans_vendorversion v ORDER BY v.number DESC LIMIT 1
        )
        SELECT o.id AS organisation, m.month::date AS month
        FROM accounts_organisation o CROSS JOIN last
        CROSS JOIN LATERAL generate_series(
            GREATEST(date_trunc('month', o.customer_since)::date, %(since)s::date)::timestamp,
            LEAST(last.day, o.closed_on - 1)::timestamp, interval '1 month') m(month)
        WHERE o.created_at < %(now)s::timestamptz - interval '3 days' AND NOT o.auto_invoicing_off
          AND NOT EXISTS (SELECT FROM core_auditentry e WHERE e.chain = o.id
              AND e.action = 'organisation.auto_invoicing_on'
              AND e.at > %(now)s::timestamptz - interval '1 day')
          AND NOT EXISTS (SELECT FROM billing_billedmonth b
              WHERE b.organisation_id = o.id AND b.month = m.month::date)
          AND NOT EXISTS (SELECT FROM billing_parkedorganisation p
              WHERE p.organisation_id = o.id AND p.month <= m.month::date
                AND (p.released_at IS NULL OR p.released_at > %(now)s::timestamptz - interval '1 day'))
        ORDER BY 1, 2
        """,
        timed=True,
    ),
)

# Two pages that are stored side by side read the clock before they wait for their numbers.
_SIDE_BY_SIDE = "interval '1 hour'"

NUMBERS = (
    by_sql(
        "I03",
        "numbers do not follow each other, or do not rise with the time of issue",
        f"""
        SELECT kind, before, number, id AS invoice FROM (
            SELECT kind, number, id, month, issued_at,
                   lag(number) OVER series AS before, lag(issued_at) OVER series AS issued_before
            FROM billing_invoice WINDOW series AS (PARTITION BY kind ORDER BY number)) i
        WHERE month >= %(since)s
          AND (number <> before + 1 OR issued_at < issued_before - {_SIDE_BY_SIDE})
        ORDER BY kind, number
        """,  # noqa: S608
    ),
    by_sql(
        "I03",
        "the next number of a series does not follow the last one given",
        """
        SELECT kind, s.next, i.last
        FROM billing_numberseries s
        FULL JOIN (SELECT kind, max(number) AS last FROM billing_invoice GROUP BY 1) i USING (kind)
        WHERE s.next IS DISTINCT FROM i.last + 1
          AND NOT (i.last IS NULL AND s.next IS NOT NULL)
          AND %(since)s::date IS NOT NULL
        """,
    ),
)

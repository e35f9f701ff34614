"""I15: each event is counted once, on its day, and rated once in its month."""

from core.books import by_sql

# A day is a partition of its own; one that was dropped after its month was closed has no events
# left to compare with.
DAYS = (
    by_sql(
        "I15",
        "a day's usage is not what its events come to",
        """
        WITH kept AS (
            SELECT to_date(right(c.relname, 8), 'YYYYMMDD') AS day
            FROM pg_inherits p JOIN pg_class c ON c.oid = p.inhrelid
            WHERE p.inhparent = to_regclass('usage_event')
        ), events AS (
            SELECT e.organisation_id, e.day, e.meter_id, count(*) AS events, CASE m.aggregation
                WHEN 'sum' THEN sum(e.quantity)
                WHEN 'max' THEN max(e.quantity) FILTER (WHERE c.event_id IS NULL)
                ELSE (array_agg(e.quantity ORDER BY e.occurred_at DESC, e.event_id DESC)
                    FILTER (WHERE m.aggregation = 'last' AND c.event_id IS NULL))[1]
                END AS quantity
            FROM usage_event e JOIN plans_meter m ON m.id = e.meter_id
            LEFT JOIN usage_event c ON c.organisation_id = e.organisation_id
                AND c.corrects = e.event_id AND c.day = e.day AND m.aggregation <> 'sum'
            WHERE e.day >= %(since)s GROUP BY e.organisation_id, e.day, e.meter_id, m.aggregation
        ), days AS (
            SELECT d.organisation_id, d.day, d.meter_id, d.quantity, d.events
            FROM usage_dailyusage d JOIN kept k ON k.day = d.day WHERE d.day >= %(since)s
        )
        SELECT organisation_id AS organisation, day, meter_id AS meter,
               d.quantity AS counted, e.quantity AS events_say
        FROM days d FULL JOIN events e USING (organisation_id, day, meter_id)
        WHERE (d.quantity, d.events) IS DISTINCT FROM (e.quantity, e.events)
        ORDER BY 1, 2, 3
        """,
    ),
    by_sql(
        "I15",
        "an event is counted on a day that is not its own",
        """
        SELECT e.organisation_id AS organisation, e.event_id AS event, e.day
        FROM usage_event e
        WHERE e.day >= %(since)s AND e.day <> (e.occurred_at AT TIME ZONE (
            SELECT v.time_zone FROM plans_vendorversion v ORDER BY v.number DESC LIMIT 1))::date
        ORDER BY 1, 3, 2
        """,
    ),
)

RATED = (
    by_sql(
        "I15",
        "a month's usage is not what was rated, and nothing is noted as late",
        """
        WITH billed AS (
            SELECT b.organisation_id, b.month, COALESCE(r.revision, 0) AS revision,
                   COALESCE(r.quantities, b.facts -> 'used', '{}') AS rated
            FROM billing_billedmonth b
            LEFT JOIN billing_ratedrevision r USING (organisation_id, month)
            WHERE b.month >= %(since)s
        ), rated AS (
            SELECT b.organisation_id, b.month, u.key AS code, u.value::numeric AS quantity
            FROM billed b, jsonb_each_text(b.rated) u
        ), used AS (
            SELECT d.organisation_id, date_trunc('month', d.day)::date AS month, m.code,
                   CASE m.aggregation
                       WHEN 'sum' THEN sum(d.quantity)
                       WHEN 'max' THEN max(d.quantity)
                       ELSE (array_agg(d.quantity ORDER BY d.day DESC)
                           FILTER (WHERE m.aggregation = 'last'))[1] END AS quantity
            FROM usage_dailyusage d JOIN plans_meter m ON m.id = d.meter_id
            WHERE d.day >= %(since)s
            GROUP BY 1, 2, m.id
        )
        SELECT organisation_id AS organisation, month, code AS meter, u.quantity AS used,
               r.quantity AS rated
        FROM rated r FULL JOIN used u USING (organisation_id, month, code)
        JOIN billed b USING (organisation_id, month)
        WHERE COALESCE(u.quantity, 0) <> COALESCE(r.quantity, 0) AND NOT EXISTS (
            SELECT FROM usage_usagerevision v WHERE v.organisation_id = b.organisation_id
              AND v.month = b.month AND v.revision > b.revision)
        ORDER BY 1, 2, 3
        """,
    ),
    by_sql(
        "I15",
        "an invoice's usage is not what was rated",
        """
        WITH rated AS (
            SELECT b.invoice_id, u.key AS code, u.value::numeric AS quantity
            FROM billing_billedmonth b, jsonb_each_text(COALESCE(b.facts -> 'used', '{}')) u
            WHERE b.month >= %(since)s AND b.invoice_id IS NOT NULL
        ), invoiced AS (
            SELECT l.invoice_id, m.code, sum(l.quantity) AS quantity
            FROM billing_invoiceline l
            JOIN billing_invoice i ON i.id = l.invoice_id AND i.month >= %(since)s
            JOIN plans_meter m ON m.id = l.meter_id
            WHERE l.kind = 'usage' GROUP BY 1, 2
        )
        SELECT invoice_id AS invoice, code AS meter, r.quantity AS rated, v.quantity AS invoiced
        FROM rated r FULL JOIN invoiced v USING (invoice_id, code)
        WHERE COALESCE(r.quantity, 0) <> COALESCE(v.quantity, 0)
        ORDER BY 1, 2
        """,
    ),
)

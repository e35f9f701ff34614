"""I16: the fee of a billed month is the rule's. Rule: S1-26, B-02."""

from core.books import by_sql

FEES = (
    by_sql(
        "I16",
        "a billed month's fee is not that of the selection in force when it began",
        """
        WITH months AS (
            SELECT b.organisation_id, b.month, b.facts,
                b.month::timestamp AT TIME ZONE v.time_zone AS begins_at
            FROM billing_billedmonth b
            JOIN accounts_organisation o ON o.id = b.organisation_id
            CROSS JOIN (SELECT time_zone FROM plans_vendorversion ORDER BY number DESC LIMIT 1) v
            WHERE b.month >= %(since)s AND (o.closed_on IS NULL OR o.closed_on > b.month)
        ), due AS (
            SELECT m.organisation_id, m.month, s.category,
                jsonb_build_array(s.plan_version_id, s.steps) AS fee
            FROM months m JOIN plans_selection s ON s.organisation_id = m.organisation_id
                AND s.from_at < m.begins_at
                AND (s.until_at IS NULL OR s.until_at > m.begins_at
                     OR s.until_at = m.begins_at AND EXISTS (
                         SELECT FROM plans_selection n
                         WHERE n.organisation_id = s.organisation_id
                             AND n.category = s.category AND n.from_at = m.begins_at))
        ), billed AS (
            SELECT m.organisation_id, m.month, c.category, m.facts -> c.category AS fee
            FROM months m CROSS JOIN (VALUES ('licence'), ('support')) c (category)
            WHERE m.facts -> c.category <> 'null'
        )
        SELECT organisation_id AS organisation, month, category, due.fee AS due, billed.fee AS billed
        FROM due FULL JOIN billed USING (organisation_id, month, category)
        WHERE due.fee IS DISTINCT FROM billed.fee
        """,
    ),
)

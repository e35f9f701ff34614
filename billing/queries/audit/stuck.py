"""I20: nothing is stuck."""

from core.books import by_sql

STUCK = (
    by_sql(
        "I20",
        "the lease of a piece of work ran out more than ten minutes ago",
        """
        SELECT id AS work, kind, key, lease_until FROM core_work
        WHERE state = 'due' AND lease_until < %(now)s::timestamptz - interval '10 minutes'
        ORDER BY 1
        """,
        timed=True,
    ),
    by_sql(
        "I20",
        "a piece of work has been due for more than a day",
        """
        SELECT id AS work, kind, key, due_at FROM core_work
        WHERE state = 'due' AND due_at < %(now)s::timestamptz - interval '1 day'
          AND (lease_until IS NULL OR lease_until < %(now)s)
        ORDER BY 1
        """,
        timed=True,
    ),
    by_sql(
        "I20",
        "parked work has no reason or nobody who looks",
        """
        SELECT id AS work, kind, key FROM core_work
        WHERE state = 'parked' AND (reason = '' OR owner = '') AND %(since)s::date IS NOT NULL
        ORDER BY 1
        """,
    ),
    by_sql(
        "I20",
        "a parked organisation has no reason or nobody who looks",
        """
        SELECT organisation_id AS organisation, month FROM billing_parkedorganisation
        WHERE released_at IS NULL AND (reason = '' OR owner = '') AND month >= %(since)s
        ORDER BY 1, 2
        """,
    ),
    by_sql(
        "I20",
        "a parked organisation's month is billed",
        """
        SELECT p.organisation_id AS organisation, p.month FROM billing_parkedorganisation p
        JOIN billing_billedmonth b USING (organisation_id, month)
        WHERE p.released_at IS NULL AND p.month >= %(since)s
        ORDER BY 1, 2
        """,
    ),
)

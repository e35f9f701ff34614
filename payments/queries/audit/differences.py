"""I08: where a provider's books differ from ours, somebody says what of it in time.

Whether they differ is found by `manage.py reconcile`, which asks the providers; an audit does not.
"""

from core.books import by_sql

DIFFERENCES = (
    by_sql(
        "I08",
        "a difference to a provider's books has been open for more than three days",
        """
        SELECT id AS difference, organisation_id AS organisation, gateway, kind, reference, owner
        FROM payments_difference
        WHERE resolved_at IS NULL AND found_at < %(now)s::timestamptz - interval '3 days'
        ORDER BY 1
        """,
        timed=True,
    ),
)

"""I17: what comes in is worked off, and what goes out goes out."""

from core.books import by_sql

INBOX = (
    by_sql(
        "I17",
        "a notice has waited for more than a quarter of an hour",
        """
        SELECT n.id AS notice, n.gateway, n.event_id, n.received_at FROM payments_storednotice n
        WHERE n.state = 'received' AND n.received_at < %(now)s::timestamptz - interval '15 minutes'
          AND NOT EXISTS (SELECT FROM core_work w WHERE w.kind = 'payments.process_notice'
              AND w.key = n.id::text AND w.state = 'parked')
        ORDER BY 1
        """,
        timed=True,
    ),
    by_sql(
        "I17",
        "a provider's event is in the inbox more than once, or is not marked as it was left",
        """
        SELECT n.gateway, n.event_id, array_agg(n.id ORDER BY n.id) AS notices
        FROM payments_storednotice n
        WHERE n.state <> 'forged' AND n.received_at >= %(since)s
        GROUP BY 1, 2
        HAVING count(*) > 1 OR bool_or((n.state = 'received') <> (n.processed_at IS NULL))
        ORDER BY 1, 2
        """,
    ),
    by_sql(
        "I17",
        "a mail has waited for more than a quarter of an hour",
        """
        SELECT m.id AS mail, m.created_at FROM core_mail m
        WHERE m.sent_at IS NULL AND m.created_at < %(now)s::timestamptz - interval '15 minutes'
          AND NOT EXISTS (SELECT FROM core_work w WHERE w.kind = 'core.send_mail'
              AND w.key = m.id::text AND w.state = 'parked')
        ORDER BY 1
        """,
        timed=True,
    ),
)

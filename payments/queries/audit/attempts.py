"""I06: one attempt at a time, stored before it is sent, and never forgotten."""

from core.books import by_sql

_LIVE = "('prepared', 'sent', 'started', 'pending', 'undecided')"

ATTEMPTS = (
    by_sql(
        "I06",
        "more than one attempt is under way for the same payable",
        f"""
        SELECT payable_id AS payable, organisation_id AS organisation,
               array_agg(id ORDER BY id) AS charges
        FROM payments_charge WHERE state IN {_LIVE} AND %(since)s::date IS NOT NULL
        GROUP BY 1, 2 HAVING count(*) > 1 ORDER BY 1
        """,  # noqa: S608
    ),
    by_sql(
        "I06",
        "an attempt was sent before its intent was stored",
        """
        SELECT c.id AS charge, c.organisation_id AS organisation, c.sent_at, c.created_at
        FROM payments_charge c
        WHERE c.created_at >= %(since)s AND c.state NOT IN ('prepared', 'cancelled') AND (
            c.sent_at IS NULL OR c.sent_at < c.created_at OR NOT EXISTS (
                SELECT FROM payments_transition t
                WHERE t.subject = 'charge' AND t.subject_id = c.id AND t.before = ''
                  AND t.after = 'prepared' AND t.at <= c.sent_at))
        ORDER BY 1
        """,
    ),
    by_sql(
        "I06",
        "an attempt has been under way for more than three days, and nobody looks",
        """
        SELECT c.id AS charge, c.organisation_id AS organisation, c.state, c.created_at
        FROM payments_charge c
        WHERE c.state IN ('sent', 'pending', 'undecided')
          AND c.created_at < %(now)s::timestamptz - interval '72 hours'
          AND (c.next_look_at IS NULL
               OR c.next_look_at < %(now)s::timestamptz - interval '15 minutes')
          AND NOT EXISTS (SELECT FROM core_work w WHERE w.state <> 'done' AND (
              (w.kind = 'payments.look' AND w.key = c.id::text)
              OR (w.kind = 'payments.collect' AND w.key = c.payable_id::text)))
          AND NOT EXISTS (SELECT FROM payments_difference d
              WHERE d.charge_id = c.id AND d.resolved_at IS NULL)
        ORDER BY 1
        """,
        timed=True,
    ),
    by_sql(
        "I06",
        "more is kept than is owed, and nothing gives it back",
        """
        WITH back AS (
            SELECT c.payable_id, sum(r.amount - COALESCE((
                SELECT sum(o.amount) FROM payments_refund o
                WHERE o.instead_of_id = r.id AND o.state <> 'rejected'), 0)) AS amount
            FROM payments_refund r JOIN payments_charge c ON c.id = r.charge_id
            WHERE r.state NOT IN ('succeeded', 'rejected')
            GROUP BY 1
        )
        SELECT p.id AS payable, p.organisation_id AS organisation, p.captured, p.refunded,
               p.gross - p.credited AS owed
        FROM payments_payable p LEFT JOIN back b ON b.payable_id = p.id
        WHERE p.captured - p.refunded - COALESCE(b.amount, 0) > p.gross - p.credited
          AND (SELECT max(c.decided_at) FROM payments_charge c WHERE c.payable_id = p.id)
              < %(now)s::timestamptz - interval '1 day'
          AND NOT EXISTS (SELECT FROM core_work w WHERE w.kind = 'payments.collect'
              AND w.key = p.id::text AND w.state = 'parked')
          AND NOT EXISTS (SELECT FROM payments_chargingstop)
        ORDER BY 1
        """,
        timed=True,
    ),
)

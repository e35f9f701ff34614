"""I09, I06: never more given back than was captured, only for what was credited, and not forgotten."""

from core.books import by_sql

MONEY_BACK = (
    by_sql(
        "I09",
        "more is given back than was captured",
        """
        SELECT c.id AS charge, c.organisation_id AS organisation, c.amount, c.state,
               sum(r.amount) AS given_back
        FROM payments_refund r JOIN payments_charge c ON c.id = r.charge_id
        WHERE r.state NOT IN ('failed', 'rejected') AND %(since)s::date IS NOT NULL
        GROUP BY c.id
        HAVING sum(r.amount) > c.amount OR c.state <> 'succeeded'
            OR bool_or(r.currency <> c.currency)
        ORDER BY 1
        """,
    ),
    by_sql(
        "I09",
        "a refund names a credit note of another document, or gives back more than it credits",
        """
        SELECT r.credit_note_id AS credit_note, r.organisation_id AS organisation,
               array_agg(r.id ORDER BY r.id) AS refunds, sum(r.amount) AS given_back, n.gross
        FROM payments_refund r
        JOIN payments_charge c ON c.id = r.charge_id
        JOIN payments_payable p ON p.id = c.payable_id
        JOIN billing_invoice n ON n.id = r.credit_note_id
        WHERE r.state NOT IN ('failed', 'rejected') AND r.created_at >= %(since)s
        GROUP BY r.credit_note_id, r.organisation_id, n.gross
        HAVING sum(r.amount) > n.gross
            OR bool_or(n.kind <> 'credit_note' OR n.corrects_id IS DISTINCT FROM p.invoice_id)
        ORDER BY 1
        """,
    ),
    by_sql(
        "I06",
        "a refund has been under way for more than three days, and nobody looks",
        """
        SELECT r.id AS refund, r.organisation_id AS organisation, r.state, r.created_at
        FROM payments_refund r
        WHERE r.state IN ('prepared', 'sent', 'pending', 'undecided')
          AND r.created_at < %(now)s::timestamptz - interval '72 hours'
          AND (r.next_look_at IS NULL
               OR r.next_look_at < %(now)s::timestamptz - interval '15 minutes')
          AND NOT EXISTS (SELECT FROM core_work w
              WHERE w.state <> 'done' AND w.kind = 'payments.refund' AND w.key = r.id::text)
          AND NOT EXISTS (SELECT FROM payments_difference d
              WHERE d.refund_id = r.id AND d.resolved_at IS NULL)
          AND NOT EXISTS (SELECT FROM payments_chargingstop)
        ORDER BY 1
        """,
        timed=True,
    ),
)

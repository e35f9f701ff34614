"""I21: what Paid has fixed is one of our keys each, for issued invoices, and what was owed."""

from core.books import by_sql

BUYERS = (
    by_sql(
        "I21",
        "a key at Paid stands for more than one attempt, or the money has another name than it",
        """
        SELECT c.id AS charge, c.organisation_id AS organisation, c.key, c.capture
        FROM payments_charge c
        WHERE c.gateway = 'paid' AND c.created_at >= %(since)s AND (
            (c.state = 'succeeded' AND c.capture <> c.key)
            OR (c.state <> 'succeeded' AND c.capture <> '')
            OR EXISTS (SELECT FROM payments_charge o WHERE o.gateway = 'paid'
                AND o.environment = c.environment AND o.key = c.key AND o.id <> c.id))
        ORDER BY 1
        """,
    ),
    by_sql(
        "I21",
        "Paid bills a buyer for what was not invoiced before",
        """
        SELECT c.id AS charge, c.organisation_id AS organisation, p.id AS payable
        FROM payments_charge c
        JOIN payments_payable p ON p.id = c.payable_id
        LEFT JOIN billing_invoice i ON i.id = p.invoice_id
        WHERE c.gateway = 'paid' AND c.state = 'succeeded' AND c.created_at >= %(since)s
          AND p.kind = 'invoice' AND (i.id IS NULL OR i.issued_at > c.decided_at)
        ORDER BY 1
        """,
    ),
    by_sql(
        "I21",
        "Paid bills a buyer for more than was owed",
        """
        SELECT p.id AS payable, p.organisation_id AS organisation, sum(c.amount) AS fixed, p.gross
        FROM payments_charge c JOIN payments_payable p ON p.id = c.payable_id
        WHERE c.gateway = 'paid' AND c.state = 'succeeded' AND p.created_at >= %(since)s
        GROUP BY p.id
        HAVING sum(c.amount) > p.gross + p.refunded
            OR (p.state = 'open' AND sum(c.amount) >= p.gross AND p.refunded = 0)
        ORDER BY 1
        """,
    ),
    by_sql(
        "I21",
        "a transaction at Paid was both fixed and cancelled",
        """
        SELECT c.id AS charge, c.organisation_id AS organisation, c.key
        FROM payments_charge c
        WHERE c.gateway = 'paid' AND c.created_at >= %(since)s AND 1 < (
            SELECT count(DISTINCT t.after) FROM payments_transition t
            WHERE t.subject = 'charge' AND t.subject_id = c.id
              AND t.after IN ('succeeded', 'cancelled'))
        ORDER BY 1
        """,
    ),
)

"""I05, I07: captured money belongs to one document, and what is owed follows from its movements."""

from core.books import by_sql

SUMS = (
    by_sql(
        "I05",
        "captured money is of another organisation or currency than what it pays",
        """
        SELECT c.id AS charge, c.organisation_id AS organisation, p.id AS payable,
               c.currency, p.currency AS currency_owed
        FROM payments_charge c JOIN payments_payable p ON p.id = c.payable_id
        WHERE c.created_at >= %(since)s AND (c.organisation_id, c.currency, c.number)
            IS DISTINCT FROM (p.organisation_id, p.currency, p.number)
        ORDER BY 1
        """,
    ),
    by_sql(
        "I05",
        "the same captured money is booked twice, or has no name at the provider",
        """
        SELECT c.id AS charge, c.organisation_id AS organisation, c.gateway, c.capture
        FROM payments_charge c
        WHERE c.created_at >= %(since)s AND c.state = 'succeeded' AND (c.capture = '' OR EXISTS (
            SELECT FROM payments_charge o WHERE o.gateway = c.gateway AND o.capture = c.capture
              AND o.environment = c.environment AND o.id <> c.id))
        ORDER BY 1
        """,
    ),
    by_sql(
        "I05",
        "what is collected for an invoice is not what was invoiced",
        """
        SELECT p.id AS payable, p.organisation_id AS organisation, p.invoice_id AS invoice
        FROM payments_payable p LEFT JOIN billing_invoice i ON i.id = p.invoice_id
        WHERE p.created_at >= %(since)s AND p.kind = 'invoice'
          AND (p.organisation_id, p.series, p.serial, p.currency, p.gross, p.due_on)
            IS DISTINCT FROM (i.organisation_id, i.kind, i.number, i.currency, i.gross, i.due_on)
        ORDER BY 1
        """,
    ),
    by_sql(
        "I07",
        "a payable's sums are not those of its captures, refunds and credit notes",
        """
        WITH taken AS (
            SELECT payable_id, sum(amount) AS captured FROM payments_charge
            WHERE state = 'succeeded' GROUP BY 1
        ), given AS (
            SELECT c.payable_id, sum(r.amount) AS refunded
            FROM payments_refund r JOIN payments_charge c ON c.id = r.charge_id
            WHERE r.state = 'succeeded' GROUP BY 1
        ), credits AS (
            SELECT corrects_id AS invoice_id, sum(gross) AS credited FROM billing_invoice
            WHERE kind = 'credit_note' GROUP BY 1
        ), withdrawn AS (
            -- An order that was never served is owed no more; it has no invoice to be credited.
            SELECT id AS spot_order_id, gross AS credited FROM spot_orders_spotorder
            WHERE state IN ('lapsed', 'cancelled', 'refunded')
        )
        SELECT p.id AS payable, p.organisation_id AS organisation, p.number,
               p.captured, COALESCE(t.captured, 0) AS charges_say,
               p.refunded, COALESCE(g.refunded, 0) AS refunds_say,
               p.credited, COALESCE(n.credited, w.credited, 0) AS credit_notes_say
        FROM payments_payable p
        LEFT JOIN taken t ON t.payable_id = p.id
        LEFT JOIN given g ON g.payable_id = p.id
        LEFT JOIN credits n ON n.invoice_id = p.invoice_id
        LEFT JOIN withdrawn w ON w.spot_order_id = p.spot_order_id
        WHERE p.created_at >= %(since)s AND (p.captured, p.refunded, p.credited)
            IS DISTINCT FROM
            (COALESCE(t.captured, 0), COALESCE(g.refunded, 0),
             COALESCE(n.credited, w.credited, 0))
        ORDER BY 1
        """,
    ),
    by_sql(
        "I07",
        "a payable is not in the state that its balance says",
        """
        SELECT id AS payable, organisation_id AS organisation, state,
               gross - credited - captured + refunded AS balance
        FROM payments_payable
        WHERE created_at >= %(since)s
          AND (state = 'written_off') <> (state = 'written_off' AND closed_at IS NOT NULL)
           OR created_at >= %(since)s AND state <> 'written_off' AND state IS DISTINCT FROM CASE
                WHEN gross - credited - captured + refunded > 0 THEN 'open'
                WHEN gross > 0 AND credited = gross THEN 'void'
                ELSE 'paid' END
        ORDER BY 1
        """,
    ),
)

"""I05, I06, I10, I13, I21: a spot order counts if and only if its money is in, and never stays between."""

from core.books import by_sql

SPOTS = (
    by_sql(
        "I05",
        "what is collected for a spot order is not what was ordered or invoiced",
        """
        SELECT p.id AS payable, p.organisation_id AS organisation, p.spot_order_id AS spot_order
        FROM payments_payable p JOIN spot_orders_spotorder o ON o.id = p.spot_order_id
        LEFT JOIN billing_invoice i ON i.id = p.invoice_id
        WHERE p.created_at >= %(since)s AND (
            (p.organisation_id, p.kind, p.number, p.currency, p.gross)
                IS DISTINCT FROM (o.organisation_id, 'spot_order', o.number, o.currency, o.gross)
            OR (p.invoice_id IS NOT NULL AND (i.organisation_id, i.kind, i.currency, i.gross)
                IS DISTINCT FROM (p.organisation_id, 'spot', p.currency, p.gross)))
        ORDER BY 1
        """,
    ),
    by_sql(
        "I06",
        "a spot order has been paid for an hour, and is neither served nor given back",
        """
        SELECT p.id AS payable, p.organisation_id AS organisation, p.spot_order_id AS spot_order,
               o.state
        FROM payments_payable p JOIN spot_orders_spotorder o ON o.id = p.spot_order_id
        WHERE o.state NOT IN ('paid', 'refunded') AND p.captured > p.refunded
          AND (SELECT max(c.decided_at) FROM payments_charge c
               WHERE c.payable_id = p.id AND c.state = 'succeeded')
              < %(now)s::timestamptz - interval '1 hour'
          AND NOT EXISTS (SELECT FROM core_work w WHERE w.kind = 'payments.serve_spot'
              AND w.key = p.id::text AND w.state = 'parked')
        ORDER BY 1
        """,
        timed=True,
    ),
    by_sql(
        "I06",
        "a spot order was charged by the portal itself, or is to be",
        """
        SELECT p.id AS payable, p.organisation_id AS organisation, p.spot_order_id AS spot_order
        FROM payments_payable p
        WHERE p.kind = 'spot_order' AND p.created_at >= %(since)s
          AND (p.next_charge_at IS NOT NULL OR EXISTS (
            SELECT FROM payments_charge c WHERE c.payable_id = p.id AND c.initiator = 'schedule'))
        ORDER BY 1
        """,
    ),
    by_sql(
        "I06",
        "a spot order should have lapsed hours ago, and no payment of it is under way",
        """
        SELECT o.id AS spot_order, o.organisation_id AS organisation, o.lapses_at
        FROM spot_orders_spotorder o LEFT JOIN payments_payable p ON p.spot_order_id = o.id
        WHERE o.state = 'placed' AND o.lapses_at < %(now)s::timestamptz - interval '6 hours'
          AND NOT EXISTS (SELECT FROM payments_chargingstop)
          AND NOT EXISTS (SELECT FROM payments_charge c WHERE c.payable_id = p.id
              AND c.state IN ('prepared', 'sent', 'started', 'pending', 'undecided'))
          AND NOT EXISTS (SELECT FROM core_work w WHERE w.state = 'parked' AND (
              (w.kind = 'payments.lapse_spot' AND w.key = o.id::text)
              OR (w.kind = 'payments.serve_spot' AND w.key = p.id::text)))
        ORDER BY 1
        """,
        timed=True,
    ),
    by_sql(
        "I10",
        "a spot order's payment does not stand as the order does",
        """
        SELECT o.id AS spot_order, o.organisation_id AS organisation, o.state, p.id AS payable
        FROM spot_orders_spotorder o LEFT JOIN payments_payable p ON p.spot_order_id = o.id
        WHERE o.placed_at >= %(since)s AND CASE o.state
            WHEN 'placed' THEN p.id IS NULL OR p.invoice_id IS NOT NULL OR p.credited <> 0
            WHEN 'paid' THEN p.id IS NULL OR p.invoice_id IS NULL
            ELSE p.id IS NULL OR p.invoice_id IS NOT NULL OR p.credited <> p.gross END
        ORDER BY 1
        """,
    ),
    by_sql(
        "I13",
        "a spot contract counts for the capacity, and was not paid whole",
        """
        SELECT o.id AS spot_order, o.organisation_id AS organisation, o.gross,
               COALESCE(sum(c.amount), 0) AS taken
        FROM spot_orders_spotorder o
        LEFT JOIN payments_payable p ON p.spot_order_id = o.id
        LEFT JOIN payments_charge c ON c.payable_id = p.id AND c.state = 'succeeded'
        WHERE o.state = 'paid' AND o.placed_at >= %(since)s
        GROUP BY o.id HAVING COALESCE(sum(c.amount), 0) < o.gross
        ORDER BY 1
        """,
    ),
    by_sql(
        "I13",
        "a spot contract was given back whole, and counts for the capacity all the same",
        """
        SELECT o.id AS spot_order, o.organisation_id AS organisation, p.id AS payable,
               COALESCE(o.cut_on, o.end_on) AS until_on, n.credited_on
        FROM spot_orders_spotorder o
        JOIN payments_payable p ON p.spot_order_id = o.id
        JOIN LATERAL (
            SELECT max(issued_on) AS credited_on FROM billing_invoice
            WHERE corrects_id = p.invoice_id AND kind = 'credit_note') n ON true
        WHERE o.state = 'paid' AND p.gross > 0 AND p.credited = p.gross AND o.placed_at >= %(since)s
          AND COALESCE(o.cut_on, o.end_on) > GREATEST(o.first_on, n.credited_on + 1)
        ORDER BY 1
        """,
    ),
    by_sql(
        "I13",
        "a spot order is paid and not served, and nothing gives its money back",
        """
        SELECT o.id AS spot_order, o.organisation_id AS organisation, p.id AS payable,
               p.captured, p.refunded
        FROM spot_orders_spotorder o JOIN payments_payable p ON p.spot_order_id = o.id
        WHERE o.state = 'refunded' AND o.placed_at >= %(since)s
          AND (p.captured = 0 OR p.captured > p.refunded + COALESCE((
            SELECT sum(r.amount) FROM payments_refund r JOIN payments_charge c ON c.id = r.charge_id
            WHERE c.payable_id = p.id AND r.instead_of_id IS NULL
              AND r.state NOT IN ('succeeded', 'rejected')), 0))
        ORDER BY 1
        """,
    ),
    by_sql(
        "I21",
        "Paid bills a buyer for a spot order that was neither served nor given back",
        """
        SELECT c.id AS charge, c.organisation_id AS organisation, p.spot_order_id AS spot_order
        FROM payments_charge c
        JOIN payments_payable p ON p.id = c.payable_id
        JOIN spot_orders_spotorder o ON o.id = p.spot_order_id
        WHERE c.gateway = 'paid' AND c.state = 'succeeded' AND c.created_at >= %(since)s
          AND o.state NOT IN ('paid', 'refunded')
          AND c.decided_at < %(now)s::timestamptz - interval '1 hour'
        ORDER BY 1
        """,
        timed=True,
    ),
)

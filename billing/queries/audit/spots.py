"""I02, I13: a paid spot order has one invoice of its own, which says what the order says. Rule: B-13."""

from core.books import by_sql

SPOTS = (
    by_sql(
        "I02",
        "a spot order is paid and has no invoice",
        """
        SELECT o.id AS spot_order, o.number, o.organisation_id AS organisation
        FROM spot_orders_spotorder o
        WHERE o.state = 'paid' AND o.paid_at >= %(since)s AND NOT EXISTS (
            SELECT FROM billing_invoice i WHERE i.operation = o.public_id AND i.kind = 'spot')
        ORDER BY o.id
        """,
    ),
    by_sql(
        "I13",
        "a spot invoice is not what a paid order of its organisation says",
        """
        SELECT i.id AS invoice, i.number, i.organisation_id AS organisation
        FROM billing_invoice i
        LEFT JOIN spot_orders_spotorder o ON o.public_id = i.operation
        WHERE i.kind = 'spot' AND i.month >= %(since)s AND (
            (o.organisation_id, o.currency, o.net, o.tax, o.gross, o.tax_rounding, o.state)
                IS DISTINCT FROM (i.organisation_id, i.currency, i.net, i.tax, i.gross,
                    i.tax_rounding, 'paid')
            OR EXISTS (SELECT FROM billing_invoiceline l
                WHERE l.invoice_id = i.id AND l.kind <> 'spot'))
        ORDER BY i.id
        """,
    ),
)

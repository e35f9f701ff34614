"""What root, Support and staff are told by mail of what is owed, paid, refused and given back.

Each function is called in the transaction of what it tells of, and only writes the outbox: what is
rolled back was never told. Who has no root that can sign in is told nothing. Rule: B-14, S1-06, R2.
"""

from payments.services.letters import spots
from payments.services.letters.payments import (
    TOLD_WITHIN,
    charge_failed,
    invoices_issued,
    method_added,
    method_broken,
    method_detached,
    method_rejected,
    method_under_review,
    payable_overdue,
    payment_received,
    refund_made,
    support_answered,
    support_requested,
)
from payments.services.letters.writing import staff_alert

__all__ = [
    "TOLD_WITHIN",
    "charge_failed",
    "invoices_issued",
    "method_added",
    "method_broken",
    "method_detached",
    "method_rejected",
    "method_under_review",
    "payable_overdue",
    "payment_received",
    "refund_made",
    "spots",
    "staff_alert",
    "support_answered",
    "support_requested",
]

"""Our captures and refunds held against the providers' own books. Rule: I08, F37.

What the provider's books tell more than we know is settled first, through the services that settle
it anyway; what then still differs is a row that staff have to say something of.
"""

from payments.services.reconcile.differences import resolve
from payments.services.reconcile.facts import (
    ACTOR,
    REPORTS_LATE,
    NothingToCompare,
    Reconciled,
)
from payments.services.reconcile.runs import (
    default_window,
    plan,
    reconcile,
    reconcile_days,
    reconcile_file,
)

__all__ = [
    "ACTOR",
    "REPORTS_LATE",
    "NothingToCompare",
    "Reconciled",
    "default_window",
    "plan",
    "reconcile",
    "reconcile_days",
    "reconcile_file",
    "resolve",
]

"""What is too unusual to be issued without a person having looked. Rule: R11."""

from collections.abc import Sequence
from statistics import median

from billing.enums import ParkReason
from billing.rules.facts import Bill

TIMES_USUAL = 20
# Minor units: a small bill may grow twentyfold without anybody being hurt.
ALWAYS_FINE = 100_000
# Fewer invoices do not show what is usual.
FEWEST = 3


def breach(bill: Bill, recent: Sequence[int], *, accepted: bool) -> ParkReason | None:
    """Return why a bill must not be issued unseen, or None.

    `recent`: gross of the organisation's last invoices, six at most. `accepted`: staff have seen
    this month's bill and let it pass; a bill below zero never passes. Rule: R11.
    """
    if bill.gross < 0 or bill.net < 0:
        return ParkReason.NEGATIVE
    if accepted or bill.gross <= ALWAYS_FINE or len(recent) < FEWEST:
        return None
    if bill.gross > TIMES_USUAL * median(recent):
        return ParkReason.FAR_ABOVE_USUAL
    return None

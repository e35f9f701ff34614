"""What the pages ask of several rooms at once."""

import enum

from django.db.models import Exists, OuterRef, Q, QuerySet

from billing.models import Invoice
from payments.enums import PayableState
from payments.models import Payable


class Standing(enum.StrEnum):
    """How an invoice is paid, as the list is asked for it. CLOSED: nothing is owed any more."""

    OPEN = "open"
    OVERDUE = "overdue"
    CLOSED = "paid"


_MEANT = {
    Standing.OPEN: Q(state=PayableState.OPEN),
    Standing.OVERDUE: Q(state=PayableState.OPEN, overdue_at__isnull=False),
    Standing.CLOSED: ~Q(state=PayableState.OPEN),
}


def standing_so(found: QuerySet[Invoice], standing: Standing | None) -> QuerySet[Invoice]:
    """Return those documents that are paid so; credit notes are not paid at all."""
    if standing is None:
        return found
    return found.filter(Exists(Payable.objects.filter(_MEANT[standing], invoice=OuterRef("pk"))))

"""Invoices that were issued are told of, once. Rule: B-14."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from core.work import Piece
from payments import jobs
from payments.models import Payable
from payments.services import letters

# A page is written while its rows are locked: some tenths of a second.
PAGE = 100
_PAGES = 50


def plan(now: datetime) -> None:
    """Ask for the letters about payables that nobody was told of, a page at a time."""
    ids = list(
        Payable.objects.filter(announced_at=None)
        .order_by("pk")
        .values_list("pk", flat=True)[: PAGE * _PAGES]
    )
    if not ids:
        return
    pages = [ids[at : at + PAGE] for at in range(0, len(ids), PAGE)]
    with transaction.atomic():
        jobs.ANNOUNCE.enqueue_all(
            [Piece(str(page[0]), {"payable_ids": list(page)}) for page in pages], due_at=now
        )


@transaction.atomic
def announce(*, payable_ids: Sequence[int], now: datetime) -> int:
    """Tell the roots of what was issued; return how many mails that makes. A second run makes none."""
    return letters.invoices_issued(Payable.objects.filter(pk__in=payable_ids), now)

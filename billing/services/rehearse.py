"""The month end tried out: everybody rated, nothing stored, held against the month before."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import InterfaceError, OperationalError, ProgrammingError

from billing.enums import InvoiceKind, ParkReason
from billing.models import Invoice
from billing.queries import due
from billing.queries.due import Customer
from billing.services import issue, runs
from billing.services.issue import Judged, Refused
from billing.services.store import Issue
from core import money
from core.months import BillingMonth
from plans import queries as plans

SHOWN = 20


@dataclass(slots=True)
class Total:
    """How many invoices, and their gross in minor units."""

    count: int = 0
    gross: int = 0

    def add(self, gross: int) -> None:
        self.count += 1
        self.gross += gross


@dataclass(frozen=True, slots=True)
class Change:
    """What an organisation would pay, and paid the month before; gross in minor units."""

    reference: str
    currency: str
    now: int
    before: int

    def __str__(self) -> str:
        now, before = (money.written(each, self.currency) for each in (self.now, self.before))
        return f"{self.reference}: {now} (before {before})"


@dataclass(frozen=True, slots=True)
class WouldPark:
    """An organisation that a run would set aside."""

    reference: str
    reason: ParkReason
    detail: str

    def __str__(self) -> str:
        return f"{self.reference}: {self.reason.label} {self.detail}"


@dataclass(slots=True)
class Rehearsal:
    """What a run would do. `totals`: by currency, of this month and the one before.

    `vanished`: nothing to bill after an invoice; `changes`: the largest by amount.
    """

    totals: dict[str, tuple[Total, Total]] = field(default_factory=dict)
    nothing: int = 0
    refused: list[WouldPark] = field(default_factory=list)
    vanished: list[Change] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)


def rehearse(
    month: BillingMonth, *, now: datetime, on_progress: Callable[[int, int], None]
) -> Rehearsal:
    """Return what a run of `month` would do. Stores nothing; may be asked in the grace period.

    Raises MonthNotOver, NoVendor. Rule: R11.
    """
    vendor = plans.vendor()
    zone = ZoneInfo(vendor.time_zone)
    runs.check_over(month, zone, now)
    plan = Issue(month, vendor, zone, now)
    found = Rehearsal()
    blocks = due.blocks_of(month, settings.BILLING_PAGE)
    done = 0
    for block in blocks:
        ids = due.due_ids(month, block.first_id, block.last_id, lock=False)
        customers = due.customers(ids, month)
        _note(found, customers, _judge(customers, plan), month)
        done += len(ids)
        on_progress(done, sum(each.organisations for each in blocks))
    found.changes = heapq.nlargest(SHOWN, found.changes, key=_size)
    return found


def _judge(customers: Sequence[Customer], plan: Issue) -> Judged:
    """Judge a page; where it cannot be loaded as a whole, its halves, as the run would do."""
    try:
        return issue.judge(customers, plan)
    except (OperationalError, InterfaceError, ProgrammingError):
        raise
    except Exception as fault:  # noqa: BLE001 (shown as what a run would park)
        if len(customers) == 1:
            return Judged(refused=[Refused(customers[0].id, ParkReason.FAILED, repr(fault))])
    middle = len(customers) // 2
    first, second = _judge(customers[:middle], plan), _judge(customers[middle:], plan)
    return Judged(first.billed + second.billed, first.refused + second.refused)


def _note(
    found: Rehearsal, customers: Sequence[Customer], judged: Judged, month: BillingMonth
) -> None:
    paid: dict[int, int] = dict(
        Invoice.objects.filter(
            organisation__in=[customer.id for customer in customers],
            month=month.previous.first_day,
            kind=InvoiceKind.MONTHLY,
        ).values_list("organisation_id", "gross")
    )
    for customer, _, bill in judged.billed:
        now, before = found.totals.setdefault(bill.currency, (Total(), Total()))
        change = Change(customer.reference, bill.currency, bill.gross, paid.get(customer.id, 0))
        if customer.id in paid:
            before.add(change.before)
        if bill.is_nothing:
            found.nothing += 1
            if change.before:
                found.vanished.append(change)
        else:
            now.add(bill.gross)
        if change.before and change.now != change.before:
            found.changes.append(change)
    references = {customer.id: customer.reference for customer in customers}
    for each in judged.refused:
        reference = references[each.organisation_id]
        detail = each.detail.partition("\n")[0]
        found.refused.append(WouldPark(reference, each.reason, detail))


def _size(change: Change) -> int:
    return abs(change.now - change.before)

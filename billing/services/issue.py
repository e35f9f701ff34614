"""The month end of a page of organisations: facts, bills, invoices, in one transaction."""

import gc
import logging
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import InterfaceError, OperationalError, ProgrammingError, transaction

from billing import jobs
from billing.enums import ParkReason
from billing.queries import due, facts
from billing.queries.due import Customer
from billing.rules import bounds, rating
from billing.rules.facts import Facts
from billing.services import park
from billing.services.store import Billed, Issue, store
from core.months import BillingMonth
from core.work import Piece
from plans import queries as plans

log = logging.getLogger(__name__)

DOCUMENTS = 10
# More failures than this, and more than successes, are no matter of an organisation's data.
_FEW = 50


class TooManyFail(Exception):
    """So many organisations of a page fail that the fault lies elsewhere."""


@dataclass(slots=True)
class Outcome:
    """What became of a page: how many got an invoice, had nothing to bill, or wait for a person."""

    invoiced: int = 0
    nothing: int = 0
    parked: int = 0

    def __iadd__(self, other: "Outcome") -> "Outcome":
        self.invoiced += other.invoiced
        self.nothing += other.nothing
        self.parked += other.parked
        return self

    @property
    def total(self) -> int:
        return self.invoiced + self.nothing + self.parked


@dataclass(frozen=True, slots=True)
class Refused:
    """An organisation that is not billed now, and why."""

    organisation_id: int
    reason: ParkReason
    detail: str


@dataclass(slots=True)
class Judged:
    """The bills of a page that may be issued, and what may not."""

    billed: list[Billed] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


def bill_page(*, first_id: int, last_id: int, month: BillingMonth, now: datetime) -> Outcome:
    """Bill the organisations of a range of ids whose `month` is due and not billed.

    One transaction stores the page. Should it fail, halves are tried, so that an organisation
    whose data are at fault is parked alone and the others go on. A second run finds nothing.
    Raises TooManyFail, NoVendor, and what passes: OperationalError.
    Rule: B-01, B-09, R4, R12.
    """
    vendor = plans.vendor()
    issue = Issue(month, vendor, ZoneInfo(vendor.time_zone), now)
    outcome = Outcome()
    refused: list[Refused] = []
    _bill(first_id, last_id, issue, outcome, refused)
    for each in refused:
        outcome.parked += park.park(
            organisation_id=each.organisation_id,
            month=month,
            reason=each.reason,
            detail=each.detail,
            now=now,
        )
    return outcome


def judge(customers: Sequence[Customer], issue: Issue) -> Judged:
    """Return the bills of these customers, rated and held against the bounds. Reads, stores nothing.

    An organisation whose facts cannot be rated is refused; facts that cannot be loaded raise.
    """
    judged = Judged()
    loaded = facts.load(
        [customer.id for customer in customers],
        issue.month,
        vendor=issue.vendor,
        zone=issue.zone,
    )
    for customer, known in zip(customers, loaded, strict=True):
        try:
            judged_one = _judge(customer, known)
        except Exception as fault:  # noqa: BLE001 (parked with its trace: R12)
            judged_one = _failed(customer.id, fault)
        if isinstance(judged_one, Billed):
            judged.billed.append(judged_one)
        else:
            judged.refused.append(judged_one)
    return judged


def _judge(customer: Customer, known: Facts) -> Billed | Refused:
    bill = rating.rate(known)
    reason = bounds.breach(bill, customer.recent, accepted=customer.accepted)
    if reason is None:
        return Billed(customer, known, bill)
    return Refused(customer.id, reason, f"gross {bill.gross}, before {customer.recent}")


def _bill(
    first_id: int, last_id: int, issue: Issue, outcome: Outcome, refused: list[Refused]
) -> None:
    fault = None
    try:
        stored, judged = _bill_at_once(first_id, last_id, issue)
    except (OperationalError, InterfaceError, ProgrammingError):
        # The database is away, or its schema is another release's: nobody's data are at fault.
        raise
    except Exception as raised:  # noqa: BLE001 (parked with its trace: R12)
        fault = raised
    if fault is None:
        outcome += stored
        _refuse(judged, outcome, refused)
    elif first_id == last_id:
        _refuse([_failed(first_id, fault)], outcome, refused)
    else:
        log.warning("page not billed: %r", fault, extra={"first": first_id, "last": last_id})
        middle = (first_id + last_id) // 2
        _bill(first_id, middle, issue, outcome, refused)
        _bill(middle + 1, last_id, issue, outcome, refused)


def _refuse(more: list[Refused], outcome: Outcome, refused: list[Refused]) -> None:
    refused += more
    failed = sum(each.reason == ParkReason.FAILED for each in refused)
    if failed > _FEW and failed > outcome.total:
        raise TooManyFail(f"{failed} organisations; the last one: {refused[-1].detail}")


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Spare a page the search for cycles: its many small objects have none and are soon gone."""
    paused = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if paused:
            gc.enable()


@_collector_paused()
@transaction.atomic
def _bill_at_once(first_id: int, last_id: int, issue: Issue) -> tuple[Outcome, list[Refused]]:
    locked = due.due_ids(issue.month, first_id, last_id, lock=True)
    if not locked:
        return Outcome(), []
    judged = judge(due.customers(locked, issue.month), issue)
    ids = store(judged.billed, issue, before_numbers=_ask_for_documents) if judged.billed else []
    return Outcome(len(ids), len(judged.billed) - len(ids)), judged.refused


def _ask_for_documents(ids: Sequence[int], now: datetime) -> None:
    chunks = [[*ids[start : start + DOCUMENTS]] for start in range(0, len(ids), DOCUMENTS)]
    jobs.MAKE_DOCUMENTS.enqueue_all(
        [Piece(f"{chunk[0]}-{chunk[-1]}", {"invoice_ids": [*chunk]}) for chunk in chunks],
        due_at=now,
    )


def _failed(organisation_id: int, fault: Exception) -> Refused:
    trace = "".join(traceback.format_exception(fault, limit=-5))
    return Refused(organisation_id, ParkReason.FAILED, f"{fault!r}\n{trace}")

"""What the month end does when it is woken. Rule: R1."""

from datetime import datetime

from billing import jobs
from billing.services import documents, issue, runs
from core import work
from core.months import BillingMonth


@work.plans_work
def plan_months(now: datetime) -> None:
    runs.plan(now)


@work.plans_work
def plan_documents(now: datetime) -> None:
    documents.ask_for_missing(now=now)


def _plan_next(now: datetime) -> None:
    runs.plan(now)


@work.handles(jobs.BILL_PAGE, then=_plan_next)
def bill_page(payload: work.Payload, now: datetime) -> None:
    issue.bill_page(
        first_id=int(str(payload["first_id"])),
        last_id=int(str(payload["last_id"])),
        month=BillingMonth.parse(str(payload["month"])),
        now=now,
    )


@work.handles(jobs.MAKE_DOCUMENTS)
def make_documents(payload: work.Payload, now: datetime) -> None:
    ids = payload["invoice_ids"]
    if not isinstance(ids, list):
        raise work.Park(f"invoice_ids is no list: {ids!r}")
    documents.make_documents(invoice_ids=[int(str(each)) for each in ids], now=now)

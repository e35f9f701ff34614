"""What collecting, refunds, methods and their letters do when they are woken. Rule: R1."""

from datetime import datetime

from core import work
from payments import jobs
from payments.services import announcing, refunds


@work.plans_work
def plan_letters(now: datetime) -> None:
    announcing.plan(now)


@work.handles(jobs.ANNOUNCE)
def announce(payload: work.Payload, now: datetime) -> None:
    ids = payload["payable_ids"]
    if not isinstance(ids, list):
        raise work.Park(f"payable_ids is no list: {ids!r}")
    announcing.announce(payable_ids=[int(str(each)) for each in ids], now=now)


@work.plans_work
def plan_refunds(now: datetime) -> None:
    refunds.plan(now)


@work.handles(jobs.REFUND)
def refund(payload: work.Payload, now: datetime) -> None:
    refunds.go_on(refund_id=int(str(payload["refund_id"])), now=now)

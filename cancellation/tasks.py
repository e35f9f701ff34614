"""What a cancellation needs when time has passed. Rule: R1."""

from datetime import datetime

from cancellation import jobs
from cancellation.services import closing, receipts
from core import work
from payments.services.charges import AccountDiffers, AttemptUnderWay, NotNow, Stopped


@work.plans_work
def plan(now: datetime) -> None:
    closing.plan(now)


@work.handles(jobs.CLOSE, then=closing.plan)
def close(payload: work.Payload, now: datetime) -> None:
    closing.close(cancellation_id=int(str(payload["cancellation_id"])), now=now)


@work.handles(jobs.SETTLE)
def settle(payload: work.Payload, now: datetime) -> None:
    closing.settle(cancellation_id=int(str(payload["cancellation_id"])), now=now)


@work.handles(jobs.MAKE_RECEIPT)
def make_receipt(payload: work.Payload, now: datetime) -> None:
    receipts.make_document(cancellation_id=int(str(payload["cancellation_id"])), now=now)


@work.handles(jobs.GIVE_UP_ORDER)
def give_up_order(payload: work.Payload, now: datetime) -> None:
    try:
        closing.give_up_order(order_id=int(str(payload["order_id"])), now=now)
    except NotNow as later:
        raise work.NotYet(later.again_at) from later
    except (AttemptUnderWay, Stopped):
        # Its outcome decides; an order that is paid too late is given back (R10).
        raise work.NotYet(now + closing.LOOKS_AGAIN) from None
    except AccountDiffers as fault:
        raise work.Park(f"It belongs to another account than the settings name: {fault}") from fault

"""What ordering does when time has passed. Rule: R1."""

from datetime import datetime

from core import work
from ordering import jobs
from ordering.services import borders, leaving_letters, price_letters


@work.plans_work
def plan(now: datetime) -> None:
    borders.tell(now)


@work.plans_work
def plan_price_letters(now: datetime) -> None:
    price_letters.plan(now)


@work.handles(jobs.TELL_OF_PRICES, then=plan_price_letters)
def tell_of_prices(payload: work.Payload, now: datetime) -> None:
    price_letters.tell(now)


@work.plans_work
def plan_leaving_letters(now: datetime) -> None:
    leaving_letters.plan(now)


@work.handles(jobs.WARN_OF_LEAVING)
def warn_of_leaving(payload: work.Payload, now: datetime) -> None:
    leaving_letters.warn(after_id=int(str(payload["after_id"])), now=now)

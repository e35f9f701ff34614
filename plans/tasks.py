"""What automatic renewal and price changes do when they are woken. Rule: R1."""

from datetime import datetime

from core import work
from plans import jobs
from plans.services import price_changes, renewals


@work.plans_work
def plan_renewals(now: datetime) -> None:
    renewals.plan(now)


@work.handles(jobs.RENEW)
def renew(payload: work.Payload, now: datetime) -> None:
    contract_id = int(str(payload["contract_id"]))
    try:
        renewals.renew(contract_id=contract_id, now=now)
    except renewals.CannotRenew as refusal:
        renewals.give_up(contract_id=contract_id, why=refusal.why, now=now)
        raise work.Park(f"It cannot be renewed: {refusal.why}") from refusal


@work.handles(jobs.ANNOUNCE_RENEWAL)
def announce_renewal(payload: work.Payload, now: datetime) -> None:
    renewals.announce(contract_id=int(str(payload["contract_id"])), now=now)


@work.plans_work
def plan_price_changes(now: datetime) -> None:
    price_changes.plan(now)


@work.handles(jobs.REPRICE, then=plan_price_changes)
def reprice(payload: work.Payload, now: datetime) -> None:
    try:
        price_changes.reprice(
            price_change_id=int(str(payload["price_change_id"])),
            organisation_id=int(str(payload["organisation_id"])),
            now=now,
        )
    except price_changes.TooLate as late:
        raise work.Park(f"It was not told of a price change before {late}") from late


@work.handles(jobs.TAKE_BACK, then=plan_price_changes)
def take_back(payload: work.Payload, now: datetime) -> None:
    price_changes.take_back(
        price_change_id=int(str(payload["price_change_id"])),
        organisation_id=int(str(payload["organisation_id"])),
        now=now,
    )

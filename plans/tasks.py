"""What automatic renewal does when it is woken. Rule: R1."""

from datetime import datetime

from core import work
from plans import jobs
from plans.services import renewals


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

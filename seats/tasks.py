"""What the end of a contract does when it is woken. Rule: R1."""

from datetime import datetime

from accounts import services as accounts
from core import work
from seats import jobs
from seats.services import imports, invitations, letters, settling


@work.plans_work
def plan_settlements(now: datetime) -> None:
    settling.plan(now)


@work.plans_work
def end_stray_sessions(now: datetime) -> None:
    accounts.end_stray_sessions()


@work.plans_work
def plan_letters(now: datetime) -> None:
    letters.plan(now)


def _tell_at_once(now: datetime) -> None:
    letters.plan(now)


@work.handles(jobs.TELL)
def tell(payload: work.Payload, now: datetime) -> None:
    letters.tell(
        first_id=int(str(payload["first_id"])), last_id=int(str(payload["last_id"])), now=now
    )


@work.handles(jobs.SETTLE, then=_tell_at_once)
def settle(payload: work.Payload, now: datetime) -> None:
    settling.settle_range(
        first_id=int(str(payload["first_id"])), last_id=int(str(payload["last_id"])), now=now
    )


@work.handles(jobs.SETTLE_ALONE)
def settle_alone(payload: work.Payload, now: datetime) -> None:
    settling.settle(organisation_id=int(str(payload["organisation_id"])), now=now)


@work.plans_work
def plan_imports(now: datetime) -> None:
    imports.take_up(now)
    imports.forget(now)
    invitations.forget(now)


@work.handles(jobs.IMPORT_ACCOUNTS)
def import_accounts(payload: work.Payload, now: datetime) -> None:
    if not imports.carry_out(batch_id=int(str(payload["batch_id"])), now=now):
        raise work.NotYet(now)

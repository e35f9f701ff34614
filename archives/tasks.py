"""What archives do when they are woken. Rule: R1."""

from datetime import datetime

from archives import jobs
from archives.services import making
from core import work


@work.handles(jobs.MAKE)
def make(payload: work.Payload, now: datetime) -> None:
    making.make(archive_id=int(str(payload["archive_id"])), now=now)


@work.plans_work
def plan_archives(now: datetime) -> None:
    making.forget(now=now)

"""What ordering does when time has passed. Rule: R1."""

from datetime import datetime

from core import work
from ordering.services import borders


@work.plans_work
def plan(now: datetime) -> None:
    borders.tell(now)

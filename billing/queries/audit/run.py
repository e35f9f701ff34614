"""All the checks, over one snapshot."""

from collections.abc import Callable, Sequence
from datetime import datetime

from django.db import connection, transaction

from billing.queries.audit.breach import Breach, Check, Scope
from billing.queries.audit.invoices import AMOUNTS, NUMBERS, ONE_A_MONTH
from billing.queries.audit.seals import SEALS, TRAIL
from billing.queries.audit.stuck import STUCK
from billing.queries.audit.tenancy import TENANCY
from billing.queries.audit.usage import DAYS, RATED
from core.months import BillingMonth

CHECKS: tuple[Check, ...] = (
    *AMOUNTS,
    *ONE_A_MONTH,
    *NUMBERS,
    *SEALS,
    *DAYS,
    *RATED,
    *TENANCY,
    *TRAIL,
    *STUCK,
)


def breaches(
    *,
    since: BillingMonth | None = None,
    now: datetime | None = None,
    checks: Sequence[Check] = CHECKS,
    progress: Callable[[Check], None] | None = None,
) -> list[Breach]:
    """Return every breach of the invariants, all seen at one instant.

    `since`: only of months from then on. `now`: by which what is due should be done; without it
    that is not judged. Inside a transaction of the caller's, its snapshot is used.
    """
    scope = Scope(since, now)
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        found: list[Breach] = []
        for check in checks:
            if progress:
                progress(check)
            found.extend(check.breaches(scope))
    return found

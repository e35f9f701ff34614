"""What billing has to say of whether the books are sound. Reads only; core.books asks."""

from billing.queries.audit.credits import CREDITS
from billing.queries.audit.fees import FEES
from billing.queries.audit.invoices import AMOUNTS, NUMBERS, ONE_A_MONTH
from billing.queries.audit.seals import SEALS, TRAIL
from billing.queries.audit.spots import SPOTS
from billing.queries.audit.stuck import STUCK
from billing.queries.audit.tenancy import TENANCY
from billing.queries.audit.usage import DAYS as OF_EVENTS
from billing.queries.audit.usage import RATED
from core.books import Check

CHECKS: tuple[Check, ...] = (
    *AMOUNTS,
    *ONE_A_MONTH,
    *NUMBERS,
    *CREDITS,
    *SPOTS,
    *FEES,
    *SEALS,
    *OF_EVENTS,
    *RATED,
    *TENANCY,
    *TRAIL,
    *STUCK,
)

__all__ = ["CHECKS", "OF_EVENTS"]

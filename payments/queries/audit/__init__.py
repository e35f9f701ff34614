"""What payments have to say of whether the books are sound. Reads only; core.books asks."""

from core.books import Check
from payments.queries.audit.accounts import ACCOUNTS
from payments.queries.audit.attempts import ATTEMPTS
from payments.queries.audit.buyers import BUYERS
from payments.queries.audit.differences import DIFFERENCES
from payments.queries.audit.history import HISTORY
from payments.queries.audit.inbox import INBOX
from payments.queries.audit.money_back import MONEY_BACK
from payments.queries.audit.spots import SPOTS
from payments.queries.audit.sums import SUMS

# Money that is not what it should be: who has such a row is charged no more by itself.
OF_MONEY: tuple[Check, ...] = (*SUMS, *ATTEMPTS, *DIFFERENCES, *MONEY_BACK)
CHECKS: tuple[Check, ...] = (*OF_MONEY, *SPOTS, *HISTORY, *INBOX, *BUYERS, *ACCOUNTS)

__all__ = ["CHECKS", "OF_MONEY"]

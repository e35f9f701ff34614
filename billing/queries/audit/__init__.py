"""Whether the books are sound: the invariants of reliability.md that have tables. Reads only."""

from billing.queries.audit.breach import Breach, Scope
from billing.queries.audit.run import CHECKS, breaches
from billing.queries.audit.usage import DAYS as OF_EVENTS

__all__ = ["CHECKS", "OF_EVENTS", "Breach", "Scope", "breaches"]

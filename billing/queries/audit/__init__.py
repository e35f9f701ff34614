"""Whether the books are sound: the invariants of reliability.md that have tables. Reads only."""

from billing.queries.audit.breach import Breach, Scope
from billing.queries.audit.run import CHECKS, breaches

__all__ = ["CHECKS", "Breach", "Scope", "breaches"]

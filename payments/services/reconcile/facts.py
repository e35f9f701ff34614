"""What a comparison is, and what came of it."""

from dataclasses import dataclass
from datetime import timedelta

from payments.models import Difference, Reconciliation
from payments.queries.reconciling import Rows
from payments.rules.matching import Comparison

ACTOR = "system:reconciliation"
# A provider's report may be some hours behind; what is younger is compared the next time.
REPORTS_LATE = timedelta(hours=4)


class NothingToCompare(Exception):
    """The time asked for is not over, or too young for the provider's report."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What came of a comparison. `found`: the open differences that it saw, new or not."""

    run: Reconciliation
    found: tuple[Difference, ...]
    new: int
    resolved: int
    strangers: int


@dataclass(frozen=True, slots=True)
class Compared:
    rows: Rows
    comparison: Comparison

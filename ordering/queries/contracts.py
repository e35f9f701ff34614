"""What an organisation has contracted, and the orders behind it, for the tab Contract details."""

from dataclasses import dataclass
from datetime import datetime

from accounts.models import Membership, Organisation
from ordering.enums import ReviewState
from ordering.models import Review
from plans.models import MainContract


@dataclass(frozen=True, slots=True)
class Contracts:
    """Main contracts, the newest first, and the orders that were saved, the newest first.

    `members`: ids of the users who are or were of the organisation; others are Support's.
    """

    contracts: tuple[MainContract, ...]
    orders: tuple[Review, ...]
    members: frozenset[int]

    @property
    def revised_at(self) -> datetime | None:
        """When any of it was changed last."""
        moments = [each.saved_at for each in self.orders if each.saved_at]
        for each in self.contracts:
            moments += [at for at in (each.ordered_at, each.withdrawn_at) if at]
        return max(moments, default=None)


# A customer orders a few times a year; what is older than this is in the audit trail.
MOST_ORDERS = 200


def contracts(organisation: Organisation) -> Contracts:
    """Return an organisation's main contracts, saved orders and members, in three statements."""
    return Contracts(
        contracts=tuple(
            MainContract.objects.filter(organisation=organisation).order_by("-first_on", "-pk")
        ),
        orders=tuple(
            Review.objects.select_related("user")
            .filter(organisation=organisation, state=ReviewState.SAVED)
            .order_by("-saved_at", "-pk")[:MOST_ORDERS]
        ),
        members=frozenset(
            Membership.objects.filter(organisation=organisation).values_list("user_id", flat=True)
        ),
    )

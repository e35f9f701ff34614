"""Only the root account ends a contract, or takes that back. Rule: S1-27."""

from accounts.enums import Role
from accounts.models import Membership, Organisation
from cancellation.rules.ending import Refusal


class NotTheRoot(Refusal):
    """Somebody else than the root account asks for it."""


def check_root(organisation: Organisation, user_id: int) -> None:
    """Refuse whoever is not the root account. Raises NotTheRoot. Rule: S1-27, F61."""
    is_root = Membership.objects.filter(
        organisation=organisation, user_id=user_id, role=Role.ROOT, deactivated_at=None
    ).exists()
    if not is_root:
        raise NotTheRoot

import hashlib
from datetime import datetime

from seats.models import Invitation


def digest(token: str) -> bytes:
    """Return what is kept of the token of a link."""
    return hashlib.sha256(token.encode()).digest()


def open_with(token: str, now: datetime) -> Invitation | None:
    """Return the invitation whose link this token still opens.

    None when it was used, replaced or is too old, the account was deactivated or deleted, or the person
    has set a password by another way. Rule: F60.
    """
    found = (
        Invitation.objects.select_related("membership__user", "membership__organisation")
        .filter(
            token_digest=digest(token),
            used_at=None,
            expires_at__gt=now,
            membership__deactivated_at=None,
            membership__user__is_active=True,
        )
        .first()
    )
    if found is None or found.membership.user.has_usable_password():
        return None
    return found

import hashlib
import hmac
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from accounts.enums import Role
from accounts.models import ApiKey, Membership, Organisation, User


def membership(user: User, organisation: UUID) -> Membership | None:
    """Return the user's active membership in the organisation with this public id, if any.

    Its `is_one_of_several` tells whether the user has others.
    """
    others = Membership.objects.filter(user=user, deactivated_at=None).exclude(pk=OuterRef("pk"))
    return (
        Membership.objects.select_related("organisation")
        .annotate(is_one_of_several=Exists(others))
        .filter(user=user, organisation__public_id=organisation, deactivated_at=None)
        .first()
    )


def memberships_of(user: User) -> QuerySet[Membership]:
    """Return the user's active memberships, with their organisations, by name."""
    return (
        Membership.objects.select_related("organisation")
        .filter(user=user, deactivated_at=None)
        .order_by("organisation__name", "pk")
    )


def root_of(organisation: Organisation) -> User | None:
    """Return the root account of an organisation, or None while nobody is registered. Rule: S1-12."""
    root = Membership.objects.select_related("user").filter(
        organisation=organisation, role=Role.ROOT
    )
    return next((found.user for found in root), None)


def api_key(presented: str) -> ApiKey | None:
    """Return the live key that `presented` (prefix.secret) is; compared in constant time."""
    prefix, _, secret = presented.partition(".")
    key = (
        ApiKey.objects.select_related("organisation").filter(prefix=prefix, revoked_at=None).first()
        if 0 < len(prefix) <= 12
        else None
    )
    digest = hashlib.sha256(secret.encode()).digest()
    if key is None or not hmac.compare_digest(bytes(key.secret_digest), digest):
        return None
    return key

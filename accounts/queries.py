import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from accounts.enums import Role
from accounts.models import ApiKey, Membership, Organisation, User
from core import statements

_OF_MEMBERSHIP = [field.attname for field in Membership._meta.concrete_fields]  # noqa: SLF001 - Django documents it
_OF_ORGANISATION = [field.attname for field in Organisation._meta.concrete_fields]  # noqa: SLF001 - Django documents it
_MEMBERSHIP = f"""
    SELECT {", ".join(f"m.{column}" for column in _OF_MEMBERSHIP)},
        {", ".join(f"o.{column}" for column in _OF_ORGANISATION)},
        EXISTS (SELECT 1 FROM accounts_membership other
            WHERE other.user_id = m.user_id AND other.deactivated_at IS NULL AND other.id <> m.id)
    FROM accounts_membership m JOIN accounts_organisation o ON o.id = m.organisation_id
    WHERE m.user_id = %s AND o.public_id = %s AND m.deactivated_at IS NULL
"""  # noqa: S608 - the names are the models' own columns


_OF_KEY = [field.attname for field in ApiKey._meta.concrete_fields]  # noqa: SLF001 - Django documents it
_LIVE_KEY = f"""
    SELECT {", ".join(_OF_KEY)} FROM accounts_apikey WHERE prefix = %s AND revoked_at IS NULL
"""  # noqa: S608 - the names are the model's own columns


@dataclass(frozen=True, slots=True)
class Addressee:
    """Whom a letter about an organisation goes to, and in which language."""

    organisation_id: int
    organisation: UUID
    name: str
    language: str
    email: str


def membership(user: User, organisation: UUID) -> Membership | None:
    """Return the user's active membership in the organisation with this public id, if any.

    Its `is_one_of_several` tells whether the user has others.
    """
    # Every page of an organisation asks this first: by hand it costs a tenth of the ORM's time.
    with statements.prepared() as cursor:
        cursor.execute(_MEMBERSHIP, [user.pk, organisation])
        row = cursor.fetchone()
    if row is None:
        return None
    found = Membership.from_db(connection.alias, _OF_MEMBERSHIP, row[: len(_OF_MEMBERSHIP)])
    found.organisation = Organisation.from_db(
        connection.alias, _OF_ORGANISATION, row[len(_OF_MEMBERSHIP) : -1]
    )
    found.__dict__["is_one_of_several"] = row[-1]
    return found


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


def accounts_in_use(organisation_id: int) -> int:
    """Return how many accounts use an organisation's licence: its active memberships, the root's too."""
    return Membership.objects.filter(organisation=organisation_id, deactivated_at=None).count()


def active_memberships(organisation: Organisation) -> QuerySet[Membership]:
    """Return an organisation's accounts in use, with their users, the newest first."""
    return (
        Membership.objects.select_related("user")
        .filter(organisation=organisation, deactivated_at=None)
        .order_by("-registered_at", "-pk")
    )


def addressees(organisation_ids: Iterable[int]) -> dict[int, Addressee]:
    """Return whom to write to, by organisation: the root, if one can sign in; in one statement."""
    rows = Membership.objects.filter(
        organisation__in=set(organisation_ids),
        role=Role.ROOT,
        deactivated_at=None,
        user__is_active=True,
    ).values_list(
        "organisation_id",
        "organisation__public_id",
        "organisation__name",
        "organisation__language",
        "user__email",
    )
    return {row[0]: Addressee(*row) for row in rows}


def api_key(presented: str) -> ApiKey | None:
    """Return the live key that `presented` (prefix.secret) is; compared in constant time."""
    prefix, _, secret = presented.partition(".")
    key = _live_key(prefix) if 0 < len(prefix) <= 12 else None
    digest = hashlib.sha256(secret.encode()).digest()
    if key is None or not hmac.compare_digest(bytes(key.secret_digest), digest):
        return None
    return key


def _live_key(prefix: str) -> ApiKey | None:
    # Every request of the API asks this first: by hand it costs a tenth of the ORM's time.
    with statements.prepared() as cursor:
        cursor.execute(_LIVE_KEY, [prefix])
        row = cursor.fetchone()
    return None if row is None else ApiKey.from_db(connection.alias, _OF_KEY, row)

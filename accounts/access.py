"""Who may open what. The table itself is `billing_portal/access.py`: one row a page (ASVS 8.1.1)."""

import enum
from dataclasses import dataclass

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from accounts.enums import Role
from accounts.models import Membership, Organisation, User


class Audience(enum.Enum):
    """Whom a page is for when no role in an organisation decides."""

    ANYONE = "anyone"
    SIGNED_IN = "signed in"
    STAFF = "staff"
    API_KEY = "api key"


@dataclass(frozen=True, slots=True)
class Access:
    """One row of the matrix: an audience, or the roles whose active members may open a page."""

    audience: Audience | None = None
    roles: frozenset[Role] = frozenset()


ANYONE = Access(Audience.ANYONE)
SIGNED_IN = Access(Audience.SIGNED_IN)
STAFF = Access(Audience.STAFF)
API_KEY = Access(Audience.API_KEY)
MEMBER = Access(roles=frozenset({Role.ROOT, Role.MANAGER, Role.MEMBER}))
MANAGER = Access(roles=frozenset({Role.ROOT, Role.MANAGER}))
ROOT = Access(roles=frozenset({Role.ROOT}))


class SignedInRequest(HttpRequest):
    """A request that the access middleware let through to a page for who is signed in."""

    user: User


class PortalRequest(SignedInRequest):
    """A request that the access middleware let through to a page of an organisation."""

    organisation: Organisation
    membership: Membership
    htmx: HtmxDetails

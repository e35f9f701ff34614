"""Whether a person may still enter, by date: also while an end that has come waits to be carried out.

Rule: S2-20, F53, F60.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from accounts.enums import Role
from accounts.models import Membership, User
from core.months import start_of_day
from plans import queries as plans
from seats.queries import capacity, due
from seats.rules import leaving
from seats.rules.leaving import Account


@dataclass(frozen=True, slots=True)
class Standing:
    """How a person stands in an organisation. `may_sign_in`: at the instant that was asked for."""

    membership: Membership
    may_sign_in: bool


@dataclass(frozen=True, slots=True)
class Place:
    """A place that a person had: whose it was, until which day, and whom to ask for it."""

    organisation: str
    left_on: date | None
    root: str
    root_email: str


def standing(reference: str, email: str, now: datetime) -> Standing | None:
    """Return how the account of an address stands in an organisation; None where there is none.

    Changes nothing: an end that has come and waits is reckoned with as the settlement will. Rule: S2-20.
    """
    membership = (
        Membership.objects.select_related("user", "organisation")
        .filter(organisation__reference=reference, user__email=email.lower())
        .first()
    )
    if membership is None:
        return None
    return Standing(membership, membership.user.is_active and stays(membership, now))


def stays(membership: Membership, now: datetime) -> bool:
    """Return whether an account is active once every end that has come is carried out."""
    if membership.deactivated_at is not None:
        return False
    if membership.role == Role.ROOT:
        return True
    zone = plans.vendor_zone()
    borders = due.borders([membership.organisation_id], now.astimezone(zone).date())
    if not borders:
        return True
    known = capacity.capacity(membership.organisation)
    limits = [
        allowed
        for border in borders[membership.organisation_id]
        if (allowed := known.at(start_of_day(border.on, zone))) is not None
    ]
    gone = leaving.leavers(_active(membership.organisation_id), min(limits, default=None))
    return membership.pk not in {each.id for each in gone}


def may_enter(user: User) -> bool:
    """Return whether a user has an active account anywhere, or is staff."""
    return user.is_staff or user.memberships.filter(deactivated_at=None).exists()


def places_left(user: User) -> Sequence[Place]:
    """Return the places that a user had and has no more, with whom to ask."""
    zone = plans.zone_for_pages()
    left = list(
        Membership.objects.select_related("organisation")
        .filter(user=user, deactivated_at__isnull=False)
        .order_by("-deactivated_at")
    )
    roots = {
        each.organisation_id: each.user
        for each in Membership.objects.select_related("user").filter(
            organisation__in=[each.organisation_id for each in left], role=Role.ROOT
        )
    }
    return [
        Place(
            each.organisation.name,
            each.deactivated_at.astimezone(zone).date() if each.deactivated_at else None,
            roots[each.organisation_id].name,
            roots[each.organisation_id].email,
        )
        for each in left
    ]


def _active(organisation_id: int) -> list[Account]:
    rows = Membership.objects.filter(organisation=organisation_id, deactivated_at=None).values_list(
        "pk", "role", "registered_at", "is_protected", "leave_order"
    )
    return [
        Account(pk, role == Role.ROOT, registered_at, is_protected, leave_order)
        for pk, role, registered_at, is_protected, leave_order in rows
    ]

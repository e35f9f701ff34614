"""Whether a person may still enter, by date: also while an end that has come waits to be carried out.

Rule: S2-20, F53, F60.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from accounts.enums import Role
from accounts.models import Membership, Organisation, User
from plans import queries as plans
from seats.enums import Cause
from seats.models import Deactivation
from seats.queries import capacity, due
from seats.queries.endings import Ending, endings_of
from seats.rules import leaving
from seats.rules.leaving import Account
from spot_orders.models import SpotOrder


@dataclass(frozen=True, slots=True)
class Standing:
    """How a person stands in an organisation at the instant that was asked for.

    `left`: how the account came to be deactivated, if it is.
    """

    membership: Membership
    may_sign_in: bool
    left: "Left | None" = None


@dataclass(frozen=True, slots=True)
class Left:
    """Since when an account is deactivated, by which end; `cause` None: by hand.

    `order`: the number of the spot order whose end it was.
    """

    at: datetime
    cause: Cause | None = None
    order: str = ""


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
    left = _left(membership) or _leaves(membership, now)
    return Standing(membership, membership.user.is_active and left is None, left)


def stays(membership: Membership, now: datetime) -> bool:
    """Return whether an account is active once every end that has come is carried out."""
    return membership.deactivated_at is None and _leaves(membership, now) is None


def in_use(organisation: Organisation, now: datetime) -> int:
    """Return how many accounts are active once every end that has come is carried out."""
    active = _active(organisation.pk)
    least = min((each.capacity for each in _endings(organisation, now)), default=None)
    return len(active) - len(leaving.leavers(active, least))


def _left(membership: Membership) -> Left | None:
    """Return how an account that is deactivated came to be."""
    if membership.deactivated_at is None:
        return None
    if membership.deactivation_id is None:
        return Left(membership.deactivated_at)
    found = Deactivation.objects.select_related("spot_order").get(pk=membership.deactivation_id)
    order = found.spot_order if found.cause == Cause.SPOT_END else None
    return Left(membership.deactivated_at, Cause(found.cause), order.number if order else "")


def _leaves(membership: Membership, now: datetime) -> Left | None:
    """Return how an active account leaves by an end that has come and waits to be carried out."""
    if membership.role == Role.ROOT:
        return None
    waiting = _endings(membership.organisation, now)
    if not waiting:
        return None
    ordered = [each.id for each in leaving.staying_order(_active(membership.organisation_id))]
    ending = next(
        (each for each in waiting if membership.pk in ordered[each.capacity :]),
        None,
    )
    if ending is None:
        return None
    order = ""
    if ending.cause is Cause.SPOT_END and ending.spot_id is not None:
        order = SpotOrder.objects.get(pk=ending.spot_id).number
    return Left(max(ending.due_at, membership.registered_at), ending.cause, order)


def _endings(organisation: Organisation, now: datetime) -> list[Ending]:
    zone = plans.vendor_zone()
    found = due.borders([organisation.pk], now.astimezone(zone).date())
    if not found:
        return []
    known = capacity.capacity(organisation)
    return list(endings_of(organisation.pk, found[organisation.pk], known, zone))


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

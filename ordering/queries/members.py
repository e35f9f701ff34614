"""Whether a single account may use the product now, as the vendor's product asks. Rule: S2-20, F60."""

from datetime import datetime

from accounts.models import Organisation
from billing.queries import forecast
from core.canonical import Json
from ordering.queries import entitlements
from ordering.queries.entitlements import Entitlements
from plans import queries as plans
from seats.models import GroupMember
from seats.queries import access, capacity
from seats.queries.access import Left


class NoOrganisation(Exception):
    """There is none of this reference, or the key is not for it."""


class NoAccount(Exception):
    """The organisation has no account of this address."""


def account(
    reference: str, email: str, *, organisation_id: int | None, now: datetime
) -> Entitlements:
    """Return how an account stands at `now`, as of one instant of the database; nothing is written.

    By date: an end that has come counts, carried out or not. `organisation_id`: the one that is spoken
    for. Raises NoOrganisation, NoAccount, NoVendor. Rule: S2-20, F53, F60.
    """
    if "\0" in reference + email:  # which no database can be asked
        raise NoOrganisation
    with forecast.snapshot():
        found = Organisation.objects.filter(reference=reference)
        if organisation_id is not None:
            found = found.filter(pk=organisation_id)
        organisation = found.first()
        if organisation is None:
            raise NoOrganisation
        return entitlements.answer(_told(organisation, email, now))


def _told(organisation: Organisation, email: str, now: datetime) -> dict[str, Json]:
    zone = plans.vendor_zone()
    standing = access.standing(organisation.reference, email, now)
    if standing is None:
        raise NoAccount
    membership = standing.membership
    known = capacity.capacity(organisation)
    is_customer = now.astimezone(zone).date() >= organisation.customer_since
    has_licence = is_customer and not known.is_closed(now) and known.has_licence(now)
    groups = GroupMember.objects.filter(membership=membership).order_by("group__name")
    return {
        "organisation": organisation.reference,
        "account": membership.user.email,
        "as_of": now.astimezone(zone).date().isoformat(),
        "may_use": standing.may_sign_in and has_licence,
        "role": membership.role,
        "groups": list(groups.values_list("group__name", flat=True)),
        "registered_at": membership.registered_at.isoformat(),
        "deactivated": _left(standing.left),
        "accounts": {
            "allowed": known.at(now) if has_licence else 0,
            "in_use": access.in_use(organisation, now),
        },
    }


def _left(left: Left | None) -> Json:
    if left is None:
        return None
    return {
        "at": left.at.isoformat(),
        "why": left.cause.value if left.cause else "by_hand",
        "order": left.order or None,
    }

"""The root chooses who stays when a contract ends: whom to protect, whom to let go first.

A choice moves an account in the one order in which accounts stay (seats.rules.leaving), and nothing
else. It is kept until the root changes it. Rule: design.md 6.5.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts import services as accounts
from accounts.enums import Role
from accounts.models import Membership
from core import audit
from core.canonical import Json
from seats.queries import leaving
from seats.services import settling


class NotThere(Exception):
    """The organisation has no such active account (any more)."""


class RootStays(Exception):
    """The root account never leaves: there is nothing to choose."""


class ShownDifferently(Exception):
    """The choice has changed since the form was shown; nothing was changed by it."""


@transaction.atomic
def protect(*, organisation_id: int, account: UUID, actor: str, now: datetime) -> bool:
    """Have an account stay as long as there is room; return whether that is new.

    Raises NotThere, RootStays.
    """
    found = _locked(organisation_id, account, now)
    if found.is_protected:
        return False
    _number(_without(leaving.let_go_first(organisation_id), found))
    Membership.objects.filter(pk=found.pk).update(is_protected=True, leave_order=None)
    _record("membership.protected", found, actor, now)
    return True


@transaction.atomic
def let_go_first(*, organisation_id: int, account: UUID, actor: str, now: datetime) -> bool:
    """Have an account leave before all others; return whether that is new. Raises NotThere, RootStays."""
    found = _locked(organisation_id, account, now)
    going = leaving.let_go_first(organisation_id)
    if going and going[0].pk == found.pk and not found.is_protected:
        return False
    Membership.objects.filter(pk=found.pk).update(is_protected=False)
    _number([found, *_without(going, found)])
    _record("membership.let_go_first", found, actor, now)
    return True


@transaction.atomic
def move(
    *, organisation_id: int, account: UUID, by: int, seen: str, actor: str, now: datetime
) -> bool:
    """Have an account that is let go first leave one place earlier (`by` -1) or later (1).

    Return whether there was such a place. `seen`: `leaving.version` of what the form showed. Raises
    NotThere, RootStays, ShownDifferently.
    """
    found = _locked(organisation_id, account, now)
    if leaving.version(organisation_id) != seen:
        raise ShownDifferently
    going = leaving.let_go_first(organisation_id)
    place = next((at for at, each in enumerate(going) if each.pk == found.pk), None)
    if place is None or not 0 <= place + by < len(going):
        return False
    going[place], going[place + by] = going[place + by], going[place]
    _number(going)
    _record("membership.leave_order", found, actor, now, {"place": place + by + 1})
    return True


@transaction.atomic
def follow_rule(*, organisation_id: int, account: UUID, actor: str, now: datetime) -> bool:
    """Take back what was chosen for an account; return whether anything was. Raises NotThere, RootStays."""
    found = _locked(organisation_id, account, now)
    if not found.is_protected and found.leave_order is None:
        return False
    Membership.objects.filter(pk=found.pk).update(is_protected=False, leave_order=None)
    _number(_without(leaving.let_go_first(organisation_id), found))
    _record("membership.by_rule", found, actor, now)
    return True


@transaction.atomic
def reset(*, organisation_id: int, seen: str, actor: str, now: datetime) -> int:
    """Take back all that was chosen; return for how many active accounts.

    `seen`: as in `move`. Raises ShownDifferently.
    """
    settling.settle_if_due(accounts.lock(organisation_id), now)
    if leaving.version(organisation_id) != seen:
        raise ShownDifferently
    rows = Membership.objects.filter(organisation=organisation_id)
    chosen = rows.filter(is_protected=True) | rows.filter(leave_order__isnull=False)
    counted = chosen.filter(deactivated_at=None).count()
    # Also of who is deactivated: coming back, they would bring along a choice that nobody sees.
    if chosen.update(is_protected=False, leave_order=None):
        audit.record(
            actor=actor,
            action="organisation.leaving_by_rule",
            subject=f"organisation:{organisation_id}",
            organisation_id=organisation_id,
            at=now,
            details={"accounts": counted},
        )
    return counted


def _locked(organisation_id: int, account: UUID, now: datetime) -> Membership:
    # Ends that have come are carried out by the choice that held until now.
    settling.settle_if_due(accounts.lock(organisation_id), now)
    found = Membership.objects.filter(
        organisation=organisation_id, public_id=account, deactivated_at=None
    ).first()
    if found is None:
        raise NotThere
    if found.role == Role.ROOT:
        raise RootStays
    return found


def _without(rows: Iterable[Membership], left_out: Membership) -> list[Membership]:
    return [each for each in rows if each.pk != left_out.pk]


def _number(going: Sequence[Membership]) -> None:
    """Number those who are let go first anew: 1 leaves first."""
    changed = []
    for place, each in enumerate(going, start=1):
        if each.leave_order != place:
            each.leave_order = place
            changed.append(each)
    Membership.objects.bulk_update(changed, ["leave_order"], batch_size=1_000)


def _record(
    action: str,
    found: Membership,
    actor: str,
    now: datetime,
    details: dict[str, Json] | None = None,
) -> None:
    audit.record(
        actor=actor,
        action=action,
        subject=f"membership:{found.pk}",
        organisation_id=found.organisation_id,
        at=now,
        details=details,
    )

"""What a root does with accounts: each act within the capacity, under the organisation's lock.

Each begins by carrying out the ends of contracts that have come (`settling`), so that nobody is
registered, brought back or taken away before it is settled who has left. Rule: S2-11, S2-19, F52, F53.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeVar

from django.db import transaction
from django.db.models import QuerySet

from accounts import services as accounts
from accounts.enums import Changed, Role
from accounts.models import Membership, Organisation, User
from accounts.queries import accounts_in_use
from core import audit
from core.audit import Act
from core.canonical import Json
from core.months import start_of_day
from plans import queries as plans
from seats.queries import capacity, due
from seats.services import settling

T = TypeVar("T")


class Full(Exception):
    """There is no place for that many accounts. `in_use` of `allowed` are taken. Rule: S2-19."""

    def __init__(self, in_use: int, allowed: int) -> None:
        super().__init__(f"{in_use} of {allowed}")
        self.in_use = in_use
        self.allowed = allowed


class RegisteredBefore(Exception):
    """The person has an account already; `membership` is it, active or not."""

    def __init__(self, membership: Membership) -> None:
        super().__init__(membership.pk)
        self.membership = membership


class OfTheRoot(Exception):
    """The root account stays as it is: active, and the only one of its kind. Rule: S1-12, F59."""


def register(
    *,
    organisation_id: int,
    email: str,
    name: str,
    actor: str,
    now: datetime,
    role: Role = Role.MEMBER,
) -> Membership:
    """Register a person with an organisation, as manager or member, while there is a place.

    The person sets a password by "Forgot your password?", unless there is one already. Raises Full,
    RegisteredBefore, OfTheRoot (there is one root, and it is there), and has then registered nobody.
    Rule: S2-19, F52, F53.
    """

    def act(organisation: Organisation) -> Membership:
        if role == Role.ROOT:
            raise OfTheRoot
        before = organisation.memberships.filter(user__email=email.lower()).first()
        if before is not None:
            raise RegisteredBefore(before)
        _check_places(organisation, 1, now)
        _lock_people(User.objects.filter(email=email.lower()))
        # Who was deleted everywhere before may sign in again; staff are shut out, and let in, by staff.
        User.objects.filter(email=email.lower(), is_active=False, is_staff=False).update(
            is_active=True
        )
        membership = accounts.register(
            organisation_id=organisation.pk,
            email=email,
            name=name,
            role=role,
            actor=actor,
            now=now,
        )
        _tell(organisation, now)
        return membership

    return _settled_first(organisation_id, act, now)


def deactivate(
    *, organisation_id: int, membership_ids: Iterable[int], actor: str, now: datetime
) -> int:
    """Deactivate accounts by hand; return how many were active. Their sessions end at once.

    Raises OfTheRoot where the root is among them, and has then changed nothing. Rule: F59, F60.
    """

    def act(organisation: Organisation) -> int:
        active = [each for each in _those(organisation, membership_ids) if not each.deactivated_at]
        Membership.objects.filter(pk__in=[each.pk for each in active]).update(deactivated_at=now)
        _record(active, "membership.deactivated", actor, now)
        _gone(organisation, active, now)
        return len(active)

    return _settled_first(organisation_id, act, now)


def reactivate(
    *, organisation_id: int, membership_ids: Iterable[int], actor: str, now: datetime
) -> int:
    """Make accounts active again, all of them or none; return how many were not.

    Raises Full, and has then changed nothing. When they were registered stays as it is. Rule: S2-11.
    """

    def act(organisation: Organisation) -> int:
        waiting = [
            each
            for each in _those(organisation, membership_ids, with_root=True)
            if each.deactivated_at
        ]
        if not waiting:
            return 0
        _check_places(organisation, len(waiting), now)
        Membership.objects.filter(pk__in=[each.pk for each in waiting]).update(
            deactivated_at=None, deactivation_id=None
        )
        _record(waiting, "membership.reactivated", actor, now, of=_was)
        _tell(organisation, now)
        return len(waiting)

    return _settled_first(organisation_id, act, now)


def delete(
    *, organisation_id: int, membership_ids: Iterable[int], actor: str, now: datetime
) -> int:
    """Delete accounts: a person's place in this organisation, active or not; return how many.

    The user's row stays, for the records that name it; who has no place left anywhere, and is not
    staff, can sign in no more. Raises OfTheRoot where the root is among them, and has then changed
    nothing. Rule: F59, F60.
    """

    def act(organisation: Organisation) -> int:
        gone = _those(organisation, membership_ids)
        _record(gone, "membership.deleted", actor, now, of=_was)
        Membership.objects.filter(pk__in=[each.pk for each in gone]).delete()
        people = User.objects.filter(pk__in=[each.user_id for each in gone])
        _lock_people(people)
        people.filter(memberships=None, is_staff=False).update(is_active=False)
        _gone(organisation, gone, now)
        return len(gone)

    return _settled_first(organisation_id, act, now)


def set_role(
    *, organisation_id: int, membership_id: int, role: Role, actor: str, now: datetime
) -> bool:
    """Make an account a manager's or a member's; return whether that is new.

    Raises OfTheRoot where it is the root's, or would be, and has then changed nothing. Rule: S1-12, F59.
    """

    def act(organisation: Organisation) -> bool:
        if role == Role.ROOT:
            raise OfTheRoot
        changed = [each for each in _those(organisation, [membership_id]) if each.role != role]
        Membership.objects.filter(pk__in=[each.pk for each in changed]).update(role=role)
        for each in changed:
            before = each.role
            _record([each], "membership.role", actor, now, {"before": before, "after": str(role)})
        if changed:
            _tell(organisation, now)
        return bool(changed)

    return _settled_first(organisation_id, act, now)


def places_left(organisation: Organisation, now: datetime) -> int | None:
    """Return how many more accounts may be registered; None: any number.

    Borders that have come count, carried out or not. The caller holds the organisation's lock where
    it acts on the answer. Rule: S2-19, F53.
    """
    allowed = _allowed(organisation, now)
    return None if allowed is None else max(0, allowed - accounts_in_use(organisation.pk))


def _settled_first(organisation_id: int, act: Callable[[Organisation], T], now: datetime) -> T:
    """Do something with an organisation that is locked and settled; a refusal leaves it settled."""
    refusal: Exception
    with transaction.atomic():
        organisation = accounts.lock(organisation_id)
        settling.settle(organisation_id=organisation_id, now=now)
        try:
            with transaction.atomic():
                return act(organisation)
        except (Full, RegisteredBefore, OfTheRoot) as fault:
            refusal = fault
    raise refusal


def _check_places(organisation: Organisation, wanted: int, now: datetime) -> None:
    """Raises Full."""
    allowed = _allowed(organisation, now)
    in_use = accounts_in_use(organisation.pk)
    if allowed is not None and in_use + wanted > allowed:
        raise Full(in_use, allowed)


def _allowed(organisation: Organisation, now: datetime) -> int | None:
    """Return how many accounts there may be now.

    Who read the clock just before a contract ended, and was given the lock after its end had been
    carried out, is bound by the end. Rule: F53.
    """
    zone = plans.vendor_zone()
    known = capacity.capacity(organisation)
    instants = [now] + [
        start_of_day(day, zone)
        for day in due.carried_out_after(organisation.pk, now.astimezone(zone).date())
    ]
    limits = [each for each in map(known.at, instants) if each is not None]
    return min(limits, default=None)


def _those(
    organisation: Organisation, membership_ids: Iterable[int], *, with_root: bool = False
) -> list[Membership]:
    """Return the organisation's own of these accounts, locked. Raises OfTheRoot."""
    found = list(
        Membership.objects.select_for_update(no_key=True)
        .filter(organisation=organisation, pk__in=list(membership_ids))
        .order_by("pk")
    )
    if not with_root and any(each.role == Role.ROOT for each in found):
        raise OfTheRoot
    return found


def _lock_people(people: QuerySet[User]) -> None:
    """Have whoever registers or deletes the same people for another organisation wait.

    Otherwise neither would see what the other one does, and who is new there could not sign in.
    """
    list(people.select_for_update(no_key=True).order_by("pk").values_list("pk"))


def _gone(organisation: Organisation, gone: Iterable[Membership], now: datetime) -> None:
    user_ids = [each.user_id for each in gone]
    if user_ids:
        accounts.end_sessions(user_ids)
        _tell(organisation, now)


def _tell(organisation: Organisation, now: datetime) -> None:
    accounts.tell_entitlements_changed([organisation], reason=Changed.ACCOUNTS, now=now)


def _record(
    changed: Iterable[Membership],
    action: str,
    actor: str,
    now: datetime,
    details: dict[str, Json] | None = None,
    of: Callable[[Membership], dict[str, Json]] | None = None,
) -> None:
    audit.record_all(
        [
            Act(
                each.organisation_id,
                action,
                f"membership:{each.pk}",
                {
                    "user": each.user_id,
                    **_left_by(each),
                    **(of(each) if of else {}),
                    **(details or {}),
                },
            )
            for each in changed
        ],
        actor=actor,
        at=now,
    )


def _left_by(membership: Membership) -> dict[str, Json]:
    if membership.deactivation_id is None:
        return {}
    return {"deactivation": membership.deactivation_id}


def _was(membership: Membership) -> dict[str, Json]:
    """Return since when the account was, and was not, in use: its row tells it no more (seat timeline)."""
    ended = membership.deactivated_at
    return {
        "registered_at": membership.registered_at.isoformat(),
        "deactivated_at": ended.isoformat() if ended else None,
    }

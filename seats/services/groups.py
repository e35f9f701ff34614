"""Groups that a root makes. "Auto Deactivation" is none of them and cannot be one. Rule: S2-11."""

from collections.abc import Iterable
from datetime import datetime
from functools import cache

from django.db import transaction
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Lower
from django.db.models.lookups import Exact
from django.utils import translation
from django.utils.translation import gettext

from accounts import services as accounts
from accounts.enums import Language
from accounts.models import Membership
from core import audit
from core.canonical import Json
from seats.models import Group, GroupMember
from seats.rules.writing import plain

LONGEST_NAME = 80
MOST = 200


class NameTaken(Exception):
    """The organisation has a group of this name already."""


class NameReserved(Exception):
    """This is the name of the group that the portal keeps by itself, in one of its languages."""


class NoName(Exception):
    """A group has a name of at most 80 characters."""


class TooMany(Exception):
    """The organisation has as many groups as there may be."""


class NoSuchGroup(Exception):
    """The organisation has no such group (any more)."""


@transaction.atomic
def create(*, organisation_id: int, name: str, actor: str, now: datetime) -> Group:
    """Make a group. Raises NoName, NameReserved, NameTaken, TooMany."""
    accounts.lock(organisation_id)
    if Group.objects.filter(organisation=organisation_id).count() >= MOST:
        raise TooMany
    return _make(organisation_id, name, actor, now)


@transaction.atomic
def rename(*, organisation_id: int, group_id: int, name: str, actor: str, now: datetime) -> bool:
    """Give a group another name; return whether that is new. Raises as `create`, and NoSuchGroup."""
    accounts.lock(organisation_id)
    group = _group(organisation_id, group_id)
    if group.name == name.strip():
        return False
    others = Group.objects.filter(organisation=organisation_id).exclude(pk=group.pk)
    group.name = _fit(others, name)
    group.save(update_fields=["name"])
    _record("group.renamed", group, actor, now)
    return True


@transaction.atomic
def delete(*, organisation_id: int, group_id: int, actor: str, now: datetime) -> None:
    """Delete a group; its accounts stay as they are. Raises NoSuchGroup."""
    accounts.lock(organisation_id)
    group = _group(organisation_id, group_id)
    _record("group.deleted", group, actor, now)
    group.delete()


@transaction.atomic
def put_in(
    *,
    organisation_id: int,
    group_id: int,
    membership_ids: Iterable[int],
    actor: str,
    now: datetime,
) -> int:
    """Put accounts of the organisation into a group; return how many were not in it. Raises NoSuchGroup."""
    accounts.lock(organisation_id)
    group = _group(organisation_id, group_id)
    chosen = Membership.objects.filter(organisation=organisation_id, pk__in=list(membership_ids))
    there = GroupMember.objects.filter(group=group).values("membership")
    new = sorted(chosen.exclude(pk__in=there).values_list("pk", flat=True))
    GroupMember.objects.bulk_create(
        GroupMember(organisation_id=organisation_id, group=group, membership_id=pk) for pk in new
    )
    if new:
        _record("group.joined", group, actor, now, new)
    return len(new)


@transaction.atomic
def take_out(
    *,
    organisation_id: int,
    group_id: int,
    membership_ids: Iterable[int],
    actor: str,
    now: datetime,
) -> int:
    """Take accounts out of a group; return how many were in it. Raises NoSuchGroup."""
    accounts.lock(organisation_id)
    group = _group(organisation_id, group_id)
    rows = GroupMember.objects.filter(group=group, membership__in=list(membership_ids))
    gone = sorted(rows.values_list("membership_id", flat=True))
    rows.delete()
    if gone:
        _record("group.left", group, actor, now, gone)
    return len(gone)


def named(
    *, organisation_id: int, names: Iterable[str], actor: str, now: datetime
) -> dict[str, int]:
    """Return the groups of these names by name in lower case, made where there is none.

    The caller holds the organisation's lock, and has asked `room_for` before. Raises NoName,
    NameReserved.
    """
    known = {
        name.lower(): pk
        for pk, name in Group.objects.filter(organisation=organisation_id).values_list("pk", "name")
    }
    groups = Group.objects.filter(organisation=organisation_id)
    for name in names:
        if name.lower() not in known:
            # The database takes more letters for the same one than Python does: ſ and s, ß and ẞ.
            same = groups.filter(_called(name)).first()
            known[name.lower()] = (same or _make(organisation_id, name, actor, now)).pk
    return known


def room_for(organisation_id: int, names: Iterable[str]) -> None:
    """Raises TooMany where these names, with the groups that there are, would be too many groups."""
    known = Group.objects.filter(organisation=organisation_id).values_list("name", flat=True)
    if len({name.lower() for name in (*known, *names)}) > MOST:
        raise TooMany


def is_reserved(name: str) -> bool:
    """Return whether this is what "Auto Deactivation" is called in any language of the portal."""
    return name.strip().casefold() in _reserved()


@cache
def _reserved() -> frozenset[str]:
    said = set()
    for language in Language:
        with translation.override(language.value):
            said.add(gettext("Auto Deactivation").casefold())
    return frozenset(said)


def _make(organisation_id: int, name: str, actor: str, now: datetime) -> Group:
    fit = _fit(Group.objects.filter(organisation=organisation_id), name)
    group = Group.objects.create(organisation_id=organisation_id, name=fit, created_at=now)
    _record("group.created", group, actor, now)
    return group


def _fit(known: QuerySet[Group], name: str) -> str:
    fit = plain(name)
    if not 0 < len(fit) <= LONGEST_NAME:
        raise NoName
    if is_reserved(fit):
        raise NameReserved
    if known.filter(_called(fit)).exists():
        raise NameTaken
    return fit


def _called(name: str) -> Q:
    """Return what finds a group of this name, however it is written: by small and by capital letters."""
    return Q(name__iexact=name) | Q(Exact(Lower("name"), Lower(Value(name))))


def _group(organisation_id: int, group_id: int) -> Group:
    group = Group.objects.filter(organisation=organisation_id, pk=group_id).first()
    if group is None:
        raise NoSuchGroup
    return group


def _record(
    action: str, group: Group, actor: str, now: datetime, membership_ids: Iterable[int] = ()
) -> None:
    ids: list[Json] = list(membership_ids)
    audit.record(
        actor=actor,
        action=action,
        subject=f"group:{group.pk}",
        organisation_id=group.organisation_id,
        at=now,
        details={"name": group.name, **({"memberships": ids} if ids else {})},
    )

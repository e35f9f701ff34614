"""The accounts of an organisation, as its root looks at them. Rule: design.md 7."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import (
    Case,
    DateTimeField,
    F,
    Prefetch,
    Q,
    QuerySet,
    TextField,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Lower, NullIf

from accounts.enums import Role
from accounts.models import Membership, Organisation
from seats.enums import Sort, Status
from seats.models import Deactivation, GroupMember

PAGE = 50

# When the person last signed in since this account was registered: what they did before, they did
# with another organisation, of which this one learns nothing.
_SEEN = Case(
    When(user__last_login__gte=F("registered_at"), then=F("user__last_login")),
    output_field=DateTimeField(),
)
# What the root called the person; who came by another way is called as they call themselves.
_SHOWN = Coalesce("invitation__name", "user__name", output_field=TextField())

_ORDER = {
    Sort.NEWEST: (F("registered_at").desc(), F("pk").desc()),
    Sort.OLDEST: (F("registered_at").asc(), F("pk").asc()),
    Sort.NAME: (
        Lower(Coalesce(NullIf("shown_name", Value("")), "user__email")).asc(),
        F("user__email").asc(),
    ),
    Sort.SIGN_IN: (F("seen_at").desc(nulls_last=True), F("pk").desc()),
    Sort.LONG_AGO: (F("seen_at").asc(nulls_first=True), F("pk").asc()),
}


@dataclass(frozen=True, slots=True)
class Search:
    """What accounts are looked up by; everything may be left out.

    `group_id` of a group that the root made; `is_automatic`: those of "Auto Deactivation".
    """

    text: str = ""
    status: Status | None = None
    role: Role | None = None
    group_id: int | None = None
    is_automatic: bool = False
    sort: Sort = Sort.NEWEST


def accounts_of(organisation: Organisation) -> QuerySet[Membership]:
    """Return an organisation's accounts with user and invitation, and as the root knows them.

    `shown_name`: what the root called the person; `seen_at`: their last sign-in since registration.
    """
    return (
        Membership.objects.filter(organisation=organisation)
        .select_related("user", "invitation")
        .annotate(seen_at=_SEEN, shown_name=_SHOWN)
    )


def found(organisation: Organisation, search: Search) -> QuerySet[Membership]:
    """Return the accounts that meet all conditions, in the order asked for."""
    rows = accounts_of(organisation)
    if search.text:
        rows = rows.filter(
            Q(user__email__icontains=search.text) | Q(shown_name__icontains=search.text)
        )
    if search.status:
        rows = rows.filter(_standing(search.status))
    if search.role:
        rows = rows.filter(role=search.role)
    if search.group_id is not None:
        rows = rows.filter(groups__group=search.group_id)
    if search.is_automatic:
        rows = rows.filter(deactivation_id__isnull=False)
    return rows.order_by(*_ORDER[search.sort])


def with_groups(rows: QuerySet[Membership]) -> QuerySet[Membership]:
    """Return accounts with `in_groups`, the rows of their groups by name, in one statement more."""
    members = GroupMember.objects.select_related("group").order_by("group__name")
    return rows.prefetch_related(Prefetch("groups", members, to_attr="in_groups"))


def account(organisation: Organisation, public_id: UUID) -> Membership | None:
    """Return an account of the organisation, with its groups; None where it has no such one."""
    return with_groups(accounts_of(organisation)).filter(public_id=public_id).first()


def several(organisation: Organisation, public_ids: Iterable[UUID]) -> list[Membership]:
    """Return the accounts of the organisation among these, by name; what is another's is not there."""
    rows = accounts_of(organisation).filter(public_id__in=set(public_ids))
    return list(rows.order_by(*_ORDER[Sort.NAME]))


def causes(organisation: Organisation, accounts: Iterable[Membership]) -> dict[int, Deactivation]:
    """Return which end of a contract deactivated the accounts, by its id, in one statement."""
    ids = {each.deactivation_id for each in accounts if each.deactivation_id is not None}
    rows = Deactivation.objects.filter(organisation=organisation, pk__in=ids)
    return {each.pk: each for each in rows.select_related("spot_order", "main_contract")}


def status_of(account: Membership, seen_at: datetime | None) -> Status:
    """Return how an account stands. `seen_at`: its last sign-in since it was registered."""
    if account.deactivated_at is not None:
        return Status.DEACTIVATED
    return Status.ACTIVE if seen_at else Status.INVITED


def in_auto_deactivation(organisation: Organisation) -> int:
    """Return how many accounts are in "Auto Deactivation". Rule: S2-11."""
    return Membership.objects.filter(
        organisation=organisation, deactivation_id__isnull=False
    ).count()


def registered_among(organisation: Organisation, emails: Sequence[str]) -> set[str]:
    """Return which addresses, in lower case, have an account with the organisation already."""
    rows = Membership.objects.filter(organisation=organisation, user__email__in=emails)
    return set(rows.values_list("user__email", flat=True))


def _standing(status: Status) -> Q:
    if status is Status.DEACTIVATED:
        return Q(deactivated_at__isnull=False)
    seen = Q(user__last_login__gte=F("registered_at"))
    return Q(deactivated_at=None) & (
        seen if status is Status.ACTIVE else ~seen | Q(user__last_login=None)
    )

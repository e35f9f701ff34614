"""Accounts as the list and their own pages write them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from accounts.enums import Role
from accounts.models import Membership, Organisation
from seats.enums import Status
from seats.models import Deactivation
from seats.queries import accounts as queries
from seats.views import words


@dataclass(frozen=True, slots=True)
class Row:
    """An account in words. `why` says since when and by what it is deactivated; else empty.

    `detail` stands beside the status: why, or that the person has yet to sign in.
    """

    account: Membership
    email: str
    name: str
    role: str
    is_root: bool
    status: str
    kind: str
    why: str
    detail: str
    groups: str
    registered: str
    last_sign_in: str


def rows(organisation: Organisation, accounts: Sequence[Membership], zone: ZoneInfo) -> list[Row]:
    """Return accounts of `queries.accounts_of`, with their groups, in words; one statement more."""
    causes = queries.causes(organisation, accounts)
    return [row(each, causes.get(each.deactivation_id or 0), zone) for each in accounts]


def row(account: Membership, cause: Deactivation | None, zone: ZoneInfo) -> Row:
    """Return an account in words. `cause`: the end of a contract that deactivated it, if one did."""
    seen_at = seen(account)
    standing = queries.status_of(account, seen_at)
    status, kind = words.badge(standing)
    reason = why(account, cause, zone)
    return Row(
        account=account,
        email=account.user.email,
        name=name_of(account),
        role=str(Role(account.role).label),
        is_root=account.role == Role.ROOT,
        status=status,
        kind=kind,
        why=reason,
        detail=_("not signed in yet") if standing is Status.INVITED else reason,
        groups=groups(account, is_automatic=account.deactivation_id is not None),
        registered=words.on(account.registered_at, zone),
        last_sign_in=words.on(seen_at, zone),
    )


def why(account: Membership, cause: Deactivation | None, zone: ZoneInfo) -> str:
    """Say since when an account is deactivated, and by whom or what. Rule: S2-11."""
    if account.deactivated_at is None:
        return ""
    facts = {"day": words.on(account.deactivated_at, zone)}
    if cause is None:
        return _("since %(day)s, by hand") % facts
    return _("since %(day)s: %(cause)s") % {**facts, "cause": words.cause(cause, zone)}


def groups(account: Membership, *, is_automatic: bool) -> str:
    """Return the names of an account's groups, "Auto Deactivation" first."""
    named = in_groups(account)
    return _(", ").join([_("Auto Deactivation"), *named] if is_automatic else named)


def in_groups(account: Membership) -> list[str]:
    """Return the names of the groups that `queries.with_groups` has found, without the computed one."""
    return [each.group.name for each in vars(account)["in_groups"]]


def called(accounts: Iterable[Membership]) -> list[str]:
    """Return what accounts are called in a list of names: name and address."""
    return [
        f"{name_of(each)} <{each.user.email}>" if name_of(each) else each.user.email
        for each in accounts
    ]


def name_of(account: Membership) -> str:
    """Return what the root knows a person as; `queries.accounts_of` has found it out."""
    name: str = vars(account)["shown_name"]
    return name


def seen(account: Membership) -> datetime | None:
    """Return a person's last sign-in since they were registered here."""
    at: datetime | None = vars(account)["seen_at"]
    return at

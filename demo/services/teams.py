"""Accounts beside the people of the story: as many as the plan allows, in groups, as a root makes them."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from accounts.models import Organisation, User
from demo.rules.customers import Customer
from demo.rules.teams import Colleague
from seats.services import accounts, groups

ACTOR = "system:demo"


def join(
    customer: Customer, those: Iterable[tuple[Colleague, datetime]], *, password: str, now: datetime
) -> int:
    """Register colleagues, each at an instant, while there are places; return how many came.

    `password`: a hash, one for all of a customer.
    """
    organisation = Organisation.objects.get(reference=customer.reference)
    came = 0
    for colleague, at in those:
        try:
            account = accounts.register(
                organisation_id=organisation.pk,
                email=f"{colleague.local}@{customer.domain}",
                name=colleague.name,
                actor=ACTOR,
                now=at,
            )
        except accounts.Full:
            return came
        came += 1
        seen_at = min(at + timedelta(days=1, hours=2), now) if colleague.came else None
        User.objects.filter(pk=account.user_id).update(password=password, last_login=seen_at)
        _put_in(organisation, colleague.group, account.pk, at)
        gone_at = at + timedelta(days=20)
        if colleague.is_gone and gone_at <= now:
            accounts.deactivate(
                organisation_id=organisation.pk,
                membership_ids=[account.pk],
                actor=ACTOR,
                now=gone_at,
            )
    return came


def _put_in(organisation: Organisation, group: str, membership_id: int, at: datetime) -> None:
    known = groups.named(organisation_id=organisation.pk, names=[group], actor=ACTOR, now=at)
    groups.put_in(
        organisation_id=organisation.pk,
        group_id=known[group.lower()],
        membership_ids=[membership_id],
        actor=ACTOR,
        now=at,
    )

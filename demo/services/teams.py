"""Accounts beside the people of the story: as many as the plan allows, in groups, as a root makes them."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import F

from accounts.models import Organisation, User
from core.months import start_of_day
from demo.rules.customers import Customer
from demo.rules.teams import Colleague
from plans import queries as plans
from seats.queries import due
from seats.services import accounts, groups, settling

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
        settle(at, organisation.pk)
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
        gone_at = at + timedelta(days=20)
        is_gone = colleague.is_gone and gone_at <= now
        seen_at = _seen_at(at, gone_at if is_gone else now, colleague.quiet)
        User.objects.filter(pk=account.user_id).update(
            password=password, last_login=seen_at if colleague.came else None
        )
        _put_in(organisation, colleague.group, account.pk, at)
        if is_gone:
            accounts.deactivate(
                organisation_id=organisation.pk,
                membership_ids=[account.pk],
                actor=ACTOR,
                now=gone_at,
            )
    return came


def settle(until: datetime, organisation_id: int | None = None) -> None:
    """Carry out the ends of contracts that have come, of one organisation or all, each on its day."""
    zone = plans.vendor_zone()
    today = until.astimezone(zone).date()
    ids = due.organisations(today) if organisation_id is None else [organisation_id]
    for pk, borders in due.borders(ids, today).items():
        for border in borders:
            at = start_of_day(border.on, zone) + timedelta(minutes=2)
            settling.settle(organisation_id=pk, now=min(at, until))


def forget_late_sign_ins(organisation: Organisation) -> None:
    """Have nobody signed in after the end of a contract that took the account away."""
    gone = organisation.memberships.filter(deactivated_at__lt=F("user__last_login"))
    for account in gone.select_related("user"):
        if account.deactivated_at:
            account.user.last_login = account.deactivated_at - timedelta(hours=7)
            account.user.save(update_fields=["last_login"])


def _seen_at(at: datetime, until: datetime, quiet: int) -> datetime:
    """Return when somebody last signed in: some days before `until`, not sooner than a day after coming."""
    first = min(at + timedelta(days=1, hours=2), until)
    return max(first, until - timedelta(days=quiet, minutes=at.minute))


def _put_in(organisation: Organisation, group: str, membership_id: int, at: datetime) -> None:
    known = groups.named(organisation_id=organisation.pk, names=[group], actor=ACTOR, now=at)
    groups.put_in(
        organisation_id=organisation.pk,
        group_id=known[group.lower()],
        membership_ids=[membership_id],
        actor=ACTOR,
        now=at,
    )

"""Accounts come by invitation: a place at once, a mail, a link to set a password. Rule: design.md 7.

A person who has a password already, from another organisation, is told by mail and signs in as before.
The root learns nothing of the difference: neither who is known here, nor by which name. Rule: F69.
"""

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext

from accounts import services as organisations
from accounts.enums import Language, Role
from accounts.models import Membership, User
from core import audit, letters
from core.letters import Letter, Sender
from plans import queries as plans
from seats.models import Invitation, InvitationMail
from seats.queries import invitations as queries
from seats.services import accounts, groups

LASTS = timedelta(days=14)
# Whoever asks for another mail waits so long: nobody's letter box is filled from here.
AGAIN_AFTER = timedelta(minutes=5)

_LINK_PAGE = "invitation"
_SIGN_IN_PAGE = "account_login"


class NotWaiting(Exception):
    """The person has signed in since, or the account is not active: there is nothing to invite to."""


class JustSent(Exception):
    """The last invitation was sent minutes ago."""


class LinkIsDead(Exception):
    """The link was used or replaced, is too old, or its account is not active any more."""


@transaction.atomic
def invite(
    *,
    organisation_id: int,
    email: str,
    name: str,
    role: Role,
    group_ids: Iterable[int],
    actor: str,
    now: datetime,
) -> Membership:
    """Register a person, put them into groups, and write to them; the place counts at once.

    Raises what `seats.services.accounts.register` raises, NoSuchGroup, and JustSent where the same
    address was written to minutes ago: whoever deletes and registers by turns fills no letter box.
    """
    membership = accounts.register(
        organisation_id=organisation_id, email=email, name=name, role=role, actor=actor, now=now
    )
    if _was_written_to(membership, now):
        raise JustSent
    for group_id in group_ids:
        groups.put_in(
            organisation_id=organisation_id,
            group_id=group_id,
            membership_ids=[membership.pk],
            actor=actor,
            now=now,
        )
    _send(membership, name, now)
    return membership


@transaction.atomic
def send_again(*, organisation_id: int, membership_id: int, actor: str, now: datetime) -> None:
    """Write to an invited person again; the link before works no more. Raises NotWaiting, JustSent."""
    organisations.lock(organisation_id)
    membership = (
        Membership.objects.select_related("user", "organisation")
        .filter(organisation=organisation_id, pk=membership_id, deactivated_at=None)
        .first()
    )
    if membership is None or _has_come(membership):
        raise NotWaiting
    if _was_written_to(membership, now):
        raise JustSent
    before = Invitation.objects.filter(membership=membership).first()
    _send(membership, before.name if before else membership.user.name, now)
    audit.record(
        actor=actor,
        action="membership.invited_again",
        subject=f"membership:{membership.pk}",
        organisation_id=organisation_id,
        at=now,
    )


@transaction.atomic
def accept(*, token: str, password: str, now: datetime) -> User:
    """Set the password that an invited person chose; the link works no more. Raises LinkIsDead."""
    seen = queries.open_with(token, now)
    if seen is None:
        raise LinkIsDead
    # A person invited by two organisations holds two links: the user's row lets one of them win, and
    # the organisation's lock keeps a deactivation from passing between.
    organisations.lock(seen.membership.organisation_id)
    user = User.objects.select_for_update(no_key=True).get(pk=seen.membership.user_id)
    invitation = queries.open_with(token, now)
    if invitation is None:
        raise LinkIsDead
    user.set_password(password)
    user.save(update_fields=["password"])
    Invitation.objects.filter(pk=invitation.pk).update(used_at=now)
    audit.record(
        actor=str(user),
        action="membership.accepted",
        subject=f"membership:{invitation.membership_id}",
        organisation_id=invitation.membership.organisation_id,
        at=now,
    )
    return user


def forget(now: datetime) -> None:
    """Delete the notes of whom was written to that no longer keep anybody from being written to."""
    InvitationMail.objects.filter(sent_at__lte=now - AGAIN_AFTER).delete()


def _was_written_to(membership: Membership, now: datetime) -> bool:
    return InvitationMail.objects.filter(
        organisation=membership.organisation_id,
        user=membership.user_id,
        sent_at__gt=now - AGAIN_AFTER,
    ).exists()


def _has_come(membership: Membership) -> bool:
    last = membership.user.last_login
    return last is not None and last >= membership.registered_at


def _send(membership: Membership, name: str, now: datetime) -> None:
    user: AbstractBaseUser = membership.user
    is_known = user.has_usable_password()
    token = secrets.token_urlsafe(32)
    until = now + LASTS
    Invitation.objects.update_or_create(
        membership=membership,
        defaults={
            "name": name,
            "token_digest": None if is_known else queries.digest(token),
            "sent_at": now,
            "expires_at": until,
            "used_at": None,
        },
    )
    InvitationMail.objects.update_or_create(
        organisation_id=membership.organisation_id,
        user_id=membership.user_id,
        defaults={"sent_at": now},
    )
    path = reverse(_SIGN_IN_PAGE) if is_known else reverse(_LINK_PAGE, kwargs={"token": token})
    letters.post([_letter(membership, path, until, is_known=is_known)], now)


def _letter(membership: Membership, path: str, until: datetime, *, is_known: bool) -> Letter:
    organisation = membership.organisation
    vendor = plans.vendor_for_pages()
    is_ja = organisation.language == Language.JA
    with translation.override(organisation.language):
        why = gettext("You receive this mail because %(name)s registered your address.") % {
            "name": organisation.name
        }
    return Letter(
        template="seats/mail/added.txt" if is_known else "seats/mail/invited.txt",
        to=(membership.user.email,),
        language=organisation.language,
        sender=Sender(
            name=vendor.name_ja if is_ja else vendor.name_en,
            support_url=vendor.support_url,
            address=vendor.support_email,
        ),
        values={
            "organisation": organisation.name,
            "vendor": vendor.name_ja if is_ja else vendor.name_en,
            "role": membership.get_role_display,
            "email": membership.user.email,
            "until": until,
            "zone": vendor.time_zone,
            "url": f"{settings.PORTAL_ORIGIN}{path}",
        },
        why=why,
    )

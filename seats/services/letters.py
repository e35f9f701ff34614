"""What root and people are told by mail when the end of a contract has deactivated accounts.

Written by the due work, apart from the settlement, and only into the outbox. The letter to the people of
an organisation says the same to each of them and is written once. Rule: S2-11, design.md 1, R2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext

from accounts import queries as accounts
from accounts.enums import Language
from accounts.models import Membership, User
from accounts.queries import Addressee
from core import letters, mail
from core.letters import Letter, Sender
from core.mail import Message
from core.months import last_day
from core.work import Piece
from plans import queries as plans
from plans.models import VendorVersion
from seats import jobs
from seats.enums import Cause
from seats.models import Deactivation

# Deactivations told of in one transaction, and people named in a letter to a root.
_PAGE = 20
_NAMED = 50
_LIST, _MORE, _LICENCES = "accounts", "order_spot", "order_licences"


@transaction.atomic
def plan(now: datetime) -> None:
    """Ask for the letters about every deactivation of which nobody was told yet. Rule: R1."""
    waiting = list(
        Deactivation.objects.filter(told_at=None).order_by("pk").values_list("pk", flat=True)
    )
    pages = [waiting[start : start + _PAGE] for start in range(0, len(waiting), _PAGE)]
    if pages:
        jobs.TELL.enqueue_all(
            [
                Piece(f"{page[0]}-{page[-1]}", {"first_id": page[0], "last_id": page[-1]})
                for page in pages
            ],
            due_at=now,
        )


@transaction.atomic
def tell(*, first_id: int, last_id: int, now: datetime) -> int:
    """Tell root and people of the deactivations of a range that nobody was told of; return how many mails.

    A second run tells nobody. A closed organisation's root reads of it in what cancellation writes.
    """
    rows = list(
        Deactivation.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
        .select_related("organisation")
        .filter(pk__range=(first_id, last_id), told_at=None)
        .order_by("pk")
    )
    Deactivation.objects.filter(pk__in=[row.pk for row in rows]).update(told_at=now)
    readers = accounts.addressees(row.organisation_id for row in rows)
    vendor = plans.vendor_for_pages()
    written: list[Message] = []
    for row in rows:
        people = _people(row)
        root = readers.get(row.organisation_id)
        if root is not None and row.cause != Cause.CLOSED:
            written.append(letters.written(_to_root(row, people, root, vendor)))
        written += _to_people(row, people, root, vendor)
    mail.post(written, now)
    return len(written)


def _people(row: Deactivation) -> list[User]:
    """Return whom a deactivation took and who has not come back, the newest first."""
    return [
        _as_known(each)
        for each in Membership.objects.select_related("user", "invitation")
        .filter(organisation=row.organisation_id, deactivation_id=row.pk)
        .order_by("-registered_at", "-pk")
    ]


def _as_known(account: Membership) -> User:
    """Return the person, called what the organisation calls them. Rule: F69."""
    invitation = getattr(account, "invitation", None)
    if invitation is not None:
        account.user.name = invitation.name
    return account.user


def _to_root(
    row: Deactivation, people: Sequence[User], root: Addressee, vendor: VendorVersion
) -> Letter:
    with translation.override(root.language):
        why = gettext("You receive this mail because you are the root account of %(name)s.") % {
            "name": root.name
        }
    return _letter(
        "accounts_left",
        row,
        (root.email,),
        vendor,
        {
            "count": row.count,
            "allowed": row.capacity,
            "flagged": row.flagged,
            "is_spot": row.cause == Cause.SPOT_END,
            "names": [each.name or each.email for each in people[:_NAMED]],
            "more": max(0, len(people) - _NAMED),
            "list_url": f"{_page(_LIST, row)}?group=auto",
            "spot_url": _page(_MORE, row),
            "licences_url": _page(_LICENCES, row),
        },
        why=why,
    )


def _to_people(
    row: Deactivation, people: Sequence[User], root: Addressee | None, vendor: VendorVersion
) -> list[Message]:
    if not people:
        return []
    language = row.organisation.language
    asked = User.objects.filter(email=root.email).first() if root else None
    with translation.override(language):
        why = gettext("You receive this mail because you had an account of %(name)s.") % {
            "name": row.organisation.name
        }
    letter = _letter(
        "account_deactivated",
        row,
        (),
        vendor,
        {
            "root": (asked.name or asked.email) if asked else "",
            "root_email": asked.email if asked else "",
        },
        why=why,
    )
    message = letters.written(letter)
    return [replace(message, to=(each.email,)) for each in people if each.is_active]


def _letter(
    template: str,
    row: Deactivation,
    to: tuple[str, ...],
    vendor: VendorVersion,
    values: Mapping[str, object],
    *,
    why: str,
) -> Letter:
    language = row.organisation.language
    on = row.due_at.astimezone(plans.zone_for_pages()).date()
    return Letter(
        template=f"seats/mail/{template}.txt",
        to=to,
        language=language,
        sender=Sender(
            name=vendor.name_ja if language == Language.JA else vendor.name_en,
            support_url=vendor.support_url,
            address=vendor.support_email,
        ),
        values={
            "organisation": row.organisation.name,
            "on": on,
            "last_on": last_day(on),
            **values,
        },
        addressee=row.organisation.name,
        why=why,
    )


def _page(name: str, row: Deactivation) -> str:
    path = reverse(name, kwargs={"organisation": row.organisation.public_id})
    return f"{settings.PORTAL_ORIGIN}{path}"

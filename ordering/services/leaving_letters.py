"""Roots are warned 30, 7 and 1 days before accounts leave: who, and what keeps them, with its price.

Asked for once a day and found by state: a day that was missed, or a border that came into being late, is
made good by the next run. Who has no root that can sign in is told nothing. Rule: design.md 6.5, R1, R2.
"""

from datetime import datetime
from urllib.parse import urlencode

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext

from accounts import queries as accounts
from accounts.enums import Language
from accounts.queries import Addressee
from core import letters, work
from core.letters import Letter, Sender
from core.months import last_day
from ordering import jobs
from ordering.queries import positions
from ordering.queries.leaving import Ways, ways
from plans import queries as plans
from seats.queries import leaving
from seats.queries.leaving import Part, Placed
from seats.rules.departures import Why, reasons
from seats.services import warnings
from seats.services.warnings import Warned

_A_PAGE = 200
_NAMES = 5


@transaction.atomic
def plan(now: datetime) -> None:
    """Ask for the day's warnings, once a day. Rule: R1."""
    today = now.astimezone(plans.vendor_zone()).date()
    key = today.isoformat()
    if not work.was_asked(jobs.WARN_OF_LEAVING, key):
        jobs.WARN_OF_LEAVING.enqueue(key=key, due_at=now, payload={"after_id": 0})


@transaction.atomic
def warn(*, after_id: int, now: datetime) -> int:
    """Warn the roots of a page of organisations, and ask for the next page; return how many letters."""
    today = now.astimezone(plans.vendor_zone()).date()
    page = leaving.organisations_to_warn(today, after_id=after_id, most=_A_PAGE)
    given = warnings.give(organisation_ids=page, now=now)
    readers = accounts.addressees({each.organisation.pk for each in given})
    posted = [
        _letter(each, readers[each.organisation.pk], now)
        for each in given
        if each.organisation.pk in readers
    ]
    letters.post(posted, now)
    if len(page) == _A_PAGE:
        jobs.WARN_OF_LEAVING.enqueue(
            key=f"{today.isoformat()}:{page[-1]}", due_at=now, payload={"after_id": page[-1]}
        )
    return len(posted)


def _letter(warned: Warned, reader: Addressee, now: datetime) -> Letter:
    vendor = plans.vendor_for_pages()
    with translation.override(reader.language):
        why = gettext("You receive this mail because you are the root account of %(name)s.") % {
            "name": reader.name
        }
    return Letter(
        template="ordering/mail/accounts_leave.txt",
        to=(reader.email,),
        language=reader.language,
        sender=Sender(
            name=vendor.name_ja if reader.language == Language.JA else vendor.name_en,
            support_url=vendor.support_url,
            address=vendor.support_email,
        ),
        values=_values(warned, now),
        addressee=reader.name,
        why=why,
    )


def _values(warned: Warned, now: datetime) -> dict[str, object]:
    organisation, departure = warned.organisation, warned.departure
    position = positions.position(organisation, now=now)
    found = ways(position, warned.outlook.capacity, departure)
    why = reasons(warned.outlook.capacity, departure.at)
    listed = leaving.leaving_at(organisation, departure, most=_NAMES)
    return {
        "on": warned.on,
        "last_on": last_day(warned.on),
        "stage": warned.stage,
        "count": departure.count,
        "allowed": departure.allowed,
        "in_use": departure.in_use,
        "is_closing": Why.CLOSED in why,
        "is_spot": Why.SPOT in why,
        "names": [_called(each) for each in listed],
        "more": departure.count - len(listed),
        "currency": organisation.currency,
        "list_url": _page("accounts_leaving", warned, {"part": Part.LEAVING.value}),
        **_kept(found, warned),
    }


def _called(placed: Placed) -> str:
    email = placed.account.user.email
    return f"{placed.name} ({email})" if placed.name else email


def _kept(found: Ways, warned: Warned) -> dict[str, object]:
    """Return what keeps them, as links with their prices."""
    values: dict[str, object] = {}
    if found.extension is not None:
        wish = found.extension.wish
        values |= {
            "extend_url": _page(
                "order_spot",
                warned,
                {
                    "accounts": wish.accounts,
                    "first_on": wish.first_on.isoformat(),
                    "months": wish.months,
                },
            ),
            "extend_gross": found.extension.gross,
            "extend_accounts": wish.accounts,
            "extend_last_on": last_day(wish.end_on),
        }
    if found.licences is not None:
        values |= {
            "licences_url": _page("order_licences", warned, {"steps": found.licences.steps}),
            "licences_gross": found.licences.gross,
            "licences_steps": found.licences.steps,
        }
    if found.is_end:
        values["renew_url"] = _page("order_renew", warned, {})
    return values


def _page(name: str, warned: Warned, query: dict[str, str | int]) -> str:
    path = reverse(name, kwargs={"organisation": warned.organisation.public_id})
    return f"{settings.PORTAL_ORIGIN}{path}{'?' if query else ''}{urlencode(query)}"

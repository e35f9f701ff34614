"""What root and staff are told by mail of main contracts that renew by themselves.

Each function is called in the transaction of what it tells of, and only writes the outbox. Who has no
root that can sign in is told nothing. Rule: S2-13, R2.
"""

from collections.abc import Mapping
from datetime import datetime

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext

from accounts import queries as accounts
from accounts.enums import Language
from accounts.models import Organisation
from accounts.queries import Addressee
from core import letters
from core.letters import Letter, Sender
from core.months import last_day
from plans import queries
from plans.enums import NotRenewed
from plans.models import VendorVersion
from plans.rules import PlanTerms, renewals
from plans.rules.timeline import Term

_PLAN_PAGE = "plan"


def contract_renews(
    organisation_id: int, term: Term, terms: PlanTerms, steps: int, now: datetime
) -> None:
    """Tell the root that a term is going to be renewed, when, and how to prevent it."""
    _tell_root(
        organisation_id,
        "contract_renews",
        {
            "term": term,
            "last_on": last_day(term.end_on),
            "ordered_on": renewals.ordered_on(term),
            "switch_off_by": last_day(renewals.ordered_on(term)),
            **_price(terms, steps),
        },
        now,
    )


def contract_renewed(
    organisation_id: int, term: Term, terms: PlanTerms, steps: int, now: datetime
) -> None:
    """Tell the root of the term that was ordered by itself."""
    _tell_root(
        organisation_id,
        "contract_renewed",
        {"term": term, "last_on": last_day(term.end_on), **_price(terms, steps)},
        now,
    )


def contract_not_renewed(organisation_id: int, term: Term, why: NotRenewed, now: datetime) -> None:
    """Tell the root and staff that a term is not renewed, why, and what follows it."""
    values = {
        "term": term,
        "last_on": last_day(term.end_on),
        "why": NotRenewed(why).label,
        "has_ended": why == NotRenewed.ENDED,
    }
    _tell_root(organisation_id, "contract_not_renewed", values, now)
    _tell_staff(organisation_id, "contract_not_renewed_to_staff", values, now)


def _price(terms: PlanTerms, steps: int) -> dict[str, object]:
    return {"terms": terms, "steps": steps, "net": terms.net * steps}


def _tell_root(
    organisation_id: int, template: str, values: Mapping[str, object], now: datetime
) -> None:
    reader = accounts.addressees([organisation_id]).get(organisation_id)
    if reader is not None:
        letters.post([to_root(reader, template, values)], now)


def to_root(reader: Addressee, template: str, values: Mapping[str, object]) -> Letter:
    """Return a letter about plans to a root, in their language, with the way to the plan page."""
    vendor = queries.vendor_for_pages()
    with translation.override(reader.language):
        why = gettext("You receive this mail because you are the root account of %(name)s.") % {
            "name": reader.name
        }
    path = reverse(_PLAN_PAGE, kwargs={"organisation": reader.organisation})
    return Letter(
        template=f"plans/mail/{template}.txt",
        to=(reader.email,),
        language=reader.language,
        sender=_sender(vendor, reader.language, vendor.support_email),
        values={
            "plan_url": f"{settings.PORTAL_ORIGIN}{path}",
            "plan_name": _named(values.get("terms"), reader.language),
            **values,
        },
        addressee=reader.name,
        why=why,
    )


def _tell_staff(
    organisation_id: int, template: str, values: Mapping[str, object], now: datetime
) -> None:
    vendor = queries.vendor_for_pages()
    language = Language.JA if vendor.country == "JP" else Language.EN
    with translation.override(language):
        why = gettext("You receive this mail because you look after the portal's customers.")
    letter = Letter(
        template=f"plans/mail/{template}.txt",
        to=(settings.STAFF_MAIL,),
        language=language,
        sender=_sender(vendor, language, ""),
        values={
            "organisation": Organisation.objects.get(pk=organisation_id),
            "office_url": f"{settings.PORTAL_ORIGIN}{reverse('admin:index')}",
            **values,
        },
        why=why,
    )
    letters.post([letter], now)


def _named(terms: object, language: str) -> str:
    if not isinstance(terms, PlanTerms):
        return ""
    return terms.name_ja if language == Language.JA else terms.name_en


def _sender(vendor: VendorVersion, language: str, address: str) -> Sender:
    return Sender(
        name=vendor.name_ja if language == Language.JA else vendor.name_en,
        support_url=vendor.support_url,
        address=address,
    )

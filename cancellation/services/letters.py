"""What root and staff are told by mail of the end of a contract.

Each function is called in the transaction of what it tells of, and only writes the outbox. Rule: S1-29, R2.
"""

from collections.abc import Mapping
from datetime import date, datetime

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext

from accounts import queries as accounts
from accounts.enums import Language
from accounts.models import Organisation
from cancellation.models import Cancellation
from core import letters
from core.letters import Letter, Sender
from core.months import last_day
from payments.queries import payables
from plans import queries as plans
from plans.models import VendorVersion

_CONTRACT_PAGE = "contract"
_RECEIPT_PAGE = "cancellation_receipt"


def confirmed(cancellation: Cancellation, now: datetime) -> None:
    """Tell the root what was confirmed, with all that follows, and staff that a customer leaves."""
    receipt = reverse(
        _RECEIPT_PAGE,
        kwargs={
            "organisation": cancellation.organisation.public_id,
            "cancellation": cancellation.public_id,
        },
    )
    _tell_root(
        cancellation,
        "cancellation_confirmed",
        {"receipt_url": f"{settings.PORTAL_ORIGIN}{receipt}"},
        now,
    )
    _tell_staff(
        cancellation,
        "cancellation_confirmed_to_staff",
        {
            "reason": cancellation.get_reason_display() if cancellation.reason else "",
            "reason_text": cancellation.reason_text,
        },
        now,
    )


def withdrawn(cancellation: Cancellation, now: datetime) -> None:
    """Tell root and staff that the contract goes on."""
    _tell_root(cancellation, "cancellation_withdrawn", {}, now)
    _tell_staff(cancellation, "cancellation_withdrawn_to_staff", {}, now)


def last_day_moved(cancellation: Cancellation, before_on: date, now: datetime) -> None:
    """Tell the root of another last day."""
    _tell_root(cancellation, "cancellation_moved", {"before_on": last_day(before_on)}, now)


def closed(cancellation: Cancellation, now: datetime) -> None:
    """Tell the root that the contract has ended, and what is still theirs."""
    _tell_root(cancellation, "cancellation_closed", {}, now)


def settled(cancellation: Cancellation, now: datetime) -> None:
    """Tell the root that nothing more is collected by itself, and what stays due."""
    owed = payables.owed_by(cancellation.organisation)
    _tell_root(
        cancellation,
        "cancellation_settled",
        {"owed": [{"total": each.total, "currency": each.currency} for each in owed]},
        now,
    )


def _tell_root(
    cancellation: Cancellation, template: str, values: Mapping[str, object], now: datetime
) -> None:
    organisation = cancellation.organisation
    reader = accounts.addressees([organisation.pk]).get(organisation.pk)
    if reader is None:
        return
    vendor = plans.vendor_for_pages()
    with translation.override(reader.language):
        why = gettext("You receive this mail because you are the root account of %(name)s.") % {
            "name": reader.name
        }
    path = reverse(_CONTRACT_PAGE, kwargs={"organisation": reader.organisation})
    letter = Letter(
        template=f"cancellation/mail/{template}.txt",
        to=(reader.email,),
        language=reader.language,
        sender=_sender(vendor, reader.language, vendor.support_email),
        values={
            "contract_url": f"{settings.PORTAL_ORIGIN}{path}",
            **_values(cancellation, reader.language),
            **values,
        },
        addressee=reader.name,
        why=why,
    )
    letters.post([letter], now)


def _tell_staff(
    cancellation: Cancellation, template: str, values: Mapping[str, object], now: datetime
) -> None:
    vendor = plans.vendor_for_pages()
    language = Language.JA if vendor.country == "JP" else Language.EN
    with translation.override(language):
        why = gettext("You receive this mail because you look after the portal's customers.")
        values = {key: str(value) for key, value in values.items()}
    letter = Letter(
        template=f"cancellation/mail/{template}.txt",
        to=(settings.STAFF_MAIL,),
        language=language,
        sender=_sender(vendor, language, ""),
        values={
            "organisation": Organisation.objects.get(pk=cancellation.organisation_id),
            "office_url": f"{settings.PORTAL_ORIGIN}{reverse('admin:index')}",
            **_values(cancellation, language),
            **values,
        },
        why=why,
    )
    letters.post([letter], now)


def _values(cancellation: Cancellation, language: str) -> dict[str, object]:
    is_japanese = language == Language.JA
    return {
        "last_on": last_day(cancellation.end_on),
        "data_until": last_day(cancellation.data_until_on),
        "terms": cancellation.terms,
        "boxes": [box["ja" if is_japanese else "en"] for box in cancellation.terms.boxes],
        "spots": [
            {"number": number, "accounts": accounts}
            for number, accounts, _, _, is_paid in cancellation.review.shown["spots"]
            if is_paid
        ],
        "ordered_on": cancellation.ordered_at.astimezone(plans.zone_for_pages()).date(),
    }


def _sender(vendor: VendorVersion, language: str, address: str) -> Sender:
    return Sender(
        name=vendor.name_ja if language == Language.JA else vendor.name_en,
        support_url=vendor.support_url,
        address=address,
    )

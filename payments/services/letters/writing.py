"""How a letter is written: to a root or to staff, in their language, with addresses of our pages."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext

from accounts import queries as accounts
from accounts.enums import Language
from accounts.models import Organisation
from accounts.queries import Addressee
from billing.models import Invoice
from billing.rules import numbers
from core import letters
from core.letters import Letter, Sender
from payments.gateways import registry
from payments.gateways.base import Gateway
from payments.models import Payable, PaymentMethod
from plans import queries as plans
from plans.models import VendorVersion
from spot_orders.models import SpotOrder

INVOICE_PAGE = "invoice"
RECEIPT_PAGE = "receipt"
_PLAN_PAGE = "plan"
# Of a room above: only its name is known here.
_ORDER_PAGE = "order_spot_order"


class Way(NamedTuple):
    """How an organisation pays: the state of its method, the company, and what may be shown of it."""

    state: str = ""
    company: str = ""
    label: str = ""
    is_by_invoice: bool = False

    @property
    def shown(self) -> str:
        return f"{self.company} ({self.label})" if self.label else self.company


def staff_alert(
    subject: str | Promise,
    lines: Sequence[str | Promise],
    organisation_id: int | None,
    now: datetime,
) -> None:
    """Tell staff of what a person must look at. Words given lazily are said in the staff's language."""
    tell_staff("staff_alert", organisation_id, {"about": subject, "lines": lines}, now)


def tell_root(
    organisation_id: int, template: str, values: Mapping[str, object], now: datetime
) -> None:
    reader = accounts.addressees([organisation_id]).get(organisation_id)
    if reader is not None:
        letters.post([to_root(reader, template, values)], now)


def to_root(reader: Addressee, template: str, values: Mapping[str, object]) -> Letter:
    vendor = plans.vendor_for_pages()
    with translation.override(reader.language):
        why = gettext("You receive this mail because you are the root account of %(name)s.") % {
            "name": reader.name
        }
    return Letter(
        template=f"payments/mail/{template}.txt",
        to=(reader.email,),
        language=reader.language,
        sender=_sender(vendor, reader.language),
        values={"plan_url": page(_PLAN_PAGE, reader.organisation), **values},
        addressee=reader.name,
        why=why,
    )


def tell_staff(
    template: str,
    organisation_id: int | None,
    values: Mapping[str, object],
    now: datetime,
    *,
    to: str = "",
    reply_to: str = "",
) -> None:
    vendor = plans.vendor_for_pages()
    language = Language.JA if vendor.country == "JP" else Language.EN
    organisation = Organisation.objects.get(pk=organisation_id) if organisation_id else None
    with translation.override(language):
        why = gettext("You receive this mail because you look after the portal's customers.")
    letter = Letter(
        template=f"payments/mail/{template}.txt",
        to=(to or settings.STAFF_MAIL,),
        language=language,
        sender=_sender(vendor, language, address=""),
        values={
            "organisation": organisation,
            "office_url": f"{settings.PORTAL_ORIGIN}{reverse('admin:index')}",
            **values,
        },
        why=why,
        reply_to=reply_to,
    )
    letters.post([letter], now)


def way_of(method: PaymentMethod) -> Way:
    return Way(
        state=method.state,
        company=company(method.gateway),
        label=method.label,
        is_by_invoice=is_by_invoice(method.gateway),
    )


def company(slug: str) -> str:
    gateway = _gateway(slug)
    return gateway.name if gateway else slug


def is_by_invoice(slug: str) -> bool:
    """Return whether the provider bills the payer itself, in its own time."""
    gateway = _gateway(slug)
    return gateway is not None and gateway.collects_by_invoice


def _gateway(slug: str) -> Gateway | None:
    """Return a gateway; None where the settings do not name it any more."""
    try:
        return registry.gateway(slug)
    except registry.NoSuchGateway:
        return None


def number_of(note: Invoice) -> str:
    return numbers.written(note.vendor.invoice_prefix, note.number, note.kind)


def local_day(at: datetime) -> object:
    return at.astimezone(_zone()).date()


def _zone() -> ZoneInfo:
    return plans.zone_for_pages()


def invoice_url(payable: Payable, name: str = INVOICE_PAGE) -> str:
    """Return a page of the invoice that is owed; of the order, or of plan and method, where there is none."""
    if payable.invoice is not None:
        return page(name, payable.organisation.public_id, payable.invoice.public_id)
    if payable.spot_order is not None:
        return order_url(payable.spot_order)
    return page(_PLAN_PAGE, payable.organisation.public_id)


def order_url(order: SpotOrder) -> str:
    kwargs = {"organisation": order.organisation.public_id, "order": order.public_id}
    return f"{settings.PORTAL_ORIGIN}{reverse(_ORDER_PAGE, kwargs=kwargs)}"


def page(name: str, organisation: UUID, invoice: UUID | None = None) -> str:
    """Return the absolute address of a page, from the settings and from no request. Rule: F76."""
    kwargs = {"organisation": organisation} | ({"invoice": invoice} if invoice else {})
    return f"{settings.PORTAL_ORIGIN}{reverse(name, kwargs=kwargs)}"


def _sender(vendor: VendorVersion, language: str, *, address: str | None = None) -> Sender:
    return Sender(
        name=vendor.name_ja if language == Language.JA else vendor.name_en,
        support_url=vendor.support_url,
        address=vendor.support_email if address is None else address,
    )

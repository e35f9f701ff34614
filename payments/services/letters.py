"""What root, Support and staff are told by mail of what is owed, paid, refused and given back.

Each function is called in the transaction of what it tells of, and only writes the outbox: what is
rolled back was never told. Who has no root that can sign in is told nothing. Rule: B-14, S1-06, R2.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import translation
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import queries as accounts
from accounts.enums import Language
from accounts.models import Organisation
from accounts.queries import Addressee
from billing.models import Invoice
from billing.rules import numbers
from core import letters, money
from core.letters import Letter, Sender
from core.months import BillingMonth
from payments.enums import ChargeState, MethodState, PayableKind, Unserved
from payments.gateways import registry
from payments.gateways.base import Gateway
from payments.models import Charge, Payable, PaymentMethod, Refund, SupportRequest
from payments.rules import dunning
from plans import queries as plans
from plans.models import VendorVersion
from spot_orders.models import SpotOrder

# Who takes the portal into use, or upgrades it, is not told of invoices of the past.
TOLD_WITHIN = timedelta(days=14)

_INVOICE_PAGE = "invoice"
_RECEIPT_PAGE = "receipt"
_PLAN_PAGE = "plan"
# Of a room above: only its name is known here.
_ORDER_PAGE = "order_spot_order"


class _Way(NamedTuple):
    """How an organisation pays: the state of its method, the company, and what may be shown of it."""

    state: str = ""
    company: str = ""
    label: str = ""
    is_by_invoice: bool = False

    @property
    def shown(self) -> str:
        return f"{self.company} ({self.label})" if self.label else self.company


@transaction.atomic
def invoices_issued(payables: Iterable[Payable], now: datetime) -> int:
    """Tell each root once of its new invoices; return how many mails that makes.

    As many statements for hundreds as for one. What was told before is passed over; nothing owed,
    no invoice, or one issued long before it was taken up is marked as told, without a mail.
    """
    rows = list(
        Payable.objects.select_for_update(of=("self",), no_key=True)
        .filter(pk__in=[payable.pk for payable in payables], announced_at=None)
        .select_related("invoice")
        .order_by("pk")
    )
    if not rows:
        return 0
    Payable.objects.filter(pk__in=[row.pk for row in rows]).update(announced_at=now)
    told = [(row, row.invoice) for row in rows if row.invoice and _is_news(row, row.invoice)]
    readers = accounts.addressees(row.organisation_id for row, _invoice in told)
    ways = _ways(readers)
    written = [
        _to_root(
            readers[row.organisation_id],
            "invoice_issued",
            {
                "payable": row,
                "month": BillingMonth.of_day(invoice.month),
                "issued_on": invoice.issued_on,
                "way": ways.get(row.organisation_id, _Way()),
                "invoice_url": _page(
                    _INVOICE_PAGE, readers[row.organisation_id].organisation, invoice.public_id
                ),
            },
        )
        for row, invoice in told
        if row.organisation_id in readers
    ]
    letters.post(written, now)
    return len(written)


def payment_received(charge: Charge, now: datetime) -> None:
    """Tell the root that a payment is in, or that the provider has taken it over to bill it."""
    _tell_root(
        charge.organisation_id,
        "taken_over" if _is_by_invoice(charge.gateway) else "payment_received",
        {
            "charge": charge,
            "at": _on(charge.decided_at or now),
            "way": _way(charge.method) if charge.method else _Way(company=_company(charge.gateway)),
            "receipt_url": _invoice_url(charge.payable, _RECEIPT_PAGE),
            "invoice_url": _invoice_url(charge.payable),
            "is_order": charge.payable.invoice is None,
        },
        now,
    )


def spot_confirmed(payable: Payable, order: SpotOrder, now: datetime) -> None:
    """Tell the root that a spot order is paid and holds, with its invoice. Rule: S2-28, B-13."""
    invoice = payable.invoice
    _tell_root(
        payable.organisation_id,
        "spot_confirmed",
        {
            "order": order,
            "last_on": order.until_on - timedelta(days=1),
            "paid_on": _on(now),
            "invoice_number": _number(invoice) if invoice else "",
            "order_url": _order_url(order),
            "invoice_url": _invoice_url(payable),
        },
        now,
    )


def spot_not_taken(payable: Payable, charge: Charge, now: datetime) -> None:
    """Tell the root that a payment which was being confirmed came to nothing; the order is kept."""
    _tell_about_order(
        payable, "spot_not_taken", {"charge": charge, "company": _company(charge.gateway)}, now
    )


def spot_lapsed(payable: Payable, order: SpotOrder, now: datetime) -> None:
    """Tell the root that an order was not paid in time, and that nothing was charged. Rule: S2-28."""
    _tell_about_order(payable, "spot_lapsed", {"placed_on": _on(order.placed_at)}, now)


def spot_refunded(payable: Payable, order: SpotOrder, why: Unserved, now: datetime) -> None:
    """Tell root and staff of an order that was paid and cannot be served: its money goes back. Rule: R10."""
    charge = payable.charges.filter(state=ChargeState.SUCCEEDED).order_by("-id").first()
    gateway = charge.gateway if charge else ""
    _tell_about_order(
        payable,
        "spot_refunded",
        {
            "why": why.label,
            "company": _company(gateway),
            "is_by_invoice": _is_by_invoice(gateway),
        },
        now,
    )
    staff_alert(
        format_lazy(_("{number}: paid, and cannot be served"), number=order.number),
        [
            format_lazy(
                _("The money is given back by itself: {why}."),
                why=why.label,
            ),
            f"{money.written(payable.gross, payable.currency)} · {order.first_on} – {order.end_on}",
        ],
        organisation_id=payable.organisation_id,
        now=now,
    )


def charge_failed(
    payable: Payable, charge: Charge, next_try_at: datetime | None, now: datetime
) -> None:
    """Tell the root that a charge was declined, when it is tried again, and what to do. Rule: B-14."""
    _tell_root(
        payable.organisation_id,
        "charge_failed",
        {
            "payable": payable,
            "charge": charge,
            "company": _company(charge.gateway),
            "is_by_invoice": _is_by_invoice(charge.gateway),
            "next": _on(next_try_at) if next_try_at else None,
            "later": _later_tries(payable, next_try_at) if next_try_at else [],
            "invoice_url": _invoice_url(payable),
        },
        now,
    )


def payable_overdue(payable: Payable, now: datetime) -> None:
    """Tell the root what is refused until an overdue invoice is paid, and tell staff. Rule: B-14."""
    _tell_root(
        payable.organisation_id,
        "payable_overdue",
        {"payable": payable, "invoice_url": _invoice_url(payable)},
        now,
    )
    _tell_staff("overdue_to_staff", payable.organisation_id, {"payable": payable}, now)


def method_added(method: PaymentMethod, now: datetime) -> None:
    """Tell the root that a method can be used from now on. Rule: S1-03, F71."""
    _about_method("method_added", method, now)


def method_under_review(method: PaymentMethod, now: datetime) -> None:
    """Tell the root that the provider looks at what was sent in. Rule: S1-17."""
    _about_method("method_under_review", method, now)


def method_rejected(method: PaymentMethod, now: datetime) -> None:
    """Tell the root that the provider did not accept a method. Rule: S1-17."""
    _about_method("method_rejected", method, now)


def method_broken(method: PaymentMethod, now: datetime) -> None:
    """Tell the root that a method does not work any more, and what waits for a new one. Rule: F11."""
    _about_method("method_broken", method, now)


def method_detached(method: PaymentMethod, now: datetime) -> None:
    """Tell the root that Support has taken a method away. Rule: S1-06."""
    _about_method("method_detached", method, now)


def refund_made(refund: Refund, now: datetime) -> None:
    """Tell the root of money that is given back: how much, why, and when it arrives. Rule: B-11."""
    note = refund.credit_note
    _tell_root(
        refund.organisation_id,
        "refund_made",
        {
            "refund": refund,
            "at": _on(refund.decided_at or now),
            "company": _company(refund.charge.gateway),
            "is_by_invoice": _is_by_invoice(refund.charge.gateway),
            "number": refund.charge.number,
            "note_number": _number(note) if note else "",
            "note_url": _page(_INVOICE_PAGE, refund.organisation.public_id, note.public_id)
            if note
            else "",
            "invoice_url": _invoice_url(refund.charge.payable),
        },
        now,
    )


def support_requested(request: SupportRequest, now: datetime) -> None:
    """Pass on to Support what a root asks for; an answer goes to the root. Rule: S1-06."""
    _tell_staff(
        "support_requested",
        request.organisation_id,
        {
            "request": request,
            "asked_by": f"{request.user.name} <{request.user.email}>"
            if request.user.name
            else request.user.email,
            "way": _way(request.method) if request.method else _Way(),
        },
        now,
        to=settings.SUPPORT_MAIL,
        reply_to=request.user.email,
    )


def support_answered(request: SupportRequest, now: datetime) -> None:
    """Tell the root what Support has done or says. Rule: S1-06."""
    _tell_root(
        request.organisation_id,
        "support_answered",
        {"request": request, "asked_on": _on(request.created_at)},
        now,
    )


def staff_alert(
    subject: str | Promise,
    lines: Sequence[str | Promise],
    organisation_id: int | None,
    now: datetime,
) -> None:
    """Tell staff of what a person must look at. Words given lazily are said in the staff's language."""
    _tell_staff("staff_alert", organisation_id, {"about": subject, "lines": lines}, now)


def _about_method(template: str, method: PaymentMethod, now: datetime) -> None:
    open_numbers = Payable.objects.filter(
        ~Q(kind=PayableKind.SPOT_ORDER), organisation_id=method.organisation_id, closed_at=None
    ).order_by("pk")
    _tell_root(
        method.organisation_id,
        template,
        {
            "way": _way(method),
            "since": _on(method.state_at),
            "open": list(open_numbers.values_list("number", flat=True)[:_NAMED]),
        },
        now,
    )


_NAMED = 12


def _tell_about_order(
    payable: Payable, template: str, values: Mapping[str, object], now: datetime
) -> None:
    order = payable.spot_order
    if order is not None:
        _tell_root(
            payable.organisation_id,
            template,
            {
                "order": order,
                "last_on": order.end_on - timedelta(days=1),
                "order_url": _order_url(order),
                **values,
            },
            now,
        )


def _tell_root(
    organisation_id: int, template: str, values: Mapping[str, object], now: datetime
) -> None:
    reader = accounts.addressees([organisation_id]).get(organisation_id)
    if reader is not None:
        letters.post([_to_root(reader, template, values)], now)


def _to_root(reader: Addressee, template: str, values: Mapping[str, object]) -> Letter:
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
        values={"plan_url": _page(_PLAN_PAGE, reader.organisation), **values},
        addressee=reader.name,
        why=why,
    )


def _tell_staff(
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


def _sender(vendor: VendorVersion, language: str, *, address: str | None = None) -> Sender:
    return Sender(
        name=vendor.name_ja if language == Language.JA else vendor.name_en,
        support_url=vendor.support_url,
        address=vendor.support_email if address is None else address,
    )


def _is_news(payable: Payable, invoice: Invoice) -> bool:
    return (
        payable.kind == PayableKind.INVOICE
        and payable.gross > 0
        and payable.created_at - invoice.issued_at <= TOLD_WITHIN
    )


def _ways(organisation_ids: Iterable[int]) -> dict[int, _Way]:
    """Return how organisations pay, by organisation; without a method one is left out."""
    methods = PaymentMethod.objects.filter(
        organisation_id__in=list(organisation_ids),
        state__in=[MethodState.UNDER_REVIEW, MethodState.ACTIVE, MethodState.BROKEN],
    )
    # One that works counts before one that is looked at, and that before one that is broken.
    order = [MethodState.BROKEN, MethodState.UNDER_REVIEW, MethodState.ACTIVE]
    return {
        method.organisation_id: _way(method)
        for method in sorted(methods, key=lambda each: order.index(MethodState(each.state)))
    }


def _way(method: PaymentMethod) -> _Way:
    return _Way(
        state=method.state,
        company=_company(method.gateway),
        label=method.label,
        is_by_invoice=_is_by_invoice(method.gateway),
    )


def _gateway(slug: str) -> Gateway | None:
    """Return a gateway; None where the settings do not name it any more."""
    try:
        return registry.gateway(slug)
    except registry.NoSuchGateway:
        return None


def _company(slug: str) -> str:
    gateway = _gateway(slug)
    return gateway.name if gateway else slug


def _is_by_invoice(slug: str) -> bool:
    """Return whether the provider bills the payer itself, in its own time."""
    gateway = _gateway(slug)
    return gateway is not None and gateway.collects_by_invoice


def _later_tries(payable: Payable, next_try_at: datetime) -> list[object]:
    first = payable.first_failed_at
    tries = [first + after for after in dunning.AGAIN_AFTER] if first else []
    return [_on(at) for at in tries if at > next_try_at]


def _on(at: datetime) -> object:
    return at.astimezone(_zone()).date()


def _zone() -> ZoneInfo:
    return plans.zone_for_pages()


def _number(note: Invoice) -> str:
    return numbers.written(note.vendor.invoice_prefix, note.number, note.kind)


def _invoice_url(payable: Payable, name: str = _INVOICE_PAGE) -> str:
    """Return a page of the invoice that is owed; of the order, or of plan and method, where there is none."""
    if payable.invoice is not None:
        return _page(name, payable.organisation.public_id, payable.invoice.public_id)
    if payable.spot_order is not None:
        return _order_url(payable.spot_order)
    return _page(_PLAN_PAGE, payable.organisation.public_id)


def _order_url(order: SpotOrder) -> str:
    kwargs = {"organisation": order.organisation.public_id, "order": order.public_id}
    return f"{settings.PORTAL_ORIGIN}{reverse(_ORDER_PAGE, kwargs=kwargs)}"


def _page(name: str, organisation: UUID, invoice: UUID | None = None) -> str:
    """Return the absolute address of a page, from the settings and from no request. Rule: F76."""
    kwargs = {"organisation": organisation} | ({"invoice": invoice} if invoice else {})
    return f"{settings.PORTAL_ORIGIN}{reverse(name, kwargs=kwargs)}"

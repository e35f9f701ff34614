"""What root, Support and staff are told by mail of what is owed, paid, refused and given back.

Each function is called in the transaction of what it tells of, and only writes the outbox: what is
rolled back was never told. Who has no root that can sign in is told nothing. Rule: B-14, S1-06, R2.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from accounts import queries as accounts
from billing.models import Invoice
from core import letters
from core.months import BillingMonth
from payments.enums import MethodState, PayableKind
from payments.models import Charge, Payable, PaymentMethod, Refund, SupportRequest
from payments.rules import dunning
from payments.services.letters.writing import (
    INVOICE_PAGE,
    RECEIPT_PAGE,
    Way,
    company,
    invoice_url,
    is_by_invoice,
    local_day,
    number_of,
    page,
    tell_root,
    tell_staff,
    to_root,
    way_of,
)

# Who takes the portal into use, or upgrades it, is not told of invoices of the past.
TOLD_WITHIN = timedelta(days=14)
_NAMED = 12


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
        to_root(
            readers[row.organisation_id],
            "invoice_issued",
            {
                "payable": row,
                "month": BillingMonth.of_day(invoice.month),
                "issued_on": invoice.issued_on,
                "way": ways.get(row.organisation_id, Way()),
                "invoice_url": page(
                    INVOICE_PAGE, readers[row.organisation_id].organisation, invoice.public_id
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
    tell_root(
        charge.organisation_id,
        "taken_over" if is_by_invoice(charge.gateway) else "payment_received",
        {
            "charge": charge,
            "at": local_day(charge.decided_at or now),
            "way": way_of(charge.method) if charge.method else Way(company=company(charge.gateway)),
            "receipt_url": invoice_url(charge.payable, RECEIPT_PAGE),
            "invoice_url": invoice_url(charge.payable),
            "is_order": charge.payable.invoice is None,
        },
        now,
    )


def charge_failed(
    payable: Payable, charge: Charge, next_try_at: datetime | None, now: datetime
) -> None:
    """Tell the root that a charge was declined, when it is tried again, and what to do. Rule: B-14."""
    tell_root(
        payable.organisation_id,
        "charge_failed",
        {
            "payable": payable,
            "charge": charge,
            "company": company(charge.gateway),
            "is_by_invoice": is_by_invoice(charge.gateway),
            "next": local_day(next_try_at) if next_try_at else None,
            "later": _later_tries(payable, next_try_at) if next_try_at else [],
            "invoice_url": invoice_url(payable),
        },
        now,
    )


def payable_overdue(payable: Payable, now: datetime) -> None:
    """Tell the root what is refused until an overdue invoice is paid, and tell staff. Rule: B-14."""
    tell_root(
        payable.organisation_id,
        "payable_overdue",
        {"payable": payable, "invoice_url": invoice_url(payable)},
        now,
    )
    tell_staff("overdue_to_staff", payable.organisation_id, {"payable": payable}, now)


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
    tell_root(
        refund.organisation_id,
        "refund_made",
        {
            "refund": refund,
            "at": local_day(refund.decided_at or now),
            "company": company(refund.charge.gateway),
            "is_by_invoice": is_by_invoice(refund.charge.gateway),
            "number": refund.charge.number,
            "note_number": number_of(note) if note else "",
            "note_url": page(INVOICE_PAGE, refund.organisation.public_id, note.public_id)
            if note
            else "",
            "invoice_url": invoice_url(refund.charge.payable),
            "is_order": refund.charge.payable.invoice is None,
        },
        now,
    )


def support_requested(request: SupportRequest, now: datetime) -> None:
    """Pass on to Support what a root asks for; an answer goes to the root. Rule: S1-06."""
    tell_staff(
        "support_requested",
        request.organisation_id,
        {
            "request": request,
            "asked_by": f"{request.user.name} <{request.user.email}>"
            if request.user.name
            else request.user.email,
            "way": way_of(request.method) if request.method else Way(),
        },
        now,
        to=settings.SUPPORT_MAIL,
        reply_to=request.user.email,
    )


def support_answered(request: SupportRequest, now: datetime) -> None:
    """Tell the root what Support has done or says. Rule: S1-06."""
    tell_root(
        request.organisation_id,
        "support_answered",
        {"request": request, "asked_on": local_day(request.created_at)},
        now,
    )


def _about_method(template: str, method: PaymentMethod, now: datetime) -> None:
    open_numbers = Payable.objects.filter(
        ~Q(kind=PayableKind.SPOT_ORDER, invoice=None),
        organisation_id=method.organisation_id,
        closed_at=None,
    ).order_by("pk")
    tell_root(
        method.organisation_id,
        template,
        {
            "way": way_of(method),
            "since": local_day(method.state_at),
            "open": list(open_numbers.values_list("number", flat=True)[:_NAMED]),
        },
        now,
    )


def _is_news(payable: Payable, invoice: Invoice) -> bool:
    return (
        payable.kind == PayableKind.INVOICE
        and payable.gross > 0
        and payable.created_at - invoice.issued_at <= TOLD_WITHIN
    )


def _ways(organisation_ids: Iterable[int]) -> dict[int, Way]:
    """Return how organisations pay, by organisation; without a method one is left out."""
    methods = PaymentMethod.objects.filter(
        organisation_id__in=list(organisation_ids),
        state__in=[MethodState.UNDER_REVIEW, MethodState.ACTIVE, MethodState.BROKEN],
    )
    # One that works counts before one that is looked at, and that before one that is broken.
    order = [MethodState.BROKEN, MethodState.UNDER_REVIEW, MethodState.ACTIVE]
    return {
        method.organisation_id: way_of(method)
        for method in sorted(methods, key=lambda each: order.index(MethodState(each.state)))
    }


def _later_tries(payable: Payable, next_try_at: datetime) -> list[object]:
    first = payable.first_failed_at
    tries = [first + after for after in dunning.AGAIN_AFTER] if first else []
    return [local_day(at) for at in tries if at > next_try_at]

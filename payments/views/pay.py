"""Paying an invoice at once, and what was paid. Rule: B-14, F20."""

from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import PortalRequest
from core import clock
from payments import forms
from payments.enums import ChargeState, JourneyPurpose, JourneyState
from payments.gateways import registry
from payments.gateways.base import Entry
from payments.models import Charge, Journey, Payable
from payments.queries import payables as queries
from payments.services import charges, journeys, paying
from payments.services.charges import Shown
from payments.views import standing
from payments.views.journeys import SeeOther, traveller_of, way_back_of
from plans import queries as plans

_REGISTERED = "method"
# Of a room above: only its name is known here.
_ORDER_PAGE = "order_spot_order"


@require_http_methods(["GET", "HEAD", "POST"])
def pay(request: PortalRequest, invoice: UUID) -> HttpResponse:
    """Show what is owed for an invoice and the ways to pay it at once; by POST, take one of them."""
    payable = queries.of_public_id(request.organisation, invoice)
    if payable is None:
        raise Http404
    if request.method == "POST":
        return _pay(request, payable)
    outlook = queries.outlook_of(payable)
    method = outlook.method if outlook.method and queries.is_usable(outlook.method) else None
    context = {
        "organisation": request.organisation,
        "payable": payable,
        "invoice": invoice,
        "told": standing.told(outlook, plans.zone_for_pages()),
        "attempts": outlook.attempts,
        "method": method,
        "method_named": standing.method_named(method) if method else "",
        "ways": [
            each
            for each in registry.offered(request.organisation.country, payable.currency)
            if each.entry is Entry.REDIRECT
        ],
    }
    return render(request, "payments/pay.html", context)


@never_cache
@require_safe
def come_back(request: PortalRequest, state: str) -> HttpResponse:
    """Receive a payer who is back from a provider's pages; the way back is used once. Rule: F20."""
    now = clock.now()
    try:
        journey = journeys.come_back(
            traveller=traveller_of(request), state=state, purpose=JourneyPurpose.PAYMENT, now=now
        )
    except journeys.NoJourney:
        return _no_journey(request)
    except journeys.CameBackBefore as before:
        if before.journey.state == JourneyState.CANCELLED:
            messages.info(
                request,
                _(
                    "This visit had ended before you came back, so nothing was charged for it."
                    " What is still owed stands below."
                ),
            )
        return _to_invoice(request, _charge_of(before.journey))
    except journeys.OtherSession as other:
        return _no_way_back(
            request,
            other.journey,
            _(
                "You signed in again in the meantime, so nothing was paid. Pay from the invoice again."
            ),
            _("You signed in again in the meantime, so nothing was paid. Pay the order again."),
        )
    except journeys.Expired as late:
        return _no_way_back(
            request,
            late.journey,
            _("You came back too late, so nothing was paid. Pay from the invoice again."),
            _("You came back too late, so nothing was paid. Pay the order again."),
        )
    try:
        charge = paying.come_back(journey=journey, now=now)
    except (charges.NotNow, charges.Stopped, charges.AccountDiffers):
        charge = _charge_of(journey)
        _say_confirming(request)
        return _to_invoice(request, charge)
    is_order = charge.payable.spot_order_id is not None
    # The page of an order says itself that it is complete, or that its money is given back.
    if not (is_order and charge.state == ChargeState.SUCCEEDED):
        _say(request, charge)
    return _to_invoice(request, charge)


@never_cache
@require_safe
def turn_back(request: PortalRequest, state: str) -> HttpResponse:
    """Receive a payer who broke off a payment at a provider's pages."""
    now = clock.now()
    try:
        journey = journeys.turn_back(
            traveller=traveller_of(request), state=state, purpose=JourneyPurpose.PAYMENT, now=now
        )
    except journeys.NoJourney:
        return _no_journey(request)
    try:
        is_given_up = paying.turn_back(journey=journey, actor=f"user:{request.user.pk}", now=now)
    except (charges.NotNow, charges.Stopped, charges.AccountDiffers):
        # It is closed by itself; without the payer's return nothing is taken.
        is_given_up = True
    if is_given_up:
        messages.info(request, _("You broke off the payment. Nothing was charged."))
    return _to_invoice(request, _charge_of(journey))


def _pay(request: PortalRequest, payable: Payable) -> HttpResponse:
    form = forms.Payment(request.POST)
    if not form.is_valid():
        return _show_again(request, payable)
    way, shown = form.cleaned_data["way"], form.shown()
    now = clock.now()
    try:
        if way != _REGISTERED:
            return SeeOther(_set_out(request, payable, way, shown, now))
        charge = paying.pay_with_method(
            payable_id=payable.pk, shown=shown, actor=f"user:{request.user.pk}", now=now
        )
        _say(request, charge)
    except charges.NotAsShown:
        return _show_again(request, payable)
    except charges.NotOwed:
        messages.info(request, _("Nothing is owed for this invoice any more."))
    except charges.HeldByStaff:
        messages.info(
            request,
            _("Support is looking into this invoice. Nothing more is charged until then."),
        )
    except charges.AttemptUnderWay:
        messages.info(request, _("A payment for this invoice is under way already."))
    except charges.NoMethod:
        messages.error(
            request,
            _("The registered payment method cannot be charged at present. Pay in another way."),
        )
    except paying.NotOffered:
        messages.error(request, _("This way of paying is not available. Choose another one."))
    except (charges.NotNow, charges.Stopped, charges.AccountDiffers, journeys.ApprovalElsewhere):
        messages.error(
            request,
            _(
                "We could not reach the payment company, so no payment was begun. Try again in a few"
                " minutes."
            ),
        )
    return _to_page(request, payable)


def _show_again(request: PortalRequest, payable: Payable) -> HttpResponse:
    """Show what is owed by now, and have it confirmed anew. Rule: R3, F51."""
    messages.warning(
        request,
        _(
            "This invoice has changed since the page was opened, and nothing was charged. This is how"
            " it stands now."
        ),
    )
    if payable.invoice is None:
        return _to_page(request, payable)
    return redirect("invoice_pay", request.organisation.public_id, payable.invoice.public_id)


def _set_out(
    request: PortalRequest, payable: Payable, way: str, shown: Shown, now: datetime
) -> str:
    return paying.set_out(
        payable_id=payable.pk,
        gateway=way,
        shown=shown,
        traveller=traveller_of(request),
        way_back=way_back_of(request),
        now=now,
    )


def _say(request: PortalRequest, charge: Charge) -> None:
    if charge.state == ChargeState.SUCCEEDED:
        messages.success(request, _("Thank you. The payment has arrived."))
    elif charge.state == ChargeState.DECLINED:
        messages.error(
            request,
            _(
                "%(company)s declined the payment. Nothing was charged. Check the method there, or "
                "pay in another way."
            )
            % {"company": standing.name_of(charge.gateway)},
        )
    elif charge.state == ChargeState.STARTED:
        messages.warning(
            request, _("The payment was not approved. Nothing was charged; you can pay again.")
        )
    elif charge.state == ChargeState.CANCELLED:
        messages.warning(
            request,
            _("What you wanted to pay for has changed meanwhile, so nothing was charged."),
        )
    else:
        _say_confirming(request)


def _say_confirming(request: PortalRequest) -> None:
    messages.info(
        request,
        _(
            "We are confirming whether the payment arrived, and tell you by mail. Nothing is charged "
            "a second time."
        ),
    )


def _charge_of(journey: Journey) -> Charge:
    return Charge.objects.select_related("payable__invoice", "payable__spot_order").get(
        journey=journey
    )


def _no_way_back(
    request: PortalRequest, journey: Journey, of_invoice: str, of_order: str
) -> HttpResponse:
    """Say why a payer's return counts for nothing, where it can be paid again."""
    charge = _charge_of(journey)
    if charge.payable.spot_order is None:
        messages.warning(request, of_invoice)
        return redirect("invoices", request.organisation.public_id)
    messages.warning(request, of_order)
    return _to_invoice(request, charge)


def _no_journey(request: PortalRequest) -> HttpResponse:
    context = {
        "reason": _(
            "This link back from a payment company is not yours or does not exist. Nothing was"
            " registered or charged."
        ),
        "href": reverse("invoices", args=[request.organisation.public_id]),
        "label": _("Orders and invoices"),
    }
    return render(request, "400.html", context, status=404)


def _to_invoice(request: PortalRequest, charge: Charge) -> HttpResponse:
    """Lead a payer who is back to what was paid: an invoice, or the wizard's page of a spot order."""
    order = charge.payable.spot_order
    if order is not None:
        return redirect(
            _ORDER_PAGE, organisation=request.organisation.public_id, order=order.public_id
        )
    return _to_page(request, charge.payable)


def _to_page(request: PortalRequest, payable: Payable) -> HttpResponse:
    if payable.invoice is None:
        return redirect("invoices", request.organisation.public_id)
    return redirect("invoice", request.organisation.public_id, payable.invoice.public_id)

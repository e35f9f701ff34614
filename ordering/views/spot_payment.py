"""Add Spot, steps 2 and 3: Payment Procedure, and the order's own page. Rule: S2-24…S2-28, R3, F54."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRedirect, HttpResponseClientRefresh

from accounts.access import PortalRequest
from billing.queries import invoices
from core import clock
from ordering.queries import spots as queries
from ordering.views import spot_shown
from payments import forms
from payments.enums import ChargeState, MethodState
from payments.gateways import registry
from payments.gateways.base import Entry
from payments.models import Charge
from payments.queries import spots as money
from payments.queries.payables import Outlook
from payments.services import charges, journeys, paying
from payments.services import spots as services
from payments.services.charges import Shown
from payments.views import standing
from payments.views.journeys import SeeOther, traveller_of, way_back_of
from payments.views.standing import Told
from plans import queries as plans
from spot_orders.enums import SpotState
from spot_orders.models import SpotOrder
from spot_orders.services import MovedBefore

_REGISTERED = "method"


@dataclass(frozen=True, slots=True)
class Method:
    """The registered method as the payment page offers it. `then`: what happens when it is chosen."""

    id: UUID
    name: str
    then: str
    label: str


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def payment(request: PortalRequest, order: UUID) -> HttpResponse:
    """Show all that a buyer has to know, and the ways to pay; by POST, take one. Rule: S2-24, S2-25."""
    found = _found(request, order)
    now = clock.now()
    if request.method == "POST":
        return _pay(request, found, now)
    if found.state != SpotState.PLACED:
        return _leave(request, found)
    outlook = money.outlook_of_order(found)
    context = _context(found, now, outlook) | _ways(found, outlook, now)
    if request.htmx:
        if not context["is_under_way"]:
            return HttpResponseClientRefresh()
        return render(request, "ordering/_spot_standing.html", context)
    return render(request, "ordering/spot_payment.html", context)


@never_cache
@require_safe
def order(request: PortalRequest, order: UUID) -> HttpResponse:
    """Show an order as it stands: completed, lapsed, given up or refunded; one that waits is paid first.

    Rule: S2-28.
    """
    found = _found(request, order)
    if found.state == SpotState.PLACED:
        return _to_payment(request, found)
    now = clock.now()
    outlook = money.outlook_of_order(found)
    context = _context(found, now, outlook) | {
        "closed": spot_shown.closed(found),
        "replaced_by": found.replaced_by,
        "again": _again(found),
        "is_paid": found.state == SpotState.PAID,
        "begins_at_once": queries.begins_at_once(found, now),
        "given_back": standing.told(outlook, plans.zone_for_pages()).steps,
        "has_receipt": outlook.payable.invoice is not None and _gives_receipt(outlook),
    }
    return render(request, "ordering/spot_order.html", context)


@require_POST
def give_up(request: PortalRequest, order: UUID) -> HttpResponse:
    """Give an unpaid order up, at its root's wish."""
    found = _found(request, order)
    try:
        services.give_up(
            order_id=found.pk, why="given_up", actor=f"user:{request.user.pk}", now=clock.now()
        )
        messages.success(request, _("The order was given up. Nothing is owed for it."))
    except MovedBefore:
        messages.info(request, _("This order was settled before; this is how it stands."))
    except charges.AttemptUnderWay:
        messages.warning(
            request,
            _("A payment for this order is under way, so it was not given up."),
        )
    except (charges.NotNow, charges.Stopped, charges.AccountDiffers):
        messages.error(
            request,
            _(
                "We could not reach the payment company, so the order was not given up. Try again in a"
                " few minutes."
            ),
        )
    return redirect("order_spot_order", request.organisation.public_id, found.public_id)


def _found(request: PortalRequest, public_id: UUID) -> SpotOrder:
    found = queries.order_of(request.organisation, public_id)
    if found is None:
        raise Http404
    return found


def _context(found: SpotOrder, now: datetime, outlook: Outlook) -> dict[str, Any]:
    zone = plans.zone_for_pages()
    versions = {version_id for _first, version_id, _steps, _net in found.priced}
    said, kind = spot_shown.state(found, now, zone)
    invoice = outlook.payable.invoice
    return {
        "organisation": found.organisation,
        "order": found,
        "what": spot_shown.what(found),
        "price": spot_shown.price(found, plans.terms_for_pages(versions, found.currency)),
        "conditions": spot_shown.conditions(found, now),
        "state": said,
        "state_kind": kind,
        "is_under_way": outlook.is_being_confirmed or _has_arrived(outlook),
        "told": _told(outlook),
        "support_url": plans.vendor_for_pages().support_url,
        "zone": zone.key,
        "invoice": invoice,
        "invoice_number": invoices.number_of(invoice) if invoice else "",
    }


def _told(outlook: Outlook) -> Told | None:
    """Say how the payment stands where there is something to say: under way, or what failed last."""
    if outlook.is_being_confirmed:
        return standing.told(outlook, plans.zone_for_pages())
    if _has_arrived(outlook):
        return Told(
            _("paid"),
            "good",
            _("The payment has arrived. The accounts are being added; that takes a moment."),
        )
    last = outlook.last
    if last is None:
        return None
    named = {"company": standing.name_of(last.gateway)}
    if last.state == ChargeState.DECLINED:
        return Told(
            _("declined"),
            "bad",
            _(
                "%(company)s declined the payment. Nothing was charged, and the order is kept. Check"
                " the method there and pay again, or pay in another way."
            )
            % named,
        )
    return None


def _has_arrived(outlook: Outlook) -> bool:
    """Return whether the money is here, and what was paid for is not provided yet."""
    payable = outlook.payable
    return payable.captured > payable.refunded and payable.invoice is None


def _ways(found: SpotOrder, outlook: Outlook, now: datetime) -> dict[str, Any]:
    """Return how the order can be paid now, or why it cannot."""
    why = money.why_not_payable(found, now)
    payable = outlook.payable
    return {
        "payable": payable,
        "attempts": outlook.attempts,
        "why_not": spot_shown.unserved(why) if why else "",
        "again": _again(found),
        "can_pay": why is None and outlook.can_pay_now,
        "method": _method(outlook),
        "ways": [
            each
            for each in registry.offered(found.organisation.country, payable.currency)
            if each.entry is Entry.REDIRECT
        ],
        "overlaps": [
            spot_shown.listed(each, now, plans.zone_for_pages())
            for each in queries.overlapping(found)
        ],
    }


def _method(outlook: Outlook) -> Method | None:
    method = outlook.method
    if method is None or method.state != MethodState.ACTIVE:
        return None
    company = standing.name_of(method.gateway)
    name = standing.method_named(method)
    if registry.gateway(method.gateway).collects_by_invoice:
        then = _(
            "%(company)s takes the order over and bills you, to be paid by the end of the following"
            " month. The accounts are yours as soon as %(company)s has accepted it."
        )
        return Method(
            method.public_id,
            name,
            then % {"company": company},
            _("Order, to be billed by %(company)s") % {"company": company},
        )
    return Method(
        method.public_id, name, _("%(method)s is charged at once.") % {"method": name}, ""
    )


def _pay(request: PortalRequest, found: SpotOrder, now: datetime) -> HttpResponse:
    form = forms.Payment(request.POST)
    if not form.is_valid():
        return _show_again(request, found)
    way, shown = form.cleaned_data["way"], form.shown()
    try:
        if way != _REGISTERED:
            return SeeOther(_set_out(request, found, way, shown, now))
        charge = services.pay_with_method(
            order_id=found.pk, shown=shown, actor=f"user:{request.user.pk}", now=now
        )
        _say(request, charge)
    except charges.NotAsShown:
        return _show_again(request, found)
    except (charges.NotOwed, charges.NotServable):
        # The page itself says how the order stands.
        pass
    except charges.HeldByStaff:
        messages.info(
            request,
            _("Support is looking into this order. Nothing more is charged until then."),
        )
    except charges.AttemptUnderWay:
        messages.info(request, _("A payment for this order is under way already."))
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
                "We could not reach the payment company, so no payment was begun and the order is kept."
                " Try again in a few minutes."
            ),
        )
    return _to_payment(request, found)


def _set_out(
    request: PortalRequest, found: SpotOrder, way: str, shown: Shown, now: datetime
) -> str:
    return services.set_out(
        order_id=found.pk,
        gateway=way,
        shown=shown,
        traveller=traveller_of(request),
        way_back=way_back_of(request),
        now=now,
    )


def _show_again(request: PortalRequest, found: SpotOrder) -> HttpResponse:
    """Show what is owed by now, and have it confirmed anew. Rule: R3, F51."""
    if queries.order_of(request.organisation, found.public_id) == found:
        found.refresh_from_db(fields=["state"])
    if found.state == SpotState.PLACED:
        messages.warning(
            request,
            _(
                "Something about this payment has changed since the page was opened, and nothing more"
                " was charged. This is how it stands now."
            ),
        )
    return _to_payment(request, found)


def _say(request: PortalRequest, charge: Charge) -> None:
    """Say what the page does not say by itself: it tells of a payment that succeeded or was declined."""
    if charge.state == ChargeState.STARTED:
        messages.warning(
            request, _("The payment was not approved. Nothing was charged; you can pay again.")
        )


def _to_payment(request: PortalRequest, found: SpotOrder) -> HttpResponse:
    """Return to the payment, which leads on where the order is settled."""
    return redirect("order_spot_payment", request.organisation.public_id, found.public_id)


def _leave(request: PortalRequest, found: SpotOrder) -> HttpResponse:
    """Lead on to the order's own page; a part that asks leads its whole page there."""
    to = reverse("order_spot_order", args=[request.organisation.public_id, found.public_id])
    return HttpResponseClientRedirect(to) if request.htmx else redirect(to)


def _again(found: SpotOrder) -> str:
    """Return the address of the settings with this order's values."""
    query = urlencode(
        {
            "accounts": found.accounts,
            "first_on": found.first_on.isoformat(),
            "months": found.months,
        }
    )
    here = reverse("order_spot", kwargs={"organisation": found.organisation.public_id})
    return f"{here}?{query}"


def _gives_receipt(outlook: Outlook) -> bool:
    taken = outlook.taken
    return taken is not None and not registry.gateway(taken.gateway).collects_by_invoice

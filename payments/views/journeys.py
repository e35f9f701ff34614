"""The way to a provider's pages and the way back, of a payment method. Rule: S1-15, F20."""

import logging

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts.access import PortalRequest
from core import clock
from payments.enums import JourneyPurpose, JourneyState, MethodState
from payments.gateways.base import (
    AnswerLost,
    Gateway,
    GatewayMisconfigured,
    GatewayUnreachable,
    RequestRefused,
)
from payments.models import Journey
from payments.services import journeys, methods
from payments.services.charges import AccountDiffers
from payments.services.journeys import Traveller
from payments.services.paying import WayBack
from payments.views import shown

log = logging.getLogger(__name__)


class SeeOther(HttpResponseRedirect):
    """To another page by GET, whatever brought the reader here."""

    status_code = 303


def traveller_of(request: PortalRequest) -> Traveller:
    """Return who sets out, or comes back."""
    return Traveller(
        organisation_id=request.organisation.pk,
        user_id=request.user.pk,
        session=request.session.session_key or "",
    )


def way_back_of(request: PortalRequest) -> WayBack:
    """Return where a payer comes back to who pays once; from the settings, not the request. Rule: F76."""
    arguments = [request.organisation.public_id, "STATE"]
    back, away = (
        settings.PORTAL_ORIGIN + reverse(name, args=arguments).replace("STATE", "{state}")
        for name in ("payment_return", "payment_cancel")
    )
    return WayBack(back, away)


def set_out(request: PortalRequest, gateway: Gateway, purpose: JourneyPurpose) -> HttpResponse:
    """Send the reader to a provider's pages to register there. Rule: S1-15."""
    now = clock.now()
    try:
        journey, state = journeys.set_out(
            traveller=traveller_of(request), purpose=purpose, gateway=gateway.slug, now=now
        )
        url = journeys.open_registration(
            journey_id=journey.pk,
            return_url=_address("payment_method_return", request, state),
            cancel_url=_address("payment_method_cancel", request, state),
            language=get_language() or "en",
            now=now,
        )
    except methods.AlreadyRegistered:
        messages.info(
            request, _("A payment method is already registered. To change it, ask Support.")
        )
        return _to_plan(request)
    except (
        GatewayUnreachable,
        GatewayMisconfigured,
        AnswerLost,
        RequestRefused,
        journeys.ApprovalElsewhere,
    ):
        messages.error(
            request,
            _(
                "We could not reach %(company)s. Nothing was registered or charged. Try again in a few"
                " minutes; Support has been told."
            )
            % {"company": gateway.name},
        )
        return redirect("payment_method_add", organisation=request.organisation.public_id)
    return SeeOther(url)


@never_cache
@require_GET
def come_back(request: PortalRequest, state: str) -> HttpResponse:
    """Take up a reader who is back from a provider's pages, once. Rule: S1-15, F20."""
    now = clock.now()
    try:
        journey = journeys.come_back(
            traveller=traveller_of(request), state=state, purpose=JourneyPurpose.METHOD, now=now
        )
    except journeys.NoJourney:
        return _no_journey(request)
    except journeys.OtherSession:
        messages.warning(
            request,
            _(
                "You signed in again in the meantime, so nothing was registered."
                " Add the payment method again."
            ),
        )
        return _to_plan(request)
    except journeys.Expired:
        messages.warning(
            request,
            _("You came back too late, so nothing was registered. Add the payment method again."),
        )
        return _to_plan(request)
    except journeys.CameBackBefore as before:
        _tell(request, before.journey)
        return _to_plan(request)
    try:
        journeys.finish(journey_id=journey.pk, now=now)
    except (GatewayUnreachable, GatewayMisconfigured, AnswerLost, AccountDiffers) as fault:
        log.warning("a return is not finished: %s", type(fault).__name__, extra={"id": journey.pk})
        return _to_plan(request)
    journey.refresh_from_db()
    _tell(request, journey)
    return _to_plan(request)


@never_cache
@require_GET
def turn_back(request: PortalRequest, state: str) -> HttpResponse:
    """Take up a reader who broke off at the provider's pages. Rule: S1-15."""
    try:
        journey = journeys.turn_back(
            traveller=traveller_of(request),
            state=state,
            purpose=JourneyPurpose.METHOD,
            now=clock.now(),
        )
    except journeys.NoJourney:
        return _no_journey(request)
    _tell(request, journey)
    return _to_plan(request)


def _tell(request: PortalRequest, journey: Journey) -> None:
    """Say how a journey stands; of one that is still being asked after the page itself tells."""
    company = {"company": shown.company_of(journey.gateway)}
    match JourneyState(journey.state):
        case JourneyState.COMPLETED if _is_gone(journey):
            messages.info(
                request,
                _("This link was used before. The payment method that it registered was removed."),
            )
        case JourneyState.COMPLETED:
            messages.success(
                request, _("%(company)s is registered as your payment method.") % company
            )
        case JourneyState.CANCELLED | JourneyState.OPEN:
            messages.info(
                request, _("You turned back at %(company)s. Nothing was registered.") % company
            )
        case JourneyState.REFUSED:
            messages.warning(
                request,
                _("Nothing was approved at %(company)s, so nothing was registered.") % company,
            )
        case JourneyState.EXPIRED:
            messages.warning(
                request,
                _(
                    "You came back too late, so nothing was registered."
                    " Add the payment method again."
                ),
            )


def _is_gone(journey: Journey) -> bool:
    """Return whether what a journey registered is no method of the organisation any more."""
    method = journey.method
    return method is not None and method.state == MethodState.DETACHED


def _no_journey(request: PortalRequest) -> HttpResponse:
    context = {
        "reason": _(
            "This link back from a payment company is not yours or does not exist. Nothing was"
            " registered or charged."
        ),
        "href": reverse("plan", kwargs={"organisation": request.organisation.public_id}),
        "label": _("Plan & Payment Method"),
    }
    return render(request, "400.html", context, status=404)


def _address(name: str, request: PortalRequest, state: str) -> str:
    """Return the absolute address of a way back, from the settings and not the request. Rule: F76."""
    path = reverse(name, kwargs={"organisation": request.organisation.public_id, "state": state})
    return f"{settings.PORTAL_ORIGIN}{path}"


def _to_plan(request: PortalRequest) -> HttpResponse:
    return redirect("plan", organisation=request.organisation.public_id)

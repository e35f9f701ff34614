"""The payment method: what there is, how to add one, how to have it changed. Rule: S1-02…S1-06."""

from datetime import date, datetime

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.access import PortalRequest
from accounts.models import Organisation
from core import clock
from payments import forms
from payments.enums import JourneyPurpose, MethodState
from payments.gateways import registry
from payments.gateways.base import (
    Entry,
    Gateway,
    GatewayMisconfigured,
    GatewayUnreachable,
    RequestRefused,
)
from payments.models import SupportRequest
from payments.queries import methods as queries
from payments.services import methods, support
from payments.services.journeys import GIVE_UP_AFTER
from payments.views import journeys, shown
from plans import queries as plans

_FORM = require_http_methods(["GET", "HEAD", "POST"])


def standing(organisation: Organisation, now: datetime) -> shown.Standing:
    """Return how an organisation's methods stand, for the tab Plan & Payment Method. Rule: S1-03."""
    zone = plans.zone_for_pages()
    found = queries.of(organisation, now)
    asked, asked_on, answered_on = _request(organisation, now)
    return shown.Standing(
        current=shown.method(found.current, zone) if found.current else None,
        waiting=shown.method(found.waiting, zone) if found.waiting else None,
        why_broken=shown.why_broken(found.broken) if found.broken else "",
        why_rejected=shown.why_rejected(found.rejected) if found.rejected else "",
        unanswered=shown.company_of(found.journey.gateway) if found.journey else "",
        is_with_support=found.journey is not None
        and now - found.journey.started_at >= GIVE_UP_AFTER,
        asked=asked,
        asked_on=asked_on,
        answered_on=answered_on,
    )


@_FORM
def add(request: PortalRequest) -> HttpResponse:
    """Offer the ways to pay; by POST, begin the chosen one. Rule: S1-14, S1-05, S1-18."""
    organisation = request.organisation
    found = queries.of(organisation, clock.now())
    if found.active:
        return _already_registered(request)
    if queries.is_over(organisation, clock.now()):
        return _is_over(request)
    offered = _offered(request, found)
    initial = {"gateway": offered[0].slug} if len(offered) == 1 else {}
    posted = request.POST if request.method == "POST" else None
    form = forms.Choice(posted, offered=offered, initial=initial)
    if request.method == "POST" and form.is_valid():
        chosen = registry.gateway(form.cleaned_data["gateway"])
        if chosen.entry is Entry.REDIRECT:
            return journeys.set_out(request, chosen, JourneyPurpose.METHOD)
        return redirect(
            "payment_method_form", organisation=organisation.public_id, gateway=chosen.slug
        )
    context = {
        "organisation": organisation,
        "form": form,
        "ways": shown.ways(offered),
        "chosen": form["gateway"].value(),
        "waiting": shown.company_of(found.waiting.gateway) if found.waiting else "",
        "is_broken": found.broken is not None,
    }
    return render(request, "payments/add.html", context, status=400 if form.errors else 200)


@_FORM
def registration(request: PortalRequest, gateway: str) -> HttpResponse:
    """Show a provider's registration form; by POST, pass it on. Rule: S1-17, S1-18."""
    found = _form_gateway(request, gateway)
    standing = queries.of(request.organisation, clock.now())
    if standing.active:
        return _already_registered(request)
    if queries.is_over(request.organisation, clock.now()):
        return _is_over(request)
    if standing.waiting:
        return _under_review(request, standing.waiting.gateway)
    if request.method != "POST":
        return _form_page(
            request, forms.Registration(gateway=found, initial=_known(request, found))
        )
    form = forms.Registration(request.POST, gateway=found)
    if not form.is_valid():
        return _form_page(request, form, status=400)
    return _register(request, form)


@_FORM
def ask_support(request: PortalRequest) -> HttpResponse:
    """Ask Support to change the registered method; show how it stands with that. Rule: S1-06."""
    now = clock.now()
    form = forms.SupportMessage(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            support.ask(
                organisation_id=request.organisation.pk,
                user_id=request.user.pk,
                message=form.cleaned_data["message"],
                now=now,
            )
        except support.NothingToChange:
            messages.info(request, _("There is no payment method to change. You can add one here."))
        except support.AskedBefore:
            messages.info(request, _("Your earlier request is still with Support."))
        else:
            messages.success(request, _("Support has your request and answers by mail and here."))
        return _to_plan(request)
    found = queries.of(request.organisation, now)
    asked, asked_on, answered_on = _request(request.organisation, now)
    context = {
        "organisation": request.organisation,
        "form": form,
        "current": shown.method(found.current, plans.zone_for_pages()) if found.current else None,
        "asked": asked,
        "asked_on": asked_on,
        "answered_on": answered_on,
    }
    return render(request, "payments/support.html", context, status=400 if form.errors else 200)


def _register(request: PortalRequest, form: forms.Registration) -> HttpResponse:
    company = {"company": form.gateway.name}
    try:
        method = methods.register(
            organisation_id=request.organisation.pk,
            user_id=request.user.pk,
            gateway=form.gateway.slug,
            profile=form.profile(),
            now=clock.now(),
        )
    except methods.AlreadyRegistered:
        return _already_registered(request)
    except methods.UnderReview:
        return _under_review(request, form.gateway.slug)
    except RequestRefused as refused:
        form.refuse(refused)
        return _form_page(request, form, status=400)
    except (GatewayUnreachable, GatewayMisconfigured):
        form.add_error(
            None,
            _(
                "We could not reach %(company)s, and nothing was sent. What you typed is still here:"
                " try again in a few minutes. Support has been told."
            )
            % company,
        )
        return _form_page(request, form, status=503)
    if method.state == MethodState.DETACHED:
        return _already_registered(request)
    if method.state == MethodState.REGISTERING:
        messages.warning(
            request,
            _("%(company)s has not answered yet. Nothing is lost; we go on asking.") % company,
        )
    else:
        messages.success(
            request, _("%(company)s has received your registration and is reviewing it.") % company
        )
    return _to_plan(request)


def _offered(request: PortalRequest, found: queries.Methods) -> list[Gateway]:
    """Return the ways that may be chosen now: one under review need not be chosen again."""
    organisation = request.organisation
    return [
        each
        for each in registry.offered(organisation.country, organisation.currency)
        if not found.waiting or each.entry is not Entry.FORM
    ]


def _form_gateway(request: PortalRequest, slug: str) -> Gateway:
    organisation = request.organisation
    for each in registry.offered(organisation.country, organisation.currency):
        if each.slug == slug and each.entry is Entry.FORM:
            return each
    raise Http404


def _form_page(request: PortalRequest, form: forms.Registration, status: int = 200) -> HttpResponse:
    context = {
        "organisation": request.organisation,
        "form": form,
        "company": form.gateway.name,
        "title": _(form.gateway.label),
        "lines": shown.ways([form.gateway])[0].lines,
    }
    return render(request, "payments/registration.html", context, status=status)


def _known(request: PortalRequest, gateway: Gateway) -> dict[str, str]:
    """Return what is known of the organisation already, by what browsers call it."""
    known = {
        "organization": request.organisation.billing_name,
        "postal-code": request.organisation.billing_postal_code,
        "email": request.user.email,
    }
    return {each.name: known.get(each.autocomplete, "") for each in gateway.profile}


def _request(
    organisation: Organisation, now: datetime
) -> tuple[SupportRequest | None, date | None, date | None]:
    """Return a request to Support, the day it was asked and the day it was answered."""
    found = queries.support_request(organisation, now)
    if found is None:
        return None, None, None
    zone = plans.zone_for_pages()
    answered_on = found.handled_at.astimezone(zone).date() if found.handled_at else None
    return found, found.created_at.astimezone(zone).date(), answered_on


def _is_over(request: PortalRequest) -> HttpResponse:
    messages.info(
        request, _("Your contract has ended and nothing is owed, so no payment method is needed.")
    )
    return _to_plan(request)


def _already_registered(request: PortalRequest) -> HttpResponse:
    messages.info(request, _("A payment method is already registered. To change it, ask Support."))
    return _to_plan(request)


def _under_review(request: PortalRequest, gateway: str) -> HttpResponse:
    messages.info(
        request,
        _("%(company)s already has your registration.") % {"company": shown.company_of(gateway)},
    )
    return _to_plan(request)


def _to_plan(request: PortalRequest) -> HttpResponse:
    return redirect("plan", organisation=request.organisation.public_id)

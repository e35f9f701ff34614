"""Paid Plan Order > Add Spot, step 1 of 3: the settings. Rule: S2-21…S2-23, F54, F55."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers

from accounts.access import PortalRequest
from core import clock, words
from ordering import forms
from ordering.queries import positions
from ordering.queries import spots as queries
from ordering.queries.positions import Position
from ordering.services import spots as services
from ordering.views import refusals, spot_preview
from ordering.views.refusals import Told
from ordering.views.spot_preview import Preview
from plans import queries as plans
from plans.models import TermsOfUse
from plans.rules.timeline import Refusal
from spot_orders.models import SpotOrder
from spot_orders.rules.spot import BeyondContract, Window
from spot_orders.services import OperationTaken


@dataclass(frozen=True, slots=True)
class Settings:
    """What a page of settings is made of, read once. `hindrance`: why it is quoted, and not ordered."""

    position: Position
    window: Window
    terms: TermsOfUse | None
    hindrance: Refusal | None

    def form(self, data: Mapping[str, Any] | None) -> forms.SpotOrder:
        return forms.SpotOrder(data, position=self.position, window=self.window, terms=self.terms)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def settings(request: PortalRequest) -> HttpResponse:
    """Ask for number, start and months, and show what comes of them; by POST, place the order."""
    now = clock.now()
    position = positions.position(request.organisation, now=now)
    try:
        found = Settings(
            position,
            queries.quotable(position),
            plans.terms_of_use(),
            queries.hindrance(position),
        )
    except Refusal as refusal:
        return _not_possible(request, position, refusal)
    if request.method != "POST":
        return _show(request, found, _asked(request, found))
    if "update" in request.POST:
        # Without JavaScript: the same settings, at an address that can be kept.
        return redirect(f"{_here(request)}?{urlencode(found.form(request.POST).query())}")
    if found.hindrance is not None:
        made = _made(request)
        form = _anew(found, found.form(request.POST))
        return redirect(order_page(made)) if made else _show(request, found, form, status=409)
    return _post(request, found, now)


def why_not(position: Position) -> Told | None:
    """Return why no spot order at all is possible now, in words. Rule: S2-12, S2-21."""
    try:
        queries.window(position)
    except Refusal as refusal:
        return told(refusal, position)
    return None


def is_quoted(position: Position) -> bool:
    """Return whether a spot order may be quoted, be it ordered or not."""
    try:
        queries.quotable(position)
    except Refusal:
        return False
    return True


def told(refusal: Refusal, position: Position) -> Told:
    """Return a refusal in words, where a renewal is ordered already without the way to one."""
    if isinstance(refusal, BeyondContract) and position.next_term is not None:
        return Told(
            refusals.told(refusal, position.organisation, position.zone).text,
            reverse("contract", kwargs={"organisation": position.organisation.public_id}),
            _("Contract details"),
        )
    return refusals.told(refusal, position.organisation, position.zone)


def _asked(request: PortalRequest, found: Settings) -> forms.SpotOrder:
    """Return the form as its address says it; what the address leaves out is proposed."""
    proposed = found.form(None)
    sent = {
        name: request.GET[name] for name in forms.SpotSettings.base_fields if name in request.GET
    }
    return found.form(proposed.proposed() | sent) if sent else proposed


def _post(request: PortalRequest, found: Settings, now: datetime) -> HttpResponse:
    form = found.form(request.POST)
    if not form.is_valid():
        return _show(request, found, form, status=400)
    try:
        order = services.place(
            organisation_id=request.organisation.pk,
            user_id=request.user.pk,
            form=services.Form(form.wish(), form.agreed_terms(), form.cleaned_data["operation"]),
            now=now,
        )
    except OperationTaken as taken:
        return _show(
            request, found, _anew(found, form), refused=_sent_before(taken.order), status=409
        )
    except services.PaymentUnderWay as under_way:
        return _show(request, found, form, refused=_under_way(under_way.order), status=409)
    except Refusal as refusal:
        return _refuse(request, found, form, refusal)
    return redirect("order_spot_payment", request.organisation.public_id, order.public_id)


def _anew(found: Settings, form: forms.SpotOrder) -> forms.SpotOrder:
    """Return the same settings in a form of its own: sent again, it is another order. Rule: R3."""
    return found.form(found.form(None).proposed() | form.query())


def _refuse(
    request: PortalRequest, found: Settings, form: forms.SpotOrder, refusal: Refusal
) -> HttpResponse:
    """Show the form again with what is refused: at its field, else above it."""
    why = told(refusal, form.position)
    field = form.fields_of.get(type(refusal))
    if field and field in form.fields:
        form.add_error(field, linked(why))
        return _show(request, found, form, status=400)
    return _show(request, found, form, refused=why, status=400)


def linked(why: Told) -> str:
    """Return a refusal with its way out, for a field."""
    if not why.url:
        return why.text
    return format_html('{} <a href="{}">{}</a>', why.text, why.url, why.label)


def _show(
    request: PortalRequest,
    found: Settings,
    form: forms.SpotOrder,
    *,
    refused: Told | None = None,
    status: int = 200,
) -> HttpResponse:
    shown, why_not = _preview(form)
    is_part = bool(request.htmx) and request.method != "POST"
    terms = found.terms
    if found.hindrance is not None:
        refused = told(found.hindrance, found.position)
    context = {
        "organisation": request.organisation,
        "here": _here(request),
        "form": form,
        "months": form.months_offered,
        "chosen_months": str(form["months"].value()),
        "preview": shown,
        # What stands at its field, or above all, is not said a third time.
        "why_not": None if request.method == "POST" else why_not,
        "refused": refused,
        "is_possible": True,
        "is_quote_only": found.hindrance is not None,
        "is_part": is_part,
        "moves_months": is_part and request.htmx.trigger_name == "first_on",
    }
    if is_part:
        return render(request, "ordering/_spot_preview.html", context, status=status)
    context |= {
        "allowed_now": spot_preview.allowed_now(form.position),
        "waiting": queries.waiting(request.organisation.pk),
        "terms": terms,
        "terms_text": _text(terms) if terms else "",
    }
    return render(request, "ordering/spot.html", context, status=status)


def _preview(form: forms.SpotOrder) -> tuple[Preview | None, Told | None]:
    """Return what the settings lead to, or why they cannot be ordered."""
    settings = forms.SpotSettings(form.data, position=form.position, window=form.window)
    if not settings.is_valid():
        return None, None
    try:
        return spot_preview.preview(settings), None
    except Refusal as refusal:
        return None, told(refusal, form.position)


def _made(request: PortalRequest) -> SpotOrder | None:
    """Return the order that this form has placed, be nothing more possible now. Rule: R3."""
    try:
        operation = UUID(request.POST.get("operation", ""))
    except ValueError:
        return None
    return queries.of_operation(request.organisation.pk, operation)


def _not_possible(request: PortalRequest, position: Position, refusal: Refusal) -> HttpResponse:
    """Say why nothing of the kind can be ordered; what was sent is not ordered either, or was before."""
    made = _made(request) if request.method == "POST" else None
    if made is not None:
        return redirect(order_page(made))
    context = {
        "organisation": request.organisation,
        "here": _here(request),
        "is_possible": False,
        "refused": told(refusal, position),
    }
    status = 409 if request.method == "POST" else 200
    if request.htmx and request.method != "POST":
        return render(
            request,
            "ordering/_spot_preview.html",
            context | {"is_part": True, "why_not": context["refused"]},
        )
    return render(request, "ordering/spot.html", context, status=status)


def _sent_before(order: SpotOrder) -> Told:
    return Told(
        _(
            "This form was sent before with other values, and placed order %(number)s. Nothing more was"
            " ordered."
        )
        % {"number": order.number},
        order_page(order),
        _("See order %(number)s") % {"number": order.number},
    )


def _under_way(order: SpotOrder) -> Told:
    return Told(
        _(
            "Order %(number)s is being paid, or was paid a moment ago. Look at it before you order more;"
            " nothing more was ordered."
        )
        % {"number": order.number},
        order_page(order),
        _("See order %(number)s") % {"number": order.number},
    )


def order_page(order: SpotOrder) -> str:
    """Return the address of an order's own page, which tells in every state how it stands."""
    return reverse(
        "order_spot_order",
        kwargs={"organisation": order.organisation.public_id, "order": order.public_id},
    )


def _text(terms: TermsOfUse) -> str:
    return terms.text_ja if words.current().is_japanese else terms.text_en


def _here(request: PortalRequest) -> str:
    return reverse("order_spot", kwargs={"organisation": request.organisation.public_id})

"""Choosing another plan among those on sale. Rule: S1-20, S1-21, S1-22."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers

from accounts.access import PortalRequest
from accounts.models import Organisation
from core import clock
from core.months import BillingMonth, last_day
from ordering import forms
from ordering.queries import proposals
from ordering.rules.acts import ChangePlan
from ordering.rules.binding import Party
from ordering.rules.guards import Cancelled, Closed, NoMethod, Overdue, is_paid_before
from ordering.views import refusals, reviewing, shown, told
from ordering.views.refusals import Told
from plans import queries as plans
from plans.enums import Category
from plans.rules import Meter, PlanTerms
from plans.rules.timeline import NothingChanges, Refusal, Span


@dataclass(frozen=True, slots=True)
class _Choice:
    """What may be chosen of a category: the present plan as it is pinned, and what is on sale."""

    category: Category
    present: Span | None
    offered: Mapping[str, PlanTerms]
    on_sale: Mapping[str, PlanTerms]
    warning: Told | None
    party: Party
    now: datetime
    zone: ZoneInfo

    @property
    def current(self) -> str:
        return self.present.terms.plan_code if self.present else ""

    def begins_contract(self, plan: str) -> bool:
        """Return whether a plan is had by a main contract that does not run yet. Rule: S2-12."""
        wished = self.offered.get(plan)
        return (
            self.category is Category.LICENCE
            and wished is not None
            and not wished.is_free
            and (self.present is None or self.present.terms.is_free)
        )


@vary_on_headers("HX-Request")
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: PortalRequest, category: str) -> HttpResponse:
    """Show the plans to choose from; by POST, go on to the review. Rule: S1-20…S1-22, S1-24."""
    if category not in Category.values:
        raise Http404
    choice = _choice(request.organisation, Category(category), clock.now())
    if request.method != "POST":
        return _preview(request, choice)
    form = forms.PlanChoice(request.POST, offered=choice.offered.values())
    if not form.is_valid():
        return _page(request, choice, form, status=400)
    act = ChangePlan(choice.category, form.cleaned_data["plan"])
    if choice.begins_contract(act.plan):
        start = reverse("order_start", kwargs={"organisation": request.organisation.public_id})
        return redirect(f"{start}?{urlencode({'plan': act.plan})}")
    try:
        return reviewing.begin(request, act)
    except NothingChanges:
        messages.info(request, _("You have this plan already; nothing was changed."))
        return redirect("plan", organisation=request.organisation.public_id)
    except Refusal as refusal:
        refused = refusals.told(refusal, request.organisation, choice.zone)
        return _page(request, choice, form, refused=refused, status=409)


def _preview(request: PortalRequest, choice: _Choice) -> HttpResponse:
    """Show the choice with what the plan that is looked at would change: the page, or that part."""
    chosen = request.GET.get("plan", choice.current)
    form = forms.PlanChoice(offered=choice.offered.values(), initial={"plan": chosen})
    looked_at, refused = "", None
    if choice.begins_contract(chosen):
        looked_at = _(
            "A paid plan begins with a contract: next, you choose its first day and length."
        )
    elif chosen in choice.offered and chosen != choice.current:
        organisation = request.organisation
        try:
            act = ChangePlan(choice.category, chosen)
            bound = proposals.proposal(organisation, act, now=choice.now).binding
            looked_at = told.when_billed(bound, organisation.currency)
        except Refusal as refusal:
            refused = refusals.told(refusal, organisation, choice.zone)
    if request.htmx:
        part = {"looked_at": looked_at, "why_not": refused}
        return render(request, "ordering/_looked_at.html", part)
    return _page(request, choice, form, looked_at=looked_at, why_not=refused)


def _choice(organisation: Organisation, category: Category, now: datetime) -> _Choice:
    vendor = plans.vendor_for_pages()
    zone = ZoneInfo(vendor.time_zone)
    present = plans.timeline(organisation, now=now).at(category, now)
    on_sale = {
        code: terms
        for code, terms in proposals.market(organisation, now=now, zone=zone).offers.items()
        if terms.category is category
    }
    offered = dict(on_sale)
    if present is not None:
        pinned = {present.terms.plan_code: present.terms}
        offered = on_sale | pinned if present.terms.plan_code in on_sale else pinned | on_sale
    return _Choice(
        category=category,
        present=present,
        offered=offered,
        on_sale=on_sale,
        warning=_warning(organisation, now, zone),
        party=proposals.party(organisation, vendor),
        now=now,
        zone=zone,
    )


def _warning(organisation: Organisation, now: datetime, zone: ZoneInfo) -> Told | None:
    """Return what will be refused however one chooses, so that nobody chooses in vain."""
    standing = proposals.circumstances(organisation, now=now, zone=zone)
    refusal: Refusal | None = None
    if standing.is_closed:
        refusal = Closed()
    elif standing.ends_on and not is_paid_before(standing.ends_on, now.astimezone(zone).date()):
        refusal = Cancelled(last_day(standing.ends_on))
    elif not standing.has_method:
        refusal = NoMethod(standing.reviewing)
    elif standing.is_overdue:
        refusal = Overdue()
    return refusals.told(refusal, organisation, zone) if refusal else None


def _page(
    request: PortalRequest,
    choice: _Choice,
    form: forms.PlanChoice,
    *,
    refused: Told | None = None,
    looked_at: str = "",
    why_not: Told | None = None,
    status: int = 200,
) -> HttpResponse:
    month = BillingMonth.containing(choice.now, choice.zone).next
    steps = choice.present.steps if choice.present else 1
    meters = _meters(choice.offered)
    offers = [
        shown.offer(
            terms,
            steps if not terms.is_free else 1,
            meters,
            choice.party,
            month,
            is_current=code == choice.current,
            is_withdrawn=code not in choice.on_sale,
        )
        for code, terms in choice.offered.items()
    ]
    context: dict[str, Any] = {
        "organisation": request.organisation,
        "form": form,
        "category": choice.category.value,
        "is_licence": choice.category is Category.LICENCE,
        "chosen": form["plan"].value() or choice.current,
        "offers": offers,
        "meters": [shown.meter(each) for each in meters],
        "warning": None if refused else choice.warning,
        "refused": refused,
        "looked_at": looked_at,
        "why_not": why_not,
        "plan_page_url": plans.vendor_for_pages().plan_page_url,
    }
    return render(request, "ordering/change.html", context, status=status)


def _meters(offered: Mapping[str, PlanTerms]) -> list[Meter]:
    """Return the meters that any of the plans prices, in the catalogue's order."""
    priced = {each.meter.id for terms in offered.values() for each in terms.meters}
    return [each for each in plans.meters_for_pages() if each.id in priced]

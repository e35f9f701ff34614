"""From an order to its review, from there to its receipt: the same way for every act. Rule: S1-23."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import PortalRequest
from accounts.models import Organisation
from core import clock
from ordering import services
from ordering.enums import ReviewState
from ordering.models import Review
from ordering.queries import proposals
from ordering.queries.reviews import review_of
from ordering.rules import binding
from ordering.rules.acts import Act, ChangePlan
from ordering.views import bills, refusals, told
from plans import queries as plans
from plans.rules.timeline import Refusal


def begin(request: PortalRequest, act: Act) -> HttpResponse:
    """Have an order shown before it binds. Raises Refusal, for the page that it was asked on to tell."""
    shown = services.review(
        organisation_id=request.organisation.pk,
        user_id=request.user.pk,
        act=act,
        now=clock.now(),
    )
    return _to(request, "order_review", shown)


@require_http_methods(["GET", "HEAD", "POST"])
def review(request: PortalRequest, review: UUID) -> HttpResponse:
    """Show what an order changes and what it costs; by POST, carry it out. Rule: S1-23, F51, F54."""
    found = _found(request, review)
    if request.method != "POST":
        return _shown(request, found)
    if "again" in request.POST:
        return _again(request, found)
    try:
        outcome = services.save(
            organisation_id=request.organisation.pk,
            review_id=review,
            actor=f"user:{request.user.pk}",
            now=clock.now(),
        )
    except (services.Expired, Refusal):
        # The page itself says what stands in the way now.
        return _shown(request, found, status=409)
    if isinstance(outcome, services.Differs):
        return _to(request, "order_review", outcome.review)
    if not outcome.is_new:
        messages.info(request, _("This was saved before; nothing was changed a second time."))
    return _to(request, "order_receipt", outcome.review)


@require_safe
def receipt(request: PortalRequest, review: UUID) -> HttpResponse:
    """Show what was ordered, as it was shown and saved. Rule: S1-23."""
    found = _found(request, review)
    if found.state != ReviewState.SAVED:
        return _to(request, "order_review", found)
    vendor = plans.vendor_for_pages()
    zone = plans.zone_for_pages()
    act = told.act_of(found)
    currency = request.organisation.currency
    context = {
        "organisation": request.organisation,
        "review": found,
        "title": told.title(act),
        "changes": told.changes(found.shown, found.created_at, zone, done=True),
        "fees": told.fees(found.shown, currency),
        "billed": told.when_billed(found.shown, currency),
        "way_back": told.way_back(act),
        "saved_by": found.user.name or found.user.email,
        "zone": vendor.time_zone,
    }
    return render(request, "ordering/receipt.html", context)


def _found(request: PortalRequest, public_id: UUID) -> Review:
    found = review_of(request.organisation, public_id)
    if found is None:
        raise Http404
    return found


def _shown(request: PortalRequest, found: Review, *, status: int = 200) -> HttpResponse:
    """Show a review as it stands: to be saved, expired, refused by now, or gone on elsewhere."""
    if found.state == ReviewState.SAVED:
        return _to(request, "order_receipt", found)
    if found.state == ReviewState.REPLACED:
        return _to(request, "order_review", found.replaced_by)
    now = clock.now()
    organisation, zone = request.organisation, plans.zone_for_pages()
    act = told.act_of(found)
    context: dict[str, Any] = {
        "organisation": organisation,
        "review": found,
        "title": told.title(act),
        "zone": plans.vendor_for_pages().time_zone,
        "differences": told.differences(found),
        "is_expired": now >= found.expires_at,
        "back": _back(act, organisation),
    }
    try:
        quote = proposals.quote(organisation, act, now=now)
    except Refusal as refusal:
        context["refused"] = refusals.told(refusal, organisation, zone)
        return render(request, "ordering/review.html", context, status=status)
    currency = organisation.currency
    bound = quote.proposal.binding
    context |= {
        "has_changed": bool(binding.differences(found.shown, bound)),
        "changes": told.changes(bound, now, zone, done=False),
        "billed": told.when_billed(bound, currency),
        "months": bills.months(quote.months, currency),
        "bases": bills.bases(quote.months),
        "way_back": told.way_back(act),
        "as_of": now,
    }
    return render(request, "ordering/review.html", context, status=status)


def _back(act: Act, organisation: Organisation) -> str:
    """Return the page that an order was begun on."""
    page = "plan" if isinstance(act, ChangePlan) else "order"
    return reverse(page, kwargs={"organisation": organisation.public_id})


def _again(request: PortalRequest, found: Review) -> HttpResponse:
    """Have the same order shown anew, with what holds now."""
    try:
        return begin(request, told.act_of(found))
    except Refusal:
        return _shown(request, found, status=409)


def _to(request: PortalRequest, page: str, found: Review) -> HttpResponse:
    return redirect(page, organisation=request.organisation.public_id, review=found.public_id)

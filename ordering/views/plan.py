"""The tab Plan & Payment Method: what is contracted, and how it is paid. Rule: S1-13."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import PortalRequest
from core import clock
from ordering.views import shown
from payments.views import methods
from plans import queries as plans


@require_safe
def plan(request: PortalRequest) -> HttpResponse:
    """Show what is contracted, and how it is paid. Rule: S1-03, S1-13, S1-14."""
    now = clock.now()
    organisation = request.organisation
    selected = plans.selections_at(organisation, now)
    terms = plans.terms_for_pages(
        [each.plan_version_id for each in selected.values()], organisation.currency
    )
    context = {
        "organisation": organisation,
        "plan_rows": shown.plan_rows(selected, terms),
        "plan_page_url": plans.vendor_for_pages().plan_page_url,
        "methods": methods.standing(organisation, now),
    }
    return render(request, "ordering/plan.html", context)

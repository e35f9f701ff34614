"""The tab Plan & Payment Method: what is contracted, and how it is paid. Rule: S1-13."""

from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import PortalRequest
from core import clock
from ordering.queries import proposals
from ordering.views import shown
from payments.views import methods
from plans import queries as plans
from plans.enums import Category


@require_safe
def plan(request: PortalRequest) -> HttpResponse:
    """Show what is contracted, what is to follow, and how it is paid. Rule: S1-03, S1-13, S1-19."""
    now = clock.now()
    organisation, vendor = request.organisation, plans.vendor_for_pages()
    zone = ZoneInfo(vendor.time_zone)
    timeline = plans.timeline(organisation, now=now)
    party = proposals.party(organisation, vendor)
    context = {
        "organisation": organisation,
        "plans": [shown.plan(each, timeline, party, now=now, zone=zone) for each in Category],
        "plan_page_url": vendor.plan_page_url,
        "methods": methods.standing(organisation, now),
    }
    return render(request, "ordering/plan.html", context)

"""The accounts in use: what a licence may not fall below. Rule: S1-25."""

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts import queries as accounts
from accounts.access import PortalRequest
from core import clock
from plans import queries as plans
from plans.enums import Category

_ON_A_PAGE = 50


@require_safe
def in_use(request: PortalRequest) -> HttpResponse:
    """List the accounts in use, the newest first, and how many the plan allows."""
    now = clock.now()
    present = plans.timeline(request.organisation, now=now).at(Category.LICENCE, now)
    page = Paginator(accounts.active_memberships(request.organisation), _ON_A_PAGE).get_page(
        request.GET.get("page")
    )
    context = {
        "organisation": request.organisation,
        "page": page,
        "allowed": present.accounts if present else None,
        "zone": plans.vendor_for_pages().time_zone,
    }
    return render(request, "ordering/accounts.html", context)

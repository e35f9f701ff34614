from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts import queries as accounts
from accounts.access import PortalRequest, SignedInRequest
from accounts.enums import Role
from accounts.models import Membership
from pages import showcase
from plans import queries as plans

_WITH_PAGES = frozenset({Role.ROOT, Role.MANAGER})


@require_safe
def home(request: SignedInRequest) -> HttpResponse:
    """Lead to the one page that a person has; else show which there are. Rule: S1-07."""
    found = list(accounts.memberships_of(request.user))
    if len(found) != 1:
        return render(request, "pages/home.html", {"choices": [_choice(one) for one in found]})
    membership = found[0]
    if membership.role in _WITH_PAGES:
        return redirect("usage", organisation=membership.organisation.public_id)
    return _member(request, membership)


@require_safe
def usage(request: PortalRequest) -> HttpResponse:
    """Show a month's usage and what it costs. Rule: S1-07, S1-08, S1-09, S1-10."""
    return render(request, "base.html")


@require_safe
def components(request: HttpRequest) -> HttpResponse:
    """Show every component in every state, to staff."""
    return render(request, "pages/components.html", showcase.everything(request))


def _choice(membership: Membership) -> dict[str, Any]:
    organisation = membership.organisation
    return {
        "name": organisation.name,
        "role": membership.get_role_display(),
        "url": reverse("usage", kwargs={"organisation": organisation.public_id})
        if membership.role in _WITH_PAGES
        else "",
    }


def _member(request: HttpRequest, membership: Membership) -> HttpResponse:
    context = {
        "organisation": membership.organisation,
        "root": accounts.root_of(membership.organisation),
        "since": membership.registered_at.astimezone(plans.zone_for_pages()).date(),
    }
    return render(request, "pages/member.html", context)

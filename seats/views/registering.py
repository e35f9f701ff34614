"""Registering one person by invitation. Rule: S2-19."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.access import PortalRequest
from core import clock
from plans import queries as plans
from seats.forms.accounts import Registration
from seats.queries import groups as group_queries
from seats.services import accounts, groups, invitations
from seats.views import places, words
from seats.views.words import Refused, Way


@require_http_methods(["GET", "HEAD", "POST"])
def register(request: PortalRequest) -> HttpResponse:
    """Show the form; by POST, register a person, who counts at once and is written to."""
    organisation = request.organisation
    known = list(group_queries.groups_of(organisation))
    if request.method != "POST":
        return _page(request, Registration(groups=known))
    form = Registration(request.POST, groups=known)
    if not form.is_valid():
        return _page(request, form, status=400)
    try:
        membership = invitations.invite(
            organisation_id=organisation.pk,
            email=form.cleaned_data["email"],
            name=form.cleaned_data["name"],
            role=form.chosen_role,
            group_ids=form.group_ids,
            actor=str(request.user),
            now=clock.now(),
        )
    except accounts.Full as refusal:
        return _page(request, form, words.full(organisation, refusal), status=409)
    except accounts.RegisteredBefore as refusal:
        return _page(request, form, _known(request, refusal), status=409)
    except invitations.JustSent:
        return _page(request, form, Refused(str(words.JUST_SENT)), status=409)
    except groups.NoSuchGroup:
        told = Refused(_("The group was deleted meanwhile. Nobody was registered."))
        return _page(request, Registration(request.POST, groups=known), told, status=409)
    messages.success(request, _registered(request, membership.user.email, membership.public_id))
    return redirect("accounts", organisation=organisation.public_id)


def _registered(request: PortalRequest, email: str, public_id: object) -> str:
    href = reverse(
        "account", kwargs={"organisation": request.organisation.public_id, "account": public_id}
    )
    told = _("%(email)s is registered, and the invitation is on its way.") % {"email": email}
    return format_html('{} <a href="{}">{}</a>', told, href, _("See the account"))


def _known(request: PortalRequest, refusal: accounts.RegisteredBefore) -> Refused:
    membership = refusal.membership
    href = reverse(
        "account",
        kwargs={"organisation": request.organisation.public_id, "account": membership.public_id},
    )
    told = (
        _("This address has an account with your organisation already, which is deactivated.")
        if membership.deactivated_at
        else _("This address has an account with your organisation already.")
    )
    return Refused(told, (Way(_("See the account"), href),))


def _page(
    request: PortalRequest, form: Registration, refused: Refused | None = None, status: int = 200
) -> HttpResponse:
    context = {
        "organisation": request.organisation,
        "form": form,
        "refused": refused,
        "places": places.of(request.organisation, clock.now(), plans.zone_for_pages()),
    }
    return render(request, "seats/register.html", context, status=status)

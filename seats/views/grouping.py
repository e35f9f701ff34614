"""Groups: those that the root makes, and "Auto Deactivation", which makes itself. Rule: S2-11."""

from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from accounts.access import PortalRequest
from core import clock
from plans import queries as plans
from seats.forms.accounts import AUTO, GroupName
from seats.models import Group
from seats.queries import accounts as account_queries
from seats.queries import groups as queries
from seats.queries.accounts import Search
from seats.services import groups as services
from seats.views import shown
from seats.views.several import MOST

_PAGE = require_http_methods(["GET", "HEAD", "POST"])


@_PAGE
def groups(request: PortalRequest) -> HttpResponse:
    """Show the groups; by POST, make one."""
    form = GroupName(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            made = services.create(
                organisation_id=request.organisation.pk,
                name=form.cleaned_data["name"],
                actor=str(request.user),
                now=clock.now(),
            )
        except _REFUSALS as refusal:
            form.add_error("name", _told(refusal))
        else:
            messages.success(request, _("The group “%(name)s” is made.") % {"name": made.name})
            return _to_group(request, made)
    context = {
        "organisation": request.organisation,
        "form": form,
        "groups": list(queries.with_sizes(request.organisation)),
        "automatic": account_queries.in_auto_deactivation(request.organisation),
        "automatic_url": f"{_list(request)}?{urlencode({'group': AUTO})}",
    }
    return render(request, "seats/groups.html", context, status=400 if form.errors else 200)


@_PAGE
def group(request: PortalRequest, group: UUID) -> HttpResponse:
    """Show a group and who is in it; by POST, rename or delete it, or take accounts out."""
    found = queries.group(request.organisation, group)
    if found is None:
        raise Http404
    form = GroupName(initial={"name": found.name})
    if request.method == "POST":
        match request.POST.get("act"):
            case "delete":
                return _delete(request, found)
            case "take_out":
                _take_out(request, found)
                return _to_group(request, found)
            case _:
                form = GroupName(request.POST)
                if _is_renamed(request, found, form):
                    return _to_group(request, found)
    zone = plans.zone_for_pages()
    members = account_queries.with_groups(
        account_queries.found(request.organisation, Search(group_id=found.pk))
    )
    page = Paginator(members, account_queries.PAGE).get_page(request.GET.get("page"))
    context = {
        "organisation": request.organisation,
        "group": found,
        "form": form,
        "page": page,
        "rows": shown.rows(request.organisation, list(page), zone),
        "asks_deletion": request.method == "GET" and request.GET.get("act") == "delete",
    }
    return render(request, "seats/group.html", context, status=400 if form.errors else 200)


def _is_renamed(request: PortalRequest, found: Group, form: GroupName) -> bool:
    if not form.is_valid():
        return False
    try:
        services.rename(
            organisation_id=request.organisation.pk,
            group_id=found.pk,
            name=form.cleaned_data["name"],
            actor=str(request.user),
            now=clock.now(),
        )
    except _REFUSALS as refusal:
        form.add_error("name", _told(refusal))
        return False
    except services.NoSuchGroup:
        raise Http404 from None
    messages.success(request, _("The name is saved."))
    return True


def _delete(request: PortalRequest, found: Group) -> HttpResponse:
    try:
        services.delete(
            organisation_id=request.organisation.pk,
            group_id=found.pk,
            actor=str(request.user),
            now=clock.now(),
        )
    except services.NoSuchGroup:
        messages.info(request, _("The group was deleted before."))
    else:
        told = _("The group “%(name)s” is deleted; its accounts stay.") % {"name": found.name}
        messages.success(request, told)
    return redirect("accounts_groups", organisation=request.organisation.public_id)


def _take_out(request: PortalRequest, found: Group) -> None:
    chosen = [each for each in request.POST.getlist("account")[:MOST] if _is_id(each)]
    accounts = account_queries.several(request.organisation, [UUID(each) for each in chosen])
    try:
        number = services.take_out(
            organisation_id=request.organisation.pk,
            group_id=found.pk,
            membership_ids=[each.pk for each in accounts],
            actor=str(request.user),
            now=clock.now(),
        )
    except services.NoSuchGroup:
        raise Http404 from None
    if not number:
        messages.info(request, _("Tick the accounts to take out of the group first."))
        return
    told = ngettext(
        "%(number)s account is taken out of the group.",
        "%(number)s accounts are taken out of the group.",
        number,
    )
    messages.success(request, told % {"number": number})


_REFUSALS = (services.NameTaken, services.NameReserved, services.NoName, services.TooMany)


def _told(refusal: Exception) -> str:
    match refusal:
        case services.NameTaken():
            return _("There is a group of this name already.")
        case services.NameReserved():
            return _("This name belongs to the group that the portal keeps by itself.")
        case services.TooMany():
            return _("There are %(most)s groups; delete one first.") % {"most": services.MOST}
        case _:
            return _("A name has 1 to 80 characters.")


def _is_id(written: str) -> bool:
    try:
        UUID(written)
    except ValueError:
        return False
    return True


def _to_group(request: PortalRequest, found: Group) -> HttpResponse:
    return redirect(
        "accounts_group", organisation=request.organisation.public_id, group=found.public_id
    )


def _list(request: PortalRequest) -> str:
    return reverse("accounts", kwargs={"organisation": request.organisation.public_id})

"""One account: who it is, how it stands, and what can be done with it."""

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.access import PortalRequest
from accounts.enums import Role
from accounts.models import Membership
from core import clock
from core.templatetags.writing import moment
from plans import queries as plans
from seats.enums import Act, Status
from seats.forms.accounts import RoleChange
from seats.queries import accounts as queries
from seats.services import accounts, invitations
from seats.views import several, shown
from seats.views.places import Fact

_Doing = Callable[[PortalRequest, Membership], None]


@require_http_methods(["GET", "HEAD", "POST"])
def account(request: PortalRequest, account: UUID) -> HttpResponse:
    """Show an account; by POST, change its role or write to the person again."""
    found = queries.account(request.organisation, account)
    if found is None:
        raise Http404
    if request.method == "POST":
        _ACTS.get(request.POST.get("act", ""), _nothing)(request, found)
        return redirect(
            "account", organisation=request.organisation.public_id, account=found.public_id
        )
    return render(request, "seats/account.html", _context(request, found))


def _context(request: PortalRequest, found: Membership) -> dict[str, object]:
    organisation, zone = request.organisation, plans.zone_for_pages()
    cause = queries.causes(organisation, [found]).get(found.deactivation_id or 0)
    row = shown.row(found, cause, zone)
    status = queries.status_of(found, shown.seen(found))
    is_root = row.is_root
    return {
        "organisation": organisation,
        "account": found,
        "row": row,
        "facts": _facts(found, row, status, str(zone)),
        "is_invited": status is Status.INVITED,
        "role_form": None if is_root else RoleChange(initial={"role": found.role}),
        "group_url": several.url_of(organisation, Act.GROUP, [found]),
        "deactivate_url": several.url_of(organisation, Act.DEACTIVATE, [found])
        if status is not Status.DEACTIVATED and not is_root
        else "",
        "reactivate_url": several.url_of(organisation, Act.REACTIVATE, [found])
        if status is Status.DEACTIVATED
        else "",
        "delete_url": "" if is_root else several.url_of(organisation, Act.DELETE, [found]),
    }


def _facts(found: Membership, row: shown.Row, status: Status, zone: str) -> list[Fact]:
    facts = [
        Fact(_("E-mail address"), row.email),
        Fact(_("Name"), row.name or _("not given")),
        Fact(_("Role"), row.role),
        Fact(_("Groups"), row.groups or _("none")),
        Fact(_("Registered"), moment(found.registered_at, zone)),
    ]
    seen_at = shown.seen(found)
    facts.append(Fact(_("Last sign-in"), moment(seen_at, zone) if seen_at else _("not yet")))
    if row.why:
        facts.append(Fact(_("Deactivated"), row.why))
    invitation = getattr(found, "invitation", None)
    if status is Status.INVITED and invitation is not None:
        facts.append(Fact(_("Last invitation"), moment(invitation.sent_at, zone)))
    return facts


def _set_role(request: PortalRequest, found: Membership) -> None:
    form = RoleChange(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose one of the roles. The role is as it was."))
        return
    try:
        is_new = accounts.set_role(
            organisation_id=request.organisation.pk,
            membership_id=found.pk,
            role=Role(form.cleaned_data["role"]),
            actor=str(request.user),
            now=clock.now(),
        )
    except accounts.OfTheRoot:
        messages.error(request, _("The root account stays as it is. Support can hand it over."))
        return
    if is_new:
        messages.success(request, _("The role is changed. It holds from the next page on."))
    else:
        messages.info(request, _("The account has this role already; nothing was changed."))


def _invite_again(request: PortalRequest, found: Membership) -> None:
    try:
        invitations.send_again(
            organisation_id=request.organisation.pk,
            membership_id=found.pk,
            actor=str(request.user),
            now=clock.now(),
        )
    except invitations.JustSent:
        messages.info(
            request,
            _("An invitation was sent some minutes ago. Wait five minutes for another one."),
        )
    except invitations.NotWaiting:
        messages.info(
            request,
            _("The person has signed in, or the account is deactivated: no invitation was sent."),
        )
    else:
        messages.success(
            request, _("The invitation is sent again. A link that was sent before works no more.")
        )


def _nothing(request: PortalRequest, found: Membership) -> None:
    messages.error(request, _("Nothing was changed."))


_ACTS: dict[str, _Doing] = {"role": _set_role, "invite": _invite_again}

"""The page that an invitation leads to: a person sets a password, once. Rule: F60, F77."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from core import clock
from seats.forms.accounts import NewPassword
from seats.queries import invitations as queries
from seats.services import invitations


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Ask an invited person for a password; by POST, set it and lead to the sign-in."""
    now = clock.now()
    found = queries.open_with(token, now)
    if found is None:
        return _dead(request)
    user = found.membership.user
    form = NewPassword(request.POST if request.method == "POST" else None, user=user)
    if request.method != "POST" or not form.is_valid():
        context = {
            "form": form,
            "organisation": found.membership.organisation.name,
            "email": user.email,
        }
        status = 400 if form.errors else 200
        return render(request, "seats/invitation.html", context, status=status)
    try:
        invitations.accept(token=token, password=form.cleaned_data["password"], now=now)
    except invitations.LinkIsDead:
        return _dead(request)
    messages.success(request, _("Your password is set. Sign in with it now."))
    return redirect("account_login")


def _dead(request: HttpRequest) -> HttpResponse:
    return render(request, "seats/invitation_dead.html", status=410)

"""Sessions end by time; pages open by the access matrix, and by nothing else."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import ResolverMatch
from django.utils.module_loading import import_string
from django_htmx.http import HttpResponseClientRedirect

from accounts import queries
from accounts.access import Access, Audience
from core import clock

log = logging.getLogger(__name__)

_STARTED, _SEEN = "started_at", "seen_at"


class SessionLifetimeMiddleware:
    """End a session 30 minutes after its last request and 12 hours after its first (ASVS 7.3.1, 7.3.2)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated:
            self._check(request)
        return self.get_response(request)

    def _check(self, request: HttpRequest) -> None:
        now = clock.now()
        session = request.session
        started = _instant(session.get(_STARTED)) or now
        seen = _instant(session.get(_SEEN)) or now
        if now - seen > settings.SESSION_IDLE or now - started > settings.SESSION_LIFETIME:
            logout(request)
            return
        if _STARTED not in session:
            session[_STARTED] = now.isoformat()
        # One write a minute is enough for a limit of 30.
        if _SEEN not in session or (now - seen).total_seconds() > 60:
            session[_SEEN] = now.isoformat()


class AccessMiddleware:
    """Let a request through to its page as the matrix says; a page without a row opens to nobody.

    On pages of an organisation (`<uuid:organisation>` in the URL) it sets `request.organisation`
    and `request.membership`. Another organisation's page is a 404, like one that does not exist;
    a page that the role may not open is a 403. Rule: S1-07, ASVS 8.2.1, 8.2.2.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.matrix: Mapping[str, Access] = import_string(settings.PORTAL_ACCESS)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: Any, view: Callable[..., HttpResponse], args: Any, kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        match: ResolverMatch = request.resolver_match
        access = access_to(match, self.matrix)
        if access is None:
            log.error("page without a row in the access matrix: %s", match.view_name)
            raise PermissionDenied
        if access.audience in {Audience.ANYONE, Audience.API_KEY}:
            return None
        if not request.user.is_authenticated:
            return _to_sign_in(request)
        if access.audience is Audience.SIGNED_IN:
            return None
        if access.audience is Audience.STAFF:
            if not request.user.is_staff:
                raise PermissionDenied
            return None
        self._enter(request, access, kwargs)
        return None

    def _enter(self, request: Any, access: Access, kwargs: dict[str, Any]) -> None:
        membership = queries.membership(request.user, kwargs.pop("organisation"))
        if membership is None:
            log.warning("refused: not a member", extra={"user": request.user.pk})
            raise Http404
        request.membership = membership
        request.organisation = membership.organisation
        if membership.role not in access.roles:
            log.warning("refused: role", extra={"user": request.user.pk})
            raise PermissionDenied


def access_to(match: ResolverMatch, matrix: Mapping[str, Access]) -> Access | None:
    """Return the row for a page: by its name, else by its namespace (`admin:*`)."""
    by_namespace = matrix.get(f"{match.namespaces[0]}:*") if match.namespaces else None
    return matrix.get(match.view_name) or by_namespace


def _to_sign_in(request: Any) -> HttpResponse:
    if request.htmx:
        # A redirect would be followed by htmx and swap the sign-in page into the part.
        back = redirect_to_login(request.htmx.current_url_abs_path or "/")
        return HttpResponseClientRedirect(back.url)
    return redirect_to_login(request.get_full_path())


def _instant(written: str | None) -> datetime | None:
    return datetime.fromisoformat(written) if written else None

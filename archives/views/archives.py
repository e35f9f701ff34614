"""Take your data along: ask for the archive, watch it being made, fetch it. Rule: S1-29, F77."""

from uuid import UUID

from django.contrib import messages
from django.core import signing
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.access import PortalRequest
from archives.enums import ArchiveState
from archives.models import Archive
from archives.queries import archives as queries
from archives.services import making
from cancellation.queries import standing
from core import clock
from core.months import last_day
from plans import queries as plans

_SALT = "archives.fetch"
# Seconds for which a link to the file works; the page makes a new one each time it is opened.
LINK_HOLDS = 3600


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def archive(request: PortalRequest) -> HttpResponse:
    """Show the newest archive and how far it is; by POST, ask for one."""
    if request.method == "POST":
        making.ask(
            organisation_id=request.organisation.pk, user_id=request.user.pk, now=clock.now()
        )
        return redirect("archive", request.organisation.public_id)
    latest = queries.archives_of(request.organisation).first()
    cancellation = standing.of(request.organisation)
    context = {
        "organisation": request.organisation,
        "archive": latest,
        "is_waiting": latest is not None and latest.state == ArchiveState.WAITING,
        "is_stuck": latest is not None
        and latest.state == ArchiveState.WAITING
        and queries.is_stuck(latest),
        "fetch_url": _fetch_url(request, latest) if latest else "",
        "zone": plans.zone_for_pages(),
        "data_until": last_day(cancellation.data_until_on) if cancellation else None,
    }
    template = "archives/_archive.html" if request.htmx else "archives/archive.html"
    return render(request, template, context)


@never_cache
@require_safe
def fetch(request: PortalRequest, archive: UUID) -> HttpResponseBase:
    """Hand out the file: to who is signed in as root, by a link made for that user a short while ago."""
    if not queries.archives_of(request.organisation).filter(public_id=archive).exists():
        raise Http404
    found = queries.to_fetch(request.organisation, archive, clock.now())
    if found is None or not _is_signed(request, archive):
        messages.info(request, _("This link works no more. Below you get a new one."))
        return redirect("archive", request.organisation.public_id)
    response = StreamingHttpResponse(queries.content(found), content_type="application/zip")
    name = f"{request.organisation.reference}-{found.made_at:%Y-%m-%d}.zip"
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response["Content-Length"] = str(found.size)
    return response


def _is_signed(request: PortalRequest, archive: UUID) -> bool:
    try:
        signed = signing.loads(request.GET.get("key", ""), salt=_SALT, max_age=LINK_HOLDS)
    except signing.BadSignature:
        return False
    return bool(signed == [str(archive), request.user.pk])


def _fetch_url(request: PortalRequest, archive: Archive) -> str:
    if archive.state != ArchiveState.READY or (
        archive.expires_at is not None and archive.expires_at <= clock.now()
    ):
        return ""
    url = reverse(
        "archive_file",
        kwargs={"organisation": request.organisation.public_id, "archive": archive.public_id},
    )
    key = signing.dumps([str(archive.public_id), request.user.pk], salt=_SALT)
    return f"{url}?key={key}"

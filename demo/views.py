"""The mails of a portal that is tried out: routed nowhere else (billing_portal.urls)."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from core.models import Mail
from demo import queries
from plans import queries as plans

# A mail is shown as a mail program would: it may be styled, and neither run nor load anything.
_AS_A_MAIL = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"


@require_safe
def mails(request: HttpRequest) -> HttpResponse:
    """List what the portal has mailed, the newest first."""
    page = Paginator(queries.mails(), queries.PAGE).get_page(request.GET.get("page"))
    found = list(page)
    context = {
        "page": page,
        "rows": list(zip(found, queries.states(found), strict=True)),
        "zone": plans.vendor_for_pages().time_zone,
    }
    return render(request, "demo/mails.html", context)


@require_safe
def mail(request: HttpRequest, mail: int) -> HttpResponse:
    """Show a mail as its plain text says it."""
    found = get_object_or_404(Mail, pk=mail)
    context = {
        "mail": found,
        "state": queries.states([found])[0],
        "zone": plans.vendor_for_pages().time_zone,
    }
    return render(request, "demo/mail.html", context)


@require_safe
def mail_html(request: HttpRequest, mail: int) -> HttpResponse:
    """Answer with a mail's HTML alone, as a page of its own that can do nothing."""
    found = get_object_or_404(Mail.objects.exclude(html=""), pk=mail)
    response = HttpResponse(found.html)
    response["Content-Security-Policy"] = _AS_A_MAIL
    return response

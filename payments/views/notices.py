"""Where the payment companies send their notices (webhooks). Rule: R8."""

import ipaddress
import logging
import math

from allauth.account.adapter import get_adapter
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError, transaction
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.views.decorators.common import no_append_slash
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from core import clock
from payments.gateways.base import BadNotice, NoticeUnverified
from payments.gateways.registry import NoSuchGateway
from payments.services import notices

log = logging.getLogger(__name__)

BODY_LIMIT = 256 * 1024


# The signature is what shows who sends: there is no session, no form and never a redirect, which
# would lose the body.
@csrf_exempt
@no_append_slash
@require_POST
@transaction.non_atomic_requests
def notice(request: HttpRequest, gateway: str) -> HttpResponse:
    """Take a notice and answer at once; what it is about is looked up later."""
    try:
        body = request.read(BODY_LIMIT + 1)
    except UnreadablePostError:  # the sender has hung up
        return HttpResponse(status=400)
    if len(body) > BODY_LIMIT:
        return HttpResponse(status=413)
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        notices.receive(
            slug=gateway, body=body, headers=headers, address=_address(request), now=clock.now()
        )
    except NoSuchGateway as unknown:
        raise Http404 from unknown
    except BadNotice:
        return HttpResponse(status=400)
    except notices.Flooded as flood:
        after = str(math.ceil(flood.retry_after.total_seconds()))
        return HttpResponse(status=429, headers={"Retry-After": after})
    except NoticeUnverified as fault:
        # Sent again it may find a better hour; the look-ups of each attempt do not wait for it.
        log.warning("NOTICE_UNVERIFIED", extra={"gateway": gateway, "reason": str(fault)})
        return HttpResponse(status=503, headers={"Retry-After": "60"})
    except (OperationalError, InterfaceError):
        log.exception("a notice could not be stored", extra={"gateway": gateway})
        return HttpResponse(status=503, headers={"Retry-After": "60"})
    return HttpResponse(status=200)


def _address(request: HttpRequest) -> str:
    """Return whom to count a notice against: the address, of IPv6 the network of a customer."""
    try:
        told: str = get_adapter().get_client_ip(request)
        address = ipaddress.ip_address(told)
    except (PermissionDenied, ValueError):
        return ""
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((address, 64), strict=False).network_address)

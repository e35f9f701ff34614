"""Telling the vendor's product of what changes by date alone."""

from datetime import datetime

from django.db import transaction

from accounts import services as accounts
from accounts.enums import Changed
from core import webhooks
from core.models import Watermark
from ordering.queries import borders
from plans import queries as plans

_LOOKED = "entitlements"
_AT_ONCE = 1000


@transaction.atomic
def tell(now: datetime) -> int:
    """Tell of every border that was passed since the last look, once; return of how many.

    Two looks at once share nothing: the second leaves it to the first. Rule: R1, docs/api.md.
    """
    try:
        zone = plans.vendor_zone()
    except plans.NoVendor:
        return 0
    Watermark.objects.get_or_create(name=_LOOKED, defaults={"at": now})
    looked = Watermark.objects.select_for_update(skip_locked=True).filter(name=_LOOKED).first()
    if looked is None or looked.at >= now:
        return 0
    passed = borders.passed(looked.at, now, zone) if webhooks.is_listened_to() else []
    for first in range(0, len(passed), _AT_ONCE):
        page = passed[first : first + _AT_ONCE]
        accounts.tell_entitlements_changed(page, reason=Changed.DATE, now=now)
    Watermark.objects.filter(name=_LOOKED).update(at=now)
    return len(passed)

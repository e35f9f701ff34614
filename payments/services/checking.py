"""Each night the books are audited; whose money is unsound is charged no more by itself.

`manage.py audit_books` only reads; this acts. Rule: reliability.md 3, R11.
"""

from collections import defaultdict
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts import services as accounts
from core import books, work
from core.books import Breach
from payments import jobs
from payments.models import ChargingStop
from payments.services import letters, stops
from plans import queries as plans

ACTOR = "system:audit"
OF_MONEY = frozenset({"I05", "I06", "I07", "I08", "I09"})
# When in the billing zone's day: month ends and reports are over by then.
_AFTER_MIDNIGHT = timedelta(hours=5)
_TOLD = 20


def check_books(*, now: datetime) -> tuple[Breach, ...]:
    """Stop automatic charging where the audit finds unsound money; return all that it found.

    An organisation that is named is stopped by itself; a breach that names none is told to staff.
    Nothing is lifted: staff do, when they have mended it.
    """
    found = books.breaches(
        now=now, among=[check for check in books.checks() if check.invariant in OF_MONEY]
    )
    of_organisation: dict[str, list[Breach]] = defaultdict(list)
    for breach in found:
        of_organisation[breach.ids.get("organisation", "")].append(breach)
    for named, breaches in sorted(of_organisation.items()):
        if named.isdecimal():
            _stop(int(named), breaches, now)
    nameless = [
        breach for each, told in of_organisation.items() if not each.isdecimal() for breach in told
    ]
    if nameless:
        with transaction.atomic():
            _alert(nameless, None, now)
    return tuple(found)


def plan(now: datetime) -> None:
    """Ask for the audit of the present day, once its time has come."""
    try:
        zone = plans.vendor_zone()
    except plans.NoVendor:
        return
    key = (now - _AFTER_MIDNIGHT).astimezone(zone).date().isoformat()
    if work.was_asked(jobs.CHECK_BOOKS, key):
        return
    with transaction.atomic():
        jobs.CHECK_BOOKS.enqueue(key=key, due_at=now)


@transaction.atomic
def _stop(organisation_id: int, breaches: list[Breach], now: datetime) -> None:
    scope = stops.of_organisation(organisation_id)
    # Stopped by hand or the night before: its reason stands, and staff know.
    if ChargingStop.objects.filter(scope=scope).exists():
        return
    accounts.lock(organisation_id)
    is_new = stops.stop(scope=scope, reason=str(breaches[0])[:400], actor=ACTOR, now=now)
    if is_new:
        _alert(breaches, organisation_id, now)


def _alert(breaches: list[Breach], organisation_id: int | None, now: datetime) -> None:
    letters.staff_alert(
        _("The books are unsound"),
        [str(breach) for breach in breaches[:_TOLD]],
        organisation_id=organisation_id,
        now=now,
    )

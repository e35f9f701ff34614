"""What a notice is about is looked up at the provider; what it says is not believed. Rule: R8, F15."""

import contextlib
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction

from core.canonical import Json
from core.work import NotYet
from payments.enums import DifferenceKind, NoticeState
from payments.gateways import registry
from payments.gateways.base import About, Account, Gateway
from payments.models import Charge, Difference, StoredNotice
from payments.queries import notices as queries
from payments.rules import matching
from payments.services import charges, methods, refunds

log = logging.getLogger(__name__)

_AGAIN_AFTER, _PATIENCE = timedelta(minutes=3), timedelta(minutes=10)


def process(*, notice_id: int, now: datetime) -> NoticeState:
    """Look up what a notice is about, once; return what became of it. Safe to run again.

    What looks like ours and is not in our books becomes a difference that staff look into. Raises
    NoSuchGateway, and NotYet where a refund of ours under way may be what it is about.
    """
    notice = StoredNotice.objects.get(pk=notice_id)
    if notice.state != NoticeState.RECEIVED:
        return NoticeState(notice.state)
    gateway = registry.gateway(notice.gateway)
    match About(notice.about):
        case About.CHARGE:
            is_ours = _look_at_charges(notice, gateway, now)
        case About.REFUND:
            is_ours = _look_at_refunds(notice, gateway, now)
        case About.PAYER:
            is_ours = _look_at_payers(notice, gateway, now)
        case About.NOTHING:
            is_ours = False
    state = NoticeState.PROCESSED if is_ours else NoticeState.IGNORED
    StoredNotice.objects.filter(pk=notice_id, state=NoticeState.RECEIVED).update(
        state=state, processed_at=now
    )
    return state


def _look_at_charges(notice: StoredNotice, gateway: Gateway, now: datetime) -> bool:
    names = _names(notice)
    found = queries.charges_named(notice.gateway, gateway.account, names)
    for charge in found:
        _look(charge, now)
        charge.refresh_from_db()
        if queries.is_paid_otherwise(charge, names):
            _note(notice, gateway.account, names[0], now, charge=charge)
    if found:
        return True
    if any(matching.is_our_key(name) for name in names):
        _note(notice, gateway.account, names[0], now)
        return True
    return False


def _look(charge: Charge, now: datetime) -> None:
    try:
        charges.look(charge_id=charge.pk, now=now)
    except charges.ForAPerson:
        # Staff are told by the look that comes round by itself.
        log.info("a notice brought no decision", extra={"charge": charge.pk})


def _look_at_refunds(notice: StoredNotice, gateway: Gateway, now: datetime) -> bool:
    names = _names(notice)
    for refund in queries.refunds_named(notice.gateway, gateway.account, names):
        refunds.look(refund_id=refund.pk, now=now)
    captures = queries.charges_named(notice.gateway, gateway.account, names)
    nameless = queries.nameless_refunds([charge.pk for charge in captures])
    for refund in nameless:
        refunds.look(refund_id=refund.pk, now=now)
    if queries.refunds_named(notice.gateway, gateway.account, names):
        return True
    if queries.nameless_refunds([charge.pk for charge in captures]):
        if now - notice.received_at < _PATIENCE:
            raise NotYet(now + _AGAIN_AFTER)
        return True  # which of both it is, the comparison of the night tells
    for charge in captures:
        _note(notice, gateway.account, names[0], now, charge=charge)
    return bool(captures)


def _look_at_payers(notice: StoredNotice, gateway: Gateway, now: datetime) -> bool:
    found = queries.methods_named(notice.gateway, gateway.account, _names(notice))
    for method in found:
        with contextlib.suppress(
            methods.ReviewTooLong
        ):  # of which staff are told by the usual look
            methods.look_at(method_id=method.pk, now=now)
    return bool(found)


@transaction.atomic
def _note(
    notice: StoredNotice,
    account: Account,
    reference: str,
    now: datetime,
    *,
    charge: Charge | None = None,
) -> None:
    """Have staff look into what the provider seems to have and we do not. Rule: I08."""
    names: list[Json] = list(_names(notice))
    Difference.objects.get_or_create(
        gateway=notice.gateway,
        environment=account.environment,
        kind=DifferenceKind.MISSING_HERE,
        reference=reference,
        resolved_at=None,
        defaults={
            "organisation_id": charge.organisation_id if charge else None,
            "charge": charge,
            "found_at": now,
            "detail": {
                "by": "notice",
                "notice": notice.event_id,
                "kind": notice.kind,
                "names": names,
            },
        },
    )


def _names(notice: StoredNotice) -> Sequence[str]:
    return tuple(str(name) for name in notice.references)

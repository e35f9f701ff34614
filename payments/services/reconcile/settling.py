"""What the provider's books have decided, and ours have not, is settled before they are compared."""

import logging
from datetime import datetime

from django.db import transaction

from accounts import services as accounts
from payments.enums import ChargeState
from payments.gateways.base import Gateway
from payments.models import Charge
from payments.queries.reconciling import Rows
from payments.rules.matching import Entry, Standing, Way
from payments.services import charges, refunds
from payments.services.moves import MovedBefore, move_charge
from payments.services.reconcile.facts import ACTOR, Compared

log = logging.getLogger(__name__)


def settle(gateway: Gateway, compared: Compared, now: datetime) -> bool:
    """Have what the provider has decided, and we have not, looked up; return whether any was."""
    done = False
    for finding in compared.comparison.different:
        row, told = finding.ours, finding.theirs[0] if finding.theirs else None
        if row is not None and told is not None and row.standing is Standing.OPEN:
            _look(row, told, compared.rows, now)
            done = True
        elif row is None and told is not None:
            done = _book_taken_back(gateway, told, now) or done
    return done


def _look(row: Entry, told: Entry, rows: Rows, now: datetime) -> None:
    if row.name in rows.refunds:
        refunds.look(refund_id=rows.refunds[row.name].pk, now=now)
        return
    charge = rows.charges[row.name]
    if charge.state == ChargeState.PREPARED:
        _doubt(charge, told.at, now)
    try:
        charges.look(charge_id=charge.pk, now=now)
    except charges.ForAPerson:
        log.info("the provider's books brought no decision", extra={"charge": charge.pk})


@transaction.atomic
def _doubt(charge: Charge, sent_at: datetime, now: datetime) -> None:
    """Note that an attempt was sent that our books, restored from a backup, only intend. Rule: F37."""
    accounts.lock(charge.organisation_id)
    try:
        move_charge(
            charge,
            ChargeState.SENT,
            actor=ACTOR,
            now=now,
            called_at=sent_at,
            sent_at=sent_at,
            step="capture",
        )
        move_charge(charge, ChargeState.UNDECIDED, actor=ACTOR, now=now, code="in_their_books")
    except MovedBefore:
        log.info("an attempt was sent meanwhile", extra={"charge": charge.pk})


def _book_taken_back(gateway: Gateway, told: Entry, now: datetime) -> bool:
    """Book money that went back past us, of a capture of ours; return whether it is booked. Rule: F19."""
    if told.way is not Way.OUT or told.standing is not Standing.MOVED or not told.parent:
        return False
    charge = Charge.objects.filter(
        gateway=gateway.slug,
        environment=gateway.account.environment,
        merchant=gateway.account.merchant,
        capture=told.parent,
        state=ChargeState.SUCCEEDED,
        currency=told.currency,
    ).first()
    if charge is None:
        return False
    booked = refunds.record_reversal(
        charge_id=charge.pk,
        reference=told.reference,
        amount=told.amount,
        code="in_their_books",
        now=now,
        actor=ACTOR,
    )
    return booked is not None

"""What staff say of an attempt that the portal cannot decide by itself. Rule: F05, F09, R12."""

from datetime import datetime

from core.work import ReasonMissing
from payments.enums import ChargeState
from payments.gateways import registry
from payments.gateways.base import (
    Account,
    AnswerLost,
    Declined,
    GatewayMisconfigured,
    GatewayUnreachable,
    Pending,
    Settled,
    Undecided,
)
from payments.models import Charge
from payments.rules import dunning
from payments.services.charges.calls import ask, asked
from payments.services.charges.facts import NotNow, Stopped, check_account
from payments.services.charges.results import (
    DIFFERS,
    book_as_told,
    give_up,
    is_meant,
    settle,
)


class NotDiffering(Exception):
    """The provider's answer to this attempt does not differ from what was asked, or not any more."""


class StillDiffers(Exception):
    """What the provider tells cannot be this payment: its amount or account is another."""


def decide_not_taken(*, charge_id: int, reason: str, actor: str, now: datetime) -> bool:
    """Have staff say that an undecided attempt took nothing, after the provider was asked once more.

    Return False where it is decided meanwhile or the provider still has it under way. An answer that
    differs, and was seen to before, is no obstacle: staff say that it is another payment, or that it
    was given back. Raises ReasonMissing, AccountDiffers; NotNow, Stopped where it cannot be asked.
    """
    charge = _undecided(charge_id, reason)
    if charge is None:
        return False
    try:
        outcome = ask(charge, registry.gateway(charge.gateway))
    except (GatewayUnreachable, AnswerLost) as fault:
        raise NotNow(dunning.next_call(1, now)) from fault
    except GatewayMisconfigured as fault:
        raise Stopped(str(fault)) from fault
    if isinstance(outcome, Undecided) and not outcome.was_told:
        raise NotNow(dunning.next_call(1, now))
    is_known_to_differ = (
        charge.code == DIFFERS and isinstance(outcome, Settled) and not is_meant(charge, outcome)
    )
    if isinstance(outcome, Settled | Declined | Pending) and not is_known_to_differ:
        settle(charge_id=charge_id, outcome=outcome, now=now, actor=actor)
        return False
    return give_up(charge_id, {ChargeState.UNDECIDED}, "not_taken", actor, now, reason.strip())


def decide_taken(*, charge_id: int, reason: str, actor: str, now: datetime) -> Charge:
    """Have staff say that what the provider told of an attempt is this payment, its names apart.

    The provider is asked once more; amount, currency and account have to be what was asked for.
    Raises ReasonMissing, AccountDiffers, NotDiffering, StillDiffers, BookedBefore.
    """
    charge = _undecided(charge_id, reason)
    if charge is None or charge.code != DIFFERS:
        raise NotDiffering
    outcome = asked(charge, registry.gateway(charge.gateway))
    if not isinstance(outcome, Settled):
        raise StillDiffers
    told = (outcome.amount, outcome.currency, outcome.account)
    if told != (charge.amount, charge.currency, Account(charge.environment, charge.merchant)):
        raise StillDiffers
    return book_as_told(charge_id=charge_id, outcome=outcome, reason=reason, actor=actor, now=now)


def _undecided(charge_id: int, reason: str) -> Charge | None:
    """Return an attempt, or None if it is not undecided. Raises ReasonMissing, AccountDiffers."""
    if not reason.strip():
        raise ReasonMissing
    charge = Charge.objects.select_related("method").get(pk=charge_id)
    if charge.state != ChargeState.UNDECIDED:
        return None
    check_account(charge, registry.gateway(charge.gateway))
    return charge

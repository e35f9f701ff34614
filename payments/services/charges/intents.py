"""An attempt's intent: stored and committed before anything is sent. Rule: R6."""

from datetime import datetime

from django.db import transaction

from accounts import services as accounts
from core import audit
from core.ids import new_key
from payments.enums import LIVE, STAFF_HOLDS, ChargeState, Initiator, MethodState, PayableState
from payments.gateways import registry
from payments.gateways.base import Gateway
from payments.models import Charge, Payable, PaymentMethod
from payments.queries import spots
from payments.rules import dunning
from payments.services import stops
from payments.services.charges.facts import (
    AttemptUnderWay,
    HeldByStaff,
    NoMethod,
    NotAsShown,
    NotOwed,
    NotServable,
    Shown,
    Stopped,
    TooSoon,
    check_account,
)
from payments.services.moves import note_new
from plans import queries as plans
from spot_orders.models import SpotOrder


@transaction.atomic
def prepare(
    *,
    payable_id: int,
    initiator: Initiator,
    actor: str,
    now: datetime,
    shown: Shown | None = None,
) -> Charge:
    """Store the intent to charge what is owed to the registered method; nothing is sent yet.

    Raises NotOwed, AttemptUnderWay, NotServable, HeldByStaff, NotAsShown, NoMethod, Stopped,
    AccountDiffers, TooSoon; nothing is stored then. What a customer asks for is not held up by a stop.
    Rule: R3, R6, R11.
    """
    payable = _owed(payable_id, shown, now)
    method = PaymentMethod.objects.filter(
        organisation_id=payable.organisation_id, state=MethodState.ACTIVE
    ).first()
    if method is None:
        raise NoMethod
    if shown is not None and shown.method is not None and shown.method != method.public_id:
        raise NotAsShown
    gateway = registry.gateway(method.gateway)
    check_account(method, gateway)
    if initiator is Initiator.SCHEDULE:
        _check_schedule(payable, method, now)
    return _store(payable, gateway, method, initiator, actor, now)


@transaction.atomic
def prepare_once(
    *, payable_id: int, gateway: str, actor: str, now: datetime, shown: Shown | None = None
) -> Charge:
    """Store the intent to have a payer approve this one payment at a provider's pages.

    Raises NotOwed, AttemptUnderWay, NotServable, HeldByStaff, NotAsShown; nothing is stored then.
    """
    payable = _owed(payable_id, shown, now)
    return _store(payable, registry.gateway(gateway), None, Initiator.CUSTOMER, actor, now)


def _owed(payable_id: int, shown: Shown | None, now: datetime) -> Payable:
    """Return a payable, locked, for which something is owed and nothing is under way."""
    organisation_id = Payable.objects.values_list("organisation_id", flat=True).get(pk=payable_id)
    accounts.lock(organisation_id)
    payable = Payable.objects.select_for_update(no_key=True).get(pk=payable_id)
    if payable.state != PayableState.OPEN or payable.balance <= 0:
        raise NotOwed
    if payable.charges.filter(state__in=sorted(LIVE)).exists():
        raise AttemptUnderWay
    _check_order(payable, now)
    if shown is not None:
        _check_shown(payable, shown)
    return payable


def _check_order(payable: Payable, now: datetime) -> None:
    """Hold a spot order against what may be delivered, before it is paid for. Rule: F56."""
    if payable.spot_order_id is None or payable.invoice_id is not None:
        return
    order = SpotOrder.objects.select_related("organisation").get(pk=payable.spot_order_id)
    why = spots.why_not_payable(order, now)
    if why is not None:
        raise NotServable(why)


def _check_shown(payable: Payable, shown: Shown) -> None:
    if payable.hold in STAFF_HOLDS:
        raise HeldByStaff
    if shown.amount != payable.balance:
        raise NotAsShown
    if shown.attempts is not None and shown.attempts != payable.charges.count():
        raise NotAsShown


def _check_schedule(payable: Payable, method: PaymentMethod, now: datetime) -> None:
    reason = stops.is_stopped(organisation_id=payable.organisation_id, gateway=method.gateway)
    if reason:
        raise Stopped(reason)
    since = now - dunning.BETWEEN_CHARGES
    if (
        payable.charges.filter(method=method, initiator=Initiator.SCHEDULE, created_at__gt=since)
        .exclude(state=ChargeState.CANCELLED)
        .exists()
    ):
        raise TooSoon


def _store(
    payable: Payable,
    gateway: Gateway,
    method: PaymentMethod | None,
    initiator: Initiator,
    actor: str,
    now: datetime,
) -> Charge:
    vendor = plans.vendor()
    charge = Charge.objects.create(
        organisation_id=payable.organisation_id,
        payable=payable,
        method=method,
        gateway=gateway.slug,
        environment=gateway.account.environment,
        merchant=gateway.account.merchant,
        key=new_key(),
        number=payable.number,
        turn=1 + payable.charges.filter(state=ChargeState.SUCCEEDED).count(),
        description=f"{vendor.name_en} {payable.number}"[:127],
        amount=payable.balance,
        currency=payable.currency,
        on=now.astimezone(plans.vendor_zone()).date(),
        initiator=initiator,
        created_at=now,
    )
    note_new(charge, actor=actor, now=now)
    audit.record(
        actor=actor,
        action="charge.prepared",
        subject=f"charge:{charge.pk}",
        organisation_id=charge.organisation_id,
        at=now,
        details={"number": charge.number, "amount": charge.amount, "gateway": charge.gateway},
    )
    return charge

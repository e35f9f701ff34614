"""A spot order that is paid is served, or its money goes back. The capture is booked before. Rule: R10."""

import logging
from datetime import datetime

from django.db import OperationalError, transaction
from django.utils import translation
from django.utils.translation import gettext

from accounts import services as accounts
from accounts.enums import PaymentTerms
from billing.services import spot as invoices
from core import audit
from payments.enums import ChargeState, PayableKind, Unserved
from payments.gateways import registry
from payments.models import Charge, Payable
from payments.queries import spots as queries
from payments.services import collecting, letters, refunds
from payments.services.moves import SCHEDULE
from spot_orders import services as spot_orders
from spot_orders.enums import SpotState
from spot_orders.models import SpotOrder

log = logging.getLogger(__name__)


@transaction.atomic
def serve(*, payable_id: int, now: datetime) -> SpotOrder:
    """Make the order that a payable is of the spot contract that was paid for, with its invoice.

    Where it cannot be served any more, its money is given back whole, root and staff are told, and the
    order says so. Nothing happens to one that is not paid, or settled before: it may be called at any
    time. Rule: S2-28, R10, B-13, F56.
    """
    order, payable = locked_with_order(payable_id)
    is_settled = order.state in {SpotState.PAID, SpotState.REFUNDED}
    if is_settled or payable.captured - payable.refunded < payable.gross:
        return order
    why = queries.why_not_served(order, now)
    return _serve(order, payable, now) if why is None else _give_back(order, payable, why, now)


def serve_if_taken(charge: Charge, now: datetime) -> None:
    """Serve what a charge has paid for, if that is a spot order and the money is in.

    Where the database cannot now, the work that was asked for with the money does it. Rule: R10.
    """
    if charge.state == ChargeState.SUCCEEDED and charge.payable.kind == PayableKind.SPOT_ORDER:
        try:
            serve(payable_id=charge.payable_id, now=now)
        except OperationalError:
            log.warning("a spot order is served later", extra={"payable": charge.payable_id})


@transaction.atomic
def return_surplus(*, payable_id: int, now: datetime) -> None:
    """Give back what was captured beyond what is owed; an order whose money goes back says so first.

    Whichever work finds it: `serve`, called after the money had gone, could not tell it from an order
    that was never paid. Rule: F10, R10.
    """
    if Payable.objects.get(pk=payable_id).is_unserved_order:
        serve(payable_id=payable_id, now=now)
    refunds.return_surplus(payable_id=payable_id, now=now)


def locked_with_order(payable_id: int) -> tuple[SpotOrder, Payable]:
    """Return a payable and its spot order, both locked, the organisation before them. Rule: R5."""
    organisation_id, order_id = Payable.objects.values_list("organisation_id", "spot_order_id").get(
        pk=payable_id
    )
    organisation = accounts.lock(organisation_id)
    order = SpotOrder.objects.select_for_update(no_key=True).get(pk=order_id)
    order.organisation = organisation
    payable = Payable.objects.select_for_update(no_key=True).get(pk=payable_id)
    payable.organisation = organisation
    return order, payable


def void(payable: Payable, now: datetime) -> None:
    """Have nothing be owed for an order any more. The caller holds the locks. Rule: I07."""
    payable.credited = payable.gross
    collecting.apply_sums(payable, now)


def _serve(order: SpotOrder, payable: Payable, now: datetime) -> SpotOrder:
    served = spot_orders.mark_paid(order_id=order.pk, actor=SCHEDULE, now=now)
    invoice = invoices.issue(
        order_id=order.pk, actor=SCHEDULE, now=now, paid_with=_paid_with(payable)
    )
    if (invoice.organisation_id, invoice.currency, invoice.gross) != (
        *(payable.organisation_id, payable.currency),
        payable.gross,
    ):
        raise ValueError(f"{payable}: the invoice says {invoice.currency} {invoice.gross}")
    payable.invoice = invoice
    payable.save(update_fields=["invoice"])
    letters.spots.confirmed(payable, served, now)
    return served


def _give_back(order: SpotOrder, payable: Payable, why: Unserved, now: datetime) -> SpotOrder:
    refunded = spot_orders.mark_refunded(order_id=order.pk, why=why.value, actor=SCHEDULE, now=now)
    void(payable, now)
    with translation.override(order.organisation.language):
        reason = gettext("The order %(number)s was paid when it could not be served any more.") % {
            "number": order.number
        }
    made = refunds.give_back(payable, reason=reason, actor=SCHEDULE, now=now)
    audit.record(
        actor=SCHEDULE,
        action="payable.not_served",
        subject=f"payable:{payable.pk}",
        organisation_id=payable.organisation_id,
        at=now,
        details={
            "number": payable.number,
            "why": why.value,
            "refunds": [refund.pk for refund in made],
        },
    )
    letters.spots.refunded(payable, refunded, why, now)
    return refunded


def _paid_with(payable: Payable) -> PaymentTerms:
    """Return how an order was paid, for its invoice to say."""
    taken = payable.charges.filter(state=ChargeState.SUCCEEDED).order_by("-id").first()
    if taken is None:
        return PaymentTerms.NONE
    by_invoice = registry.gateway(taken.gateway).collects_by_invoice
    return PaymentTerms.PAID if by_invoice else PaymentTerms.PAYPAL

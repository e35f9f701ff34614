"""What is told of a spot order: confirmed, not paid, lapsed, given back. Rule: S2-28, R10."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from core import money
from payments.enums import ChargeState, Unserved
from payments.models import Charge, Payable
from payments.services.letters.writing import (
    company,
    invoice_url,
    is_by_invoice,
    local_day,
    number_of,
    order_url,
    staff_alert,
    tell_root,
)
from spot_orders.models import SpotOrder


def confirmed(payable: Payable, order: SpotOrder, now: datetime) -> None:
    """Tell the root that a spot order is paid and holds, with its invoice. Rule: S2-28, B-13."""
    invoice = payable.invoice
    tell_root(
        payable.organisation_id,
        "spot_confirmed",
        {
            "order": order,
            "last_on": order.until_on - timedelta(days=1),
            "paid_on": local_day(now),
            "invoice_number": number_of(invoice) if invoice else "",
            "order_url": order_url(order),
            "invoice_url": invoice_url(payable),
        },
        now,
    )


def not_taken(payable: Payable, charge: Charge, now: datetime) -> None:
    """Tell the root that a payment which was being confirmed came to nothing; the order is kept."""
    _tell_about_order(
        payable, "spot_not_taken", {"charge": charge, "company": company(charge.gateway)}, now
    )


def lapsed(payable: Payable, order: SpotOrder, now: datetime) -> None:
    """Tell the root that an order was not paid in time, and that nothing was charged. Rule: S2-28."""
    _tell_about_order(payable, "spot_lapsed", {"placed_on": local_day(order.placed_at)}, now)


def refunded(payable: Payable, order: SpotOrder, why: Unserved, now: datetime) -> None:
    """Tell root and staff of an order that was paid and cannot be served: its money goes back. Rule: R10."""
    charge = payable.charges.filter(state=ChargeState.SUCCEEDED).order_by("-id").first()
    gateway = charge.gateway if charge else ""
    _tell_about_order(
        payable,
        "spot_refunded",
        {
            "why": why.label,
            "company": company(gateway),
            "is_by_invoice": is_by_invoice(gateway),
        },
        now,
    )
    staff_alert(
        format_lazy(_("{number}: paid, and cannot be served"), number=order.number),
        [
            format_lazy(
                _("The money is given back by itself: {why}."),
                why=why.label,
            ),
            f"{money.written(payable.gross, payable.currency)} · {order.first_on} – {order.end_on}",
        ],
        organisation_id=payable.organisation_id,
        now=now,
    )


def cut(payable: Payable, order: SpotOrder, gross: int, now: datetime) -> None:
    """Tell the root that a spot contract ends earlier, and what of it is given back. Rule: S2-13."""
    tell_root(
        payable.organisation_id,
        "spot_cut",
        {
            "order": order,
            "last_on": order.until_on - timedelta(days=1),
            "never_begins": order.until_on == order.first_on,
            "gross": gross,
            "order_url": order_url(order),
        },
        now,
    )


def _tell_about_order(
    payable: Payable, template: str, values: Mapping[str, object], now: datetime
) -> None:
    order = payable.spot_order
    if order is not None:
        tell_root(
            payable.organisation_id,
            template,
            {
                "order": order,
                "last_on": order.end_on - timedelta(days=1),
                "order_url": order_url(order),
                **values,
            },
            now,
        )

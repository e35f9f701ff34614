"""Spot orders as their invoices see them. Rule: B-13."""

from billing.enums import InvoiceKind, TaxCode
from billing.models import Invoice
from billing.queries.stored import Reader
from billing.rules import spot as rules
from billing.rules.spot import Ordered
from core.money import Rounding
from spot_orders.models import SpotOrder


def invoice_of(order: SpotOrder) -> Invoice | None:
    """Return the invoice of a spot order, once it is issued."""
    return (
        Invoice.objects.select_related("vendor")
        .filter(operation=order.public_id, kind=InvoiceKind.SPOT)
        .first()
    )


def ordered(order: SpotOrder, reader: Reader) -> Ordered:
    """Return what an order froze when it was placed. Raises NotFrozenMonths, NotFacts."""
    months = rules.months_of(order.priced)
    return Ordered(
        number=order.number,
        accounts=order.accounts,
        end_on=order.end_on,
        months=months,
        terms={
            month.version_id: reader.terms(month.version_id, order.currency) for month in months
        },
        code=TaxCode(order.tax_code),
        rounding=Rounding(order.tax_rounding),
    )

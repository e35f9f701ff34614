"""The own invoice of a spot order that is paid. Rule: B-13."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import transaction

from accounts import services as accounts
from accounts.enums import PaymentTerms
from billing.enums import InvoiceKind
from billing.models import Invoice
from billing.queries import spot as queries
from billing.queries.stored import Reader
from billing.rules import spot as rules
from billing.services import single
from billing.services.single import Document
from core.months import BillingMonth
from plans import queries as plans
from spot_orders.enums import SpotState
from spot_orders.models import SpotOrder

ISSUED = "spot_invoice.issued"


class NotPaid(ValueError):
    """The order is not paid: nothing is billed of it."""


class DiffersFromOrder(ValueError):
    """The frozen months of the order do not come to what it says. Arguments: order, said, computed."""


@transaction.atomic
def issue(
    *, order_id: int, actor: str, now: datetime, paid_with: PaymentTerms | None = None
) -> Invoice:
    """Issue the invoice of a paid spot order, or return the one issued before; its PDF follows.

    It is dated today, due at once, and comes to what the order was frozen at, to the yen; `paid_with`:
    how, where it is not how the months are paid. Its numbers are a series of their own. Raises
    SpotOrder.DoesNotExist, NotPaid, DiffersFromOrder, and has then changed nothing. Rule: B-09, B-13.
    """
    found = SpotOrder.objects.only("organisation_id").get(pk=order_id)
    organisation = accounts.lock(found.organisation_id)
    order = SpotOrder.objects.get(pk=order_id)
    made = queries.invoice_of(order)
    if made is not None:
        return made
    if order.state != SpotState.PAID:
        raise NotPaid(order.number)
    ordered = queries.ordered(order, Reader.fresh())
    lines, taxes = rules.lines(ordered), rules.taxes(ordered)
    said = (order.net, order.tax)
    computed = (sum(line.net for line in lines), sum(tax.tax for tax in taxes))
    if said != computed:
        raise DiffersFromOrder(order.number, said, computed)
    vendor = plans.vendor()
    today = now.astimezone(ZoneInfo(vendor.time_zone)).date()
    document = Document(
        kind=InvoiceKind.SPOT,
        organisation=organisation,
        vendor=vendor,
        month=BillingMonth.of_day(today),
        issued_on=today,
        due_on=today,
        language=organisation.language,
        currency=order.currency,
        rounding=ordered.rounding,
        lines=lines,
        taxes=taxes,
        operation=order.public_id,
        paid_with=paid_with,
    )
    return single.issue(
        document, action=ISSUED, actor=actor, details={"order": order.number}, now=now
    )

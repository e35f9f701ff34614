"""Something that an organisation owes, where a test does not care for what."""

import hashlib
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

from accounts.models import Organisation
from billing.enums import InvoiceKind, LineKind, MonthOutcome, TaxCode
from billing.models import BilledMonth
from billing.rules.facts import Line, TaxLine
from billing.services import single
from billing.services.single import Document
from core import canonical
from core.money import Rounding
from core.months import BillingMonth
from payments.models import Payable
from plans.models import VendorVersion
from tests import make


def owed(
    organisation: Organisation, *, net: int = 1_000, due_on: date = date(2026, 11, 1), **values: Any
) -> Payable:
    """Return what is open for the invoice of the next month: 1,100 yen, tax included. `values`: its own."""
    month = BillingMonth.of_day(organisation.customer_since)
    for _ in range(BilledMonth.objects.filter(organisation=organisation).count()):
        month = month.next
    tax = net // 10
    line = Line(LineKind.FEE, month, "基本料", "Fee", None, None, Decimal(1), net, TaxCode.JP10, {})
    invoice = single.issue(
        Document(
            kind=InvoiceKind.MONTHLY,
            organisation=organisation,
            vendor=VendorVersion.objects.latest("number"),
            month=month,
            issued_on=date(2026, 11, 1),
            due_on=due_on,
            language=organisation.language,
            currency="JPY",
            rounding=Rounding.DOWN,
            lines=[line],
            taxes=[TaxLine(TaxCode.JP10, Decimal("0.10"), net, tax)],
            operation=uuid4(),
        ),
        action="invoice.issued",
        actor=make.ACTOR,
        details={},
        now=make.NOW,
    )
    BilledMonth.objects.create(
        organisation=organisation,
        month=month.first_day,
        outcome=MonthOutcome.INVOICED,
        invoice=invoice,
        facts={},
        facts_digest=hashlib.sha256(canonical.dumps({})).digest(),
        billed_at=make.NOW,
    )
    return Payable.objects.create(
        **{
            "organisation": organisation,
            "invoice": invoice,
            "series": invoice.kind,
            "serial": invoice.number,
            "number": f"KC-{invoice.number:08}",
            "currency": "JPY",
            "gross": net + tax,
            "due_on": due_on,
            "created_at": make.NOW,
            **values,
        }
    )

"""By when an invoice is to be paid. Rule: B-10."""

from datetime import date, timedelta

from accounts.enums import PaymentTerms
from core.months import BillingMonth

WITHOUT_A_METHOD = timedelta(days=14)


def due_on(terms: PaymentTerms, issued_on: date) -> date:
    """Return the last day to pay an invoice issued on `issued_on`. Rule: B-10."""
    if terms == PaymentTerms.PAYPAL:
        return issued_on
    if terms == PaymentTerms.PAID:
        return BillingMonth.of_day(issued_on).next.last_day
    return issued_on + WITHOUT_A_METHOD

from datetime import date

import pytest

from accounts.enums import PaymentTerms
from billing.rules.due import due_on


@pytest.mark.parametrize(
    ("terms", "issued_on", "due"),
    [
        pytest.param(PaymentTerms.PAYPAL, date(2026, 11, 1), date(2026, 11, 1), id="PayPal"),
        pytest.param(PaymentTerms.PAID, date(2026, 11, 1), date(2026, 12, 31), id="Paid"),
        pytest.param(PaymentTerms.PAID, date(2026, 1, 31), date(2026, 2, 28), id="Paid, February"),
        pytest.param(PaymentTerms.PAID, date(2026, 12, 31), date(2027, 1, 31), id="Paid, new year"),
        pytest.param(PaymentTerms.NONE, date(2026, 11, 1), date(2026, 11, 15), id="no method"),
    ],
)
def test_due_on_follows_how_the_invoice_is_paid(
    terms: PaymentTerms, issued_on: date, due: date
) -> None:
    """Rule: B-10."""
    assert due_on(terms, issued_on) == due

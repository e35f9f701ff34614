"""Amounts as staff type them: in the currency's own unit, tax included."""

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from core import money
from payments.admin.office import Refused


def minor(typed: Any, currency: str) -> int:
    """Return a typed amount in minor units. Raises Refused where its decimals are too many."""
    try:
        return money.to_minor(Decimal(typed), currency)
    except money.FractionOfMinorUnit:
        raise Refused(
            _("An amount in %(currency)s has no such decimals.") % {"currency": currency}
        ) from None

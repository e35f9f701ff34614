"""What a plan costs a month, tax included, as its customer is shown it. Pure. Rule: B-06, B-07, S1-22."""

from dataclasses import dataclass

from billing.rules.tax import tax_code, tax_on
from core.months import BillingMonth
from ordering.rules.binding import Party
from plans.rules import PlanTerms


@dataclass(frozen=True, slots=True)
class Price:
    """A month's fee in minor units. A bill rounds tax once, on the sum of all its lines."""

    net: int
    gross: int


def price(terms: PlanTerms, steps: int, party: Party, month: BillingMonth) -> Price:
    """Return what `steps` of a plan cost in a month. Raises NoTaxRate."""
    net = terms.net * steps
    code = tax_code(party.vendor_country, party.country, terms.tax_category, month)
    return Price(net, net + tax_on(net, code, party.tax_rounding))

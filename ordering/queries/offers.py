"""What is on sale to an organisation. Rule: S1-22, B-12."""

from datetime import date

from django.db.models import Q

from plans import queries as plans
from plans.models import PlanVersion
from plans.rules import PlanTerms


def on_sale(currency: str, day: date) -> dict[str, PlanTerms]:
    """Return what is sold on a day of the billing time zone, by plan code, in the catalogue's order.

    Of each plan it is the newest version; a plan without a price in the currency is not offered.
    """
    newest: dict[str, int] = {}
    rows = (
        PlanVersion.objects.filter(on_sale_from__lte=day)
        .filter(Q(on_sale_until=None) | Q(on_sale_until__gt=day))
        .order_by("plan__position", "plan_id", "-number")
        .values_list("plan__code", "pk")
    )
    for code, version_id in rows:
        newest.setdefault(code, version_id)
    terms = plans.terms(newest.values(), currency)
    return {code: terms[each] for code, each in newest.items() if each in terms}

"""A customer who may add accounts for some months, as the wizard's tests look at it."""

from datetime import date, timedelta

from accounts.models import Organisation
from core.months import start_of_day
from gateway_sandbox import Sandbox
from plans import queries as plans
from plans.models import PlanVersion, TermsOfUse
from plans.rules import timeline
from plans.services import contracts
from tests import make
from tests.ordering import customers
from tests.ordering.customers import local
from tests.payments import collected

NOW = local(1, 15, 12)


def kobo(
    sandbox: Sandbox | None = None,
    *,
    first_on: date = date(2026, 1, 2),
    months: int = 12,
    has_method: bool = True,
) -> Organisation:
    """A customer with Pro 100 from 2 January 2026 for some months, and a PayPal method."""
    organisation = customers.kobo("free", has_method=False)
    TermsOfUse.objects.create(number=3, text_ja="規約", text_en="Terms", created_at=make.NOW)
    make.main_contract(
        organisation,
        customers.version("pro"),
        first_on,
        months=months,
        now=min(NOW, start_of_day(first_on, customers.TOKYO) + timedelta(hours=12)),
    )
    if sandbox is None and has_method:
        customers.method(organisation)
    elif sandbox is not None:
        collected.paypal_method(organisation, customers.root_of(organisation), sandbox)
    return organisation


def renew(organisation: Organisation, version: PlanVersion) -> None:
    """Order the next term, of 12 months."""
    before = plans.timeline(organisation, now=NOW)
    terms = plans.terms([version.pk], "JPY")[version.pk]
    contracts.store(
        organisation_id=organisation.pk,
        before=before,
        after=timeline.renew(before, terms, steps=1, months=12, now=NOW, zone=customers.TOKYO),
        action="contract.renewed",
        details={},
        actor=make.ACTOR,
        now=NOW,
    )

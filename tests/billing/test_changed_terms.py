"""What an organisation is changes between two of its months. Rule: B-07, B-08, B-12."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Organisation
from billing.models import BilledMonth, Invoice
from billing.services import issue
from core.months import BillingMonth
from plans.models import Meter
from tests import make
from usage.models import DailyUsage, UsageRevision

TOKYO = ZoneInfo("Asia/Tokyo")
NOW = datetime(2026, 11, 22, 14, tzinfo=TOKYO)
AUGUST, SEPTEMBER, OCTOBER = (BillingMonth(2026, month) for month in (8, 9, 10))

pytestmark = pytest.mark.django_db


def bill(organisation: Organisation, month: BillingMonth) -> None:
    issue.bill_page(first_id=organisation.pk, last_id=organisation.pk, month=month, now=NOW)


def owed() -> tuple[Organisation, Meter]:
    """Return a customer on a plan of calls alone, 1 a call, who is owed 4,000 from September."""
    make.vendor()
    version, calls = make.plan_version(prices={"JPY": 0, "USD": 0}), make.meter()
    for currency in ("JPY", "USD"):
        make.meter_price(version, calls, currency=currency, tiers=[(None, "1")])
    organisation = make.organisation(customer_since=date(2026, 8, 1))
    make.selection(organisation, version, datetime(2026, 7, 1, tzinfo=TOKYO))
    day = DailyUsage.objects.create(
        organisation=organisation, day=date(2026, 8, 5), meter=calls, quantity=4_000, events=1
    )
    bill(organisation, AUGUST)
    DailyUsage.objects.filter(pk=day.pk).update(quantity=0, events=2)
    UsageRevision.objects.create(organisation=organisation, month=AUGUST.first_day, revision=1)
    bill(organisation, SEPTEMBER)
    assert BilledMonth.objects.get(month=SEPTEMBER.first_day).credit == {"JP10": 4_000}
    return organisation, calls


def test_a_billed_organisation_keeps_its_currency() -> None:
    """Without the guard 4,000 yen of credit become 40.00 dollars of it. Rule: B-12."""
    organisation, calls = owed()

    with pytest.raises(IntegrityError, match="it has one currency"), transaction.atomic():
        Organisation.objects.update(currency="USD")

    DailyUsage.objects.create(
        organisation=organisation, day=date(2026, 10, 5), meter=calls, quantity=9_000, events=1
    )
    bill(organisation, OCTOBER)
    invoice = Invoice.objects.get(month=OCTOBER.first_day)
    assert (invoice.currency, invoice.net) == ("JPY", 5_000)


def test_an_organisation_that_was_never_billed_may_take_another_currency() -> None:
    organisation = make.organisation()

    Organisation.objects.update(currency="USD", name="Aoba")

    organisation.refresh_from_db()
    assert organisation.currency == "USD"


def test_credit_of_one_tax_code_waits_while_another_country_is_billed() -> None:
    """What was taxed in Japan lowers nothing that is not. It is kept, and used up later. Rule: B-07."""
    organisation, calls = owed()
    DailyUsage.objects.create(
        organisation=organisation, day=date(2026, 10, 5), meter=calls, quantity=9_000, events=1
    )

    Organisation.objects.update(country="DE")
    bill(organisation, OCTOBER)

    invoice = Invoice.objects.get(month=OCTOBER.first_day)
    assert (invoice.net, invoice.tax) == (9_000, 0)
    assert BilledMonth.objects.get(month=OCTOBER.first_day).credit == {"JP10": 4_000}

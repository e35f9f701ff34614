"""What the end of a contract comes to, before it is confirmed. Rule: S1-29, design.md 6.6."""

from datetime import date, timedelta

import pytest

from billing.models import Invoice
from cancellation.queries import preview
from cancellation.rules.ending import CancelledBefore
from gateway_sandbox import Sandbox
from payments.models import Charge
from plans import queries as plans
from plans.models import VendorVersion
from tests import make
from tests.cancellation.leaving import cancelled, customer, local
from tests.payments import collected, spotted
from tests.payments.farside import tick

pytestmark = pytest.mark.django_db

NOON = local(4, 10, 12)


def test_the_preview_says_last_day_last_bill_and_what_is_kept() -> None:
    org = customer()
    make.member(org)

    found = preview.preview(org, now=NOON)

    assert (found.last_on, found.ends_at, found.data_until) == (
        date(2026, 4, 30),
        local(5, 1),
        date(2026, 5, 30),
    )
    assert found.last_bill_on == date(2026, 5, 1)
    # Basic 1,100 and Silver 3,300, tax included, and no month after April.
    assert [(str(each.month), each.expected.gross) for each in found.last_bills] == [
        ("2026-04", 4_400)
    ]
    assert found.licence is not None
    assert found.licence.terms.plan_code == "basic"
    assert found.support is not None
    assert (found.accounts_in_use, found.accounts_leaving) == (2, 1)
    assert (found.spots, found.owed, found.unpaid_order, found.term) == ((), (), None, None)
    assert not found.has_undecided


def test_the_last_bill_is_what_the_month_end_then_issues(sandbox: Sandbox) -> None:
    who = collected.customer(sandbox)
    make.cancellation_terms()
    shown = preview.preview(who.organisation, now=make.NOW)
    cancelled(who.organisation, make.NOW)

    for moment in (make.NOW, local(12, 1), local(12, 1, 7), local(1, 1, 7, year=2027)):
        tick(moment, sandbox)

    assert [each.expected.gross for each in shown.last_bills] == [
        Invoice.objects.get(month=date(2026, 11, 1)).gross
    ]
    assert not Invoice.objects.filter(month__gt=date(2026, 11, 1)).exists()


def test_the_preview_says_what_of_a_spot_contract_is_lost(sandbox: Sandbox) -> None:
    make.cancellation_terms()
    who = spotted.buyer()
    spotted.register(who, sandbox)
    spotted.pay(spotted.place(who, months=3))

    (spot,) = preview.preview(who.organisation, now=make.NOW).spots

    # 22 November to 21 February; from 1 December on nothing is served.
    assert spot.last_on == date(2026, 11, 30)
    assert spot.lost_days == 83
    assert (spot.lost_months, spot.lost_net) == (2, 10_000)


def test_the_preview_tells_what_is_owed_and_undecided(sandbox: Sandbox) -> None:
    who = collected.customer(sandbox)
    make.cancellation_terms()
    sandbox.paypal.pending()
    tick(make.NOW, sandbox)

    found = preview.preview(who.organisation, now=make.NOW)

    assert [(each.balance, each.is_undecided) for each in found.owed] == [(5_500, True)]
    assert found.has_undecided
    assert found.method is not None
    sandbox.paypal.complete(sandbox.ledger.captures[0])
    tick(make.NOW + timedelta(hours=6), sandbox)
    assert Charge.objects.get().state == "succeeded"
    assert preview.preview(who.organisation, now=make.NOW).owed == ()


def test_a_vendor_may_end_contracts_with_their_term() -> None:
    make.cancellation_terms()
    who = spotted.buyer()
    first = VendorVersion.objects.get()
    VendorVersion.objects.bulk_create([_with_the_term(first)])
    plans.forget()

    found = preview.preview(who.organisation, now=make.NOW)
    made = cancelled(who.organisation, make.NOW)

    # A month from 10 November, renewed for a year.
    assert found.last_on == date(2027, 12, 9)
    assert found.contract_last_on == date(2027, 12, 9)
    assert found.given_up == ()
    assert len(found.last_bills) == 13
    assert made.end_on == date(2027, 12, 10)


def _with_the_term(vendor: VendorVersion) -> VendorVersion:
    vendor.pk, vendor.number, vendor.cancellation_ends = None, 2, "term"
    return vendor


def test_what_is_cancelled_has_no_preview() -> None:
    org = customer()
    cancelled(org, NOON)

    with pytest.raises(CancelledBefore):
        preview.preview(org, now=NOON)

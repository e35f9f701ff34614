"""What happens once the last day is over, with the companies' stand-in and a clock that goes on.

A buyer of Starter 100 since 10 November cancels on 22 November: the last day is 30 November.
Rule: S1-29, F62.
"""

from datetime import date, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Membership, Organisation
from billing.models import BilledMonth, Invoice
from cancellation.enums import Wait
from cancellation.models import Cancellation
from cancellation.services import closing
from core import clock
from core.models import Mail
from gateway_sandbox import Sandbox
from payments.enums import ChargeState, JourneyPurpose, MethodState, PayableState
from payments.models import Charge, Journey, Payable, PaymentMethod
from payments.services import journeys, methods
from payments.services.journeys import Traveller
from plans.models import MainContract, Selection
from seats.queries.capacity import allowed_at
from spot_orders.models import SpotOrder
from tests import make
from tests.cancellation.leaving import cancelled, local
from tests.payments import collected, spotted
from tests.payments.farside import tick
from tests.payments.spotted import Buyer
from tests.usage import books as usage
from usage.services.staging import Window

pytestmark = pytest.mark.django_db

NOW = make.NOW
END = local(12, 1)
A_SECOND = timedelta(seconds=1)
# The grace for late usage has passed.
BILLED = local(12, 1, 6, 1)


def leaver(sandbox: Sandbox, *, method: str = "paypal") -> Buyer:
    """A buyer with a spot contract of two months and three accounts, who has cancelled."""
    make.cancellation_terms()
    who = spotted.buyer()
    for _ in range(2):
        make.member(who.organisation)
    spotted.register(who, sandbox, method)
    spotted.pay(spotted.place(who, months=2))
    cancelled(who.organisation, NOW)
    return who


def the_cancellation() -> Cancellation:
    return Cancellation.objects.get()


def active(who: Buyer) -> int:
    return Membership.objects.filter(organisation=who.organisation, deactivated_at=None).count()


def test_nothing_ends_before_the_end_of_the_last_day(sandbox: Sandbox) -> None:
    who = leaver(sandbox)

    tick(END - A_SECOND, sandbox)

    assert active(who) == 3
    assert allowed_at(who.organisation, END - A_SECOND) == 200
    assert the_cancellation().closed_at is None
    assert not MainContract.objects.exclude(cut_on=None).exists()


def test_at_midnight_everything_ends_but_the_root_account(sandbox: Sandbox) -> None:
    who = leaver(sandbox)

    tick(END, sandbox)

    assert active(who) == 1
    assert who.organisation.memberships.get(deactivated_at=None).user == who.root
    assert allowed_at(who.organisation, END) == 1
    assert the_cancellation().closed_at == END
    first, renewed = MainContract.objects.order_by("first_on")
    assert (first.end_on, first.cut_on, first.withdrawn_at) == (
        date(2026, 12, 10),
        date(2026, 12, 1),
        None,
    )
    assert (renewed.first_on, renewed.withdrawn_at) == (date(2026, 12, 10), END)
    spot = SpotOrder.objects.get()
    assert (spot.end_on, spot.cut_on) == (date(2027, 1, 22), date(2026, 12, 1))
    assert not Selection.objects.filter(until_at=None).exists()
    assert Selection.objects.order_by("until_at").last() == Selection.objects.get(until_at=END)
    # Neither a refund nor a payment method less: the last month is not billed yet.
    assert Payable.objects.get().refunded == 0
    assert PaymentMethod.objects.get().state == MethodState.ACTIVE
    assert closing.waits_for(the_cancellation()) is Wait.LAST_BILL


def test_the_last_month_is_billed_collected_and_the_token_deleted(sandbox: Sandbox) -> None:
    leaver(sandbox)
    token = PaymentMethod.objects.get().payer

    for moment in (END, BILLED, BILLED + timedelta(minutes=1), BILLED + timedelta(hours=2)):
        tick(moment, sandbox)

    # Free when November began: nothing to bill, and no month after it.
    assert list(BilledMonth.objects.values_list("month", "outcome")) == [
        (date(2026, 11, 1), "nothing")
    ]
    made = the_cancellation()
    assert made.settled_at is not None
    method = PaymentMethod.objects.get()
    assert (method.state, method.code) == (MethodState.DETACHED, "contract_ended")
    assert [(each.id, each.deleted_at is None) for each in sandbox.ledger.payment_tokens] == [
        (token, False)
    ]
    tick(local(2, 1, 7, year=2027), sandbox)
    assert BilledMonth.objects.count() == 1
    assert Charge.objects.count() == 1
    assert Cancellation.objects.get() == made


def test_late_is_as_good_as_punctual(sandbox: Sandbox) -> None:
    who = leaver(sandbox)

    late = local(12, 20, 9)
    tick(late, sandbox)
    tick(late + timedelta(hours=2), sandbox)

    assert active(who) == 1
    assert MainContract.objects.order_by("first_on")[0].cut_on == date(2026, 12, 1)
    assert Selection.objects.order_by("until_at").last() == Selection.objects.get(until_at=END)
    assert SpotOrder.objects.get().cut_on == date(2026, 12, 1)
    made = the_cancellation()
    assert made.closed_at == late
    assert made.settled_at is not None
    for membership in Membership.objects.exclude(deactivated_at=None):
        assert membership.deactivated_at == END


def owing(sandbox: Sandbox, *, email: str = "payer@example.com") -> collected.Customer:
    """A customer of Starter since September who owes October's 5,500 yen, and has cancelled."""
    who = collected.customer(sandbox, email=email)
    make.cancellation_terms()
    cancelled(who.organisation, NOW)
    return who


def through(sandbox: Sandbox, *moments: datetime) -> None:
    for moment in moments:
        tick(moment, sandbox)


def months() -> list[tuple[date, int]]:
    return list(Invoice.objects.order_by("month").values_list("month", "gross"))


OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
SETTLING = (END, BILLED, BILLED + timedelta(minutes=2), BILLED + timedelta(hours=2))


def test_the_last_month_is_collected_before_the_method_goes(sandbox: Sandbox) -> None:
    who = owing(sandbox)
    tick(NOW, sandbox)
    assert Charge.objects.get().state == ChargeState.SUCCEEDED

    through(sandbox, *SETTLING, local(1, 2, 8, year=2027))

    assert months() == [(OCTOBER, 5_500), (NOVEMBER, 5_500)]
    assert set(Payable.objects.values_list("state", "captured")) == {("paid", 5_500)}
    assert [each.amount for each in sandbox.ledger.captures] == [5_500, 5_500]
    assert the_cancellation().settled_at is not None
    assert PaymentMethod.objects.get().state == MethodState.DETACHED
    assert Organisation.objects.get(pk=who.organisation.pk).closed_on == date(2026, 12, 1)


def test_usage_of_the_last_day_is_on_the_last_bill_and_later_usage_is_refused(
    sandbox: Sandbox,
) -> None:
    who = owing(sandbox)
    make.meter("api_calls")
    reference = who.organisation.reference
    through(sandbox, NOW, END)

    report = usage.take(
        usage.row(
            1,
            organisation=reference,
            event_id="last",
            occurred_at="2026-11-30T14:59:59Z",
            quantity="7",
        ),
        usage.row(
            2,
            organisation=reference,
            event_id="after",
            occurred_at="2026-11-30T15:00:00Z",
            quantity="5",
        ),
        now=END + timedelta(hours=1),
        window=Window(latest=END + timedelta(hours=2)),
    )
    through(sandbox, *SETTLING[1:])

    assert report.accepted == 1
    assert [refused.code for refused in report.rejected] == ["occurred_at_after_end"]
    assert BilledMonth.objects.get(month=NOVEMBER).facts["used"] == {"api_calls": "7"}


def test_f62_nothing_is_settled_while_a_payment_is_undecided(sandbox: Sandbox) -> None:
    owing(sandbox)
    sandbox.paypal.pending()
    tick(NOW, sandbox)
    assert Charge.objects.get().state == ChargeState.PENDING

    through(sandbox, *SETTLING)

    # The last bill is made, and its own payment succeeds; October's is still not decided.
    assert months() == [(OCTOBER, 5_500), (NOVEMBER, 5_500)]
    assert sorted(Charge.objects.values_list("state", flat=True)) == ["pending", "succeeded"]
    made = the_cancellation()
    assert (made.closed_at, made.settled_at) == (END, None)
    assert closing.waits_for(made) is Wait.UNDECIDED
    assert PaymentMethod.objects.get().state == MethodState.ACTIVE
    assert [each.deleted_at for each in sandbox.ledger.payment_tokens] == [None]

    sandbox.paypal.complete(sandbox.ledger.captures[0])
    through(sandbox, local(12, 3, 9), local(12, 3, 15), local(12, 3, 20))

    assert set(Charge.objects.values_list("state", flat=True)) == {"succeeded"}
    assert len(sandbox.ledger.captures) == 2
    assert the_cancellation().settled_at is not None
    assert PaymentMethod.objects.get().state == MethodState.DETACHED


def test_collection_goes_on_until_its_last_try_and_what_is_unpaid_stays_due(
    sandbox: Sandbox,
) -> None:
    owing(sandbox, email="poor@example.com")
    tick(NOW, sandbox)
    sandbox.paypal.decline("poor@example.com")

    through(sandbox, *SETTLING)
    assert closing.waits_for(the_cancellation()) is Wait.COLLECTION
    assert PaymentMethod.objects.get().state == MethodState.ACTIVE
    for days in range(1, 10):
        tick(BILLED + timedelta(days=days, hours=1), sandbox)

    last = Payable.objects.get(invoice__month=NOVEMBER)
    assert (last.state, last.balance, last.declines) == (PayableState.OPEN, 5_500, 4)
    assert PaymentMethod.objects.get().state == MethodState.DETACHED
    assert the_cancellation().settled_at is not None
    assert Mail.objects.filter(text__contains="5,500").exists()


def test_staff_are_told_once_when_a_settlement_waits_for_long(sandbox: Sandbox) -> None:
    owing(sandbox)
    Organisation.objects.update(auto_invoicing_off=True)
    through(sandbox, END, local(1, 15, 0, year=2027))
    assert the_cancellation().settlement_told_at is None
    mails = Mail.objects.count()

    through(sandbox, local(1, 15, 2, year=2027), local(1, 16, 2, year=2027))

    assert the_cancellation().settlement_told_at is not None
    assert Mail.objects.count() == mails + 1
    Organisation.objects.update(auto_invoicing_off=False)


def test_paid_bills_no_more_once_it_is_settled(sandbox: Sandbox) -> None:
    leaver(sandbox, method="paid")

    through(sandbox, *SETTLING)

    assert PaymentMethod.objects.get().state == MethodState.DETACHED
    assert the_cancellation().settled_at is not None


def test_a_method_that_comes_after_the_settlement_is_let_go_again(sandbox: Sandbox) -> None:
    who = owing(sandbox)
    through(sandbox, NOW, *SETTLING)
    settled_at = the_cancellation().settled_at
    collected.paypal_method(who.organisation, who.root, sandbox, email="again@example.com")

    tick(local(12, 5, 9), sandbox)

    assert {each.state for each in PaymentMethod.objects.all()} == {MethodState.DETACHED}
    assert the_cancellation().settled_at == settled_at


def test_who_has_left_and_owes_nothing_needs_no_method(sandbox: Sandbox, client: Client) -> None:
    who = owing(sandbox)
    through(sandbox, NOW, *SETTLING)
    late = local(12, 5, 9)

    with pytest.raises(methods.NotOffered):
        journeys.set_out(
            traveller=Traveller(who.organisation.pk, who.root.pk, "a-session"),
            purpose=JourneyPurpose.METHOD,
            gateway="paypal",
            now=late,
        )
    client.force_login(who.root)
    with clock.fixed_at(late):
        answer = client.get(reverse("payment_method_add", args=[who.organisation.public_id]))

    assert answer.status_code == 302
    assert not Journey.objects.exists()


def test_who_has_left_may_register_anew_to_pay_what_is_owed(sandbox: Sandbox) -> None:
    who = owing(sandbox, email="poor@example.com")
    sandbox.paypal.decline("poor@example.com")
    through(sandbox, NOW, *SETTLING, *(local(12, day, 9) for day in range(2, 12)))
    assert the_cancellation().settled_at is not None
    assert set(Payable.objects.values_list("state", flat=True)) == {"open"}

    anew = collected.paypal_method(who.organisation, who.root, sandbox, email="rich@example.com")
    PaymentMethod.objects.filter(pk=anew.pk).update(active_since=local(12, 11, 12))
    through(sandbox, *(local(12, day, 9) for day in range(12, 15)))

    # It serves for what is owed, and is let go again.
    assert set(Payable.objects.values_list("state", "captured")) == {("paid", 5_500)}
    assert {each.state for each in PaymentMethod.objects.all()} == {MethodState.DETACHED}


def test_an_unpaid_spot_order_is_given_up_by_the_cancellation(sandbox: Sandbox) -> None:
    make.cancellation_terms()
    who = spotted.buyer()
    spotted.register(who, sandbox)
    placed = spotted.place(who, months=1)
    cancelled(who.organisation, NOW)

    tick(NOW, sandbox)

    assert placed.state == "cancelled"
    assert placed.sums == ("void", 5_500, 0, 0)


def test_a_spot_order_that_is_paid_after_the_cancellation_is_given_back(sandbox: Sandbox) -> None:
    make.cancellation_terms()
    who = spotted.buyer()
    spotted.register(who, sandbox)
    placed = spotted.place(who, months=1)
    sandbox.paypal.pending()
    spotted.pay(placed)
    cancelled(who.organisation, NOW)
    tick(NOW, sandbox)
    assert placed.state == "placed"

    sandbox.paypal.complete(sandbox.ledger.captures[-1])
    for hours in range(1, 9):
        tick(NOW + timedelta(hours=hours), sandbox)

    assert placed.state == "refunded"
    assert placed.sums == ("void", 5_500, 5_500, 5_500)

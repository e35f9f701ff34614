"""A spot order is paid at once, and served: one payment, one invoice. Rule: S2-25…S2-28, R10."""

from datetime import date, timedelta

import pytest

from accounts.models import Organisation
from billing.enums import InvoiceKind
from billing.models import Invoice
from core import clock, work
from core.models import Mail, Work
from core.work import Job
from gateway_sandbox import Sandbox
from payments import jobs, tasks
from payments.enums import ChargeState, Hold, Initiator, PayableKind, PayableState, Unserved
from payments.models import Payable
from payments.queries import payables
from payments.queries import spots as queries
from payments.services import charges, collecting, journeys, refunds, spots, stops
from spot_orders.enums import SpotState
from spot_orders.models import SpotOrder
from spot_orders.services import MovedBefore
from tests import make
from tests.payments import backs, spotted
from tests.payments.farside import assert_agree, parked, taken, tick
from tests.payments.spotted import NOW, TODAY, Placed

pytestmark = pytest.mark.django_db

MINUTES, HOURS, DAYS = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def placed(sandbox: Sandbox) -> Placed:
    return spotted.placed(sandbox)


def subjects() -> list[str]:
    return list(Mail.objects.order_by("pk").values_list("subject", flat=True))


def test_what_is_opened_for_an_order_is_paid_by_its_customer_alone(
    placed: Placed, sandbox: Sandbox
) -> None:
    payable = placed.payable

    assert (payable.kind, payable.number, payable.gross, payable.currency, payable.due_on) == (
        PayableKind.SPOT_ORDER,
        placed.order.number,
        5_500,
        "JPY",
        TODAY,
    )
    assert (payable.invoice, payable.hold, payable.next_charge_at) == (None, Hold.NOTHING, None)
    assert spots.open_payable(order=placed.order, now=NOW + MINUTES) == payable
    collecting.resume(organisation_id=payable.organisation_id, now=NOW)
    collecting.hold_all(organisation_id=payable.organisation_id, hold=Hold.NO_METHOD, now=NOW)
    tick(NOW + MINUTES, sandbox)

    assert (placed.state, placed.attempts, taken(sandbox)) == (SpotState.PLACED, [], [])
    payable.refresh_from_db()
    assert (payable.hold, payable.next_charge_at, payable.overdue_at) == (Hold.NOTHING, None, None)


def test_an_unpaid_order_is_no_debt(placed: Placed, sandbox: Sandbox) -> None:
    organisation = placed.buyer.organisation

    assert payables.owed_by(organisation) == []
    assert list(payables.open_of(organisation)) == []
    assert not collecting.mark_overdue(payable_id=placed.payable.pk, now=NOW + 40 * DAYS)
    assert not payables.is_overdue(organisation.pk)


def test_the_registered_method_is_charged_and_the_order_served_at_once(
    placed: Placed, sandbox: Sandbox
) -> None:
    charge = spotted.pay(placed)

    assert (charge.state, charge.number, charge.amount) == ("succeeded", placed.order.number, 5_500)
    order = SpotOrder.objects.get()
    assert (order.state, order.paid_at) == (SpotState.PAID, NOW)
    payable = queries.payable_of(order)
    invoice = Invoice.objects.get()
    assert (payable.invoice, payable.state) == (invoice, PayableState.PAID)
    assert (invoice.kind, invoice.net, invoice.tax, invoice.gross) == (
        InvoiceKind.SPOT,
        5_000,
        500,
        5_500,
    )
    assert_agree(sandbox, captures=1)


def test_paying_again_or_serving_again_changes_nothing(placed: Placed, sandbox: Sandbox) -> None:
    seen = spotted.shown(placed)
    spotted.pay(placed)

    with pytest.raises(charges.NotOwed):
        spots.pay_with_method(
            order_id=placed.order.pk, shown=seen, actor=placed.buyer.actor, now=NOW
        )
    spots.serve(payable_id=placed.payable.pk, now=NOW + MINUTES)
    tick(NOW + MINUTES, sandbox)

    assert Invoice.objects.count() == 1
    assert sum("confirmed" in each or "確定" in each for each in subjects()) == 1
    assert_agree(sandbox, captures=1)


def test_paid_takes_the_order_over_and_that_is_as_good_as_money(sandbox: Sandbox) -> None:
    placed = spotted.placed(sandbox, method="paid")

    charge = spotted.pay(placed)

    assert (charge.state, charge.capture) == (ChargeState.SUCCEEDED, charge.key)
    assert (placed.state, placed.sums) == (SpotState.PAID, (PayableState.PAID, 0, 5_500, 0))
    assert [(row.id, row.status) for row in sandbox.ledger.trades] == [(charge.key, "fixed")]
    assert_agree(sandbox, captures=1)


def test_paid_refuses_a_buyer_and_the_order_is_kept(sandbox: Sandbox) -> None:
    who = spotted.buyer()
    method = spotted.register(who, sandbox, "paid")
    placed = spotted.place(who)
    sandbox.paid.block(method.payer)

    charge = spotted.pay(placed)

    assert charge.state == ChargeState.DECLINED
    assert (placed.state, placed.sums) == (SpotState.PLACED, (PayableState.OPEN, 0, 0, 0))
    assert taken(sandbox) == []


def test_a_declined_card_keeps_the_order_and_another_try_pays_it(
    placed: Placed, sandbox: Sandbox
) -> None:
    sandbox.paypal.decline(placed.buyer.payer)
    assert spotted.pay(placed).state == ChargeState.DECLINED
    payable = Payable.objects.get()
    assert (payable.state, payable.hold, payable.declines) == (PayableState.OPEN, Hold.NOTHING, 0)
    sandbox.paypal.accept(placed.buyer.payer)

    spotted.pay(placed, now=NOW + MINUTES)

    assert placed.state == SpotState.PAID
    assert [state for state, _ in placed.attempts] == ["declined", "succeeded"]
    assert_agree(sandbox, captures=1)


def test_a_payment_at_the_providers_pages_serves_the_order(
    placed: Placed, sandbox: Sandbox
) -> None:
    charge = spotted.come_back(placed, sandbox.paypal.approve(spotted.set_out(placed)))

    assert (charge.state, charge.method) == (ChargeState.SUCCEEDED, None)
    assert placed.state == SpotState.PAID
    assert_agree(sandbox, captures=1)


def test_an_order_lapses_after_a_day_and_is_owed_no_more(placed: Placed, sandbox: Sandbox) -> None:
    tick(NOW + 24 * HOURS - MINUTES, sandbox)
    assert placed.state == SpotState.PLACED

    tick(NOW + 24 * HOURS, sandbox)

    assert (placed.state, placed.sums) == (SpotState.LAPSED, (PayableState.VOID, 5_500, 0, 0))
    assert any(
        "お支払いがなかった" in each or "lapsed" in each or "失効" in each for each in subjects()
    )
    with pytest.raises(charges.NotOwed):
        spotted.pay(placed, now=NOW + 24 * HOURS)


def test_an_order_past_its_time_is_not_paid_before_it_is_lapsed(placed: Placed) -> None:
    with pytest.raises(charges.NotServable) as refusal:
        spotted.pay(placed, now=NOW + 24 * HOURS)

    assert refusal.value.why is Unserved.LAPSED
    assert placed.attempts == []


@pytest.mark.parametrize("scope", ["all", "organisation"])
def test_where_charging_is_stopped_nothing_lapses(
    scope: str, placed: Placed, sandbox: Sandbox
) -> None:
    """F37: after a restore its money may be in, and we do not know of it."""
    of = stops.EVERYWHERE if scope == "all" else stops.of_organisation(placed.order.organisation_id)
    stops.stop(scope=of, reason="restored", actor=make.ACTOR, now=NOW)
    tick(NOW + 30 * HOURS, sandbox)
    assert placed.state == SpotState.PLACED

    stops.lift(scope=of, reason="reconciled", actor=make.ACTOR, now=NOW + 30 * HOURS)
    tick(NOW + 31 * HOURS, sandbox)

    assert placed.state == SpotState.LAPSED


def test_an_order_whose_money_was_taken_back_before_it_was_served_lapses(
    placed: Placed, sandbox: Sandbox
) -> None:
    charge = charges.prepare(
        payable_id=placed.payable.pk,
        initiator=Initiator.CUSTOMER,
        actor=make.ACTOR,
        now=NOW,
    )
    charges.carry_out(charge_id=charge.pk, now=NOW)
    refunds.record_reversal(
        charge_id=charge.pk, reference="REVERSAL1", amount=5_500, code="fraud", now=NOW
    )
    assert spots.serve(payable_id=placed.payable.pk, now=NOW).state == SpotState.PLACED

    spots.lapse(order_id=placed.order.pk, now=NOW + 24 * HOURS)

    assert (placed.state, placed.sums) == (
        SpotState.LAPSED,
        (PayableState.VOID, 5_500, 5_500, 5_500),
    )


def test_a_visit_that_nobody_came_back_from_is_closed_before_the_order_lapses(
    placed: Placed, sandbox: Sandbox
) -> None:
    address = spotted.set_out(placed, now=NOW + 23 * HOURS)

    tick(NOW + 24 * HOURS, sandbox)
    sandbox.set_time(NOW + 24 * HOURS)

    assert (placed.state, placed.attempts) == (
        SpotState.LAPSED,
        [("cancelled", "left_unfinished")],
    )
    with pytest.raises(journeys.CameBackBefore):
        spotted.come_back(placed, sandbox.paypal.approve(address), now=NOW + 24 * HOURS)
    assert taken(sandbox) == []


def test_an_order_whose_payment_is_under_way_waits_and_is_served_past_its_time(
    placed: Placed, sandbox: Sandbox
) -> None:
    sandbox.paypal.pending()
    assert spotted.pay(placed, now=NOW + 23 * HOURS).state == ChargeState.PENDING

    tick(NOW + 25 * HOURS, sandbox)
    assert placed.state == SpotState.PLACED
    with pytest.raises(charges.AttemptUnderWay):
        spots.lapse(order_id=placed.order.pk, now=NOW + 25 * HOURS)
    with pytest.raises(charges.AttemptUnderWay):
        spots.give_up(order_id=placed.order.pk, why="", actor=make.ACTOR, now=NOW + 25 * HOURS)
    sandbox.paypal.complete(sandbox.ledger.captures[0])
    tick(NOW + 30 * HOURS, sandbox)

    # Its start, which passed meanwhile, is not moved.
    order = SpotOrder.objects.get()
    assert (order.state, order.first_on, order.end_on) == (
        SpotState.PAID,
        TODAY,
        date(2026, 12, 22),
    )
    assert_agree(sandbox, captures=1)


def test_a_pending_payment_that_is_denied_is_told_by_mail_and_the_order_lapses(
    placed: Placed, sandbox: Sandbox
) -> None:
    sandbox.paypal.pending()
    spotted.pay(placed)
    sandbox.paypal.deny(sandbox.ledger.captures[0])

    tick(NOW + 6 * MINUTES, sandbox)
    assert placed.state == SpotState.PLACED
    assert [state for state, _ in placed.attempts] == ["declined"]
    assert Mail.objects.filter(text__contains=placed.order.number).count() == 1
    tick(NOW + 25 * HOURS, sandbox)

    assert (placed.state, taken(sandbox)) == (SpotState.LAPSED, [])


def test_an_order_is_given_up_with_its_visit(placed: Placed, sandbox: Sandbox) -> None:
    spotted.set_out(placed)

    spots.give_up(
        order_id=placed.order.pk, why="replaced", actor=placed.buyer.actor, now=NOW + MINUTES
    )

    assert (placed.state, placed.sums) == (SpotState.CANCELLED, (PayableState.VOID, 5_500, 0, 0))
    assert placed.attempts == [("cancelled", "left_unfinished")]
    later = spotted.place(placed.buyer, now=NOW + MINUTES)
    assert spotted.pay(later, now=NOW + MINUTES).state == ChargeState.SUCCEEDED
    assert_agree(sandbox, captures=1)


def test_a_paid_order_is_not_given_up(placed: Placed) -> None:
    spotted.pay(placed)

    with pytest.raises(MovedBefore):
        spots.give_up(order_id=placed.order.pk, why="", actor=make.ACTOR, now=NOW)

    assert placed.sums == (PayableState.PAID, 0, 5_500, 0)


def test_what_the_worker_finds_by_state_alone_is_served(placed: Placed, sandbox: Sandbox) -> None:
    charge = charges.prepare(
        payable_id=placed.payable.pk, initiator=Initiator.CUSTOMER, actor=make.ACTOR, now=NOW
    )
    charges.carry_out(charge_id=charge.pk, now=NOW)
    Work.objects.all().delete()
    assert (placed.state, placed.sums) == (SpotState.PLACED, (PayableState.PAID, 0, 5_500, 0))

    with clock.fixed_at(NOW + MINUTES):
        work.plan(NOW + MINUTES)
        work.run_due()

    assert (placed.state, parked()) == (SpotState.PAID, [])
    assert queries.to_serve() == []


def test_nothing_begins_for_what_the_contract_covers_no_more(
    placed: Placed, sandbox: Sandbox
) -> None:
    """F56: the main contract was withdrawn while the payment page was open."""
    seen = spotted.shown(placed)
    spotted.shorten(placed.buyer)

    with pytest.raises(charges.NotServable) as refusal:
        spots.pay_with_method(
            order_id=placed.order.pk, shown=seen, actor=placed.buyer.actor, now=NOW
        )
    with pytest.raises(charges.NotServable):
        spotted.set_out(placed)

    assert refusal.value.why is Unserved.NOT_COVERED
    assert (placed.attempts, taken(sandbox)) == ([], [])


def test_nothing_begins_for_an_organisation_that_closes_before(placed: Placed) -> None:
    Organisation.objects.update(closed_on=date(2026, 12, 1))

    with pytest.raises(charges.NotServable) as refusal:
        spotted.pay(placed)

    assert refusal.value.why is Unserved.CLOSED


def test_nothing_begins_while_something_else_is_overdue(placed: Placed, sandbox: Sandbox) -> None:
    """B-14. A served order whose money the provider took back is a debt like any other."""
    spotted.pay(placed)
    sandbox.set_time(NOW + HOURS)
    sandbox.paypal.chargeback(sandbox.ledger.captures[0])
    tick(NOW + 26 * HOURS, sandbox)
    assert [each.total for each in payables.owed_by(placed.buyer.organisation)] == [5_500]
    later = spotted.place(placed.buyer, now=NOW + 26 * HOURS, first_on=TODAY + 2 * DAYS)
    Payable.objects.filter(pk=placed.payable.pk).update(overdue_at=NOW + 26 * HOURS)

    with pytest.raises(charges.NotServable) as refusal:
        spotted.pay(later, now=NOW + 26 * HOURS)

    assert refusal.value.why is Unserved.OVERDUE
    assert later.attempts == []


def test_who_approved_what_is_covered_no_more_is_charged_nothing(
    placed: Placed, sandbox: Sandbox
) -> None:
    """F56: withdrawn while the payer was at the provider's pages."""
    back = sandbox.paypal.approve(spotted.set_out(placed))
    spotted.shorten(placed.buyer)

    charge = spotted.come_back(placed, back)

    assert (charge.state, charge.code) == (ChargeState.CANCELLED, "not_servable")
    assert (placed.state, taken(sandbox)) == (SpotState.PLACED, [])


def test_money_that_came_in_for_what_is_covered_no_more_goes_back(
    placed: Placed, sandbox: Sandbox
) -> None:
    """F56, R10: withdrawn while the capture was under way."""
    sandbox.paypal.pending()
    spotted.pay(placed)
    spotted.shorten(placed.buyer)
    sandbox.paypal.complete(sandbox.ledger.captures[0])

    for minutes in (6, 7, 8):
        tick(NOW + minutes * MINUTES, sandbox)

    order = SpotOrder.objects.get()
    assert (order.state, order.closed_why) == (SpotState.REFUNDED, Unserved.NOT_COVERED)
    assert placed.sums == (PayableState.VOID, 5_500, 5_500, 5_500)
    assert (sandbox.ledger.taken("JPY"), Invoice.objects.count(), parked()) == (0, 0, [])


def test_money_that_came_in_after_the_whole_period_goes_back(
    placed: Placed, sandbox: Sandbox
) -> None:
    sandbox.paypal.pending()
    charge = spotted.pay(placed)
    late = NOW + 31 * DAYS
    sandbox.set_time(late)
    sandbox.paypal.complete(sandbox.ledger.captures[0])

    charges.look(charge_id=charge.pk, now=late)
    spots.serve(payable_id=placed.payable.pk, now=late)
    backs.tick(late)

    order = SpotOrder.objects.get()
    assert (order.state, order.closed_why) == (SpotState.REFUNDED, Unserved.OVER)
    assert placed.sums == (PayableState.VOID, 5_500, 5_500, 5_500)


def test_money_told_of_after_the_order_was_given_up_goes_back(
    placed: Placed, sandbox: Sandbox
) -> None:
    """Past every guard: the order was closed although its charge was under way."""
    sandbox.paypal.pending()
    spotted.pay(placed)
    _close_past_the_guard(placed)
    sandbox.paypal.complete(sandbox.ledger.captures[0])

    for minutes in (6, 7, 8):
        tick(NOW + minutes * MINUTES, sandbox)

    assert placed.state == SpotState.REFUNDED
    assert placed.sums == (PayableState.VOID, 5_500, 5_500, 5_500)
    assert sandbox.ledger.taken("JPY") == 0


@pytest.mark.parametrize("first", [jobs.COLLECT, jobs.SERVE_SPOT])
def test_a_closed_order_says_that_its_money_goes_back_whichever_work_finds_it_first(
    first: Job, placed: Placed, sandbox: Sandbox
) -> None:
    sandbox.paypal.pending()
    charge = spotted.pay(placed)
    _close_past_the_guard(placed)
    sandbox.paypal.complete(sandbox.ledger.captures[0])
    charges.look(charge_id=charge.pk, now=NOW + MINUTES)

    _do(first, placed)
    backs.tick(NOW + 2 * MINUTES)
    for job in (jobs.SERVE_SPOT, jobs.COLLECT):
        _do(job, placed)
    backs.tick(NOW + 3 * MINUTES)

    order = SpotOrder.objects.get()
    assert (order.state, order.closed_why) == (SpotState.REFUNDED, Unserved.ENDED)
    assert placed.sums == (PayableState.VOID, 5_500, 5_500, 5_500)
    assert (sandbox.ledger.taken("JPY"), len(sandbox.ledger.refunds)) == (0, 1)
    assert spotted.unsound() == []


def _do(job: Job, placed: Placed) -> None:
    """Do one piece of work alone, whatever else waits."""
    {jobs.COLLECT: tasks.collect, jobs.SERVE_SPOT: tasks.serve_spot}[job](
        {"payable_id": placed.payable.pk}, NOW + MINUTES
    )


def _close_past_the_guard(placed: Placed) -> None:
    SpotOrder.objects.filter(pk=placed.order.pk).update(
        state=SpotState.LAPSED, closed_at=NOW + MINUTES
    )
    Payable.objects.filter(pk=placed.payable.pk).update(
        credited=5_500, state=PayableState.VOID, closed_at=NOW + MINUTES
    )


def test_an_order_of_lists_is_found_with_its_payment(placed: Placed, sandbox: Sandbox) -> None:
    spotted.pay(placed)

    listed = queries.payables_of_orders(placed.buyer.organisation, [placed.order.pk])

    assert [(key, each.payable, each.taken_by) for key, each in listed.items()] == [
        (placed.order.pk, placed.payable, "paypal")
    ]
    other = spotted.buyer("Wakaba")
    assert queries.payables_of_orders(other.organisation, [placed.order.pk]) == {}

"""Money back of a spot order: a credit note ends it, a chargeback makes it a debt. Rule: B-11, I13, F19."""

from datetime import date, timedelta

import pytest
from pytest_django import Settings

from billing.enums import InvoiceKind
from billing.models import Invoice
from core.models import Mail
from gateway_sandbox import Sandbox
from payments.enums import CorrectionState, Hold, PayableState
from payments.models import Correction, Payable
from payments.queries import payables
from payments.queries import refunds as money_back
from payments.queries import spots as queries
from payments.queries.spots import Cut
from payments.services import asking, charges, corrections, spots
from seats.queries import capacity
from spot_orders.enums import SpotState
from spot_orders.models import SpotOrder
from tests.payments import backs, spotted
from tests.payments.farside import assert_agree, tick
from tests.payments.spotted import NOW, TODAY, Placed

pytestmark = pytest.mark.django_db

MINUTES, HOURS, DAYS = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def placed(sandbox: Sandbox) -> Placed:
    return spotted.placed(sandbox)


@pytest.fixture
def paid(placed: Placed) -> Placed:
    spotted.pay(placed)
    return placed


def accounts_at(placed: Placed, days: int) -> int | None:
    """Return the capacity so many days from now."""
    return capacity.allowed_at(placed.buyer.organisation, NOW + days * DAYS)


def test_what_is_credited_whole_ends_the_next_day(paid: Placed, sandbox: Sandbox) -> None:
    outcome = backs.credit(queries.payable_of(paid.order))
    tick(NOW + MINUTES, sandbox)

    order = SpotOrder.objects.get()
    assert (order.state, order.cut_on, order.end_on) == (
        SpotState.PAID,
        TODAY + DAYS,
        date(2026, 12, 22),
    )
    assert (accounts_at(paid, 0), accounts_at(paid, 1)) == (200, 100)
    note = outcome.credit_note
    assert note is not None
    assert (note.corrects, note.gross) == (Invoice.objects.get(kind=InvoiceKind.SPOT), 5_500)
    assert paid.sums == (PayableState.VOID, 5_500, 5_500, 5_500)
    assert sandbox.ledger.taken("JPY") == 0


def test_what_is_credited_whole_before_it_begins_never_does(sandbox: Sandbox) -> None:
    who = spotted.buyer()
    spotted.register(who, sandbox)
    placed = spotted.place(who, first_on=TODAY + 5 * DAYS)
    spotted.pay(placed)

    backs.credit(queries.payable_of(placed.order))

    order = SpotOrder.objects.get()
    assert (order.cut_on, order.until_on) == (TODAY + 5 * DAYS, TODAY + 5 * DAYS)
    assert [accounts_at(placed, days) for days in (0, 5, 6)] == [100, 100, 100]


def test_what_is_credited_in_part_goes_on(paid: Placed, sandbox: Sandbox) -> None:
    backs.credit(queries.payable_of(paid.order), 1_100)
    tick(NOW + MINUTES, sandbox)

    assert SpotOrder.objects.get().cut_on is None
    assert accounts_at(paid, 5) == 200
    assert paid.sums == (PayableState.PAID, 1_100, 5_500, 1_100)

    backs.credit(queries.payable_of(paid.order), None)

    assert SpotOrder.objects.get().cut_on == TODAY + DAYS


def test_what_staff_are_shown_before_is_what_is_given_back(paid: Placed) -> None:
    invoice = Invoice.objects.get()

    seen = money_back.preview(invoice_id=invoice.pk)

    assert (seen.left, seen.gross, seen.refund, seen.still_owed) == (5_500, 5_500, 5_500, 0)


def test_a_credit_on_the_last_day_cuts_nothing(paid: Placed, sandbox: Sandbox) -> None:
    last = NOW + 29 * DAYS
    sandbox.set_time(last)

    backs.credit(queries.payable_of(paid.order), now=last)

    assert SpotOrder.objects.get().cut_on is None


def test_money_that_the_company_took_back_makes_it_a_debt_that_is_not_charged_by_itself(
    paid: Placed, sandbox: Sandbox
) -> None:
    organisation = paid.buyer.organisation
    sandbox.set_time(NOW + HOURS)
    sandbox.paypal.chargeback(sandbox.ledger.captures[0])
    tick(NOW + 26 * HOURS, sandbox)
    payable = queries.payable_of(paid.order)
    assert (payable.state, payable.hold, payable.next_charge_at) == (
        PayableState.OPEN,
        Hold.REVERSED,
        None,
    )
    assert [each.total for each in payables.owed_by(organisation)] == [5_500]

    corrections.release_hold(
        payable_id=payable.pk, reason="It is owed.", actor=backs.HANAKO, now=NOW + 27 * HOURS
    )
    tick(NOW + 28 * HOURS, sandbox)
    tick(NOW + 9 * DAYS, sandbox)

    # From the day after it was due it is overdue, and the next spot order is refused.
    assert payables.is_overdue(organisation.pk)
    assert len(sandbox.ledger.captures) == 1
    assert Invoice.objects.count() == 1


def test_staff_neither_charge_nor_write_off_what_nobody_owes(placed: Placed) -> None:
    with pytest.raises(charges.NotOwed):
        asking.charge_now(
            payable_id=placed.payable.pk, reason="He asked.", actor=backs.HANAKO, now=NOW
        )
    with pytest.raises(corrections.NotOpen):
        corrections.write_off(
            payable_id=placed.payable.pk,
            reason="Let it be.",
            operation=placed.order.public_id,
            actor=backs.HANAKO,
            now=NOW,
        )

    assert (placed.attempts, placed.sums[0]) == ([], PayableState.OPEN)


def test_what_differed_and_was_released_is_its_customers_to_pay_again(
    placed: Placed, sandbox: Sandbox
) -> None:
    Payable.objects.filter(pk=placed.payable.pk).update(hold=Hold.DIFFERS)
    with pytest.raises(charges.HeldByStaff):
        spotted.pay(placed)

    corrections.release_hold(
        payable_id=placed.payable.pk, reason="Nothing there.", actor=backs.HANAKO, now=NOW
    )

    payable = Payable.objects.get()
    assert (payable.hold, payable.next_charge_at) == (Hold.NOTHING, None)
    spotted.pay(placed)
    assert placed.state == SpotState.PAID


def test_staff_who_withdraw_the_cover_cut_a_contract_and_credit_its_unused_months(
    sandbox: Sandbox,
) -> None:
    """S2-13. Three months from 22 November; the main contract ends with 9 December."""
    placed = spotted.placed(sandbox, months=3)
    spotted.pay(placed)
    spotted.shorten(placed.buyer)

    cut = _cut(placed)
    tick(NOW + MINUTES, sandbox)

    # The month that has begun is used; 22 December and 22 January are not: 2 × 5,500.
    assert [(each.on, each.gross) for each in cut] == [(date(2026, 12, 10), 11_000)]
    order = SpotOrder.objects.get()
    assert (order.state, order.until_on) == (SpotState.PAID, date(2026, 12, 10))
    note = Invoice.objects.get(kind=InvoiceKind.CREDIT_NOTE)
    assert (note.net, note.tax, note.gross) == (10_000, 1_000, 11_000)
    assert placed.sums == (PayableState.PAID, 11_000, 16_500, 11_000)
    assert sandbox.ledger.taken("JPY") == 5_500
    assert Mail.objects.filter(subject__contains=order.number, text__contains="11,000").exists()
    assert _cut(placed) == []


def test_a_contract_that_would_begin_after_its_cover_is_credited_whole(sandbox: Sandbox) -> None:
    who = spotted.buyer()
    spotted.register(who, sandbox)
    placed = spotted.place(who, first_on=date(2026, 12, 15))
    spotted.pay(placed)
    spotted.shorten(who)

    cut = _cut(placed)
    tick(NOW + MINUTES, sandbox)

    assert [(each.on, each.gross) for each in cut] == [(date(2026, 12, 15), 5_500)]
    order = SpotOrder.objects.get()
    assert order.until_on == order.first_on
    assert placed.sums == (PayableState.VOID, 5_500, 5_500, 5_500)


def test_a_contract_that_ends_within_its_cover_is_left_alone(
    sandbox: Sandbox, paid: Placed
) -> None:
    assert _cut(paid, ends_on=date(2026, 12, 22)) == []
    assert SpotOrder.objects.get().cut_on is None


def test_what_is_above_one_persons_limit_is_cut_at_once_and_credited_by_a_second(
    sandbox: Sandbox, settings: Settings
) -> None:
    settings.REFUND_ALONE_UP_TO = 10_000
    placed = spotted.placed(sandbox, months=3)
    spotted.pay(placed)
    spotted.shorten(placed.buyer)

    _cut(placed)

    assert SpotOrder.objects.get().until_on == date(2026, 12, 10)
    waiting = Correction.objects.get()
    assert (waiting.state, waiting.gross) == (CorrectionState.WAITING, 11_000)
    corrections.approve(correction_id=waiting.pk, actor=backs.TARO, now=NOW)
    assert placed.sums[1] == 11_000


def _cut(placed: Placed, ends_on: date = date(2026, 12, 10)) -> list[Cut]:
    return spots.cut_uncovered(
        organisation_id=placed.buyer.organisation.pk,
        ends_on=ends_on,
        operation=placed.order.public_id,
        reason="He asked us to.",
        actor=backs.HANAKO,
        now=NOW,
    )


def test_a_refund_of_an_order_that_was_not_served_is_told_in_its_words(
    placed: Placed, sandbox: Sandbox
) -> None:
    sandbox.paypal.pending()
    spotted.pay(placed)
    spotted.shorten(placed.buyer)
    sandbox.paypal.complete(sandbox.ledger.captures[0])
    for minutes in (6, 7, 8):
        tick(NOW + minutes * MINUTES, sandbox)

    texts = list(Mail.objects.order_by("pk").values_list("text", flat=True))
    assert any(placed.order.number in text for text in texts)
    assert_agree(sandbox, captures=1)
    assert not Payable.objects.filter(state=PayableState.OPEN).exists()

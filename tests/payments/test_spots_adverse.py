"""Spot orders where somebody means ill, or the world is odd. Rule: B-13, F51, F56, R10."""

from datetime import date, datetime, timedelta
from uuid import uuid4

import pytest

from accounts.enums import Language
from accounts.models import Organisation
from billing.models import Invoice
from core.models import Mail
from gateway_sandbox import Sandbox
from ordering.services import spots as wizard
from payments.enums import PayableState, Unserved
from payments.queries import receipts
from payments.queries import spots as queries
from payments.services import charges, spots
from plans import queries as plans
from spot_orders.enums import SpotState
from spot_orders.models import SpotOrder
from spot_orders.rules.spot import Wish
from tests import make
from tests.payments import backs, spotted
from tests.payments.farside import assert_agree, parked, taken, tick
from tests.payments.spotted import NOW, TODAY, TOKYO, Buyer, Placed

pytestmark = pytest.mark.django_db

MINUTES, HOURS, DAYS = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def placed(sandbox: Sandbox) -> Placed:
    return spotted.placed(sandbox)


def abroad(*, net: int = 5_000) -> Buyer:
    """Return a buyer in Germany who pays in dollars: no Japanese tax, and no Paid."""
    plans.forget()
    make.vendor()
    make.free_plan()
    version = make.plan_version(prices={"JPY": net, "USD": net})
    organisation = make.organisation(
        name="Hefe GmbH",
        country="DE",
        currency="USD",
        language=Language.EN,
        customer_since=date(2026, 11, 1),
    )
    make.main_contract(organisation, version, date(2026, 11, 10), months=12)
    return Buyer(organisation, make.member(organisation).user)


def order(who: Buyer, *, months: int = 1) -> Placed:
    """Place an order as the wizard does, with its own tax."""
    made = wizard.place(
        organisation_id=who.organisation.pk,
        user_id=who.root.pk,
        form=wizard.Form(Wish(100, TODAY, months), None, uuid4()),
        now=NOW,
    )
    return Placed(who, made, queries.payable_of(made))


def test_a_customer_abroad_pays_in_dollars_and_no_japanese_tax(sandbox: Sandbox) -> None:
    who = abroad()
    spotted.register(who, sandbox)
    placed = order(who, months=2)

    charge = spotted.pay(placed)

    assert (charge.amount, charge.currency, charge.state) == (10_000, "USD", "succeeded")
    invoice = Invoice.objects.get()
    assert (invoice.net, invoice.tax, invoice.gross, invoice.currency) == (10_000, 0, 10_000, "USD")
    assert receipts.newest(queries.payable_of(placed.order)) is not None
    assert any("$100.00" in each.text for each in Mail.objects.all())
    assert_agree(sandbox, captures=1)


def test_what_is_cut_abroad_is_credited_without_tax(sandbox: Sandbox) -> None:
    who = abroad()
    spotted.register(who, sandbox)
    placed = order(who, months=3)
    spotted.pay(placed)

    [cut] = queries.cut_at(who.organisation, date(2026, 12, 10))

    assert (cut.on, cut.gross) == (date(2026, 12, 10), 10_000)


def test_an_order_of_nothing_is_served_at_once_and_nobody_is_charged(sandbox: Sandbox) -> None:
    """A plan whose usage alone is billed."""
    who = abroad(net=0)
    spotted.register(who, sandbox)

    placed = order(who)
    tick(NOW + MINUTES, sandbox)
    tick(NOW + 25 * HOURS, sandbox)

    assert (placed.state, placed.sums) == (SpotState.PAID, (PayableState.PAID, 0, 0, 0))
    assert Invoice.objects.get().gross == 0
    assert (placed.attempts, taken(sandbox), parked()) == ([], [], [])
    with pytest.raises(charges.NotOwed):
        spotted.pay(placed)
    assert queries.cut_at(who.organisation, date(2026, 12, 10))[0].gross == 0


def test_a_method_that_took_the_others_place_is_not_charged_unseen(
    placed: Placed, sandbox: Sandbox
) -> None:
    seen = spotted.shown(placed)
    backs.paid_method(placed.buyer.organisation, placed.buyer.root, sandbox)

    with pytest.raises(charges.NotAsShown):
        spots.pay_with_method(
            order_id=placed.order.pk, shown=seen, actor=placed.buyer.actor, now=NOW
        )

    assert (placed.attempts, taken(sandbox)) == ([], [])


def test_an_organisation_that_closes_while_it_pays_gets_its_money_back(
    placed: Placed, sandbox: Sandbox
) -> None:
    sandbox.paypal.pending()
    spotted.pay(placed)
    Organisation.objects.update(closed_on=TODAY + DAYS)
    sandbox.paypal.complete(sandbox.ledger.captures[0])

    for minutes in (6, 7, 8):
        tick(NOW + minutes * MINUTES, sandbox)

    found = SpotOrder.objects.get()
    assert (found.state, found.closed_why) == (SpotState.REFUNDED, Unserved.CLOSED)
    assert placed.sums == (PayableState.VOID, 5_500, 5_500, 5_500)
    assert (sandbox.ledger.taken("JPY"), parked()) == (0, [])


def test_a_period_that_ends_at_midnight_is_served_before_it_and_given_back_after(
    placed: Placed, sandbox: Sandbox
) -> None:
    """22 November to 21 December: the payment is confirmed in the night, in Tokyo."""
    last = datetime(2026, 12, 21, 23, 59, 59, tzinfo=TOKYO)
    found = SpotOrder.objects.select_related("organisation").get()

    assert queries.why_not_served(found, last) is None
    assert queries.why_not_served(found, last + timedelta(seconds=1)) is Unserved.OVER

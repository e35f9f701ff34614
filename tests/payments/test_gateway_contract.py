"""What every gateway promises: one story, told to each payment company over real HTTP.

A further gateway adds a Company here, and nothing else.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import pytest

from gateway_sandbox import Sandbox
from payments.gateways.base import (
    Absent,
    Declined,
    Gateway,
    GatewayUnreachable,
    Intent,
    Outcome,
    Refunded,
    RefundFailed,
    RefundIntent,
    Settled,
    Standing,
    Undecided,
    Waiting,
)
from payments.gateways.paid import Paid
from payments.gateways.paypal import PayPal
from tests.payments import paypal
from tests.payments.test_paid_form import PROFILE_OF_A_COMPANY
from tests.payments.test_paid_story import account as account_of_paid

NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)


@dataclass
class Company:
    """A gateway, and the company behind it as its own ledger shows it.

    `taken`: what the company took or bills, in yen, an entry each. `capture_call`: the address at
    which it takes. `gives_back`: whether it has a call for refunds at all.
    """

    gateway: Gateway
    sandbox: Sandbox
    payer: str
    taken: Callable[[], list[int]]
    given_back: Callable[[], list[int]]
    capture_call: str
    gives_back: bool
    forsake: Callable[[], None]  # the payer may not be charged any more, by the company's own act


def with_paypal(sandbox: Sandbox) -> Company:
    account = paypal.account_of(sandbox)
    gateway = PayPal(account, now=sandbox.now)
    visit = gateway.open_registration(
        key="m-1",
        customer="org-1",
        language="ja",
        return_url=paypal.RETURN_URL,
        cancel_url=paypal.CANCEL_URL,
    )
    sandbox.paypal.approve(visit.url)
    payer = gateway.finish_registration(key="m-1", reference=visit.reference)
    assert payer is not None
    assert payer == gateway.finish_registration(key="m-1", reference=visit.reference)
    return Company(
        gateway=gateway,
        sandbox=sandbox,
        payer=payer.reference,
        taken=lambda: [each.amount for each in sandbox.ledger.captures if each.is_in],
        given_back=lambda: [each.amount for each in sandbox.ledger.refunds],
        capture_call="POST /v2/checkout/orders",
        gives_back=True,
        forsake=lambda: sandbox.paypal.delete_agreement(payer.reference),
    )


def with_paid(sandbox: Sandbox) -> Company:
    gateway = Paid(account_of_paid(sandbox))
    payer = gateway.register(key="org-1", profile=PROFILE_OF_A_COMPANY)
    assert payer == gateway.register(key="org-1", profile=PROFILE_OF_A_COMPANY)
    sandbox.paid.approve(payer.reference)
    return Company(
        gateway=gateway,
        sandbox=sandbox,
        payer=payer.reference,
        taken=lambda: [each.price for each in sandbox.ledger.trades if each.status == "fixed"],
        given_back=list,
        capture_call="*/Fix/*",
        gives_back=False,
        forsake=lambda: sandbox.paid.block(payer.reference),
    )


@pytest.fixture(params=[pytest.param(with_paypal, id="paypal"), pytest.param(with_paid, id="paid")])
def company(request: pytest.FixtureRequest) -> Iterator[Company]:
    with Sandbox() as sandbox:
        sandbox.set_time(NOW)
        yield request.param(sandbox)


def charge(company: Company, *, key: str = "c1", number: str = "INV-1") -> Intent:
    """Return a charge of 5,500 yen, announced where the company wants it to be."""
    intent = Intent(
        key=key,
        number=number,
        amount=5_500,
        currency="JPY",
        description="2026年10月分",
        on=date(2026, 11, 1),
        payer=company.payer,
        sent_at=NOW,
    )
    started = company.gateway.start(intent, return_url="", cancel_url="")
    assert isinstance(started, Waiting)
    assert started.is_approved
    return replace(intent, reference=started.reference)


def settled(outcome: Outcome, company: Company) -> Settled:
    """Return an outcome that is the charge, to the yen, with the company's own names for it."""
    assert isinstance(outcome, Settled)
    assert outcome == Settled(
        reference=outcome.reference,
        capture=outcome.capture,
        amount=5_500,
        currency="JPY",
        key="c1",
        number="INV-1",
        account=company.gateway.account,
    )
    assert outcome.capture
    return outcome


def undecided(outcome: Outcome, intent: Intent) -> bool:
    """Return whether nobody knows; the word for why is the gateway's own."""
    return isinstance(outcome, Undecided) and outcome == Undecided(outcome.code, intent.reference)


def found_out(company: Company, intent: Intent) -> Outcome:
    """Return how a charge stands: as looked up, or by the same call where that is safe."""
    outcome = company.gateway.look_up(intent)
    if outcome == Absent(may_repeat=True):
        return company.gateway.capture(intent)
    return outcome


def test_a_registered_payer_is_active(company: Company) -> None:
    assert company.gateway.standing(company.payer) is Standing.ACTIVE


def test_a_payer_nobody_knows_is_unknown(company: Company) -> None:
    assert company.gateway.standing("nobody") is Standing.UNKNOWN


def test_an_announcement_takes_nothing(company: Company) -> None:
    charge(company)
    charge(company)

    assert company.taken() == []


def test_the_same_charge_is_taken_once(company: Company) -> None:
    intent = charge(company)

    first = settled(company.gateway.capture(intent), company)
    second = company.gateway.capture(intent)

    assert second == first
    assert company.taken() == [5_500]


def test_a_charge_that_is_looked_up_is_settled(company: Company) -> None:
    intent = charge(company)
    first = settled(company.gateway.capture(intent), company)

    assert found_out(company, replace(intent, reference=first.reference)) == first
    assert company.taken() == [5_500]


def test_a_company_that_is_away_takes_nothing(company: Company) -> None:
    intent = charge(company)
    company.sandbox.stop_listening()

    with pytest.raises(GatewayUnreachable):
        company.gateway.capture(intent)

    company.sandbox.listen_again()
    assert company.taken() == []
    settled(company.gateway.capture(intent), company)
    assert company.taken() == [5_500]


def test_a_lost_answer_is_undecided_and_the_truth_comes_out(company: Company) -> None:
    intent = charge(company)
    company.sandbox.faults.lose_reply(company.capture_call)

    assert undecided(company.gateway.capture(intent), intent)
    assert company.taken() == [5_500]
    settled(found_out(company, intent), company)
    assert company.taken() == [5_500]


def test_a_lost_request_is_undecided_and_the_truth_comes_out(company: Company) -> None:
    intent = charge(company)
    company.sandbox.faults.lose_request(company.capture_call)

    assert undecided(company.gateway.capture(intent), intent)
    assert company.taken() == []
    settled(found_out(company, intent), company)
    assert company.taken() == [5_500]


@pytest.mark.parametrize("fault", ["cut_reply", "html_error", "empty_200", "invalid_json"])
def test_an_answer_that_says_nothing_is_no_decline(company: Company, fault: str) -> None:
    intent = charge(company)
    getattr(company.sandbox.faults, fault)(company.capture_call)

    assert undecided(company.gateway.capture(intent), intent)
    settled(found_out(company, intent), company)
    assert company.taken() == [5_500]


def test_a_payer_who_may_not_be_charged_any_more_is_declined(company: Company) -> None:
    company.forsake()
    intent = Intent(
        key="c1",
        number="INV-1",
        amount=5_500,
        currency="JPY",
        description="2026年10月分",
        on=date(2026, 11, 1),
        payer=company.payer,
    )

    outcome: object = company.gateway.start(intent, return_url="", cancel_url="")
    if isinstance(outcome, Waiting):
        outcome = company.gateway.capture(intent)

    assert isinstance(outcome, Declined)
    assert outcome.is_method_broken
    assert company.taken() == []


def test_a_part_is_given_back_once_or_by_hand(company: Company) -> None:
    capture = settled(company.gateway.capture(charge(company)), company).capture
    intent = RefundIntent(
        key="r1", capture=capture, amount=500, currency="JPY", note="ご返金", number="CN-1"
    )

    first = company.gateway.refund(intent)
    second = company.gateway.refund(intent)

    assert first == second
    if company.gives_back:
        assert isinstance(first, Refunded)
        assert first == Refunded(first.reference, 500, "JPY")
        looked_up = company.gateway.look_up_refund(replace(intent, reference=first.reference))
        assert looked_up == first
        assert company.given_back() == [500]
    else:
        assert isinstance(first, RefundFailed)
        assert company.given_back() == []


def test_a_payer_may_be_forgotten_twice(company: Company) -> None:
    company.gateway.forget(company.payer)
    company.gateway.forget(company.payer)

    assert company.taken() == []

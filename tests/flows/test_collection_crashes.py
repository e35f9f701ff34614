"""Money through crashes: a process dies at each commit and each call, and another goes on. Rule: T5, R6.

Each story is told once for every boundary in it, by a process that dies there. Then time goes by,
minutes, hours and days, in processes that remember nothing, and both books are compared.
"""

import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.db import transaction

from core import books, clock, work
from core.models import Mail, Work
from gateway_sandbox import Sandbox
from payments import jobs, tasks
from payments.enums import (
    LIVE,
    REFUND_LIVE,
    JourneyPurpose,
    JourneyState,
    MethodState,
    PayableState,
    RefundState,
)
from payments.models import Charge, Difference, Journey, Payable, PaymentMethod, Refund
from payments.services import charges, journeys, paying
from payments.services.journeys import CameBackBefore, Traveller
from tests import make
from tests.flows.boundaries import afresh, dies_at
from tests.payments import backs, collected
from tests.payments.collected import Customer
from tests.payments.farside import assert_agree, booked, taken

pytestmark = pytest.mark.django_db(transaction=True)

NOW = make.NOW
MINUTES, HOURS = timedelta(minutes=1), timedelta(hours=1)
LATER = [NOW + each * MINUTES for each in (1, 4, 11, 80, 3 * 60, 8 * 60, 25 * 60, 50 * 60, 98 * 60)]
SESSION = "a-session"
MOST = 60

# Makes what a story is about; returns the story, and what its people do after the crash.
Story = tuple[Callable[[], object], Callable[[], object]]


def nothing() -> None: ...


def crash_everywhere(tell: Callable[[str], Story], sandbox: Sandbox) -> int:
    """Tell a story once for each boundary in it, dying there; then let days go by. Return how often."""
    after: list[Callable[[], object]] = []
    for point in range(1, MOST):
        story, then = tell(f"No {point}")
        after.append(then)
        if not dies_at(point, lambda do=story: at(NOW, do)):  # type: ignore[misc]
            break
    else:
        raise AssertionError(f"more than {MOST} boundaries")
    for each in after:
        each()
    for moment in LATER:
        sandbox.set_time(moment)
        afresh(lambda moment=moment: at(moment, lambda: tick(moment)))  # type: ignore[misc]
    return len(after) - 1


def at(moment: datetime, do: Callable[[], object]) -> None:
    with clock.fixed_at(moment):
        do()


def tick(moment: datetime) -> None:
    work.plan(moment)
    work.run_due()


def assert_quiet(sandbox: Sandbox, *, captures: int) -> None:
    """Nothing is under way, parked or in dispute, both books say the same, and they are sound."""
    assert not Charge.objects.filter(state__in=sorted(LIVE)).exists()
    assert not Refund.objects.filter(state__in=sorted(REFUND_LIVE)).exists()
    assert list(Work.objects.filter(state="parked").values_list("kind", "reason")) == []
    assert not Difference.objects.exists()
    assert_agree(sandbox, captures=captures)
    assert [str(breach) for breach in books.breaches(now=LATER[-1])] == []


def tell(what: str, boundaries: int, sandbox: Sandbox) -> None:
    """Print what was tried and what came of it, for docs/reliability.md."""
    there, here = taken(sandbox), booked()
    documents = {row.invoice_id for row in sandbox.ledger.captures}
    documents |= {row.code for row in sandbox.ledger.trades}
    print(  # noqa: T201
        f"crashes: {what}: {boundaries} boundaries, {len(there)} captures,"
        f" doubled {len(there) - len(documents)}, lost {len(set(there) - set(here))}"
    )


def collect(payable: Payable) -> None:
    tasks.collect({"payable_id": payable.pk}, NOW)


def assert_each_paid_once() -> None:
    for payable in Payable.objects.all():
        assert (payable.state, payable.captured) == (PayableState.PAID, payable.gross)
        assert payable.charges.filter(state="succeeded").count() == 1
        assert payable.declines == 0


def test_a_charge_at_paypal_is_made_once_wherever_its_process_dies(sandbox: Sandbox) -> None:
    def story(name: str) -> Story:
        customer = collected.customer(sandbox, name=name)
        return lambda: collect(customer.payable), nothing

    boundaries = crash_everywhere(story, sandbox)

    assert boundaries >= 10
    assert_each_paid_once()
    assert_quiet(sandbox, captures=boundaries + 1)
    tell("charge at PayPal", boundaries, sandbox)


def test_a_charge_at_paid_is_reserved_and_fixed_once_wherever_its_process_dies(
    sandbox: Sandbox,
) -> None:
    def story(name: str) -> Story:
        organisation, root = collected.billed(name)
        collected.paid_method(organisation, root, sandbox)
        payable = Payable.objects.get(organisation=organisation)
        return lambda: collect(payable), nothing

    boundaries = crash_everywhere(story, sandbox)

    assert boundaries >= 14
    assert_each_paid_once()
    assert [row.status for row in sandbox.ledger.trades] == ["fixed"] * (boundaries + 1)
    assert_quiet(sandbox, captures=boundaries + 1)
    tell("charge at Paid", boundaries, sandbox)


def test_a_whole_tick_charges_once_wherever_its_process_dies(sandbox: Sandbox) -> None:
    """The way of the row that asks for the work: planned, claimed, done, noted."""

    def story(name: str) -> Story:
        customer = collected.customer(sandbox, name=name)

        def do() -> None:
            with transaction.atomic():
                jobs.COLLECT.enqueue(
                    key=str(customer.payable.pk),
                    due_at=NOW,
                    payload={"payable_id": customer.payable.pk},
                    organisation_id=customer.organisation.pk,
                )
            work.run_due([work.GATEWAY_QUEUE])

        return do, nothing

    boundaries = crash_everywhere(story, sandbox)

    assert boundaries >= 16
    assert_each_paid_once()
    assert_quiet(sandbox, captures=boundaries + 1)
    tell("whole tick", boundaries, sandbox)


def test_a_credit_and_its_refund_are_made_once_wherever_their_process_dies(
    sandbox: Sandbox,
) -> None:
    def story(name: str) -> Story:
        customer, _ = collected.paid(sandbox, name=name)
        operation = uuid4()

        def do() -> None:
            for refund in backs.credit(customer.payable, 2_000, operation=operation).refunds:
                tasks.refund({"refund_id": refund.pk}, NOW)

        # The form is sent once more.
        return do, lambda: backs.credit(customer.payable, 2_000, operation=operation)

    boundaries = crash_everywhere(story, sandbox)

    assert boundaries >= 10
    made = Refund.objects.filter(state=RefundState.SUCCEEDED)
    assert list(made.values_list("amount", flat=True)) == [2_000] * (boundaries + 1)
    assert [row.amount for row in sandbox.ledger.refunds] == [2_000] * (boundaries + 1)
    assert set(Payable.objects.values_list("credited", "captured", "refunded")) == {
        (2_000, 5_500, 2_000)
    }
    assert_quiet(sandbox, captures=boundaries + 1)
    tell("refund", boundaries, sandbox)


def test_an_invoice_is_taken_up_once_wherever_its_process_dies(sandbox: Sandbox) -> None:
    def story(name: str) -> Story:
        organisation, root = collected.billed(name, take_up=False)
        collected.paypal_method(organisation, root, sandbox)
        return lambda: tasks.plan_collection(NOW), nothing

    boundaries = crash_everywhere(story, sandbox)

    assert boundaries >= 4
    assert Payable.objects.count() == boundaries + 1
    assert_each_paid_once()
    assert_quiet(sandbox, captures=boundaries + 1)
    tell("take up", boundaries, sandbox)


def traveller(customer: Customer) -> Traveller:
    return Traveller(customer.organisation.pk, customer.root.pk, SESSION)


def reload(do: Callable[[], object]) -> Callable[[], object]:
    """What a payer does whose page never came: the address is opened once more."""

    def again() -> None:
        with contextlib.suppress(CameBackBefore, charges.NotNow):
            do()

    return again


def test_a_method_is_registered_once_wherever_the_return_dies(sandbox: Sandbox) -> None:
    def story(name: str) -> Story:
        organisation, root = collected.billed(name)
        who = Traveller(organisation.pk, root.pk, SESSION)
        journey, state = journeys.set_out(
            traveller=who, purpose=JourneyPurpose.METHOD, gateway="paypal", now=NOW
        )
        address = journeys.open_registration(
            journey_id=journey.pk,
            return_url="http://localhost:8000/back",
            cancel_url="http://localhost:8000/cancelled",
            language="ja",
            now=NOW,
        )
        sandbox.paypal.approve(address)

        def come_back() -> None:
            back = journeys.come_back(
                traveller=who, state=state, purpose=JourneyPurpose.METHOD, now=NOW
            )
            journeys.finish(journey_id=back.pk, now=NOW)

        return come_back, reload(come_back)

    boundaries = crash_everywhere(story, sandbox)

    assert boundaries >= 10
    assert [row.state for row in PaymentMethod.objects.all()] == [MethodState.ACTIVE] * (
        boundaries + 1
    )
    assert len(sandbox.ledger.payment_tokens) == boundaries + 1
    assert set(Journey.objects.values_list("state", flat=True)) == {JourneyState.COMPLETED}
    # What was owed is collected, now that there is a method.
    assert_each_paid_once()
    assert_quiet(sandbox, captures=boundaries + 1)
    tell("registration", boundaries, sandbox)


def way_back() -> paying.WayBack:
    return paying.WayBack("http://localhost:8000/back/{state}", "http://localhost:8000/no/{state}")


def set_out(customer: Customer) -> str:
    return paying.set_out(
        payable_id=customer.payable.pk,
        gateway="paypal",
        shown=charges.Shown(customer.payable.gross),
        traveller=traveller(customer),
        way_back=way_back(),
        now=NOW,
    )


def without_method(name: str) -> Customer:
    organisation, root = collected.billed(name)
    payable = Payable.objects.get(organisation=organisation)
    return Customer(organisation, root, payable, PaymentMethod())


def test_a_payment_at_the_providers_pages_is_taken_once_wherever_the_return_dies(
    sandbox: Sandbox,
) -> None:
    def story(name: str) -> Story:
        customer = without_method(name)
        address = sandbox.paypal.approve(set_out(customer))
        state = address.partition("/back/")[2].partition("?")[0]

        def come_back() -> None:
            journey = journeys.come_back(
                traveller=traveller(customer),
                state=state,
                purpose=JourneyPurpose.PAYMENT,
                now=NOW,
            )
            paying.come_back(journey=journey, now=NOW)

        return come_back, reload(come_back)

    boundaries = crash_everywhere(story, sandbox)

    assert boundaries >= 10
    assert_each_paid_once()
    assert_quiet(sandbox, captures=boundaries + 1)
    assert not Journey.objects.filter(state__in=["open", "returned"]).exists()
    tell("payment at PayPal's pages", boundaries, sandbox)


def test_a_payment_that_dies_on_its_way_out_takes_nothing_and_blocks_nothing(
    sandbox: Sandbox,
) -> None:
    def story(name: str) -> Story:
        customer = without_method(name)
        return lambda: set_out(customer), nothing

    boundaries = crash_everywhere(story, sandbox)

    assert boundaries >= 8
    assert set(Payable.objects.values_list("state", "captured")) == {(PayableState.OPEN, 0)}
    assert_quiet(sandbox, captures=0)
    assert not Mail.objects.filter(text__contains="決済ができませんでした").exists()
    for payable in Payable.objects.all():
        charges.prepare_once(payable_id=payable.pk, gateway="paypal", actor=make.ACTOR, now=NOW)
    tell("setting out", boundaries, sandbox)

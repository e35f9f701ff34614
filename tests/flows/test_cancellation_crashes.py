"""The end of a contract through crashes: a process dies at each commit and call. Rule: T5, S1-29, F62."""

from datetime import datetime

import pytest

from accounts.models import Membership, Organisation
from cancellation import services as cancellations
from cancellation import tasks
from cancellation.models import Cancellation
from cancellation.services import closing
from core import books
from core.models import AuditEntry, Mail, Work
from gateway_sandbox import Sandbox
from payments import tasks as payments
from payments.enums import MethodState
from payments.models import Charge, Payable, PaymentMethod
from plans.models import MainContract, Selection
from tests import make
from tests.cancellation.leaving import TICKS, cancelled, local, root, shown, signed_in
from tests.flows.boundaries import afresh, dies_at
from tests.flows.test_collection_crashes import at, tick
from tests.payments import collected, spotted

pytestmark = pytest.mark.django_db(transaction=True)

NOW = make.NOW
END, BILLED, COLLECTED = local(12, 1), local(12, 1, 7), local(12, 1, 8)
SETTLED = local(12, 1, 9)
MOST, MOST_TO_SETTLE = 40, 16


def later(sandbox: Sandbox, *moments: datetime) -> None:
    for moment in moments:
        sandbox.set_time(moment)
        afresh(lambda moment=moment: at(moment, lambda: tick(moment)))  # type: ignore[misc]


def collect() -> None:
    """Take up the last bills and charge them, and nothing else."""
    payments.plan_collection(COLLECTED)
    for payable in Payable.objects.filter(state="open"):
        payments.collect({"payable_id": payable.pk}, COLLECTED)


def settle(cancellation: Cancellation) -> None:
    """Settle one contract, and have the provider forget its payer."""
    tasks.settle({"cancellation_id": cancellation.pk}, SETTLED)
    method = PaymentMethod.objects.get(organisation=cancellation.organisation_id)
    payments.forget_payer({"method_id": method.pk}, SETTLED)


def note(what: str, boundaries: int) -> None:
    """Print how often a story was told, for docs/reliability.md."""
    print(f"crashes: {what}: {boundaries} boundaries")  # noqa: T201


def assert_sound(moment: datetime) -> None:
    assert list(Work.objects.filter(state="parked").values_list("kind", "reason")) == []
    assert [str(breach) for breach in books.breaches(now=moment)] == []


def test_a_contract_is_cancelled_wholly_or_not_at_all_wherever_its_process_dies() -> None:
    make.vendor()
    make.cancellation_terms()
    made = 0
    for point in range(1, MOST):
        organisation = make.organisation(name=f"No {point}")
        make.member(organisation)
        review = shown(organisation, NOW)
        assert signed_in(review, NOW)

        def confirm() -> None:
            cancellations.confirm(
                organisation_id=organisation.pk,  # noqa: B023 - called before the next one is made
                review_id=review.public_id,  # noqa: B023
                user_id=review.user_id,  # noqa: B023
                ticked=TICKS,
                now=NOW,
            )

        died = dies_at(point, lambda: at(NOW, confirm))
        found = Cancellation.objects.filter(organisation=organisation)
        closed_on = Organisation.objects.get(pk=organisation.pk).closed_on
        mails = Mail.objects.filter(to=[root(organisation).email]).count()
        assert (found.count(), closed_on is not None, mails) in {(0, False, 0), (1, True, 1)}
        # The click comes again, and is the first or the second one.
        confirm()
        assert found.count() == 1
        assert Mail.objects.filter(to=[root(organisation).email]).count() == 1
        made += 1
        if not died:
            break
    assert made >= 3
    note("confirm", made - 1)


def test_the_last_day_is_carried_out_once_wherever_its_process_dies(sandbox: Sandbox) -> None:
    make.cancellation_terms()
    for point in range(1, MOST):
        who = spotted.buyer(f"No {point}")
        make.member(who.organisation)
        spotted.register(who, sandbox)
        spotted.pay(spotted.place(who, months=2))
        made = cancelled(who.organisation, NOW)
        sandbox.set_time(END)
        if not dies_at(
            point,
            lambda made=made: at(END, lambda: tasks.close({"cancellation_id": made.pk}, END)),  # type: ignore[misc]
        ):
            break
    else:
        raise AssertionError(f"more than {MOST} boundaries")

    later(sandbox, local(12, 1, 1), local(12, 1, 2))

    assert point >= 3
    assert not Cancellation.objects.filter(closed_at=None).exists()
    assert set(Membership.objects.filter(deactivated_at=None).values_list("role", flat=True)) == {
        "root"
    }
    assert set(
        Membership.objects.exclude(role="root").values_list("deactivated_at", flat=True)
    ) == {END}
    assert not Selection.objects.exclude(until_at__lte=END).exists()
    assert MainContract.objects.exclude(cut_on=None).count() == point
    assert AuditEntry.objects.filter(action="cancellation.closed").count() == point
    assert_sound(local(12, 1, 2))
    note("last day", point - 1)


def test_a_contract_is_settled_once_wherever_its_process_dies(sandbox: Sandbox) -> None:
    make.cancellation_terms()
    left = [_leaver(sandbox, number) for number in range(MOST_TO_SETTLE)]
    later(sandbox, END, BILLED)
    sandbox.set_time(COLLECTED)
    at(COLLECTED, collect)

    for point, made in enumerate(left, start=1):
        assert closing.waits_for(made) is None
        if not dies_at(point, lambda made=made: at(SETTLED, lambda: settle(made))):  # type: ignore[misc]
            break
    else:
        raise AssertionError(f"more than {MOST_TO_SETTLE} boundaries")
    later(sandbox, local(12, 1, 10), local(12, 1, 12), local(12, 2, 12))

    assert point >= 4
    assert not Cancellation.objects.filter(settled_at=None).exists()
    assert set(PaymentMethod.objects.values_list("state", flat=True)) == {MethodState.DETACHED}
    assert all(token.deleted_at for token in sandbox.ledger.payment_tokens)
    assert Charge.objects.count() == 2 * MOST_TO_SETTLE
    settled = AuditEntry.objects.filter(action="cancellation.settled")
    assert settled.count() == MOST_TO_SETTLE
    assert_sound(local(12, 2, 12))
    note("settle and forget", point - 1)


def _leaver(sandbox: Sandbox, number: int) -> Cancellation:
    """Return the cancellation of a customer who has paid for October."""
    email = f"payer-{number}@example.com"
    who = collected.customer(sandbox, name=f"No {number}", email=email)
    collected.charge(who.payable)
    return cancelled(who.organisation, NOW)

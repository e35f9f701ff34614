"""A cancellation beside what else happens to a contract at the same moment. Rule: R5, F61."""

from datetime import date, timedelta

import pytest

from accounts.models import Organisation
from cancellation import services
from cancellation.models import Cancellation
from cancellation.services import Confirmed, Differs, closing
from cancellation.services import confirm as confirm_it
from ordering.rules.acts import ChangePlan
from ordering.rules.guards import Cancelled
from ordering.services import reviews
from ordering.services.reviews import Saved
from plans.enums import Category
from plans.models import Selection
from tests.cancellation.leaving import (
    TICKS,
    at_once,
    cancelled,
    customer,
    local,
    root,
    shown,
    signed_in,
)

pytestmark = pytest.mark.django_db(transaction=True)

NOON = local(4, 10, 12)
END = local(5, 1)


def test_of_a_cancellation_and_a_plan_change_at_once_the_second_sees_the_first() -> None:
    org = customer()
    leaving = shown(org, NOON)
    assert signed_in(leaving, NOON)
    changing = reviews.review(
        organisation_id=org.pk,
        user_id=root(org).pk,
        act=ChangePlan(Category.SUPPORT, "gold"),
        now=NOON,
    )

    def cancel() -> str:
        outcome = confirm_it(
            organisation_id=org.pk,
            review_id=leaving.public_id,
            user_id=leaving.user_id,
            ticked=TICKS,
            now=NOON,
        )
        assert isinstance(outcome, Confirmed | Differs)
        return type(outcome).__name__

    def change() -> str:
        try:
            outcome = reviews.save(
                organisation_id=org.pk,
                review_id=changing.public_id,
                actor=f"user:{root(org).pk}",
                now=NOON,
            )
        except Cancelled:
            return "Cancelled"
        assert isinstance(outcome, Saved)
        return "Saved"

    outcomes = sorted(at_once(cancel, change))

    assert outcomes in (["Cancelled", "Confirmed"], ["Differs", "Saved"])
    is_cancelled = "Confirmed" in outcomes
    assert Cancellation.objects.exists() is is_cancelled
    assert (Organisation.objects.get().closed_on is not None) is is_cancelled
    assert Selection.objects.filter(plan_version__plan__code="gold").exists() is not is_cancelled


def test_two_workers_carry_the_last_day_out_once() -> None:
    org = customer()
    made = cancelled(org, NOON)

    done = at_once(
        lambda: closing.close(cancellation_id=made.pk, now=END),
        lambda: closing.close(cancellation_id=made.pk, now=END),
    )

    assert sorted(done) == [False, True]
    assert set(Selection.objects.values_list("until_at", flat=True)) == {END}


def test_who_read_the_clock_before_midnight_withdraws_nothing_that_has_ended() -> None:
    org = customer()
    made = cancelled(org, NOON)
    closing.close(cancellation_id=made.pk, now=END)

    with pytest.raises(services.TooLate):
        services.withdraw(
            organisation_id=org.pk, user_id=root(org).pk, now=END - timedelta(seconds=1)
        )

    assert Organisation.objects.get().closed_on == date(2026, 5, 1)

"""A renewal that a spot order needs stays, unless staff let it go. Rule: S2-13."""

from datetime import date, timedelta

import pytest

from accounts.enums import Language
from accounts.models import Membership
from ordering import services as ordering
from ordering.enums import ReviewState
from ordering.queries import positions
from ordering.rules.acts import WithdrawRenewal
from ordering.rules.guards import SpotDependsOnRenewal, Waiver
from ordering.views.refusals import told
from payments.services import spots as payments
from plans import queries as plans
from plans.models import MainContract, PlanVersion
from spot_orders import queries, services
from spot_orders.models import SpotOrder
from tests import make
from tests.billing import spots
from tests.plans.spans import TOKYO

pytestmark = pytest.mark.django_db

LATER = spots.NOW + timedelta(hours=1)
# The first term ends with 30 November, the ordered one with 31 December.
END_ON = date(2026, 12, 1)


@pytest.fixture
def root() -> Membership:
    root = spots.customer(months=1, language=Language.EN)
    spots.renewed_at(root.organisation, PlanVersion.objects.get(plan__code="starter"))
    return root


def withdraw(root: Membership) -> None:
    act = WithdrawRenewal(is_confirmed=True)
    review = ordering.review(
        organisation_id=root.organisation_id,
        user_id=root.user_id,
        act=act,
        now=LATER,
    )
    ordering.save(
        organisation_id=root.organisation_id,
        review_id=review.public_id,
        actor=make.ACTOR,
        now=LATER,
    )


def renewals() -> int:
    return MainContract.objects.filter(months_before=1, withdrawn_at=None).count()


def test_a_renewal_that_a_spot_contract_needs_is_not_withdrawn(root: Membership) -> None:
    order = spots.paid(root, first_on=date(2026, 11, 25))

    with pytest.raises(SpotDependsOnRenewal) as refusal:
        withdraw(root)

    assert (refusal.value.number, refusal.value.end_on) == (order.number, date(2026, 12, 25))
    assert refusal.value.is_paid
    assert renewals() == 1


def test_nor_one_that_an_order_needs_which_awaits_its_payment(root: Membership) -> None:
    order = spots.placed(root, first_on=date(2026, 12, 1))

    with pytest.raises(SpotDependsOnRenewal) as refusal:
        withdraw(root)
    assert (refusal.value.number, refusal.value.is_paid) == (order.number, False)

    services.lapse(order_id=order.pk, actor=make.ACTOR, now=LATER)
    withdraw(root)
    assert renewals() == 0


def test_an_order_placed_between_review_and_save_keeps_the_renewal(root: Membership) -> None:
    review = ordering.review(
        organisation_id=root.organisation_id,
        user_id=root.user_id,
        act=WithdrawRenewal(is_confirmed=True),
        now=LATER,
    )
    spots.placed(root, first_on=date(2026, 11, 25))

    with pytest.raises(SpotDependsOnRenewal):
        ordering.save(
            organisation_id=root.organisation_id,
            review_id=review.public_id,
            actor=make.ACTOR,
            now=LATER,
        )

    assert renewals() == 1


def test_the_furthest_of_several_is_named(root: Membership) -> None:
    spots.paid(root, first_on=date(2026, 11, 23))
    furthest = spots.paid(root, first_on=date(2026, 12, 1))

    with pytest.raises(SpotDependsOnRenewal) as refusal:
        withdraw(root)

    assert refusal.value.number == furthest.number


def test_a_contract_that_ends_with_the_first_term_needs_no_renewal() -> None:
    root = spots.customer(months=1)
    early = spots.at(2026, 11, 1)
    spots.paid(root, first_on=date(2026, 11, 1), now=early)
    spots.renewed_at(root.organisation, PlanVersion.objects.get(plan__code="starter"))

    withdraw(root)

    assert renewals() == 0


def test_staff_may_let_it_pass(root: Membership) -> None:
    order = spots.paid(root, first_on=date(2026, 11, 25))
    payments.open_payable(order=order, now=make.NOW)

    review = ordering.review(
        organisation_id=root.organisation_id,
        user_id=root.user_id,
        act=WithdrawRenewal(is_confirmed=True),
        now=LATER,
        waivers=(Waiver.SPOTS,),
    )

    assert review.state == ReviewState.OPEN
    assert list(queries.depending_on(root.organisation, END_ON)) == [order]


def test_depending_on_finds_what_reaches_beyond_a_day_and_nothing_else(root: Membership) -> None:
    within = spots.paid(root, first_on=date(2026, 11, 23))
    beyond = spots.paid(root, first_on=date(2026, 11, 25))
    never = spots.paid(root, first_on=date(2026, 12, 1))
    services.cut(order_id=never.pk, on=END_ON, reason="asked", actor=make.ACTOR, now=LATER)
    ended = spots.paid(root, first_on=date(2026, 11, 30))
    SpotOrder.objects.filter(pk=ended.pk).update(ended_at=LATER)
    given_up = spots.placed(root, first_on=date(2026, 12, 1))
    services.cancel(order_id=given_up.pk, why="asked", actor=make.ACTOR, now=LATER)
    waiting = spots.placed(root, first_on=date(2026, 12, 1))
    spots.paid(spots.customer(), first_on=date(2026, 12, 1))

    assert list(queries.depending_on(root.organisation, date(2026, 12, 23))) == [waiting, beyond]
    assert list(queries.depending_on(root.organisation, date(2026, 12, 22))) == [
        waiting,
        beyond,
        within,
    ]
    assert list(queries.depending_on(root.organisation, date(2027, 1, 1))) == []


def test_the_page_of_orders_says_so_before_anybody_tries(root: Membership) -> None:
    spots.paid(root, first_on=date(2026, 11, 25))
    position = positions.position(root.organisation, now=LATER)

    why = position.why_not(WithdrawRenewal(is_confirmed=True))

    assert isinstance(why, SpotDependsOnRenewal)


@pytest.mark.parametrize("is_paid", [True, False])
def test_the_refusal_is_told_in_words(root: Membership, is_paid: bool) -> None:
    make_one = spots.paid if is_paid else spots.placed
    order = make_one(root, first_on=date(2026, 11, 25))
    with pytest.raises(SpotDependsOnRenewal) as refusal:
        withdraw(root)

    words = told(refusal.value, root.organisation, plans.vendor_zone())

    assert order.number in words.text
    assert ("Give up that order first." in words.text) is not is_paid
    assert bool(words.url) is not is_paid
    assert plans.vendor_zone() == TOKYO

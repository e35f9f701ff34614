"""The end of a contract is shown, and confirmed as it was shown. Rule: S1-27…S1-29, F61, F71."""

from collections.abc import Collection
from datetime import date, datetime, timedelta

import pytest
from django.conf import settings

from accounts.enums import Role
from accounts.models import Organisation
from cancellation import services
from cancellation.enums import Reason, ReviewState
from cancellation.models import Cancellation, Review
from cancellation.queries.preview import NoTerms
from cancellation.rules.binding import Kind
from cancellation.rules.ending import (
    BoxesMissing,
    CancelledBefore,
    NotACustomer,
    SignInAgain,
)
from cancellation.services import Confirmed, Differs
from core.models import AuditEntry, Mail
from plans import services as plans
from plans.models import Selection
from tests import make
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
from tests.ordering.customers import kobo, vendor, version

pytestmark = pytest.mark.django_db

NOON = local(4, 10, 12)
A_MINUTE = timedelta(minutes=1)


def confirm(
    review: Review,
    now: datetime = NOON,
    ticked: Collection[int] = TICKS,
    reason: Reason | None = None,
    reason_text: str = "",
) -> Confirmed | Differs:
    return services.confirm(
        organisation_id=review.organisation_id,
        review_id=review.public_id,
        user_id=review.user_id,
        ticked=ticked,
        now=now,
        reason=reason,
        reason_text=reason_text,
    )


def closed_on(organisation: Organisation) -> date | None:
    return Organisation.objects.get(pk=organisation.pk).closed_on


def test_confirm_sets_the_last_day_of_the_month_and_ends_nothing_before() -> None:
    org = customer()
    selections = list(Selection.objects.order_by("pk").values())
    review = shown(org, NOON - A_MINUTE)
    assert signed_in(review, NOON)

    outcome = confirm(review, reason=Reason.PRICE, reason_text=" Too dear for us. ")

    assert isinstance(outcome, Confirmed)
    made = Cancellation.objects.get()
    assert outcome == Confirmed(made, is_new=True)
    assert (made.end_on, made.data_until_on) == (date(2026, 5, 1), date(2026, 5, 31))
    assert (made.terms.number, made.ticked) == (1, [0, 1, 2])
    assert (made.ordered_at, made.ordered_by, made.stepped_up_at) == (NOON, root(org), NOON)
    assert (made.reason, made.reason_text) == ("price", "Too dear for us.")
    assert closed_on(org) == date(2026, 5, 1)
    assert list(Selection.objects.order_by("pk").values()) == selections
    assert Review.objects.get().state == ReviewState.CONFIRMED
    assert list(
        AuditEntry.objects.filter(chain=org.pk)
        .order_by("-seq")
        .values_list("action", flat=True)[:2]
    ) == ["cancellation.confirmed", "organisation.closed_on"]
    assert [mail.to for mail in Mail.objects.order_by("pk")] == [
        ["root@kobo.example"],
        [settings.STAFF_MAIL],
    ]


def test_a_second_confirmation_returns_the_first() -> None:
    org = customer()
    review = shown(org, NOON)
    signed_in(review, NOON)
    first = confirm(review)
    mails = Mail.objects.count()

    # Also after 15 minutes, with no tick and a proof that is old by then.
    again = confirm(review, now=NOON + timedelta(hours=2), ticked=set())

    assert isinstance(first, Confirmed)
    assert again == Confirmed(first.cancellation, is_new=False)
    assert Cancellation.objects.count() == 1
    assert Mail.objects.count() == mails


@pytest.mark.parametrize(
    ("ticked", "missing"),
    [
        pytest.param(set(), (0, 1, 2), id="no tick"),
        pytest.param({0, 2}, (1,), id="one missing"),
        pytest.param({0, 1, 3}, (2,), id="a forged one beside"),
    ],
)
def test_confirm_asks_for_every_tick(ticked: set[int], missing: tuple[int, ...]) -> None:
    org = customer()
    review = shown(org, NOON)
    signed_in(review, NOON)

    with pytest.raises(BoxesMissing) as refused:
        confirm(review, ticked=ticked)

    assert refused.value.missing == missing
    nothing_changed(org)


def nothing_changed(org: Organisation) -> None:
    assert not Cancellation.objects.exists()
    assert closed_on(org) is None
    assert not Mail.objects.exists()


def test_confirm_asks_for_a_sign_in_for_this_very_act() -> None:
    org = customer()
    other, review = shown(org, NOON), shown(org, NOON)
    assert signed_in(other, NOON)

    with pytest.raises(SignInAgain):
        confirm(review)
    assert not signed_in(review, NOON, password="guessed")
    with pytest.raises(SignInAgain):
        confirm(review)
    assert signed_in(review, NOON)
    with pytest.raises(SignInAgain):
        confirm(review, now=NOON + timedelta(minutes=5, microseconds=1))

    nothing_changed(org)
    assert isinstance(confirm(review, now=NOON + timedelta(minutes=5)), Confirmed)


def test_passwords_cannot_be_guessed_over_many_reviews() -> None:
    org = customer()
    for _ in range(2):
        review = shown(org, NOON)
        for _ in range(5):
            assert not signed_in(review, NOON, password="guessed")

    with pytest.raises(services.TooManyTries):
        signed_in(shown(org, NOON), NOON)

    later = NOON + timedelta(hours=1, seconds=1)
    assert signed_in(shown(org, later), later)


def test_old_and_decided_reviews_are_no_way_to_guess_a_password() -> None:
    org = customer()
    review = shown(org, NOON)

    with pytest.raises(services.Expired):
        signed_in(review, NOON + timedelta(minutes=15), password="guessed")
    assert signed_in(review, NOON)
    confirm(review)

    # Whatever is given for one that is decided, the answer is the same.
    assert signed_in(review, NOON, password="guessed")
    assert Review.objects.get().wrong_passwords == 0


def test_what_was_shown_holds_fifteen_minutes() -> None:
    org = customer()
    review = shown(org, NOON)
    late = NOON + timedelta(minutes=15)
    just_in_time = late - timedelta(microseconds=1)
    signed_in(review, just_in_time)

    with pytest.raises(services.Expired):
        confirm(review, now=late)

    nothing_changed(org)
    assert isinstance(confirm(review, now=just_in_time), Confirmed)


def test_a_manager_can_neither_review_nor_confirm_nor_withdraw() -> None:
    org = customer()
    manager = make.member(org, role=Role.MANAGER).user
    review = shown(org, NOON)
    signed_in(review, NOON)

    with pytest.raises(services.NotTheRoot):
        services.review(organisation_id=org.pk, user_id=manager.pk, now=NOON)
    with pytest.raises(services.NotTheRoot):
        services.confirm(
            organisation_id=org.pk,
            review_id=review.public_id,
            user_id=manager.pk,
            ticked=TICKS,
            now=NOON,
        )
    nothing_changed(org)
    confirm(review)
    with pytest.raises(services.NotTheRoot):
        services.withdraw(organisation_id=org.pk, user_id=manager.pk, now=NOON)
    assert closed_on(org) == date(2026, 5, 1)


def test_a_review_of_another_organisation_is_unknown() -> None:
    org, other = customer(), make.organisation()
    make.member(other)
    review = shown(org, NOON)
    signed_in(review, NOON)

    with pytest.raises(Review.DoesNotExist):
        services.confirm(
            organisation_id=other.pk,
            review_id=review.public_id,
            user_id=root(other).pk,
            ticked=TICKS,
            now=NOON,
        )

    nothing_changed(org)


def test_a_changed_plan_between_is_shown_again() -> None:
    org = customer()
    review = shown(org, NOON)
    signed_in(review, NOON)
    plans.select_plan(
        organisation_id=org.pk,
        version_id=version("gold").pk,
        steps=1,
        from_at=NOON,
        actor=make.ACTOR,
        now=NOON,
    )
    Mail.objects.all().delete()

    outcome = confirm(review, now=NOON + A_MINUTE)

    assert isinstance(outcome, Differs)
    assert outcome.differences == (Kind.PLAN,)
    nothing_changed(org)
    # The stale page leads to the same new one, which wants a sign-in of its own.
    assert confirm(review, now=NOON + A_MINUTE) == outcome
    with pytest.raises(SignInAgain):
        confirm(outcome.review, now=NOON + A_MINUTE)
    signed_in(outcome.review, NOON + A_MINUTE)
    assert isinstance(confirm(outcome.review, now=NOON + A_MINUTE), Confirmed)


def test_new_terms_between_are_shown_again() -> None:
    org = customer()
    review = shown(org, NOON)
    signed_in(review, NOON)
    make.cancellation_terms(number=2, boxes=4)

    outcome = confirm(review)

    assert isinstance(outcome, Differs)
    assert outcome.differences == (Kind.TERMS,)
    assert outcome.review.terms.number == 2
    nothing_changed(org)


def test_a_review_of_last_month_has_another_last_day() -> None:
    org = customer()
    review = shown(org, local(4, 30, 23, 55))
    midnight = local(5, 1)
    signed_in(review, midnight)

    outcome = confirm(review, now=midnight)

    assert isinstance(outcome, Differs)
    assert outcome.differences == (Kind.LAST_DAY, Kind.DATA)
    nothing_changed(org)


def test_what_is_cancelled_is_not_cancelled_again() -> None:
    org = customer()
    cancelled(org, NOON)
    first = Review.objects.get()
    earlier = Review.objects.create(
        organisation=org,
        user=root(org),
        terms=first.terms,
        shown=first.shown,
        digest=first.digest,
        created_at=NOON,
        expires_at=NOON + timedelta(minutes=15),
    )
    signed_in(earlier, NOON)

    with pytest.raises(CancelledBefore):
        shown(org, NOON)
    with pytest.raises(CancelledBefore):
        confirm(earlier)

    assert Cancellation.objects.count() == 1


@pytest.mark.parametrize(
    ("since", "closed"),
    [
        pytest.param(date(2026, 4, 11), None, id="not yet"),
        pytest.param(date(2026, 1, 1), date(2026, 4, 1), id="not any more"),
        pytest.param(date(2026, 1, 1), date(2026, 6, 1), id="ended by staff"),
    ],
)
def test_only_a_customer_cancels(since: date, closed: date | None) -> None:
    org = customer()
    Organisation.objects.filter(pk=org.pk).update(customer_since=since, closed_on=closed)

    with pytest.raises(NotACustomer):
        shown(org, NOON)


def test_without_terms_nothing_can_be_agreed_to() -> None:
    vendor()
    org = kobo()

    with pytest.raises(NoTerms):
        shown(org, NOON)


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_cancel_once() -> None:
    org = customer()
    review = shown(org, NOON)
    signed_in(review, NOON)

    outcomes = at_once(lambda: confirm(review), lambda: confirm(review))

    assert sorted(each.is_new for each in outcomes if isinstance(each, Confirmed)) == [False, True]
    assert Cancellation.objects.count() == 1
    assert closed_on(org) == date(2026, 5, 1)

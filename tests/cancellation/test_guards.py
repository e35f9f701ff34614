"""What the database itself refuses of cancellations, and what each guard is for. Rule: S1-28, S1-29."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F

from cancellation import services
from cancellation.models import Cancellation, LastDayChange, Review
from tests import make
from tests.cancellation.leaving import cancelled, customer, local, shown, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.unsound_books]

NOON = local(4, 10, 12)
ROWS = Cancellation.objects


def moved() -> Cancellation:
    """A cancellation whose last day staff have moved."""
    made = cancelled(customer(), NOON)
    return services.move_last_day(
        cancellation_id=made.pk,
        last_on=made.end_on,
        reason="They asked.",
        actor="user:1",
        now=NOON,
    )


def closed() -> Cancellation:
    made = moved()
    ROWS.filter(pk=made.pk).update(closed_at=NOON)
    return made


def withdrawn() -> Cancellation:
    made = moved()
    ROWS.filter(pk=made.pk).update(withdrawn_at=NOON, withdrawn_by="user:1")
    return made


def ordered(**values: object) -> None:
    """Store a cancellation of a review that was signed in for, with some values exchanged."""
    review = shown(customer(), NOON)
    assert signed_in(review, NOON)
    Review.objects.filter(pk=review.pk).update(state="confirmed")
    review.refresh_from_db()
    right: dict[str, object] = {
        "organisation": review.organisation,
        "review": review,
        "terms": review.terms,
        "ticked": [0, 1, 2],
        "ordered_at": NOON,
        "ordered_by": review.user,
        "stepped_up_at": review.stepped_up_at,
        "end_on": local(5, 1).date(),
        "data_until_on": local(6, 1).date(),
    }
    changed = {name: each() if callable(each) else each for name, each in values.items()}
    ROWS.create(**right | changed)


TABLE, REVIEWS = "cancellation_cancellation", "cancellation_review"
SAYS = ("cancellation_says_what_was_confirmed", TABLE)
SHOWS = ("cancellation_review_guard", REVIEWS)
OF_REVIEW = ("cancellation_is_of_its_review", TABLE)


@pytest.mark.parametrize(
    ("trigger", "made", "change"),
    [
        pytest.param(SAYS, moved, lambda: ROWS.update(ticked=[0]), id="ticks"),
        pytest.param(SAYS, moved, lambda: ROWS.update(reason="price"), id="reason"),
        pytest.param(
            SAYS,
            moved,
            lambda: ROWS.update(ordered_at=F("ordered_at") + timedelta(hours=1)),
            id="when",
        ),
        pytest.param(
            SAYS,
            closed,
            lambda: ROWS.update(end_on=F("end_on") - timedelta(days=1)),
            id="the last day, once it is over",
        ),
        pytest.param(SAYS, closed, lambda: ROWS.update(closed_at=None), id="opened again"),
        pytest.param(
            SAYS,
            withdrawn,
            lambda: ROWS.update(withdrawn_at=None, withdrawn_by=""),
            id="a withdrawal taken back",
        ),
        pytest.param(
            ("cancellation_stays", TABLE),
            lambda: cancelled(customer(), NOON),
            lambda: ROWS.all().delete(),
            id="deleted",
        ),
        pytest.param(
            ("last_day_change_is_fixed", "cancellation_lastdaychange"),
            moved,
            lambda: LastDayChange.objects.update(reason="Another."),
            id="why the last day was moved",
        ),
        pytest.param(
            SHOWS,
            lambda: shown(customer(), NOON),
            lambda: Review.objects.update(shown={}),
            id="what was shown",
        ),
        pytest.param(
            SHOWS,
            moved,
            lambda: Review.objects.update(wrong_passwords=3),
            id="a review that is decided",
        ),
        pytest.param(OF_REVIEW, None, lambda: ordered(ticked=[0, 1]), id="without every tick"),
        pytest.param(
            OF_REVIEW,
            None,
            lambda: ordered(stepped_up_at=NOON - timedelta(minutes=1)),
            id="with another sign-in",
        ),
        pytest.param(
            OF_REVIEW,
            None,
            lambda: ordered(terms=lambda: make.cancellation_terms(number=2)),
            id="of another text",
        ),
    ],
)
def test_a_guard_refuses_and_is_needed(
    trigger: tuple[str, str], made: Callable[[], object] | None, change: Callable[[], object]
) -> None:
    name, table = trigger
    if made is not None:
        made()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    with pytest.raises(IntegrityError), transaction.atomic():
        change()

    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER {name} ON {table}")
    change()


def test_a_right_one_is_stored_and_a_second_one_is_not() -> None:
    ordered()

    with pytest.raises(IntegrityError, match="cancellation_one_stands"), transaction.atomic():
        _second()

    ROWS.update(withdrawn_at=NOON, withdrawn_by="user:1")
    _second()


def _second() -> None:
    first = ROWS.get(withdrawn_at=None) if ROWS.filter(withdrawn_at=None) else ROWS.get()
    review = Review.objects.create(
        organisation=first.organisation,
        user=first.ordered_by,
        terms=first.terms,
        shown=first.review.shown,
        digest=first.review.digest,
        created_at=NOON,
        expires_at=NOON + timedelta(minutes=15),
        stepped_up_at=NOON,
        state="confirmed",
    )
    ROWS.create(
        organisation=first.organisation,
        review=review,
        terms=first.terms,
        ticked=[0, 1, 2],
        ordered_at=NOON,
        ordered_by=first.ordered_by,
        stepped_up_at=NOON,
        end_on=first.end_on,
        data_until_on=first.data_until_on,
    )

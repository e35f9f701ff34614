"""The end of a contract is shown, and confirmed as it was shown. Rule: S1-27…S1-29, F61, F71."""

from datetime import date, timedelta

import pytest

from accounts.models import Organisation
from cancellation import services
from cancellation.enums import Reason, ReviewState
from cancellation.models import Cancellation, Review
from cancellation.rules.binding import Kind
from cancellation.rules.ending import (
    BoxesMissing,
    CancelledBefore,
    NotACustomer,
    SignInAgain,
)
from cancellation.services import Confirmed, Differs
from core.models import AuditEntry, Mail
from plans.models import Selection
from tests import make
from tests.cancellation.leaving import TICKS, cancelled, customer, local, root, shown, signed_in
from tests.ordering.customers import version

pytestmark = pytest.mark.django_db

NOON = local(4, 10, 12)
A_MINUTE = timedelta(minutes=1)


def confirm(review: Review, now=NOON, ticked=TICKS, **values):  # type: ignore[no-untyped-def]
    return services.confirm(
        organisation_id=review.organisation_id,
        review_id=review.public_id,
        user_id=review.user_id,
        ticked=ticked,
        now=now,
        **values,
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
        ["billing@localhost"],
    ]

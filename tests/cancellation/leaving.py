"""A customer who leaves, as the tests of cancellation look at it."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import connection

from accounts import queries as accounts
from accounts.models import Organisation, User
from cancellation import services
from cancellation.models import Cancellation, Review
from cancellation.services import Confirmed
from plans.models import CancellationTerms
from tests import make
from tests.ordering.customers import TOKYO, kobo, local, vendor

__all__ = [
    "TICKS",
    "TOKYO",
    "at_once",
    "cancelled",
    "customer",
    "local",
    "root",
    "shown",
    "signed_in",
]

TICKS = {0, 1, 2}

T = TypeVar("T")


def customer(
    plan: str = "basic", support: str = "silver", *, has_method: bool = True
) -> Organisation:
    """A customer since January 2026, of a vendor that has cancellation terms with three texts."""
    if not CancellationTerms.objects.exists():
        vendor()
        make.cancellation_terms()
    return kobo(plan, support, has_method=has_method)


def root(organisation: Organisation) -> User:
    found = accounts.root_of(organisation)
    assert found is not None
    return found


def shown(organisation: Organisation, now: datetime) -> Review:
    return services.review(organisation_id=organisation.pk, user_id=root(organisation).pk, now=now)


def signed_in(review: Review, now: datetime, password: str = make.PASSWORD) -> bool:
    return services.sign_in_again(
        organisation_id=review.organisation_id,
        review_id=review.public_id,
        user_id=review.user_id,
        password=password,
        now=now,
    )


def cancelled(organisation: Organisation, now: datetime) -> Cancellation:
    """Cancel as its root would: shown, signed in again a minute later, confirmed at `now`."""
    review = shown(organisation, now - timedelta(minutes=2))
    assert signed_in(review, now - timedelta(minutes=1))
    outcome = services.confirm(
        organisation_id=organisation.pk,
        review_id=review.public_id,
        user_id=review.user_id,
        ticked=TICKS,
        now=now,
    )
    assert isinstance(outcome, Confirmed)
    return outcome.cancellation


def at_once(*calls: Callable[[], T]) -> list[T]:
    """Run calls in threads that begin together; return what they return, in any order."""
    barrier, results = threading.Barrier(len(calls)), list[T]()

    def run(call: Callable[[], T]) -> None:
        try:
            barrier.wait(10)
            results.append(call())
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(results) == len(calls)
    return results

"""What may be used at a moment depends on dates alone, and nobody loses access before the last day.

Reviews, confirmations, withdrawals, moved last days, returns and time that goes by, in any order, with
the jobs on time, late or never: after each step what the product is told, and how many accounts are
allowed, is what the dates of the cancellation say. Rule: S1-25, S1-29.
"""

from datetime import date, timedelta

import orjson
import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts.models import Membership, Organisation
from cancellation import services
from cancellation.models import Cancellation
from cancellation.queries import standing
from cancellation.services import closing
from core import books
from core.months import BillingMonth, start_of_day
from ordering.queries.entitlements import entitlements
from plans import queries as plans
from seats.queries.capacity import allowed_at
from tests import make
from tests.cancellation.leaving import TOKYO, cancelled, customer, local

STEPS = st.sampled_from(
    [timedelta(seconds=1), timedelta(hours=7), timedelta(days=3), timedelta(days=20)]
)


class Leaving(RuleBasedStateMachine):
    """A customer of Basic with a clock; `end_on` is what the model believes, without a database."""

    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        plans.forget()
        self.now = local(4, 10, 12)
        self.organisation = customer(has_method=False)
        make.member(self.organisation)
        self.end_on: date | None = None
        self.has_left = False

    def teardown(self) -> None:
        assert [str(breach) for breach in books.breaches()] == []
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    @property
    def today(self) -> date:
        return self.now.astimezone(TOKYO).date()

    @property
    def is_over(self) -> bool:
        return self.end_on is not None and self.end_on <= self.today

    @rule(step=STEPS)
    def time_goes_by(self, step: timedelta) -> None:
        self.now += step

    @precondition(lambda self: self.end_on is not None and not self.is_over)
    @rule()
    def the_last_day_ends(self) -> None:
        assert self.end_on is not None
        self.now = start_of_day(self.end_on, TOKYO)

    @precondition(lambda self: self.end_on is None)
    @rule()
    def cancel(self) -> None:
        self.now += timedelta(minutes=2)
        # What was shown two minutes ago may end with another month.
        if (self.now - timedelta(minutes=2)).astimezone(TOKYO).month != self.today.month:
            return
        cancelled(self.organisation, self.now)
        self.end_on = BillingMonth.of_day(self.today).next.first_day

    @rule()
    def withdraw(self) -> None:
        try:
            services.withdraw(
                organisation_id=self.organisation.pk,
                user_id=self.organisation.memberships.get(role="root").user_id,
                now=self.now,
            )
        except (services.TooLate, services.NothingToWithdraw):
            assert self.end_on is None or self.is_over
        else:
            assert self.end_on is not None
            assert not self.is_over
            self.end_on = None

    @precondition(lambda self: self.end_on is not None and not self.is_over)
    @rule(days=st.integers(0, 40))
    def staff_move_the_last_day(self, days: int) -> None:
        last_on = self.today + timedelta(days=days)
        services.move_last_day(
            cancellation_id=Cancellation.objects.get(withdrawn_at=None, reopened_at=None).pk,
            last_on=last_on,
            reason="They asked.",
            actor="user:1",
            now=self.now,
        )
        self.end_on = last_on + timedelta(days=1)

    @rule()
    def jobs_run(self) -> None:
        for found in standing.to_close(self.today):
            closing.close(cancellation_id=found.pk, now=self.now)
        for found in standing.to_settle():
            closing.settle(cancellation_id=found.pk, now=self.now)

    @rule()
    def come_back(self) -> None:
        try:
            services.reopen(organisation_id=self.organisation.pk, actor="user:1", now=self.now)
        except services.NothingToReopen:
            assert not self.is_over or self.now == start_of_day(self.end_on or date.max, TOKYO)
        else:
            assert self.is_over
            self.end_on, self.has_left = None, True

    @invariant()
    def dates_alone_decide(self) -> None:
        organisation = Organisation.objects.get(pk=self.organisation.pk)
        assert organisation.closed_on == self.end_on
        told = entitlements(organisation.reference, organisation_id=None, now=self.now)
        assert told is not None
        licence = orjson.loads(told.body)["licence"]
        # Basic is for five accounts; who came back has the free plan, for ten.
        plan, allowed = ("free", 10) if self.has_left else ("basic", 5)
        if self.is_over:
            assert licence is None
            assert allowed_at(organisation, self.now) == 1
        else:
            assert licence is not None
            assert licence["plan"] == plan
            assert allowed_at(organisation, self.now) == allowed

    @invariant()
    def nobody_loses_an_account_before(self) -> None:
        active = Membership.objects.filter(
            organisation=self.organisation, deactivated_at=None
        ).count()
        if not self.has_left and not self.is_over:
            assert active == 2
        assert active >= 1


@pytest.mark.django_db
def test_access_depends_on_dates_alone() -> None:
    run_state_machine_as_test(
        Leaving,
        settings=settings(
            max_examples=15,
            stateful_step_count=14,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )

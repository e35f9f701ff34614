"""A cancellation is withdrawn, moved by staff, or its customer comes back. Rule: S1-29."""

from datetime import date, datetime, timedelta

import pytest

from accounts.models import Absence, Organisation
from billing.models import BilledMonth, Invoice
from cancellation import services
from cancellation.models import Cancellation, LastDayChange
from cancellation.queries import standing
from cancellation.rules.ending import NotALastDay
from core.models import Mail
from core.work import ReasonMissing
from gateway_sandbox import Sandbox
from plans.models import MainContract, PlanVersion, Selection
from tests import make
from tests.cancellation.leaving import at_once, cancelled, customer, local, root
from tests.payments import collected, spotted
from tests.payments.farside import tick

pytestmark = pytest.mark.django_db

NOON = local(4, 10, 12)
END = local(5, 1)
A_SECOND = timedelta(seconds=1)


def closed_on(organisation: Organisation) -> date | None:
    return Organisation.objects.get(pk=organisation.pk).closed_on


def withdraw(organisation: Organisation, now: datetime) -> Cancellation:
    return services.withdraw(
        organisation_id=organisation.pk, user_id=root(organisation).pk, now=now
    )


def move(
    cancellation: Cancellation, last_on: date, *, now: datetime = NOON, reason: str = "They asked."
) -> Cancellation:
    return services.move_last_day(
        cancellation_id=cancellation.pk, last_on=last_on, reason=reason, actor="user:1", now=now
    )


def contracted(organisation: Organisation) -> list[object]:
    return [
        *Selection.objects.filter(organisation=organisation).order_by("pk").values(),
        *MainContract.objects.filter(organisation=organisation).order_by("pk").values(),
    ]


def test_withdrawn_until_the_last_instant_everything_is_as_before(sandbox: Sandbox) -> None:
    make.cancellation_terms()
    who = spotted.buyer()
    before = contracted(who.organisation)
    cancelled(who.organisation, make.NOW)
    Mail.objects.all().delete()
    just_before = local(12, 1) - A_SECOND

    made = withdraw(who.organisation, just_before)

    assert (made.withdrawn_at, made.withdrawn_by) == (just_before, f"user:{who.root.pk}")
    assert closed_on(who.organisation) is None
    assert standing.of(who.organisation) is None
    assert Mail.objects.count() == 2
    tick(local(12, 1), sandbox)
    assert contracted(who.organisation) == before


def test_it_cannot_be_withdrawn_once_the_last_day_is_over() -> None:
    org = customer()
    cancelled(org, NOON)

    # Also while the work of the last day is late.
    with pytest.raises(services.TooLate):
        withdraw(org, END)

    assert closed_on(org) == date(2026, 5, 1)


def test_what_is_withdrawn_is_not_withdrawn_again_but_may_be_cancelled_again() -> None:
    org = customer()
    cancelled(org, NOON)
    withdraw(org, NOON)

    with pytest.raises(services.NothingToWithdraw):
        withdraw(org, NOON)
    again = cancelled(org, local(5, 2))

    assert again.end_on == date(2026, 6, 1)
    assert standing.of(org) == again
    assert [each.pk for each in standing.history_of(org)] == [again.pk, again.pk - 1]


@pytest.mark.django_db(transaction=True)
def test_of_two_withdrawals_at_once_one_is_done() -> None:
    org = customer()
    cancelled(org, NOON)

    def attempt() -> str:
        try:
            withdraw(org, NOON)
        except services.NothingToWithdraw:
            return "nothing"
        return "done"

    assert sorted(at_once(attempt, attempt)) == ["done", "nothing"]
    assert closed_on(org) is None


@pytest.mark.parametrize(
    ("last_on", "data_until_on"),
    [
        pytest.param(date(2026, 4, 10), date(2026, 5, 11), id="today"),
        pytest.param(date(2026, 6, 30), date(2026, 7, 31), id="later"),
    ],
)
def test_staff_set_another_last_day_and_the_root_is_told(
    last_on: date, data_until_on: date
) -> None:
    org = customer()
    made = cancelled(org, NOON)
    Mail.objects.all().delete()

    move(made, last_on)
    # The same once more changes nothing.
    move(made, last_on)

    made.refresh_from_db()
    end_on = last_on + timedelta(days=1)
    assert (made.end_on, made.data_until_on) == (end_on, data_until_on)
    assert closed_on(org) == end_on
    assert list(LastDayChange.objects.values_list("before_on", "after_on", "reason", "by")) == [
        (date(2026, 5, 1), end_on, "They asked.", "user:1")
    ]
    assert [mail.to for mail in Mail.objects.all()] == [["root@kobo.example"]]


def test_a_last_day_is_not_moved_otherwise() -> None:
    org = customer()
    made = cancelled(org, NOON)

    for last_on in (date(2026, 4, 9), date(2028, 4, 11)):
        with pytest.raises(NotALastDay):
            move(made, last_on)
    with pytest.raises(ReasonMissing):
        move(made, date(2026, 6, 30), reason=" ")
    with pytest.raises(services.TooLate):
        move(made, date(2026, 6, 30), now=END)
    withdraw(org, NOON)
    with pytest.raises(services.NothingToWithdraw):
        move(made, date(2026, 6, 30))

    assert closed_on(org) is None
    assert not LastDayChange.objects.exists()


def test_who_comes_back_begins_anew_with_the_history_kept(sandbox: Sandbox) -> None:
    make.cancellation_terms()
    who = collected.customer(sandbox)
    org = who.organisation
    free = make.free_plan()
    make.member(org)
    cancelled(org, make.NOW)
    for moment in (make.NOW, *(local(12, 1, hour) for hour in (0, 7, 9, 12))):
        tick(moment, sandbox)
    left = standing.of(org)
    assert left is not None
    assert left.settled_at is not None

    back_at = local(2, 10, 12, year=2027)
    services.reopen(organisation_id=org.pk, actor=f"user:{who.root.pk}", now=back_at)

    assert closed_on(org) is None
    assert standing.of(org) is None
    assert list(Absence.objects.values_list("left_on", "back_at")) == [(date(2026, 12, 1), back_at)]
    old, new = Selection.objects.filter(organisation=org).order_by("from_at")
    assert (old.until_at, new.plan_version, new.from_at) == (local(12, 1), free, back_at)
    assert org.memberships.filter(deactivated_at=None).count() == 1
    # The months between, and the first one without a fee, are recorded with nothing to bill.
    tick(local(3, 1, 7, year=2027), sandbox)
    assert list(BilledMonth.objects.order_by("month").values_list("month", "outcome"))[-4:] == [
        (date(2026, 11, 1), "invoiced"),
        (date(2026, 12, 1), "nothing"),
        (date(2027, 1, 1), "nothing"),
        (date(2027, 2, 1), "nothing"),
    ]
    assert Invoice.objects.count() == 2
    with pytest.raises(services.NothingToReopen):
        services.reopen(organisation_id=org.pk, actor=f"user:{who.root.pk}", now=back_at)
    assert cancelled(org, local(3, 2, year=2027)).end_on == date(2027, 4, 1)


def test_who_comes_back_with_a_term_left_may_start_another(sandbox: Sandbox) -> None:
    make.cancellation_terms()
    who = spotted.buyer()
    cancelled(who.organisation, make.NOW)

    # Before the work of the last day was done: it is done first.
    services.reopen(
        organisation_id=who.organisation.pk, actor="user:1", now=local(12, 1) + A_SECOND
    )
    started = make.main_contract(
        who.organisation,
        Selection.objects.filter(plan_version__plan__code="starter")[0].plan_version,
        date(2026, 12, 2),
        months=12,
    )

    assert (started.first_on, started.months_before) == (date(2026, 12, 2), 0)
    first, second = MainContract.objects.exclude(pk=started.pk).order_by("first_on")
    assert (first.cut_on, second.withdrawn_at is None) == (date(2026, 12, 1), False)


@pytest.mark.parametrize("now", [NOON, END], ids=["before the last day is over", "as it ends"])
def test_only_what_has_ended_is_reopened(now: datetime) -> None:
    org = customer()
    cancelled(org, NOON)

    with pytest.raises(services.NothingToReopen):
        services.reopen(organisation_id=org.pk, actor="user:1", now=now)

    assert closed_on(org) == date(2026, 5, 1)


def test_without_a_free_plan_nobody_begins_anew() -> None:
    org = customer()
    cancelled(org, NOON)
    PlanVersion.objects.filter(plan__code="free").update(on_sale_until=date(2026, 4, 1))

    with pytest.raises(services.NoFreePlan):
        services.reopen(organisation_id=org.pk, actor="user:1", now=END + A_SECOND)

    assert closed_on(org) == date(2026, 5, 1)
    assert Cancellation.objects.get().closed_at is None

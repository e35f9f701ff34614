import threading
from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from django.db import connections
from pytest_django import DjangoAssertNumQueries

from accounts.enums import Language
from accounts.models import Organisation
from core import books, clock, work
from core.enums import WorkState
from core.models import AuditEntry, Mail, Work
from plans import jobs, queries, services
from plans.enums import NotRenewed
from plans.models import MainContract, PlanVersion, Selection
from plans.queries import audit
from plans.rules import renewals as rules
from plans.rules import timeline
from plans.rules.timeline import Term
from plans.services import renewals
from tests import make
from tests.plans.spans import TOKYO, local

pytestmark = pytest.mark.django_db

FIRST_ON = date(2026, 1, 31)


@pytest.fixture
def starter() -> PlanVersion:
    make.vendor()
    make.free_plan()
    return make.plan_version()


def customer(
    starter: PlanVersion,
    *,
    months: int = 12,
    renews: bool = True,
    steps: int = 2,
    language: Language = Language.EN,
) -> MainContract:
    """A main contract from 31 January 2026: until 30 January 2027, or 28 February 2026."""
    organisation = make.organisation(language=language)
    make.member(organisation, email=f"root-{organisation.pk}@example.com")
    return make.main_contract(
        organisation, starter, FIRST_ON, months=months, renews=renews, steps=steps
    )


def tick(at: datetime) -> None:
    with clock.fixed_at(at):
        renewals.plan(at)
        work.run_due()


def terms() -> list[tuple[date, date]]:
    rows = MainContract.objects.filter(withdrawn_at=None).order_by("first_on")
    return [(row.first_on, row.end_on) for row in rows]


def mails() -> list[tuple[str, str]]:
    return [(mail.to[0], mail.subject) for mail in Mail.objects.order_by("pk")]


def sound() -> bool:
    return books.breaches(among=list(audit.CHECKS)) == []


@pytest.mark.parametrize(
    ("months", "told_on", "ordered_on"),
    [
        pytest.param(12, date(2026, 12, 2), date(2027, 1, 1), id="a year: 60 and 30 days"),
        pytest.param(1, date(2026, 2, 15), date(2026, 2, 22), id="a month: 14 and 7 days"),
    ],
)
def test_a_term_is_announced_and_renewed_so_long_before_its_end(
    months: int, told_on: date, ordered_on: date
) -> None:
    """Rule: S2-13."""
    term = Term(FIRST_ON, 0, months)

    assert (rules.told_on(term), rules.ordered_on(term)) == (told_on, ordered_on)


@pytest.mark.parametrize(
    ("months", "day", "ends"),
    [
        pytest.param(12, local(1, 1, year=2027), date(2028, 1, 31), id="a year"),
        pytest.param(1, local(2, 22), date(2026, 3, 31), id="a month"),
    ],
)
def test_the_next_term_is_ordered_on_the_day_and_not_before(
    starter: PlanVersion, months: int, day: datetime, ends: date
) -> None:
    """Rule: S2-13, domain.md 3.2."""
    contract = customer(starter, months=months)

    tick(day - timedelta(seconds=1))
    assert terms() == [(contract.first_on, contract.end_on)]

    tick(day)
    assert terms() == [(contract.first_on, contract.end_on), (contract.end_on, ends)]
    entry = AuditEntry.objects.get(action="contract.renewed")
    assert (entry.actor, entry.details["by_itself"]) == ("system:renewal", True)
    assert sound()

    tick(day + timedelta(minutes=1))
    assert len(terms()) == 2
    assert Work.objects.filter(kind=jobs.RENEW.kind).count() == 1


def test_the_next_term_has_plan_and_steps_of_the_end_at_the_version_then_on_sale(
    starter: PlanVersion,
) -> None:
    """Rule: B-02."""
    contract = customer(starter, months=1)
    now = local(2, 10)
    before = queries.timeline(contract.organisation, now=now)
    services.store(
        organisation_id=contract.organisation_id,
        before=before,
        after=timeline.add_licences(before, 1, now=now, zone=TOKYO),
        action="contract.licences_added",
        details={},
        actor=make.ACTOR,
        now=now,
    )
    PlanVersion.objects.filter(pk=starter.pk).update(on_sale_until=date(2026, 2, 20))
    newer = make.plan_version(
        "starter", number=2, prices={"JPY": 6_000}, on_sale_from=date(2026, 2, 20)
    )

    tick(local(2, 22, 3))

    row = Selection.objects.get(plan_version=newer)
    assert (row.steps, row.from_at, row.until_at) == (3, local(3, 1), local(3, 31))
    assert sound()


def test_renewing_goes_on_term_after_term(starter: PlanVersion) -> None:
    """Rule: domain.md 3.2: 03-01, 03-31, 05-01, 05-31."""
    customer(starter, months=1)

    for day in (local(2, 22), local(3, 24), local(4, 24)):
        tick(day)

    assert [str(end) for _, end in terms()] == [
        "2026-03-01",
        "2026-03-31",
        "2026-05-01",
        "2026-05-31",
    ]
    assert sound()


def test_what_is_switched_off_is_not_renewed_also_between_asking_and_doing(
    starter: PlanVersion,
) -> None:
    contract = customer(starter, months=1)
    day = local(2, 22)
    renewals.plan(day)
    MainContract.objects.filter(pk=contract.pk).update(renews=False)

    tick(day)

    assert len(terms()) == 1
    assert Work.objects.get(kind=jobs.RENEW.kind).state == WorkState.DONE


def test_a_renewal_that_is_withdrawn_does_not_come_back(starter: PlanVersion) -> None:
    contract = customer(starter, months=1)
    day = local(2, 22)
    tick(day)
    before = queries.timeline(contract.organisation, now=day)
    services.store(
        organisation_id=contract.organisation_id,
        before=before,
        after=timeline.withdraw_renewal(before, now=day, zone=TOKYO),
        action="contract.renewal_withdrawn",
        details={},
        actor=make.ACTOR,
        now=day,
    )

    tick(day + timedelta(hours=1))

    assert terms() == [(contract.first_on, contract.end_on)]


def test_who_leaves_is_not_renewed(starter: PlanVersion) -> None:
    contract = customer(starter, months=1)
    Organisation.objects.filter(pk=contract.organisation_id).update(closed_on=date(2026, 3, 1))

    tick(local(2, 22))

    assert len(terms()) == 1


def test_who_leaves_later_is_renewed_until_then_without_a_mail(starter: PlanVersion) -> None:
    """Nobody loses the plan before the last day. Rule: S1-29."""
    contract = customer(starter, months=1)
    Organisation.objects.filter(pk=contract.organisation_id).update(closed_on=date(2026, 4, 1))

    tick(local(2, 15))
    tick(local(2, 22))

    assert terms() == [
        (date(2026, 1, 31), date(2026, 3, 1)),
        (date(2026, 3, 1), date(2026, 3, 31)),
    ]
    assert mails() == []


def test_the_root_is_told_once_before_and_once_after(starter: PlanVersion) -> None:
    contract = customer(starter)
    root = f"root-{contract.organisation_id}@example.com"

    tick(local(12, 1, 23, 59))
    assert mails() == []

    tick(local(12, 2))
    tick(local(12, 3))
    assert mails() == [(root, "Your contract renews on 1 January 2027")]
    body = Mail.objects.get().text
    assert "Your contract runs until 30 January 2027." in body
    assert "Starter × 2" in body
    assert "12 months" in body
    assert "¥10,000" in body
    assert "switch automatic renewal off by 31 December 2026" in body

    tick(local(1, 1, year=2027))
    tick(local(1, 2, year=2027))
    assert mails()[1:] == [(root, "Your contract is renewed until 30 January 2028")]
    body = Mail.objects.latest("pk").text
    assert "31 January 2027" in body
    assert "withdraw the renewal" in body


def test_renewal_switched_on_late_is_ordered_without_being_announced(
    starter: PlanVersion,
) -> None:
    contract = customer(starter, renews=False)
    MainContract.objects.filter(pk=contract.pk).update(renews=True)

    tick(local(1, 15, year=2027))

    assert [subject for _, subject in mails()] == ["Your contract is renewed until 30 January 2028"]


@pytest.mark.parametrize("currency", ["JPY", "USD"])
def test_a_plan_no_longer_on_sale_is_parked_and_root_and_staff_are_told_once(
    starter: PlanVersion, currency: str
) -> None:
    contract = customer(starter, months=1)
    PlanVersion.objects.filter(pk=starter.pk).update(on_sale_until=date(2026, 2, 1))
    if currency == "USD":
        make.plan_version("starter", number=2, prices={"USD": 60}, on_sale_from=date(2026, 2, 1))
    day = local(2, 22)

    tick(day)
    tick(day + timedelta(hours=1))

    assert len(terms()) == 1
    parked = Work.objects.get(kind=jobs.RENEW.kind)
    assert (parked.state, parked.reason) == (
        WorkState.PARKED,
        "It cannot be renewed: not_on_sale",
    )
    entry = AuditEntry.objects.get(action="contract.not_renewed")
    assert entry.details == {"why": "not_on_sale"}
    root, staff = mails()
    assert root == (
        f"root-{contract.organisation_id}@example.com",
        "Your contract cannot be renewed automatically (28 February 2026)",
    )
    assert "Aoba Devices" in staff[1]

    make.plan_version("starter", number=3, on_sale_from=date(2026, 2, 20))
    work.release(parked.pk, actor=make.ACTOR, reason="It is on sale again", now=day)
    with clock.fixed_at(day + timedelta(hours=2)):
        work.run_due()

    assert len(terms()) == 2
    assert sound()


def test_a_term_that_ended_meanwhile_is_not_taken_up_again(starter: PlanVersion) -> None:
    """Nobody pays for days on which the free plan held; a person says what is to be."""
    customer(starter, months=1)

    tick(local(3, 1))
    tick(local(3, 2))

    assert len(terms()) == 1
    assert Work.objects.get(kind=jobs.RENEW.kind).state == WorkState.PARKED
    assert AuditEntry.objects.get(action="contract.not_renewed").details == {"why": "ended"}
    assert sound()


def test_without_a_free_plan_nothing_is_renewed(starter: PlanVersion) -> None:
    contract = customer(starter, months=1)
    PlanVersion.objects.filter(plan__code="free").update(on_sale_until=date(2026, 2, 1))

    with pytest.raises(renewals.CannotRenew) as refusal:
        renewals.renew(contract_id=contract.pk, now=local(2, 22))

    assert refusal.value.why == NotRenewed.NO_FREE_PLAN
    assert len(terms()) == 1


def test_planning_asks_as_many_statements_for_three_as_for_one(
    starter: PlanVersion, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    day = local(2, 22)
    customer(starter, months=1)
    with django_assert_num_queries(6):
        renewals.plan(day)
    for _ in range(2):
        customer(starter, months=1)
    with django_assert_num_queries(6):
        renewals.plan(day)

    assert Work.objects.filter(kind=jobs.RENEW.kind).count() == 3


def test_planning_before_there_is_a_vendor_does_nothing() -> None:
    renewals.plan(make.NOW)

    assert not Work.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_who_renew_at_once_order_one_term(starter: PlanVersion) -> None:
    """Rule: R5."""
    contract = customer(starter, months=1)
    both = threading.Barrier(2)
    failed: list[BaseException] = []

    def run(act: Callable[[], None]) -> None:
        try:
            both.wait(10)
            act()
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)
        finally:
            connections.close_all()

    threads = [
        threading.Thread(
            target=run,
            args=[lambda: renewals.renew(contract_id=contract.pk, now=local(2, 22))],
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert failed == []
    assert len(terms()) == 2
    assert Mail.objects.count() == 1
    assert sound()

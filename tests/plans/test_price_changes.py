"""A new version for everybody: announced by the catalogue, stored ahead of time, withdrawn."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest
from django.db import IntegrityError, connections, transaction

from accounts.models import Organisation
from core import books, clock, work
from core.models import AuditEntry, Work
from core.months import BillingMonth
from plans import jobs, queries, services
from plans.models import PlanPrice, PlanVersion, PriceChange, Repricing, Selection
from plans.queries import audit
from plans.rules import timeline
from plans.rules.catalogue import CatalogueRefused
from plans.services import price_changes
from tests import make
from tests.plans.catalogues import METER, VENDOR
from tests.plans.spans import TOKYO, local

pytestmark = pytest.mark.django_db

FREE = """
[[plan]]
code = "free"
category = "licence"
name = { ja = "フリー", en = "Free" }
free = true

[[plan.version]]
number = 1
on_sale_from = 2024-01-01
accounts_per_step = 10
price = { JPY = 0, USD = 0 }
"""
STARTER = """
[[plan]]
code = "starter"
category = "licence"
name = { ja = "スターター", en = "Starter" }

[[plan.version]]
number = 1
on_sale_from = 2024-01-01
accounts_per_step = 100
price = { JPY = 5000, USD = "50.00" }
"""
SECOND = """
[[plan.version]]
number = 2
on_sale_from = 2027-01-01
accounts_per_step = 100
price = { JPY = 6000, USD = "60.00" }
"""
EVERYONE = "applies_to_everyone_from = 2027-01-01\n"
FIRST = VENDOR + METER + FREE + STARTER
# The line of the second version's table.
LINE = FIRST.count("\n") + 2


def apply(text: str, now: datetime = make.NOW) -> list[str]:
    outcome = services.apply_catalogue(text, actor=make.ACTOR, now=now)
    return [str(change.entry) for change in outcome.changes]


def refused(text: str, now: datetime = make.NOW) -> list[tuple[int, str]]:
    with pytest.raises(CatalogueRefused) as refusal:
        apply(text, now)
    return [(problem.line, problem.reason) for problem in refusal.value.problems]


def version(number: int = 1) -> PlanVersion:
    return PlanVersion.objects.get(plan__code="starter", number=number)


def customer(steps: int = 1, *, currency: str = "JPY") -> Organisation:
    """A customer of Starter since January 2026."""
    organisation = make.organisation(currency=currency)
    make.selection(organisation, version(), local(1, 1), steps=steps)
    return organisation


def tick(now: datetime = make.NOW) -> None:
    with clock.fixed_at(now):
        price_changes.plan(now)
        work.run_due()


def fee(organisation: Organisation, month: str) -> int | None:
    """Return the net fee of a month, as the month end reads it."""
    begins_at = BillingMonth.parse(month).starts_at(TOKYO)
    found = queries.fee_selections([organisation.pk], begins_at)
    if not found:
        return None
    price = PlanPrice.objects.get(version=found[0].version_id, currency=organisation.currency)
    return price.net * found[0].steps


def rows(organisation: Organisation) -> list[tuple[int, int, datetime, datetime | None]]:
    return list(
        Selection.objects.filter(organisation=organisation)
        .order_by("from_at")
        .values_list("plan_version__number", "steps", "from_at", "until_at")
    )


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(make.NOW, id="40 days before"),
        pytest.param(
            datetime(2026, 12, 2, 14, 59, 59, tzinfo=UTC), id="30 days, to the last second"
        ),
    ],
)
def test_a_version_for_everyone_is_announced_30_days_ahead(now: datetime) -> None:
    apply(FIRST)

    assert apply(FIRST + SECOND + EVERYONE, now) == ["plan starter version 2"]

    change = PriceChange.objects.get()
    assert (change.version, change.effective_on) == (version(2), date(2027, 1, 1))
    assert (change.announced_at, change.announced_by) == (now, make.ACTOR)
    assert apply(FIRST + SECOND + EVERYONE, now) == []


def test_29_days_are_too_few_in_the_billing_time_zone() -> None:
    apply(FIRST)

    problems = refused(FIRST + SECOND + EVERYONE, datetime(2026, 12, 2, 15, 0, tzinfo=UTC))

    reason = (
        "plan starter version 2: applies_to_everyone_from: 2027-01-01 is too soon; customers have at"
        " least 30 days, that is until 2027-01-02"
    )
    assert problems == [(LINE, reason)]
    assert not PriceChange.objects.exists()
    assert PlanVersion.objects.filter(plan__code="starter").count() == 1


def test_everybody_pays_the_new_price_from_the_month_that_begins_then() -> None:
    apply(FIRST)
    aoba, kaede = customer(), customer(steps=2)
    apply(FIRST + SECOND + EVERYONE)

    tick()

    assert [fee(aoba, month) for month in ("2026-12", "2027-01", "2027-02")] == [
        5_000,
        6_000,
        6_000,
    ]
    assert [fee(kaede, month) for month in ("2026-12", "2027-01")] == [10_000, 12_000]
    before = local(1, 1, year=2027) - datetime.resolution
    assert rows(kaede) == [(1, 2, local(1, 1), before), (2, 2, before, None)]
    entry = AuditEntry.objects.filter(action="price_change.stored").get(
        subject=f"organisation:{aoba.pk}"
    )
    assert entry.details["price_change"] == "starter v2 from 2027-01-01"


def test_until_it_is_announced_a_new_version_is_for_new_customers_only() -> None:
    apply(FIRST)
    aoba = customer()
    apply(FIRST + SECOND)

    tick()

    assert rows(aoba) == [(1, 1, local(1, 1), None)]
    assert apply(FIRST + SECOND + EVERYONE) == ["plan starter version 2"]
    tick()
    assert fee(aoba, "2027-01") == 6_000


def test_a_second_run_changes_nothing() -> None:
    apply(FIRST)
    aoba = customer()
    apply(FIRST + SECOND + EVERYONE)
    tick()
    once = rows(aoba)

    tick()
    price_changes.reprice(
        price_change_id=PriceChange.objects.get().pk, organisation_id=aoba.pk, now=make.NOW
    )

    assert rows(aoba) == once
    assert Repricing.objects.count() == 1
    assert AuditEntry.objects.filter(action="price_change.stored").count() == 1
    assert not Work.objects.filter(kind=jobs.REPRICE.kind).exclude(state="done").exists()


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_store_it_once() -> None:
    apply(FIRST)
    aoba = customer()
    apply(FIRST + SECOND + EVERYONE)
    change = PriceChange.objects.get()
    start = threading.Barrier(2)

    def work_on() -> None:
        try:
            start.wait()
            price_changes.reprice(price_change_id=change.pk, organisation_id=aoba.pk, now=make.NOW)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(work_on) for _ in range(2)]:
            each.result()

    assert Repricing.objects.count() == 1
    assert len(rows(aoba)) == 2


def test_a_run_that_broke_off_between_pages_is_taken_up(monkeypatch: pytest.MonkeyPatch) -> None:
    apply(FIRST)
    customers = [customer() for _ in range(5)]
    apply(FIRST + SECOND + EVERYONE)
    monkeypatch.setattr(price_changes, "A_PAGE", 2)
    with clock.fixed_at(make.NOW):
        price_changes.plan(make.NOW)
        # The worker is gone after the first page and a piece of the second.
        work.run_due(limit=3)
    assert Repricing.objects.count() == 3

    tick()

    assert [fee(each, "2027-01") for each in customers] == [6_000] * 5
    assert Repricing.objects.count() == 5


def test_who_selects_the_old_version_later_on_is_reached_until_the_day() -> None:
    apply(FIRST)
    apply(FIRST + SECOND + EVERYONE)
    tick()
    late = make.organisation()
    make.selection(late, version(), local(12, 30))

    tick(local(12, 31, 23, 58))

    assert [fee(late, month) for month in ("2027-01", "2027-02")] == [6_000, 6_000]
    assert books.breaches(now=local(1, 1, year=2027), among=list(audit.CHECKS)) == []


@pytest.mark.unsound_books
def test_what_could_not_be_stored_in_time_is_a_persons_matter() -> None:
    apply(FIRST)
    aoba = customer()
    apply(FIRST + SECOND + EVERYONE)
    with clock.fixed_at(make.NOW):
        price_changes.plan(make.NOW)

    with clock.fixed_at(local(1, 1, year=2027)):
        work.run_due()

    assert rows(aoba) == [(1, 1, local(1, 1), None)]
    assert Work.objects.get(kind=jobs.REPRICE.kind).state == "parked"
    [breach] = books.breaches(now=local(1, 1, year=2027), among=list(audit.CHECKS))
    assert (breach.invariant, breach.ids["organisation"]) == ("B-02", str(aoba.pk))


def test_who_leaves_the_plan_when_the_month_begins_pays_the_old_price_to_the_last() -> None:
    apply(FIRST)
    aoba = make.organisation()
    make.main_contract(aoba, version(), date(2026, 12, 1), months=1, now=make.NOW)
    apply(FIRST + SECOND + EVERYONE)

    tick()

    assert [fee(aoba, month) for month in ("2027-01", "2027-02")] == [5_000, 0]
    assert not Repricing.objects.exists()
    assert books.breaches(among=list(audit.CHECKS)) == []


def test_a_main_contract_is_repriced_to_its_end_and_returns_to_free() -> None:
    apply(FIRST)
    aoba = make.organisation()
    make.main_contract(aoba, version(), date(2026, 12, 1), months=12, now=make.NOW)
    apply(FIRST + SECOND + EVERYONE)

    tick()

    # From its first day the free plan's month is over; its last month is billed after its end.
    months = ("2026-12", "2027-01", "2027-11", "2027-12", "2028-01")
    assert [fee(aoba, month) for month in months] == [0, 6_000, 6_000, 6_000, 0]
    assert books.breaches(among=list(audit.CHECKS)) == []


def withdraw(now: datetime = make.NOW, reason: str = "The price is wrong") -> None:
    price_changes.withdraw(
        price_change_id=PriceChange.objects.get().pk, reason=reason, actor="user:7", now=now
    )


def test_withdrawn_everybody_has_again_what_was() -> None:
    apply(FIRST)
    aoba = customer(steps=2)
    apply(FIRST + SECOND + EVERYONE)
    tick()

    withdraw()
    tick()
    tick()

    assert rows(aoba) == [(1, 2, local(1, 1), None)]
    assert fee(aoba, "2027-01") == 10_000
    assert Repricing.objects.get().undone_at == make.NOW
    entry = AuditEntry.objects.get(action="price_change.withdrawn")
    assert (entry.actor, entry.details["reason"]) == ("user:7", "The price is wrong")
    assert AuditEntry.objects.filter(action="price_change.taken_back").count() == 1


def test_withdrawn_it_leaves_alone_who_chose_the_new_version() -> None:
    apply(FIRST)
    aoba = customer()
    apply(FIRST + SECOND + EVERYONE)
    own = make.organisation()
    make.selection(own, version(2), local(12, 1))
    tick()

    withdraw()
    tick()

    assert rows(own) == [(2, 1, local(12, 1), None)]
    assert rows(aoba) == [(1, 1, local(1, 1), None)]


def test_withdrawn_what_was_ordered_meanwhile_stays() -> None:
    apply(FIRST)
    aoba = make.organisation()
    make.main_contract(aoba, version(), date(2026, 12, 1), months=12, now=make.NOW)
    apply(FIRST + SECOND + EVERYONE)
    tick()
    before = queries.timeline(aoba, now=make.NOW)
    more = timeline.add_licences(before, 1, now=local(12, 5), zone=TOKYO)
    services.store(
        organisation_id=aoba.pk,
        before=before,
        after=more,
        action="order.add_licences",
        details={},
        actor=make.ACTOR,
        now=local(12, 5),
    )

    withdraw(local(12, 6))
    tick(local(12, 6))

    assert [fee(aoba, month) for month in ("2027-01", "2027-11", "2028-01")] == [10_000, 10_000, 0]
    assert books.breaches(among=list(audit.CHECKS)) == []


@pytest.mark.parametrize(
    ("now", "reason", "refusal"),
    [
        pytest.param(make.NOW, "  ", price_changes.ReasonMissing, id="without a reason"),
        pytest.param(local(12, 31), "Wrong", price_changes.TooLate, id="on its last day"),
        pytest.param(local(2, 1, year=2027), "Wrong", price_changes.TooLate, id="in force"),
    ],
)
def test_withdraw_refuses(now: datetime, reason: str, refusal: type[Exception]) -> None:
    apply(FIRST)
    apply(FIRST + SECOND + EVERYONE)

    with pytest.raises(refusal):
        withdraw(now, reason)

    assert PriceChange.objects.get().withdrawn_at is None


def test_what_was_withdrawn_is_announced_by_a_number_of_its_own() -> None:
    apply(FIRST)
    apply(FIRST + SECOND + EVERYONE)
    withdraw()

    assert apply(FIRST + SECOND) == []
    reason = (
        "plan starter version 2: applies_to_everyone_from: it was announced and withdrawn; announce"
        " a version with a number of its own"
    )
    assert refused(FIRST + SECOND + EVERYONE) == [(LINE, reason)]
    with pytest.raises(price_changes.WithdrawnBefore):
        withdraw()


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        pytest.param(
            SECOND + "applies_to_everyone_from = 2027-02-02\n",
            LINE + 5,
            "plan[2].version[2].applies_to_everyone_from: 2027-02-02 is not the first day of a month,"
            " and a fee is that of a whole month",
            id="within a month",
        ),
        pytest.param(
            SECOND.replace("2027-01-01", "2027-03-01") + EVERYONE,
            LINE + 5,
            "plan[2].version[2].applies_to_everyone_from: the version is not on sale on 2027-01-01,"
            " so that new customers would get another",
            id="before it is on sale",
        ),
        pytest.param(
            SECOND.replace(', USD = "60.00"', "") + EVERYONE,
            LINE,
            "plan starter version 2: applies_to_everyone_from: needs a price in USD, as older versions"
            " have",
            id="without a currency that customers pay in",
        ),
        pytest.param(
            SECOND.replace("= 100", "= 99") + EVERYONE,
            LINE,
            "plan starter version 2: applies_to_everyone_from: its steps have fewer accounts than 100,"
            " which customers may have in use",
            id="with fewer accounts",
        ),
    ],
)
def test_a_version_is_not_for_everyone(text: str, line: int, reason: str) -> None:
    apply(FIRST)

    assert refused(FIRST + text) == [(line, reason)]
    assert not PriceChange.objects.exists()


def test_a_first_version_has_nobody_to_apply_to() -> None:
    reason = (
        "plan starter version 1: applies_to_everyone_from: there is no older version that anybody"
        " could have"
    )
    assert refused(FIRST + EVERYONE) == [(LINE - 6, reason)]


def test_what_was_announced_stays_as_it_was_announced() -> None:
    apply(FIRST)
    apply(FIRST + SECOND + EVERYONE)

    assert apply(FIRST + SECOND) == []
    [(line, later)] = refused(FIRST + SECOND + "applies_to_everyone_from = 2027-02-01\n")
    assert (line, "2027-01-01 is announced already" in later) == (LINE, True)
    [(_, dearer)] = refused(FIRST + SECOND.replace("6000", "7000") + EVERYONE)
    assert "price.JPY: ¥6,000 → ¥7,000" in dearer
    with pytest.raises(IntegrityError), transaction.atomic():
        PlanPrice.objects.filter(version=version(2)).update(net=7_000)
    assert PlanPrice.objects.get(version=version(2), currency="JPY").net == 6_000

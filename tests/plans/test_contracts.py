import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections, transaction
from pytest_django import DjangoAssertNumQueries

from accounts.models import Organisation
from billing.models import Invoice
from billing.services import issue
from core import books
from core.models import AuditEntry
from core.months import BillingMonth
from plans import queries, services
from plans.enums import Category
from plans.models import MainContract, PlanVersion, Selection
from plans.queries import audit
from plans.rules import PlanTerms
from plans.rules import timeline as rules
from plans.rules.timeline import Span, Term, Timeline
from tests import make
from tests.plans.spans import TOKYO, local
from tests.plans.test_guards import somebody_waits

pytestmark = pytest.mark.django_db

IN_IT = local(2, 10, 9)


def rows(category: Category = Category.LICENCE) -> list[tuple[Any, ...]]:
    return list(
        Selection.objects.filter(category=category)
        .order_by("from_at")
        .values_list("plan_version__plan__code", "steps", "from_at", "until_at")
    )


def terms_of(version: PlanVersion, currency: str = "JPY") -> PlanTerms:
    return queries.terms([version.pk], currency)[version.pk]


def save(
    organisation: Organisation,
    act: Callable[[Timeline], Timeline],
    now: datetime,
    action: str = "plan.changed",
) -> Timeline:
    before = queries.timeline(organisation, now=now)
    after = act(before)
    services.store(
        organisation_id=organisation.pk,
        before=before,
        after=after,
        action=action,
        details={"review": "r-1"},
        actor="user:7",
        now=now,
    )
    return after


def renew(version: PlanVersion, now: datetime) -> Callable[[Timeline], Timeline]:
    return lambda timeline: rules.renew(
        timeline, terms_of(version), steps=1, months=1, now=now, zone=TOKYO
    )


def withdraw(now: datetime) -> Callable[[Timeline], Timeline]:
    return lambda timeline: rules.withdraw_renewal(timeline, now=now, zone=TOKYO)


@pytest.fixture
def org() -> Organisation:
    make.vendor()
    organisation = make.organisation()
    make.selection(organisation, make.free_plan(), local(1, 5, 12))
    return organisation


@pytest.fixture
def starter() -> PlanVersion:
    return make.plan_version()


@pytest.fixture
def contract(org: Organisation, starter: PlanVersion) -> MainContract:
    """One month from 31 January, ordered on the 10th."""
    return make.main_contract(
        org, starter, date(2026, 1, 31), months=1, steps=2, renews=True, now=local(1, 10, 9)
    )


def sound() -> bool:
    return books.breaches(among=list(audit.CHECKS)) == []


def test_a_main_contract_is_stored_with_the_free_plan_before_and_after_it(
    org: Organisation, contract: MainContract
) -> None:
    """Rule: S2-12, domain.md 3.2."""
    assert rows() == [
        ("free", 1, local(1, 5, 12), local(1, 31)),
        ("starter", 2, local(1, 31), local(3, 1)),
        ("free", 1, local(3, 1), None),
    ]
    assert (contract.first_on, contract.end_on) == (date(2026, 1, 31), date(2026, 3, 1))
    assert (contract.renews, contract.ordered_by) == (True, make.ACTOR)
    entry = AuditEntry.objects.filter(chain=org.pk).latest("seq")
    assert (entry.action, entry.details["after"]["licence"][1]) == (
        "contract.started",
        {
            "version": "starter v1",
            "steps": 2,
            "from_at": "2026-01-30T15:00:00+00:00",
            "until_at": "2026-02-28T15:00:00+00:00",
        },
    )
    assert entry.details["before"]["terms"] == []
    assert sound()


def test_timeline_reads_back_what_was_stored(
    org: Organisation, contract: MainContract, starter: PlanVersion
) -> None:
    free = terms_of(PlanVersion.objects.get(plan__code="free"))

    found = queries.timeline(org, now=IN_IT)

    assert found == Timeline(
        licence=(
            Span(free, 1, local(1, 5, 12), local(1, 31)),
            Span(terms_of(starter), 2, local(1, 31), local(3, 1)),
            Span(free, 1, local(3, 1)),
        ),
        support=(),
        terms=(Term(date(2026, 1, 31), 0, 1, contract.pk),),
        renews=True,
        free=free,
    )


def test_timelines_ask_as_many_statements_for_three_as_for_one(
    org: Organisation,
    contract: MainContract,
    starter: PlanVersion,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    others = [make.organisation(), make.organisation()]
    for other in others:
        make.main_contract(other, starter, date(2026, 1, 31), months=12)

    with django_assert_num_queries(6):
        alone = queries.timeline(org, now=IN_IT)
    with django_assert_num_queries(6):
        found = queries.timelines([org, *others], now=IN_IT)

    assert found[org.pk] == alone
    assert [term.months for term in found[others[1].pk].terms] == [12]


def test_timelines_of_two_currencies_have_prices_of_their_own(
    org: Organisation, starter: PlanVersion
) -> None:
    """Rule: B-12."""
    abroad = make.organisation(country="US", currency="USD")
    make.selection(abroad, starter, local(1, 5))

    found = queries.timelines([org, abroad], now=IN_IT)

    assert found[abroad.pk].licence[0].terms.currency == "USD"
    assert found[abroad.pk].free == terms_of(PlanVersion.objects.get(plan__code="free"), "USD")


def test_timeline_takes_the_free_plan_that_is_on_sale_that_day() -> None:
    make.vendor()
    organisation = make.organisation()
    old = make.free_plan()
    PlanVersion.objects.filter(pk=old.pk).update(on_sale_until=date(2026, 3, 1))
    new = make.plan_version(
        "free", number=2, prices={"JPY": 0}, is_free=True, on_sale_from=date(2026, 3, 1)
    )

    before, after = (
        queries.timeline(organisation, now=at).free for at in (local(2, 28, 23, 59), local(3, 1))
    )

    assert (before, after) == (terms_of(old), terms_of(new))


def test_timeline_without_a_free_plan_or_a_contract_is_what_was_selected() -> None:
    """What was selected before there were contracts goes on as it was."""
    make.vendor()
    organisation = make.organisation()
    version = make.plan_version()
    make.selection(organisation, version, local(1, 5), steps=3)

    found = queries.timeline(organisation, now=IN_IT)

    assert found == Timeline(licence=(Span(terms_of(version), 3, local(1, 5)),))


def test_timeline_refuses_a_selection_without_a_price_in_the_currency(org: Organisation) -> None:
    """Rule: B-12."""
    make.selection(
        org,
        make.plan_version("help", category=Category.SUPPORT, prices={"USD": 1}),
        local(1, 5),
    )

    with pytest.raises(queries.NotPriced):
        queries.timeline(org, now=IN_IT)


def test_store_cuts_what_runs_and_keeps_what_is_over(
    org: Organisation, contract: MainContract
) -> None:
    """Rule: S1-25."""
    pro = make.plan_version("pro", prices={"JPY": 9_000})
    kept = Selection.objects.order_by("from_at")[0].pk

    save(org, lambda timeline: rules.change(timeline, terms_of(pro), IN_IT), IN_IT)

    assert rows() == [
        ("free", 1, local(1, 5, 12), local(1, 31)),
        ("starter", 2, local(1, 31), IN_IT),
        ("pro", 2, IN_IT, local(3, 1)),
        ("free", 1, local(3, 1), None),
    ]
    assert Selection.objects.order_by("from_at")[0].pk == kept
    entry = AuditEntry.objects.filter(chain=org.pk).latest("seq")
    assert (entry.actor, entry.action, entry.details["review"]) == (
        "user:7",
        "plan.changed",
        "r-1",
    )
    assert sound()


def test_store_adds_licences_and_a_first_support_plan(
    org: Organisation, contract: MainContract
) -> None:
    """Rule: S2-16, S1-21."""
    support = make.plan_version("help", category=Category.SUPPORT)
    save(org, lambda each: rules.add_licences(each, 1, now=IN_IT, zone=TOKYO), IN_IT)
    save(org, lambda each: rules.change(each, terms_of(support), IN_IT), IN_IT)

    assert [(steps, from_at) for _, steps, from_at, _ in rows()] == [
        (1, local(1, 5, 12)),
        (2, local(1, 31)),
        (3, IN_IT),
        (1, local(3, 1)),
    ]
    assert rows(Category.SUPPORT) == [("help", 1, IN_IT, None)]


def test_store_adds_the_next_term_and_takes_it_away_again(
    org: Organisation, contract: MainContract
) -> None:
    """Rule: S2-13."""
    newer = make.plan_version("starter", number=2, prices={"JPY": 6_000})

    save(org, renew(newer, IN_IT), IN_IT)

    following = MainContract.objects.exclude(pk=contract.pk).get()
    assert (following.anchor_on, following.months_before, following.first_on, following.end_on) == (
        date(2026, 1, 31),
        1,
        date(2026, 3, 1),
        date(2026, 3, 31),
    )
    contract.refresh_from_db()
    assert (contract.renews, following.renews) == (False, True)
    assert rows()[-2:] == [
        ("starter", 1, local(3, 1), local(3, 31)),
        ("free", 1, local(3, 31), None),
    ]
    assert sound()

    later = IN_IT + timedelta(days=1)
    save(org, withdraw(later), later)

    following.refresh_from_db()
    contract.refresh_from_db()
    assert (following.withdrawn_at, following.withdrawn_by) == (later, "user:7")
    assert not contract.renews
    assert rows()[-2:] == [
        ("starter", 2, local(1, 31), local(3, 1)),
        ("free", 1, local(3, 1), None),
    ]
    assert sound()

    save(org, renew(newer, later), later)

    assert MainContract.objects.filter(withdrawn_at=None).count() == 2
    assert sound()


def test_store_lets_what_runs_go_on_where_the_next_term_says_the_same(
    org: Organisation, starter: PlanVersion
) -> None:
    make.main_contract(org, starter, date(2026, 1, 31), months=1, now=local(1, 10))
    running = Selection.objects.get(plan_version=starter)

    save(org, renew(starter, IN_IT), IN_IT)

    running.refresh_from_db()
    assert running.until_at == local(3, 31)
    assert Selection.objects.count() == 3
    assert sound()


def test_store_switches_automatic_renewal(org: Organisation, contract: MainContract) -> None:
    save(org, lambda each: rules.set_renewal(each, False, now=IN_IT, zone=TOKYO), IN_IT)

    contract.refresh_from_db()
    assert not contract.renews
    assert not queries.timeline(org, now=IN_IT).renews


def test_a_contract_may_follow_one_that_is_over(org: Organisation, contract: MainContract) -> None:
    again = make.main_contract(
        org, PlanVersion.objects.get(plan__code="starter"), date(2026, 3, 1), now=local(3, 1, 9)
    )

    assert (again.months_before, again.anchor_on) == (0, date(2026, 3, 1))
    assert [code for code, *_ in rows()] == ["free", "starter", "free", "starter", "free"]
    assert sound()


def test_store_of_what_is_so_already_stores_nothing(
    org: Organisation, contract: MainContract
) -> None:
    entries = AuditEntry.objects.count()

    save(org, lambda timeline: timeline, IN_IT)

    assert AuditEntry.objects.count() == entries


def test_store_refuses_what_was_read_before_something_else_was_stored(
    org: Organisation, contract: MainContract
) -> None:
    """Rule: R5."""
    read = queries.timeline(org, now=IN_IT)
    pro = make.plan_version("pro", prices={"JPY": 9_000})
    save(org, lambda timeline: rules.change(timeline, terms_of(pro), IN_IT), IN_IT)
    stored, entries = rows(), AuditEntry.objects.count()

    with pytest.raises(services.Stale):
        services.store(
            organisation_id=org.pk,
            before=read,
            after=rules.set_renewal(read, False, now=IN_IT, zone=TOKYO),
            action="contract.renewal_set",
            details={},
            actor=make.ACTOR,
            now=IN_IT,
        )

    assert (rows(), AuditEntry.objects.count()) == (stored, entries)


def _cut_the_past(timeline: Timeline) -> Timeline:
    first, *rest = timeline.licence
    return replace(timeline, licence=(replace(first, until_at=local(1, 20)), *rest))


def _other_past(timeline: Timeline) -> Timeline:
    first, running, after = timeline.licence
    return replace(timeline, licence=(first, replace(running, steps=5), after))


def _begins_in_the_past(timeline: Timeline) -> Timeline:
    first, running, after = timeline.licence
    cut = local(2, 1)
    return replace(
        timeline,
        licence=(
            first,
            replace(running, until_at=IN_IT),
            replace(after, from_at=IN_IT, until_at=None),
        ),
        support=(replace(after, from_at=cut),),
    )


def _no_contract(timeline: Timeline) -> Timeline:
    return replace(timeline, terms=())


def _a_term_in_the_past(timeline: Timeline) -> Timeline:
    return replace(timeline, terms=(Term(date(2026, 1, 6), 0, 1), *timeline.terms))


def _a_longer_term(timeline: Timeline) -> Timeline:
    return replace(timeline, terms=(replace(timeline.terms[0], months=12),))


@pytest.mark.parametrize(
    "act",
    [
        _cut_the_past,
        _other_past,
        _begins_in_the_past,
        _no_contract,
        _a_term_in_the_past,
        _a_longer_term,
    ],
)
def test_store_never_changes_the_past(
    org: Organisation, contract: MainContract, act: Callable[[Timeline], Timeline]
) -> None:
    stored, entries = rows(), AuditEntry.objects.count()

    with pytest.raises(services.ChangesThePast):
        save(org, act, IN_IT)

    assert (rows(), AuditEntry.objects.count()) == (stored, entries)
    assert MainContract.objects.get().withdrawn_at is None


def test_select_plan_is_refused_while_a_contract_is_under_way(
    org: Organisation, contract: MainContract
) -> None:
    """It is for what comes from elsewhere, and knows no terms."""
    stored = rows()

    with pytest.raises(services.StartsTooEarly):
        services.select_plan(
            organisation_id=org.pk,
            version_id=make.plan_version("pro").pk,
            steps=1,
            from_at=IN_IT,
            actor=make.ACTOR,
            now=IN_IT,
        )

    assert rows() == stored


def test_main_contracts_never_overlap(org: Organisation, contract: MainContract) -> None:
    def another() -> None:
        MainContract.objects.create(
            organisation=org,
            anchor_on=date(2026, 2, 28),
            months=1,
            first_on=date(2026, 2, 28),
            end_on=date(2026, 3, 28),
            ordered_at=IN_IT,
            ordered_by=make.ACTOR,
        )

    with pytest.raises(IntegrityError, match="main_contract_never_overlaps"), transaction.atomic():
        another()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "ALTER TABLE plans_maincontract DROP CONSTRAINT main_contract_never_overlaps"
        )

    another()

    assert MainContract.objects.count() == 2


@pytest.mark.parametrize(
    ("constraint", "values"),
    [
        ("main_contract_has_1_or_12_months", {"months": 2}),
        ("main_contract_ends_after_it_begins", {"end_on": date(2026, 1, 31)}),
        ("main_contract_begins_with_its_chain", {"first_on": date(2026, 2, 1)}),
        ("main_contract_begins_with_its_chain", {"months_before": 1}),
        ("main_contract_withdrawn_by_somebody", {"withdrawn_at": IN_IT}),
        ("main_contract_withdrawn_by_somebody", {"withdrawn_by": "user:7"}),
    ],
)
def test_a_main_contract_says_nothing_that_cannot_be(
    contract: MainContract, constraint: str, values: dict[str, Any]
) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        MainContract.objects.filter(pk=contract.pk).update(**values)


def _both(first: Callable[[], None], second: Callable[[], None]) -> list[str]:
    """Do two things at once; return how each ended."""
    outcomes: list[str] = []
    both = threading.Barrier(2)

    def run(act: Callable[[], None]) -> None:
        try:
            both.wait(10)
            act()
            outcomes.append("stored")
        except (services.Stale, rules.Refusal) as refused:
            outcomes.append(type(refused).__name__)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[act]) for act in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return sorted(outcomes)


@pytest.mark.django_db(transaction=True)
def test_of_two_acts_at_once_on_the_same_timeline_one_is_stale(
    org: Organisation, contract: MainContract
) -> None:
    """Rule: R5, F46."""
    read = queries.timeline(org, now=IN_IT)
    pro = terms_of(make.plan_version("pro", prices={"JPY": 9_000}))

    def stored(after: Timeline) -> Callable[[], None]:
        return lambda: services.store(
            organisation_id=org.pk,
            before=read,
            after=after,
            action="plan.changed",
            details={},
            actor=make.ACTOR,
            now=IN_IT,
        )

    outcomes = _both(
        stored(rules.change(read, pro, IN_IT)),
        stored(rules.add_licences(read, 1, now=IN_IT, zone=TOKYO)),
    )

    assert outcomes == ["Stale", "stored"]
    assert len(rows()) == 4
    assert AuditEntry.objects.filter(chain=org.pk, action="plan.changed").count() == 1
    assert sound()


@pytest.mark.django_db(transaction=True)
def test_a_change_while_the_month_is_billed_alters_nothing_of_it(
    org: Organisation, contract: MainContract, starter: PlanVersion
) -> None:
    """February's fee is that of two steps of Starter, whoever comes first. Rule: S1-26, F46."""
    now = local(3, 5, 9)
    save(org, renew(starter, IN_IT), IN_IT)
    Organisation.objects.filter(pk=org.pk).update(customer_since=date(2026, 2, 1))
    pro = terms_of(make.plan_version("pro", prices={"JPY": 9_000}))

    def bill() -> None:
        try:
            issue.bill_page(first_id=org.pk, last_id=org.pk, month=BillingMonth(2026, 2), now=now)
        finally:
            connections.close_all()

    with transaction.atomic():
        save(org, lambda each: rules.change(each, pro, now), now)
        billing = threading.Thread(target=bill)
        billing.start()
        while billing.is_alive() and not somebody_waits():
            billing.join(0.01)
        waited = billing.is_alive()
    billing.join(30)

    assert waited
    assert [(invoice.month, invoice.net) for invoice in Invoice.objects.all()] == [
        (date(2026, 2, 1), 10_000)
    ]
    assert sound()

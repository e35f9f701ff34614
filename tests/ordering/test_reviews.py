"""What was shown is what is saved, once. Rule: S1-23…S1-26, design.md 6.1, F51, F54."""

import threading
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.models import Organisation
from core.models import AuditEntry
from ordering import services
from ordering.enums import ReviewState
from ordering.models import Review
from ordering.rules import guards
from ordering.rules.acts import ChangePlan, NotOnSale
from ordering.services import Differs, Expired, Saved
from payments.enums import MethodState
from payments.models import PaymentMethod
from payments.services import moves
from plans.enums import Category
from plans.models import PlanPrice, Selection
from plans.rules.timeline import NotFromHere, NothingChanges
from tests import make
from tests.ordering import customers
from tests.ordering.customers import local

pytestmark = pytest.mark.django_db

NOW = local(4, 10, 12)
PRO = ChangePlan(Category.LICENCE, "pro")
BASIC = ChangePlan(Category.LICENCE, "basic")
GOLD = ChangePlan(Category.SUPPORT, "gold")


def review(org: Organisation, act: ChangePlan = PRO, now: datetime = NOW) -> Review:
    return services.review(
        organisation_id=org.pk, user_id=customers.root_of(org).pk, act=act, now=now
    )


def save(org: Organisation, shown: Review, now: datetime = NOW) -> Saved | Differs:
    return services.save(organisation_id=org.pk, review_id=shown.public_id, actor="user:7", now=now)


def rows(org: Organisation, category: Category = Category.LICENCE) -> list[tuple[Any, ...]]:
    return list(
        Selection.objects.filter(organisation=org, category=category)
        .order_by("from_at")
        .values_list("plan_version__plan__code", "steps", "from_at", "until_at")
    )


def test_nothing_changes_before_it_is_saved_and_then_at_once() -> None:
    """Rule: S1-23, S1-25."""
    org = customers.kobo()
    before = rows(org)

    shown = review(org)
    assert rows(org) == before

    at = NOW + timedelta(minutes=3)
    outcome = save(org, shown, at)
    assert isinstance(outcome, Saved)
    assert outcome.is_new
    assert rows(org) == [("basic", 1, local(1, 1), at), ("pro", 1, at, None)]
    assert rows(org, Category.SUPPORT) == [("silver", 1, local(1, 1), None)]
    assert (outcome.review.saved_at, outcome.review.saved_by) == (at, "user:7")


def test_what_binds_is_shown_with_the_fees_of_four_months() -> None:
    """Rule: S1-26, domain.md 3.4: none → Pro on 10 April is free of charge in April."""
    org = customers.kobo()

    shown = review(org).shown

    assert [each["month"] for each in shown["months"]] == [
        "2026-04",
        "2026-05",
        "2026-06",
        "2026-07",
    ]
    fees = [(each["before"]["gross"], each["after"]["gross"]) for each in shown["months"]]
    assert fees == [(4_400, 4_400), (4_400, 8_800), (4_400, 8_800), (4_400, 8_800)]
    assert shown["after"]["spans"][0] == {
        "category": "licence",
        "version": customers.version("pro").pk,
        "steps": 1,
        "from": None,
        "until": None,
    }


def test_saving_twice_changes_once_and_tells_what_the_first_did() -> None:
    org = customers.kobo()
    shown = review(org)
    save(org, shown)
    stored, entries = rows(org), AuditEntry.objects.count()

    again = save(org, shown, NOW + timedelta(days=2))

    assert again == Saved(Review.objects.get(pk=shown.pk), is_new=False)
    assert rows(org) == stored
    assert AuditEntry.objects.count() == entries


def test_the_trail_says_who_saved_and_what_was_shown() -> None:
    org = customers.kobo()
    shown = review(org)

    save(org, shown)

    entry = AuditEntry.objects.filter(chain=org.pk).latest("seq")
    assert (entry.actor, entry.action) == ("user:7", "order.change")
    assert entry.details["review"] == str(shown.public_id)
    assert entry.details["act"] == {"act": "change", "category": "licence", "plan": "pro"}
    assert entry.details["shown"] == shown.shown
    assert entry.details["before"]["licence"][0]["version"] == "basic v1"
    assert entry.details["after"]["licence"][0]["version"] == "pro v1"


def test_a_review_that_expired_saves_nothing() -> None:
    org = customers.kobo()
    shown = review(org)
    before = rows(org)

    with pytest.raises(Expired):
        save(org, shown, NOW + timedelta(minutes=15))

    assert rows(org) == before
    assert isinstance(save(org, shown, NOW + timedelta(minutes=14, seconds=59)), Saved)


def test_another_organisations_review_is_not_found() -> None:
    org = customers.kobo()
    shown = review(org)
    other = make.organisation()

    with pytest.raises(Review.DoesNotExist):
        save(other, shown)


def test_the_second_of_two_tabs_is_shown_again_what_the_first_changed() -> None:
    org = customers.kobo(plan="pro")
    first, second = review(org, BASIC), review(org, GOLD)
    save(org, first)
    stored = rows(org, Category.SUPPORT)

    outcome = save(org, second)

    assert isinstance(outcome, Differs)
    assert [each["kind"] for each in outcome.review.differences] == ["contract"]
    assert outcome.review.replaces_id == second.pk
    assert outcome.review.act == second.act
    assert rows(org, Category.SUPPORT) == stored
    assert save(org, second) == Differs(outcome.review)
    assert isinstance(save(org, outcome.review), Saved)
    assert rows(org, Category.SUPPORT)[-1][0] == "gold"


def test_the_same_plan_in_a_second_tab_is_no_change() -> None:
    org = customers.kobo()
    first, second = review(org), review(org)
    save(org, first)
    stored = rows(org)

    with pytest.raises(NothingChanges):
        save(org, second)

    assert rows(org) == stored


def test_a_new_price_on_sale_is_shown_again_and_never_charged_unseen() -> None:
    """Rule: F51."""
    org = customers.kobo()
    shown = review(org)
    make.plan_version("pro", number=2, prices={"JPY": 6_000})

    outcome = save(org, shown)

    assert isinstance(outcome, Differs)
    assert outcome.review.differences == [
        {
            "kind": "price",
            "name_ja": "proプラン",
            "name_en": "Pro",
            "shown_net": 5_000,
            "net": 6_000,
        }
    ]
    assert [row[0] for row in rows(org)] == ["basic"]
    save(org, outcome.review)
    assert Selection.objects.latest("pk").plan_version == customers.version("pro", 2)


def test_a_version_that_is_edited_before_anybody_has_it_is_shown_again() -> None:
    org = customers.kobo()
    shown = review(org)
    PlanPrice.objects.filter(version=customers.version("pro"), currency="JPY").update(net=4_000)

    outcome = save(org, shown)

    assert isinstance(outcome, Differs)
    assert [(each["kind"], each["net"]) for each in outcome.review.differences] == [
        ("price", 4_000)
    ]


def test_an_included_quantity_that_changed_is_shown_again() -> None:
    org = customers.kobo()
    shown = review(org)
    customers.version("pro").meter_prices.update(included=50_000)

    outcome = save(org, shown)

    assert isinstance(outcome, Differs)
    assert [each["kind"] for each in outcome.review.differences] == ["promise"]


def test_a_month_that_begins_meanwhile_is_shown_again() -> None:
    """Rule: S1-26: at 00:00 of 1 May the fee of May is that of Pro already no more."""
    org = customers.kobo(plan="pro")
    shown = review(org, BASIC, local(4, 30, 23, 59))

    outcome = save(org, shown, local(5, 1))

    assert isinstance(outcome, Differs)
    assert [each["kind"] for each in outcome.review.differences] == ["month"]
    months = outcome.review.shown["months"]
    assert (months[0]["month"], months[0]["after"]["gross"]) == ("2026-05", 8_800)
    assert rows(org) == [("pro", 1, local(1, 1), None)]


def test_measured_usage_does_not_bind() -> None:
    org = customers.kobo()
    shown = review(org)
    make.organisation()

    assert isinstance(save(org, shown, NOW + timedelta(minutes=14)), Saved)


@pytest.mark.parametrize(
    ("state", "reviewing"),
    [
        pytest.param(None, "", id="none"),
        pytest.param(MethodState.REGISTERING, "paid", id="not answered yet"),
        pytest.param(MethodState.UNDER_REVIEW, "paid", id="under review"),
        pytest.param(MethodState.BROKEN, "", id="broken"),
    ],
)
def test_a_paid_plan_needs_a_method_that_works(state: MethodState | None, reviewing: str) -> None:
    """Rule: S1-24."""
    org = customers.kobo(has_method=False)
    if state:
        customers.method(org, state, "paid")

    with pytest.raises(guards.NoMethod) as refused:
        review(org)

    assert refused.value.reviewing == reviewing
    assert not Review.objects.exists()


def test_a_method_that_breaks_before_saving_refuses_the_save() -> None:
    org = customers.kobo()
    shown = review(org)
    moves.move_method(PaymentMethod.objects.get(), MethodState.BROKEN, now=NOW)

    with pytest.raises(guards.NoMethod):
        save(org, shown)

    assert [row[0] for row in rows(org)] == ["basic"]
    assert Review.objects.get().state == ReviewState.OPEN


def test_a_free_plan_needs_no_method() -> None:
    org = customers.kobo(has_method=False)

    outcome = save(org, review(org, ChangePlan(Category.SUPPORT, "none")))

    assert isinstance(outcome, Saved)
    assert rows(org, Category.SUPPORT)[-1][0] == "none"


def test_a_licence_below_the_accounts_in_use_is_refused_with_the_number() -> None:
    """Rule: S1-25."""
    org = customers.kobo(plan="pro")
    for _ in range(5):
        make.member(org)

    with pytest.raises(guards.TooManyAccounts) as refused:
        review(org, BASIC)
    assert (refused.value.in_use, refused.value.allowed) == (6, 5)

    org.memberships.exclude(role="root").first().delete()  # type: ignore[union-attr]  # one is there
    assert isinstance(save(org, review(org, BASIC)), Saved)


def test_a_closed_organisation_orders_nothing() -> None:
    org = customers.kobo()
    Organisation.objects.filter(pk=org.pk).update(closed_on=date(2026, 4, 10))
    org.refresh_from_db()

    with pytest.raises(guards.Closed):
        review(org)


@pytest.mark.parametrize(
    ("act", "refusal"),
    [
        pytest.param(BASIC, NothingChanges, id="the present plan"),
        pytest.param(ChangePlan(Category.LICENCE, "gold"), NotOnSale, id="of another category"),
        pytest.param(ChangePlan(Category.LICENCE, "nothing"), NotOnSale, id="unknown"),
        pytest.param(ChangePlan(Category.LICENCE, "old"), NotOnSale, id="no longer sold"),
        pytest.param(ChangePlan(Category.LICENCE, "soon"), NotOnSale, id="not sold yet"),
        pytest.param(ChangePlan(Category.LICENCE, "dollar"), NotOnSale, id="not in yen"),
    ],
)
def test_what_cannot_be_chosen_is_refused(act: ChangePlan, refusal: type[Exception]) -> None:
    org = customers.kobo()
    old = make.plan_version("old")
    old.on_sale_until = NOW.date()
    old.save(update_fields=["on_sale_until"])
    make.plan_version("soon", on_sale_from=date(2026, 4, 11))
    make.plan_version("dollar", prices={"USD": 100})

    with pytest.raises(refusal):
        review(org, act)


def test_the_present_plan_keeps_its_price_when_a_newer_version_is_on_sale() -> None:
    """Rule: B-02."""
    org = customers.kobo()
    make.plan_version("basic", number=2, prices={"JPY": 2_000})

    with pytest.raises(NothingChanges):
        review(org, BASIC)


def test_a_paid_licence_begins_with_a_contract() -> None:
    org = customers.kobo(plan="free")

    with pytest.raises(NotFromHere):
        review(org)


def test_a_review_is_never_altered_and_decided_once() -> None:
    org = customers.kobo()
    shown = review(org)
    with pytest.raises(DatabaseError), transaction.atomic():
        Review.objects.filter(pk=shown.pk).update(act={})

    save(org, shown)

    for refused in (
        lambda: Review.objects.filter(pk=shown.pk).update(state=ReviewState.OPEN),
        lambda: Review.objects.filter(pk=shown.pk).delete(),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            refused()


@pytest.mark.django_db(transaction=True)
def test_of_two_saves_at_once_one_changes_and_the_other_finds_it() -> None:
    org = customers.kobo()
    shown = review(org)
    outcomes = _at_once(lambda: save(org, shown), lambda: save(org, shown))

    assert sorted(outcome.is_new for outcome in outcomes) == [False, True]
    assert [row[0] for row in rows(org)] == ["basic", "pro"]


@pytest.mark.django_db(transaction=True)
def test_of_two_tabs_at_once_one_is_saved_and_the_other_shown_again() -> None:
    org = customers.kobo(plan="pro")
    first, second = review(org, BASIC), review(org, GOLD)

    outcomes = _at_once(lambda: save(org, first), lambda: save(org, second))

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Differs", "Saved"]


def _at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run calls in threads that begin together; return what each returns or raises."""
    barrier, results = threading.Barrier(len(calls)), list[Any]()

    def run(call: Callable[[], Any]) -> None:
        try:
            barrier.wait(timeout=10)
            results.append(call())
        except Exception as fault:  # noqa: BLE001 - what a thread raised is judged by the test
            results.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return results

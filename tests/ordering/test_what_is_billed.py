"""What the review showed is what the month end bills, also while both run. Rule: S1-26, domain.md 3.4."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from accounts.models import Organisation
from billing.models import Invoice, InvoiceLine
from billing.services import issue
from core.months import BillingMonth
from ordering import services
from ordering.rules.acts import ChangePlan
from ordering.services import Saved
from plans.enums import Category
from tests import make
from tests.ordering import customers
from tests.ordering.customers import local

pytestmark = pytest.mark.django_db

APRIL, MAY = BillingMonth(2026, 4), BillingMonth(2026, 5)
Change = tuple[datetime, str]


def order(org: Organisation, plan: str, now: datetime) -> Saved:
    """Review and save at the same instant."""
    act = ChangePlan(Category.LICENCE, plan)
    shown = services.review(
        organisation_id=org.pk, user_id=customers.root_of(org).pk, act=act, now=now
    )
    outcome = services.save(
        organisation_id=org.pk, review_id=shown.public_id, actor="user:7", now=now
    )
    assert isinstance(outcome, Saved)
    return outcome


def bill(org: Organisation, month: BillingMonth, now: datetime) -> None:
    issue.bill_page(first_id=org.pk, last_id=org.pk, month=month, now=now)


def billed(org: Organisation, month: BillingMonth) -> int:
    """Return a month's fees, tax included; 0 where there was nothing to bill."""
    invoice = Invoice.objects.filter(organisation=org, month=month.first_day).first()
    return invoice.gross if invoice else 0


@pytest.mark.parametrize(
    ("before", "changes", "april", "may"),
    [
        pytest.param("basic", [(local(4, 10), "pro")], 1_100, 5_500, id="Basic → Pro on 10 Apr"),
        pytest.param(
            "pro", [(local(4, 30, 23, 59), "basic")], 5_500, 1_100, id="Pro → Basic on 30 Apr 23:59"
        ),
        pytest.param(
            "pro", [(local(5, 1), "basic")], 5_500, 5_500, id="Pro → Basic on 1 May 00:00"
        ),
        pytest.param(
            "basic",
            [(local(4, 3), "pro"), (local(4, 20), "basic")],
            1_100,
            1_100,
            id="Basic → Pro 3 Apr → Basic 20 Apr",
        ),
        pytest.param(
            "basic",
            [
                (local(4, day, 9), plan)
                for day, plan in enumerate(["pro", "basic"] * 2 + ["pro"], 2)
            ],
            1_100,
            5_500,
            id="five changes in a month",
        ),
    ],
)
def test_the_examples_are_billed_as_they_were_shown(
    before: str, changes: list[Change], april: int, may: int
) -> None:
    """Rule: domain.md 3.4, F46."""
    org = customers.kobo(before, "")
    shown: dict[str, int] = {}
    for now, plan in changes:
        saved = order(org, plan, now)
        shown |= {each["month"]: each["after"]["gross"] for each in saved.review.shown["months"]}

    for month in (BillingMonth(2026, number) for number in range(1, 6)):
        bill(org, month, month.ends_at(customers.TOKYO) + timedelta(hours=12))

    assert (billed(org, APRIL), billed(org, MAY)) == (april, may)
    assert shown["2026-05"] == may


def test_a_first_plan_carries_no_fee_in_its_first_month() -> None:
    """Rule: domain.md 3.4: none → Basic on 10 April, as support here: Silver at 3,300."""
    org = customers.kobo("", "")
    act = ChangePlan(Category.SUPPORT, "silver")
    shown = services.review(
        organisation_id=org.pk, user_id=customers.root_of(org).pk, act=act, now=local(4, 10)
    )
    services.save(
        organisation_id=org.pk, review_id=shown.public_id, actor="user:7", now=local(4, 10)
    )

    for month in (BillingMonth(2026, number) for number in range(1, 6)):
        bill(org, month, month.ends_at(customers.TOKYO) + timedelta(hours=12))

    assert (billed(org, APRIL), billed(org, MAY)) == (0, 3_300)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(3))
def test_a_save_while_the_month_end_runs_changes_nothing_of_the_month_that_is_billed(
    attempt: int,
) -> None:
    org = customers.kobo("pro", "")
    for number in range(1, 4):
        month = BillingMonth(2026, number)
        bill(org, month, month.ends_at(customers.TOKYO) + timedelta(hours=12))
    now = local(5, 1, 6) + timedelta(seconds=attempt)

    results = _at_once(
        lambda: bill(org, APRIL, now),
        lambda: order(org, "basic", now),
        lambda: bill(org, APRIL, now),
    )

    assert [each for each in results if isinstance(each, Exception)] == []
    assert billed(org, APRIL) == 5_500
    assert Invoice.objects.filter(organisation=org, month=APRIL.first_day).count() == 1
    bill(org, MAY, local(6, 1, 12))
    names = InvoiceLine.objects.filter(invoice__month=MAY.first_day, kind="fee")
    assert list(names.values_list("name_en", flat=True)) == ["Pro 100"]


@pytest.mark.django_db(transaction=True)
def test_two_different_plans_saved_at_once_leave_one_of_them() -> None:
    org = customers.kobo("pro", "")
    make.plan_version("plus", prices={"JPY": 7_000})
    now, user = local(4, 10, 12), customers.root_of(org).pk
    shown = [
        services.review(
            organisation_id=org.pk,
            user_id=user,
            act=ChangePlan(Category.LICENCE, plan),
            now=now,
        )
        for plan in ("basic", "plus")
    ]

    results = _at_once(
        *(
            lambda each=each: services.save(
                organisation_id=org.pk, review_id=each.public_id, actor="user:7", now=now
            )
            for each in shown
        )
    )

    assert sorted(type(each).__name__ for each in results) == ["Differs", "Saved"]
    saved = next(each for each in results if isinstance(each, Saved))
    rows = org.selections.filter(until_at=None).values_list("plan_version__plan__code", flat=True)
    assert list(rows) == [saved.review.act["plan"]]


def _at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run calls in threads that begin together; return what each returns or raises."""
    barrier = threading.Barrier(len(calls))
    results: list[Any] = []

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

"""Orders about one contract that are saved at the same instant. Rule: F54, domain.md 3.6."""

import threading
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.db import connection

from accounts.models import Organisation
from ordering import services
from ordering.models import Review
from ordering.rules.acts import (
    Act,
    AddLicences,
    ChangePlan,
    Renew,
    SetRenewal,
    Start,
    WithdrawRenewal,
)
from ordering.services import Differs, Saved
from plans.enums import Category
from plans.models import MainContract, Selection
from plans.rules.timeline import ContractUnderWay
from plans.services import renewals
from tests import make
from tests.ordering import customers
from tests.ordering.customers import local

pytestmark = pytest.mark.django_db(transaction=True)

NOW = local(1, 31, 12)
START = Start("pro", 2, date(2026, 1, 31), 1, renews=False)


def review(org: Organisation, act: Act) -> Review:
    return services.review(
        organisation_id=org.pk, user_id=customers.root_of(org).pk, act=act, now=NOW
    )


def saving(org: Organisation, act: Act) -> Callable[[], Saved | Differs]:
    """Have an order shown; return what saves it."""
    shown = review(org, act)
    return lambda: services.save(
        organisation_id=org.pk, review_id=shown.public_id, actor="user:7", now=NOW
    )


def at_once(*calls: Callable[[], Any]) -> list[Any]:
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


def kinds(results: list[Any]) -> list[str]:
    return sorted(type(each).__name__ for each in results)


def renewed() -> Organisation:
    """A customer in a month's contract from 31 January, whose next month is ordered."""
    org = customers.kobo("free")
    saving(org, START)()
    saving(org, Renew("pro", 2, 1))()
    return org


def test_two_contracts_started_at_once_are_one() -> None:
    org = customers.kobo("free")

    results = at_once(saving(org, START), saving(org, START))

    assert kinds(results) == [ContractUnderWay.__name__, Saved.__name__]
    assert MainContract.objects.count() == 1


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(AddLicences(1), id="licences are added to it"),
        pytest.param(ChangePlan(Category.LICENCE, "basic"), id="its plan is changed"),
        pytest.param(SetRenewal(renews=True), id="it is to renew"),
    ],
)
def test_a_renewal_is_withdrawn_or_depended_on_and_never_both(other: Act) -> None:
    org = renewed()

    results = at_once(saving(org, WithdrawRenewal()), saving(org, other))

    assert kinds(results) == [Differs.__name__, Saved.__name__]
    saved = next(each.review.act["act"] for each in results if isinstance(each, Saved))
    terms = MainContract.objects.filter(withdrawn_at=None).count()
    assert terms == (1 if saved == "withdraw_renewal" else 2)
    ends = Selection.objects.filter(organisation=org, category="licence", until_at=None).get()
    assert ends.plan_version.plan.code == "free"


def test_a_term_is_ordered_once_by_its_root_or_by_itself() -> None:
    """At 3:00 on 22 February the next month is due by itself, and the root renews by hand."""
    org = customers.kobo("free")
    contract = make.main_contract(
        org, customers.version("pro"), date(2026, 1, 31), months=1, renews=True, now=NOW
    )
    due = local(2, 22, 3)
    shown = services.review(
        organisation_id=org.pk,
        user_id=customers.root_of(org).pk,
        act=Renew("pro", 1, 1),
        now=due,
    )

    at_once(
        lambda: renewals.renew(contract_id=contract.pk, now=due),
        lambda: services.save(
            organisation_id=org.pk, review_id=shown.public_id, actor="user:7", now=due
        ),
    )

    found = MainContract.objects.filter(withdrawn_at=None).order_by("first_on")
    assert list(found.values_list("first_on", "end_on")) == [
        (date(2026, 1, 31), date(2026, 3, 1)),
        (date(2026, 3, 1), date(2026, 3, 31)),
    ]

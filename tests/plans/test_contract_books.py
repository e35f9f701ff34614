"""That the audit sees what the rules and constraints would not let happen. Rule: I16."""

from datetime import date

import pytest
from django.db import connection

from accounts.models import Organisation
from core import books
from plans.queries import audit
from tests import make
from tests.plans.spans import local

pytestmark = pytest.mark.django_db

SELECTIONS, CONTRACTS = "plans_selection", "plans_maincontract"
NOT_PAID = "a main contract's term is not paid for throughout"
GAP = "from a main contract on, there is a time without any licence plan"
BEYOND = "a plan is paid for beyond its main contract"
DAYS = "the days of a main contract are not those of its months"
CHAIN = "a renewal has no term before it"


@pytest.fixture
def org() -> Organisation:
    """One month from 31 January, ordered on the 10th."""
    make.vendor()
    organisation = make.organisation()
    make.selection(organisation, make.free_plan(), local(1, 5, 12))
    make.main_contract(
        organisation, make.plan_version(), date(2026, 1, 31), months=1, now=local(1, 10)
    )
    return organisation


def found() -> set[str]:
    return {breach.what for breach in books.breaches(among=list(audit.CHECKS))}


def do(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(statement)


def test_what_the_portal_stores_is_sound(org: Organisation) -> None:
    assert found() == set()
    assert set(audit.CHECKS) <= set(books.checks())


def test_selections_without_a_main_contract_are_sound() -> None:
    """What was selected before there were contracts, cancelled or not."""
    make.vendor()
    organisation = make.organisation()
    version = make.plan_version()
    make.selection(organisation, version, local(1, 5), local(2, 1))
    make.selection(organisation, version, local(3, 5))

    assert found() == set()


@pytest.mark.parametrize(
    ("what", "statement"),
    [
        pytest.param(
            {NOT_PAID, GAP},
            f"UPDATE {SELECTIONS} SET until_at = until_at - interval '1 second'"
            " WHERE from_at = '2026-01-30T15:00Z'",
            id="paid for a second too short",
        ),
        pytest.param(
            {NOT_PAID},
            f"UPDATE {SELECTIONS} SET plan_version_id ="
            " (SELECT id FROM plans_planversion ORDER BY id LIMIT 1)"
            " WHERE from_at = '2026-01-30T15:00Z'",
            id="the free plan inside",
        ),
        pytest.param(
            {GAP}, f"DELETE FROM {SELECTIONS} WHERE until_at IS NULL", id="nothing after it"
        ),
        pytest.param(
            {GAP},
            f"UPDATE {SELECTIONS} SET from_at = from_at + interval '1 second'"
            " WHERE until_at IS NULL",
            id="nothing in the second after it",
        ),
        pytest.param({NOT_PAID, GAP}, f"DELETE FROM {SELECTIONS}", id="no plan whatsoever"),
        pytest.param(
            {BEYOND},
            f"UPDATE {SELECTIONS} SET plan_version_id ="
            " (SELECT id FROM plans_planversion ORDER BY id DESC LIMIT 1)"
            " WHERE until_at IS NULL",
            id="paid after it",
        ),
        pytest.param(
            {BEYOND, DAYS},
            f"UPDATE {CONTRACTS} SET end_on = '2026-02-28'",
            id="the day that relativedelta would give",
        ),
        pytest.param(
            {DAYS, NOT_PAID},
            f"UPDATE {CONTRACTS} SET anchor_on = '2026-01-04', first_on = '2026-01-04'",
            id="another beginning",
        ),
        pytest.param(
            {CHAIN, DAYS},
            f"UPDATE {CONTRACTS} SET months_before = 1, anchor_on = '2025-12-30'",
            id="a renewal of nothing",
        ),
    ],
)
def test_the_audit_sees(org: Organisation, what: set[str], statement: str) -> None:
    do(statement)

    assert found() == what


def test_who_is_no_customer_any_more_needs_no_plan(org: Organisation) -> None:
    Organisation.objects.filter(pk=org.pk).update(closed_on=date(2026, 2, 15))
    do(f"DELETE FROM {SELECTIONS} WHERE until_at IS NULL")
    do(
        f"UPDATE {SELECTIONS} SET until_at = '2026-02-14T15:00Z'"
        " WHERE from_at = '2026-01-30T15:00Z'"
    )

    assert found() == set()

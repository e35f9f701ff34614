"""Each check of the books finds what it is for. Rule: I22, T1."""

from datetime import timedelta

import pytest
from django.db import connection

from cancellation import services
from cancellation.queries import audit
from core import books
from gateway_sandbox import Sandbox
from tests import make
from tests.cancellation.leaving import cancelled, local
from tests.payments import collected, spotted
from tests.payments.farside import tick

pytestmark = [pytest.mark.django_db, pytest.mark.unsound_books]

AFTER = local(12, 3, 12)
SETTLED = [make.NOW, *(local(12, 1, hour) for hour in (0, 7, 9, 12))]
C, ORGANISATIONS = "cancellation_cancellation", "accounts_organisation"


def broken() -> set[str]:
    return {each.what for each in books.breaches(among=audit.CHECKS, now=AFTER)}


def sql(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in ("SET CONSTRAINTS ALL IMMEDIATE", *statements):
            cursor.execute(statement)


def unguarded(table: str, statement: str) -> None:
    sql(
        f"ALTER TABLE {table} DISABLE TRIGGER USER",
        statement,
        f"ALTER TABLE {table} ENABLE TRIGGER USER",
    )


def settled(sandbox: Sandbox) -> collected.Customer:
    """A customer who left with the end of November, and whose money is settled."""
    who = collected.customer(sandbox)
    make.cancellation_terms()
    cancelled(who.organisation, make.NOW)
    for moment in SETTLED:
        tick(moment, sandbox)
    return who


def test_the_checks_are_asked_with_those_of_every_room() -> None:
    assert set(audit.CHECKS) <= set(books.checks())


def test_a_cancellation_that_was_carried_out_is_sound(sandbox: Sandbox) -> None:
    settled(sandbox)

    assert broken() == set()


@pytest.mark.parametrize(
    ("table", "statement", "what"),
    [
        pytest.param(
            ORGANISATIONS,
            f"UPDATE {ORGANISATIONS} SET closed_on = closed_on + 1",
            audit.STANDS,
            id="another day",
        ),
        pytest.param(
            ORGANISATIONS, f"UPDATE {ORGANISATIONS} SET closed_on = NULL", audit.STANDS, id="no day"
        ),
        pytest.param(
            "plans_selection",
            "UPDATE plans_selection SET until_at = NULL",
            audit.SELECTED,
            id="a plan goes on",
        ),
        pytest.param(
            "payments_charge",
            "UPDATE payments_charge SET decided_at = '2026-12-02'",
            audit.SETTLED,
            id="settled before a payment was decided",
        ),
        pytest.param(
            "billing_billedmonth",
            "DELETE FROM billing_billedmonth WHERE month = '2026-11-01'",
            audit.SETTLED,
            id="settled without the last bill",
        ),
        pytest.param(
            "payments_charge",
            "UPDATE payments_charge SET created_at = '2026-12-02', decided_at = '2026-12-02'",
            audit.CHARGED,
            id="charged afterwards",
        ),
        pytest.param(
            "billing_invoiceline",
            "UPDATE billing_invoiceline SET month = '2026-12-01'",
            audit.SERVICE,
            id="a fee for December",
        ),
        pytest.param(
            "cancellation_review",
            "UPDATE cancellation_review SET shown = jsonb_set(shown, '{last_day}', '\"2026-12-02\"')",
            audit.SHOWN,
            id="another day was shown",
        ),
        pytest.param(
            C,
            f"UPDATE {C} SET closed_at = NULL, settled_at = NULL",
            audit.LATE,
            id="never closed",
        ),
        pytest.param(
            C,
            f"UPDATE {C} SET reopened_at = now(), reopened_by = 'user:1'",
            audit.LEFT_OVER,
            id="came back, and yet closed",
        ),
    ],
)
def test_each_check_finds_what_it_is_for(
    sandbox: Sandbox, table: str, statement: str, what: books.Check
) -> None:
    settled(sandbox)

    unguarded(table, statement)

    assert what.what in broken()


def test_a_spot_or_main_contract_that_goes_on_is_found(sandbox: Sandbox) -> None:
    make.cancellation_terms()
    who = spotted.buyer()
    spotted.register(who, sandbox)
    spotted.pay(spotted.place(who, months=2))
    cancelled(who.organisation, make.NOW)
    tick(local(12, 1), sandbox)
    assert broken() == set()

    unguarded("spot_orders_spotorder", "UPDATE spot_orders_spotorder SET cut_on = NULL")
    assert audit.SELECTED.what in broken()
    unguarded("spot_orders_spotorder", "UPDATE spot_orders_spotorder SET cut_on = '2026-12-01'")
    assert broken() == set()
    sql("UPDATE plans_maincontract SET cut_on = NULL WHERE cut_on IS NOT NULL")
    assert audit.SELECTED.what in broken()


def test_a_fee_for_the_time_away_is_found(sandbox: Sandbox) -> None:
    who = settled(sandbox)
    make.free_plan()
    services.reopen(
        organisation_id=who.organisation.pk, actor="user:1", now=local(12, 1) + timedelta(hours=13)
    )
    assert broken() == set()

    unguarded("billing_invoiceline", "UPDATE billing_invoiceline SET month = '2026-12-01'")

    assert broken() == {audit.SERVICE.what}

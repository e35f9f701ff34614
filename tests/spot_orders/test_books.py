"""Each check of the books finds what it is for; each guard taken away lets it happen. Rule: T1, T3."""

from datetime import date, timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import Membership, Organisation
from core import books
from plans.models import MainContract, PlanVersion
from spot_orders import services
from spot_orders.enums import SpotState
from spot_orders.models import SpotOrder
from spot_orders.queries import audit
from spot_orders.services import orders
from tests import make
from tests.billing import spots

pytestmark = [pytest.mark.django_db, pytest.mark.unsound_books]

LATER = spots.NOW + timedelta(hours=1)


@pytest.fixture
def root() -> Membership:
    return spots.customer()


def sql(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in ("SET CONSTRAINTS ALL IMMEDIATE", *statements):
            cursor.execute(statement)


def unguarded(order: SpotOrder, assignments: str) -> None:
    """Change an order past every trigger of its table."""
    sql(
        "ALTER TABLE spot_orders_spotorder DISABLE TRIGGER USER",
        f"UPDATE spot_orders_spotorder SET {assignments} WHERE id = {order.pk}",
        "ALTER TABLE spot_orders_spotorder ENABLE TRIGGER USER",
    )


def without(*constraints: str) -> None:
    sql(*(f"ALTER TABLE spot_orders_spotorder DROP CONSTRAINT {each}" for each in constraints))


def broken() -> set[str]:
    """Return what the checks of this room say, each once."""
    return {each.what for each in books.breaches(among=audit.CHECKS, now=LATER)}


def test_the_checks_are_asked_with_those_of_every_room() -> None:
    assert set(audit.CHECKS) <= set(books.checks())


@pytest.mark.parametrize("months", [1, 2, 5])
@pytest.mark.parametrize("first_on", [date(2026, 12, 10), date(2026, 12, 31), date(2027, 1, 30)])
def test_sound_orders_are_found_sound(root: Membership, first_on: date, months: int) -> None:
    spots.paid(root, first_on=first_on, months=months)
    lapsed = spots.placed(root, first_on=first_on, accounts=300)
    services.lapse(order_id=lapsed.pk, actor=make.ACTOR, now=LATER)
    given_up = spots.placed(root)
    services.cancel(order_id=given_up.pk, why="asked", actor=make.ACTOR, now=LATER)
    services.mark_refunded(order_id=given_up.pk, why="late", actor=make.ACTOR, now=LATER)
    spots.placed(root, months=months)

    assert broken() == set()


def test_a_cut_contract_is_sound(root: Membership) -> None:
    order = spots.paid(root, months=3)
    services.cut(
        order_id=order.pk, on=date(2026, 12, 1), reason="left", actor=make.ACTOR, now=LATER
    )

    assert broken() == set()


@pytest.mark.parametrize(
    "assignments",
    [
        "end_on = end_on + 1",
        "end_on = end_on - 1",
        "months = 2",
        "first_on = first_on - 1",
        """priced = jsonb_set(priced, '{0,0}', '"2026-12-11"')""",
        "priced = '[]', net = 0, gross = tax",
        "priced = priced || priced, net = 2 * net, gross = 2 * net + tax",
    ],
)
def test_i12_days_that_are_not_whole_months_are_found(root: Membership, assignments: str) -> None:
    unguarded(spots.paid(root), assignments)

    assert audit.DAYS.what in broken()


def test_i12_a_later_month_that_is_counted_from_the_last_one_is_found(root: Membership) -> None:
    order = spots.paid(root, first_on=date(2027, 1, 31), months=2)
    assert [month[0] for month in order.priced] == ["2027-01-31", "2027-03-01"]

    unguarded(order, """priced = jsonb_set(priced, '{1,0}', '"2027-02-28"')""")

    assert broken() == {audit.DAYS.what}


@pytest.mark.parametrize(
    "assignments",
    [
        "net = net - 1, gross = gross - 1",
        "accounts = 200",
        "currency = 'USD', priced = jsonb_set(priced, '{0,3}', '4999')",
        "priced = jsonb_set(priced, '{0,3}', '4000'), net = 4000, gross = 4500",
        "priced = jsonb_set(priced, '{0,2}', '2'), net = 10000, gross = 10500",
        "priced = jsonb_set(priced, '{0,1}', '0')",
    ],
)
def test_i12_another_price_than_the_plans_is_found(root: Membership, assignments: str) -> None:
    unguarded(spots.paid(root), assignments)

    assert broken() == {audit.PRICE.what}


def test_i12_a_price_of_the_free_plan_is_found(root: Membership) -> None:
    free = PlanVersion.objects.get(plan__code="free")

    unguarded(
        spots.paid(root),
        f"priced = jsonb_set(jsonb_set(priced, '{{0,1}}', '{free.pk}'), '{{0,3}}', '0'),"
        " accounts = 10, net = 0, gross = tax",
    )

    assert broken() == {audit.PRICE.what}


def test_i12_a_gross_that_does_not_add_up_is_found(root: Membership) -> None:
    order = spots.paid(root)
    without("spot_amounts")

    unguarded(order, "gross = gross + 1")

    assert broken() == {audit.PRICE.what}


@pytest.mark.parametrize("days", [-40, 340])
def test_i12_a_contract_outside_the_main_contract_is_found(root: Membership, days: int) -> None:
    order = spots.paid(root)

    unguarded(order, f"first_on = first_on + {days}, end_on = end_on + {days}")

    assert audit.COVERED.what in broken()


def test_i12_a_contract_that_outlives_a_withdrawn_renewal_is_found_until_it_is_cut() -> None:
    root = spots.customer(months=1)
    spots.renewed_at(root.organisation, PlanVersion.objects.get(plan__code="starter"))
    order = spots.paid(root, first_on=date(2026, 11, 25))
    assert broken() == set()

    MainContract.objects.filter(months_before=1).update(withdrawn_at=LATER, withdrawn_by=make.ACTOR)

    assert broken() == {audit.COVERED.what}
    services.cut(
        order_id=order.pk, on=date(2026, 12, 1), reason="withdrawn", actor=make.ACTOR, now=LATER
    )
    assert broken() == set()


def test_i12_who_leaves_loses_what_lies_beyond_and_no_check_minds(root: Membership) -> None:
    spots.paid(root)
    Organisation.objects.filter(pk=root.organisation_id).update(closed_on=date(2026, 12, 1))
    MainContract.objects.update(end_on=date(2026, 12, 1), months=1)

    assert broken() == set()


def test_i12_an_order_that_is_not_paid_need_not_be_covered_any_more(root: Membership) -> None:
    spots.placed(root, first_on=date(2027, 9, 1))
    MainContract.objects.update(end_on=date(2026, 12, 1), months=1)

    assert broken() == set()


@pytest.mark.parametrize(
    ("assignments", "constraints"),
    [
        ("paid_at = NULL", ("spot_paid_at_iff_paid",)),
        ("closed_at = now()", ("spot_paid_at_iff_paid",)),
        ("cut_on = end_on", ("spot_cut_within",)),
        ("lapses_at = placed_at", ()),
        ("paid_at = placed_at - interval '1 second'", ()),
        ("replaced_by_id = id", ()),
    ],
)
def test_i13_what_contradicts_the_state_is_found(
    root: Membership, assignments: str, constraints: tuple[str, ...]
) -> None:
    order = spots.paid(root)
    without(*constraints)

    unguarded(order, assignments)

    assert broken() == {audit.STATE.what}


@pytest.mark.parametrize("assignments", ["cut_on = first_on", "ended_at = now()"])
def test_i13_an_order_that_is_no_contract_holds_until_no_day(
    root: Membership, assignments: str
) -> None:
    order = spots.placed(root)
    without("spot_cut_within")

    unguarded(order, assignments)

    assert broken() == {audit.STATE.what}


def test_i10_an_order_without_a_trail_is_found(root: Membership) -> None:
    order = spots.placed(root)
    services.lapse(order_id=order.pk, actor=make.ACTOR, now=LATER)
    again = SpotOrder.objects.get(pk=order.pk)
    again.pk, again.number = None, "SP-261122-AGAIN2"
    again.public_id, again.operation = order.operation, order.public_id
    again.save(force_insert=True)

    assert broken() == {audit.HISTORY.what}


def test_t3_without_its_moves_a_lapsed_order_becomes_a_contract(root: Membership) -> None:
    order = spots.placed(root)
    services.lapse(order_id=order.pk, actor=make.ACTOR, now=LATER)

    def revive() -> None:
        SpotOrder.objects.filter(pk=order.pk).update(state="paid", paid_at=LATER, closed_at=None)

    with pytest.raises(IntegrityError, match="does not become"), transaction.atomic():
        revive()
    assert broken() == set()

    sql("DROP TRIGGER spot_orders_spotorder_moves ON spot_orders_spotorder")
    revive()

    assert broken() == {audit.HISTORY.what}


def test_t3_without_the_table_of_moves_a_service_revives_a_lapsed_order(
    root: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = spots.placed(root)
    services.lapse(order_id=order.pk, actor=make.ACTOR, now=LATER)
    sql(
        "DROP TRIGGER spot_orders_spotorder_moves ON spot_orders_spotorder",
        "ALTER TABLE spot_orders_spotorder DROP CONSTRAINT spot_paid_at_iff_paid",
    )
    with pytest.raises(services.MovedBefore):
        services.mark_paid(order_id=order.pk, actor=make.ACTOR, now=LATER)
    assert broken() == set()

    everything = {state: frozenset(SpotState) for state in SpotState}
    monkeypatch.setattr(orders, "SPOT_MOVES", everything)
    services.mark_paid(order_id=order.pk, actor=make.ACTOR, now=LATER)

    assert broken() == {audit.HISTORY.what, audit.STATE.what}


def test_t3_without_its_frozen_columns_an_order_gets_longer_for_nothing(root: Membership) -> None:
    order = spots.paid(root)

    def lengthen() -> None:
        SpotOrder.objects.filter(pk=order.pk).update(end_on=date(2027, 2, 10), months=2)

    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        lengthen()
    assert broken() == set()

    sql("DROP TRIGGER spot_orders_spotorder_frozen ON spot_orders_spotorder")
    lengthen()

    assert broken() == {audit.DAYS.what}


def test_t3_without_its_index_two_orders_wait_for_their_payment(root: Membership) -> None:
    first = spots.placed(root)
    assert broken() == set()

    sql("DROP INDEX spot_one_unpaid")
    again = SpotOrder.objects.get(pk=first.pk)
    again.pk, again.number = None, "SP-261122-AGAIN2"
    again.public_id, again.operation = first.operation, first.public_id
    again.save(force_insert=True)

    assert audit.ONE_WAITS.what in broken()

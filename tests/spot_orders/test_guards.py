"""What the database refuses, whoever asks. Rule: I10, I12, I13, R13."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import Membership
from spot_orders import services
from spot_orders.models import SpotOrder
from tests import make
from tests.billing import spots

pytestmark = [pytest.mark.django_db, pytest.mark.unsound_books]

LATER = spots.NOW + timedelta(hours=1)


@pytest.fixture
def root() -> Membership:
    return spots.customer()


def sql(statement: str, *parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def refusal(order: SpotOrder, assignments: str, *parameters: Any) -> str:
    """Return what the database refuses a change with, if it does; nothing has changed then."""
    try:
        with transaction.atomic():
            sql(
                f"UPDATE spot_orders_spotorder SET {assignments} WHERE id = {order.pk}",
                *parameters,
            )
    except IntegrityError as refused:
        return str(refused)
    return ""


def is_refused(order: SpotOrder, assignments: str, *parameters: Any) -> bool:
    return bool(refusal(order, assignments, *parameters))


@pytest.mark.parametrize(
    "assignment",
    [
        "organisation_id = organisation_id + 1",
        "public_id = gen_random_uuid()",
        "number = 'SP-1'",
        "accounts = 200",
        "first_on = first_on - 1",
        "months = 2",
        "end_on = end_on + 1",
        "currency = 'USD'",
        "priced = '[]'",
        "net = net - 1, gross = gross - 1",
        "tax = tax - 1, gross = gross - 1",
        "tax_code = 'NONE'",
        "tax_rounding = 'up'",
        "terms_id = 1",
        "operation = gen_random_uuid()",
        "digest = '\\x00'",
        "placed_at = placed_at - interval '1 day'",
        "placed_by_id = placed_by_id + 1",
        "lapses_at = lapses_at + interval '1 day'",
    ],
)
def test_what_was_ordered_never_changes(root: Membership, assignment: str) -> None:
    assert "what was ordered never changes" in refusal(spots.placed(root), assignment)


@pytest.mark.parametrize(
    ("state", "changes"),
    [
        ("paid", "state = 'placed', paid_at = NULL"),
        ("paid", "state = 'lapsed', paid_at = NULL, closed_at = now()"),
        ("paid", "state = 'cancelled', paid_at = NULL, closed_at = now()"),
        ("paid", "state = 'refunded', paid_at = NULL, closed_at = now()"),
        ("lapsed", "state = 'paid', paid_at = now(), closed_at = NULL"),
        ("lapsed", "state = 'placed', closed_at = NULL"),
        ("lapsed", "state = 'cancelled'"),
        ("cancelled", "state = 'paid', paid_at = now(), closed_at = NULL"),
        ("cancelled", "state = 'lapsed'"),
        ("refunded", "state = 'paid', paid_at = now(), closed_at = NULL"),
        ("refunded", "state = 'cancelled'"),
        ("placed", "state = 'gone'"),
        ("placed", "state = 'paid'"),
        ("placed", "state = 'lapsed'"),
        ("placed", "paid_at = now()"),
        ("placed", "closed_at = now()"),
        ("placed", "closed_why = 'no reason'"),
        ("paid", "paid_at = paid_at + interval '1 second'"),
        ("lapsed", "closed_at = closed_at + interval '1 second'"),
        ("cancelled", "closed_why = 'another'"),
    ],
)
def test_a_state_that_is_not_reached_by_an_allowed_move_is_refused(
    root: Membership, state: str, changes: str
) -> None:
    order = spots.placed(root)
    match state:
        case "paid":
            services.mark_paid(order_id=order.pk, actor=make.ACTOR, now=LATER)
        case "lapsed":
            services.lapse(order_id=order.pk, actor=make.ACTOR, now=LATER)
        case "cancelled":
            services.cancel(order_id=order.pk, why="asked", actor=make.ACTOR, now=LATER)
        case "refunded":
            services.mark_refunded(order_id=order.pk, why="over", actor=make.ACTOR, now=LATER)

    assert is_refused(order, changes)


@pytest.mark.parametrize("statement", ["DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_an_order_stays(root: Membership, statement: str) -> None:
    spots.placed(root)
    sql("SET CONSTRAINTS ALL IMMEDIATE")

    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        sql(statement.format("spot_orders_spotorder"))

    assert SpotOrder.objects.count() == 1


def test_one_order_waits_for_its_payment(root: Membership) -> None:
    first = spots.placed(root)
    again = SpotOrder.objects.get(pk=first.pk)
    again.pk, again.number = None, "SP-261122-AGAIN2"
    again.public_id, again.operation = first.operation, first.public_id

    with pytest.raises(IntegrityError, match="spot_one_unpaid"), transaction.atomic():
        again.save(force_insert=True)


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"accounts": 0}, "spot_amounts"),
        ({"months": 0}, "spot_amounts"),
        ({"gross": 5_501}, "spot_amounts"),
        ({"net": -1, "gross": 499}, "spot_amounts"),
        ({"end_on": date(2026, 12, 10)}, "spot_ends_after_it_begins"),
        ({"cut_on": date(2026, 12, 20)}, "spot_cut_within"),
        ({"paid_at": LATER}, "spot_paid_at_iff_paid"),
    ],
)
def test_an_order_that_contradicts_itself_is_never_stored(
    root: Membership, changes: dict[str, object], constraint: str
) -> None:
    order = spots.placed(root)
    services.lapse(order_id=order.pk, actor=make.ACTOR, now=LATER)
    again = SpotOrder.objects.get(pk=order.pk)
    again.pk, again.number = None, "SP-261122-AGAIN2"
    again.public_id, again.operation = order.operation, order.public_id
    again.state, again.closed_at = "placed", None
    for name, value in changes.items():
        setattr(again, name, value)

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        again.save(force_insert=True)


@pytest.mark.parametrize("cut_on", ["2026-12-09", "2027-01-10"])
def test_a_cut_lies_within_the_contract(root: Membership, cut_on: str) -> None:
    assert is_refused(spots.paid(root), "cut_on = %s", cut_on)


def test_a_cut_is_not_taken_back_and_only_shortens(root: Membership) -> None:
    order = spots.paid(root)
    assert not is_refused(order, "cut_on = '2026-12-20'")

    assert is_refused(order, "cut_on = NULL")
    assert is_refused(order, "cut_on = '2026-12-21'")
    assert not is_refused(order, "cut_on = '2026-12-19'")
    assert not is_refused(order, "ended_at = %s", LATER)
    assert is_refused(order, "cut_on = '2026-12-18'")
    assert is_refused(order, "ended_at = NULL")


def test_an_order_is_not_replaced_by_one_of_another_organisation(root: Membership) -> None:
    order, other = spots.placed(root), spots.placed(spots.customer())

    assert is_refused(order, "replaced_by_id = %s", other.pk)

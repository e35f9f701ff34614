import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from accounts.models import Membership
from billing.enums import TaxCode
from core import webhooks
from core.models import AuditEntry, WebhookDelivery
from core.money import Rounding
from spot_orders import services
from spot_orders.enums import SPOT_MOVES, SpotState
from spot_orders.models import SpotOrder
from spot_orders.services import MovedBefore, NewOrder, OperationTaken, UnpaidOrder
from tests import make
from tests.billing import spots

pytestmark = pytest.mark.django_db

NOW = spots.NOW
LATER = NOW + timedelta(hours=1)
ACTOR = make.ACTOR


@pytest.fixture
def root() -> Membership:
    return spots.customer()


def new(root: Membership) -> NewOrder:
    return NewOrder(
        offer=spots.offer(root.organisation),
        tax=500,
        tax_code=TaxCode.JP10.value,
        tax_rounding=Rounding.DOWN.value,
        terms_id=None,
        operation=uuid4(),
        digest=bytes(32),
    )


def place(root: Membership, wanted: NewOrder, *, now: datetime = NOW) -> SpotOrder:
    return services.place(
        organisation_id=root.organisation_id, user_id=root.user_id, new=wanted, now=now
    )


def stored() -> list[tuple[Any, ...]]:
    return list(SpotOrder.objects.order_by("pk").values_list())


def trail() -> list[str]:
    return list(
        AuditEntry.objects.filter(action__startswith="spot_order.")
        .order_by("pk")
        .values_list("action", flat=True)
    )


def test_place_freezes_all_that_was_offered(root: Membership) -> None:
    order = place(root, new(root))

    order.refresh_from_db()
    assert (order.organisation_id, order.placed_by_id) == (root.organisation_id, root.user_id)
    assert (order.accounts, order.first_on, order.months) == (100, date(2026, 12, 10), 1)
    assert order.end_on == date(2027, 1, 10)
    version = order.priced[0][1]
    assert order.priced == [["2026-12-10", version, 1, 5_000]]
    assert (order.net, order.tax, order.gross, order.currency) == (5_000, 500, 5_500, "JPY")
    assert (order.state, order.placed_at) == (SpotState.PLACED, NOW)
    assert order.lapses_at == NOW + timedelta(hours=24)
    assert (order.paid_at, order.closed_at, order.cut_on, order.ended_at) == (None,) * 4
    assert trail() == ["spot_order.placed"]


def test_place_again_with_the_same_form_is_the_same_order(root: Membership) -> None:
    wanted = new(root)
    first = place(root, wanted)

    again = place(root, wanted, now=LATER)

    assert again == first
    assert SpotOrder.objects.count() == 1
    assert trail() == ["spot_order.placed"]


def test_the_same_form_is_the_same_order_whatever_became_of_it(root: Membership) -> None:
    wanted = new(root)
    first = place(root, wanted)
    services.lapse(order_id=first.pk, actor=ACTOR, now=LATER)

    assert place(root, wanted, now=LATER) == first
    assert SpotOrder.objects.count() == 1


def test_place_refuses_the_same_form_with_other_values(root: Membership) -> None:
    wanted = new(root)
    first = place(root, wanted)
    before = stored()

    with pytest.raises(OperationTaken) as refusal:
        place(root, replace(wanted, digest=b"\1" * 32))

    assert refusal.value.order == first
    assert stored() == before


def test_place_refuses_the_form_of_another_person(root: Membership) -> None:
    wanted = new(root)
    place(root, wanted)
    other = make.member(root.organisation)

    with pytest.raises(OperationTaken):
        place(other, wanted)

    assert SpotOrder.objects.count() == 1


def test_place_refuses_a_second_order_while_one_waits_for_its_payment(root: Membership) -> None:
    first = place(root, new(root))
    before = stored()

    with pytest.raises(UnpaidOrder) as refusal:
        place(root, new(root))

    assert refusal.value.order == first
    assert stored() == before


@pytest.mark.parametrize("move", ["mark_paid", "lapse", "cancel"])
def test_place_accepts_a_second_order_once_none_waits(root: Membership, move: str) -> None:
    first = place(root, new(root))
    MOVES[move](first, LATER)

    second = place(root, new(root), now=LATER)

    assert second.pk != first.pk
    assert second.state == SpotState.PLACED


def test_an_order_of_another_organisation_is_in_nobodys_way(root: Membership) -> None:
    place(root, new(root))
    other = spots.customer()

    assert place(other, new(other)).organisation == other.organisation


@pytest.mark.parametrize(
    ("now", "day"),
    [
        pytest.param(spots.at(2026, 11, 22, 0), "261122", id="a day before in UTC"),
        pytest.param(spots.at(2026, 11, 22, 23), "261122", id="the same day in UTC"),
    ],
)
def test_a_number_names_the_day_in_the_billing_time_zone(
    root: Membership, now: datetime, day: str
) -> None:
    order = place(root, new(root), now=now)

    assert order.number[:10] == f"SP-{day}-"
    assert len(order.number) == 16


def _mark_paid(order: SpotOrder, now: datetime) -> SpotOrder:
    return services.mark_paid(order_id=order.pk, actor=ACTOR, now=now)


def _lapse(order: SpotOrder, now: datetime) -> SpotOrder:
    return services.lapse(order_id=order.pk, actor=ACTOR, now=now)


def _cancel(order: SpotOrder, now: datetime) -> SpotOrder:
    return services.cancel(order_id=order.pk, why="asked", actor=ACTOR, now=now)


def _mark_refunded(order: SpotOrder, now: datetime) -> SpotOrder:
    return services.mark_refunded(order_id=order.pk, why="over", actor=ACTOR, now=now)


MOVES: dict[str, Callable[[SpotOrder, datetime], SpotOrder]] = {
    "mark_paid": _mark_paid,
    "lapse": _lapse,
    "cancel": _cancel,
    "mark_refunded": _mark_refunded,
}
REACHED = {
    "mark_paid": SpotState.PAID,
    "lapse": SpotState.LAPSED,
    "cancel": SpotState.CANCELLED,
    "mark_refunded": SpotState.REFUNDED,
}


@pytest.mark.parametrize(
    ("move", "paid_at", "closed_at", "why", "action"),
    [
        ("mark_paid", LATER, None, "", "spot_order.paid"),
        ("lapse", None, LATER, "", "spot_order.lapsed"),
        ("cancel", None, LATER, "asked", "spot_order.cancelled"),
        ("mark_refunded", None, LATER, "over", "spot_order.refunded"),
    ],
)
def test_a_placed_order_moves(
    root: Membership,
    move: str,
    paid_at: datetime | None,
    closed_at: datetime | None,
    why: str,
    action: str,
) -> None:
    order = place(root, new(root))

    MOVES[move](order, LATER)

    order.refresh_from_db()
    assert order.state == REACHED[move]
    assert (order.paid_at, order.closed_at, order.closed_why) == (paid_at, closed_at, why)
    assert trail() == ["spot_order.placed", action]


@pytest.mark.parametrize("first", MOVES)
@pytest.mark.parametrize("second", MOVES)
def test_a_settled_order_moves_only_as_the_table_allows(
    root: Membership, first: str, second: str
) -> None:
    order = place(root, new(root))
    MOVES[first](order, LATER)
    before = stored()
    latest = LATER + timedelta(hours=1)

    if REACHED[second] in SPOT_MOVES[REACHED[first]]:
        assert MOVES[second](order, latest).state == REACHED[second]
        return
    with pytest.raises(MovedBefore):
        MOVES[second](order, latest)

    assert stored() == before
    assert len(trail()) == 2


def test_what_was_given_up_and_paid_all_the_same_is_given_back(root: Membership) -> None:
    order = place(root, new(root))
    _cancel(order, LATER)

    refunded = _mark_refunded(order, LATER + timedelta(hours=1))

    assert refunded.state == SpotState.REFUNDED
    assert refunded.closed_at == LATER + timedelta(hours=1)


def test_an_order_that_was_given_up_names_its_successor_once(root: Membership) -> None:
    first = place(root, new(root))
    services.cancel(order_id=first.pk, why="replaced", actor=ACTOR, now=LATER)
    second = place(root, new(root), now=LATER)

    services.name_successor(order_id=first.pk, by_id=second.pk)
    services.name_successor(order_id=first.pk, by_id=first.pk)

    first.refresh_from_db()
    assert first.replaced_by == second


def test_an_order_that_lapsed_has_no_successor(root: Membership) -> None:
    first = place(root, new(root))
    _lapse(first, LATER)
    second = place(root, new(root), now=LATER)

    services.name_successor(order_id=first.pk, by_id=second.pk)

    first.refresh_from_db()
    assert first.replaced_by is None


def cut(order: SpotOrder, on: date) -> SpotOrder:
    return services.cut(order_id=order.pk, on=on, reason="withdrawn", actor=ACTOR, now=LATER)


@pytest.mark.parametrize(
    ("on", "until_on"),
    [
        pytest.param("2026-12-11", "2026-12-11", id="within"),
        pytest.param("2027-01-09", "2027-01-09", id="its last day"),
        pytest.param("2026-12-01", "2026-12-10", id="before it begins: it never holds"),
    ],
)
def test_a_contract_is_cut(root: Membership, on: str, until_on: str) -> None:
    order = spots.paid(root)

    cut(order, date.fromisoformat(on))

    order.refresh_from_db()
    assert order.until_on == date.fromisoformat(until_on)
    assert order.end_on == date(2027, 1, 10)
    assert trail()[-1] == "spot_order.cut"


def test_a_contract_is_cut_once_more_only_shorter(root: Membership) -> None:
    order = spots.paid(root)
    cut(order, date(2026, 12, 20))

    with pytest.raises(MovedBefore):
        cut(order, date(2026, 12, 20))
    assert cut(order, date(2026, 12, 19)).until_on == date(2026, 12, 19)


def test_what_ends_by_then_anyway_or_is_no_contract_is_not_cut(root: Membership) -> None:
    order = spots.placed(root)
    with pytest.raises(MovedBefore):
        cut(order, date(2026, 12, 20))

    _mark_paid(order, LATER)
    with pytest.raises(MovedBefore):
        cut(order, date(2027, 1, 10))

    SpotOrder.objects.filter(pk=order.pk).update(ended_at=LATER)
    with pytest.raises(MovedBefore):
        cut(order, date(2026, 12, 20))
    order.refresh_from_db()
    assert order.cut_on is None


def test_the_product_is_told_when_accounts_change_and_not_before(root: Membership) -> None:
    webhooks.create(label="product", url="http://127.0.0.1:9/", actor=ACTOR, now=NOW)
    order = place(root, new(root))
    assert WebhookDelivery.objects.count() == 0

    _mark_paid(order, LATER)
    cut(order, date(2026, 12, 20))

    assert [json.loads(each.body)["reason"] for each in WebhookDelivery.objects.all()] == [
        "accounts",
        "accounts",
    ]


def test_an_order_that_was_asked_away_names_no_successor(root: Membership) -> None:
    first = place(root, new(root))
    _cancel(first, LATER)
    second = place(root, new(root), now=LATER)

    services.name_successor(order_id=first.pk, by_id=second.pk)

    first.refresh_from_db()
    assert first.replaced_by is None

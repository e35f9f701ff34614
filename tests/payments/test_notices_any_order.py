"""Notices in any order, twice, or never: the books end the same. Rule: R8, T6, F12, F15."""

import itertools
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from core import clock, work
from gateway_sandbox import Sandbox
from gateway_sandbox.rows import Notice
from payments.enums import ChargeState, MethodState
from payments.gateways import registry
from payments.gateways.base import RefundIntent
from payments.models import Charge, Difference, Payable, PaymentMethod, Refund, StoredNotice
from payments.services import collecting, reconcile
from tests import make
from tests.payments import collected

NOW = make.NOW
NEXT_DAY = NOW + timedelta(days=1)
URL = "/notices/paypal/"


@pytest.fixture(autouse=True)
def _at_now() -> Iterator[None]:
    with clock.fixed_at(NOW):
        yield


def story(sandbox: Sandbox) -> list[Notice]:
    """Tell what happened at PayPal while we knew of a pending payment: the notices, none delivered.

    It was completed, staff gave 500 yen back at PayPal's own pages, the bank took the rest back,
    and the payer ended the agreement.
    """
    customer = collected.customer(sandbox)
    sandbox.paypal.pending()
    charge = collected.charge(customer.payable)
    if charge.state != ChargeState.PENDING:
        raise AssertionError(charge)
    [captured] = sandbox.ledger.captures
    sandbox.paypal.complete(captured)
    registry.gateway("paypal").refund(
        RefundIntent(key="by-hand", capture=captured.id, amount=500, currency="JPY", note="")
    )
    sandbox.paypal.reverse(captured, amount=5_000)
    sandbox.paypal.delete_agreement(customer.method.payer)
    return [
        *sandbox.notices_of("PAYMENT.CAPTURE.PENDING"),
        *sandbox.notices_of("PAYMENT.CAPTURE.COMPLETED"),
        *sandbox.notices_of("PAYMENT.CAPTURE.REFUNDED"),
        *sandbox.notices_of("PAYMENT.CAPTURE.REVERSED"),
        *sandbox.notices_of("VAULT.PAYMENT-TOKEN.DELETED"),
    ]


def told(signed: tuple[dict[str, str], bytes]) -> None:
    headers, body = signed
    response = Client().post(URL, data=body, content_type="application/json", headers=headers)
    assert response.status_code == 200
    work.run_due([work.GATEWAY_QUEUE])


def day_goes_by() -> None:
    """Let the look-ups of the day and the comparison of the night happen."""
    for after in (timedelta(minutes=6), timedelta(hours=2)):
        with clock.fixed_at(NOW + after):
            collecting.plan(NOW + after)
            work.run_due([work.GATEWAY_QUEUE])
    reconcile.reconcile(slug="paypal", since=NOW - timedelta(days=1), until=NEXT_DAY, now=NEXT_DAY)


def books() -> dict[str, Any]:
    """Return what money went where, and what staff have to look at."""
    return {
        "charges": list(Charge.objects.values_list("state", "amount", "capture")),
        "refunds": sorted(Refund.objects.values_list("state", "amount", "reference", "kind")),
        "payables": list(
            Payable.objects.values_list("state", "captured", "refunded", "credited", "hold")
        ),
        "differences": sorted(
            Difference.objects.filter(resolved_at=None).values_list("kind", "reference")
        ),
    }


def after(sequence: Sequence[tuple[dict[str, str], bytes]]) -> dict[str, Any]:
    """Return the books after these notices and the next night, and forget them again."""
    with transaction.atomic():
        for signed in sequence:
            told(signed)
        day_goes_by()
        ended = books()
        transaction.set_rollback(True)
    return ended


def sequences(events: int, *, losable: int) -> Iterator[tuple[int, ...]]:
    """Yield all orders of events with one of them twice, none or one of the first few lost."""
    for lost in (None, *range(losable)):
        left = [event for event in range(events) if event != lost]
        for twice in left:
            yield from sorted(set(itertools.permutations([*left, twice])))


def expected(sandbox: Sandbox) -> dict[str, Any]:
    [captured] = sandbox.ledger.captures
    [refund], [reversal] = sandbox.ledger.refunds, sandbox.ledger.reversals
    return {
        "charges": [("succeeded", 5_500, captured.id)],
        "refunds": sorted(
            [
                ("succeeded", 500, refund.id, "reversal"),
                ("succeeded", 5_000, reversal.id, "reversal"),
            ]
        ),
        "payables": [("open", 5_500, 5_500, 0, "reversed")],
        "differences": sorted([("state", refund.id), ("state", reversal.id)]),
    }


@pytest.mark.django_db
def test_all_orders_of_three_with_one_twice_and_one_lost_end_the_same(sandbox: Sandbox) -> None:
    notices = story(sandbox)
    money = [sandbox.signed(each) for each in notices[1:4]]
    orders = list(sequences(3, losable=3))

    ended = [after([money[index] for index in order]) for order in orders]

    assert len(orders) == 3 * 12 + 3 * 2 * 3 == 54
    assert [each for each in ended if each != expected(sandbox)] == []


@pytest.mark.django_db
def test_all_orders_of_five_end_the_same_each_with_one_twice_and_one_lost(
    sandbox: Sandbox,
) -> None:
    signed = [sandbox.signed(each) for each in story(sandbox)]
    orders = list(itertools.permutations(range(5)))

    ended = []
    for number, order in enumerate(orders):
        # Which is lost and which comes twice, at once or at the end, goes round with the orders.
        lost, again = number % 5, order[number // 5 % 5]
        sequence = [signed[index] for index in order if index != lost]
        if again != lost:
            sequence.insert(number % (len(sequence) + 1), signed[again])
        ended.append(after(sequence))

    assert len(orders) == 120
    assert [each for each in ended if each != expected(sandbox)] == []


@pytest.mark.django_db
def test_books_are_right_with_every_notice_lost(sandbox: Sandbox) -> None:
    story(sandbox)

    day_goes_by()

    assert books() == expected(sandbox)
    assert StoredNotice.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_the_wire_brings_them_backwards_and_twice(
    sandbox: Sandbox, live_server: LiveServer
) -> None:
    notices = story(sandbox)

    statuses = sandbox.deliver(
        notices, to=f"{live_server.url}{URL}", times=2, order=[4, 3, 2, 1, 0]
    )
    work.run_due([work.GATEWAY_QUEUE])
    day_goes_by()

    assert statuses == [200] * 10
    assert books() == expected(sandbox)
    assert PaymentMethod.objects.get().state == MethodState.BROKEN
    assert StoredNotice.objects.filter(state="received").count() == 0

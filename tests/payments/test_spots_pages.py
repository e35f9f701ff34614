"""A paid spot order on the receipt and in the back office. Rule: B-13, japan.md."""

from collections.abc import Iterator

import pytest
from django.urls import reverse

from accounts.enums import Language
from billing.rules import numbers
from core import clock
from gateway_sandbox import Sandbox
from payments.documents import receipts as content
from payments.models import Charge, Payable
from payments.queries import receipts as queries
from tests.payments import offices, spotted, visits
from tests.payments.spotted import NOW, Placed
from tests.payments.test_paying import address, body

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with clock.fixed_at(NOW):
        yield


@pytest.fixture
def paid(sandbox: Sandbox) -> Placed:
    placed = spotted.placed(sandbox)
    spotted.pay(placed)
    return placed


def number_of(payable: Payable) -> str:
    assert payable.invoice is not None
    return numbers.written("KC-", payable.invoice.number, payable.invoice.kind)


def test_a_receipt_says_which_order_and_invoice_were_paid(paid: Placed) -> None:
    payable = Payable.objects.get()
    root = visits.client_of(paid.buyer.root)
    root.cookies["django_language"] = "en"

    page = body(root.get(address("receipt", payable)))

    for part in (
        f"{paid.order.number}-R1",
        f"Additional accounts for a limited time (order {paid.order.number}, invoice",
        number_of(payable),
        "¥5,500",
    ):
        assert part in page


def test_a_receipt_says_it_in_japanese_with_its_tax(paid: Placed) -> None:
    receipt = queries.newest(Payable.objects.get())
    assert receipt is not None

    said = content.content_of(receipt, Language.JA)

    assert said.purpose.startswith("スポット契約(アカウント追加)の代金として")
    assert [(each.net, each.tax) for each in said.taxes] == [("¥5,000", "¥500")]


def test_there_is_no_receipt_before_there_is_an_invoice(sandbox: Sandbox) -> None:
    placed = spotted.placed(sandbox)
    sandbox.paypal.pending()
    spotted.pay(placed)

    assert queries.of_charge(Charge.objects.get().pk) is None


def test_staff_see_order_and_invoice_of_a_payable(paid: Placed) -> None:
    desk, _ = offices.staff("view_payable", "view_charge", "view_spotorder")
    payable = Payable.objects.get()

    page = desk.get(reverse("admin:payments_payable_change", args=[payable.pk])).content.decode()

    assert f"{paid.order.number} (" in page
    assert number_of(payable) in page
    listed = desk.get(reverse("admin:payments_payable_changelist"), {"kind__exact": "spot_order"})
    assert paid.order.number in listed.content.decode()


def test_staff_are_offered_nothing_about_an_unpaid_order(sandbox: Sandbox) -> None:
    spotted.placed(sandbox)
    desk, _ = offices.staff("view_payable", "change_payable")
    payable = Payable.objects.get()

    page = desk.get(reverse("admin:payments_payable_change", args=[payable.pk])).content.decode()

    assert offices.act(payable, "charge") not in page
    assert offices.act(payable, "write-off") not in page

"""What a root and staff are told of a spot order's payment, in text and in HTML. Rule: S2-28, R10."""

from datetime import timedelta

import pytest

from accounts.enums import Language
from accounts.models import Organisation
from billing.models import Invoice
from billing.rules import numbers
from core.models import Mail
from gateway_sandbox import Sandbox
from payments.services import charges
from tests.payments import spotted
from tests.payments.farside import tick
from tests.payments.spotted import NOW, Buyer, Placed

pytestmark = pytest.mark.django_db

MINUTES, HOURS = timedelta(minutes=1), timedelta(hours=1)


def who(language: Language) -> Buyer:
    buyer = spotted.buyer()
    Organisation.objects.filter(pk=buyer.organisation.pk).update(language=language)
    buyer.organisation.refresh_from_db()
    return buyer


def placed_in(language: Language, sandbox: Sandbox, *, method: str = "paypal") -> Placed:
    buyer = who(language)
    spotted.register(buyer, sandbox, method)
    Mail.objects.all().delete()
    return spotted.place(buyer)


def to_root(placed: Placed) -> list[Mail]:
    return list(Mail.objects.filter(to=[placed.buyer.root.email]).order_by("pk"))


def told(mail: Mail) -> tuple[str, str]:
    """Return subject and text; the HTML says the same."""
    for line in mail.text.split("\n")[:3]:
        assert line.split("http")[0].strip() in mail.html.replace("&#x27;", "'")
    return mail.subject, " ".join(mail.text.split())


def test_an_order_is_confirmed_with_number_accounts_period_amount_and_invoice(
    sandbox: Sandbox,
) -> None:
    placed = placed_in(Language.EN, sandbox)

    spotted.pay(placed)

    paid, confirmed = to_root(placed)
    number = placed.order.number
    assert paid.subject == f"Payment received: ¥5,500 ({number})"
    subject, text = told(confirmed)
    assert subject == f"Your order {number} is confirmed: 100 more accounts"
    invoice = Invoice.objects.get()
    for part in (
        "From 22 November 2026 to 21 December 2026 you can use 100 more accounts.",
        f"Order number: {number}",
        "Accounts added: 100",
        "Period: 22 November 2026 to 21 December 2026",
        "Total (tax included): ¥5,500",
        f"Invoice number: {numbers.written('KC-', invoice.number, invoice.kind)}",
        f"/orders/spot/{placed.order.public_id}/",
        f"/invoices/{invoice.public_id}/",
    ):
        assert part in text


def test_an_order_is_confirmed_in_japanese(sandbox: Sandbox) -> None:
    placed = placed_in(Language.JA, sandbox)

    spotted.pay(placed)

    subject, text = told(to_root(placed)[-1])
    assert subject == f"ご注文 {placed.order.number} が確定しました(アカウント 100 件の追加)"
    assert (
        "2026年11月22日から2026年12月21日まで、アカウントを 100 件多くお使いいただけます。" in text
    )


def test_what_paid_bills_is_told_as_such_and_the_order_confirmed(sandbox: Sandbox) -> None:
    placed = placed_in(Language.EN, sandbox, method="paid")

    spotted.pay(placed)

    assert [mail.subject for mail in to_root(placed)] == [
        f"Paid bills you ¥5,500 ({placed.order.number})",
        f"Your order {placed.order.number} is confirmed: 100 more accounts",
    ]


def test_a_payment_that_was_being_confirmed_and_came_to_nothing_is_told(sandbox: Sandbox) -> None:
    placed = placed_in(Language.EN, sandbox)
    sandbox.paypal.pending()
    spotted.pay(placed)
    sandbox.paypal.deny(sandbox.ledger.captures[0])

    tick(NOW + 6 * MINUTES, sandbox)

    (mail,) = to_root(placed)
    subject, text = told(mail)
    assert subject == f"The payment for your order {placed.order.number} was not taken"
    assert "Nothing was charged, and no accounts were added." in text


def test_what_is_declined_on_the_page_is_not_told_by_mail_too(sandbox: Sandbox) -> None:
    placed = placed_in(Language.EN, sandbox)
    sandbox.paypal.decline(placed.buyer.payer)

    spotted.pay(placed)

    assert to_root(placed) == []


def test_an_order_that_lapsed_is_told(sandbox: Sandbox) -> None:
    placed = placed_in(Language.EN, sandbox)

    tick(NOW + 24 * HOURS, sandbox)

    (mail,) = to_root(placed)
    subject, text = told(mail)
    assert subject == f"Your order {placed.order.number} has lapsed"
    assert "was not paid within 24 hours and has lapsed." in text


@pytest.mark.parametrize(
    ("language", "why"),
    [
        (Language.EN, "the paid plan no longer covers its whole period"),
        (Language.JA, "有料プランの契約期間が、ご注文の期間全体に及ばなくなったため"),
    ],
)
def test_an_order_that_cannot_be_served_is_told_to_root_and_staff(
    language: Language, why: str, sandbox: Sandbox
) -> None:
    placed = placed_in(language, sandbox)
    sandbox.paypal.pending()
    charge = spotted.pay(placed)
    spotted.shorten(placed.buyer)
    sandbox.paypal.complete(sandbox.ledger.captures[0])

    charges.look(charge_id=charge.pk, now=NOW)
    for minutes in (1, 2, 3):
        tick(NOW + minutes * MINUTES, sandbox)

    mails = to_root(placed)
    assert len(mails) == 3
    assert why in told(mails[1])[1]
    if language == Language.EN:
        assert mails[1].subject == (
            f"Your order {placed.order.number} could not be carried out: we refund ¥5,500"
        )
        assert mails[2].subject == f"Refund: ¥5,500 ({placed.order.number})"
        assert "which could not be carried out." in told(mails[2])[1]
    staff = Mail.objects.exclude(to=[placed.buyer.root.email])
    assert staff.filter(text__contains="返金されます").count() == 1

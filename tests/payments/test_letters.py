"""Each letter, whole or by the sentences that decide, in both languages. Rule: B-14, S1-06, F74."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import transaction
from django.utils.translation import gettext_lazy
from pytest_django import DjangoAssertNumQueries

from accounts.enums import Language, Role
from accounts.models import Membership, Organisation, User
from billing.models import Invoice
from core import work
from core.models import Mail, Work
from payments.enums import (
    ChargeState,
    Hold,
    Initiator,
    MethodState,
    RefundState,
)
from payments.models import Charge, Payable, PaymentMethod, Refund, SupportRequest
from payments.services import announcing, collecting, letters
from plans import queries as plans
from tests import make
from tests.billing import books
from tests.billing.test_credit import credit
from tests.billing.test_issue_races import at_once
from tests.core.test_letters import Page
from tests.payments import spotted

# Methods, charges and refunds are stored as a letter needs them, without their history.
pytestmark = [pytest.mark.django_db, pytest.mark.unsound_books]

NOW = make.NOW
ORIGIN = "http://localhost:8000"
PAYER = "payer-token-8KX12345"


def organisation(language: Language = Language.JA, name: str = "Aoba Devices") -> Organisation:
    """Return a customer with a root, who owes 5,500 yen for October: Starter, net 5,000."""
    found = books.customer(books.starter())
    Organisation.objects.filter(pk=found.pk).update(language=language, name=name)
    make.member(found, email="root@example.com")
    found.refresh_from_db()
    return found


def owed(customer: Organisation) -> Payable:
    books.bill()
    collecting.take_up(NOW)
    return Payable.objects.get(organisation=customer)


def method(
    customer: Organisation,
    state: MethodState = MethodState.ACTIVE,
    *,
    gateway: str = "paypal",
    label: str = "h•••@example.com",
) -> PaymentMethod:
    return PaymentMethod.objects.create(
        organisation=customer,
        gateway=gateway,
        environment="local",
        merchant="M",
        key=f"key-{customer.pk}-{gateway}",
        payer=f"{PAYER}-{customer.pk}",
        label=label,
        state=state,
        registered_by=root_of(customer),
        created_at=NOW,
        state_at=NOW,
        active_since=NOW,
    )


def root_of(customer: Organisation) -> User:
    return Membership.objects.get(organisation=customer, role=Role.ROOT).user


def charge(
    payable: Payable,
    paid_with: PaymentMethod | None,
    state: ChargeState = ChargeState.SUCCEEDED,
    *,
    gateway: str = "paypal",
) -> Charge:
    return Charge.objects.create(
        organisation=payable.organisation,
        payable=payable,
        method=paid_with,
        gateway=gateway,
        environment="local",
        merchant="M",
        key="charge-key",
        number=payable.number,
        description="d",
        amount=payable.gross,
        currency=payable.currency,
        on=date(2026, 11, 22),
        initiator=Initiator.SCHEDULE,
        state=state,
        capture="capture-secret" if state is ChargeState.SUCCEEDED else "",
        reference="reference-secret",
        code="INSTRUMENT_DECLINED" if state is ChargeState.DECLINED else "",
        created_at=NOW,
        decided_at=NOW,
    )


def refund(of: Charge, note: Invoice | None, *, amount: int, is_by_hand: bool = False) -> Refund:
    return Refund.objects.create(
        organisation=of.organisation,
        charge=of,
        credit_note=note,
        operation=(note and note.operation) or of.public_id,
        key="refund-key",
        amount=amount,
        currency="JPY",
        reason="Outage on 5 October",
        is_by_hand=is_by_hand,
        requested_by="user:7",
        state=RefundState.SUCCEEDED,
        created_at=NOW,
        decided_at=NOW,
    )


def the_mail() -> Mail:
    """Return the one mail that was written; what its text says its HTML says too, and no secret."""
    mail = Mail.objects.get()
    check(mail)
    return mail


def check(mail: Mail) -> None:
    page = Page(mail.html)
    assert page.forbidden == []
    seen = " ".join(page.seen)
    for line in mail.text.splitlines():
        for said in [line] if "://" not in line else []:
            words = said.removeprefix("> ").replace("-- ", "")
            label, _, value = words.partition("：" if "：" in words else ": ")
            assert words in seen or (label in seen and value in seen), words
    for url in page.links:
        assert url in mail.text
        assert url.startswith((ORIGIN, "https://support.example.com/"))
    for secret in (PAYER, "capture-secret", "reference-secret", "charge-key", "refund-key"):
        assert secret not in mail.text + mail.html + mail.subject


def body(mail: Mail) -> str:
    """Return a mail's text without who is addressed and the foot."""
    return mail.text.partition("\n\n")[2].partition("\n\n-- \n")[0]


def foot(mail: Mail) -> str:
    return mail.text.partition("\n\n-- \n")[2]


def plan_page(customer: Organisation) -> str:
    return f"{ORIGIN}/o/{customer.public_id}/plan/"


def invoice_page(payable: Payable) -> str:
    assert payable.invoice
    return f"{ORIGIN}/o/{payable.organisation.public_id}/invoices/{payable.invoice.public_id}/"


def receipt_page(payable: Payable) -> str:
    return f"{invoice_page(payable)}receipt/"


# --- invoice issued ---


def test_an_invoice_is_announced_in_english() -> None:
    customer = organisation(Language.EN)
    method(customer)
    payable = owed(customer)

    assert letters.invoices_issued([payable], NOW) == 1

    mail = the_mail()
    assert mail.to == ["root@example.com"]
    assert mail.reply_to == "support@example.com"
    assert mail.subject == "Invoice for October 2026: ¥5,500"
    assert mail.text == (
        "Dear Aoba Devices,\n"
        "\n"
        "We have issued your invoice for October 2026.\n"
        "\n"
        "Invoice number: KC-00000001\n"
        "Issued on: 22 November 2026\n"
        "Total (tax included): ¥5,500\n"
        "Payment due: 6 December 2026\n"
        "Payment method: PayPal (h•••@example.com)\n"
        "\n"
        "We will collect this amount automatically with PayPal. You need not do anything.\n"
        "\n"
        "Show the invoice\n"
        f"{invoice_page(payable)}\n"
        "\n"
        "Plan & Payment Method\n"
        f"{plan_page(customer)}\n"
        "\n"
        "-- \n"
        "Kamome Connect Inc.\n"
        "Support: https://support.example.com/\n"
        "You receive this mail because you are the root account of Aoba Devices.\n"
    )
    payable.refresh_from_db()
    assert payable.announced_at == NOW


def test_an_invoice_is_announced_in_japanese() -> None:
    customer = organisation(name="あおばデバイス株式会社")
    method(customer)
    payable = owed(customer)

    letters.invoices_issued([payable], NOW)

    mail = the_mail()
    assert mail.subject == "2026年10月分のご請求：5,500円"
    assert mail.text == (
        "あおばデバイス株式会社 ご担当者様\n"
        "\n"
        "2026年10月分の請求書を発行しました。\n"
        "\n"
        "請求書番号：KC-00000001\n"
        "発行日：2026年11月22日\n"
        "合計(税込)：5,500円\n"
        "お支払期限：2026年12月6日\n"
        "お支払い方法：PayPal (h•••@example.com)\n"
        "\n"
        "この金額は PayPal で自動的にお支払いいただきます。お手続きは不要です。\n"
        "\n"
        "請求書を見る\n"
        f"{invoice_page(payable)}\n"
        "\n"
        "プランとお支払い方法\n"
        f"{plan_page(customer)}\n"
        "\n"
        "-- \n"
        "カモメ・コネクト株式会社\n"
        "サポート: https://support.example.com/\n"
        "このメールは、あおばデバイス株式会社 のルートアカウントの方にお送りしています。\n"
    )


@pytest.mark.parametrize(
    ("language", "gateway", "state", "sentence", "action"),
    [
        pytest.param(
            Language.EN,
            "paid",
            MethodState.ACTIVE,
            "Paid will bill you for this amount. Pay as the bill from Paid says; you need not do"
            " anything here.",
            "Show the invoice",
            id="Paid bills",
        ),
        pytest.param(
            Language.JA,
            "paid",
            MethodState.ACTIVE,
            "この金額は Paid からご請求します。Paid の請求書に従ってお支払いください。"
            "ポータルでのお手続きは不要です。",
            "請求書を見る",
            id="Paid bills, in Japanese",
        ),
        pytest.param(
            Language.EN,
            "paid",
            MethodState.UNDER_REVIEW,
            "Paid is still reviewing your payment method. As soon as it is accepted, we collect"
            " this amount automatically.",
            "Show the invoice",
            id="under review",
        ),
        pytest.param(
            Language.JA,
            "paid",
            MethodState.UNDER_REVIEW,
            "ご登録のお支払い方法は、Paid で審査中です。利用できるようになりしだい、"
            "この金額を自動的にお支払いいただきます。",
            "請求書を見る",
            id="under review, in Japanese",
        ),
        pytest.param(
            Language.EN,
            "paypal",
            MethodState.BROKEN,
            "Your payment method at PayPal does not work any more. Register it anew by"
            " 6 December 2026, and we collect this amount automatically.",
            "Register a payment method",
            id="broken",
        ),
        pytest.param(
            Language.JA,
            "paypal",
            MethodState.BROKEN,
            "ご登録の PayPal でのお支払いができなくなっています。2026年12月6日までに登録し直して"
            "いただくと、この金額を自動的にお支払いいただけます。",
            "お支払い方法を登録する",
            id="broken, in Japanese",
        ),
        pytest.param(
            Language.EN,
            "",
            None,
            "You have no payment method yet. Register one by 6 December 2026, and we collect this"
            " amount automatically.",
            "Register a payment method",
            id="none",
        ),
        pytest.param(
            Language.JA,
            "",
            None,
            "お支払い方法がまだ登録されていません。2026年12月6日までにご登録いただくと、"
            "この金額を自動的にお支払いいただけます。",
            "お支払い方法を登録する",
            id="none, in Japanese",
        ),
    ],
)
def test_an_invoice_says_how_it_is_paid(
    language: Language, gateway: str, state: MethodState | None, sentence: str, action: str
) -> None:
    customer = organisation(language)
    if state:
        method(customer, state, gateway=gateway)
    payable = owed(customer)

    letters.invoices_issued([payable], NOW)

    parts = body(the_mail()).split("\n\n")
    assert parts[2] == sentence
    assert parts[3].split("\n")[0] == action


def test_a_method_that_works_counts_before_one_under_review() -> None:
    customer = organisation(Language.EN)
    method(customer)
    method(customer, MethodState.UNDER_REVIEW, gateway="paid")
    payable = owed(customer)

    letters.invoices_issued([payable], NOW)

    assert "Payment method: PayPal (h•••@example.com)\n" in the_mail().text


def test_an_invoice_is_announced_once() -> None:
    payable = owed(organisation())

    told = [letters.invoices_issued([payable], NOW) for _ in range(2)]

    assert told == [1, 0]
    assert Mail.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_eight_at_once_announce_an_invoice_once() -> None:
    payable = owed(organisation())

    told = at_once(lambda: announcing.announce(payable_ids=[payable.pk], now=NOW), 8)

    assert sorted(told) == [0] * 7 + [1]
    assert Mail.objects.count() == 1


def test_nobody_is_told_of_what_was_issued_long_before_it_was_taken_up() -> None:
    customer = organisation()
    books.bill()
    taken_up_at = NOW + timedelta(days=14, seconds=1)
    collecting.take_up(taken_up_at)

    assert letters.invoices_issued(Payable.objects.all(), taken_up_at) == 0

    assert Payable.objects.get(organisation=customer).announced_at == taken_up_at
    assert Mail.objects.count() == 0


def test_what_was_taken_up_in_time_is_told_of_however_late_the_letter_is() -> None:
    organisation()
    books.bill()
    collecting.take_up(NOW + timedelta(days=14))

    assert letters.invoices_issued(Payable.objects.all(), NOW + timedelta(days=20)) == 1


def test_nobody_is_told_of_an_order_as_of_an_invoice() -> None:
    placed = spotted.place(spotted.buyer())
    Payable.objects.update(announced_at=None)

    assert letters.invoices_issued([placed.payable], NOW) == 0

    placed.payable.refresh_from_db()
    assert (placed.payable.announced_at, Mail.objects.count()) == (NOW, 0)


def test_nobody_is_told_of_an_organisation_without_a_root_that_can_sign_in() -> None:
    customer = organisation()
    make.member(customer, role=Role.MANAGER, email="manager@example.com")
    User.objects.filter(email="root@example.com").update(is_active=False)
    payable = owed(customer)

    assert letters.invoices_issued([payable], NOW) == 0
    letters.payment_received(charge(payable, None), NOW)

    payable.refresh_from_db()
    assert (payable.announced_at, Mail.objects.count()) == (NOW, 0)


def test_only_the_root_is_told() -> None:
    customer = organisation()
    make.member(customer, role=Role.MANAGER, email="manager@example.com")
    former = make.member(customer, email="former@example.com")
    Membership.objects.filter(pk=former.pk).update(deactivated_at=NOW)

    letters.invoices_issued([owed(customer)], NOW)

    assert [mail.to for mail in Mail.objects.all()] == [["root@example.com"]]


@pytest.mark.parametrize("count", [3, 300])
def test_hundreds_cost_as_many_statements_as_three(
    count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    version = books.starter()
    customers = [books.customer(version) for _ in range(count)]
    Membership.objects.bulk_create(
        Membership(
            organisation=customer,
            user=User.objects.create(
                email=f"root-{customer.pk}@example.com", password="!", registered_at=NOW
            ),
            role=Role.ROOT,
            registered_at=NOW,
        )
        for customer in customers
    )
    books.bill()
    collecting.take_up(NOW)
    payables = list(Payable.objects.all())
    plans.vendor_for_pages()

    # A savepoint, the payables and their mark, who reads, how they pay, mails, work, its release.
    with django_assert_num_queries(8):
        told = letters.invoices_issued(payables, NOW)

    assert told == count
    assert Mail.objects.count() == count
    assert Work.objects.filter(kind="core.send_mail").count() == count
    assert {mail.to[0] for mail in Mail.objects.all()} == {
        f"root-{customer.pk}@example.com" for customer in customers
    }


def test_the_planner_has_each_invoice_announced_once() -> None:
    customer = organisation()
    owed(customer)

    for _ in range(2):
        announcing.plan(NOW)
        work.run_due(limit=50)

    assert Mail.objects.filter(subject="2026年10月分のご請求：5,500円").count() == 1
    assert not Payable.objects.filter(announced_at=None).exists()
    Work.objects.filter(kind="payments.announce").delete()
    announcing.plan(NOW)
    assert not Work.objects.filter(kind="payments.announce").exists()


def test_what_is_rolled_back_was_not_told() -> None:
    payable = owed(organisation())
    before = (Mail.objects.count(), Work.objects.count())

    with transaction.atomic():
        letters.invoices_issued([payable], NOW)
        letters.payable_overdue(payable, NOW)
        transaction.set_rollback(True)

    assert (Mail.objects.count(), Work.objects.count()) == before
    payable.refresh_from_db()
    assert payable.announced_at is None


def test_dollars_are_written_as_on_the_pages() -> None:
    customer = organisation(Language.EN)
    adrift = Payable(
        organisation=customer,
        number="KC-1",
        currency="USD",
        gross=123_450,
        due_on=date(2026, 11, 22),
        created_at=NOW,
    )

    letters.payable_overdue(adrift, NOW)

    mail = Mail.objects.get(to=["root@example.com"])
    assert mail.subject == "Overdue: $1,234.50 (KC-1)"
    assert plan_page(customer) in mail.text


# --- payments ---


def test_a_payment_is_acknowledged() -> None:
    customer = organisation(Language.EN)
    payable = owed(customer)

    letters.payment_received(charge(payable, method(customer)), NOW)

    mail = the_mail()
    assert mail.subject == "Payment received: ¥5,500 (KC-00000001)"
    assert body(mail) == (
        "Thank you. We have received your payment for KC-00000001.\n"
        "\n"
        "Amount (tax included): ¥5,500\n"
        "Paid on: 22 November 2026\n"
        "Paid with: PayPal (h•••@example.com)\n"
        "\n"
        "Show the receipt\n"
        f"{receipt_page(payable)}\n"
        "\n"
        "Show the invoice\n"
        f"{invoice_page(payable)}"
    )


def test_a_payment_is_acknowledged_in_japanese() -> None:
    customer = organisation()
    payable = owed(customer)

    letters.payment_received(charge(payable, None), NOW)

    mail = the_mail()
    assert mail.subject == "お支払いを確認しました：5,500円(KC-00000001)"
    assert body(mail) == (
        "KC-00000001 のお支払いを確認しました。ありがとうございます。\n"
        "\n"
        "金額(税込)：5,500円\n"
        "お支払い日：2026年11月22日\n"
        "お支払い方法：PayPal\n"
        "\n"
        "領収書を見る\n"
        f"{receipt_page(payable)}\n"
        "\n"
        "請求書を見る\n"
        f"{invoice_page(payable)}"
    )


@pytest.mark.parametrize(
    ("language", "subject", "sentence"),
    [
        pytest.param(
            Language.EN,
            "Paid bills you ¥5,500 (KC-00000001)",
            "Paid has taken over the amount of KC-00000001. Pay as the bill from Paid says; you"
            " owe us nothing more for it.\n\nAmount (tax included): ¥5,500\n"
            "Taken over on: 22 November 2026\nPayment method: Paid (Aoba K.K.)\n",
            id="en",
        ),
        pytest.param(
            Language.JA,
            "Paid からのご請求となります：5,500円(KC-00000001)",
            "KC-00000001 のご請求を Paid に引き継ぎました。Paid の請求書に従ってお支払いください。"
            "弊社へのお支払いは不要です。\n\n金額(税込)：5,500円\n"
            "引き継ぎ日：2026年11月22日\nお支払い方法：Paid (Aoba K.K.)\n",
            id="ja",
        ),
    ],
)
def test_what_paid_has_taken_over_is_no_payment_yet(
    language: Language, subject: str, sentence: str
) -> None:
    customer = organisation(language)
    payable = owed(customer)
    by_invoice = method(customer, gateway="paid", label="Aoba K.K.")

    letters.payment_received(charge(payable, by_invoice, gateway="paid"), NOW)

    mail = the_mail()
    assert mail.subject == subject
    assert body(mail).startswith(sentence)
    assert "receipt" not in mail.text


def declined(language: Language, declines: int) -> tuple[Organisation, Payable, Charge]:
    """Return what was first declined on 22 November at 23:30 in Tokyo, so many times now."""
    customer = organisation(language)
    payable = owed(customer)
    payable.declines = declines
    payable.first_failed_at = datetime(2026, 11, 22, 14, 30, tzinfo=UTC)
    return customer, payable, charge(payable, method(customer), ChargeState.DECLINED)


def test_a_declined_charge_says_when_it_is_tried_again() -> None:
    customer, payable, failed = declined(Language.EN, 1)

    letters.charge_failed(payable, failed, datetime(2026, 11, 23, 14, 30, tzinfo=UTC), NOW)

    mail = the_mail()
    assert mail.subject == "We could not collect ¥5,500 (KC-00000001)"
    assert body(mail) == (
        "PayPal declined the payment for KC-00000001. Nothing was charged.\n"
        "\n"
        "Amount (tax included): ¥5,500\n"
        "Payment due: 6 December 2026\n"
        "Next try: 23 November 2026\n"
        "After that: 25 November 2026\n"
        "After that: 29 November 2026\n"
        "\n"
        "Before the next try, check with PayPal that your card is valid and covers the amount.\n"
        "\n"
        "We will try again automatically on the days above. You can also pay now, in another way"
        " if you like, from the invoice page.\n"
        "\n"
        "Pay or show the invoice\n"
        f"{invoice_page(payable)}\n"
        "\n"
        "Plan & Payment Method\n"
        f"{plan_page(customer)}"
    )
    assert "INSTRUMENT_DECLINED" not in mail.text


def test_a_declined_charge_says_in_japanese_when_it_is_tried_again() -> None:
    customer, payable, failed = declined(Language.JA, 2)

    letters.charge_failed(payable, failed, datetime(2026, 11, 25, 14, 30, tzinfo=UTC), NOW)

    mail = the_mail()
    assert mail.subject == "お支払いを確認できませんでした：5,500円(KC-00000001)"
    assert body(mail) == (
        "KC-00000001 のお支払いが PayPal で承認されませんでした。料金は引き落とされていません。\n"
        "\n"
        "金額(税込)：5,500円\n"
        "お支払期限：2026年12月6日\n"
        "次回のお引き落とし：2026年11月25日\n"
        "その次のお引き落とし：2026年11月29日\n"
        "\n"
        "次回までに、カードの有効期限とご利用可能額を PayPal でご確認ください。\n"
        "\n"
        "上記の日に、あらためて自動でお引き落としします。請求書のページから、"
        "ほかの方法で今すぐお支払いいただくこともできます。\n"
        "\n"
        "請求書を確認してお支払いへ\n"
        f"{invoice_page(payable)}\n"
        "\n"
        "プランとお支払い方法\n"
        f"{plan_page(customer)}"
    )


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        pytest.param(
            Language.EN,
            "We will not try again automatically. Pay from the invoice page, or ask Support to"
            " change your payment method.",
            id="en",
        ),
        pytest.param(
            Language.JA,
            "自動でのお引き落としは終了しました。請求書のページからお支払いいただくか、"
            "お支払い方法の変更をサポートにご依頼ください。",
            id="ja",
        ),
    ],
)
def test_the_last_decline_says_that_nothing_is_tried_again(
    language: Language, sentence: str
) -> None:
    _, payable, failed = declined(language, 4)

    letters.charge_failed(payable, failed, None, NOW)

    assert body(the_mail()).split("\n\n")[2] == sentence


def test_an_overdue_invoice_says_what_is_refused_and_tells_staff() -> None:
    customer = organisation(Language.EN)
    payable = owed(customer)
    payable.hold = Hold.DECLINED

    letters.payable_overdue(payable, NOW)

    to_root, to_staff = Mail.objects.order_by("pk")
    check(to_root)
    check(to_staff)
    assert to_root.to == ["root@example.com"]
    assert to_root.subject == "Overdue: ¥5,500 (KC-00000001)"
    assert body(to_root) == (
        "Invoice KC-00000001 was due on 6 December 2026 and is not paid yet.\n"
        "\n"
        "Still to be paid (tax included): ¥5,500\n"
        "Payment due: 6 December 2026\n"
        "\n"
        "Until it is paid, spot orders and plan upgrades are not possible. The service itself goes"
        " on.\n"
        "\n"
        "Pay from the invoice page. If you have no payment method that works, register one, and we"
        " collect the amount automatically. If you have paid in the meantime, you need not do"
        " anything.\n"
        "\n"
        "Pay or show the invoice\n"
        f"{invoice_page(payable)}\n"
        "\n"
        "Plan & Payment Method\n"
        f"{plan_page(customer)}"
    )
    # The vendor is in Japan: its staff are written to in Japanese.
    assert to_staff.to == ["billing@localhost"]
    assert to_staff.subject == "期限超過：Aoba Devices、KC-00000001"
    assert f"組織：Aoba Devices ({customer.reference})\n" in to_staff.text
    assert "未払い金額(税込)：5,500円\n" in to_staff.text


def test_an_overdue_invoice_says_so_in_japanese_and_what_is_left_to_pay() -> None:
    customer = organisation()
    payable = owed(customer)
    payable.captured, payable.credited = 1_000, 500

    letters.payable_overdue(payable, NOW)

    mail = Mail.objects.get(to=["root@example.com"])
    assert mail.subject == "お支払期限を過ぎています：4,000円(KC-00000001)"
    assert body(mail).startswith(
        "請求書 KC-00000001(お支払期限 2026年12月6日)のお支払いを確認できていません。\n"
        "\n"
        "未払い金額(税込)：4,000円\n"
        "お支払期限：2026年12月6日\n"
        "\n"
        "お支払いを確認できるまで、スポット追加とプランのアップグレードはお申し込みいただけません。"
        "サービスは引き続きご利用いただけます。\n"
    )


# --- methods ---

Told = Callable[[PaymentMethod, datetime], None]


@pytest.mark.parametrize(
    ("tell", "language", "subject", "whole"),
    [
        pytest.param(
            letters.method_added,
            Language.EN,
            "Your payment method can be used: PayPal",
            "From now on, your invoices are paid with this payment method.\n\n"
            "Payment method: PayPal (h•••@example.com)\nUsable since: 22 November 2026\n"
            "Collected now: KC-00000001\n\n"
            "If nobody in your company registered it, tell Support at once.\n\n"
            "Plan & Payment Method\n",
            id="added",
        ),
        pytest.param(
            letters.method_added,
            Language.JA,
            "お支払い方法をご利用いただけます：PayPal",
            "今後のご請求は、このお支払い方法で自動的にお支払いいただきます。\n\n"
            "お支払い方法：PayPal (h•••@example.com)\nご利用開始日：2026年11月22日\n"
            "今回お支払いいただくご請求：KC-00000001\n\n"
            "お心当たりがない場合は、すぐにサポートにご連絡ください。\n\n"
            "プランとお支払い方法\n",
            id="added, in Japanese",
        ),
        pytest.param(
            letters.method_under_review,
            Language.EN,
            "PayPal is reviewing your payment method",
            "We have passed your registration on to PayPal. The review takes a few days; we will"
            " write to you when it is done. Until then, nothing is collected with it.\n\n"
            "Payment method: PayPal (h•••@example.com)\nSent in on: 22 November 2026\n\n"
            "If nobody in your company registered it, tell Support at once.\n\n"
            "Plan & Payment Method\n",
            id="under review",
        ),
        pytest.param(
            letters.method_under_review,
            Language.JA,
            "お支払い方法を審査中です：PayPal",
            "ご登録の内容を PayPal にお送りしました。審査には数日かかります。結果はメールで"
            "お知らせします。それまで、このお支払い方法は使われません。\n\n"
            "お支払い方法：PayPal (h•••@example.com)\nお申し込み日：2026年11月22日\n\n"
            "お心当たりがない場合は、すぐにサポートにご連絡ください。\n\n"
            "プランとお支払い方法\n",
            id="under review, in Japanese",
        ),
        pytest.param(
            letters.method_rejected,
            Language.EN,
            "PayPal did not accept your payment method",
            "PayPal has finished its review and cannot offer you this payment method. It does not"
            " tell us the reasons.\n\n"
            "Payment method: PayPal (h•••@example.com)\nNot paid yet: KC-00000001\n\n"
            "Register another payment method. If you have questions, ask Support.\n\n"
            "Register a payment method\n",
            id="rejected",
        ),
        pytest.param(
            letters.method_rejected,
            Language.JA,
            "お支払い方法の審査結果について：PayPal",
            "PayPal の審査の結果、このお支払い方法はご利用いただけないことになりました。"
            "審査の内容は弊社には知らされません。\n\n"
            "お支払い方法：PayPal (h•••@example.com)\n未払いのご請求：KC-00000001\n\n"
            "ほかのお支払い方法をご登録ください。ご不明な点は、サポートにお問い合わせください。\n\n"
            "お支払い方法を登録する\n",
            id="rejected, in Japanese",
        ),
        pytest.param(
            letters.method_broken,
            Language.EN,
            "Your payment method does not work any more: PayPal",
            "PayPal tells us that nothing can be collected with this payment method any more, for"
            " example because the agreement was ended there. We will not try again with it.\n\n"
            "Payment method: PayPal (h•••@example.com)\nNot paid yet: KC-00000001\n\n"
            "Register a payment method again. What is not paid yet is then collected"
            " automatically.\n\nRegister a payment method\n",
            id="broken",
        ),
        pytest.param(
            letters.method_broken,
            Language.JA,
            "お支払い方法がご利用いただけなくなりました：PayPal",
            "PayPal から、このお支払い方法は使えなくなったとの連絡がありました(PayPal での契約の"
            "解除など)。今後、この方法でのお引き落としは行いません。\n\n"
            "お支払い方法：PayPal (h•••@example.com)\n未払いのご請求：KC-00000001\n\n"
            "お支払い方法を登録し直してください。未払いのご請求は、ご登録後に自動的に"
            "お支払いいただきます。\n\nお支払い方法を登録する\n",
            id="broken, in Japanese",
        ),
        pytest.param(
            letters.method_detached,
            Language.EN,
            "Your payment method was removed: PayPal",
            "Support has removed this payment method. Nothing will be collected with it any"
            " more.\n\nPayment method: PayPal (h•••@example.com)\nRemoved on: 22 November 2026\n"
            "Not paid yet: KC-00000001\n\n"
            "You can now register a new one. If you did not ask for this, tell Support.\n\n"
            "Register a payment method\n",
            id="detached",
        ),
        pytest.param(
            letters.method_detached,
            Language.JA,
            "お支払い方法を解除しました：PayPal",
            "サポートで、このお支払い方法を解除しました。今後、この方法でのお引き落としは"
            "ありません。\n\nお支払い方法：PayPal (h•••@example.com)\n解除日：2026年11月22日\n"
            "未払いのご請求：KC-00000001\n\n"
            "新しいお支払い方法をご登録いただけます。お心当たりがない場合は、サポートに"
            "ご連絡ください。\n\nお支払い方法を登録する\n",
            id="detached, in Japanese",
        ),
    ],
)
def test_a_root_is_told_how_the_method_stands(
    tell: Told, language: Language, subject: str, whole: str
) -> None:
    customer = organisation(language)
    owed(customer)

    tell(method(customer), NOW)

    mail = the_mail()
    assert mail.subject == subject
    assert body(mail) == whole + plan_page(customer)


# --- refunds ---


def test_a_refund_says_how_much_why_and_when_it_arrives() -> None:
    customer = organisation(Language.EN)
    payable = owed(customer)
    assert payable.invoice
    note = credit(payable.invoice, 1_100)

    letters.refund_made(refund(charge(payable, method(customer)), note, amount=1_100), NOW)

    mail = the_mail()
    note_page = f"{ORIGIN}/o/{customer.public_id}/invoices/{note.public_id}/"
    assert mail.subject == "Refund: ¥1,100 (KC-00000001)"
    assert body(mail) == (
        "We have refunded a payment for KC-00000001.\n"
        "\n"
        "Amount (tax included): ¥1,100\n"
        "Refunded on: 22 November 2026\n"
        "Reason: Outage on 5 October\n"
        "Credit note: KC-CN-00000001\n"
        "\n"
        "PayPal returns it to the card or account that you paid with. On a card it may appear only"
        " with the next statement or the one after.\n"
        "\n"
        "Show the credit note\n"
        f"{note_page}\n"
        "\n"
        "Show the invoice\n"
        f"{invoice_page(payable)}"
    )


def test_a_refund_of_what_was_paid_twice_says_so_in_japanese() -> None:
    customer = organisation()
    payable = owed(customer)

    letters.refund_made(refund(charge(payable, method(customer)), None, amount=5_500), NOW)

    mail = the_mail()
    assert mail.subject == "返金のお知らせ：5,500円(KC-00000001)"
    assert body(mail) == (
        "KC-00000001 について、ご請求額を超えてお支払いいただいていたため、差額を返金しました。\n"
        "\n"
        "金額(税込)：5,500円\n"
        "返金日：2026年11月22日\n"
        "\n"
        "PayPal を通じて、お支払いに使われたカードまたは口座に返金します。カードの場合、"
        "ご利用明細に載るのは翌月または翌々月になることがあります。\n"
        "\n"
        "請求書を見る\n"
        f"{invoice_page(payable)}"
    )


@pytest.mark.parametrize(
    ("gateway", "is_by_hand", "sentence"),
    [
        pytest.param(
            "paid",
            False,
            "Paid passes it on to you: it bills you less, or returns the amount. Paid tells you"
            " when.",
            id="by Paid",
        ),
        pytest.param(
            "paypal",
            True,
            "We have sent it outside PayPal. It should reach you within a few working days.",
            id="by hand",
        ),
    ],
)
def test_a_refund_says_which_way_it_comes(gateway: str, is_by_hand: bool, sentence: str) -> None:
    customer = organisation(Language.EN)
    made = charge(owed(customer), None, gateway=gateway)

    letters.refund_made(refund(made, None, amount=5_500, is_by_hand=is_by_hand), NOW)

    assert body(the_mail()).split("\n\n")[2] == sentence


# --- Support and staff ---


def request_of(customer: Organisation, *, message: str, answer: str = "") -> SupportRequest:
    return SupportRequest.objects.create(
        organisation=customer,
        user=root_of(customer),
        method=method(customer),
        message=message,
        created_at=NOW,
        answer=answer,
        handled_at=NOW if answer else None,
    )


def test_support_can_answer_the_root_who_asks() -> None:
    customer = organisation(Language.EN)
    asked = request_of(customer, message="We change banks.\r\n\r\nFrom <b>December</b> on.")

    letters.support_requested(asked, NOW)

    mail = the_mail()
    assert (mail.to, mail.reply_to) == (["billing@localhost"], "root@example.com")
    assert mail.subject == "サポートへのご依頼：Aoba Devices"
    assert mail.text == (
        "ルートアカウントから、お支払い方法の変更のご依頼がありました。このメールへの返信は"
        "ルートアカウントに届きます。対応の記録は管理画面で行ってください。\n"
        "\n"
        f"組織：Aoba Devices ({customer.reference})\n"
        "ご依頼者：Hanako Sato <root@example.com>\n"
        "お支払い方法：PayPal (h•••@example.com)\n"
        "\n"
        "> We change banks.\n"
        "> \n"
        "> From <b>December</b> on.\n"
        "\n"
        "管理画面\n"
        f"{ORIGIN}/back-office/\n"
        "\n"
        "-- \n"
        "カモメ・コネクト株式会社\n"
        "サポート: https://support.example.com/\n"
        "このメールは、ポータルのお客様対応ご担当者にお送りしています。\n"
    )
    assert "From &lt;b&gt;December&lt;/b&gt; on." in mail.html


@pytest.mark.parametrize(
    ("language", "subject", "first", "between"),
    [
        pytest.param(
            Language.EN,
            "Support has answered your request",
            "Support has settled your request of 22 November 2026.",
            "You had written:",
            id="en",
        ),
        pytest.param(
            Language.JA,
            "サポートからの回答",
            "2026年11月22日にいただいたご依頼について、サポートが対応しました。",
            "ご依頼の内容",
            id="ja",
        ),
    ],
)
def test_the_root_is_told_what_support_answers(
    language: Language, subject: str, first: str, between: str
) -> None:
    customer = organisation(language)

    letters.support_answered(
        request_of(customer, message="Old card.", answer="Done.\nAdd it."), NOW
    )

    mail = the_mail()
    assert (mail.to, mail.subject) == (["root@example.com"], subject)
    assert body(mail).startswith(f"{first}\n\n> Done.\n> Add it.\n\n{between}\n\n> Old card.\n\n")


def test_staff_are_told_in_their_language_of_whom_it_is_about() -> None:
    customer = organisation(Language.EN, name="Aoba\r\nBcc: eve@example.com")

    letters.staff_alert(gettext_lazy("Support"), ["charge 7", "¥5,500"], customer.pk, NOW)

    mail = the_mail()
    assert mail.subject == "サポート (Aoba Bcc: eve@example.com)"
    assert mail.to == ["billing@localhost"]
    assert mail.text.startswith(
        f"charge 7\n\n¥5,500\n\n組織：Aoba Bcc: eve@example.com ({customer.reference})\n\n管理画面\n"
    )


def test_staff_are_told_of_what_concerns_no_one_customer() -> None:
    make.vendor(country="DE")

    letters.staff_alert("paypal refuses us", ["why"], None, NOW)

    mail = the_mail()
    assert (mail.subject, mail.text.partition("\n-- ")[0]) == (
        "paypal refuses us",
        f"why\n\nBack office\n{ORIGIN}/back-office/\n",
    )

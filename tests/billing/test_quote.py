"""A quotation says what an order would cost, and is no invoice. Rule: S2-22, B-06."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from accounts.enums import Language
from accounts.models import Membership
from billing.documents import quotes
from billing.documents.quotes import Quote
from plans import queries as plans
from tests import make
from tests.billing import paper, spots
from tests.billing.spots import NOW

pytestmark = pytest.mark.django_db


def quoted(
    root: Membership, *, accounts: int = 200, first_on: date = date(2027, 1, 10), months: int = 3
) -> Quote:
    organisation = root.organisation
    offer = spots.offer(organisation, accounts=accounts, first_on=first_on, months=months)
    return quotes.quote(
        offer,
        spots.totals(organisation, offer),
        organisation=organisation,
        vendor=plans.vendor(),
        now=NOW,
    )


def test_quote_in_japanese_says_who_what_and_how_much() -> None:
    quote = quoted(spots.customer(name="株式会社青葉デバイス"))

    text = paper.text_of(quotes.render_quote(quote, Language.JA))

    for part in (
        "お見積書",
        quote.number,
        "お見積日2026年11月22日",
        "有効期限2026年12月22日",
        "株式会社青葉デバイス御中",
        "カモメ・コネクト株式会社",
        "登録番号T9999901000123",
        "お見積金額(税込)¥33,000",
        "追加アカウント数+200",
        "ご利用期間2027年1月10日〜2027年4月9日",
        "スポット契約:starterプラン+200アカウント、2027年1月10日〜2027年4月9日",
        "月額¥5,000×2口×3か月",
        "10%対象¥30,000¥3,000",
        "合計(税込)¥33,000",
        "このお見積書は請求書ではありません。",
        "金額が変わる場合がございます。",
        "1円未満を切り捨てています。",
    ):
        assert part in text


def test_quote_in_english_says_who_what_and_how_much() -> None:
    quote = quoted(spots.customer(), accounts=100, months=1)

    text = paper.text_of(quotes.render_quote(quote, Language.EN))

    for part in (
        "Quotation",
        f"Quotationno.{quote.number}",
        "Date22November2026",
        "Validuntil22December2026",
        "PreparedforAobaDevices",
        "KamomeConnectInc.",
        "Quotedamount,taxincluded¥5,500",
        "Extraaccounts+100",
        "Period10January2027–9February2027",
        "Spotcontract:Starter+100accounts,10January2027–9February2027",
        "Monthlyfee¥5,000×1",
        "1month¥5,000",
        "Consumptiontax10%¥5,000¥500",
        "Total(taxincluded)¥5,500",
        "Thisquotationisnotaninvoice.",
        "theamountcanstillchange",
    ):
        assert part in text


def test_quote_shows_each_price_where_a_renewal_changes_it() -> None:
    root = spots.customer(months=1)
    dearer = make.plan_version(number=2, prices={"JPY": 6_000})
    spots.renewed_at(root.organisation, dearer, now=spots.at(2026, 11, 1))
    organisation = root.organisation
    now = spots.at(2026, 11, 1, 13)
    offer = spots.offer(organisation, first_on=date(2026, 11, 1), months=2, now=now)

    shown = quotes.content_of(
        quotes.quote(
            offer,
            spots.totals(organisation, offer, now=now),
            organisation=organisation,
            vendor=plans.vendor(),
            now=now,
        ),
        Language.EN,
    )

    assert [(row.detail, row.quantity, row.unit, row.net) for row in shown.rows] == [
        ("Monthly fee ¥5,000 × 1", "1", "month", "¥5,000"),
        ("Monthly fee ¥6,000 × 1", "1", "month", "¥6,000"),
    ]
    assert shown.sums.gross == "¥12,100"


def test_quote_abroad_says_why_there_is_no_tax() -> None:
    quote = quoted(spots.customer(country="DE", currency="USD"), accounts=100, months=1)

    text = paper.text_of(quotes.render_quote(quote, Language.EN))

    assert "Total(taxincluded)$50.00" in text
    assert "outsidethescopeof" in text
    assert "rounded" not in text


def test_quote_holds_no_longer_than_it_can_be_ordered() -> None:
    root = spots.customer()

    assert quoted(root, first_on=date(2026, 12, 1)).valid_until == date(2026, 12, 1)
    assert quoted(root, first_on=date(2026, 12, 23)).valid_until == date(2026, 12, 22)


def test_quote_is_the_same_as_long_as_it_says_the_same() -> None:
    root = spots.customer()
    one, same = quoted(root), quoted(root)
    others = [
        quoted(root, accounts=100),
        quoted(root, first_on=date(2027, 1, 11)),
        quoted(root, months=2),
        replace(one, quoted_on=one.quoted_on + timedelta(days=1)),
    ]

    assert one.number == same.number
    assert one.number.startswith("Q-20261122-")
    assert len({each.number for each in [one, *others]}) == 5
    assert quotes.render_quote(one, Language.JA) == quotes.render_quote(same, Language.JA)
    assert quotes.file_name(one, Language.JA) == f"お見積書_{one.number}.pdf"

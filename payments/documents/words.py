"""The words of a printed receipt, in both languages; frozen with the document as an invoice's are."""

from collections.abc import Mapping
from dataclasses import dataclass

from accounts.enums import Language


@dataclass(frozen=True, slots=True)
class Words:
    """One language's sentences; the names in braces are filled in by `receipts`."""

    title: str
    received: str
    purpose: str
    of_order: str
    taxes_follow: str
    no_stamp: str
    not_qualified: str


JA = Words(
    title="領収書",
    received="上記の金額を正に領収いたしました。",
    purpose="{month}分ご利用料金として(請求書 {number})",
    of_order="スポット契約(アカウント追加)の代金として(注文 {order}、請求書 {number})",
    taxes_follow="税率ごとの内訳は、請求書 {number} に記載のとおりです。",
    no_stamp="この領収書は電子データで発行しているため、収入印紙の貼付は不要です。",
    not_qualified="この領収書は適格請求書(インボイス)ではありません。",
)

EN = Words(
    title="Receipt",
    received="We have received this amount.",
    purpose="Service in {month} (invoice {number})",
    of_order="Additional accounts for a limited time (order {order}, invoice {number})",
    taxes_follow="The taxes of each rate are those on invoice {number}.",
    no_stamp="Issued electronically: no Japanese revenue stamp is needed.",
    not_qualified="This is not a qualified invoice under Japanese law.",
)

WORDS: Mapping[Language, Words] = {Language.JA: JA, Language.EN: EN}

"""The words of a printed receipt of a cancellation, in both languages; frozen with the document."""

from collections.abc import Mapping
from dataclasses import dataclass

from accounts.enums import Language


@dataclass(frozen=True, slots=True)
class Words:
    """One language's sentences; the names in braces are filled in by `receipts`."""

    title: str
    moment: str  # for babel
    accepted: str
    licence: str
    support: str
    contract: str
    contract_early: str
    contract_until: str
    spot: str
    spot_early: str
    spot_whole: str
    order: str
    order_unpaid: str
    accounts: str
    accounts_after: str
    data: str
    data_until: str
    notes: tuple[str, ...]


JA = Words(
    title="解約受付書",
    moment="y年M月d日 H:mm",
    accepted="以下のとおり、ご解約のお申し込みを承りました。",
    licence="ライセンスプラン",
    support="サポートプラン",
    contract="主契約",
    contract_early="{day}まで(解約により最終日に終了し、返金はございません)",
    contract_until="{day}まで",
    spot="スポット契約 {number}",
    spot_early="{accounts}アカウント、{first}〜{last}(解約により最終日に終了し、返金はございません)",
    spot_whole="{accounts}アカウント、{first}〜{last}",
    order="スポット注文 {number}",
    order_unpaid="{accounts}アカウント、{first}〜{last}(お支払い前)",
    accounts="アカウント",
    accounts_after="最終日の終了後、ルートアカウントを除き無効になります。",
    data="データ",
    data_until="{day}までお持ち出しいただけます。",
    notes=(
        "最終日の終わりまでは、これまでどおりご利用いただけます。それまではルートアカウントから解約を取り消すことができます。",
        "最終月のご利用分は、翌月に通常どおりご請求いたします。未払いのご請求はそのまま残ります。",
        "この書面はお申し込み時点の内容を記載したものです。その後の最終日の変更や取り消しは「契約内容」のページをご覧ください。",
    ),
)

EN = Words(
    title="Receipt of cancellation",
    moment="d MMMM y, HH:mm",
    accepted="We have received and accepted the cancellation of your contract as follows.",
    licence="Licence plan",
    support="Support plan",
    contract="Main contract",
    contract_early="until {day}; ends with the last day, without refund",
    contract_until="until {day}",
    spot="Spot contract {number}",
    spot_early="{accounts} accounts, {first} to {last}; ends with the last day, without refund",
    spot_whole="{accounts} accounts, {first} to {last}",
    order="Spot order {number}",
    order_unpaid="{accounts} accounts, {first} to {last}; not paid",
    accounts="Accounts",
    accounts_after="After the last day all but the root account are deactivated.",
    data="Data",
    data_until="can be taken along until {day}",
    notes=(
        (
            "Until the end of the last day everything works as before, and the root account can withdraw the"
            " cancellation."
        ),
        "The last month is billed in the month after it as usual. What is not paid stays due.",
        (
            "This document says what was confirmed. Whether the last day was moved, or the cancellation"
            " withdrawn, later is shown on the page Contract details."
        ),
    ),
)

WORDS: Mapping[Language, Words] = {Language.JA: JA, Language.EN: EN}

"""The words of a printed invoice or credit note, in both languages.

They stand here and not in the translation catalogue, because they are frozen with the document:
an invoice in Japanese is printed in Japanese whatever catalogue is installed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from accounts.enums import Language, PaymentTerms
from billing.enums import InvoiceKind, TaxCode
from core.money import Rounding


@dataclass(frozen=True, slots=True)
class Words:
    """One language's sentences; the names in braces are filled in by `content`."""

    titles: Mapping[str, str]  # by InvoiceKind
    day: str  # for babel
    honorific: str
    fee_unit: str
    fee_detail: str
    month_fee_detail: str
    usage_free: str
    usage_over: str
    usage_uncharged: str
    adjustment_detail: str
    rate_back_detail: str
    tax_names: Mapping[TaxCode, str]
    rounding: Mapping[Rounding, str]
    reduced_note: str
    out_of_scope_note: str
    follows_note: str
    not_qualified_notes: Mapping[str, str]  # by InvoiceKind
    carried_note: str
    pay: Mapping[PaymentTerms, str]
    separator: str


JA = Words(
    titles={InvoiceKind.MONTHLY: "請求書", InvoiceKind.CREDIT_NOTE: "返還請求書"},
    day="y年M月d日",
    honorific="御中",
    fee_unit="口",
    fee_detail="月額 {unit} × {steps}口",
    month_fee_detail="月額",
    usage_free="無料枠 {included} 以内",
    usage_over="無料枠 {included} を超えた {over} 分: {tiers}",
    usage_uncharged="課金対象外",
    adjustment_detail="使用量 {before} → {now}、金額 {net_before} → {net_now}",
    rate_back_detail="{rate}のご請求額 {billed} のうち {gross}(いずれも税込)",
    tax_names={
        TaxCode.JP10: "10%対象",
        TaxCode.JP8R: "8%対象(軽減税率)※",
        TaxCode.OUT_OF_SCOPE: "不課税",
    },
    rounding={
        Rounding.DOWN: "消費税額は、税率ごとの合計額から計算し、1{minor}未満を切り捨てています。",
        Rounding.HALF_UP: "消費税額は、税率ごとの合計額から計算し、1{minor}未満を四捨五入しています。",
        Rounding.UP: "消費税額は、税率ごとの合計額から計算し、1{minor}未満を切り上げています。",
    },
    reduced_note="※は軽減税率(8%)の対象です。",
    out_of_scope_note="「不課税」は、国外のお客様への役務の提供のため、日本の消費税の対象外です。",
    follows_note="消費税額は、元の請求書の税率ごとの消費税額に合わせて計算しています。",
    not_qualified_notes={
        InvoiceKind.MONTHLY: "この請求書は適格請求書ではありません。",
        InvoiceKind.CREDIT_NOTE: "この返還請求書は適格返還請求書ではありません。",
    },
    carried_note="{amount}(税抜)を翌月以降のご請求に充当いたします。",
    pay={
        PaymentTerms.PAYPAL: "ご登録のPayPalから自動でお引き落としいたします。お手続きは不要です。",
        PaymentTerms.PAID: "Paidによる請求書払いです。Paidからのご案内に従ってお支払いください。",
        PaymentTerms.NONE: "お支払い方法は、請求情報の『プランとお支払い方法』でご登録ください。",
    },
    separator="、",
)

EN = Words(
    titles={InvoiceKind.MONTHLY: "Invoice", InvoiceKind.CREDIT_NOTE: "Credit note"},
    day="d MMMM y",
    honorific="",
    fee_unit="",
    fee_detail="Monthly fee {unit} × {steps}",
    month_fee_detail="Monthly fee",
    usage_free="Within the {included} included",
    usage_over="{over} over the {included} included: {tiers}",
    usage_uncharged="Not charged",
    adjustment_detail="Usage {before} → {now}, amount {net_before} → {net_now}",
    rate_back_detail="{rate}: {gross} of the {billed} billed, tax included in both",
    tax_names={
        TaxCode.JP10: "Consumption tax 10%",
        TaxCode.JP8R: "Consumption tax 8% (reduced rate) ※",
        TaxCode.OUT_OF_SCOPE: "Outside the scope of consumption tax",
    },
    rounding={
        Rounding.DOWN: "Tax is computed on the sum of each rate and rounded down to the {minor}.",
        Rounding.HALF_UP: "Tax is computed on the sum of each rate and rounded half up to the {minor}.",
        Rounding.UP: "Tax is computed on the sum of each rate and rounded up to the {minor}.",
    },
    reduced_note="※ marks items at the reduced rate of 8%.",
    out_of_scope_note=(
        "The services are supplied to a customer outside Japan and are outside the scope of "
        "Japanese consumption tax."
    ),
    follows_note="For each rate, the tax given back follows the tax of the original invoice.",
    not_qualified_notes={
        InvoiceKind.MONTHLY: "This is not a qualified invoice under Japanese law.",
        InvoiceKind.CREDIT_NOTE: "This is not a qualified return invoice under Japanese law.",
    },
    carried_note="{amount} (tax excluded) is carried forward to your next invoices.",
    pay={
        PaymentTerms.PAYPAL: (
            "Collected automatically through your registered PayPal account. "
            "There is nothing you need to do."
        ),
        PaymentTerms.PAID: "Paid by invoice through Paid. Follow the instructions that Paid sends you.",
        PaymentTerms.NONE: "Register a payment method in the portal, or ask Support.",
    },
    separator=", ",
)

WORDS: Mapping[str, Words] = {Language.JA: JA, Language.EN: EN}

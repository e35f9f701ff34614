"""The words of a printed invoice, credit note or quotation, in both languages.

They stand here and not in the translation catalogue, because they are frozen with the document:
an invoice in Japanese is printed in Japanese whatever catalogue is installed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from accounts.enums import Language, PaymentTerms
from billing.enums import InvoiceKind, TaxCode
from core.money import Rounding

# Beside the kinds of issued documents: what is shown before there is one.
QUOTE = "quote"


@dataclass(frozen=True, slots=True)
class Labels:
    """What stands beside the values of one kind of document; where it has no such value, nothing."""

    title: str
    number: str
    issued_on: str
    amount: str
    item: str
    total: str
    recipient: str = ""
    due_on: str = ""
    pay: str = ""
    period: str = ""
    order: str = ""
    original: str = ""
    reason: str = ""
    valid_until: str = ""
    accounts: str = ""


@dataclass(frozen=True, slots=True)
class Columns:
    """The headings that are the same on every document."""

    quantity: str
    unit: str
    net: str
    rate: str
    rate_net: str
    rate_tax: str
    subtotal: str
    tax: str


@dataclass(frozen=True, slots=True)
class Words:
    """One language's sentences; the names in braces are filled in by `content`."""

    labels: Mapping[str, Labels]  # by InvoiceKind, and QUOTE
    columns: Columns
    original: str
    day: str  # for babel
    span: str
    honorific: str
    fee_unit: str
    fee_detail: str
    month_fee_detail: str
    spot_unit: tuple[str, str]  # one, several
    spot_detail: str
    spot_steps_detail: str
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
    paid: Mapping[PaymentTerms, str]  # of what is issued once it is paid
    quote_notes: tuple[str, ...]
    separator: str


JA = Words(
    labels={
        InvoiceKind.MONTHLY: Labels(
            title="請求書",
            number="請求書番号",
            issued_on="発行日",
            amount="ご請求金額(税込)",
            item="内容",
            total="合計(税込)",
            due_on="お支払期限",
            pay="お支払方法",
            period="ご利用期間",
        ),
        InvoiceKind.SPOT: Labels(
            title="請求書",
            number="請求書番号",
            issued_on="発行日",
            amount="ご請求金額(税込)",
            item="内容",
            total="合計(税込)",
            order="ご注文番号",
            period="ご利用期間",
            pay="お支払方法",
        ),
        InvoiceKind.CREDIT_NOTE: Labels(
            title="返還請求書",
            number="返還請求書番号",
            issued_on="返還日(発行日)",
            amount="返還金額(税込)",
            item="返還の内容",
            total="返還金額の合計(税込)",
            original="元の請求書",
            period="元のご利用期間",
            reason="返還の理由",
        ),
        QUOTE: Labels(
            title="お見積書",
            number="お見積番号",
            issued_on="お見積日",
            amount="お見積金額(税込)",
            item="内容",
            total="合計(税込)",
            period="ご利用期間",
            valid_until="有効期限",
            accounts="追加アカウント数",
        ),
    },
    columns=Columns(
        quantity="数量",
        unit="単位",
        net="金額(税抜)",
        rate="税率",
        rate_net="対象金額(税抜)",
        rate_tax="消費税額",
        subtotal="小計(税抜)",
        tax="消費税",
    ),
    original="{number}({issued_on}発行)",
    day="y年M月d日",
    span="{first}〜{last}",
    honorific="御中",
    fee_unit="口",
    fee_detail="月額 {unit} × {steps}口",
    month_fee_detail="月額",
    spot_unit=("か月", "か月"),
    spot_detail="月額 {unit} × {months}か月",
    spot_steps_detail="月額 {unit} × {steps}口 × {months}か月",
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
        InvoiceKind.SPOT: "この請求書は適格請求書ではありません。",
        InvoiceKind.CREDIT_NOTE: "この返還請求書は適格返還請求書ではありません。",
    },
    carried_note="{amount}(税抜)を翌月以降のご請求に充当いたします。",
    pay={
        PaymentTerms.PAYPAL: "ご登録のPayPalから自動でお引き落としいたします。お手続きは不要です。",
        PaymentTerms.PAID: "Paidによる請求書払いです。Paidからのご案内に従ってお支払いください。",
        PaymentTerms.NONE: "お支払い方法は、請求情報の『プランとお支払い方法』でご登録ください。",
    },
    paid={
        PaymentTerms.PAYPAL: "PayPalでお支払い済みです。",
        PaymentTerms.PAID: "Paidの請求書払いで承りました。Paidからのご案内に従ってお支払いください。",
        PaymentTerms.NONE: "お支払い済みです。",
    },
    quote_notes=(
        "このお見積書は請求書ではありません。お支払いは、ご注文のお手続きのときにお願いいたします。",
        (
            "有効期限内であっても、料金の改定やご契約内容の変更により、金額が変わる場合がございます。"
            "ご注文の確認画面に表示される金額が、確定した金額となります。"
        ),
    ),
    separator="、",
)

EN = Words(
    labels={
        InvoiceKind.MONTHLY: Labels(
            title="Invoice",
            number="Invoice no.",
            issued_on="Issue date",
            amount="Amount due, tax included",
            item="Description",
            total="Total (tax included)",
            recipient="Billed to",
            due_on="Due date",
            pay="Payment",
            period="Billing period",
        ),
        InvoiceKind.SPOT: Labels(
            title="Invoice",
            number="Invoice no.",
            issued_on="Issue date",
            amount="Amount, tax included",
            item="Description",
            total="Total (tax included)",
            recipient="Billed to",
            order="Order no.",
            period="Period",
            pay="Payment",
        ),
        InvoiceKind.CREDIT_NOTE: Labels(
            title="Credit note",
            number="Credit note no.",
            issued_on="Date of credit",
            amount="Amount credited, tax included",
            item="Description",
            total="Total (tax included)",
            recipient="Credited to",
            original="Original invoice",
            period="Billing period",
            reason="Reason",
        ),
        QUOTE: Labels(
            title="Quotation",
            number="Quotation no.",
            issued_on="Date",
            amount="Quoted amount, tax included",
            item="Description",
            total="Total (tax included)",
            recipient="Prepared for",
            period="Period",
            valid_until="Valid until",
            accounts="Extra accounts",
        ),
    },
    columns=Columns(
        quantity="Quantity",
        unit="Unit",
        net="Amount (net)",
        rate="Tax rate",
        rate_net="Net",
        rate_tax="Tax",
        subtotal="Subtotal (net)",
        tax="Consumption tax",
    ),
    original="{number}, issued {issued_on}",
    day="d MMMM y",
    span="{first} – {last}",
    honorific="",
    fee_unit="",
    fee_detail="Monthly fee {unit} × {steps}",
    month_fee_detail="Monthly fee",
    spot_unit=("month", "months"),
    spot_detail="Monthly fee {unit} × {months}",
    spot_steps_detail="Monthly fee {unit} × {steps} × {months} months",
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
        InvoiceKind.SPOT: "This is not a qualified invoice under Japanese law.",
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
    paid={
        PaymentTerms.PAYPAL: "Paid with PayPal.",
        PaymentTerms.PAID: (
            "Accepted for payment by invoice through Paid. Follow the instructions that Paid sends you."
        ),
        PaymentTerms.NONE: "Paid.",
    },
    quote_notes=(
        "This quotation is not an invoice. You pay when you place the order.",
        (
            "Until then the amount can still change, with our price list or with your contract. The amount "
            "that counts is the one shown when you confirm the order."
        ),
    ),
    separator=", ",
)

WORDS: Mapping[str, Words] = {Language.JA: JA, Language.EN: EN}

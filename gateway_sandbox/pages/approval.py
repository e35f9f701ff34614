"""The page at which a payer approves, as PayPal's own would be."""

from html import escape
from urllib.parse import urlsplit

from gateway_sandbox.answers import Answer, form_in, of_page, see_other
from gateway_sandbox.pages.layout import page
from gateway_sandbox.paypal.control import DEFAULT_EMAIL, NotApprovable, PayPalStaff
from gateway_sandbox.rows import Order, Request, SetupToken, amount_out
from gateway_sandbox.world import World

WORDS = {
    "en": {
        "banner": "Sandbox: this is not PayPal, and no money moves.",
        "method": "Save PayPal as your payment method",
        "payment": "Approve this payment",
        "merchant": "Merchant",
        "amount": "Amount",
        "what": "For",
        "saved": "The merchant may charge this account for what you owe each month.",
        "email": "PayPal account (e-mail address)",
        "hint": "Any address will do. It stands for one payer in the sandbox.",
        "approve": "Approve",
        "decline": "Approve, but decline charges",
        "cancel": "Cancel and go back",
        "ended": "This visit has ended",
        "ended_text": "It was approved or cancelled before, or has expired. Go back to the merchant"
        " and start again.",
        "invalid": "Enter an e-mail address, such as payer@example.com.",
    },
    "ja": {
        "banner": "サンドボックス：これは PayPal ではありません。お金は動きません。",
        "method": "PayPal をお支払い方法として登録",
        "payment": "お支払いの承認",
        "merchant": "加盟店",
        "amount": "金額",
        "what": "内容",
        "saved": "毎月のご請求額を、加盟店がこのアカウントから引き落とせるようになります。",
        "email": "PayPal アカウント（メールアドレス）",
        "hint": "どのアドレスでもかまいません。サンドボックスでは支払人ひとりを表します。",
        "approve": "承認する",
        "decline": "承認するが、以後の支払いは拒否する",
        "cancel": "キャンセルして戻る",
        "ended": "この手続きは終了しています",
        "ended_text": "すでに承認またはキャンセルされたか、有効期限が切れています。"
        "加盟店のページに戻り、もう一度やり直してください。",
        "invalid": "メールアドレスを入力してください（例：payer@example.com）。",
    },
}
_LONGEST_EMAIL = 254


class Approvals:
    """GET shows the page, POST acts and sends the payer back."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._staff = PayPalStaff(world)

    def answer(self, request: Request) -> Answer:
        """Return the page, or the way back."""
        with self._world.ledger.change():
            try:
                visit = self._staff.visit(request.path)
            except NotApprovable:
                words = WORDS[_language("", request)]
                body = f"<p>{escape(words['ended_text'])}</p>"
                language = _language("", request)
                html = page(words["ended"], body, language=language, banner=words["banner"])
                return of_page(410, html)
            if request.method == "POST":
                return self._act(visit, request)
            return of_page(200, self._page(visit, _language(visit.locale, request)))

    def _act(self, visit: SetupToken | Order, request: Request) -> Answer:
        form = form_in(request)
        if form.get("act") == "cancel":
            return see_other(self._staff.cancel(visit.id))
        email = form.get("email", "").strip()
        if "@" not in email[1:-1] or len(email) > _LONGEST_EMAIL:
            return of_page(400, self._page(visit, _language(visit.locale, request), email=email))
        declines = form.get("act") == "decline"
        return see_other(self._staff.approve(visit.id, email=email, declines=declines))

    def _page(self, visit: SetupToken | Order, language: str, *, email: str | None = None) -> str:
        words = {name: escape(text) for name, text in WORDS[language].items()}
        back = urlsplit(visit.return_url).netloc
        rows = [(words["merchant"], visit.brand or back or self._world.accounts.merchant)]
        if isinstance(visit, Order):
            rows.append((words["amount"], _shown_amount(visit)))
        if visit.description:
            rows.append((words["what"], visit.description))
        listed = "".join(
            f"<div><dt>{name}</dt><dd>{escape(text)}</dd></div>" for name, text in rows
        )
        note = "" if isinstance(visit, Order) else f"<p>{words['saved']}</p>"
        wrong = "" if email is None else f'<p role="alert" id="wrong">{words["invalid"]}</p>'
        described = "hint" if email is None else "hint wrong"
        value = escape(DEFAULT_EMAIL if email is None else email)
        buttons = "".join(
            f'<button name="act" value="{act}"{extra}>{words[act]}</button>'
            for act, extra in (
                ("approve", ' class="primary"'),
                ("decline", ""),
                ("cancel", " formnovalidate"),
            )
        )
        body = (
            f"<dl>{listed}</dl>{note}"
            f'<form method="post"><label for="email">{words["email"]}</label>'
            f'<input id="email" name="email" type="email" required maxlength="254" value="{value}"'
            f' autocomplete="off" aria-describedby="{described}">'
            f'<p id="hint" class="quiet">{words["hint"]}</p>{wrong}{buttons}</form>'
        )
        title = WORDS[language]["payment" if isinstance(visit, Order) else "method"]
        return page(title, body, language=language, banner=WORDS[language]["banner"])


def _shown_amount(order: Order) -> str:
    if order.currency == "JPY":
        return f"¥{order.amount:,}"
    return f"{amount_out(order.currency, order.amount)} {order.currency}"


def _language(locale: str, request: Request) -> str:
    wanted = locale or request.headers.get("accept-language", "")
    return "ja" if wanted.lower().startswith("ja") else "en"

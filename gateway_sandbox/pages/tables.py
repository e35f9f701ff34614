"""The sections of the sandbox's own page, as HTML. Every value is escaped."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from typing import TypeVar

from gateway_sandbox.fault_kinds import Fault
from gateway_sandbox.rows import (
    Capture,
    Member,
    Notice,
    Payer,
    PaymentToken,
    Refund,
    Request,
    Trade,
    amount_out,
)

T = TypeVar("T")

SHOWN = 50
_ISSUES = (
    "INSTRUMENT_DECLINED",
    "TRANSACTION_REFUSED",
    "PAYER_CANNOT_PAY",
    "PAYER_ACCOUNT_LOCKED_OR_CLOSED",
    "AGREEMENT_ALREADY_CANCELLED",
    "PAYER_ACTION_REQUIRED",
)
_NEXT = (
    "pending",
    "declined",
    "wrong amount",
    "wrong currency",
    "other merchant",
    "other key",
    "pending refund",
)
_PATHS = (
    "POST /v2/checkout/orders",
    "POST /v2/checkout/orders/*/capture",
    "POST /v2/payments/captures/*/refund",
    "POST /v3/vault/*",
    "GET /v*",
    "/v1/oauth2/token",
    "/y/coop/member/*",
    "/y/coop/Register/*",
    "/y/coop/Fix/*",
    "/y/coop/Cancel/*",
    "*",
)


def clock(now: datetime) -> str:
    """Return the sandbox's time, and how to make older what ends by itself."""
    return _section(
        "clock",
        "Clock",
        f"<p>It is {now:%Y-%m-%d %H:%M:%S} UTC here. PayPal-Request-Ids end after 3 hours, 6 hours or"
        " 45 days, visits after 3 days. Payments keep their dates.</p>"
        + _form(
            "clock",
            "age",
            "<label>Make request ids, visits and reviews older by hours"
            '<input name="hours" type="number" value="7" step="any"></label>',
            "Make older",
        ),
    )


def faults(in_force: Iterable[Fault], kinds: Iterable[str]) -> str:
    """Return the faults in force, and how to add one."""
    rows = [[fault.name, fault.pattern, _left(fault), str(fault.hits)] for fault in in_force]
    paths = "".join(f'<option value="{escape(path)}"></option>' for path in _PATHS)
    add = _form(
        "faults",
        "fault",
        _select("kind", "What goes wrong", kinds)
        + '<label>Where<input name="pattern" list="paths" value="POST /v2/checkout/orders"></label>'
        + f'<datalist id="paths">{paths}</datalist>'
        + '<label>How often (empty: until removed)<input name="times" type="number" min="1"'
        + ' value="1"></label>',
        "Add",
    )
    following = _form(
        "faults", "next_capture", _select("what", "The next capture is", _NEXT), "Set"
    )
    buttons = _button("faults", "clear_faults", "Remove all faults") + _button(
        "faults", "forget_keys", "Forget all PayPal-Request-Ids"
    )
    listed = _table(("Fault", "Where", "Left", "Met"), rows)
    return _section("faults", "Faults", add + following + buttons + listed)


def payers(rows: Sequence[Payer]) -> str:
    """Return the payers at PayPal, and what their charges answer."""
    listed = [
        [
            row.id,
            row.declines or "goes through",
            _Html(
                _button("payers", "charges", "Let charges through", row.id)
                if row.declines
                else _form(
                    "payers", "charges", _select("issue", "", _ISSUES, row.id), "Decline", row.id
                )
            ),
        ]
        for row in rows
    ]
    return _section("payers", "PayPal: payers", _table(("Payer", "A charge …", ""), listed))


def agreements(rows: Sequence[PaymentToken]) -> str:
    """Return who lets the merchant charge."""
    listed = [
        [
            row.id,
            row.email,
            row.merchant_customer,
            f"{row.created_at:%Y-%m-%d %H:%M}",
            "ended" if row.deleted_at else "in force",
            _Html(
                ""
                if row.deleted_at
                else _button("agreements", "delete_agreement", "Payer ends it", row.id)
            ),
        ]
        for row in _newest(rows)
    ]
    head = ("Agreement", "Payer", "Customer", "Since", "State", "")
    return _section("agreements", "PayPal: agreements", _table(head, listed))


def captures(rows: Sequence[Capture]) -> str:
    """Return what was taken."""
    listed = []
    for row in _newest(rows):
        acts = ""
        if row.status == "PENDING":
            acts = _button("captures", "complete", "Complete", row.id)
            acts += _button("captures", "deny", "Deny", row.id)
        elif row.status in {"COMPLETED", "PARTIALLY_REFUNDED"}:
            acts = _button("captures", "reverse", "Reverse", row.id)
            acts += _button("captures", "chargeback", "Charge back", row.id)
        listed.append(
            [
                row.id,
                row.invoice_id,
                _Number(_money(row.amount, row.currency)),
                row.status,
                f"{row.created_at:%Y-%m-%d %H:%M}",
                _Html(acts),
            ]
        )
    head = ("Capture", "Invoice", "Amount", "State", "Taken", "")
    return _section("captures", "PayPal: captures", _table(head, listed))


def refunds(rows: Sequence[Refund]) -> str:
    """Return what went back."""
    listed = []
    for row in _newest(rows):
        acts = ""
        if row.status == "PENDING":
            acts = _button("refunds", "complete_refund", "Complete", row.id)
            acts += _button("refunds", "fail_refund", "Fail", row.id)
        amount = _Number(_money(row.amount, row.currency))
        listed.append([row.id, row.capture, amount, row.status, row.note, _Html(acts)])
    head = ("Refund", "Capture", "Amount", "State", "Note", "")
    return _section("refunds", "PayPal: refunds", _table(head, listed))


def members(rows: Sequence[Member], *, is_automatic: bool) -> str:
    """Return the buyers at Paid, and their reviews."""
    listed = []
    for row in _newest(rows):
        acts = ""
        if row.status != "active":
            acts += _button("members", "approve_member", "Approve", row.id)
        if row.status == "reviewing":
            acts += _button("members", "reject_member", "Reject", row.id)
        if row.status == "active":
            acts += _button("members", "block_member", "Block", row.id)
        name = row.data.get("companyName", "")
        limit = _Number(_money(row.limit, "JPY"))
        listed.append([row.id, name, row.data.get("email", ""), row.status, limit, _Html(acts)])
    how = "New members are approved by themselves." if is_automatic else "You review new members."
    wait = _form(
        "members",
        "review",
        "<label>Approve by itself after seconds (empty: never)"
        '<input name="seconds" type="number" min="0" value="60"></label>',
        "Set",
    )
    head = ("Member", "Company", "E-mail", "State", "Limit", "")
    return _section("members", "Paid: members", f"<p>{how}</p>{wait}{_table(head, listed)}")


def trades(rows: Sequence[Trade], settlement: str) -> str:
    """Return the transactions at Paid."""
    listed = [
        [
            row.id,
            row.member,
            _Number(_money(row.price, "JPY")),
            row.status,
            f"{row.fixed_on}" if row.fixed_on else "",
            f"{row.settled_on}" if row.settled_on else "",
        ]
        for row in _newest(rows)
    ]
    head = ("Transaction", "Member", "Amount", "State", "Fixed", "Paid out")
    link = f'<p><a href="{escape(settlement)}">This month’s settlement file (CSV)</a></p>'
    acts = _button("trades", "settle", "Pay out all that is fixed")
    return _section("trades", "Paid: transactions", link + acts + _table(head, listed))


def notices(rows: Sequence[Notice]) -> str:
    """Return what PayPal told, and how it was taken."""
    listed = [
        [
            f"{row.created_at:%m-%d %H:%M:%S}",
            row.kind,
            row.resource,
            "waiting" if row.is_due else ("sent" if row.tries else "not sent"),
            ", ".join(map(str, row.answers)),
            _Html(_button("notices", "send_notice", "Send again", row.id)),
        ]
        for row in _newest(rows)
    ]
    acts = _button("notices", "hold_notices", "Hold notices back") + _button(
        "notices", "send_held", "Send those held back"
    )
    head = ("At", "Kind", "About", "State", "Answers", "")
    return _section("notices", "PayPal: notices", acts + _table(head, listed))


def requests(rows: Sequence[Request]) -> str:
    """Return the latest requests of the merchant; neither header nor body is shown."""
    ours = [row for row in rows if not row.path.startswith(("/sandbox", "/style.css"))]
    listed = [
        [f"{row.at:%m-%d %H:%M:%S}", row.method, row.path, str(row.status or "none")]
        for row in _newest(ours)
    ]
    head = ("At", "Method", "Path", "Answer")
    return _section("requests", "Requests", _table(head, listed))


class _Html(str):
    """A cell that is HTML already."""

    __slots__ = ()


class _Number(str):
    """A cell that is aligned to the right."""

    __slots__ = ()


def _newest(rows: Sequence[T]) -> list[T]:
    return list(reversed(rows))[:SHOWN]


def _money(amount: int, currency: str) -> str:
    return f"¥{amount:,}" if currency == "JPY" else f"{amount_out(currency, amount)} {currency}"


def _left(fault: Fault) -> str:
    return "until removed" if fault.times is None else str(fault.times - fault.hits)


def _section(name: str, title: str, body: str) -> str:
    return f'<section id="{name}"><h2>{escape(title)}</h2>{body}</section>'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return '<p class="quiet">None yet.</p>'
    titles = "".join(f'<th scope="col">{escape(title) or "Actions"}</th>' for title in head)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    # The box scrolls by itself, so it has to be reachable by keyboard.
    box = f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(head[0])}">'
    return f"{box}<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>"


def _cell(value: str) -> str:
    if isinstance(value, _Html):
        return f"<td>{value}</td>"
    kind = ' class="number"' if isinstance(value, _Number) else ""
    return f"<td{kind}>{escape(value)}</td>"


def _form(section: str, act: str, inside: str, button: str, row: str = "") -> str:
    hidden = f'<input type="hidden" name="id" value="{escape(row)}">' if row else ""
    return (
        f'<form method="post" class="inline" action="/sandbox/">{hidden}'
        f'<input type="hidden" name="section" value="{section}">{inside}'
        f'<button name="act" value="{act}">{escape(button)}</button></form>'
    )


def _button(section: str, act: str, text: str, row: str = "") -> str:
    return _form(section, act, "", text, row)


def _select(name: str, label: str, values: Iterable[str], row: str = "") -> str:
    options = "".join(f"<option>{escape(value)}</option>" for value in values)
    named = f' aria-label="{escape(f"{name} {row}")}"' if not label else ""
    select = f'<select name="{name}"{named}>{options}</select>'
    return f"<label>{escape(label)}{select}</label>" if label else select

"""How a document stands, in the customer's words: the state, one sentence, and what happens when."""

from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from django.utils.translation import gettext, pgettext

from accounts.enums import PaymentTerms
from billing.rules import due
from core.templatetags.writing import day, moment, money_in_text
from payments.enums import ChargeState, Hold, PayableState, RefundState
from payments.gateways import registry
from payments.models import Charge, Payable, PaymentMethod, Refund
from payments.queries.payables import Listed, Outlook


@dataclass(frozen=True, slots=True)
class Told:
    """What a page says of a document. `kind`: of the badge (good, warn, bad, accent, quiet).

    `steps`: what happens when, in order, if nobody does anything.
    """

    label: str
    kind: str
    sentence: str = ""
    steps: tuple[str, ...] = ()
    can_pay_now: bool = False
    can_register: bool = False
    has_receipt: bool = False
    is_closed: bool = False


def short(listed: Listed | None, zone: ZoneInfo) -> Told:
    """Return the state of a document for a list: a word, without asking for anything more."""
    if listed is None:
        return Told(gettext("issued"), "quiet")
    payable = listed.payable
    if payable.state != PayableState.OPEN:
        return _closed_label(payable, listed.taken_by)
    if payable.overdue_at is not None:
        return Told(gettext("overdue"), "bad")
    if payable.declines:
        return Told(_declined(payable, zone), "warn")
    if payable.hold in {Hold.NO_METHOD, Hold.METHOD_BROKEN}:
        return Told(gettext("to be paid"), "warn")
    return Told(pgettext("invoice", "open"), "quiet")


def _declined(payable: Payable, zone: ZoneInfo) -> str:
    if payable.next_charge_at is None:
        return gettext("declined")
    return gettext("declined (next try %(day)s)") % {
        "day": day(payable.next_charge_at.astimezone(zone).date())
    }


def of_month(listed: Listed | None) -> str:
    """Return in one sentence how a month's invoice is paid; empty where that is not known yet."""
    if listed is None:
        return ""
    payable = listed.payable
    due_by = {"day": day(payable.due_on)}
    if payable.state in {PayableState.VOID, PayableState.WRITTEN_OFF}:
        return gettext("There is nothing to pay for it.")
    if payable.state == PayableState.PAID:
        if _bills_itself(listed.taken_by):
            company = {"company": name_of(listed.taken_by)}
            return gettext("%(company)s bills you for it.") % company
        return gettext("It is paid.") if payable.captured else gettext("There is nothing to pay.")
    if payable.overdue_at is not None:
        return gettext("It was due on %(day)s and is overdue.") % due_by
    return gettext("It is to be paid by %(day)s.") % due_by


def told(outlook: Outlook | None, zone: ZoneInfo) -> Told:
    """Return how a document stands and what happens next. Rule: B-14, R14."""
    if outlook is None:
        return Told(
            gettext("issued"),
            "quiet",
            gettext("It has just been issued; how it is paid will stand here in a few minutes."),
        )
    payable = outlook.payable
    if payable.state != PayableState.OPEN:
        return _closed(outlook, zone)
    if payable.hold == Hold.DIFFERS:
        return Told(
            gettext("being checked"),
            "warn",
            gettext(
                "What the payment company told us does not match this invoice. Support is looking "
                "into it; nothing more is charged until then."
            ),
        )
    if outlook.is_being_confirmed and outlook.live is not None:
        return _being_confirmed(outlook.live)
    if payable.hold == Hold.REVERSED:
        return Told(
            gettext("being checked"),
            "warn",
            gettext(
                "The payment company took the payment for this invoice back. Support is looking into "
                "it; nothing more is charged until then."
            ),
        )
    if payable.overdue_at is not None:
        return _overdue(outlook, zone)
    if payable.hold in {Hold.NO_METHOD, Hold.METHOD_BROKEN}:
        return _without_method(outlook, zone)
    return _scheduled(outlook, zone)


def name_of(gateway: str) -> str:
    """Return a payment company's name; of one that the settings do not name any more, its slug."""
    try:
        return registry.gateway(gateway).name
    except registry.NoSuchGateway:
        return gateway


def method_named(method: PaymentMethod) -> str:
    """Return a registered method as the customer knows it: PayPal (t•••@example.com)."""
    return (
        f"{name_of(method.gateway)} ({method.label})" if method.label else name_of(method.gateway)
    )


def _closed_label(payable: Payable, taken_by: str) -> Told:
    if payable.state == PayableState.VOID:
        return Told(gettext("credited"), "quiet")
    if payable.state == PayableState.WRITTEN_OFF:
        return Told(gettext("closed"), "quiet")
    if _bills_itself(taken_by):
        return Told(gettext("billed by %(company)s") % {"company": name_of(taken_by)}, "good")
    return Told(pgettext("invoice", "paid"), "good")


def _closed(outlook: Outlook, zone: ZoneInfo) -> Told:
    payable, taken = outlook.payable, outlook.taken
    label = _closed_label(payable, taken.gateway if taken else "")
    if payable.state == PayableState.VOID:
        return Told(
            label.label,
            label.kind,
            gettext("It was credited in full. There is nothing to pay."),
            is_closed=True,
            steps=_given_back(outlook, zone),
        )
    if payable.state == PayableState.WRITTEN_OFF:
        return Told(
            label.label, label.kind, gettext("Nothing more is collected for it."), is_closed=True
        )
    if taken is None or taken.decided_at is None:
        return Told(label.label, label.kind, gettext("There is nothing to pay."), is_closed=True)
    if _bills_itself(taken.gateway):
        return Told(
            label.label,
            label.kind,
            gettext(
                "%(company)s bills you %(amount)s with an invoice of its own, to be paid by %(day)s."
            )
            % {
                "company": name_of(taken.gateway),
                "amount": money_in_text(taken.amount, taken.currency),
                "day": day(_billed_by(taken.on)),
            },
            steps=_given_back(outlook, zone),
            is_closed=True,
        )
    by = method_named(taken.method) if taken.method else name_of(taken.gateway)
    return Told(
        label.label,
        label.kind,
        gettext("%(amount)s was paid on %(day)s with %(method)s.")
        % {
            "amount": money_in_text(taken.amount, taken.currency),
            "day": day(taken.decided_at.astimezone(zone).date()),
            "method": by,
        },
        steps=_given_back(outlook, zone),
        has_receipt=True,
        is_closed=True,
    )


def _given_back(outlook: Outlook, zone: ZoneInfo) -> tuple[str, ...]:
    return tuple(_refund(each, zone) for each in outlook.given_back)


def _refund(refund: Refund, zone: ZoneInfo) -> str:
    amount = {"amount": money_in_text(refund.amount, refund.currency)}
    if refund.state == RefundState.SUCCEEDED and refund.decided_at is not None:
        return gettext("%(amount)s was given back on %(day)s.") % {
            **amount,
            "day": day(refund.decided_at.astimezone(zone).date()),
        }
    if refund.state == RefundState.FAILED:
        return (
            gettext(
                "The payment company could not give %(amount)s back; Support pays it to you in another "
                "way."
            )
            % amount
        )
    return gettext("%(amount)s is being given back; we tell you by mail once it is done.") % amount


def _being_confirmed(live: Charge) -> Told:
    names = {"company": name_of(live.gateway)}
    if live.state == ChargeState.PENDING:
        return Told(
            gettext("processing"),
            "accent",
            gettext(
                "%(company)s is still processing the payment. There is nothing you need to do; we "
                "tell you by mail how it ends."
            )
            % names,
        )
    return Told(
        gettext("being confirmed"),
        "accent",
        gettext(
            "We are confirming with %(company)s whether the payment arrived. Nothing is charged a "
            "second time; there is nothing you need to do."
        )
        % names,
    )


def _overdue(outlook: Outlook, zone: ZoneInfo) -> Told:
    return Told(
        gettext("overdue"),
        "bad",
        gettext("%(amount)s was due on %(day)s and is not paid yet.")
        % {
            "amount": money_in_text(outlook.payable.balance, outlook.payable.currency),
            "day": day(outlook.payable.due_on),
        },
        steps=_charged_next(outlook, zone),
        can_pay_now=outlook.can_pay_now,
    )


def _without_method(outlook: Outlook, zone: ZoneInfo) -> Told:
    if outlook.payable.hold == Hold.METHOD_BROKEN:
        sentence = gettext(
            "The registered payment method does not work any more. Register one again and it is "
            "charged, or pay now, by %(day)s."
        )
    else:
        sentence = gettext(
            "No payment method is registered. Register one and it is charged, or pay now, by "
            "%(day)s."
        )
    return Told(
        gettext("to be paid"),
        "warn",
        sentence % {"day": day(outlook.payable.due_on)},
        can_pay_now=outlook.can_pay_now,
        can_register=True,
    )


def _scheduled(outlook: Outlook, zone: ZoneInfo) -> Told:
    payable, live = outlook.payable, outlook.live
    if live is not None and live.method_id and live.next_look_at is not None:
        return Told(
            gettext("waiting"),
            "warn",
            gettext(
                "%(company)s could not be reached. Nothing was charged; we try again at %(moment)s."
            )
            % {"company": name_of(live.gateway), "moment": moment(live.next_look_at, zone.key)},
        )
    if payable.declines:
        return Told(
            _declined(payable, zone),
            "warn",
            gettext(
                "The charge was declined. Make sure that the payment method can be charged, or pay now."
            ),
            steps=_charged_next(outlook, zone),
            can_pay_now=outlook.can_pay_now,
        )
    return Told(
        pgettext("invoice", "open"),
        "quiet",
        gettext("It is collected automatically. There is nothing you need to do."),
        steps=_charged_next(outlook, zone),
        can_pay_now=outlook.can_pay_now and outlook.next_charge_at is None,
    )


def _charged_next(outlook: Outlook, zone: ZoneInfo) -> tuple[str, ...]:
    if outlook.method is None or not outlook.tries:
        return ()
    first, *later = outlook.tries
    payable, gateway = outlook.payable, outlook.method.gateway
    if _bills_itself(gateway):
        sentence = gettext("%(day)s: we pass %(amount)s on to %(method)s, which bills you.")
    else:
        sentence = gettext("%(day)s: we charge %(amount)s to %(method)s.")
    steps = [
        sentence
        % {
            "day": day(first.astimezone(zone).date()),
            "amount": money_in_text(payable.balance, payable.currency),
            "method": name_of(gateway) if _bills_itself(gateway) else method_named(outlook.method),
        }
    ]
    steps += [
        gettext("%(day)s: if it is declined, we try again.")
        % {"day": day(each.astimezone(zone).date())}
        for each in later
    ]
    if outlook.payable.overdue_at is None:
        steps.append(gettext("If the last one is declined too, the invoice is overdue."))
    return tuple(steps)


def _bills_itself(gateway: str) -> bool:
    try:
        return registry.gateway(gateway).collects_by_invoice
    except registry.NoSuchGateway:
        return False


def _billed_by(on: date) -> date:
    return due.due_on(PaymentTerms.PAID, on)

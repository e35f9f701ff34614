"""What is owed and collected, document by document, and what staff decide about it."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import F
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.rules import numbers
from core import money
from core.work import ReasonMissing
from payments.admin import written
from payments.admin.forms import OperationForm
from payments.admin.office import Act, Doing, Fact, Office, Refused, Table, trail
from payments.admin.waits import waits
from payments.admin.written import Label
from payments.enums import STAFF_HOLDS, Hold, PayableState
from payments.models import Payable, PaymentMethod
from payments.queries import office as queries
from payments.queries import payables as outlooks
from payments.queries import refunds as backs
from payments.services import asking, charges, corrections

WORDS = {
    "overdue": gettext_lazy("overdue"),
    "differs": gettext_lazy("the provider's answer differs"),
    "reversed": gettext_lazy("the provider took the money back"),
}
# What keeps a credit or a write-off from being made, in words.
HINDRANCES: Mapping[type[Exception], Label] = {
    corrections.ReasonMissing: gettext_lazy("Say why."),
    corrections.ChargeUnderWay: gettext_lazy(
        "A charge for it is under way: until it is decided, nobody knows what is owed."
    ),
    corrections.OtherWaits: gettext_lazy(
        "Another correction of it waits for a second person: have it decided first."
    ),
    corrections.OperationTaken: gettext_lazy(
        "This form was sent before, with something else in it. Open it anew."
    ),
    corrections.NotOpen: gettext_lazy("Nothing is owed for it any more, or another amount."),
    corrections.NotWrittenOff: gettext_lazy("It is not written off."),
    corrections.NotHeld: gettext_lazy("Nothing of staff's keeps it from being charged."),
    corrections.NothingLeft: gettext_lazy("All of the invoice is credited."),
    corrections.MoreThanLeft: gettext_lazy("That is more than is left of the invoice."),
    corrections.NotAnAmount: gettext_lazy("Credit an amount above zero."),
    corrections.NotCreditable: gettext_lazy("There is nothing to be credited of this document."),
    corrections.NotTakenUp: gettext_lazy("The portal does not collect this invoice."),
    charges.NotNow: gettext_lazy(
        "A charge has to be withdrawn at the provider first, which cannot be reached now."
    ),
    charges.Stopped: gettext_lazy(
        "A charge has to be withdrawn at the provider first, which refuses us: its account in the"
        " settings has to be put right."
    ),
    charges.AccountDiffers: gettext_lazy(
        "A charge has to be withdrawn at the provider first. It belongs to another account than the"
        " settings name."
    ),
}


def _charge_now(doing: Doing) -> str:
    try:
        asking.charge_now(
            payable_id=doing.row.pk, reason=doing.reason, actor=doing.actor, now=doing.now
        )
    except charges.Stopped as stop:
        raise Refused(_("Charging is stopped: %(reason)s") % {"reason": stop}) from stop
    return _("It is being charged now. Load this page again in a moment.")


def _write_off(doing: Doing) -> str:
    outcome = corrections.write_off(
        payable_id=doing.row.pk,
        reason=doing.reason,
        operation=doing.typed["operation"],
        actor=doing.actor,
        now=doing.now,
    )
    if outcome.is_waiting:
        return _("It waits for a second person. Until then nothing changes.")
    return _("It is written off, and not charged any more.")


def _what_is_written_off(doing: Doing) -> Sequence[Fact]:
    row: Payable = doing.row
    return [
        (_("Given up"), money.written(row.balance, row.currency)),
        (_("Why"), doing.reason),
        (
            _("A second person is needed"),
            written.yes_or_no(backs.needs_second(row.pk, row.balance)),
        ),
    ]


def _reopen(doing: Doing) -> str:
    corrections.reopen(
        payable_id=doing.row.pk, reason=doing.reason, actor=doing.actor, now=doing.now
    )
    return _("It is open again, and charged when there is a payment method.")


def _release(doing: Doing) -> str:
    corrections.release_hold(
        payable_id=doing.row.pk, reason=doing.reason, actor=doing.actor, now=doing.now
    )
    return _("It is charged by itself again.")


_CHARGING: Mapping[type[Exception], Label] = {
    ReasonMissing: gettext_lazy("Say why."),
    asking.Held: gettext_lazy("It is held for staff: release it first."),
    charges.NotOwed: gettext_lazy("Nothing is owed for it any more."),
    charges.AttemptUnderWay: gettext_lazy("An attempt for it is under way."),
    charges.NoMethod: gettext_lazy("The organisation has no payment method that works."),
    charges.AccountDiffers: gettext_lazy(
        "The payment method belongs to another account at the provider than the settings name."
    ),
}


def _hold(row: Payable) -> str:
    return written.NOTHING if row.hold == Hold.NOTHING else row.get_hold_display()


@admin.register(Payable)
class PayableAdmin(Office):
    list_display = [
        written.plain("number", gettext_lazy("number")),
        "organisation",
        written.plain("state", gettext_lazy("state")),
        written.amount("gross", gettext_lazy("amount")),
        written.amount("balance", gettext_lazy("balance")),
        written.plain("due_on", gettext_lazy("due")),
        written.instant("overdue_at", gettext_lazy("overdue since")),
        written.instant("next_charge_at", gettext_lazy("next charge")),
        written.column(gettext_lazy("hold"), _hold, ordering="hold"),
    ]
    related = ["organisation", "invoice__vendor", "spot_order"]
    list_select_related = ["organisation"]
    list_filter = [waits(queries.PAYABLES, WORDS), "state", "kind", "hold"]
    search_fields = [
        "number__exact",
        "organisation__reference__exact",
        "organisation__name__istartswith",
    ]
    search_help_text = gettext_lazy("Number, or the organisation")
    acts = (
        Act(
            name="charge",
            label=gettext_lazy("Charge now"),
            about=gettext_lazy(
                "The registered payment method is charged once more, at once. The tries that the"
                " portal makes by itself stay as they are."
            ),
            do=_charge_now,
            is_offered=queries.may_be_charged,
            refusals=_CHARGING,
        ),
        Act(
            name="release",
            label=gettext_lazy("Release"),
            about=gettext_lazy(
                "What held it is settled: it is charged by itself again. Look at the differences and"
                " at the provider's own pages first."
            ),
            do=_release,
            is_offered=lambda row: row.state == PayableState.OPEN and row.hold in STAFF_HOLDS,
            refusals=HINDRANCES,
        ),
        Act(
            name="write-off",
            label=gettext_lazy("Write off"),
            about=gettext_lazy(
                "What is open is given up: it is not charged any more. The invoice stays as it is."
            ),
            do=_write_off,
            form=OperationForm,
            is_offered=lambda row: row.state == PayableState.OPEN and not row.is_unserved_order,
            refusals=HINDRANCES,
            preview=_what_is_written_off,
            is_grave=True,
        ),
        Act(
            name="reopen",
            label=gettext_lazy("Reopen"),
            about=gettext_lazy("What was written off is owed again, and collected."),
            do=_reopen,
            is_offered=lambda row: row.state == PayableState.WRITTEN_OFF,
            refusals=HINDRANCES,
        ),
    )

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        return [F("closed_at").desc(nulls_first=True), "due_on", "-id"]

    def named(self, row: Payable) -> str:
        return row.number

    def links(self, row: Payable) -> Sequence[object]:
        if row.invoice_id is None or row.credited == row.gross:
            return ()
        url = reverse("admin:billing_invoice_act", args=[row.invoice_id, "credit"])
        return [format_html('<a href="{}">{}</a>', url, _("Credit the invoice"))]

    def facts(self, row: Payable) -> Sequence[Fact]:
        outlook = outlooks.outlook_of(row)
        return [
            (_("Status"), row.get_state_display()),
            (_("Organisation"), written.link(row.organisation)),
            (_("Document"), _document(row)),
            *([(_("Spot order"), _order(row))] if row.spot_order_id else []),
            *(
                (label, money.written(value, row.currency))
                for label, value in (
                    (_("Amount"), row.gross),
                    (_("Credited"), row.credited),
                    (_("Captured"), row.captured),
                    (_("Given back"), row.refunded),
                    (_("Balance"), row.balance),
                )
            ),
            (_("Due"), row.due_on),
            (_("Overdue since"), written.at(row.overdue_at)),
            (_("Held"), _hold(row)),
            (_("Declined so far"), row.declines),
            (
                _("Charged next, if each is declined"),
                written.each_at(outlook.tries),
            ),
            (_("Payment method"), written.link(outlook.method, _method(outlook.method))),
            (_("Announced"), written.at(row.announced_at)),
            (_("Closed"), written.at(row.closed_at)),
        ]

    def tables(self, row: Payable) -> Sequence[Table]:
        return [_charges(row), _corrections(row), _refunds(row), trail("payable", row)]


def _document(row: Payable) -> object:
    """Return the link to an invoice; that of a spot order bears another number than the payable."""
    if row.invoice is None:
        return written.NOTHING
    invoice = row.invoice
    number = numbers.written(invoice.vendor.invoice_prefix, invoice.number, invoice.kind)
    return written.link(invoice, number)


def _order(row: Payable) -> str:
    order = row.spot_order
    if order is None:
        return written.NOTHING
    return written.link(order, f"{order.number} ({order.get_state_display()})")


def _method(method: PaymentMethod | None) -> str:
    return f"{method.gateway} {method.label} ({method.get_state_display()})" if method else ""


def _charges(row: Payable) -> Table:
    return Table(
        gettext_lazy("Charges"),
        [
            *(gettext_lazy("Charge"), gettext_lazy("Status"), gettext_lazy("Amount")),
            *(gettext_lazy("Provider"), gettext_lazy("Made"), gettext_lazy("Code")),
        ],
        [
            [
                written.link(each, each.key),
                each.get_state_display(),
                money.written(each.amount, each.currency),
                each.gateway,
                written.at(each.created_at),
                each.code,
            ]
            for each in row.charges.order_by("id")
        ],
    )


def _corrections(row: Payable) -> Table:
    return Table(
        gettext_lazy("Corrections"),
        [
            *(gettext_lazy("What"), gettext_lazy("Status"), gettext_lazy("Amount")),
            *(gettext_lazy("Reason"), gettext_lazy("Asked for")),
        ],
        [
            [
                written.link(each, each.get_kind_display()),
                each.get_state_display(),
                money.written(each.gross, each.currency),
                each.reason,
                written.at(each.requested_at),
            ]
            for each in row.corrections.order_by("id")
        ],
    )


def _refunds(row: Payable) -> Table:
    return Table(
        gettext_lazy("Money given back"),
        [
            *(gettext_lazy("Refund"), gettext_lazy("Status"), gettext_lazy("Amount")),
            *(gettext_lazy("Reason"), gettext_lazy("Made")),
        ],
        [
            [
                written.link(each, each.key),
                each.get_state_display(),
                money.written(each.amount, each.currency),
                each.reason,
                written.at(each.created_at),
            ]
            for each in backs.refunds_of(row.pk)
        ],
    )

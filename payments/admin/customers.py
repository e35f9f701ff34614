"""Customers and invoices with what the payments know of them."""

from collections.abc import Sequence

from django.contrib import admin
from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin import OrganisationAdmin
from accounts.models import Organisation
from billing.admin import InvoiceAdmin
from billing.enums import InvoiceKind
from billing.models import Invoice
from core import money
from payments.admin import written
from payments.admin.amounts import minor
from payments.admin.forms import CreditForm
from payments.admin.office import Act, Doing, Fact, Office, Table, trail
from payments.admin.payables import HINDRANCES
from payments.models import Charge, Correction, Payable, PaymentMethod, Refund, SupportRequest
from payments.queries import office as queries
from payments.queries import refunds as backs
from payments.services import corrections

admin.site.unregister([Organisation, Invoice])


def _what_is_left(row: Invoice) -> Sequence[Fact]:
    seen = backs.preview(invoice_id=row.pk)
    captured = seen.payable.captured if seen.payable else 0
    back = seen.payable.refunded if seen.payable else 0
    return [
        (_("Invoice"), money.written(row.gross, row.currency)),
        (_("Left to be credited"), money.written(seen.left, row.currency)),
        (_("Captured"), money.written(captured, row.currency)),
        (_("Given back so far"), money.written(back, row.currency)),
        *_in_the_way(seen),
    ]


def _what_comes(doing: Doing) -> Sequence[Fact]:
    row: Invoice = doing.row
    seen = backs.preview(invoice_id=row.pk, gross=_gross(doing))
    return [
        (_("Credited"), money.written(seen.gross, row.currency)),
        (_("Given back"), money.written(seen.refund, row.currency)),
        (_("Still owed afterwards"), money.written(seen.still_owed, row.currency)),
        (_("Reason on the credit note"), doing.reason),
        (_("A second person is needed"), written.yes_or_no(seen.needs_second)),
        *_in_the_way(seen),
    ]


def _in_the_way(seen: backs.Preview) -> Sequence[Fact]:
    facts: list[Fact] = []
    if seen.charge_under_way is not None:
        facts.append((_("A charge is under way"), written.link(seen.charge_under_way)))
    if seen.waiting is not None:
        facts.append((_("Waits for a second person"), written.link(seen.waiting)))
    return facts


def _gross(doing: Doing) -> int | None:
    """Return what is to be credited in minor units. Raises Refused, MoreThanLeft, NotAnAmount."""
    typed = doing.typed["gross"]
    if typed is None:
        return None
    gross = minor(typed, doing.row.currency)
    left = backs.preview(invoice_id=doing.row.pk).left
    if gross <= 0:
        raise corrections.NotAnAmount(gross)
    if gross > left:
        raise corrections.MoreThanLeft(gross, left)
    return gross


def _credit(doing: Doing) -> str:
    typed = doing.typed["gross"]
    outcome = corrections.credit_and_refund(
        invoice_id=doing.row.pk,
        gross=None if typed is None else minor(typed, doing.row.currency),
        reason=doing.reason,
        operation=doing.typed["operation"],
        actor=doing.actor,
        now=doing.now,
    )
    if outcome.is_waiting:
        return _("It waits for a second person. Until then nothing is credited or given back.")
    return _("The invoice is credited; what was paid beyond the rest is being given back.")


@admin.register(Invoice)
class CreditableInvoiceAdmin(Office, InvoiceAdmin):
    """The list of the billing room, with a page from which an invoice is credited."""

    actions = None
    related = ["organisation", "corrects"]
    acts = (
        Act(
            name="credit",
            label=gettext_lazy("Credit"),
            about=gettext_lazy(
                "A credit note is issued over the whole invoice or a part of it, and what was paid"
                " beyond the rest is given back. The invoice itself stays as it is."
            ),
            do=_credit,
            form=CreditForm,
            is_offered=lambda row: row.kind != InvoiceKind.CREDIT_NOTE and row.gross > 0,
            refusals=HINDRANCES,
            facts=_what_is_left,
            preview=_what_comes,
            is_grave=True,
        ),
    )

    def facts(self, row: Invoice) -> Sequence[Fact]:
        payable = queries.payable_of(row)
        return [
            (_("Kind"), row.get_kind_display()),
            (_("Organisation"), written.link(row.organisation)),
            (_("Month"), row.month),
            (_("Issued"), row.issued_on),
            (_("Due"), row.due_on),
            (_("Net"), money.written(row.net, row.currency)),
            (_("Tax"), money.written(row.tax, row.currency)),
            (_("Total"), money.written(row.gross, row.currency)),
            (_("Corrects"), written.link(row.corrects)),
            (_("Collected as"), written.link(payable, payable.number if payable else "")),
        ]

    def tables(self, row: Invoice) -> Sequence[Table]:
        return [_credit_notes(row), trail("invoice", row)]


def _credit_notes(row: Invoice) -> Table:
    return Table(
        gettext_lazy("Credit notes"),
        [gettext_lazy("Credit note"), gettext_lazy("Issued"), gettext_lazy("Total")],
        [
            [written.link(each), each.issued_on, money.written(each.gross, each.currency)]
            for each in queries.credit_notes_of(row)
        ],
    )


_OF_A_CUSTOMER: Sequence[tuple[type[Model], object]] = (
    (Payable, gettext_lazy("What is owed")),
    (Charge, gettext_lazy("Charges")),
    (Refund, gettext_lazy("Refunds")),
    (Correction, gettext_lazy("Corrections")),
    (PaymentMethod, gettext_lazy("Payment methods")),
    (SupportRequest, gettext_lazy("Requests")),
)


@admin.register(Organisation)
class CustomerAdmin(Office, OrganisationAdmin):
    """The list of the accounts room, with a page that leads to a customer's money."""

    actions = None

    def links(self, row: Organisation) -> Sequence[object]:
        return [
            written.list_link(model, f"organisation__id__exact={row.pk}", str(words))
            for model, words in _OF_A_CUSTOMER
        ]

    def facts(self, row: Organisation) -> Sequence[Fact]:
        standing = queries.standing_of(row.pk)
        overview = reverse("admin:payments_chargingstop_changelist")
        charging = format_html(
            '{} <a href="{}">{}</a>',
            standing.stopped or _("nothing is stopped"),
            overview,
            _("Let charging go on") if standing.stopped else _("Stop charging"),
        )
        return [
            (_("Name of the organisation"), row.name),
            (_("Reference"), row.reference),
            (_("Name on invoices"), row.billing_name or written.NOTHING),
            (_("Country"), row.country),
            (_("Currency"), row.currency),
            (_("Language"), row.language),
            (_("Customer since"), row.customer_since),
            (_("Closed on"), row.closed_on or written.NOTHING),
            (_("Owed"), money.written(standing.owed, row.currency)),
            (_("Overdue documents"), standing.overdue),
            (_("Charging"), charging),
        ]

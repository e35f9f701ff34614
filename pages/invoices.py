"""Invoices and how they are paid, as the list shows them: written out in the reader's language."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from accounts.models import Organisation
from billing.models import Invoice
from billing.queries import invoices as issued
from core.months import BillingMonth
from core.templatetags import writing
from pages.queries import orders_billed_by
from payments.queries import payables
from payments.queries.payables import Listed, Owed
from payments.views import standing
from payments.views.standing import Told
from spot_orders.models import SpotOrder


@dataclass(frozen=True, slots=True)
class Row:
    """One document of the list. `told`: how it is paid; a credit note is not.

    `order`: the spot order that it bills or gives back, instead of a month.
    """

    number: str
    month: BillingMonth
    invoice: Invoice
    told: Told | None
    order: SpotOrder | None = None


@dataclass(frozen=True, slots=True)
class Open:
    """What is owed in one currency; `overdue` is a sentence, empty where nothing is."""

    total: int
    currency: str
    overdue: str


def rows(organisation: Organisation, page: Iterable[Invoice], zone: ZoneInfo) -> list[Row]:
    """Return a page of the list, with how each invoice is paid, in one statement.

    In one more where documents of spot orders are among them.
    """
    found = list(page)
    orders = orders_billed_by(found)
    listed = payables.of_invoices(
        organisation, [each.pk for each in found if not each.is_credit_note]
    )
    return [_row(each, listed, orders.get(each.pk), zone) for each in found]


def opening(owed: Iterable[Owed], zone: ZoneInfo) -> list[Open]:
    """Return what the list opens with: what is owed, and how much of it too late."""
    return [Open(each.total, each.currency, overdue(each, zone)) for each in owed]


def overdue(owed: Owed, zone: ZoneInfo) -> str:
    """Return in one sentence what is overdue; empty where nothing is."""
    if owed.overdue_since is None:
        return ""
    facts = {
        "amount": writing.money_in_text(owed.overdue, owed.currency),
        "day": writing.day(owed.overdue_since.astimezone(zone).date()),
    }
    if owed.overdue == owed.total:
        return _("Overdue since %(day)s.") % facts
    return _("Of it, %(amount)s is overdue since %(day)s.") % facts


def _row(
    invoice: Invoice, listed: Mapping[int, Listed], order: SpotOrder | None, zone: ZoneInfo
) -> Row:
    return Row(
        number=issued.number_of(invoice),
        month=BillingMonth.of_day(invoice.month),
        invoice=invoice,
        told=None if invoice.is_credit_note else standing.short(listed.get(invoice.pk), zone),
        order=order,
    )

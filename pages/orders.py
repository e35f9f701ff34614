"""Orders and their documents, as the list shows them: written out in the reader's language."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import Organisation
from billing.models import Invoice
from billing.queries import invoices as issued
from core.templatetags import writing
from ordering.models import Review
from ordering.views import spot_shown, told
from pages.queries import Order, documents_of
from payments.enums import PayableState
from payments.queries import spots as payments
from payments.queries.payables import Listed
from spot_orders.enums import SpotState
from spot_orders.models import SpotOrder


@dataclass(frozen=True, slots=True)
class Badge:
    label: str
    kind: str


@dataclass(frozen=True, slots=True)
class Document:
    """A document of an order: its number, and where it stands."""

    number: str
    url: str


@dataclass(frozen=True, slots=True)
class Row:
    """One order of the list. `amount` is empty where it is billed by the month; `note`: what else to know.

    `pay_url`: where an order that waits is paid.
    """

    number: str
    url: str
    ordered_on: date
    what: str
    detail: str
    amount: str
    badge: Badge
    note: str
    pay_url: str
    documents: Sequence[Document]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A spot order that waits for its payment, in a sentence, and where it is paid."""

    text: str
    url: str
    is_payable: bool


def rows(
    organisation: Organisation, orders: Sequence[Order], now: datetime, zone: ZoneInfo
) -> list[Row]:
    """Return a page of the list with states and documents, in two statements more.

    In four more where one of the orders waits for its payment: an organisation has one such at most.
    """
    spots = [each.spot for each in orders if each.spot]
    paid = payments.payables_of_orders(organisation, [each.pk for each in spots]) if spots else {}
    documents = documents_of(spots) if spots else {}
    found = []
    for each in orders:
        if each.spot:
            found.append(_spot(organisation, each.spot, paid, documents, now, zone))
        elif each.plan:
            found.append(_plan(organisation, each.plan, zone))
    return found


def waiting(
    organisation: Organisation, order: SpotOrder | None, now: datetime, zone: ZoneInfo
) -> Waiting | None:
    """Return what a root is told of an order that waits, if there is one."""
    if order is None:
        return None
    facts = {
        "number": order.number,
        "amount": writing.money_in_text(order.gross, order.currency),
        "moment": writing.moment(order.lapses_at, zone.key),
    }
    if _is_being_confirmed(order):
        said = _("The payment of order %(number)s over %(amount)s is being confirmed.")
        return Waiting(said % facts, _page("order_spot_order", organisation, order), False)
    if order.lapses_at <= now:
        return None
    said = _("Order %(number)s over %(amount)s awaits its payment until %(moment)s.")
    return Waiting(said % facts, _page("order_spot_payment", organisation, order), True)


def _spot(
    organisation: Organisation,
    order: SpotOrder,
    paid: Mapping[int, Listed],
    documents: Mapping[object, Sequence[Invoice]],
    now: datetime,
    zone: ZoneInfo,
) -> Row:
    badge, is_payable = _standing(order, paid.get(order.pk), now, zone)
    added = ngettext("%(count)s account more", "%(count)s accounts more", order.accounts)
    return Row(
        number=order.number,
        url=_page("order_spot_order", organisation, order),
        ordered_on=order.placed_at.astimezone(zone).date(),
        what=_("Spot contract: %(added)s") % {"added": added % {"count": f"{order.accounts:,}"}},
        detail=spot_shown.period(order),
        amount=writing.money(order.gross, order.currency),
        badge=badge,
        note=_("until %(moment)s") % {"moment": writing.moment(order.lapses_at, zone.key)}
        if is_payable
        else "",
        pay_url=_page("order_spot_payment", organisation, order) if is_payable else "",
        documents=[_document(organisation, each) for each in documents.get(order.public_id, ())],
    )


def _standing(
    order: SpotOrder, payable: Listed | None, now: datetime, zone: ZoneInfo
) -> tuple[Badge, bool]:
    """Return how an order stands, and whether it can be paid."""
    if order.state == SpotState.PLACED:
        if _is_being_confirmed(order):
            return Badge(_("being confirmed"), "accent"), False
        if order.lapses_at <= now:
            # It has lapsed by date, whenever that is noted.
            return Badge(str(SpotState.LAPSED.label), "quiet"), False
        return Badge(str(SpotState.PLACED.label), "warn"), True
    if order.state == SpotState.REFUNDED and payable is not None:
        money = payable.payable
        if money.captured > money.refunded:
            return Badge(_("being refunded"), "warn"), False
    if order.state == SpotState.PAID and _is_credited(payable):
        return Badge(_("credited"), "quiet"), False
    label, kind = spot_shown.state(order, now, zone)
    return Badge(label, kind or "quiet"), False


def _is_credited(payable: Listed | None) -> bool:
    return payable is not None and payable.payable.state == PayableState.VOID


def _is_being_confirmed(order: SpotOrder) -> bool:
    return payments.outlook_of_order(order).is_being_confirmed


def _plan(organisation: Organisation, order: Review, zone: ZoneInfo) -> Row:
    if order.saved_at is None:
        raise ValueError(f"{order} was not saved: it is no order")
    return Row(
        number=order.number,
        url=reverse(
            "order_receipt",
            kwargs={"organisation": organisation.public_id, "review": order.public_id},
        ),
        ordered_on=order.saved_at.astimezone(zone).date(),
        what=told.title(told.act_of(order)),
        detail="",
        amount="",
        badge=Badge(_("ordered"), "good"),
        note="",
        pay_url="",
        documents=(),
    )


def _document(organisation: Organisation, document: Invoice) -> Document:
    return Document(
        number=issued.number_of(document),
        url=reverse(
            "invoice",
            kwargs={"organisation": organisation.public_id, "invoice": document.public_id},
        ),
    )


def _page(name: str, organisation: Organisation, order: SpotOrder) -> str:
    return reverse(name, kwargs={"organisation": organisation.public_id, "order": order.public_id})

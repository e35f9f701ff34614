"""A spot order in words: what it is, what it costs, how it stands. Rule: S2-24, S2-28, japan.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.enums import TaxCode
from billing.rules import spot as billing
from billing.rules.spot import Totals
from billing.rules.tax import RATES
from core import words
from core.money import Rounding
from core.months import last_day, start_of_day
from core.templatetags.writing import day, moment, money_in_text
from ordering.views import consequences, spot_preview
from ordering.views.consequences import Fact
from ordering.views.spot_preview import Run
from payments.enums import Unserved
from plans import queries as plans
from plans.models import VendorVersion
from plans.rules import PlanTerms
from spot_orders.enums import SpotState
from spot_orders.models import SpotOrder
from spot_orders.rules.spot import Wish

_KINDS = {
    SpotState.PLACED: "accent",
    SpotState.PAID: "good",
    SpotState.LAPSED: "",
    SpotState.CANCELLED: "",
    SpotState.REFUNDED: "warn",
}


@dataclass(frozen=True, slots=True)
class Price:
    """What an order costs, frozen when it was placed: month by month, and the sums."""

    gross: str
    runs: Sequence[Run]
    sums: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Listed:
    """A spot order in a list. `state` in words, its badge's kind beside it."""

    order: SpotOrder
    accounts: str
    period: str
    state: str
    kind: str


def price(order: SpotOrder, terms: dict[int, PlanTerms]) -> Price:
    """Return what an order costs; `terms`: of the versions that it froze, for their names."""
    months = billing.months_of(order.priced)
    wish = Wish(order.accounts, order.first_on, order.months)
    code = TaxCode(order.tax_code)
    totals = Totals(
        order.net, order.tax, order.gross, code, RATES[code], Rounding(order.tax_rounding)
    )
    return Price(
        gross=money_in_text(order.gross, order.currency),
        runs=spot_preview.runs(months, terms, wish, order.currency),
        sums=spot_preview.sums(totals, order.currency),
    )


def period(order: SpotOrder) -> str:
    """Return its days, as far as it holds."""
    return consequences.period(order.first_on, order.until_on)


def what(order: SpotOrder) -> list[Fact]:
    """Return what is ordered, and when it is provided."""
    added = ngettext("%(count)s account more", "%(count)s accounts more", order.accounts)
    facts = [
        Fact(_("Order number"), order.number),
        Fact(_("Accounts added"), added % {"count": f"{order.accounts:,}"}),
        Fact(
            _("Spot contract"),
            f"{consequences.period(order.first_on, order.end_on)}"
            f" ({consequences.length(order.months)})",
        ),
        Fact(_("Last day"), day(last_day(order.until_on))),
    ]
    if order.cut_on is not None:
        told = _("with %(last)s; unused whole months are credited")
        facts.append(Fact(_("Ended early"), told % {"last": day(last_day(order.cut_on))}))
    return facts


def conditions(order: SpotOrder, now: datetime) -> list[Fact]:
    """Return what a buyer has to know before paying, beside what is ordered. Rule: S2-24."""
    zone = plans.zone_for_pages()
    if now >= start_of_day(order.first_on, zone):
        begins = _("at once when it is paid, until the end of %(last)s")
    else:
        begins = _("from 00:00 on %(first)s until the end of %(last)s (%(zone)s)")
    days = {
        "first": day(order.first_on),
        "last": day(last_day(order.end_on)),
        "zone": zone.key,
    }
    facts = [
        Fact(_("Provided"), begins % days),
        Fact(_("Time of payment"), _("at once, when you press the button below")),
        Fact(
            _("Deadline"),
            _("%(moment)s. An order that is not paid by then lapses, and nothing is owed for it.")
            % {"moment": moment(order.lapses_at, zone.key)},
        ),
        Fact(
            _("Cancellation"),
            _(
                "Until it is paid you can give the order up free of charge. Once paid, it cannot be"
                " cancelled or shortened, and no part of it is paid back."
            ),
        ),
        Fact(
            _("At the end"),
            _(
                "It ends by itself and is not renewed. If more accounts are active then than are"
                " allowed, those above are deactivated, the newest first."
            ),
        ),
        Fact(_("Seller"), _seller(plans.vendor_for_pages())),
    ]
    if order.terms is not None:
        agreed = _("version %(number)s, agreed to on %(moment)s")
        facts.append(
            Fact(
                _("Terms of Use"),
                agreed
                % {"number": order.terms.number, "moment": moment(order.placed_at, zone.key)},
            )
        )
    return facts


def state(order: SpotOrder, now: datetime, zone: ZoneInfo) -> tuple[str, str]:
    """Return how an order stands in a word or two, and its badge's kind."""
    at = SpotState(order.state)
    if at is not SpotState.PAID:
        return str(at.label), _KINDS[at]
    if now >= start_of_day(order.until_on, zone):
        return _("over"), ""
    if now < start_of_day(order.first_on, zone):
        return _("paid, begins on %(day)s") % {"day": day(order.first_on)}, "accent"
    return _("running"), "good"


def listed(order: SpotOrder, now: datetime, zone: ZoneInfo) -> Listed:
    """Return an order as a list tells of it."""
    said, kind = state(order, now, zone)
    return Listed(order, f"+{order.accounts:,}", period(order), said, kind)


def closed(order: SpotOrder) -> str:
    """Say what became of an order that is none any more, and what that means for its money."""
    match SpotState(order.state):
        case SpotState.LAPSED:
            return _("It was not paid within 24 hours and has lapsed. Nothing is owed for it.")
        case SpotState.CANCELLED if order.replaced_by is not None:
            return _("Another order took its place before it was paid. Nothing is owed for it.")
        case SpotState.CANCELLED:
            return _("It was given up before it was paid. Nothing is owed for it.")
        case SpotState.REFUNDED:
            return _(
                "It was paid when it could not be provided any more: %(why)s. The money is given back"
                " in full."
            ) % {"why": _why(order.closed_why)}
        case _:
            return ""


def unserved(why: Unserved) -> str:
    """Say why an order that waits cannot be paid now, and what to do."""
    match why:
        case Unserved.OVERDUE:
            return _("An invoice is overdue. Pay that first; the order waits until its deadline.")
        case Unserved.NOT_COVERED:
            return _(
                "Your paid plan no longer covers the whole period of this order. Choose a time that it"
                " covers."
            )
        case Unserved.CLOSED:
            return _("Your contract with us ends before this order would. Order a shorter time.")
        case Unserved.UNLIMITED:
            return _(
                "Your plan does not limit the number of accounts any more: there is nothing to add."
            )
        case Unserved.OVER:
            return _("The period of this order is over. Choose a later time.")
        case _:
            return _("The order has lapsed, and nothing is owed for it.")


def _why(code: str) -> str:
    return str(Unserved(code).label) if code in Unserved.values else code


def _seller(vendor: VendorVersion) -> str:
    ja = words.current().is_japanese
    name, address = (
        (vendor.name_ja, f"〒{vendor.postal_code} {vendor.address_ja}")
        if ja
        else (vendor.name_en, f"{vendor.address_en} {vendor.postal_code}")
    )
    return (
        f"{name}, {address}, {vendor.support_email}"
        if not ja
        else f"{name} {address} {vendor.support_email}"
    )

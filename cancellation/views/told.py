"""What the end of a contract comes to, in words. Rule: S1-29, design.md 6.6."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.rules.forecast import MonthForecast
from cancellation.models import Cancellation, Review
from cancellation.queries.preview import EndingSpot, Preview
from cancellation.rules.binding import Kind
from core import words
from core.money import written
from core.months import last_day
from core.templatetags.writing import day, money_in_text, month
from ordering.views import shown
from plans.models import CancellationTerms

_DIFFERS = {
    Kind.LAST_DAY: lambda: _("The last day is another one."),
    Kind.TERMS: lambda: _("The cancellation terms have changed."),
    Kind.PLAN: lambda: _("Your plans have changed."),
    Kind.CONTRACT: lambda: _("Your main contract or its renewal has changed."),
    Kind.SPOTS: lambda: _("Your spot contracts have changed."),
    Kind.DATA: lambda: _("Your data can be taken along until another day."),
}


@dataclass(frozen=True, slots=True)
class Fact:
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Bill:
    """A bill that is still to come, or was made: tax included; `state` in words."""

    name: str
    state: str
    kind: str
    gross: str
    lines: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Open:
    """Something that is not paid."""

    number: str
    amount: str
    state: str


@dataclass(frozen=True, slots=True)
class Spot:
    """A spot contract and what its early end means."""

    number: str
    period: str
    lost: str


@dataclass(frozen=True, slots=True)
class Text:
    """The terms in the reader's language."""

    title: str
    intro: str
    boxes: tuple[str, ...]
    number: int


@dataclass(frozen=True, slots=True)
class Moved:
    """That staff moved the last day; both days inclusive."""

    at: datetime
    before: date
    after: date


def text(terms: CancellationTerms) -> Text:
    """Return the terms in the language of the page."""
    ja = words.current().is_japanese
    return Text(
        terms.title_ja if ja else terms.title_en,
        terms.intro_ja if ja else terms.intro_en,
        tuple(str(box["ja" if ja else "en"]) for box in terms.boxes),
        terms.number,
    )


def differences(review: Review) -> list[str]:
    """Say why a review is shown anew."""
    return [_DIFFERS[Kind(each)]() for each in review.differences]


def facts(preview: Preview) -> list[Fact]:
    """Return what is certain, item by item."""
    found = [Fact(_("Last day"), day(preview.last_on))]
    if preview.licence is not None:
        span = preview.licence
        found.append(Fact(_("Licence plan"), shown.name(span.terms, span.steps)))
    if preview.support is not None:
        found.append(Fact(_("Support plan"), shown.name(preview.support.terms, 1)))
    if preview.contract_last_on is not None and preview.contract_last_on > preview.last_on:
        found.append(
            Fact(
                _("Main contract"),
                _("would run until %(day)s; it ends with the last day above, without refund")
                % {"day": day(preview.contract_last_on)},
            )
        )
    found += [
        Fact(
            _("Last bill"),
            _("made on %(day)s or shortly after, for %(month)s; collected as usual")
            % {"day": day(preview.last_bill_on), "month": month(preview.last_bills[-1].month)}
            if preview.last_bills
            else _("none: nothing is left to bill"),
        ),
        Fact(_("Accounts"), _accounts(preview)),
        Fact(_("Payment method"), _method(preview)),
        Fact(
            _("Your data"),
            _(
                "can be taken along until %(day)s; invoices stay readable for as long as the law has us keep"
                " them"
            )
            % {"day": day(preview.data_until)},
        ),
    ]
    return found


def bills(months: Sequence[MonthForecast], currency: str) -> list[Bill]:
    """Return the bills until the end, the last one last."""
    return [_bill(each, currency) for each in months]


def opens(preview: Preview) -> list[Open]:
    """Return what is open; it stays due whatever ends, but for an order that lapses with it."""
    lapsing = preview.unpaid_order.pk if preview.unpaid_order else None
    return [
        Open(
            each.payable.number,
            written(each.balance, each.payable.currency),
            _("a payment is under way") if each.is_undecided else _("stays due"),
        )
        for each in preview.owed
        if each.is_undecided or each.payable.spot_order_id != (lapsing or 0)
    ]


def unpaid(preview: Preview) -> str:
    """Say what becomes of a spot order that is not paid; nothing where there is none."""
    order = preview.unpaid_order
    if order is None:
        return ""
    if last_day(order.until_on) <= preview.last_on:
        return _("The order %(number)s is not paid. It can be paid until it lapses.") % {
            "number": order.number
        }
    return _("The order %(number)s, which is not paid, is given up.") % {"number": order.number}


def spots(ending: Sequence[EndingSpot], currency: str) -> list[Spot]:
    """Return the spot contracts, and what of them is not used."""
    return [_spot(each, currency) for each in ending]


def changes(cancellation: Cancellation) -> list[Moved]:
    """Return how staff moved the last day, in the order of time."""
    return [
        Moved(each.at, last_day(each.before_on), last_day(each.after_on))
        for each in cancellation.last_day_changes.order_by("at", "pk")
    ]


def banner(cancellation: Cancellation) -> str:
    """Say when the contract ends."""
    return _("Your contract ends on %(day)s.") % {"day": day(last_day(cancellation.end_on))}


def by(cancellation: Cancellation) -> str:
    return cancellation.ordered_by.name or cancellation.ordered_by.email


def on(cancellation: Cancellation, zone: ZoneInfo) -> str:
    return day(cancellation.ordered_at.astimezone(zone).date())


def _bill(each: MonthForecast, currency: str) -> Bill:
    if each.is_final:
        state, kind = _("final"), "good"
    elif each.is_estimated:
        state, kind = _("partly estimated"), "accent"
    else:
        state, kind = _("provisional"), "accent"
    ja = words.current().is_japanese
    return Bill(
        month(each.month),
        state,
        kind,
        written(each.expected.gross, currency),
        tuple(
            (
                line.line.name_ja if ja else line.line.name_en,
                written(line.net, currency),
            )
            for line in each.lines
        ),
    )


def _spot(each: EndingSpot, currency: str) -> Spot:
    order = each.order
    period = _("%(accounts)s accounts, %(first)s to %(last)s") % {
        "accounts": order.accounts,
        "first": day(order.first_on),
        "last": day(last_day(order.until_on)),
    }
    if not each.lost_days:
        return Spot(order.number, period, _("ends before your contract does"))
    lost = ngettext(
        "ends early: %(days)s day is not used",
        "ends early: %(days)s days are not used",
        each.lost_days,
    ) % {"days": each.lost_days}
    if each.lost_months:
        lost += _(
            " (%(amount)s for whole months that never begin, tax excluded, is not refunded)"
        ) % {"amount": money_in_text(each.lost_net, currency)}
    return Spot(order.number, period, lost)


def _accounts(preview: Preview) -> str:
    if not preview.accounts_leaving:
        return _("yours stays, for invoices and exports")
    return ngettext(
        "%(count)s account is deactivated after the last day; yours stays, for invoices and exports",
        "%(count)s accounts are deactivated after the last day; yours stays, for invoices and exports",
        preview.accounts_leaving,
    ) % {"count": preview.accounts_leaving}


def _method(preview: Preview) -> str:
    if preview.method is None:
        return _("none is registered")
    return _("deleted once the last bill is settled, here and at the payment company")

"""What an order about a main contract would lead to, in words: beside its form. Rule: look.md 1.2."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from babel.dates import format_date
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from core import words
from core.months import BillingMonth, last_day, start_of_day
from core.templatetags.writing import day, money_in_text, month
from ordering.queries.positions import Position
from ordering.rules.acts import Act, AddLicences, Renew, SetRenewal, Start, WithdrawRenewal
from ordering.views import shown
from plans.enums import Category
from plans.rules.renewals import ordered_on, paid_span
from plans.rules.timeline import Span, Term, Timeline, fee_at


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that would be so."""

    name: str
    value: str


def facts(position: Position, act: Act, after: Timeline) -> list[Fact]:
    """Return what an act would lead to, the most important first."""
    match act:
        case Start() | Renew():
            return list(_of_term(position, after))
        case AddLicences():
            return list(_of_licences(position, after))
        case WithdrawRenewal() | SetRenewal():
            return list(_of_renewal(position, after))
        case _:
            return []


def period(first: date, end: date) -> str:
    """Return a half-open span as a customer reads it: from 31 January to 28 February 2026. Rule: 3.2."""
    last = last_day(end)
    ja = words.current().is_japanese
    if first.year != last.year:
        begins = day(first)
    elif ja:
        return _("%(first)s to %(last)s") % {
            "first": day(first),
            "last": format_date(last, "M月d日", locale="ja"),
        }
    else:
        begins = format_date(first, "d MMMM", locale="en")
    return _("%(first)s to %(last)s") % {"first": begins, "last": day(last)}


def length(months: int) -> str:
    """Return the length of a term in words."""
    return ngettext("%(months)s month", "%(months)s months", months) % {"months": months}


def fee(position: Position, span: Span) -> str:
    """Return what a licence costs a month, tax included and net."""
    cost = position.price(span.terms, span.steps)
    return _("%(gross)s a month, tax included (%(net)s net)") % {
        "gross": money_in_text(cost.gross, span.terms.currency),
        "net": money_in_text(cost.net, span.terms.currency),
    }


def accounts(span: Span | None) -> str:
    """Return how many accounts a licence allows."""
    if span is None:
        return "0"
    return _("no limit") if span.accounts is None else f"{span.accounts:,}"


def renewal(contracted: Timeline, zone: ZoneInfo) -> str:
    """Say what follows the last term of a timeline."""
    last = contracted.last_term
    if last is None:
        return ""
    if contracted.renews:
        return _(
            "Automatic: a next term of %(length)s is ordered on %(day)s, at the price then on sale."
        ) % {
            "length": length(last.months),
            "day": day(ordered_on(last)),
        }
    return _("No renewal: the free plan follows on %(day)s.") % {"day": day(last.end_on)}


def _of_term(position: Position, after: Timeline) -> Iterator[Fact]:
    term, span = after.last_term, paid_span(after)
    if term is None or span is None:
        return
    yield Fact(_("Contract period"), period(term.first_on, term.end_on))
    yield Fact(_("Plan"), shown.name(span.terms, span.steps))
    yield Fact(_("Accounts"), accounts(span))
    yield Fact(_("Fee"), fee(position, span))
    yield Fact(_("Billed for"), _billed(position, after, term))
    yield Fact(_("At the end"), renewal(after, position.zone))


def _of_licences(position: Position, after: Timeline) -> Iterator[Fact]:
    now = position.market.now
    before, present = position.present, after.at(Category.LICENCE, now)
    last = after.last_term
    if before is None or present is None or last is None:
        return
    turn = _("%(after)s instead of %(before)s")
    yield Fact(_("Accounts"), turn % {"before": accounts(before), "after": accounts(present)})
    yield Fact(_("In force"), _("at once, until %(day)s") % {"day": day(last_day(last.end_on))})
    yield Fact(_("Fee"), turn % {"before": fee(position, before), "after": fee(position, present)})
    following = BillingMonth.of_day(position.today).next
    yield Fact(_("Billed from"), month(following))


def _of_renewal(position: Position, after: Timeline) -> Iterator[Fact]:
    term = after.last_term
    if term is None:
        return
    yield Fact(_("Contract period"), period(term.first_on, term.end_on))
    yield Fact(_("At the end"), renewal(after, position.zone))
    if not after.renews and after.free is not None:
        free = Span(after.free, 1, position.market.now)
        yield Fact(_("Accounts on the free plan"), accounts(free))
        yield Fact(_("Accounts in use now"), f"{position.circumstances.accounts_in_use:,}")


def _billed(position: Position, after: Timeline, term: Term) -> str:
    """Return the first and the last month that carry a fee because of the order. Rule: B-02."""
    first = BillingMonth.of_day(term.first_on)
    begins_at = start_of_day(term.first_on, position.zone)
    carries = []
    for each in (first.plus(offset) for offset in range(term.months + 2)):
        instant = each.starts_at(position.zone)
        fee, before = (
            fee_at(timeline.licence, instant) for timeline in (after, position.contracted)
        )
        if fee is None or fee.terms.is_free:
            continue
        if before is None or before.terms.is_free or fee.from_at >= begins_at:
            carries.append(each)
    if not carries:
        return _("no further month: the terms before it carry these fees")
    if len(carries) == 1:
        return month(carries[0])
    return _("%(first)s to %(last)s") % {"first": month(carries[0]), "last": month(carries[-1])}

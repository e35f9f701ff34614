"""The tab Contract details: the term and its days, what was contracted, and the orders behind it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from accounts.access import PortalRequest
from core import clock
from core.months import last_day
from core.templatetags.writing import day, moment
from ordering.models import Review
from ordering.queries import contracts, positions, spots
from ordering.queries.contracts import Contracts
from ordering.queries.positions import Position
from ordering.rules.calendar import Event, calendar
from ordering.rules.remaining import remaining
from ordering.views import consequences, seat_timeline, shown, spot_shown, told
from plans.enums import Category
from plans.models import MainContract
from plans.queries import contracts as plans
from plans.rules.price_changes import first_day
from plans.rules.renewals import ordered_on
from plans.rules.timeline import Span, Term


@dataclass(frozen=True, slots=True)
class TermShown:
    """A main contract: its days, its length, how it stands."""

    period: str
    length: str
    state: str
    kind: str


@dataclass(frozen=True, slots=True)
class SpanShown:
    """What was, is or will be selected, and when."""

    category: str
    plan: str
    steps: int
    period: str
    is_present: bool


@dataclass(frozen=True, slots=True)
class OrderShown:
    """An order that was saved: what, when, by whom, and its receipt."""

    title: str
    when: str
    who: str
    review: Review | None


@dataclass(frozen=True, slots=True)
class ContractShown:
    """What the tab tells of what was contracted; `position` is what it was read from."""

    position: Position
    context: dict[str, object]


def shown_of(request: PortalRequest) -> ContractShown:
    """Return the term, its last day, what is left of it, and all that led to it. Rule: S2-03, S2-13."""
    position = positions.position(request.organisation, now=clock.now())
    found = contracts.contracts(request.organisation)
    context: dict[str, object] = {
        "organisation": request.organisation,
        "facts": _facts(position),
        "left": _left(position),
        "terms": [_term(each, position.today) for each in found.contracts],
        "spans": _spans(position),
        "orders": _orders(found, position.zone),
        "has_dates": bool(_events(found, position.today, request.organisation.closed_on)),
        "spots": [
            spot_shown.listed(each, position.market.now, position.zone)
            for each in spots.contracts_of(request.organisation)
        ],
        "timeline": seat_timeline.shown(request.organisation, now=position.market.now),
    }
    return ContractShown(position, context)


@require_safe
def dates(request: PortalRequest) -> HttpResponse:
    """Return the days that matter as a calendar file."""
    now = clock.now()
    found = contracts.contracts(request.organisation)
    today = now.astimezone(positions.position(request.organisation, now=now).zone).date()
    body = calendar(
        _("Contract of %(organisation)s") % {"organisation": request.organisation.name},
        _events(found, today, request.organisation.closed_on),
        revised_at=found.revised_at or now,
        product="-//Billing Portal//Contract//EN",
    )
    headers = {"Content-Disposition": 'attachment; filename="contract.ics"'}
    return HttpResponse(body, content_type="text/calendar; charset=utf-8", headers=headers)


def _facts(position: Position) -> list[consequences.Fact]:
    term, span = position.last_term, position.paid
    closed_on = position.organisation.closed_on
    if term is None or span is None or (closed_on is not None and closed_on <= position.today):
        return []
    if closed_on is not None and closed_on < term.end_on:
        return _facts_cancelled(position, term, span, closed_on)
    running = position.contracted.term_on(position.today)
    found = []
    if running is not None:
        found.append(
            consequences.Fact(
                _("Contract period"), consequences.period(running.first_on, running.end_on)
            )
        )
    if running != term:
        found.append(
            consequences.Fact(
                _("Next term") if running else _("Contract period"),
                consequences.period(term.first_on, term.end_on),
            )
        )
    return [
        *found,
        consequences.Fact(_("Last day"), day(last_day(term.end_on))),
        consequences.Fact(_("Still to run"), _left(position)),
        consequences.Fact(_("Renewal"), consequences.renewal(position.contracted, position.zone)),
        consequences.Fact(_("Plan"), shown.name(span.terms, span.steps)),
        consequences.Fact(_("Fee"), consequences.fee(position, span)),
    ]


def _facts_cancelled(
    position: Position, term: Term, span: Span, closed_on: date
) -> list[consequences.Fact]:
    """Say of a main contract that its customer leaves before its end. Rule: S1-29."""
    return [
        consequences.Fact(
            _("Contract period"),
            _("until %(day)s, because you have cancelled; it would have run until %(end)s")
            % {"day": day(last_day(closed_on)), "end": day(last_day(term.end_on))},
        ),
        consequences.Fact(_("Still to run"), _span_left(position.today, closed_on)),
        consequences.Fact(_("Plan"), shown.name(span.terms, span.steps)),
        consequences.Fact(_("Fee"), consequences.fee(position, span)),
    ]


def _left(position: Position) -> str:
    """Say how long the last term still runs, or when it begins."""
    term = position.last_term
    return _span_left(position.today, term.end_on) if term else ""


def _span_left(today: date, end_on: date) -> str:
    months, days = remaining(today, end_on)
    in_days = ngettext("%(days)s day", "%(days)s days", days) % {"days": days}
    if not months:
        return in_days
    if not days:
        return consequences.length(months)
    return _("%(months)s and %(days)s") % {"months": consequences.length(months), "days": in_days}


def _term(row: MainContract, today: date) -> TermShown:
    state, kind = _("over"), ""
    if row.withdrawn_at is not None:
        state = _("withdrawn")
    elif row.first_on > today:
        state, kind = _("ordered"), "accent"
    elif row.cut_on is None and row.end_on > today:
        state, kind = _("running"), "good"
    return TermShown(
        consequences.period(row.first_on, row.cut_on or row.end_on),
        consequences.length(row.months),
        state,
        kind,
    )


def _spans(position: Position) -> list[SpanShown]:
    """Return the selections, the newest first, licence before support."""
    return [
        _span(category, span, position)
        for category in Category
        for span in reversed(position.contracted.of(category))
    ]


def _span(category: Category, span: Span, position: Position) -> SpanShown:
    first = first_day(span, position.zone)
    if span.until_at is None:
        period = _("from %(day)s") % {"day": day(first)}
    else:
        period = _until(first, span.until_at, position.zone)
    return SpanShown(
        str(category.label),
        shown.name(span.terms, span.steps),
        span.steps,
        period,
        span.covers(position.market.now),
    )


def _until(first: date, until_at: datetime, zone: ZoneInfo) -> str:
    """Return a span's days: the last one is the day on which it ended, if that had begun."""
    local = until_at.astimezone(zone)
    is_midnight = (local.hour, local.minute, local.second, local.microsecond) == (0, 0, 0, 0)
    last = last_day(local.date()) if is_midnight else local.date()
    if last <= first:
        return day(first)
    return consequences.period(first, last + timedelta(days=1))


def _orders(found: Contracts, zone: ZoneInfo) -> list[OrderShown]:
    """Return what was ordered, and the renewals that nobody had to order, the newest first."""
    listed = [
        (review.saved_at, _order(review, found.members, zone))
        for review in found.orders
        if review.saved_at
    ]
    for row in found.contracts:
        if not row.ordered_by.startswith("user:") and row.months_before:
            shown_order = OrderShown(
                _("Renewed automatically: %(period)s")
                % {"period": consequences.period(row.first_on, row.end_on)},
                moment(row.ordered_at, zone.key),
                "",
                None,
            )
            listed.append((row.ordered_at, shown_order))
    return [each for _when, each in sorted(listed, key=lambda pair: pair[0], reverse=True)]


def _order(review: Review, members: frozenset[int], zone: ZoneInfo) -> OrderShown:
    by_member = review.user_id in members and review.saved_by == f"user:{review.user_id}"
    return OrderShown(
        told.title(told.act_of(review)),
        moment(review.saved_at, zone.key) if review.saved_at else "",
        (review.user.name or review.user.email) if by_member else _("Support"),
        review,
    )


def _events(found: Contracts, today: date, closed_on: date | None) -> list[Event]:
    """Return the days of the terms that are not over: first, last, and the renewal's.

    `closed_on`: the day from which their customer is none any more; nothing after it is to come.
    """
    host = urlsplit(settings.PORTAL_ORIGIN).hostname or "portal"
    events = []
    standing = [each for each in found.contracts if each.withdrawn_at is None]
    for row in sorted(standing, key=lambda each: each.first_on):
        end_on = min(filter(None, (row.end_on, row.cut_on, closed_on)))
        if end_on <= max(today, row.first_on):
            continue
        uid = f"{row.public_id}@{host}"
        events.append(Event(f"first-{uid}", row.first_on, _("Contract: first day")))
        last = last_day(end_on)
        events.append(Event(f"last-{uid}", last, _("Contract: last day"), _after(row)))
        if row.renews and row == standing[0] and closed_on is None:
            text = _(
                "The next term is ordered at the price on sale that day. Until the day before, automatic"
                " renewal can be switched off."
            )
            on = ordered_on(plans.term(row))
            events.append(Event(f"renewal-{uid}", on, _("Contract: automatic renewal"), text))
    return events


def _after(row: MainContract) -> str:
    return _("The term has %(length)s: %(period)s.") % {
        "length": consequences.length(row.months),
        "period": consequences.period(row.first_on, row.end_on),
    }

"""What a spot order would be good for and cost, in words, before it is placed. Rule: S2-22, look.md 3."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from urllib.parse import urlencode

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.queries import forecast
from billing.rules.forecast import MonthForecast
from billing.rules.spot import Totals
from core.money import written
from core.months import last_day, start_of_day
from core.templatetags.writing import day, money_in_text, month
from ordering.forms import SpotSettings, name_of
from ordering.queries import spots as queries
from ordering.queries.positions import Position
from ordering.queries.spots import Held, Priced
from ordering.views import consequences, seat_timeline
from ordering.views.seat_timeline import TimelineShown
from plans.queries import price_changes
from plans.rules import PlanTerms
from plans.rules import price_changes as prices
from seats.rules.capacity import Capacity
from seats.rules.seat_timeline import with_wish
from spot_orders.rules.spot import SpotMonth, Wish


@dataclass(frozen=True, slots=True)
class Run:
    """Months at one price: when, which plan, and how their net comes about."""

    period: str
    plan: str
    formula: str
    net: str


@dataclass(frozen=True, slots=True)
class BillShown:
    """What is to pay, and when."""

    name: str
    gross: str
    when: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What the settings lead to. `after`: what happens when it is over.

    `query`: the settings, as addresses hold them. `runs`: more than one where the months differ in
    price or plan; `formula` where they do not.
    """

    last_day: str
    held: Sequence[str]
    after: str
    gross: str
    formula: str
    runs: Sequence[Run]
    sums: Sequence[tuple[str, str]]
    bills: Sequence[BillShown]
    timeline: TimelineShown
    query: str


def preview(form: SpotSettings) -> Preview:
    """Return what a valid form leads to. Raises Refusal."""
    position, wish = form.position, form.wish()
    priced = queries.quoted(position, wish)
    allowed = with_wish(position.circumstances.capacity, wish, position.zone)
    currency, totals = priced.offer.currency, priced.totals
    shown = runs(priced.offer.months, priced_terms(priced), wish, currency)
    return Preview(
        last_day=day(last_day(wish.end_on)),
        held=_held(allowed, wish, position),
        after=_after(allowed, wish, position),
        gross=money_in_text(totals.gross, currency),
        formula=_("%(net)s + tax %(tax)s")
        % {"net": shown[0].formula, "tax": written(totals.tax, currency)},
        runs=shown if len(shown) > 1 else (),
        sums=sums(totals, currency),
        bills=_bills(position, totals, currency),
        timeline=seat_timeline.shown(
            position.organisation, now=position.market.now, capacity=allowed
        ),
        query=urlencode(form.query()),
    )


def allowed_now(position: Position) -> str:
    """Say how many accounts may be active now, and how many are."""
    allowed = position.circumstances.capacity.at(position.market.now)
    in_use = {"in_use": f"{position.circumstances.accounts_in_use:,}"}
    if allowed is None:
        return _("Accounts in use now: %(in_use)s.") % in_use
    return _("Accounts in use now: %(in_use)s of %(allowed)s.") % {
        **in_use,
        "allowed": f"{allowed:,}",
    }


def priced_terms(priced: Priced) -> dict[int, PlanTerms]:
    """Return the plans that price an offer's months, by version."""
    return {span.terms.version_id: span.terms for span in priced.offer.spans}


def runs(
    months: Sequence[SpotMonth], terms: dict[int, PlanTerms], wish: Wish, currency: str
) -> tuple[Run, ...]:
    """Return an order's months, those together that have one price and one plan. Rule: S2-07."""
    grouped = [
        list(run) for _key, run in groupby(months, lambda each: (each.version_id, each.unit_net))
    ]
    ends = [*(each[0].first_on for each in grouped[1:]), wish.end_on]
    return tuple(
        Run(
            period=consequences.period(each[0].first_on, end_on),
            plan=name_of(terms[each[0].version_id]),
            formula=_formula(each, currency),
            net=written(sum(month.net for month in each), currency),
        )
        for each, end_on in zip(grouped, ends, strict=True)
    )


def sums(totals: Totals, currency: str) -> tuple[tuple[str, str], ...]:
    """Return net, tax and total as the foot of a table."""
    return (
        (_("Net"), written(totals.net, currency)),
        (_tax(totals), written(totals.tax, currency)),
        (_("Total (tax included)"), written(totals.gross, currency)),
    )


def _tax(totals: Totals) -> str:
    if not totals.rate:
        return _("Consumption tax (outside its scope)")
    return _("Consumption tax %(percent)s%%") % {
        "percent": f"{totals.rate * 100:f}".rstrip("0").rstrip(".")
    }


def _formula(run: Sequence[SpotMonth], currency: str) -> str:
    """Return how the net of some months at one price comes about: ¥5,000 × 1 step × 3 months."""
    return " × ".join(
        (
            written(run[0].unit_net, currency),
            ngettext("%(steps)s step", "%(steps)s steps", run[0].steps) % {"steps": run[0].steps},
            consequences.length(len(run)),
        )
    )


def _held(allowed: Capacity, wish: Wish, position: Position) -> list[str]:
    return [_said(each) for each in queries.held(allowed, wish, position)]


def _said(held: Held) -> str:
    period = {"period": consequences.period(held.first_on, held.end_on)}
    if held.accounts is None:
        return _("%(period)s: the number of accounts is not limited.") % period
    return _("%(period)s: you may have %(count)s accounts.") % {
        **period,
        "count": f"{held.accounts:,}",
    }


def _after(allowed: Capacity, wish: Wish, position: Position) -> str:
    """Say what holds from the day after the last one, and who then leaves. Rule: S2-10, S2-19."""
    ends_at = start_of_day(wish.end_on, position.zone)
    count = allowed.at(ends_at)
    if count is None:
        return ""
    return _(
        "From %(day)s on %(count)s accounts are allowed. If more are active then, those above"
        " %(count)s are deactivated, the newest first."
    ) % {"day": day(wish.end_on), "count": f"{count:,}"}


def _bills(position: Position, totals: Totals, currency: str) -> list[BillShown]:
    """Return what is to pay when: the order at once, and the monthly bills, which it does not change."""
    today = position.today
    coming = price_changes.coming(currency, today)
    contracted = prices.foreseen(position.contracted, coming, position.zone)
    months = forecast.forecast(position.organisation, contracted, now=position.market.now, months=2)
    own = BillShown(
        _("This order"), written(totals.gross, currency), _("at once, with an invoice of its own")
    )
    return [own, *(_bill(each, currency) for each in months)]


def _bill(each: MonthForecast, currency: str) -> BillShown:
    made = {"day": day(each.month.next.first_day)}
    when = (
        _("already billed")
        if each.is_final
        else _("billed on %(day)s, not changed by this order") % made
    )
    if each.is_estimated:
        when = _("estimated; billed on %(day)s, not changed by this order") % made
    return BillShown(
        _("The bill of %(month)s") % {"month": month(each.month)},
        written(each.expected.gross, currency),
        when,
    )

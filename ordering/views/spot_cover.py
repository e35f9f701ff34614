"""The cheapest way to have more accounts from one day to another. Rule: S2-05…S2-13, S2-16."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import PortalRequest
from core import clock
from core.money import written
from core.months import last_day
from core.templatetags.writing import day, money_in_text, month
from ordering.forms import Cover
from ordering.queries import positions
from ordering.queries import spots as queries
from ordering.queries.positions import Position
from ordering.views import consequences, spots
from ordering.views.refusals import Told
from plans.rules.timeline import Refusal
from spot_orders.rules import cover as rules
from spot_orders.rules.cover import Licences
from spot_orders.rules.spot import Offer, Wish


@dataclass(frozen=True, slots=True)
class OrderShown:
    """One order of a cover, with the settings filled in at `url`."""

    accounts: str
    period: str
    length: str
    last_day: str
    gross: str
    url: str


@dataclass(frozen=True, slots=True)
class CoverShown:
    """The cheapest orders that there are: together `gross`, tax included."""

    orders: Sequence[OrderShown]
    gross: str
    net: str
    last_day: str


@dataclass(frozen=True, slots=True)
class LicencesShown:
    """More licences instead. `billed`: the months that cost more, in words; `when`: the day to order."""

    accounts: str
    gross: str
    net: str
    last_day: str
    billed: str
    when: str
    is_today: bool
    url: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a search comes to: each of the two ways, or why it is not possible; `better` in a sentence."""

    cover: CoverShown | None
    why_no_cover: Told | None
    licences: LicencesShown | None
    why_no_licences: Told | None
    better: str


@require_safe
def cover(request: PortalRequest) -> HttpResponse:
    """Ask for people and days, and show the cheapest way to have accounts for them, with its price."""
    position = positions.position(request.organisation, now=clock.now())
    context: dict[str, Any] = {
        "organisation": request.organisation,
        "here": reverse("order_spot_cover", kwargs=_of(position)),
    }
    try:
        first = queries.quotable(position).first_on
    except Refusal as refusal:
        context |= {"refused": spots.told(refusal, position)}
        return render(request, "ordering/spot_cover.html", context)
    form = Cover(request.GET or None, position=position)
    if not form.is_bound:
        form.initial = {"people": 10, "first_on": first}
    context |= {"form": form, "found": _found(form, position) if form.is_valid() else None}
    return render(request, "ordering/spot_cover.html", context)


def _found(form: Cover, position: Position) -> Found:
    people, first_on, last_on = (
        form.cleaned_data[name] for name in ("people", "first_on", "last_on")
    )
    contracted, now, zone = position.contracted, position.market.now, position.zone
    closed_on = position.organisation.closed_on
    covered: tuple[Offer, ...] = ()
    added: Licences | None = None
    why_no_cover = why_no_licences = None
    try:
        found = rules.cheapest(
            contracted,
            people,
            first_on,
            last_on,
            now=now,
            zone=zone,
            may_span_renewal=position.may_span_renewal,
            closed_on=closed_on,
        ).offers
        _gross(found, position)
        covered = found
    except Refusal as refusal:
        why_no_cover = spots.told(refusal, position)
    try:
        added = rules.licences(
            contracted, people, first_on, last_on, now=now, zone=zone, closed_on=closed_on
        )
    except Refusal as refusal:
        why_no_licences = spots.told(refusal, position)
    return Found(
        cover=_cover(covered, position) if covered else None,
        why_no_cover=why_no_cover,
        licences=_licences(added, position) if added else None,
        why_no_licences=why_no_licences,
        better=_better(covered, added, position),
    )


def _gross(offers: Sequence[Offer], position: Position) -> int:
    """Return what orders come to, tax included: each has an invoice and a rounding of its own. Rule: B-06."""
    return sum(queries.totals(offer, position).gross for offer in offers)


def _cover(offers: Sequence[Offer], position: Position) -> CoverShown:
    currency = offers[0].currency
    return CoverShown(
        orders=[_order(each, position) for each in offers],
        gross=money_in_text(_gross(offers, position), currency),
        net=money_in_text(sum(each.net for each in offers), currency),
        last_day=day(last_day(max(each.wish.end_on for each in offers))),
    )


def _order(offer: Offer, position: Position) -> OrderShown:
    wish = offer.wish
    return OrderShown(
        accounts=f"+{wish.accounts:,}",
        period=consequences.period(wish.first_on, wish.end_on),
        length=consequences.length(wish.months),
        last_day=day(last_day(wish.end_on)),
        gross=written(queries.totals(offer, position).gross, offer.currency),
        url=settings_of(wish, position),
    )


def settings_of(wish: Wish, position: Position) -> str:
    """Return the address of the settings, filled in."""
    query = urlencode(
        {
            "accounts": wish.accounts,
            "first_on": wish.first_on.isoformat(),
            "months": wish.months,
        }
    )
    return f"{reverse('order_spot', kwargs=_of(position))}?{query}"


def _licences(added: Licences, position: Position) -> LicencesShown:
    currency = position.organisation.currency
    gross = queries.licences_gross(added, position)
    is_today = added.from_on == position.today
    return LicencesShown(
        accounts=f"+{added.accounts:,}",
        gross=written(gross, currency),
        net=written(added.net, currency),
        last_day=day(added.last_on),
        billed=_billed(added),
        when=day(added.from_on),
        is_today=is_today,
        url=f"{reverse('order_licences', kwargs=_of(position))}?steps={added.steps}",
    )


def _billed(added: Licences) -> str:
    if not added.by_month:
        return _("no further month of this contract")
    first, last = added.by_month[0][0], added.by_month[-1][0]
    if first == last:
        return month(first)
    return _("%(first)s to %(last)s") % {"first": month(first), "last": month(last)}


def _better(covered: Sequence[Offer], added: Licences | None, position: Position) -> str:
    """Say which way costs less, if both are possible."""
    if not covered or added is None:
        return ""
    currency = position.organisation.currency
    spot, licences = _gross(covered, position), queries.licences_gross(added, position)
    amount = {"amount": money_in_text(abs(spot - licences), currency)}
    if spot < licences:
        return _("Spot orders cost %(amount)s less than adding licences.") % amount
    if licences < spot:
        return _("Adding licences costs %(amount)s less than spot orders.") % amount
    return _("Both cost the same; licences stay until the end of the contract.")


def _of(position: Position) -> dict[str, Any]:
    return {"organisation": position.organisation.public_id}

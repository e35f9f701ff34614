"""What a spot order would cost an organisation and be good for, and the orders that there are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import pairwise
from uuid import UUID

from accounts.models import Organisation
from billing.rules import spot as billing
from billing.rules.spot import Totals
from billing.rules.tax import tax_code, tax_on
from core.months import BillingMonth, start_of_day
from ordering.queries.positions import Position
from ordering.rules import spots as guards
from plans import queries as plans
from plans.rules.timeline import Refusal
from seats.rules.capacity import Capacity
from spot_orders.enums import SpotState
from spot_orders.models import SpotOrder
from spot_orders.rules import spot as rules
from spot_orders.rules.cover import Licences
from spot_orders.rules.spot import MOST_STEPS, NoLimit, Offer, Window, Wish

# A customer orders a few times a year; what is older than this is in the audit trail.
MOST_ORDERS = 200


@dataclass(frozen=True, slots=True)
class Priced:
    """What may be ordered, with what it comes to if it is ordered today."""

    offer: Offer
    totals: Totals


@dataclass(frozen=True, slots=True)
class Held:
    """How many accounts may be active from a day until another (half open). None: any number."""

    first_on: date
    end_on: date
    accounts: int | None


def priced(position: Position, wish: Wish) -> Priced:
    """Return a wish that may be ordered now. Raises Refusal: the contract or the guards forbid it."""
    guards.check(position.circumstances)
    return quoted(position, wish)


def quoted(position: Position, wish: Wish) -> Priced:
    """Return what a wish comes to, also where an overdue invoice or a missing method forbids to order.

    Its tax is that of the day on which it is ordered. Raises Refusal: no contract carries it.
    Rule: S2-04…S2-14, B-06, B-07.
    """
    guards.check_customer(position.circumstances)
    found = rules.offer(
        position.contracted,
        wish,
        now=position.market.now,
        zone=position.zone,
        may_span_renewal=position.may_span_renewal,
        closed_on=position.organisation.closed_on,
    )
    return Priced(found, totals(found, position))


def totals(offer: Offer, position: Position) -> Totals:
    """Return what an offer comes to if it is ordered today. Raises SeveralTaxes. Rule: B-06, B-07."""
    party = position.party
    try:
        return billing.totals(
            offer,
            vendor_country=party.vendor_country,
            country=party.country,
            ordered_on=position.today,
            rounding=party.tax_rounding,
        )
    except billing.MixedTaxCodes as mixed:
        raise guards.SeveralTaxes from mixed


def licences_gross(added: Licences, position: Position) -> int:
    """Return what more licences add to the monthly bills, tax included, at the tax of today.

    A bill rounds its tax on the sum of all its lines: this is to compare by. Rule: B-06.
    """
    span = position.paid
    if span is None:
        return added.net
    party = position.party
    code = tax_code(
        party.vendor_country,
        party.country,
        span.terms.tax_category,
        BillingMonth.of_day(position.today),
    )
    return sum(net + tax_on(net, code, party.tax_rounding) for _month, net in added.by_month)


def window(position: Position) -> Window:
    """Return when a spot contract may start. Raises Refusal where none is possible. Rule: S2-12, S2-21."""
    guards.check(position.circumstances)
    return quotable(position)


def hindrance(position: Position) -> Refusal | None:
    """Return why nothing may be ordered now of what may be quoted. Rule: S1-24, B-14."""
    try:
        guards.check(position.circumstances)
    except Refusal as refusal:
        return refusal
    return None


def quotable(position: Position) -> Window:
    """Return when what is quoted may start: as `window`, whatever keeps it from being ordered now."""
    guards.check_customer(position.circumstances)
    found = rules.window(
        position.contracted,
        now=position.market.now,
        zone=position.zone,
        may_span_renewal=position.may_span_renewal,
        closed_on=position.organisation.closed_on,
    )
    if not choices(position, found.first_on):
        raise NoLimit
    return found


def choices(position: Position, day: date) -> list[int]:
    """Return how many accounts may be added from a day on: whole steps of the plan then. Rule: S2-07."""
    span = rules.priced_on(position.contracted, day, position.market.now, position.zone)
    per_step = span.terms.accounts_per_step if span else None
    return [] if per_step is None else [per_step * each for each in range(1, MOST_STEPS + 1)]


def months_possible(position: Position, day: date) -> list[int]:
    """Return the lengths that end within the paid coverage; none where not one month does. Rule: S2-06."""
    try:
        end_on = rules.limit(
            position.contracted,
            day,
            position.today,
            may_span_renewal=position.may_span_renewal,
            closed_on=position.organisation.closed_on,
        )
    except Refusal:
        return []
    return list(range(1, rules.months_that_fit(day, end_on) + 1))


def held(found: Capacity, wish: Wish, position: Position) -> list[Held]:
    """Return the numbers that hold during a wish, in order, each as long as it does."""
    zone = position.zone
    begins, ends = start_of_day(wish.first_on, zone), start_of_day(wish.end_on, zone)
    edges = [begins, *(each for each in found.borders() if begins < each < ends), ends]
    spans: list[Held] = []
    for at, until in pairwise(edges):
        accounts = found.at(max(at, position.market.now))
        first, end = at.astimezone(zone).date(), until.astimezone(zone).date()
        if spans and spans[-1].accounts == accounts:
            spans[-1] = replace(spans[-1], end_on=end)
        elif end > first:
            spans.append(Held(first, end, accounts))
    return spans


def order_of(organisation: Organisation, public_id: UUID) -> SpotOrder | None:
    """Return an organisation's spot order with this public id."""
    return (
        SpotOrder.objects.select_related("organisation", "terms", "replaced_by", "placed_by")
        .filter(organisation=organisation, public_id=public_id)
        .first()
    )


def waiting(organisation_id: int) -> SpotOrder | None:
    """Return the order that waits for its payment: at most one does."""
    return SpotOrder.objects.filter(organisation_id=organisation_id, state=SpotState.PLACED).first()


def of_operation(organisation_id: int, operation: UUID) -> SpotOrder | None:
    """Return the order that a form has placed before. Rule: R3."""
    return SpotOrder.objects.filter(organisation_id=organisation_id, operation=operation).first()


def contracts_of(organisation: Organisation) -> Sequence[SpotOrder]:
    """Return an organisation's spot orders, in whatever state, the last start first."""
    rows = SpotOrder.objects.filter(organisation=organisation).order_by("-first_on", "-pk")
    return list(rows[:MOST_ORDERS])


def overlapping(order: SpotOrder) -> Sequence[SpotOrder]:
    """Return the organisation's other spot contracts that hold on a day of this one. Rule: S2-08."""
    found = SpotOrder.objects.filter(
        organisation_id=order.organisation_id,
        state=SpotState.PAID,
        first_on__lt=order.end_on,
        end_on__gt=order.first_on,
    ).exclude(pk=order.pk)
    return [each for each in found.order_by("first_on", "pk") if each.until_on > order.first_on]


def begins_at_once(order: SpotOrder, now: datetime) -> bool:
    """Return whether its first day has come: it holds as soon as it is paid. Rule: S2-28."""
    return now >= start_of_day(order.first_on, plans.zone_for_pages())

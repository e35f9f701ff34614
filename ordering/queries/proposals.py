"""What an order would make of what an organisation has contracted, or why it is refused."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from accounts import queries as accounts
from accounts.models import Organisation
from billing.queries import forecast
from billing.rules import forecast as rules
from billing.rules.forecast import MonthChange
from core.canonical import Json
from core.money import Rounding
from core.months import add_months
from ordering.queries import offers
from ordering.rules import acts, binding, guards
from ordering.rules.acts import Act, Market
from ordering.rules.binding import Party
from ordering.rules.guards import Circumstances, Dependent, Waiver
from payments.queries import methods, payables, spots
from payments.queries.methods import Methods
from plans import queries as plans
from plans.models import VendorVersion
from plans.queries import price_changes
from plans.rules import PlanTerms
from plans.rules import price_changes as prices
from plans.rules.timeline import Timeline
from seats.queries.capacity import capacity
from spot_orders import queries as spot_orders
from spot_orders.enums import SpotState


@dataclass(frozen=True, slots=True)
class Proposal:
    """An order that may be saved: what is contracted before and after it, and what of it binds.

    `shown`: both with the price changes that are announced and not stored for them yet; those are
    stored by themselves. `offers`: what is on sale, by plan code.
    """

    act: Act
    before: Timeline
    after: Timeline
    shown: tuple[Timeline, Timeline]
    binding: dict[str, Json]
    zone: ZoneInfo
    offers: Mapping[str, PlanTerms]


@dataclass(frozen=True, slots=True)
class Quote:
    """A proposal with the bills that it changes, month by month, line by line."""

    proposal: Proposal
    months: tuple[MonthChange, ...]


def proposal(
    organisation: Organisation, act: Act, *, now: datetime, waivers: Collection[Waiver] = ()
) -> Proposal:
    """Return what an act leads to. Raises Refusal: what the contract, the guards or the sale forbid.

    `waivers`: what staff let pass.
    """
    vendor = plans.vendor()
    zone = ZoneInfo(vendor.time_zone)
    before = plans.timeline(organisation, now=now)
    sold = market(organisation, now=now, zone=zone)
    after = acts.carried_out(act, before, sold)
    standing = guards.waived(circumstances(organisation, now=now, zone=zone), waivers)
    guards.check(act, before, after, standing, now=now, zone=zone)
    coming = price_changes.coming(organisation.currency, now.astimezone(zone).date())
    shown = prices.foreseen(before, coming, zone), prices.foreseen(after, coming, zone)
    bound = binding.binding(*shown, party(organisation, vendor), now=now, zone=zone)
    if Waiver.SPOTS in waivers:
        bound["cut"] = _cut(organisation, after)
    return Proposal(act, before, after, shown, bound, zone, sold.offers)


def quote(
    organisation: Organisation, act: Act, *, now: datetime, waivers: Collection[Waiver] = ()
) -> Quote:
    """Return an order with the bills of this month and the next three, before and after it.

    All of it as of one instant, in a transaction that cannot write. Raises Refusal.
    Rule: design.md 6.1.
    """
    with forecast.snapshot():
        made = proposal(organisation, act, now=now, waivers=waivers)
        known = forecast.known(organisation, now=now, months=binding.MONTHS)
    before, after = (
        forecast.ahead(known, each, months=binding.MONTHS, offers=made.offers)
        for each in made.shown
    )
    return Quote(made, rules.compare(before, after))


def _cut(organisation: Organisation, after: Timeline) -> list[Json]:
    """Return which spot contracts an order cuts, and what is credited of each. Rule: S2-13, F54."""
    if after.last_term is None:
        return []
    return [
        {
            "order": each.order.number,
            "on": each.on.isoformat(),
            "begins": each.on > each.order.first_on,
            "gross": each.gross,
        }
        for each in spots.cut_at(organisation, after.last_term.end_on)
    ]


def party(organisation: Organisation, vendor: VendorVersion) -> Party:
    """Return what of customer and vendor decides about tax."""
    return Party(
        organisation_id=organisation.pk,
        currency=organisation.currency,
        country=organisation.country,
        vendor_country=vendor.country,
        tax_rounding=Rounding(vendor.tax_rounding),
    )


def market(organisation: Organisation, *, now: datetime, zone: ZoneInfo) -> Market:
    """Return what may be ordered today, in the organisation's currency."""
    today = now.astimezone(zone).date()
    return Market(
        now=now,
        zone=zone,
        offers=offers.on_sale(organisation.currency, today),
        latest_on=add_months(today, acts.START_WITHIN_MONTHS),
    )


def circumstances(organisation: Organisation, *, now: datetime, zone: ZoneInfo) -> Circumstances:
    """Return how an organisation stands. Rule: S1-24 (a registration under review counts as none)."""
    found: Methods = methods.of(organisation, now)
    closed_on, today = organisation.closed_on, now.astimezone(zone).date()
    is_closed = closed_on is not None and closed_on <= today
    return Circumstances(
        is_closed=is_closed,
        ends_on=None if is_closed else closed_on,
        has_method=found.active is not None,
        reviewing=found.waiting.gateway if found.waiting else "",
        is_overdue=payables.is_overdue(organisation.pk),
        accounts_in_use=accounts.accounts_in_use(organisation.pk),
        capacity=capacity(organisation),
        spots=tuple(
            Dependent(order.number, order.until_on, order.state == SpotState.PAID)
            for order in spot_orders.depending_on(organisation, today)
        ),
    )

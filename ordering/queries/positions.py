"""How an organisation stands before it orders: what it may order now, and what that would lead to."""

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from accounts.models import Organisation
from core.months import BillingMonth
from ordering.queries import proposals
from ordering.rules import acts, guards
from ordering.rules.acts import Act, Market
from ordering.rules.binding import Party
from ordering.rules.guards import Circumstances, TooManyAccounts
from ordering.rules.prices import Price, price
from plans import queries as plans
from plans.enums import Category
from plans.rules import PlanTerms
from plans.rules.renewals import paid_span
from plans.rules.timeline import Refusal, Span, Term, Timeline


@dataclass(frozen=True, slots=True)
class Position:
    """All that decides about an organisation's orders, read once; the rest are answers from it.

    `may_span_renewal`: the vendor lets a spot contract run on into a renewal (S2-13).
    """

    organisation: Organisation
    contracted: Timeline
    market: Market
    circumstances: Circumstances
    party: Party
    may_span_renewal: bool

    @property
    def zone(self) -> ZoneInfo:
        return self.market.zone

    @property
    def today(self) -> date:
        """In the billing time zone."""
        return self.market.now.astimezone(self.zone).date()

    @property
    def paid_plans(self) -> list[PlanTerms]:
        """The licence plans that a main contract may be about, in the catalogue's order."""
        return [
            each
            for each in self.market.offers.values()
            if each.category is Category.LICENCE and not each.is_free
        ]

    @property
    def present(self) -> Span | None:
        """The licence that holds now."""
        return self.contracted.at(Category.LICENCE, self.market.now)

    @property
    def paid(self) -> Span | None:
        """The paid licence that the last term ends with."""
        return paid_span(self.contracted)

    @property
    def last_term(self) -> Term | None:
        """The last term that is not over, be it ordered only."""
        last = self.contracted.last_term
        return last if last is not None and last.end_on > self.today else None

    @property
    def next_term(self) -> Term | None:
        """The renewal that is ordered and has not begun."""
        last = self.last_term
        is_next = last is not None and last.months_before > 0 and last.first_on > self.today
        return last if is_next else None

    @property
    def is_first_ahead(self) -> bool:
        """Whether what is ordered and has not begun is a first term, no renewal."""
        last = self.last_term
        return last is not None and last.months_before == 0 and last.first_on > self.today

    def after(self, act: Act) -> Timeline:
        """Return what an act would make of all that is contracted. Raises Refusal."""
        found = acts.carried_out(act, self.contracted, self.market)
        guards.check(
            act, self.contracted, found, self.circumstances, now=self.market.now, zone=self.zone
        )
        return found

    def why_not(self, least: Act) -> Refusal | None:
        """Return why an act of a kind is not possible now, `least` being what asks least of it.

        That more accounts are in use than it allows is no reason: one may choose more.
        """
        try:
            self.after(least)
        except TooManyAccounts:
            return None
        except Refusal as refusal:
            return refusal
        return None

    def price(self, terms: PlanTerms, steps: int) -> Price:
        """Return what a plan costs a month, at the tax of this one."""
        return price(terms, steps, self.party, BillingMonth.of_day(self.today))


def position(organisation: Organisation, *, now: datetime) -> Position:
    """Return how an organisation stands at `now`, read fresh. Raises NoVendor, NotPriced."""
    vendor = plans.vendor()
    zone = ZoneInfo(vendor.time_zone)
    return Position(
        organisation=organisation,
        contracted=plans.timeline(organisation, now=now),
        market=proposals.market(organisation, now=now, zone=zone),
        circumstances=proposals.circumstances(organisation, now=now, zone=zone),
        party=proposals.party(organisation, vendor),
        may_span_renewal=vendor.spot_may_span_renewal,
    )

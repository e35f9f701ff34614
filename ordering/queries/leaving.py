"""What keeps accounts from leaving, with its price: a spot contract, licences. Rule: design.md 6.5."""

from dataclasses import dataclass

from ordering.queries import spots
from ordering.queries.positions import Position
from ordering.rules.acts import AddLicences
from plans.enums import Category
from plans.rules.timeline import Refusal
from seats.rules.capacity import Capacity
from seats.rules.departures import Departure, Why, reasons
from seats.rules.seat_timeline import with_licence, with_wish
from spot_orders.rules.spot import MOST_STEPS, Wish


@dataclass(frozen=True, slots=True)
class Extension:
    """A spot contract of one month that begins when others leave off; `gross` in minor units, in all."""

    wish: Wish
    gross: int


@dataclass(frozen=True, slots=True)
class MoreLicences:
    """So many steps more of the plan; `gross`: by how much the monthly price rises, in minor units."""

    steps: int
    gross: int


@dataclass(frozen=True, slots=True)
class Ways:
    """What keeps all of a border's accounts. `refusal`: why no spot contract can follow on.

    `is_end`: the paid plan ends then, and a renewal is what would help.
    """

    extension: Extension | None = None
    licences: MoreLicences | None = None
    refusal: Refusal | None = None
    is_end: bool = False


def ways(position: Position, capacity: Capacity, departure: Departure) -> Ways:
    """Return what may be ordered now so that nobody leaves at a border."""
    if Why.CLOSED in reasons(capacity, departure.at):
        return Ways()
    border_on = departure.at.astimezone(position.zone).date()
    if position.contracted.term_on(border_on) is None:
        return Ways(is_end=position.last_term is not None)
    span = position.contracted.at(Category.LICENCE, departure.at)
    per_step = span.terms.accounts_per_step if span else None
    if per_step is None:
        return Ways()
    steps = -(-departure.count // per_step)
    licences = _licences(position, capacity, departure, steps)
    wish = Wish(min(steps, MOST_STEPS) * per_step, border_on, 1)
    try:
        priced = spots.priced(position, wish)
    except Refusal as refusal:
        return Ways(licences=licences, refusal=refusal)
    if not _is_enough(with_wish(capacity, wish, position.zone), departure):
        return Ways(licences=licences)
    return Ways(Extension(wish, priced.totals.gross), licences)


def _licences(
    position: Position, capacity: Capacity, departure: Departure, steps: int
) -> MoreLicences | None:
    """Return the licences that would do; None where they cannot be ordered, or end before the border."""
    present = position.present
    if present is None:
        return None
    try:
        after = position.after(AddLicences(steps))
    except Refusal:
        return None
    if not _is_enough(with_licence(capacity, after), departure):
        return None
    before, then = (
        position.price(present.terms, each) for each in (present.steps, present.steps + steps)
    )
    return MoreLicences(steps, then.gross - before.gross)


def _is_enough(capacity: Capacity, departure: Departure) -> bool:
    allowed = capacity.at(departure.at)
    return allowed is None or allowed >= departure.in_use

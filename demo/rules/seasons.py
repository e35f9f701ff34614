"""Customers who need more accounts for some weeks: what they order, and who comes for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from demo.rules import teams
from demo.rules.customers import Customer
from demo.rules.teams import Colleague
from spot_orders.rules import spot

# How many people an ordinary customer has beside those of the story; numbers of a season go by it.
TEAM = 20
# An order is placed so many days before its first day.
_AHEAD = timedelta(days=3)
# Of a hundred helpers: how many have not come yet.
_WAITING = 6


@dataclass(frozen=True, slots=True)
class Order:
    """A spot order, told from today: `begins` days from it, or else so as to end `ends` days from it.

    `ends`: half open. What is not paid was placed a moment ago.
    """

    accounts: int
    months: int
    begins: int | None = None
    ends: int = 0
    is_paid: bool = True

    def first_on(self, today: date) -> date:
        if self.begins is not None:
            return today + timedelta(days=self.begins)
        return spot.latest_start(today + timedelta(days=self.ends), self.months)

    def placed_on(self, today: date) -> date:
        """The day on which it was placed; one that is not paid: today."""
        return min(today - timedelta(days=1), self.first_on(today) - _AHEAD)


@dataclass(frozen=True, slots=True)
class Season:
    """`regulars`: who is there all year; `helpers`: who comes for the first order.

    `kept`: how many of those who would leave its root protects; `lets_go`: how many it lets go first;
    `frees`: how many it has deactivated by hand since. `regulars` and `helpers` are for a TEAM as usual.
    """

    reference: str
    orders: tuple[Order, ...]
    regulars: int = 0
    helpers: int = 0
    kept: int = 0
    lets_go: int = 0
    frees: int = 0


SEASONS = (
    # 60 accounts, 60 more for some days yet, and 40 of the next contract over its end.
    Season(
        "tsumugi-events",
        (Order(60, months=2, ends=6), Order(40, months=2, begins=3)),
        regulars=54,
        helpers=55,
        kept=3,
        lets_go=1,
    ),
    # 20 accounts, and 20 more until nine days ago.
    Season(
        "tanpopo-care", (Order(20, months=1, ends=-9),), regulars=15, helpers=15, frees=1
    ),
    Season("aoba-sensing", (Order(100, months=2, begins=4, is_paid=False),)),
    # Back on the free plan, which has room for ten.
    Season("kawasemi-works", (), regulars=6),
)  # fmt: skip
# Who has cancelled, these days before today.
LEAVES, LEFT_BEFORE = "yamabiko-audio", timedelta(days=3)


def season(customer: Customer) -> Season | None:
    return next((each for each in SEASONS if each.reference == customer.reference), None)


def regulars(customer: Customer, team: int) -> int:
    """Return how many people come to a customer over the year, where `team` do to an ordinary one."""
    found = season(customer)
    return found.regulars * team // TEAM if found and found.regulars else team


def helpers(
    customer: Customer, found: Season, *, today: date, team: int, seed: int
) -> Iterator[tuple[Colleague, date]]:
    """Yield who comes for the first order, and on which of its days. The same seed, the same people."""
    first_on = found.orders[0].first_on(today)
    chance = Random(f"{seed}:{customer.reference}:season")
    # The names that the regulars do not bear: both are of one shuffle.
    names = teams.shuffled_names(customer, Random(f"{seed}:{customer.reference}:team"))
    for name, local in names[found.regulars :][: found.helpers * team // TEAM]:
        day = first_on + timedelta(days=chance.randrange(1, 20))
        came = chance.randrange(100) >= _WAITING
        group, quiet = teams.SEASONAL[customer.language], chance.randrange(4)
        yield Colleague(name, local, group, came=came, quiet=quiet), day

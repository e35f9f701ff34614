"""What an organisation may have, who uses it and what was paid, recomputed in plain Python lists.

Written from domain.md 3.2, 3.3 and 3.5 alone: it knows no row, no statement and no border, goes through
every midnight that passes, and sends away whoever is too many. Rule: I11…I14.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

TOKYO = ZoneInfo("Asia/Tokyo")
# Accounts a step of the paid plan, and of the free one; yen a step and month, tax excluded.
STEP, FREE, NET = 3, 2, 5_000


def months_on(start: date, months: int) -> date:
    """Return the same day some months on, or the first of the month after one that has no such day."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    try:
        return date(year, month + 1, start.day)
    except ValueError:
        return months_on(date(start.year, start.month, 1), months + 1)


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), TOKYO)


def gross(net: int) -> int:
    return net + net // 10


@dataclass(slots=True, eq=False)
class Person:
    """An account. `number`: in the order of registration; the root's is 0."""

    number: int
    email: str
    is_active: bool = True
    is_kept: bool = False
    is_in_group: bool = False


@dataclass(slots=True, eq=False)
class Term:
    """A main contract of `months`, `before` of others after `anchor`. `steps`: since when how many."""

    anchor: date
    before: int
    months: int
    steps: list[tuple[datetime, int]]
    cut: date | None = None

    @property
    def first(self) -> date:
        return months_on(self.anchor, self.before)

    @property
    def end(self) -> date:
        return self.cut or months_on(self.anchor, self.before + self.months)

    def allows(self, at: datetime) -> int | None:
        """Return how many accounts it allows at an instant, if it holds then."""
        since = [steps for from_at, steps in self.steps if from_at <= at]
        return STEP * since[-1] if since and at < midnight(self.end) else None


@dataclass(slots=True, eq=False)
class Order:
    """A spot order. `pays`: its money is under way; `taken`: it is in; `until`: half open."""

    pk: int
    accounts: int
    first: date
    months: int
    lapses_at: datetime
    state: str = "placed"
    pays: bool = False
    taken: bool = False
    paid_at: datetime | None = None
    cut: date | None = None
    credited: int = 0

    @property
    def end(self) -> date:
        return months_on(self.first, self.months)

    @property
    def until(self) -> date:
        return self.cut or self.end

    @property
    def gross(self) -> int:
        return self.price_of(self.months)

    @property
    def kept(self) -> int:
        """What the vendor keeps of the money, once all that is to go back is back."""
        if not self.taken:
            return 0
        return 0 if self.state == "refunded" else self.gross - self.credited

    def price_of(self, months: int) -> int:
        return gross(NET * months * self.accounts // STEP)

    def days(self) -> list[date]:
        return [self.first + timedelta(each) for each in range((self.end - self.first).days)]

    def allows(self, at: datetime) -> int:
        holds = self.paid_at is not None and self.paid_at <= at
        return (
            self.accounts if holds and self.first <= at.astimezone(TOKYO).date() < self.until else 0
        )


@dataclass(slots=True)
class World:
    """Everything about one organisation. `going`: whom the root lets go first, who leaves first first."""

    now: datetime
    people: list[Person]
    terms: list[Term]
    renews: bool = False
    orders: list[Order] = field(default_factory=list)
    going: list[Person] = field(default_factory=list)
    closed: date | None = None
    registered: int = 1

    @property
    def today(self) -> date:
        return self.now.astimezone(TOKYO).date()

    @property
    def is_closed(self) -> bool:
        return self.closed is not None and self.closed <= self.today

    @property
    def last(self) -> Term | None:
        """The last main contract that is not over."""
        return next((each for each in reversed(self.terms) if each.end > self.today), None)

    @property
    def next(self) -> Term | None:
        """The renewal that is ordered and has not begun."""
        last = self.last
        return last if last and last.before and last.first > self.today else None

    @property
    def waiting(self) -> Order | None:
        return next((each for each in self.orders if each.state == "placed"), None)

    @property
    def active(self) -> list[Person]:
        return [each for each in self.people if each.is_active]

    @property
    def others(self) -> list[Person]:
        return [each for each in self.people if each.number]

    def allowed(self, at: datetime) -> int:
        if self.closed is not None and midnight(self.closed) <= at:
            return 1
        main = [found for each in self.terms if (found := each.allows(at)) is not None]
        return (main[0] if main else FREE) + sum(each.allows(at) for each in self.orders)

    def has_room(self, wanted: int = 1) -> bool:
        return len(self.active) + wanted <= self.allowed(self.now)

    def go_on(self, until: datetime) -> None:
        """Let time go by, midnight after midnight."""
        while self.today < until.astimezone(TOKYO).date():
            self.now = midnight(self.today + timedelta(days=1))
            self.begin_day()
        self.now = until

    def begin_day(self) -> None:
        if self.closed == self.today:
            self.close(self.today)
        while len(self.active) > self.allowed(self.now):
            leaver = self.leaver()
            leaver.is_active, leaver.is_in_group = False, True

    def leaver(self) -> Person:
        """Return who leaves next: whom the root lets go, then the newest, whom it keeps at last."""
        for each in self.going:
            if each.is_active:
                return each
        others = [each for each in self.active if each.number]
        return max(others, key=lambda each: (not each.is_kept, each.number))

    def close(self, day: date) -> None:
        self.terms = [each for each in self.terms if each.first < day]
        for term in self.terms:
            term.cut = day if term.end > day else term.cut
        for order in self.orders:
            if order.state == "paid" and order.until > day:
                order.cut = max(day, order.first)
        self.renews = False

    def is_covered(self, order: Order) -> bool:
        """Return whether a main contract holds on each of its days, whichever."""
        return all(any(term.first <= day < term.end for term in self.terms) for day in order.days())

    def may_be_ordered(self, order: Order) -> bool:
        return (
            not self.is_closed
            and order.first >= self.today
            and order.accounts % STEP == 0
            and self.is_covered(order)
            and (self.closed is None or order.end <= self.closed)
        )

    def may_be_served(self, order: Order) -> bool:
        return (
            order.state == "placed"
            and (self.closed is None or order.end <= self.closed)
            and order.end > self.today
            and self.is_covered(order)
        )

    def serve(self, order: Order) -> None:
        """Make what was paid a contract, or give the money back."""
        if order.state == "placed" and order.taken:
            if self.may_be_served(order):
                order.state, order.paid_at = "paid", self.now
            else:
                order.state = "refunded"

    def depends_on_renewal(self, ends: date) -> bool:
        """Return whether a spot order needs a day from `ends` on that is contracted now."""
        last = self.last
        return last is not None and any(
            each.state in {"placed", "paid"}
            and each.until > each.first
            and ends < each.until
            and each.until <= last.end
            for each in self.orders
        )

    def cut(self, ends: date) -> None:
        """End all spot contracts by a day, and credit the whole months that begin from it on."""
        for each in self.orders:
            if (
                each.state == "paid"
                and each.until > max(ends, each.first)
                and self.today < each.until
            ):
                each.cut = max(ends, each.first)
                starts = [months_on(each.first, number) for number in range(each.months)]
                used = sum(first < ends for first in starts)
                each.credited = max(each.credited, each.gross - each.price_of(used))

    def delete(self, person: Person) -> None:
        self.people.remove(person)
        self.going = [each for each in self.going if each is not person]

"""How a customer's usage looks from day to day: working weeks, growth, a spike, some chance."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

from demo.rules.customers import Customer

# Monday to Sunday, in permille of an ordinary working day.
_WEEK = (980, 1_040, 1_060, 1_030, 1_000, 460, 380)
# fmt: off
_WORDS = (
    "amber", "birch", "cedar", "coral", "delta", "ember", "fjord", "grove", "hazel", "indigo",
    "jasper", "kelp", "lotus", "maple", "nectar", "opal", "pearl", "quartz", "river", "sable",
    "tidal", "umber", "violet", "willow",
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Event:
    """One measurement. `number`: among those of its organisation, day and meter, from 1."""

    reference: str
    day: date
    meter: str
    number: int
    occurred_at: datetime
    quantity: Decimal

    @property
    def event_id(self) -> str:
        return event_id(self.reference, self.day, self.meter, self.number)


def event_id(reference: str, day: date, meter: str, number: int) -> str:
    return f"{reference}-{day:%Y%m%d}-{meter}-{number}"


def day_of(
    customer: Customer, day: date, *, month: int, seed: int, calls: int, zone: ZoneInfo
) -> Iterator[Event]:
    """Yield a customer's events of a day, in the `month` of the story.

    `calls`: how many events report the day's API calls. The same arguments give the same events.
    """
    chance = Random(f"{seed}:{customer.reference}:{day}")
    level = customer.level
    permille = _WEEK[day.weekday()] * (1000 + level.growth * month) // 1000
    if level.spike is not None and level.spike[0] == month and 10 <= day.day <= 16:
        permille *= level.spike[1]

    def amount(base: int) -> int:
        return max(base * permille * chance.randint(900, 1100) // 1_000_000, 0)

    reports = {
        "api_calls": [Decimal(part) for part in _parts(amount(level.calls), calls, chance)],
        "active_devices": [
            Decimal(_devices(level.devices, month, level.growth, chance)) for _ in range(2)
        ],
        "stored_data": [
            Decimal(level.stored * (1000 + level.growth * month + day.day)).scaleb(-6)
            + Decimal(chance.randint(0, 50)).scaleb(-3)
        ],
        "messages": [Decimal(part) for part in _parts(amount(level.messages), 2, chance)],
    }
    midnight = datetime.combine(day, time(), tzinfo=zone)
    for meter, quantities in reports.items():
        gap = 86_400 // len(quantities)
        for number, quantity in enumerate(quantities, 1):
            seconds = (number - 1) * gap + chance.randrange(gap)
            at = midnight + timedelta(seconds=seconds)
            yield Event(customer.reference, day, meter, number, at, quantity)


def password(seed: int, whose: str) -> str:
    """Return a password that anybody who knows the seed can work out: for demonstrations only."""
    chance = Random(f"{seed}:{whose}")
    return "-".join([*chance.sample(_WORDS, 3), f"{chance.randrange(10_000):04d}"])


def _parts(total: int, count: int, chance: Random) -> list[int]:
    """Split a total into parts of differing size that add up to it."""
    weights = [chance.randint(60, 140) for _ in range(count)]
    parts = [total * weight // sum(weights) for weight in weights]
    parts[-1] += total - sum(parts)
    return parts


def _devices(base: int, month: int, growth: int, chance: Random) -> int:
    return base * (1000 + growth * month) * chance.randint(930, 1070) // 1_000_000

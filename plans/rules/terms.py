"""What a plan version promises, as values. Shared by the kernel, the pages and the catalogue."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from plans.enums import Aggregation, Category, TaxCategory


@dataclass(frozen=True, slots=True)
class Tier:
    """A price for the units over the included quantity, up to and including `last_unit` of them.

    `last_unit` None: no upper end. `unit_price`: net, per unit, in minor units; may hold fractions.
    """

    last_unit: Decimal | None
    unit_price: Decimal


@dataclass(frozen=True, slots=True)
class Meter:
    """What is measured. Names and units in the two languages of the portal."""

    id: int
    code: str
    aggregation: Aggregation
    name_ja: str
    name_en: str
    unit_ja: str
    unit_en: str


@dataclass(frozen=True, slots=True)
class MeterTerms:
    """A version's promise for one meter, in one currency. Without tiers, usage over is free."""

    meter: Meter
    included: Decimal
    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """A plan version's prices in one currency. `net`: minor units, per month and step."""

    version_id: int
    version_number: int
    category: Category
    plan_code: str
    name_ja: str
    name_en: str
    currency: str
    net: int
    accounts_per_step: int | None
    is_free: bool
    tax_category: TaxCategory
    meters: tuple[MeterTerms, ...]


def tiers_from_json(stored: Sequence[Sequence[str | None]]) -> tuple[Tier, ...]:
    """Return tiers kept as [[last unit or null, unit price], …], decimals as strings."""
    return tuple(
        Tier(None if last is None else Decimal(last), Decimal(price or 0)) for last, price in stored
    )


def tiers_to_json(tiers: Sequence[Tier]) -> list[list[str | None]]:
    """Return tiers as `tiers_from_json` reads them, without idle zeros."""
    return [
        [None if tier.last_unit is None else _plain(tier.last_unit), _plain(tier.unit_price)]
        for tier in tiers
    ]


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


class TiersOutOfOrder(ValueError):
    """The tiers of a meter do not rise, or do not cover every unit."""


def check_tiers(tiers: Sequence[Tier]) -> None:
    """Refuse tiers that leave a unit without exactly one price. Raises TiersOutOfOrder. Rule: B-04."""
    ends = [tier.last_unit for tier in tiers]
    if ends and ends[-1] is not None:
        raise TiersOutOfOrder("the last tier has no upper end")
    bounded = ends[:-1]
    before = Decimal(0)
    for end in bounded:
        if end is None or end <= before:
            raise TiersOutOfOrder("each tier ends above the one before")
        before = end

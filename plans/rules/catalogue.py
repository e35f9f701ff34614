"""What a catalogue file describes, as values: read from the file, or from what is stored.

A `line` is where an entry stands in its file; it takes no part in a comparison.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from core.money import Rounding
from plans.enums import Aggregation, CancellationEnds, Category, TaxCategory
from plans.rules.terms import Tier

# For how many days after a contract its data may be taken along, unless the file says otherwise.
DATA_KEPT_DAYS = 30


@dataclass(frozen=True, slots=True)
class Vendor:
    name_ja: str
    name_en: str
    postal_code: str
    address_ja: str
    address_en: str
    country: str
    registration_number: str
    time_zone: str
    tax_rounding: Rounding
    currencies: tuple[str, ...]
    support_email: str
    support_url: str
    plan_page_url: str
    invoice_prefix: str
    spot_may_span_renewal: bool = True
    cancellation_ends: CancellationEnds = CancellationEnds.MONTH
    data_kept_days: int = DATA_KEPT_DAYS
    line: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return "vendor"


@dataclass(frozen=True, slots=True)
class Terms:
    number: int
    text_ja: str
    text_en: str
    line: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"terms of use {self.number}"


@dataclass(frozen=True, slots=True)
class CancellationTerms:
    """What a customer agrees to who cancels. `boxes`: Japanese and English, each ticked by itself."""

    number: int
    title_ja: str
    title_en: str
    intro_ja: str
    intro_en: str
    boxes: tuple[tuple[str, str], ...]
    line: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"cancellation terms {self.number}"


@dataclass(frozen=True, slots=True)
class Meter:
    code: str
    name_ja: str
    name_en: str
    unit_ja: str
    unit_en: str
    aggregation: Aggregation
    consumed_unit: str | None
    line: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"meter {self.code}"


@dataclass(frozen=True, slots=True)
class Plan:
    code: str
    category: Category
    name_ja: str
    name_en: str
    is_free: bool
    tax_category: TaxCategory
    line: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"plan {self.code}"


@dataclass(frozen=True, slots=True)
class Usage:
    """What a version includes of a meter in a currency. Prices in minor units."""

    included: Decimal
    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True)
class Version:
    """`prices`: net, minor units, by currency. `usage`: by meter code and currency.

    `applies_to_everyone_from`: the first day of the month from which whoever has an older version
    gets this one; None: only who selects it, or is renewed. Rule: B-02.
    """

    plan_code: str
    number: int
    on_sale_from: date
    on_sale_until: date | None
    accounts_per_step: int | None
    prices: Mapping[str, int]
    usage: Mapping[tuple[str, str], Usage]
    applies_to_everyone_from: date | None = None
    line: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"plan {self.plan_code} version {self.number}"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Entries in the order of their file; what a file leaves out is not changed by it."""

    vendor: Vendor | None = None
    terms: tuple[Terms, ...] = ()
    cancellation_terms: tuple[CancellationTerms, ...] = ()
    meters: tuple[Meter, ...] = ()
    plans: tuple[Plan, ...] = ()
    versions: tuple[Version, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong with a catalogue file, and on which line."""

    line: int
    reason: str


class CatalogueRefused(ValueError):
    """A catalogue file cannot be applied: every reason, by line."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"line {found.line}: {found.reason}" for found in problems))
        self.problems = problems

"""What is known of an organisation's month when it is rated, and the bill that comes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from billing.enums import LineKind, TaxCode
from core.canonical import Json
from core.money import Rounding
from core.months import BillingMonth
from plans.rules import Meter, PlanTerms


@dataclass(frozen=True, slots=True)
class Fee:
    """The selection of a category in force at the month's first instant. Rule: B-02."""

    terms: PlanTerms
    steps: int


@dataclass(frozen=True, slots=True)
class LateMonth:
    """An earlier month whose usage has changed since it was billed. Rule: B-08.

    `used`: by meter code, as known now; `rated`: as it was when last billed; `billed`: net in
    minor units, of the month's own lines and of every adjustment since. `licence`: the version
    that the month was rated by.
    """

    month: BillingMonth
    licence: PlanTerms | None
    tax_code: TaxCode
    used: Mapping[str, Decimal]
    rated: Mapping[str, Decimal]
    billed: Mapping[str, int]
    revision: int


@dataclass(frozen=True, slots=True)
class Facts:
    """One organisation, one month.

    `used`: the month's usage by meter code; `meters`: every meter of the vendor, in order;
    `credit`: brought from the month before, net, by tax code, positive.
    """

    organisation_id: int
    month: BillingMonth
    currency: str
    country: str
    vendor_country: str
    tax_rounding: Rounding
    licence: Fee | None
    support: Fee | None
    meters: tuple[Meter, ...]
    used: Mapping[str, Decimal]
    late: tuple[LateMonth, ...] = ()
    credit: Mapping[TaxCode, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Line:
    """One priced item; `net` in minor units, `explanation` as docs/rules.md tells."""

    kind: LineKind
    month: BillingMonth
    name_ja: str
    name_en: str
    plan_version_id: int | None
    meter: Meter | None
    quantity: Decimal
    net: int
    tax_code: TaxCode
    explanation: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class TaxLine:
    """The sum of one rate's lines and its tax, rounded once. Rule: B-06."""

    code: TaxCode
    rate: Decimal
    net: int
    tax: int


@dataclass(frozen=True, slots=True)
class Bill:
    """A priced month. `credit_carried`: left over for the next month, net, by tax code (B-08)."""

    month: BillingMonth
    currency: str
    lines: tuple[Line, ...]
    taxes: tuple[TaxLine, ...]
    net: int
    tax: int
    gross: int
    credit_carried: Mapping[TaxCode, int]

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to bill: a record, and no invoice. Rule: B-01."""
        return all(line.net == 0 for line in self.lines)

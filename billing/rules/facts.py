"""What is known of an organisation's month when it is rated, and the bill that comes of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

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
        """Whether there is nothing to bill: a record, and no invoice. Rule: B-01.

        Credit that is only handed on from month to month makes no invoice either.
        """
        return all(line.net == 0 for line in self.lines if line.kind not in _CREDIT)


_CREDIT = (LineKind.CREDIT_BROUGHT, LineKind.CREDIT_CARRIED)


class NotFacts(ValueError):
    """What was given is not the canonical form of facts, or of another version of it."""


def written(quantity: Decimal) -> str:
    """Return a quantity as documents keep it: every digit, no exponent, no idle zeros."""
    text = str(quantity)
    if "E" in text:
        text = f"{quantity:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def facts_json(facts: Facts) -> dict[str, Json]:
    """Return the canonical form of facts: all that is needed to rate them again.

    Prices are not copied: a plan version never changes once it is selected, so its id and the
    currency say them (docs/decisions/stored-facts-name-plan-versions.md).
    """
    return {
        "v": 1,
        "organisation": facts.organisation_id,
        "month": str(facts.month),
        "currency": facts.currency,
        "country": facts.country,
        "vendor_country": facts.vendor_country,
        "tax_rounding": facts.tax_rounding.value,
        "licence": [facts.licence.terms.version_id, facts.licence.steps] if facts.licence else None,
        "support": [facts.support.terms.version_id, facts.support.steps] if facts.support else None,
        "meters": [meter.id for meter in facts.meters],
        "used": {code: written(used) for code, used in facts.used.items()},
        "late": [_late_json(late) for late in facts.late],
        "credit": {code.value: credit for code, credit in facts.credit.items()},
    }


def _late_json(late: LateMonth) -> dict[str, Json]:
    return {
        "month": str(late.month),
        "licence": [late.licence.version_id, late.licence.currency] if late.licence else None,
        "tax_code": late.tax_code.value,
        "used": {code: written(used) for code, used in late.used.items()},
        "rated": {code: written(used) for code, used in late.rated.items()},
        "billed": dict(late.billed),
        "revision": late.revision,
    }


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Where stored facts find what they name.

    `terms`: of a plan version's id and a currency; `meters`: by id.
    """

    terms: Callable[[int, str], PlanTerms]
    meters: Mapping[int, Meter]


def facts_from_json(stored: Mapping[str, Any], catalogue: Catalogue) -> Facts:
    """Return the facts that `facts_json` wrote. Raises NotFacts."""
    try:
        if stored["v"] != 1:
            raise NotFacts(f"version {stored['v']}")
        currency = stored["currency"]
        return Facts(
            organisation_id=stored["organisation"],
            month=BillingMonth.parse(stored["month"]),
            currency=currency,
            country=stored["country"],
            vendor_country=stored["vendor_country"],
            tax_rounding=Rounding(stored["tax_rounding"]),
            licence=_fee(stored["licence"], currency, catalogue),
            support=_fee(stored["support"], currency, catalogue),
            meters=tuple(catalogue.meters[meter] for meter in stored["meters"]),
            used=_quantities(stored["used"]),
            late=tuple(_late(late, catalogue) for late in stored["late"]),
            credit={TaxCode(code): credit for code, credit in stored["credit"].items()},
        )
    except (KeyError, TypeError, AttributeError, InvalidOperation) as fault:
        raise NotFacts(repr(fault)) from fault


def _fee(stored: Any, currency: str, catalogue: Catalogue) -> Fee | None:
    return Fee(catalogue.terms(stored[0], currency), stored[1]) if stored else None


def _late(stored: Mapping[str, Any], catalogue: Catalogue) -> LateMonth:
    return LateMonth(
        month=BillingMonth.parse(stored["month"]),
        licence=catalogue.terms(*stored["licence"]) if stored["licence"] else None,
        tax_code=TaxCode(stored["tax_code"]),
        used=_quantities(stored["used"]),
        rated=_quantities(stored["rated"]),
        billed=dict(stored["billed"]),
        revision=stored["revision"],
    )


def _quantities(stored: Mapping[str, str]) -> dict[str, Decimal]:
    return {code: Decimal(quantity) for code, quantity in stored.items()}

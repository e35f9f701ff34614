"""What was issued, read back as the kernel's values."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from billing.enums import LineKind, TaxCode
from billing.rules.facts import Catalogue, Line, NotFacts, TaxLine
from core.months import BillingMonth
from plans import queries as plans
from plans.rules import Meter, PlanTerms

Stored = Sequence[Any]


@dataclass(slots=True)
class Reader:
    """Finds what stored facts and lines name, and remembers it."""

    meters: Mapping[int, Meter]
    read: Callable[[Iterable[int], str], Mapping[int, PlanTerms]]
    _terms: dict[tuple[int, str], PlanTerms] = field(default_factory=dict)

    @classmethod
    def for_pages(cls) -> "Reader":
        """Return a reader that asks the catalogue's memory."""
        return cls({each.id: each for each in plans.meters_for_pages()}, plans.terms_for_pages)

    @classmethod
    def fresh(cls) -> "Reader":
        """Return a reader that asks the database."""
        return cls({each.id: each for each in plans.meters()}, plans.terms)

    @property
    def catalogue(self) -> Catalogue:
        return Catalogue(self.terms, self.meters)

    def terms(self, version_id: int, currency: str) -> PlanTerms:
        """Return what a version promises in a currency. Raises NotFacts where it has no price."""
        key = (version_id, currency)
        if key not in self._terms:
            found = self.read([version_id], currency).get(version_id)
            if found is None:
                raise NotFacts(f"version {version_id} has no price in {currency}")
            self._terms[key] = found
        return self._terms[key]


def stored_lines(rows: Iterable[Stored], reader: Reader) -> tuple[Line, ...]:
    """Return lines from their columns: kind, month, names, version, meter, quantity, net, code, why."""
    return tuple(
        Line(
            kind=LineKind(kind),
            month=BillingMonth.of_day(date.fromisoformat(month)),
            name_ja=name_ja,
            name_en=name_en,
            plan_version_id=version_id,
            meter=None if meter_id is None else reader.meters[meter_id],
            quantity=Decimal(quantity),
            net=net,
            tax_code=TaxCode(code),
            explanation=explanation,
        )
        for (
            kind,
            month,
            name_ja,
            name_en,
            version_id,
            meter_id,
            quantity,
            net,
            code,
            explanation,
        ) in rows
    )


def stored_taxes(rows: Iterable[Stored]) -> tuple[TaxLine, ...]:
    """Return tax summaries from their columns: code, rate, net, tax."""
    return tuple(TaxLine(TaxCode(code), Decimal(rate), net, tax) for code, rate, net, tax in rows)

"""What binds of what a root was shown, as JSON with a digest: saved is what was shown. Pure.

Measured usage and estimates do not bind. "At once" is written as null, since saving comes later.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from billing.rules.facts import Facts, Fee, written
from billing.rules.rating import rate
from core import canonical
from core.canonical import Json
from core.money import Rounding
from core.months import BillingMonth, months_between
from plans.enums import Category
from plans.rules import PlanTerms, tiers_to_json
from plans.rules.timeline import Timeline, fee_at

MONTHS = 4


@dataclass(frozen=True, slots=True)
class Party:
    """What of customer and vendor decides about tax."""

    organisation_id: int
    currency: str
    country: str
    vendor_country: str
    tax_rounding: Rounding


class Kind(enum.StrEnum):
    """What may differ between what was shown and what would be saved."""

    CONTRACT = "contract"
    MONTH = "month"
    PRICE = "price"
    PROMISE = "promise"
    TAX = "tax"
    SPOTS = "spots"
    DATES = "dates"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was shown. PRICE and PROMISE name the plan; PRICE both net prices."""

    kind: Kind
    name_ja: str = ""
    name_en: str = ""
    shown_net: int = 0
    net: int = 0


def binding(
    before: Timeline, after: Timeline, party: Party, *, now: datetime, zone: ZoneInfo
) -> dict[str, Json]:
    """Return what binds of an order: spans, steps, dates, terms, and the fees of the next months."""
    first = BillingMonth.containing(now, zone)
    months = months_between(first, first.plus(MONTHS - 1))
    return {
        "v": 1,
        "before": _contracted(before, now),
        "after": _contracted(after, now),
        "terms": {
            str(terms.version_id): _terms(terms)
            for timeline in (before, after)
            for category in Category
            for span in timeline.of(category)
            if span.until_at is None or span.until_at > now
            for terms in (span.terms,)
        },
        "months": [
            {
                "month": str(month),
                "before": _fees(before, party, month, zone),
                "after": _fees(after, party, month, zone),
            }
            for month in months
        ],
    }


def digest(bound: Mapping[str, Any]) -> bytes:
    """Return the SHA-256 of what binds."""
    return canonical.digest(dict(bound))


def differences(shown: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Return what is not as it was shown; none where the two are the same."""
    if digest(shown) == digest(now):
        return ()
    found: list[Difference] = []
    if [each["month"] for each in shown["months"]] != [each["month"] for each in now["months"]]:
        found.append(Difference(Kind.MONTH))
    if shown["before"] != now["before"]:
        found.append(Difference(Kind.CONTRACT))
    if shown.get("cut") != now.get("cut"):
        found.append(Difference(Kind.SPOTS))
    found += _of_terms(_last_of_plans(shown), _last_of_plans(now))
    if not found and _fees_of(shown, "net") == _fees_of(now, "net"):
        found += [Difference(Kind.TAX)] * (_fees_of(shown, "tax") != _fees_of(now, "tax"))
    return tuple(found) or (Difference(Kind.DATES),)


def _contracted(timeline: Timeline, now: datetime) -> dict[str, Json]:
    return {
        "spans": [
            {
                "category": category.value,
                "version": span.terms.version_id,
                "steps": span.steps,
                "from": None if span.from_at == now else span.from_at.isoformat(),
                "until": span.until_at.isoformat() if span.until_at else None,
            }
            for category in Category
            for span in timeline.of(category)
            if span.until_at is None or span.until_at > now
        ],
        "terms": [
            {"first_on": term.first_on.isoformat(), "end_on": term.end_on.isoformat()}
            for term in timeline.terms
        ],
        "renews": timeline.renews,
    }


def _terms(terms: PlanTerms) -> dict[str, Json]:
    return {
        "plan": terms.plan_code,
        "name_ja": terms.name_ja,
        "name_en": terms.name_en,
        "currency": terms.currency,
        "net": terms.net,
        "accounts": terms.accounts_per_step,
        "tax": terms.tax_category.value,
        "meters": [
            [
                each.meter.code,
                written(each.included),
                [[*tier] for tier in tiers_to_json(each.tiers)],
            ]
            for each in terms.meters
        ],
    }


def _fees(timeline: Timeline, party: Party, month: BillingMonth, zone: ZoneInfo) -> Json:
    """Return what the kernel makes of a month's fees alone. Rule: B-02."""
    begins_at = month.starts_at(zone)
    fees: dict[Category, Fee | None] = {}
    for category in Category:
        span = fee_at(timeline.of(category), begins_at)
        fees[category] = Fee(span.terms, span.steps) if span else None
    bill = rate(
        Facts(
            organisation_id=party.organisation_id,
            month=month,
            currency=party.currency,
            country=party.country,
            vendor_country=party.vendor_country,
            tax_rounding=party.tax_rounding,
            licence=fees[Category.LICENCE],
            support=fees[Category.SUPPORT],
            meters=(),
            used={},
        )
    )
    return {
        **{
            category.value: [fee.terms.version_id, fee.steps] if fee else None
            for category, fee in fees.items()
        },
        "net": bill.net,
        "tax": bill.tax,
        "gross": bill.gross,
    }


def _last_of_plans(bound: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the terms that are to hold, by plan: the last ones where a plan comes twice."""
    found: dict[str, Mapping[str, Any]] = {}
    for span in bound["after"]["spans"]:
        terms = bound["terms"][str(span["version"])]
        found[terms["plan"]] = terms
    return found


def _of_terms(
    shown: Mapping[str, Mapping[str, Any]], now: Mapping[str, Mapping[str, Any]]
) -> Sequence[Difference]:
    found = []
    for plan, terms in now.items():
        old = shown.get(plan)
        if old is None or old == terms:
            continue
        names = (terms["name_ja"], terms["name_en"])
        if old["net"] != terms["net"]:
            found.append(Difference(Kind.PRICE, *names, old["net"], terms["net"]))
        else:
            found.append(Difference(Kind.PROMISE, *names))
    return found


def _fees_of(bound: Mapping[str, Any], part: str) -> list[tuple[int, int]]:
    return [(each["before"][part], each["after"][part]) for each in bound["months"]]

"""What binds of what a root was shown before they confirm: what is confirmed was shown. Pure.

Measured usage, estimates, accounts and payments under way do not bind: they are shown as they are.
"""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from core import canonical
from core.canonical import Json
from plans.enums import Category
from plans.rules.timeline import Timeline


@dataclass(frozen=True, slots=True)
class BoundSpot:
    """A spot contract or an unpaid spot order. `until_on`: half open, without the cancellation."""

    number: str
    accounts: int
    first_on: date
    until_on: date
    is_paid: bool


class Kind(enum.StrEnum):
    """What may differ between what was shown and what would be confirmed."""

    LAST_DAY = "last_day"
    TERMS = "terms"
    PLAN = "plan"
    CONTRACT = "contract"
    SPOTS = "spots"
    DATA = "data"


def binding(
    timeline: Timeline,
    spots: Iterable[BoundSpot],
    *,
    end_on: date,
    data_until_on: date,
    terms_number: int,
    now: datetime,
    zone: ZoneInfo,
) -> dict[str, Json]:
    """Return what binds: the last day, the text, what is contracted, spot contracts, what is kept."""
    today = now.astimezone(zone).date()
    return {
        "v": 1,
        Kind.LAST_DAY.value: end_on.isoformat(),
        Kind.TERMS.value: terms_number,
        Kind.PLAN.value: {category.value: _spans(timeline, category, now) for category in Category},
        Kind.CONTRACT.value: {
            "terms": [
                [term.first_on.isoformat(), term.end_on.isoformat()]
                for term in timeline.terms
                if term.end_on > today
            ],
            "renews": timeline.renews,
        },
        Kind.SPOTS.value: [
            [
                each.number,
                each.accounts,
                each.first_on.isoformat(),
                each.until_on.isoformat(),
                each.is_paid,
            ]
            for each in sorted(spots, key=lambda each: each.number)
        ],
        Kind.DATA.value: data_until_on.isoformat(),
    }


def digest(bound: Mapping[str, Any]) -> bytes:
    """Return the SHA-256 of what binds."""
    return canonical.digest(dict(bound))


def differences(shown: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[Kind, ...]:
    """Return what is not as it was shown; none where the two are the same."""
    return tuple(kind for kind in Kind if shown.get(kind.value) != now.get(kind.value))


def _spans(timeline: Timeline, category: Category, now: datetime) -> Json:
    return [
        {
            "plan": span.terms.plan_code,
            "version": span.terms.version_number,
            "steps": span.steps,
            "from": span.from_at.isoformat(),
            "until": span.until_at.isoformat() if span.until_at else None,
        }
        for span in timeline.of(category)
        if span.until_at is None or span.until_at > now
    ]
